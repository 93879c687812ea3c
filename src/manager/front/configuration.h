/* A computer's configuration as a signed envelope, ready for a reply. */
#ifndef MUSTER_MANAGER_FRONT_CONFIGURATION_H
#define MUSTER_MANAGER_FRONT_CONFIGURATION_H

#include "manager/front/front_state.h"
#include "wire/exchange.h"

struct signed_configuration {
	struct uuid computer;
	uint64_t session; /* the run of its agent that it is for */
	uint8_t fingerprint[SHA256_BYTES];
	Muster__Wire__Envelope *envelope; /* in the arena */
	struct arena *arena;
};

/* Has keys sign what the computer should have now. NULL: it could not be; logged,
 * and event 721 says why. Worker threads; blocks. */
struct signed_configuration *signed_configuration_new(struct front *front, const struct uuid *computer,
						      uint64_t session);
void signed_configuration_free(struct signed_configuration *configuration); /* accepts NULL */
/* It went out: event 720. Any thread. */
void signed_configuration_sent(struct front *front, const struct signed_configuration *configuration);

#endif
