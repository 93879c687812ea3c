/* Sources that did something too often wait before they may do it again (spec 30-trust.md: wrong tokens).
 *
 * After as many as the rule says are free each further one doubles the wait,
 * from 1 s up to the rule's most; a source that was quiet for an hour starts
 * anew. Bounded: past COOLDOWN_SOURCES_MAX the quietest are forgotten.
 * Thread-safe.
 */
#ifndef MUSTER_MANAGER_FRONT_COOLDOWN_H
#define MUSTER_MANAGER_FRONT_COOLDOWN_H

#include "base/env.h"

#define COOLDOWN_FREE        5 /* of cooldown_default */
#define COOLDOWN_SOURCES_MAX 4096

struct cooldown_rule {
	unsigned free;
	span_us wait_max;
};
extern const struct cooldown_rule cooldown_default; /* up to five minutes */

struct cooldown;

/* rule must outlive it. */
int cooldown_new(const struct env *env, const struct cooldown_rule *rule, struct cooldown **ret_cooldown,
		 struct err *err);
void cooldown_free(struct cooldown *cooldown); /* accepts NULL */
/* How long the source (an address without port) must still wait; 0: it may try. */
span_us cooldown_left(struct cooldown *cooldown, const char *source);
void cooldown_failed(struct cooldown *cooldown, const char *source);
void cooldown_succeeded(struct cooldown *cooldown, const char *source);
/* "192.0.2.1" of "192.0.2.1:50000", "2001:db8::1" of "[2001:db8::1]:50000"; an IPv6 source counts by its /64. */
void cooldown_source(const char *peer, char *source, size_t capacity);

#endif
