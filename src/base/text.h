/* Text from outside, made safe to show, and small string work.
 *
 * File names are bytes: they may hold newlines, escape sequences, invalid
 * UTF-8. text_escape() makes one printable, reversible line of valid UTF-8 of
 * them; every log, table and JSON document shows names through it.
 */
#ifndef MUSTER_BASE_TEXT_H
#define MUSTER_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Appends bytes as valid UTF-8: printable characters as they are; control
 * characters (C0, DEL, C1), invalid sequences, bidirectional overrides and the
 * backslash itself as \xNN per byte. Sticky errors in out. */
void text_escape(struct buf *out, const void *bytes, size_t size);

/* The inverse; ERR_FORMAT on a backslash not followed by xNN. */
int text_unescape(const char *text, struct buf *out);

/* True if bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool text_is_utf8(const void *bytes, size_t size);

/* True if name is 1 to max_bytes bytes of printable UTF-8 (for names that people give). */
bool text_is_name(const char *name, size_t max_bytes);

#define TEXT_DISTANCE_MAX_BYTES 128

/* How many letters have to be changed, added or taken away to make one of the other, whatever their case (Levenshtein):
 * for names that somebody mistyped. SIZE_MAX if b has more than TEXT_DISTANCE_MAX_BYTES. */
size_t text_distance(const char *a, const char *b);

#endif
