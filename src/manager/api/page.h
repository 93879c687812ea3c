/* Cursors of lists: where the next page begins, as opaque text. Pure.
 *
 * A list is ordered by a key (a number such as a time, or a text) and an id,
 * so a cursor means the same however many rows came or went meanwhile. The
 * text is checked (tag, checksum), not secret: a changed one is refused.
 */
#ifndef MUSTER_MANAGER_API_PAGE_H
#define MUSTER_MANAGER_API_PAGE_H

#include <stdint.h>

#include "base/err.h"
#include "base/hex.h"

#define PAGE_KEY_MAX_BYTES 255
#define PAGE_TEXT_BYTES    640 /* of a cursor with its NUL */

struct page {
	int64_t number;
	char text[PAGE_KEY_MAX_BYTES + 1]; /* "" for lists ordered by number */
	struct uuid id;
};

/* tag: which list it belongs to. */
void page_format(const struct page *page, uint8_t tag, char text[PAGE_TEXT_BYTES]);
/* ERR_FORMAT: not a cursor, of another list, or changed. */
int page_parse(const char *text, uint8_t tag, struct page *ret_page, struct err *err);

#endif
