/* The server authentication key, for API handlers (front.h says how such calls
 * behave). The private half is the keys role's alone; here are the public
 * halves, the way from one to the next, and which agents trust which.
 */
#ifndef MUSTER_MANAGER_FRONT_FRONT_SERVER_KEY_H
#define MUSTER_MANAGER_FRONT_FRONT_SERVER_KEY_H

#include "fleet/key_chain.h"
#include "manager/front/front.h"

struct front_server_key {
	bool present; /* false: keys has none, no order can be signed */
	uint8_t public_key[ENVELOPE_KEY_BYTES];
	uint8_t fingerprint[SHA256_BYTES]; /* of the last one that was present, if there is none now */
	size_t trusting;                   /* agents that said they trust it */
	size_t following;                  /* that trust one before it, and are told with their next reply */
	size_t mismatched;
};
/* Goes through all computers. */
void front_server_key_show(struct front *front, struct front_server_key *ret_key);

/* The present public key; false: there is none. Any thread. */
bool front_server_key(struct front *front, uint8_t public_key[ENVELOPE_KEY_BYTES], uint8_t fingerprint[SHA256_BYTES]);
/* What the key that an agent trusts is to this manager. Any thread. */
enum key_standing front_key_standing(struct front *front, const uint8_t fingerprint[SHA256_BYTES]);
size_t front_key_trusting(struct front *front, const uint8_t fingerprint[SHA256_BYTES]);
/* Agents without a valid server certificate; the first `most` ids. */
size_t front_mismatched(struct front *front, struct uuid *ids, size_t most);

/* Another key. succeed: the present one signs it, and every agent follows; else none does before it is repaired by
 * hand. ERR_NOT_FOUND: there is none to sign it. */
int front_server_key_create(struct front *front, bool succeed, const struct front_actor *actor, struct err *err);
/* One that a person brought, as PEM: over another that is present only with force (ERR_EXISTS), and that one then signs
 * it. ERR_FORMAT, ERR_UNTRUSTED: no Ed25519 key. */
int front_server_key_import(struct front *front, struct bytes pem, bool force, const struct front_actor *actor,
			    struct err *err);
/* The keys, the CA and what else a manager needs for its agents to stay, under a password; appended to out. */
int front_server_key_back_up(struct front *front, const char *password, const struct front_actor *actor,
			     struct buf *out, struct err *err);
/* The key of such a file, and the CA's if that is missing. ERR_CONFLICT: the CA's is of before the one that issued
 * last; with force that one issues again. ERR_DENIED: wrong password, or altered; ERR_FORMAT; ERR_UNTRUSTED: of another
 * manager; ERR_EXISTS: over another key that is present only with force, and agents that trust that one are lost; no
 * error if the CA was missing, which is back then. */
int front_server_key_restore(struct front *front, struct bytes file, const char *password, bool force,
			     const struct front_actor *actor, struct err *err);

#endif
