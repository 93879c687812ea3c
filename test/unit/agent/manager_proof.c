/* What an agent accepts as a proof of its manager's key, with real signatures: one test a refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/manager_proof.h"
#include "trust/signing_key.h"

struct world {
	struct signing_key *old, *present, *foreign;
	uint8_t old_public[ENVELOPE_KEY_BYTES], present_public[ENVELOPE_KEY_BYTES], foreign_public[ENVELOPE_KEY_BYTES];
	struct succession step; /* from old to present */
	struct proof proof;     /* of the present key, over one connection */
};

static int set_up(void **state)
{
	static struct world world;
	uint8_t message[SUCCESSION_MESSAGE_BYTES];
	struct signing_key **keys[] = { &world.old, &world.present, &world.foreign };
	uint8_t *publics[] = { world.old_public, world.present_public, world.foreign_public };

	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		assert_int_equal(signing_key_generate(keys[i], NULL), 0);
		signing_key_public(*keys[i], publics[i]);
	}
	memcpy(world.step.old_key, world.old_public, ENVELOPE_KEY_BYTES);
	memcpy(world.step.new_key, world.present_public, ENVELOPE_KEY_BYTES);
	world.step.serial = 1;
	world.step.issued = 1;
	succession_message(&world.step, message);
	assert_int_equal(signing_key_sign(world.old, message, sizeof(message), world.step.signature, NULL), 0);
	world.proof.side = PROOF_MANAGER_DIALLED;
	memset(world.proof.channel, 7, PROOF_CHANNEL_BYTES);
	memset(world.proof.authority, 8, SHA256_BYTES);
	memcpy(world.proof.key, world.present_public, ENVELOPE_KEY_BYTES);
	*state = &world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	signing_key_free(world->old);
	signing_key_free(world->present);
	signing_key_free(world->foreign);
	return 0;
}

/* As the manager packs it; said: what the message says, signed: what its signature is over. */
static void pack(const struct world *world, const struct proof *said, const struct proof *over,
		 const struct signing_key *by, bool with_step, struct buf *out)
{
	Muster__Wire__ManagerProof message = MUSTER__WIRE__MANAGER_PROOF__INIT;
	Muster__Wire__KeySuccession step, *steps[] = { &step };
	uint8_t text[PROOF_MESSAGE_BYTES], signature[ENVELOPE_SIGNATURE_BYTES];

	proof_message(over, text);
	assert_int_equal(signing_key_sign(by, text, sizeof(text), signature, NULL), 0);
	message.protocol = WIRE_PROTOCOL;
	message.authority = exchange_bytes(said->authority, SHA256_BYTES);
	message.key = exchange_bytes(said->key, ENVELOPE_KEY_BYTES);
	message.signature = exchange_bytes(signature, sizeof(signature));
	succession_fill(&world->step, &step);
	message.n_successions = with_step ? 1 : 0;
	message.successions = steps;
	buf_init(out, WIRE_MANAGER_PROOF_MAX_BYTES);
	assert_int_equal(exchange_manager_proof_encode(&message, out, NULL), 0);
}

static int check(const struct world *world, const struct buf *packed, const uint8_t *accepted,
		 struct manager_proof *ret_proof)
{
	return manager_proof_check(packed->data, packed->size, PROOF_MANAGER_DIALLED, world->proof.channel, accepted,
				   ret_proof, NULL);
}

static void the_key_it_waits_for_is_accepted(void **state)
{
	const struct world *world = *state;
	struct manager_proof proof;
	struct buf packed;

	pack(world, &world->proof, &world->proof, world->present, false, &packed);
	assert_int_equal(check(world, &packed, world->present_public, &proof), 0);
	assert_memory_equal(proof.key, world->present_public, ENVELOPE_KEY_BYTES);
	assert_memory_equal(proof.authority, world->proof.authority, SHA256_BYTES);
	assert_memory_equal(proof.channel, world->proof.channel, PROOF_CHANNEL_BYTES);
	buf_done(&packed);
}

