/* policy/effective.h: what the manager packs the agent reads, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/effective.h"

static Muster__Wire__Configuration *unpacked(const struct buf *packed)
{
	return muster__wire__configuration__unpack(NULL, packed->size, packed->data);
}

static void defaults_are_those_of_the_table(void **state)
{
	struct effective effective;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(effective_init(&effective, &err), 0);
	assert_int_equal(effective.clock_change_us, CONF_UNLIMITED);
	assert_int_equal(effective.direction, LINK_BIDIRECTIONAL);
	assert_int_equal(effective.heartbeat_interval_us, 10 * MINUTE_US);
	assert_int_equal(effective.missed_heartbeats, 2);
	assert_false(effective.offline_error_inactive_vm);
	assert_int_equal(effective.poll, LINK_POLL_HELD);
	assert_int_equal(effective.quarantine_max_file_bytes, 5 * MIB);
	assert_int_equal(effective.cpu_limit_percent, 100);
	assert_string_equal(effective.exclude_paths, "");
	effective_done(&effective);
}

static void what_is_packed_is_read(void **state)
{
	const char *values[SETTINGS_COUNT] = { 0 };
	Muster__Wire__Configuration *configuration;
	struct effective effective;
	struct buf packed, problems;
	struct err err = { 0 };

	(void)state;
	values[SETTING_LINK_HEARTBEAT_INTERVAL] = "10s";
	values[SETTING_LINK_DIRECTION] = "agent-initiated";
	values[SETTING_SCAN_EXCLUDE_PATHS] = "/a,/b";
	buf_init(&packed, EFFECTIVE_PACKED_BYTES);
	buf_init(&problems, EFFECTIVE_PROBLEMS_BYTES);
	assert_int_equal(effective_pack(values, &packed, &err), 0);
	configuration = unpacked(&packed);
	assert_non_null(configuration);
	for (size_t i = 0; i < configuration->n_settings; i++) {
		enum setting_id id = setting_find(configuration->settings[i]->name);

		assert_true(id < SETTINGS_COUNT);
		assert_true(policy_settings[id].components & SETTING_BY_AGENT);
		if (i > 0)
			assert_true(strcmp(configuration->settings[i - 1]->name, configuration->settings[i]->name) < 0);
	}
	assert_int_equal(effective_init(&effective, &err), 0);
	assert_int_equal(effective_read(configuration, &effective, &problems, &err), 0);
	assert_int_equal(problems.size, 0);
	assert_int_equal(effective.heartbeat_interval_us, 10 * SECOND_US);
	assert_int_equal(effective.direction, LINK_AGENT_INITIATED);
	assert_string_equal(effective.exclude_paths, "/a,/b");
	effective_done(&effective);
	muster__wire__configuration__free_unpacked(configuration, NULL);
	buf_done(&packed);
	buf_done(&problems);
}

static Muster__Wire__Field field_of(const char *name, const char *value)
{
	Muster__Wire__Field field = MUSTER__WIRE__FIELD__INIT;

	field.name = (char *)(uintptr_t)name;
	field.value = exchange_bytes(value, strlen(value));
	return field;
}

static void what_does_not_fit_is_refused_whole(void **state)
{
	Muster__Wire__Field fields[] = {
		field_of("link.heartbeat_interval", "30s"),
		field_of("scan.cpu_limit", "900"),
		field_of("scan.unheard_of", "1"),
		field_of("agent.unload_password", "in clear"),
	};
	Muster__Wire__Field *list[] = { &fields[0], &fields[1], &fields[2], &fields[3] };
	Muster__Wire__Configuration configuration = MUSTER__WIRE__CONFIGURATION__INIT;
	struct effective effective;
	struct buf problems;
	struct err err = { 0 };

	(void)state;
	configuration.settings = list;
	configuration.n_settings = COUNT_OF(list);
	buf_init(&problems, EFFECTIVE_PROBLEMS_BYTES);
	assert_int_equal(effective_init(&effective, &err), 0);
	assert_int_equal(effective_read(&configuration, &effective, &problems, &err), ERR_FORMAT);
	assert_string_equal(buf_text(&problems), "scan.cpu_limit = 900: allowed: 1 to 100\n"
						 "scan.unheard_of = 1: this agent knows no such setting\n"
						 "agent.unload_password: not the hash of a password\n");
	assert_string_equal(err.text, "scan.cpu_limit: allowed: 1 to 100");
	assert_int_equal(effective.heartbeat_interval_us, 10 * MINUTE_US);
	effective_done(&effective);
	buf_done(&problems);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_table),
		cmocka_unit_test(what_is_packed_is_read),
		cmocka_unit_test(what_does_not_fit_is_refused_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
