/* What the keys role signs, and nothing else: an order with version 1, for one
 * computer, with its times in order and its content present (spec 30-trust.md).
 * Front, which asks, talks to the network and is not believed. Pure.
 */
#ifndef MUSTER_MANAGER_KEYS_ORDER_CHECK_H
#define MUSTER_MANAGER_KEYS_ORDER_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/units.h"

#define ORDER_ISSUED_TOLERANCE_US (5 * MINUTE_US) /* either side of now */
#define ORDER_VALID_MAX_US        (400 * DAY_US)  /* from issue to expiry */

/* payload: a packed Signed, as it will be signed. ERR_FORMAT, ERR_LIMIT, ERR_VERSION from its decoding; ERR_CLOCK when
 * it was not issued now (the clock may have been set since), ERR_RANGE when its times are not in order; ERR_DENIED
 * without a computer. again: it was issued, and signed with a key that another has followed; any time before now will
 * do. */
int order_check(const void *payload, size_t size, time_us now, bool again, struct err *err);

#endif
