/* Who the agents are: id, certificate, the manager's signing key; kept in a
 * file between runs if one was named.
 *
 * The file begins with the key all agents share, so it is a secret: mode 0600.
 * It belongs to whoever runs the simulation and is read as trusted; what is
 * damaged is refused whole. Slots are written by the thread that owns the agent.
 */
#ifndef MUSTER_FLEETSIM_IDENTITIES_H
#define MUSTER_FLEETSIM_IDENTITIES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hex.h"
#include "wire/envelope.h"

struct identity {
	struct uuid computer;
	uint8_t manager_key[ENVELOPE_KEY_BYTES];
	char *certificate_pem; /* NULL: not enrolled */
};

struct identities {
	struct buf key_pem; /* secret */
	struct identity *slots;
	size_t count;
	atomic_uint listen_port; /* of all agents, as enrolment says; 0: not told yet. Not kept */
};

/* file NULL, or one that is not there yet: a new key and empty slots. There are
 * `count` slots, or more when the file holds more. */
int identities_open(struct identities *identities, const char *file, size_t count, struct err *err);
/* Nothing to do when file is NULL. */
int identities_store(const struct identities *identities, const char *file, struct err *err);
void identities_done(struct identities *identities);

#endif
