/* Orders that another server authentication key signed than the present one, or that were signed for another run of the
 * agent: signed anew before they go out. */
#include "manager/front/server_keys.h"

#include "base/log.h"
#include "manager/front/order.h"

struct renewing {
	struct uuid command;
	Muster__Wire__Envelope *envelope;
	struct arena *arena;
};

static size_t collect_outdated(struct shard *shard, const struct uuid *computer, uint64_t session,
			       struct renewing *renewing)
{
	struct fleet_order orders[WIRE_REPLY_COMMANDS_MAX];
	size_t count, kept = 0;

	pthread_mutex_lock(&shard->lock);
	count = fleet_outdated(shard->fleet, computer, session, orders, COUNT_OF(orders));
	for (size_t i = 0; i < count; i++) {
		struct renewing *one = &renewing[kept];

		if (exchange_envelope_decode(orders[i].envelope, orders[i].envelope_size, &one->envelope, &one->arena,
					     NULL) != 0)
			continue;
		one->command = orders[i].command;
		kept++;
	}
	pthread_mutex_unlock(&shard->lock);
	return kept;
}

/* What they hold, for that run; one behind the other in `all`. */
static int pack_again(const struct renewing *renewing, size_t count, uint64_t session, struct buf *all,
		      struct bytes *payloads, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < count; i++) {
		const struct bytes payload = { renewing[i].envelope->payload.data, renewing[i].envelope->payload.len };
		size_t before = all->size;

		rc = order_pack_again(&payload, session, all, err);
		payloads[i].size = all->size - before;
	}
	for (size_t i = 0, at = 0; rc == 0 && i < count; at += payloads[i].size, i++)
		payloads[i].data = all->data + at;
	return rc;
}

static int sign_again(struct front *front, const struct renewing *renewing, size_t count, uint64_t session,
		      struct buf *envelopes, struct err *err)
{
	struct bytes payloads[WIRE_REPLY_COMMANDS_MAX];
	struct buf *outs[WIRE_REPLY_COMMANDS_MAX], all;
	int rc;

	buf_init(&all, WIRE_REPLY_COMMANDS_MAX * (size_t)WIRE_SIGNED_MAX_BYTES);
	for (size_t i = 0; i < count; i++)
		outs[i] = &envelopes[i];
	rc = pack_again(renewing, count, session, &all, payloads, err);
	if (rc == 0)
		rc = signer_envelopes_again(front->signer, payloads, count, outs, err);
	buf_done(&all);
	return rc;
}

void server_keys_renew(struct front *front, struct shard *shard, const struct uuid *computer, uint64_t session)
{
	struct renewing renewing[WIRE_REPLY_COMMANDS_MAX];
	struct buf envelopes[WIRE_REPLY_COMMANDS_MAX];
	size_t count = collect_outdated(shard, computer, session, renewing);
	struct err err = { 0 };
	int rc = 0;

	for (size_t i = 0; i < count; i++)
		buf_init(&envelopes[i], WIRE_ENVELOPE_MAX_BYTES);
	if (count > 0)
		rc = sign_again(front, renewing, count, session, envelopes, &err);
	if (rc != 0)
		LOG(LOG_ERROR, "orders.not_signed_again", log_uuid("computer", computer), log_err(&err));
	pthread_mutex_lock(&shard->lock);
	for (size_t i = 0; rc == 0 && i < count; i++)
		(void)fleet_renew(shard->fleet, computer, &renewing[i].command, session, envelopes[i].data,
				  envelopes[i].size, NULL);
	pthread_mutex_unlock(&shard->lock);
	for (size_t i = 0; i < count; i++) {
		arena_free(renewing[i].arena);
		buf_done(&envelopes[i]);
	}
}
