/* How many computers of a group are how far with their configuration (src/fleet/groups.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "fleet/fleet.h"

#define COMPUTERS 6

static time_us now = DAY_US;

static time_us test_clock(void *context)
{
	(void)context;
	return now;
}

static void test_random(void *context, void *out, size_t size)
{
	(void)context;
	memset(out, 0, size);
}

static const struct env env = { NULL, test_clock, test_clock, test_random };

static void note_wake(void *context, void *parked)
{
	(void)context;
	(void)parked;
}

static const struct uuid first = { { 0xa } }, second = { { 0xb } };
static uint64_t sequences[COMPUTERS];

static struct uuid id_of(unsigned number)
{
	return (struct uuid){ { 1, (uint8_t)number } };
}

static struct fleet *make(void)
{
	const struct fleet_options options = { .env = &env, .wake = note_wake };
	struct fleet *fleet;

	memset(sequences, 0, sizeof(sequences));
	assert_int_equal(fleet_new(&options, &fleet, NULL), 0);
	for (unsigned i = 0; i < COMPUTERS; i++) {
		struct fleet_computer record = { .id = id_of(i), .group = i < 4 ? first : second };

		if (i == 5) {
			record.wanted_configuration[0] = 9;
			record.configuration_state = FLEET_CONFIGURATION_FAILED;
		}
		assert_int_equal(fleet_add(fleet, &record, NULL), 0);
	}
	return fleet;
}

/* One exchange: says what is in force and what was refused (0: nothing), and takes the reply. */
static void speak(struct fleet *fleet, unsigned number, uint8_t in_force, uint8_t refused)
{
	uint8_t fingerprint[SHA256_BYTES] = { in_force }, other[SHA256_BYTES] = { refused };
	Muster__Wire__Report report = MUSTER__WIRE__REPORT__INIT;
	struct fleet_exchange *exchange;
	struct uuid id = id_of(number);
	Muster__Wire__Reply *reply;
	bool configuration;
	time_us until;

	report.protocol = WIRE_PROTOCOL;
	report.computer = exchange_bytes(id.bytes, UUID_BYTES);
	report.session = 7;
	report.sequence = ++sequences[number];
	report.configuration = exchange_bytes(fingerprint, SHA256_BYTES);
	if (refused != 0)
		report.refused_configuration = exchange_bytes(other, SHA256_BYTES);
	assert_int_equal(fleet_heard(fleet, &id, &report, &exchange, NULL), 0);
	if (!fleet_rows_empty(fleet_exchange_rows(exchange)))
		fleet_stored(fleet, exchange, 0);
	fleet_answer(fleet, exchange, false, exchange, &until);
	assert_int_equal(fleet_reply(fleet, exchange, &reply, &configuration, NULL), 0);
	fleet_exchange_free(fleet, exchange);
}

static void want(struct fleet *fleet, unsigned number, uint8_t wanted)
{
	const uint8_t fingerprint[SHA256_BYTES] = { wanted };
	struct uuid id = id_of(number);

	assert_int_equal(fleet_want_configuration(fleet, &id, fingerprint, 0, NULL), 0);
}

static void expect(const struct fleet *fleet, const struct uuid *group, size_t pending, size_t sent, size_t applied,
		   size_t failed)
{
	size_t counts[FLEET_CONFIGURATION_STATES];

	fleet_count_group(fleet, group, counts);
	assert_int_equal(counts[FLEET_CONFIGURATION_PENDING], pending);
	assert_int_equal(counts[FLEET_CONFIGURATION_SENT], sent);
	assert_int_equal(counts[FLEET_CONFIGURATION_APPLIED], applied);
	assert_int_equal(counts[FLEET_CONFIGURATION_FAILED], failed);
}

static void counts_follow_each_computer(void **state)
{
	struct fleet *fleet = make();

	(void)state;
	expect(fleet, &first, 0, 0, 4, 0); /* nothing is wanted */
	expect(fleet, &second, 0, 0, 1, 1);
	want(fleet, 0, 1);
	want(fleet, 1, 1);
	want(fleet, 2, 1);
	expect(fleet, &first, 3, 0, 1, 0);
	speak(fleet, 0, 0, 0);
	speak(fleet, 1, 0, 0);
	expect(fleet, &first, 1, 2, 1, 0);
	speak(fleet, 0, 1, 0);
	expect(fleet, &first, 1, 1, 2, 0);
	speak(fleet, 1, 0, 1);
	expect(fleet, &first, 1, 0, 2, 1);
	want(fleet, 1, 2); /* another: what was refused counts no more */
	expect(fleet, &first, 2, 0, 2, 0);
	expect(fleet, &second, 0, 0, 1, 1);
	fleet_free(fleet);
}

static void who_moves_counts_elsewhere(void **state)
{
	const struct uuid third = { { 0xc } }, none = { { 0 } }, nobody = { { 0xd } };
	struct fleet *fleet = make();
	struct uuid five = id_of(5), four = id_of(4), zero = id_of(0);

	(void)state;
	assert_int_equal(fleet_set_group(fleet, &five, &first, NULL), 0);
	assert_int_equal(fleet_set_group(fleet, &five, &first, NULL), 0);
	expect(fleet, &first, 0, 0, 4, 1);
	expect(fleet, &second, 0, 0, 1, 0);
	assert_int_equal(fleet_set_group(fleet, &four, &third, NULL), 0);
	expect(fleet, &second, 0, 0, 0, 0);
	expect(fleet, &third, 0, 0, 1, 0);
	assert_int_equal(fleet_set_group(fleet, &four, &none, NULL), 0);
	expect(fleet, &third, 0, 0, 1, 0);
	assert_int_equal(fleet_set_group(fleet, &nobody, &first, NULL), ERR_NOT_FOUND);
	fleet_remove(fleet, &zero);
	fleet_remove(fleet, &four);
	expect(fleet, &first, 0, 0, 3, 1);
	expect(fleet, &third, 0, 0, 0, 0);
	fleet_free(fleet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_follow_each_computer),
		cmocka_unit_test(who_moves_counts_elsewhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
