/* Wrong unload passwords: how many, when another may be tried, and what the manager is still to be told of.
 *
 * A try is counted before the password is looked at and taken back when it was
 * right, so that ending the process in between wins nothing. After
 * UNLOAD_TRIES_FREE wrong ones each further one waits, twice as long each time,
 * up to an hour; the right password ends that. Kept in DIR/link/unload_tries
 * (agent/local_action.c) over any restart.
 *
 * Pure. Bytes of the file may be damaged; times are the wall clock's, which may be set.
 */
#ifndef MUSTER_AGENT_UNLOAD_TRIES_H
#define MUSTER_AGENT_UNLOAD_TRIES_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/units.h"

#define UNLOAD_TRIES_FREE           5
#define UNLOAD_TRIES_WAIT_US        (30 * SECOND_US)
#define UNLOAD_TRIES_WAIT_MAX_US    HOUR_US
#define UNLOAD_TRIES_UNTOLD_MAX     16 /* the newest are kept */
#define UNLOAD_TRIES_FILE_MAX_BYTES 1024

/* One wrong password, or one that nobody came to look at. */
struct unload_refusal {
	time_us time;
	uint8_t action; /* enum local_action */
	uint32_t uid;
};

struct unload_tries {
	uint32_t count; /* wrong ones in a row */
	time_us last;
	size_t untold_count;
	struct unload_refusal untold[UNLOAD_TRIES_UNTOLD_MAX]; /* oldest first */
};

/* How long until a password may be tried; 0: now. A clock that was set back makes nobody wait longer than the whole
 * time: then `last` becomes now, which is to be stored. */
span_us unload_tries_wait(struct unload_tries *tries, time_us now);
/* A password is about to be looked at: until unload_tries_right() it counts as wrong. */
void unload_tries_begin(struct unload_tries *tries, const struct unload_refusal *attempt);
/* It was right: it was no refusal, and nobody waits any more. */
void unload_tries_right(struct unload_tries *tries);

void unload_tries_encode(const struct unload_tries *tries, struct buf *out);
/* 0, or ERR_FORMAT for bytes that are not whole. */
int unload_tries_decode(const void *bytes, size_t size, struct unload_tries *ret_tries);

#endif
