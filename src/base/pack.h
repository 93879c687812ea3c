/* Fixed binary encoding for our own files and for messages between roles:
 * little-endian integers, byte strings with a 32-bit length in front.
 *
 * Both cursors are sticky: after the first error a writer writes nothing and a
 * reader returns zeroes; `status` is checked once at the end. A reader never
 * allocates: strings point into its input. Input is untrusted.
 */
#ifndef MUSTER_BASE_PACK_H
#define MUSTER_BASE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct unpack {
	const uint8_t *at;
	size_t left;
	int status; /* 0 or ERR_FORMAT, ERR_LIMIT */
};

struct bytes {
	const uint8_t *data;
	size_t size;
};

void pack_u8(struct buf *out, uint8_t value);
void pack_u16(struct buf *out, uint16_t value);
void pack_u32(struct buf *out, uint32_t value);
void pack_u64(struct buf *out, uint64_t value);
void pack_bytes(struct buf *out, const void *data, size_t size);
void pack_text(struct buf *out, const char *text);

void unpack_init(struct unpack *in, const void *data, size_t size);
uint8_t unpack_u8(struct unpack *in);
uint16_t unpack_u16(struct unpack *in);
uint32_t unpack_u32(struct unpack *in);
uint64_t unpack_u64(struct unpack *in);
/* At most max bytes, else ERR_LIMIT; points into the input. */
struct bytes unpack_bytes(struct unpack *in, size_t max);
/* Exactly size bytes without a length in front, copied; zeroes on error. */
void unpack_fixed(struct unpack *in, void *out, size_t size);
/* Copies a string of at most capacity - 1 bytes and ends it with NUL; one with
 * a NUL inside is ERR_FORMAT. */
void unpack_text(struct unpack *in, char *out, size_t capacity);
/* 0 when everything decoded and nothing is left over, else the error. */
int unpack_end(const struct unpack *in);

/* CRC-32C (Castagnoli) of our record logs; start with 0. */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);

#endif
