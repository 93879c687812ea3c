/* Server authentication keys: the keys role's file, which a crash leaves whole,
 * the database that learns of it a moment later, and the chain that the fleet
 * goes by. A roll-over is one signature, whatever the number of agents. */
#include <stdlib.h>
#include <string.h>

#include "world.h"

/* Numbers of keys are apart, so that no manager takes another's for its own. */
static unsigned number_of(const struct sim_manager *manager, unsigned place)
{
	return manager->index * (SIM_KEYS_MAX + 1) + place;
}

unsigned keys_present(const struct sim_manager *manager)
{
	return number_of(manager, manager->keys.present);
}

struct envelope_key sim_key(unsigned number)
{
	struct envelope_key key = { .public_key = { 4, 5, 6 } };

	memcpy(key.public_key + 3, &number, sizeof(number));
	sim_digest(key.public_key, sizeof(key.public_key), key.fingerprint);
	return key;
}

/* Of the disk, as the daemon reads it at its start; the first one, with which all enrol, when there is none yet. */
struct envelope_key keys_of_machine(struct sim_machine *machine)
{
	struct envelope_key key = sim_key(machine->enrolled_key);
	struct endpoint_storage storage = disk_storage(&machine->disk);
	struct buf file;

	buf_init(&file, ENVELOPE_KEY_BYTES);
	if (storage.read(storage.context, ENDPOINT_KEY_FILE, &file, NULL) == 0 && file.size == ENVELOPE_KEY_BYTES) {
		memcpy(key.public_key, file.data, ENVELOPE_KEY_BYTES);
		sim_digest(key.public_key, sizeof(key.public_key), key.fingerprint);
	}
	buf_done(&file);
	return key;
}

static void build_chain(struct sim_manager *manager)
{
	struct sim *sim = manager->sim;
	struct sim_keys *keys = &manager->keys;
	struct envelope_key present = sim_key(number_of(manager, keys->stored));
	size_t skip = sim->options.broken == BREAK_CHAIN_CUT && keys->stored > 1 ? keys->stored - 1 : 0;
	struct key_chain *former = keys->chain;
	time_us slot = env_monotonic(&manager->env);

	if (key_chain_new(present.public_key, keys->steps + skip, keys->stored - skip, sim_digest, &keys->chain,
			  NULL) != 0)
		abort();
	fleet_set_keys(manager->fleet, keys->chain);
	key_chain_free(former);
	while (fleet_tell_keys(manager->fleet, 64, sim->large ? SECOND_US / 10 : MILLISECOND_US, &slot))
		continue;
}

/* What keys has is stored, and in force. */
static void learn(struct sim_manager *manager)
{
	manager->keys.stored = manager->keys.present;
	build_chain(manager);
}

void keys_manager_started(struct sim_manager *manager)
{
	manager->keys.chain = NULL;
	learn(manager);
}

void keys_manager_ended(struct sim_manager *manager)
{
	key_chain_free(manager->keys.chain);
	manager->keys.chain = NULL;
}

static void stored(struct sim *sim, struct sim_event *event)
{
	struct sim_manager *manager = manager_of(event);

	(void)sim;
	if (manager == NULL)
		return;
	learn(manager);
	requests_answer_woken(manager);
}

void keys_roll_over(struct sim_manager *manager)
{
	struct sim *sim = manager->sim;
	struct sim_keys *keys = &manager->keys;
	uint8_t message[SUCCESSION_MESSAGE_BYTES];
	struct succession *step;

	/* The record of one that is not stored yet lies in the file that would be replaced. */
	if (!manager->up || keys->stored != keys->present || keys->present == SIM_KEYS_MAX)
		return;
	step = &keys->steps[keys->present];
	*step = (struct succession){ .serial = keys->present + 1, .issued = env_wall(&manager->env) };
	memcpy(step->old_key, sim_key(keys_present(manager)).public_key, ENVELOPE_KEY_BYTES);
	memcpy(step->new_key, sim_key(keys_present(manager) + 1).public_key, ENVELOPE_KEY_BYTES);
	succession_message(step, message);
	sim_sign(keys_present(manager), message, sizeof(message), step->signature);
	sim->counts.succession_signatures++;
	keys->present++; /* one rename */
	sim->counts.roll_overs++;
	sim_log(sim, "the server authentication key is rolled over to %u", keys->present);
	if (sim_chance(sim, 100)) {
		manager_kill(manager); /* before front has learned of it */
		return;
	}
	manager_after(manager, (span_us)sim_below(sim, SIM_WRITE_MOST_US), stored);
}

/* Before a reply is made: what another key signed, or what is for another run of the agent, is signed anew. */
void keys_renew_orders(struct sim_manager *manager, const struct uuid *computer, uint64_t session)
{
	struct fleet_order orders[WIRE_REPLY_COMMANDS_MAX];
	size_t count = fleet_outdated(manager->fleet, computer, session, orders, COUNT_OF(orders));

	for (size_t i = 0; i < count; i++) {
		Muster__Wire__Envelope *envelope =
		    muster__wire__envelope__unpack(NULL, orders[i].envelope_size, orders[i].envelope);
		Muster__Wire__Signed *content =
		    envelope != NULL ? muster__wire__signed__unpack(NULL, envelope->payload.len, envelope->payload.data)
				     : NULL;
		struct uuid command = orders[i].command;
		uint8_t *anew;
		size_t size;

		if (content == NULL)
			abort();
		content->session = session;
		anew = orders_sign(manager, content, &size);
		if (fleet_renew(manager->fleet, computer, &command, session, anew, size, NULL) != 0)
			sim_fail(manager->sim, "an order that is open cannot be signed anew");
		manager->sim->counts.orders_renewed++;
		free(anew);
		muster__wire__signed__free_unpacked(content, NULL);
		muster__wire__envelope__free_unpacked(envelope, NULL);
	}
}

/* At rest nobody is mismatched, and nobody is left behind, whoever was away for however long. */
void keys_check(const struct sim_machine *machine)
{
	struct sim *sim = machine->sim;
	const struct sim_manager *manager = machine->manager;
	struct envelope_key present = sim_key(keys_present(manager));
	uint8_t trusted[SHA256_BYTES];
	struct fleet_computer shown;

	endpoint_trusted(machine->endpoint, trusted);
	if (memcmp(trusted, present.fingerprint, SHA256_BYTES) != 0)
		sim_fail(sim, "machine %u trusts another key than the present one, number %u", machine->index,
			 manager->keys.present);
	fleet_show(manager->fleet, &machine->computer, &shown, NULL);
	if (memcmp(shown.trusted_key, present.fingerprint, SHA256_BYTES) != 0)
		sim_fail(sim, "machine %u is shown with a key that it does not trust any more", machine->index);
}

void keys_end(struct sim_manager *manager)
{
	struct sim *sim = manager->sim;

	if (fleet_mismatched(manager->fleet, NULL, 0) != 0)
		sim_fail(sim, "%zu agents are mismatched", fleet_mismatched(manager->fleet, NULL, 0));
	if (sim->counts.succession_signatures != sim->counts.roll_overs)
		sim_fail(sim, "%llu signatures for %llu roll-overs",
			 (unsigned long long)sim->counts.succession_signatures,
			 (unsigned long long)sim->counts.roll_overs);
}
