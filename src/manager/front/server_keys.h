/* The server authentication key from front's side: what keys has, what the
 * database knows, what the shards tell agents.
 *
 * keys is right about which key is present; the database keeps every public key
 * and every succession for ever. Whenever keys is there anew, front asks it and
 * stores what it did not know: a roll-over that a crash cut off is complete.
 */
#ifndef MUSTER_MANAGER_FRONT_SERVER_KEYS_H
#define MUSTER_MANAGER_FRONT_SERVER_KEYS_H

#include "manager/front/front_server_key.h"
#include "manager/front/front_state.h"

/* Reads the database and gives the shards their chain; before computers are added. */
int server_keys_open(struct front *front, struct server_keys **ret_keys, struct err *err);
void server_keys_free(struct server_keys *keys); /* accepts NULL */
/* keys is attached: asks it, on a worker thread. Any thread. */
void server_keys_attached(struct front *front);
/* Every few seconds: the alert "Agents without a valid server certificate". Worker threads. */
void server_keys_review(void *front);

/* Appends a packed ManagerProof for the connection (net/tls_channel.h). Worker threads; blocks. ERR_BUSY: there is no
 * server authentication key now. */
int server_keys_prove(struct front *front, enum proof_side side, const uint8_t channel[PROOF_CHANNEL_BYTES],
		      struct buf *out, struct err *err);

/* Has signed anew what the reply is to carry and another key signed. Worker threads; blocks. */
void server_keys_renew(struct front *front, struct shard *shard, const struct uuid *computer, uint64_t session);

#endif
