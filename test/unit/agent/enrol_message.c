/* Which authorities an agent takes from an enrolment's answer: by a fingerprint, or by all that it trusts already. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/enrol_message.h"
#include "trust/authorities.h"
#include "wire/exchange.h"

#define NOW ((time_us)INT64_C(1795294800) * SECOND_US)

static struct authorities *authorities;
static struct buf first, second; /* what ca.pem held before and after the first turn */

static void pem(struct buf *out)
{
	buf_init(out, AUTHORITIES_MAX_BYTES);
	assert_int_equal(authorities_pem(authorities, out, NULL), 0);
}

static void turn(time_us when)
{
	assert_int_equal(authorities_prepare(authorities, when, NULL), 0);
	assert_int_equal(authorities_turn(authorities, NULL), 0);
}

static int setup(void **state)
{
	struct authority *one;

	(void)state;
	if (authority_generate("Muster test", NOW, &one, NULL) != 0 || authorities_new(one, &authorities, NULL) != 0)
		return -1;
	pem(&first);
	turn(NOW + 7 * 365 * DAY_US);
	pem(&second);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	authorities_free(authorities);
	buf_done(&first);
	buf_done(&second);
	return 0;
}

/* An answer with the authorities as they are; the roots that come of it, or what was wrong. */
static int take(const struct enrol_trust *trust, size_t *ret_roots)
{
	static uint8_t key[ENVELOPE_KEY_BYTES], id[UUID_BYTES] = { 1 };
	Muster__Wire__EnrolReply reply = MUSTER__WIRE__ENROL_REPLY__INIT;
	struct agent_identity identity;
	struct buf given, packed;
	int rc;

	pem(&given);
	buf_init(&packed, WIRE_ENROL_REPLY_MAX_BYTES);
	reply.protocol = WIRE_PROTOCOL;
	reply.computer = exchange_bytes(id, sizeof(id));
	reply.certificate = exchange_bytes("x", 1);
	reply.authority = exchange_bytes(given.data, given.size);
	reply.server_authentication = exchange_bytes(key, sizeof(key));
	reply.name = (char *)(uintptr_t) "one";
	assert_int_equal(exchange_enrol_reply_encode(&reply, &packed, NULL), 0);
	agent_identity_init(&identity);
	rc = enrol_message_take(packed.data, packed.size, trust, &identity, NULL);
	*ret_roots = 0;
	for (const char *at = buf_text(&identity.authority_pem); (at = strstr(at, "BEGIN CERT")) != NULL; at++)
		++*ret_roots;
	agent_identity_done(&identity);
	buf_done(&packed);
	buf_done(&given);
	return rc;
}

static void all_that_are_trusted_stay(void **state)
{
	const struct enrol_trust trust = { .roots = buf_text(&second) };
	size_t roots;

	(void)state;
	assert_int_equal(take(&trust, &roots), 0);
	assert_int_equal(roots, 2);
}

/* The first one that the agent knows is gone at the manager: any other will do. */
static void any_of_them_will_do(void **state)
{
	const struct enrol_trust trust = { .roots = buf_text(&second) }, gone = { .roots = buf_text(&first) };
	size_t roots;

	(void)state;
	turn(NOW + 14 * 365 * DAY_US);
	assert_int_equal(authorities_drop(authorities, NOW + 3650 * DAY_US), 1);
	assert_int_equal(take(&trust, &roots), 0);
	assert_int_equal(roots, 2); /* the one it knew, and the one that followed */
	assert_int_equal(take(&gone, &roots), ERR_UNTRUSTED);
	assert_int_equal(roots, 0);
}

static void a_fingerprint_names_one(void **state)
{
	uint8_t pin[SHA256_BYTES];
	const struct enrol_trust trust = { .pin = pin };
	size_t roots;

	(void)state;
	authority_fingerprint(authorities_issuing(authorities), pin);
	assert_int_equal(take(&trust, &roots), 0);
	assert_int_equal(roots, 1);
	pin[0] ^= 1;
	assert_int_equal(take(&trust, &roots), ERR_UNTRUSTED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = { TEST(all_that_are_trusted_stay), TEST(any_of_them_will_do),
					    TEST(a_fingerprint_names_one) };

	return cmocka_run_group_tests_name("unit/agent/enrol_message", tests, NULL, NULL);
}
