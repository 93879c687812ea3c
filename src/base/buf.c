/* Growable bytes under a maximum. */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define BUF_FIRST_BYTES 64

void buf_init(struct buf *buf, size_t max_bytes)
{
	*buf = (struct buf){ .max = max_bytes };
}

void buf_done(struct buf *buf)
{
	free(buf->data);
	buf_init(buf, buf->max);
}

void buf_wipe(struct buf *buf)
{
	if (buf->data != NULL)
		explicit_bzero(buf->data, buf->capacity);
	buf_done(buf);
}

void buf_reset(struct buf *buf)
{
	buf->size = 0;
	buf->status = 0;
	if (buf->data != NULL)
		buf->data[0] = '\0';
}

uint8_t *buf_room(struct buf *buf, size_t size)
{
	size_t need;

	if (buf->status != 0)
		return NULL;
	if (size > buf->max || buf->size > buf->max - size) {
		buf->status = ERR_LIMIT;
		return NULL;
	}
	need = buf->size + size + 1;
	if (need > buf->capacity) {
		size_t capacity = buf->capacity > 0 ? buf->capacity : BUF_FIRST_BYTES;
		uint8_t *data;

		while (capacity < need)
			capacity *= 2;
		data = realloc(buf->data, capacity);
		if (data == NULL) {
			buf->status = ERR_MEMORY;
			return NULL;
		}
		buf->data = data;
		buf->capacity = capacity;
	}
	buf->data[buf->size] = '\0';
	return buf->data + buf->size;
}

void buf_grow(struct buf *buf, size_t size)
{
	buf->size += size;
	buf->data[buf->size] = '\0';
}

int buf_append(struct buf *buf, const void *bytes, size_t size)
{
	uint8_t *room = buf_room(buf, size);

	if (room == NULL)
		return buf->status;
	if (size > 0)
		memcpy(room, bytes, size);
	buf_grow(buf, size);
	return 0;
}

int buf_append_text(struct buf *buf, const char *text)
{
	return buf_append(buf, text, strlen(text));
}

int buf_append_byte(struct buf *buf, uint8_t byte)
{
	return buf_append(buf, &byte, 1);
}

int buf_vprintf(struct buf *buf, const char *format, va_list arguments)
{
	va_list again;
	uint8_t *room;
	int length;

	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, arguments);
	room = length >= 0 ? buf_room(buf, (size_t)length) : NULL;
	if (room != NULL) {
		vsnprintf((char *)room, (size_t)length + 1, format, again);
		buf_grow(buf, (size_t)length);
	}
	va_end(again);
	return buf->status;
}

int buf_printf(struct buf *buf, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	buf_vprintf(buf, format, arguments);
	va_end(arguments);
	return buf->status;
}

void buf_consume(struct buf *buf, size_t size)
{
	if (size >= buf->size) {
		buf->size = 0;
	} else {
		memmove(buf->data, buf->data + size, buf->size - size);
		buf->size -= size;
	}
	if (buf->data != NULL)
		buf->data[buf->size] = '\0';
}

const char *buf_text(const struct buf *buf)
{
	return buf->data != NULL ? (const char *)buf->data : "";
}

uint8_t *buf_take(struct buf *buf, size_t *ret_size)
{
	uint8_t *data = buf->status == 0 ? buf->data : NULL;

	if (data == NULL) {
		*ret_size = 0;
		buf_done(buf);
		return NULL;
	}
	*ret_size = buf->size;
	buf_init(buf, buf->max);
	return data;
}
