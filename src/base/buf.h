/* A growable run of bytes, born with its maximum (conventions 5, curl's dynbuf).
 *
 * Writers are sticky: the first failure (ERR_LIMIT or ERR_MEMORY) is kept in
 * `status`, later appends do nothing; check once at the end. `data` is NULL or
 * NUL-terminated after `size` bytes, so that text can be used as a string.
 */
#ifndef MUSTER_BASE_BUF_H
#define MUSTER_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data;
	size_t size;
	size_t capacity;
	size_t max;
	int status; /* 0 or a negative err_code */
};

void buf_init(struct buf *buf, size_t max_bytes);
/* Frees and returns to the state after buf_init(). Accepts a zeroed struct. */
void buf_done(struct buf *buf);
/* Overwrites what it held with zeroes first; for secrets. */
void buf_wipe(struct buf *buf);
/* Forgets the content and the error, keeps the memory. */
void buf_reset(struct buf *buf);

int buf_append(struct buf *buf, const void *bytes, size_t size);
int buf_append_text(struct buf *buf, const char *text);
int buf_append_byte(struct buf *buf, uint8_t byte);
int buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *buf, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));
/* Room for `size` more bytes at the end, to be claimed with buf_grow(); NULL on failure. */
uint8_t *buf_room(struct buf *buf, size_t size);
void buf_grow(struct buf *buf, size_t size);
/* Drops the first `size` bytes (at most all). */
void buf_consume(struct buf *buf, size_t size);
/* The text, "" when empty; owned by buf. */
const char *buf_text(const struct buf *buf);
/* Hands the memory to the caller (free()); NULL when empty or failed. */
uint8_t *buf_take(struct buf *buf, size_t *ret_size);

#endif
