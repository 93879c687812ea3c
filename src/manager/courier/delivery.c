/* Packing of deliveries. Input is untrusted. */
#include "manager/courier/delivery.h"

void delivery_pack(struct buf *out, const struct delivery *delivery)
{
	pack_u8(out, delivery->line);
	pack_u32(out, delivery->generation);
	pack_u8(out, (uint8_t)delivery->kind);
	pack_text(out, delivery->url);
	pack_text(out, delivery->user);
	pack_text(out, delivery->password);
	pack_text(out, delivery->from);
	pack_u16(out, (uint16_t)delivery->to_count);
	for (size_t i = 0; i < delivery->to_count; i++)
		pack_text(out, delivery->to[i]);
	pack_text(out, delivery->header);
	pack_bytes(out, delivery->ca.data, delivery->ca.size);
	pack_u16(out, (uint16_t)delivery->part_count);
	for (size_t i = 0; i < delivery->part_count; i++)
		pack_bytes(out, delivery->parts[i].data, delivery->parts[i].size);
}

/* An address or a header line that ends early would begin another. */
static bool one_line(const char *text)
{
	for (; *text != '\0'; text++) {
		if ((uint8_t)*text < 32 || *text == 127)
			return false;
	}
	return true;
}

static bool lines_are_whole(const struct delivery *delivery)
{
	bool whole = one_line(delivery->url) && one_line(delivery->user) && one_line(delivery->password) &&
		     one_line(delivery->from) && one_line(delivery->header);

	for (size_t i = 0; i < delivery->to_count; i++)
		whole = whole && one_line(delivery->to[i]);
	return whole;
}

static int unpack_recipients(struct unpack *in, struct delivery *delivery)
{
	delivery->to_count = unpack_u16(in);
	if (delivery->to_count > DELIVERY_RECIPIENTS_MAX)
		return ERR_LIMIT;
	for (size_t i = 0; i < delivery->to_count; i++)
		unpack_text(in, delivery->to[i], DELIVERY_NAME_BYTES);
	return 0;
}

static int unpack_parts(struct unpack *in, struct delivery *delivery)
{
	delivery->part_count = unpack_u16(in);
	if (delivery->part_count > DELIVERY_PARTS_MAX)
		return ERR_LIMIT;
	for (size_t i = 0; i < delivery->part_count; i++)
		delivery->parts[i] = unpack_bytes(in, DELIVERY_CONTENT_BYTES);
	return 0;
}

int delivery_unpack(const void *data, size_t size, struct delivery *ret_delivery)
{
	struct unpack in;
	uint8_t kind;
	int rc;

	unpack_init(&in, data, size);
	ret_delivery->line = unpack_u8(&in);
	ret_delivery->generation = unpack_u32(&in);
	kind = unpack_u8(&in);
	ret_delivery->kind = kind;
	unpack_text(&in, ret_delivery->url, sizeof(ret_delivery->url));
	unpack_text(&in, ret_delivery->user, sizeof(ret_delivery->user));
	unpack_text(&in, ret_delivery->password, sizeof(ret_delivery->password));
	unpack_text(&in, ret_delivery->from, sizeof(ret_delivery->from));
	rc = unpack_recipients(&in, ret_delivery);
	unpack_text(&in, ret_delivery->header, sizeof(ret_delivery->header));
	ret_delivery->ca = unpack_bytes(&in, DELIVERY_CA_MAX_BYTES);
	if (rc == 0)
		rc = unpack_parts(&in, ret_delivery);
	if (rc == 0)
		rc = unpack_end(&in);
	if (rc == 0 && (kind >= DELIVERY_KINDS || ret_delivery->line >= DELIVERY_LINES_MAX ||
			ret_delivery->part_count == 0 || !lines_are_whole(ret_delivery)))
		rc = ERR_FORMAT;
	return rc;
}
