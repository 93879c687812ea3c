/* A command as an order: its content packed as a Signed, ready for the keys
 * role, and its arguments as the JSON that the database holds. Pure.
 */
#ifndef MUSTER_MANAGER_FRONT_ORDER_H
#define MUSTER_MANAGER_FRONT_ORDER_H

#include "base/buf.h"
#include "fleet/commands.h"
#include "manager/front/front.h"

struct order {
	struct uuid id;
	struct uuid computer;
	uint64_t session; /* the run of its agent that it is for; 0: none is known, and it is signed anew before it is
			     sent */
	enum command_kind kind;
	struct uuid target;
	uint64_t serial;
	time_us issued;
	span_us timeout;
	const struct front_command *arguments; /* paths, exclude, overwrite */
};

/* An order is stamped, and then keys refuses it with ERR_CLOCK: the clock was set in between, and it is stamped anew.
 * So often in a row it is not. */
#define ORDER_STAMPS_MAX 3
/* An order stays valid a little longer than its command lives, so that clocks that differ do not matter. */
time_us order_expires(time_us issued, span_us timeout);
/* Appends a packed Signed. ERR_LIMIT, ERR_FORMAT as exchange_signed_encode(): what an agent would refuse. */
int order_pack(const struct order *order, struct buf *out, struct err *err);
/* The same order, for another run of the agent: appends the packed Signed. ERR_FORMAT, ERR_MEMORY. */
int order_pack_again(const struct bytes *payload, uint64_t session, struct buf *out, struct err *err);
/* {"paths":[…],"exclude":[…],"target":"…","overwrite":true}, escaped; free(). NULL: no memory. */
char *order_arguments_json(const struct order *order);
/* The target of stored arguments; zero if there is none. */
struct uuid order_stored_target(const char *arguments_json);

#endif
