/* Hexadecimal digits and UUIDs. */
#include "base/hex.h"

#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

void hex_format(const void *bytes, size_t size, char *text)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < size; i++) {
		text[2 * i] = hex_digits[b[i] >> 4];
		text[2 * i + 1] = hex_digits[b[i] & 15];
	}
	text[2 * size] = '\0';
}

int hex_digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hex_parse(const char *text, void *bytes, size_t size, struct err *err)
{
	uint8_t *b = bytes;

	if (strnlen(text, 2 * size + 1) != 2 * size)
		return err_set(err, ERR_FORMAT, "expected %zu hexadecimal digits", 2 * size);
	for (size_t i = 0; i < size; i++) {
		int high = hex_digit_value(text[2 * i]);
		int low = hex_digit_value(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return err_set(err, ERR_FORMAT, "'%.80s' is not hexadecimal", text);
		b[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

struct uuid uuid_make(time_us now, const uint8_t random[10])
{
	struct uuid uuid;
	uint64_t ms = now > 0 ? (uint64_t)(now / MILLISECOND_US) : 0;

	for (int i = 0; i < 6; i++)
		uuid.bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
	memcpy(uuid.bytes + 6, random, 10);
	uuid.bytes[6] = (uint8_t)(0x70 | (uuid.bytes[6] & 0x0f));
	uuid.bytes[8] = (uint8_t)(0x80 | (uuid.bytes[8] & 0x3f));
	return uuid;
}

static bool dash_before(int byte)
{
	return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

void uuid_format(const struct uuid *uuid, char *text)
{
	for (int i = 0; i < UUID_BYTES; i++) {
		if (dash_before(i))
			*text++ = '-';
		*text++ = hex_digits[uuid->bytes[i] >> 4];
		*text++ = hex_digits[uuid->bytes[i] & 15];
	}
	*text = '\0';
}

int uuid_parse(const char *text, struct uuid *ret_uuid, struct err *err)
{
	struct uuid uuid;
	const char *s = text;

	if (strnlen(text, UUID_TEXT_BYTES) != UUID_TEXT_BYTES - 1)
		goto malformed;
	for (int i = 0; i < UUID_BYTES; i++) {
		if (dash_before(i) && *s++ != '-')
			goto malformed;
		int high = hex_digit_value(s[0]);
		int low = hex_digit_value(s[1]);
		if (high < 0 || low < 0)
			goto malformed;
		uuid.bytes[i] = (uint8_t)(high << 4 | low);
		s += 2;
	}
	*ret_uuid = uuid;
	return 0;
malformed:
	return err_set(err, ERR_FORMAT, "'%.64s' is not an id", text);
}

bool uuid_equal(const struct uuid *a, const struct uuid *b)
{
	return memcmp(a->bytes, b->bytes, UUID_BYTES) == 0;
}

bool uuid_is_zero(const struct uuid *uuid)
{
	static const struct uuid zero;

	return uuid_equal(uuid, &zero);
}
