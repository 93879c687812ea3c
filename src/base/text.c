/* Escaping of outside text. Everything here meets hostile bytes. */
#include "base/text.h"

#include <ctype.h>
#include <string.h>

#include "base/err.h"
#include "base/hex.h"

/* Length of the well-formed UTF-8 sequence at s, 0 if it is not one. */
static size_t sequence_length(const uint8_t *s, size_t left, uint32_t *ret_code)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t code;
	size_t length;

	if (s[0] < 0x80) {
		*ret_code = s[0];
		return 1;
	}
	if (s[0] >= 0xf0 && s[0] < 0xf8) {
		length = 4;
		code = s[0] & 0x07u;
	} else if (s[0] >= 0xe0 && s[0] < 0xf0) {
		length = 3;
		code = s[0] & 0x0fu;
	} else if (s[0] >= 0xc0 && s[0] < 0xe0) {
		length = 2;
		code = s[0] & 0x1fu;
	} else {
		return 0;
	}
	if (length > left)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3fu);
	}
	if (code < smallest[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	*ret_code = code;
	return length;
}

static bool printable(uint32_t code)
{
	if (code < 0x20 || (code >= 0x7f && code < 0xa0))
		return false;
	if (code >= 0x2028 && code <= 0x202e) /* line separators, bidirectional overrides */
		return false;
	if (code >= 0x2066 && code <= 0x2069)
		return false;
	return code != 0xfeff && code != 0xfffe && code != 0xffff;
}

void text_escape(struct buf *out, const void *bytes, size_t size)
{
	const uint8_t *s = bytes;

	while (size > 0) {
		uint32_t code = 0;
		size_t length = sequence_length(s, size, &code);

		if (length > 0 && printable(code) && code != '\\') {
			buf_append(out, s, length);
		} else {
			length = length > 0 ? length : 1;
			for (size_t i = 0; i < length; i++)
				buf_printf(out, "\\x%02x", s[i]);
		}
		s += length;
		size -= length;
	}
}

int text_unescape(const char *text, struct buf *out)
{
	for (const char *s = text; *s != '\0';) {
		char digits[3] = { 0 };
		uint8_t byte;

		if (*s != '\\') {
			buf_append(out, s++, 1);
			continue;
		}
		if (s[1] != 'x' || s[2] == '\0' || s[3] == '\0')
			return ERR_FORMAT;
		memcpy(digits, s + 2, 2);
		if (hex_parse(digits, &byte, 1, NULL) != 0)
			return ERR_FORMAT;
		buf_append_byte(out, byte);
		s += 4;
	}
	return out->status;
}

bool text_is_utf8(const void *bytes, size_t size)
{
	const uint8_t *s = bytes;

	while (size > 0) {
		uint32_t code;
		size_t length = sequence_length(s, size, &code);

		if (length == 0)
			return false;
		s += length;
		size -= length;
	}
	return true;
}

bool text_is_name(const char *name, size_t max_bytes)
{
	size_t size = strnlen(name, max_bytes + 1);
	const uint8_t *s = (const uint8_t *)name;

	if (size == 0 || size > max_bytes)
		return false;
	while (size > 0) {
		uint32_t code;
		size_t length = sequence_length(s, size, &code);

		if (length == 0 || !printable(code))
			return false;
		s += length;
		size -= length;
	}
	return true;
}

static size_t least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

size_t text_distance(const char *a, const char *b)
{
	size_t row[TEXT_DISTANCE_MAX_BYTES + 1], size = strnlen(b, TEXT_DISTANCE_MAX_BYTES + 1);

	if (size > TEXT_DISTANCE_MAX_BYTES)
		return SIZE_MAX;
	for (size_t j = 0; j <= size; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= size; j++) {
			size_t above = row[j];
			bool same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);

			row[j] = least(above + 1, row[j - 1] + 1, diagonal + (same ? 0 : 1));
			diagonal = above;
		}
	}
	return row[size];
}
