/* Hexadecimal and UUID text. Input is untrusted; nothing allocates. */
#ifndef MUSTER_BASE_HEX_H
#define MUSTER_BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/units.h"

#define SHA256_BYTES      32
#define SHA256_TEXT_BYTES 65
#define UUID_BYTES        16
#define UUID_TEXT_BYTES   37

struct uuid {
	uint8_t bytes[UUID_BYTES];
};

/* Lower case; text needs 2 * size + 1 bytes. */
void hex_format(const void *bytes, size_t size, char *text);
/* Exactly 2 * size digits of either case, nothing else. ERR_FORMAT otherwise. */
int hex_parse(const char *text, void *bytes, size_t size, struct err *err);

/* 0 to 15, of either case; -1 for any other character. */
int hex_digit_value(char digit);

/* UUIDv7 (RFC 9562 section 5.7) of a wall-clock moment and 10 random bytes. */
struct uuid uuid_make(time_us now, const uint8_t random[10]);
void uuid_format(const struct uuid *uuid, char *text); /* UUID_TEXT_BYTES */
int uuid_parse(const char *text, struct uuid *ret_uuid, struct err *err);
bool uuid_equal(const struct uuid *a, const struct uuid *b);
bool uuid_is_zero(const struct uuid *uuid);

#endif