static void one_that_has_followed_it_is_accepted(void **state)
{
	const struct world *world = *state;
	struct manager_proof proof;
	struct buf packed;

	pack(world, &world->proof, &world->proof, world->present, true, &packed);
	assert_int_equal(check(world, &packed, world->old_public, &proof), 0);
	assert_memory_equal(proof.key, world->present_public, ENVELOPE_KEY_BYTES);
	assert_int_equal(check(world, &packed, world->present_public, &proof), 0);
	buf_done(&packed);
	/* Without the step nothing leads there. */
	pack(world, &world->proof, &world->proof, world->present, false, &packed);
	assert_int_equal(check(world, &packed, world->old_public, &proof), ERR_UNTRUSTED);
	buf_done(&packed);
}

/* The key that was followed speaks for nobody any more: it may have been stolen. */
static void the_old_key_is_refused_by_who_knows_the_new_one(void **state)
{
	const struct world *world = *state;
	struct proof stale = world->proof;
	struct manager_proof proof;
	struct buf packed;

	memcpy(stale.key, world->old_public, ENVELOPE_KEY_BYTES);
	pack(world, &stale, &stale, world->old, true, &packed);
	assert_int_equal(check(world, &packed, world->present_public, &proof), ERR_UNTRUSTED);
	buf_done(&packed);
}

static void another_key_is_refused(void **state)
{
	const struct world *world = *state;
	struct proof foreign = world->proof;
	struct manager_proof proof;
	struct buf packed;

	memcpy(foreign.key, world->foreign_public, ENVELOPE_KEY_BYTES);
	pack(world, &foreign, &foreign, world->foreign, true, &packed);
	assert_int_equal(check(world, &packed, world->present_public, &proof), ERR_UNTRUSTED);
	buf_done(&packed);
	/* Nor does it help to name ours. */
	pack(world, &world->proof, &world->proof, world->foreign, true, &packed);
	assert_int_equal(check(world, &packed, world->present_public, &proof), ERR_UNTRUSTED);
	buf_done(&packed);
}

/* A proof passed on: it was made for the connection of who passes it on. Every field that is signed is tried. */
static void what_was_signed_for_something_else_is_refused(void **state)
{
	const struct world *world = *state;
	struct manager_proof proof;
	struct proof over;

	for (int field = 0; field < 4; field++) {
		struct buf packed;

		over = world->proof;
		if (field == 0)
			over.channel[31] ^= 1;
		if (field == 1)
			over.side = PROOF_AGENT_DIALLED;
		if (field == 2)
			over.authority[0] ^= 1;
		if (field == 3)
			memcpy(over.key, world->old_public, ENVELOPE_KEY_BYTES);
		pack(world, &world->proof, &over, world->present, true, &packed);
		assert_int_equal(check(world, &packed, world->present_public, &proof), ERR_UNTRUSTED);
		buf_done(&packed);
	}
}

static void a_step_that_nobody_signed_leads_nowhere(void **state)
{
	const struct world *world = *state;
	struct world forged = *world;
	struct manager_proof proof;
	struct buf packed;

	forged.step.signature[0] ^= 1;
	pack(&forged, &world->proof, &world->proof, world->present, true, &packed);
	assert_int_equal(check(world, &packed, world->old_public, &proof), ERR_UNTRUSTED);
	buf_done(&packed);
}

static void pieces_and_noise_are_refused(void **state)
{
	const struct world *world = *state;
	struct manager_proof proof;
	struct buf packed;

	pack(world, &world->proof, &world->proof, world->present, false, &packed);
	for (size_t size = 0; size < packed.size; size++)
		assert_int_not_equal(manager_proof_check(packed.data, size, PROOF_MANAGER_DIALLED, world->proof.channel,
							 world->present_public, &proof, NULL),
				     0);
	buf_done(&packed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_key_it_waits_for_is_accepted),
		cmocka_unit_test(one_that_has_followed_it_is_accepted),
		cmocka_unit_test(the_old_key_is_refused_by_who_knows_the_new_one),
		cmocka_unit_test(another_key_is_refused),
		cmocka_unit_test(what_was_signed_for_something_else_is_refused),
		cmocka_unit_test(a_step_that_nobody_signed_leads_nowhere),
		cmocka_unit_test(pieces_and_noise_are_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
