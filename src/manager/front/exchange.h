/* The exchange over HTTP: what POST /agent/v1/exchange does with src/fleet
 * (doc/architecture.md "Exchange path").
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
/* The reply of a talk that the manager dialled, packed; under the shard's lock. configuration: signed for the
 * computer, or NULL; *ret_sent: it is in. records: what was stored of the report, whose files are asked for; NULL:
 * nothing was. renew: the agent is to have another certificate. held_back: what exchange_hold_back() said of the
 * report. *ret_more: the reply is worth sending. */
struct signed_configuration;
struct records;
int exchange_pack_dialled(struct shard *shard, struct fleet_exchange *fleet,
			  const struct signed_configuration *configuration, const struct records *records, bool renew,
			  span_us held_back, bool *ret_more, bool *ret_sent, struct buf *out, struct err *err);
/* Takes out of the report what this computer may not have stored now (manager/front/intake.h), and tells of it. 0:
 * nothing; else how long the agent is to wait, and the reply acknowledges nothing of it. size: of the packed report. */
span_us exchange_hold_back(struct front *front, const struct uuid *computer, Muster__Wire__Report *report, size_t size);
/* The largest quarantined file to ask this computer for, sealed; 0: none, there is no room. Any thread. */
uint64_t exchange_largest_file(struct front *front, const struct uuid *computer);
/* Tells the feed and the counters what was committed. Any thread. */
void exchange_publish(struct front *front, const struct records *records);

#endif
