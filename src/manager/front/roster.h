/* Who a client certificate belongs to: fingerprint -> computer, in memory.
 *
 * Filled from the database at start, then by enrolments and deletions. A
 * deleted computer stays in it as revoked, so that its agent is told why it is
 * refused. Thread-safe; never blocks for long.
 */
#ifndef MUSTER_MANAGER_FRONT_ROSTER_H
#define MUSTER_MANAGER_FRONT_ROSTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/env.h"
#include "base/hex.h"

struct roster;

enum roster_standing { ROSTER_UNKNOWN, ROSTER_ACTIVE, ROSTER_REVOKED };

int roster_new(const struct env *env, struct roster **ret_roster, struct err *err);
void roster_free(struct roster *roster); /* accepts NULL */
/* Adds or replaces. ERR_MEMORY. */
int roster_put(struct roster *roster, const uint8_t fingerprint[SHA256_BYTES], const struct uuid *computer,
	       enum roster_standing standing, struct err *err);
/* Marks every certificate of the computer as revoked. */
void roster_revoke(struct roster *roster, const struct uuid *computer);
/* ret_computer is set unless unknown. */
enum roster_standing roster_find(struct roster *roster, const uint8_t fingerprint[SHA256_BYTES],
				 struct uuid *ret_computer);

#endif
