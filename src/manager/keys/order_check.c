/* What the keys role signs. Input is untrusted. */
#include "manager/keys/order_check.h"

#include "wire/exchange.h"

static int check_times(const Muster__Wire__Signed *order, time_us now, bool again, struct err *err)
{
	if ((!again && order->issued_us < now - ORDER_ISSUED_TOLERANCE_US) ||
	    order->issued_us > now + ORDER_ISSUED_TOLERANCE_US)
		return err_set(err, ERR_CLOCK, "the order's time of issue is not the present");
	if (order->expires_us <= order->issued_us)
		return err_set(err, ERR_RANGE, "the order expires before it is issued");
	if (order->expires_us - order->issued_us > ORDER_VALID_MAX_US)
		return err_set(err, ERR_RANGE, "the order would be valid for more than 400 days");
	return 0;
}

static int check_content(const Muster__Wire__Signed *order, struct err *err)
{
	struct uuid computer = exchange_uuid(&order->computer);

	if (order->version != WIRE_ENVELOPE_VERSION)
		return err_set(err, ERR_VERSION, "the order has version %u, not %d", order->version,
			       WIRE_ENVELOPE_VERSION);
	if (uuid_is_zero(&computer))
		return err_set(err, ERR_DENIED, "the order is for no computer");
	if (order->serial == 0)
		return err_set(err, ERR_RANGE, "the order has no serial number");
	if (order->content_case == MUSTER__WIRE__SIGNED__CONTENT__NOT_SET)
		return err_set(err, ERR_FORMAT, "the order orders nothing");
	return 0;
}

int order_check(const void *payload, size_t size, time_us now, bool again, struct err *err)
{
	Muster__Wire__Signed *order;
	struct arena *arena;
	int rc = exchange_signed_decode(payload, size, &order, &arena, err);

	if (rc != 0)
		return err_add(err, rc, "order");
	rc = check_content(order, err);
	if (rc == 0)
		rc = check_times(order, now, again, err);
	arena_free(arena);
	return rc;
}
