/* The home of the table of networks in the front role.
 *
 * Each shard borrows the table; whoever edits makes another, hands it to all
 * shards and frees the former. `editing` is held over the database write, `lock`
 * for looking and for the exchange of one table for the other. Order: editing,
 * lock, a shard's lock.
 */
#ifndef MUSTER_MANAGER_FRONT_NETWORKS_H
#define MUSTER_MANAGER_FRONT_NETWORKS_H

#include "manager/front/front_network.h"
#include "manager/front/front_state.h"

struct front_networks;

/* Reads all; a row that no longer fits is logged and left out. Hands them to the
 * shards, which must have no computers yet. Blocks. */
int front_networks_open(struct front *front, struct front_networks **ret_networks, struct err *err);
void front_networks_free(struct front_networks *networks); /* after the shards; accepts NULL */

/* The name and rules of a network that a shard named; false: it was deleted just now. Any thread. */
bool front_networks_show(struct front_networks *networks, const struct uuid *id, struct front_network *ret_network);

#endif
