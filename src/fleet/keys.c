/* Which key an agent trusts decides what it can be told: the steps to the
 * present key, orders signed with it, or nothing but acknowledgements. What it
 * trusts is its own word, in every report. */
#include <stdlib.h>
#include <string.h>

#include "fleet/parts.h"

enum key_standing key_standing(const struct fleet *fleet, const struct computer *computer)
{
	return key_chain_standing(fleet->keys, computer->trusted_key);
}

bool key_obeys(const struct fleet *fleet, const struct computer *computer)
{
	enum key_standing standing = key_standing(fleet, computer);

	return standing == KEY_PRESENT || standing == KEY_UNTOLD;
}

bool key_will_obey(const struct fleet *fleet, const struct computer *computer)
{
	return key_obeys(fleet, computer) || key_next(fleet, computer) <= fleet_now(fleet);
}

time_us key_next(const struct fleet *fleet, const struct computer *computer)
{
	return key_standing(fleet, computer) == KEY_BEFORE ? computer->key_next : FLEET_NEVER;
}

time_us key_wake_at(const struct fleet *fleet, const struct computer *computer)
{
	return computer->parked != NULL ? key_next(fleet, computer) : FLEET_NEVER;
}

void key_heard(struct computer *computer, const uint8_t trusted[SHA256_BYTES])
{
	if (memcmp(computer->trusted_key, trusted, SHA256_BYTES) == 0)
		return;
	memcpy(computer->trusted_key, trusted, SHA256_BYTES);
	computer->key_next = 0;
	computer->key_sent_count = 0;
	computer->row_dirty = true;
}

/* An agent that does not follow (it cannot store the key) is told again, less and less often. */
static void told(struct fleet *fleet, struct computer *computer)
{
	span_us wait = FLEET_RESEND_MIN_US << (computer->key_sent_count < 6 ? computer->key_sent_count : 6);

	computer->key_next = fleet_now(fleet) + (wait < FLEET_RESEND_MAX_US ? wait : FLEET_RESEND_MAX_US);
	if (computer->key_sent_count < 6)
		computer->key_sent_count++;
}

int key_tell(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange,
	     Muster__Wire__Reply *reply, bool *ret_orders)
{
	size_t left = 0;

	*ret_orders = key_obeys(fleet, computer);
	if (key_next(fleet, computer) > fleet_now(fleet))
		return 0;
	reply->successions =
	    exchange_memory(exchange, WIRE_REPLY_SUCCESSIONS_MAX * sizeof(struct Muster__Wire__KeySuccession *));
	if (reply->successions == NULL)
		return ERR_MEMORY;
	reply->n_successions =
	    key_chain_steps(fleet->keys, computer->trusted_key, WIRE_REPLY_SUCCESSIONS_MAX, reply->successions, &left);
	*ret_orders = left == 0;
	told(fleet, computer);
	return 0;
}

/* --- another key --- */

void fleet_set_keys(struct fleet *fleet, const struct key_chain *keys)
{
	fleet->keys = keys;
	fleet->untold = fleet->first;
}

static void tell_again(struct fleet *fleet, struct computer *computer, span_us gap_us, time_us *slot)
{
	time_us now = fleet_now(fleet);

	computer->key_sent_count = 0;
	computer->key_next = 0;
	if (key_standing(fleet, computer) == KEY_BEFORE) {
		computer->key_next = *slot > now ? *slot : now;
		*slot = computer->key_next + gap_us;
	}
	dialling_update(fleet, computer);
	due_by(fleet, computer, computer_due(fleet, computer));
}

bool fleet_tell_keys(struct fleet *fleet, size_t most, span_us gap_us, time_us *slot)
{
	for (; fleet->untold != NULL && most > 0; most--) {
		struct computer *computer = fleet->untold;

		fleet->untold = computer->next;
		tell_again(fleet, computer, gap_us, slot);
	}
	return fleet->untold != NULL;
}

size_t fleet_mismatched(const struct fleet *fleet, struct uuid *ids, size_t most)
{
	size_t count = 0;

	for (const struct computer *computer = fleet->first; computer != NULL; computer = computer->next) {
		if (key_standing(fleet, computer) != KEY_MISMATCHED)
			continue;
		if (count < most)
			ids[count] = computer->id;
		count++;
	}
	return count;
}

size_t fleet_trusting(const struct fleet *fleet, const uint8_t fingerprint[SHA256_BYTES])
{
	size_t count = 0;

	for (const struct computer *computer = fleet->first; computer != NULL; computer = computer->next)
		count += memcmp(computer->trusted_key, fingerprint, SHA256_BYTES) == 0;
	return count;
}

bool fleet_key_is_present(const struct fleet *fleet, const uint8_t fingerprint[SHA256_BYTES])
{
	const uint8_t *present = key_chain_present(fleet->keys);

	return fleet->keys == NULL || (present != NULL && memcmp(present, fingerprint, SHA256_BYTES) == 0);
}

/* --- orders that an older key signed, or that are for another run of the agent (decision 0021) --- */

bool key_signed(const struct fleet *fleet, const struct open_command *command, uint64_t session)
{
	const uint8_t *present = key_chain_present(fleet->keys);

	return command->session == session &&
	       (present == NULL || memcmp(command->key, present, sizeof(command->key)) == 0);
}

size_t fleet_outdated(const struct fleet *fleet, const struct uuid *id, uint64_t session, struct fleet_order *orders,
		      size_t most)
{
	const struct computer *computer = computer_find(fleet, id);
	time_us now = fleet_now(fleet);
	size_t count = 0;
	bool waits = false;

	if (computer == NULL || !key_will_obey(fleet, computer))
		return 0;
	for (const struct open_command *command = computer->commands; command != NULL; command = command->next)
		waits |= open_command_sendable(command, now);
	for (const struct open_command *command = computer->commands; waits && command != NULL && count < most;
	     command = command->next) {
		if (open_command_unconfirmed(command) && !key_signed(fleet, command, session))
			orders[count++] =
			    (struct fleet_order){ command->id, command->envelope, command->envelope_size };
	}
	return count;
}

/* The key that an envelope names; its first bytes tell it from others well enough to see whether it is the present. */
void key_of_envelope(const uint8_t *envelope, size_t size, uint8_t key[FLEET_KEY_TAG_BYTES])
{
	Muster__Wire__Envelope *unpacked = muster__wire__envelope__unpack(NULL, size, envelope);

	memset(key, 0, FLEET_KEY_TAG_BYTES);
	if (unpacked == NULL)
		return;
	if (unpacked->key.len == SHA256_BYTES)
		memcpy(key, unpacked->key.data, FLEET_KEY_TAG_BYTES);
	muster__wire__envelope__free_unpacked(unpacked, NULL);
}

int fleet_renew(struct fleet *fleet, const struct uuid *computer_id, const struct uuid *command_id, uint64_t session,
		const uint8_t *envelope, size_t size, struct err *err)
{
	const struct computer *computer = computer_find(fleet, computer_id);
	struct open_command *command = computer != NULL ? open_command_find(computer, command_id) : NULL;
	uint8_t *copy;

	if (command == NULL)
		return err_set(err, ERR_NOT_FOUND, "the command has ended");
	copy = malloc(size);
	if (copy == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	memcpy(copy, envelope, size);
	free(command->envelope);
	command->envelope = copy;
	command->envelope_size = size;
	key_of_envelope(envelope, size, command->key);
	command->session = session;
	return 0;
}
