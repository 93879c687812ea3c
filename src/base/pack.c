/* Little-endian packing with sticky errors, and the checksum of record logs. */
#include "base/pack.h"

#include <string.h>

#include "base/err.h"

static void pack_integer(struct buf *out, uint64_t value, size_t size)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	buf_append(out, bytes, size);
}

void pack_u8(struct buf *out, uint8_t value)
{
	pack_integer(out, value, 1);
}

void pack_u16(struct buf *out, uint16_t value)
{
	pack_integer(out, value, 2);
}

void pack_u32(struct buf *out, uint32_t value)
{
	pack_integer(out, value, 4);
}

void pack_u64(struct buf *out, uint64_t value)
{
	pack_integer(out, value, 8);
}

void pack_bytes(struct buf *out, const void *data, size_t size)
{
	if (size > UINT32_MAX) {
		out->status = out->status != 0 ? out->status : ERR_LIMIT;
		return;
	}
	pack_u32(out, (uint32_t)size);
	buf_append(out, data, size);
}

void pack_text(struct buf *out, const char *text)
{
	pack_bytes(out, text, strlen(text));
}

void unpack_init(struct unpack *in, const void *data, size_t size)
{
	*in = (struct unpack){ .at = data, .left = size };
}

static const uint8_t *unpack_take(struct unpack *in, size_t size)
{
	const uint8_t *at = in->at;

	if (in->status != 0)
		return NULL;
	if (size > in->left) {
		in->status = ERR_FORMAT;
		return NULL;
	}
	in->at += size;
	in->left -= size;
	return at;
}

static uint64_t unpack_integer(struct unpack *in, size_t size)
{
	const uint8_t *at = unpack_take(in, size);
	uint64_t value = 0;

	for (size_t i = 0; at != NULL && i < size; i++)
		value |= (uint64_t)at[i] << (8 * i);
	return value;
}

uint8_t unpack_u8(struct unpack *in)
{
	return (uint8_t)unpack_integer(in, 1);
}

uint16_t unpack_u16(struct unpack *in)
{
	return (uint16_t)unpack_integer(in, 2);
}

uint32_t unpack_u32(struct unpack *in)
{
	return (uint32_t)unpack_integer(in, 4);
}

uint64_t unpack_u64(struct unpack *in)
{
	return unpack_integer(in, 8);
}

struct bytes unpack_bytes(struct unpack *in, size_t max)
{
	uint32_t size = unpack_u32(in);
	const uint8_t *at;

	if (in->status == 0 && size > max)
		in->status = ERR_LIMIT;
	at = unpack_take(in, size);
	return (struct bytes){ .data = at, .size = at != NULL ? size : 0 };
}

void unpack_fixed(struct unpack *in, void *out, size_t size)
{
	const uint8_t *at = unpack_take(in, size);

	if (at != NULL)
		memcpy(out, at, size);
	else
		memset(out, 0, size);
}

void unpack_text(struct unpack *in, char *out, size_t capacity)
{
	struct bytes text = unpack_bytes(in, capacity - 1);

	out[0] = '\0';
	if (text.size == 0)
		return;
	if (memchr(text.data, '\0', text.size) != NULL) {
		in->status = ERR_FORMAT;
		return;
	}
	memcpy(out, text.data, text.size);
	out[text.size] = '\0';
}

int unpack_end(const struct unpack *in)
{
	if (in->status != 0)
		return in->status;
	return in->left == 0 ? 0 : ERR_FORMAT;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	crc = ~crc;
	for (size_t i = 0; i < size; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (0x82f63b78u & (0u - (crc & 1u)));
	}
	return ~crc;
}
