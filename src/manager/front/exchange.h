/* The exchange over HTTP: what POST /agent/v1/exchange does with src/fleet
 * (doc/architecture.md "Exchange path"), and the fleet's tick.
 *
 *   loop thread    decode; shard's lock: fleet_heard(); make records
 *   writer thread  rows committed with others
 *   loop thread    shard's lock: fleet_stored(), fleet_answer(); reply, or park
 *   loop thread    woken, deadline or stop: fleet_reply(); reply
 */
#ifndef MUSTER_MANAGER_FRONT_EXCHANGE_H
#define MUSTER_MANAGER_FRONT_EXCHANGE_H

#include "manager/front/front_state.h"

/* fleet_options' wake: parked is a struct exchange. */
void exchange_wake(void *context, void *parked);
/* Answers every held poll; more cannot come since front is stopping. Any thread. */
void exchange_release_all(struct front *front);
/* Stores what an exchange says that did not come from an agent (fleet_cancel()), with also(session, argument) in the
 * same write, and ends it. Waits for the commit: on worker threads only. */
int exchange_store_now(struct front *front, struct shard *shard, struct fleet_exchange *fleet, store_function also,
		       void *argument, struct err *err);
/* The reply of a talk that the manager dialled, packed; under the shard's lock. configuration: signed for the
 * computer, or NULL; *ret_sent: it is in. records: what was stored of the report, whose files are asked for; NULL:
 * nothing was. renew: the agent is to have another certificate. *ret_more: the reply is worth sending. */
struct signed_configuration;
struct records;
int exchange_pack_dialled(struct shard *shard, struct fleet_exchange *fleet,
			  const struct signed_configuration *configuration, const struct records *records, bool renew,
			  bool *ret_more, bool *ret_sent, struct buf *out, struct err *err);
/* The largest quarantined file to ask this computer for, sealed; 0: none, there is no room. Any thread. */
uint64_t exchange_largest_file(struct front *front, const struct uuid *computer);
/* Tells the feed and the counters what was committed. Any thread. */
void exchange_publish(struct front *front, const struct records *records);
/* fleet_tick() over all shards; a periodic function on a worker. */
void exchange_tick(void *front);

#endif
