/* The configuration in force: checked, put in force, tried, kept; or refused, with the last good one back.
 *
 * Life of one that arrives verified (reply.c):
 *
 *   check() ── no ──────────────────────────────► refused, nothing was touched
 *     │ yes
 *   apply() in every component ── no, or silence ─► the last good one is applied again; refused
 *     │ yes
 *   the way to the manager changed? ── no ────────► kept
 *     │ yes: used, on trial
 *   the manager answers a report made with it ────► kept
 *     │ not within its patience
 *   the old way is used again, the last good one applied again; refused
 *
 * Kept is what is on disk: one file, replaced as a whole. A crash anywhere
 * before leaves the last good one, which the next start applies; a crash while
 * one is applied or tried counts against it: after ENDPOINT_ATTEMPTS_MAX it is
 * refused. What was refused in force is not put in force again when the manager
 * repeats it, but after ENDPOINT_AGAIN_US, and after ever longer. Only what is kept is
 * reported as in force; a refusal is reported with its reason, and survives
 * restarts. Events 4020 and 4021, each once.
 *
 * A reply to any report made after redial() is the proof that ends a trial; of
 * a direction in which the agent does not dial, a dial of the manager's is that
 * has brought it, or finds it told, that it must dial (endpoint/dialled.c). Who adds another way to reach the manager:
 * let check() fill `way` and `patience_us`, open and close what it needs in redial().
 */
#ifndef MUSTER_ENDPOINT_CONFIGURATION_H
#define MUSTER_ENDPOINT_CONFIGURATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/hex.h"
#include "base/units.h"
#include "wire/directions.h"
#include "wire/exchange.h"

#define ENDPOINT_PATIENCE_US (3 * MINUTE_US) /* of a trial, unless the connection says otherwise */
#define ENDPOINT_APPLY_US    (5 * MINUTE_US) /* for the components to answer: guard may be at a very large file */
#define ENDPOINT_AGAIN_US                                                                                              \
	(15 * MINUTE_US) /* before one that failed in force is tried again; each time four times as long */
#define ENDPOINT_AGAIN_MAX_US     DAY_US
#define ENDPOINT_ATTEMPTS_MAX     3
#define ENDPOINT_RESTORE_AGAIN_US (30 * SECOND_US)
#define ENDPOINT_REASON_MAX_BYTES WIRE_TEXT_MAX_BYTES

struct endpoint;

/* How the agent reaches the manager. Another one is used on trial. */
struct endpoint_connection {
	span_us heartbeat_us; /* 0: 10 min */
	span_us poll_us;      /* 0: held polls; else answered at once, every so often */
	uint32_t way;         /* the shell's own: which side dials. Compared, not looked into */
	enum link_direction
	    direction;       /* manager-initiated: on trial until the manager's first dial, meanwhile dialling */
	span_us patience_us; /* how long a trial may take, where the next dial is not ours to make; 0: the default */
};

/* A part of struct endpoint_actor. configuration NULL: none, the agent's own file alone. */
struct endpoint_configurer {
	/* May it be in force here? Every setting, local limits. Fills what it says of the connection (which
	 * begins as the agent's own file has it). Else an err_code, and why: all that is wrong, one sentence
	 * a line, cut at ENDPOINT_REASON_MAX_BYTES. Touches nothing. NULL: everything is acceptable. */
	int (*check)(void *context, const Muster__Wire__Configuration *configuration,
		     struct endpoint_connection *connection, struct buf *why);
	/* Puts it in force in every component. 0: it is; ERR_BUSY: endpoint_applied() says so later, with
	 * `order`; else it is refused, and why says so: components may have it or not, the last good one is
	 * applied next. An order takes the place of one that is not answered yet. NULL: nothing to do. */
	int (*apply)(void *context, const Muster__Wire__Configuration *configuration, uint64_t order, struct buf *why);
	/* The connection changed, and no report is under way any more: drop what was sent without telling
	 * endpoint_failed(), go by `connection`. NULL: nothing to drop. */
	void (*redial)(void *context, const struct endpoint_connection *connection);
};

/* The components' answer to apply(): 0, or an err_code and why. An order that is not the last is ignored. */
void endpoint_applied(struct endpoint *endpoint, uint64_t order, int code, const char *why);

struct endpoint_configuration_state {
	const Muster__Wire__Configuration *kept;      /* in force; NULL: none, the agent's own file is */
	const uint8_t *fingerprint;                   /* of it, or NULL */
	bool under_way;                               /* another one is applied or tried */
	const char *refused;                          /* why the last one was refused; "": it was not */
	const struct endpoint_connection *connection; /* in use now, on trial or not */
};
/* Pointers live until the next call into the endpoint. */
void endpoint_configuration_state(const struct endpoint *endpoint, struct endpoint_configuration_state *out);

#endif
