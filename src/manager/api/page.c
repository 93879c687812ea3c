/* Cursors: hexadecimal of a packed record with its checksum in front. What is parsed is hostile. */
#include "manager/api/page.h"

#include <string.h>

#include "base/pack.h"

#define VERSION 1

void page_format(const struct page *page, uint8_t tag, char text[PAGE_TEXT_BYTES])
{
	struct buf body;
	struct buf whole;

	text[0] = '\0';
	buf_init(&body, PAGE_TEXT_BYTES / 2);
	buf_init(&whole, PAGE_TEXT_BYTES / 2);
	pack_u8(&body, VERSION);
	pack_u8(&body, tag);
	pack_u64(&body, (uint64_t)page->number);
	buf_append(&body, page->id.bytes, UUID_BYTES);
	pack_text(&body, page->text);
	pack_u32(&whole, crc32c(0, body.data, body.size));
	buf_append(&whole, body.data, body.size);
	if (body.status == 0 && whole.status == 0 && 2 * whole.size < PAGE_TEXT_BYTES)
		hex_format(whole.data, whole.size, text);
	buf_done(&body);
	buf_done(&whole);
}

int page_parse(const char *text, uint8_t tag, struct page *ret_page, struct err *err)
{
	uint8_t bytes[PAGE_TEXT_BYTES / 2];
	size_t size = strnlen(text, PAGE_TEXT_BYTES) / 2;
	struct page page = { 0 };
	struct unpack in;
	uint32_t checksum;

	if (2 * size >= PAGE_TEXT_BYTES || size < 4 || hex_parse(text, bytes, size, NULL) != 0)
		return err_set(err, ERR_FORMAT, "is not a cursor that this list gave");
	unpack_init(&in, bytes, size);
	checksum = unpack_u32(&in);
	if (checksum != crc32c(0, bytes + 4, size - 4) || unpack_u8(&in) != VERSION || unpack_u8(&in) != tag)
		return err_set(err, ERR_FORMAT, "is not a cursor that this list gave");
	page.number = (int64_t)unpack_u64(&in);
	unpack_fixed(&in, page.id.bytes, UUID_BYTES);
	unpack_text(&in, page.text, sizeof(page.text));
	if (unpack_end(&in) != 0)
		return err_set(err, ERR_FORMAT, "is not a cursor that this list gave");
	*ret_page = page;
	return 0;
}
