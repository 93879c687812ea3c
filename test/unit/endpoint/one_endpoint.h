/* An endpoint on a disk in memory, for tests of src/endpoint: it reports and is answered, and is given orders. */
#ifndef MUSTER_TEST_ENDPOINT_ONE_ENDPOINT_H
#define MUSTER_TEST_ENDPOINT_ONE_ENDPOINT_H

#include "endpoint/endpoint.h"
#include "given_time.h"
#include "memory_disk.h"

static const struct uuid computer = { { 1, 2, 3 } };

/* What it asked of its actor since start(). */
extern unsigned started, started_again, cancelled, rekeyed;
extern char steered[4]; /* "pr": paused, then resumed */
extern bool leaving;    /* what the actor says of itself */
extern int (*starter)(void *context, const struct endpoint_command *command, struct err *err);
/* Goes on with what was begun before, too. */
int go_on(void *context, const struct endpoint_command *command, struct err *err);

extern struct memory_disk disk;
int start(void **state);
int stop(void **state);
struct endpoint *make(void);
/* The same, and its first report is answered. */
struct endpoint *make_heard(void);

/* --- reports and replies --- */

/* Makes the report of the lane and decodes it. */
Muster__Wire__Report *report(struct endpoint *endpoint, enum endpoint_lane lane, struct arena **ret_arena);
void send(struct endpoint *endpoint, enum endpoint_lane lane);
void answer(struct endpoint *endpoint, enum endpoint_lane lane, Muster__Wire__Reply *reply);
void answer_plain(struct endpoint *endpoint, enum endpoint_lane lane, uint64_t acknowledged);

/* --- orders --- */

struct order {
	Muster__Wire__Envelope envelope;
	uint8_t signature[ENVELOPE_SIGNATURE_BYTES];
	struct buf payload;
};
void seal(struct order *order, uint64_t session, uint8_t number, enum command_kind kind, uint8_t target, uint8_t mark,
	  const struct uuid *to);
/* A reply with one command. */
void order(struct endpoint *endpoint, uint8_t number, enum command_kind kind, uint8_t target, uint8_t mark,
	   const struct uuid *to);
/* A reply that has scan 1 paused and resumed; with a disk on which the first cannot be kept. */
void pause_and_resume(struct endpoint *endpoint, bool disk_fails);
/* COMMAND_STATES: it is not known. */
enum command_state state_of(struct endpoint *endpoint, uint8_t number);

#endif
