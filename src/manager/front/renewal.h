/* Certificates of agents that follow one another.
 *
 * This manager issued them, so that its clock says when: a reply tells the agent
 * (Reply.renew), which makes a new key and asks POST /agent/v1/renew under the
 * certificate it has, also under one that has ended (within the setting
 * certificates.renewal_grace). What it is given is stored as the computer's next
 * certificate; both count until the next one was used once. Either side may be
 * killed at any moment: an agent without the answer asks again, one with it uses it.
 */
#ifndef MUSTER_MANAGER_FRONT_RENEWAL_H
#define MUSTER_MANAGER_FRONT_RENEWAL_H

#include "manager/front/front_state.h"

/* Should the agent with this certificate have another? Any thread. */
bool renewal_wanted(const struct front *front, const uint8_t fingerprint[SHA256_BYTES]);
/* Has this certificate ended by our clock, and may its agent still have another? Any thread. */
bool renewal_ended(const struct front *front, const uint8_t fingerprint[SHA256_BYTES], bool *ret_may_renew);
/* Who it is, and whether it counts; one that was not used before has been now. Any thread; does not wait. */
enum roster_standing renewal_standing(struct front *front, const uint8_t fingerprint[SHA256_BYTES],
				      struct uuid *ret_computer);

#endif
