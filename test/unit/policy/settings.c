/* policy/settings.h: the rows are sound, and names and values are found and checked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "policy/settings.h"

static void rows_are_sound(void **state)
{
	struct buf text;

	(void)state;
	buf_init(&text, CONF_VALUE_BYTES);
	for (unsigned id = 0; id < SETTINGS_COUNT; id++) {
		const struct setting *setting = &policy_settings[id];
		struct err err = { 0 };

		assert_non_null(setting->value.key);
		assert_true(strlen(setting->value.key) <= SETTING_NAME_MAX_BYTES);
		assert_true(id == 0 || strcmp(setting_name(id - 1), setting_name(id)) < 0);
		assert_int_not_equal(setting->components, 0);
		assert_true(strlen(setting->help_english) > 10);
		assert_true(text_is_utf8(setting->help_japanese, strlen(setting->help_japanese)));
		assert_true(strlen(setting->help_japanese) > 10);
		/* The default stands in its canonical form. */
		buf_reset(&text);
		assert_int_equal(setting_canonical(id, setting_default(id), &text, &err), 0);
		assert_string_equal(buf_text(&text), setting_default(id));
	}
	buf_done(&text);
}

static void names_are_found(void **state)
{
	(void)state;
	for (unsigned id = 0; id < SETTINGS_COUNT; id++)
		assert_int_equal(setting_find(setting_name(id)), id);
	assert_int_equal(setting_find(""), SETTINGS_COUNT);
	assert_int_equal(setting_find("link.pol"), SETTINGS_COUNT);
	assert_int_equal(setting_find("zzz"), SETTINGS_COUNT);
	assert_int_equal(setting_find("LINK.POLL"), SETTINGS_COUNT);
}

static void the_nearest_name_is_suggested(void **state)
{
	(void)state;
	assert_string_equal(setting_nearest("link.hearbeat_interval"), "link.heartbeat_interval");
	assert_string_equal(setting_nearest("heartbeat_interval"), "link.heartbeat_interval");
	assert_string_equal(setting_nearest("agent.cpu_limit"), "scan.cpu_limit");
	assert_string_equal(setting_nearest("scan.exclude_path"), "scan.exclude_paths");
	assert_string_equal(setting_nearest("LINK.poll"), "link.poll");
	assert_null(setting_nearest("something.else.altogether"));
	assert_null(setting_nearest("x"));
	assert_null(setting_nearest("link.heartbeat_interval_link.heartbeat_interval_link.heartbeat_interval"));
}

static void values_have_one_form(void **state)
{
	static const struct {
		enum setting_id id;
		const char *given, *canonical;
	} cases[] = {
		{ SETTING_LINK_HEARTBEAT_INTERVAL, "600", "10m" },
		{ SETTING_LINK_HEARTBEAT_INTERVAL, "9s", NULL },
		{ SETTING_LINK_HEARTBEAT_INTERVAL, "25h", NULL },
		{ SETTING_LINK_MISSED_HEARTBEATS, "unlimited", "unlimited" },
		{ SETTING_LINK_MISSED_HEARTBEATS, "101", NULL },
		{ SETTING_LINK_CLOCK_CHANGE, "1s", "1s" },
		{ SETTING_LINK_DIRECTION, "Agent-Initiated", "agent-initiated" },
		{ SETTING_LINK_DIRECTION, "sideways", NULL },
		{ SETTING_QUARANTINE_MAX_FILE_SIZE, "5242880", "5MB" },
		{ SETTING_SCAN_EXCLUDE_PATHS, "/b,/a/", "/a,/b" },
	};
	struct buf text;

	(void)state;
	buf_init(&text, CONF_VALUE_BYTES);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct err err = { 0 };
		int rc;

		buf_reset(&text);
		rc = setting_canonical(cases[i].id, cases[i].given, &text, &err);
		assert_int_equal(rc == 0, cases[i].canonical != NULL);
		if (rc == 0)
			assert_string_equal(buf_text(&text), cases[i].canonical);
		else
			assert_non_null(strstr(err.text, "allowed: "));
	}
	buf_done(&text);
}

/* What is set of it is a hash, so that no password can get into the tree, the database or a message. */
static void a_password_is_a_hash_that_is_not_shown(void **state)
{
	static const char hash[] = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$"
				   "UkNmsaeaRVLCdoZ8FbIbJBY2nXZ+hWZ4bB0TqB7UEhs";
	static const char *const refused[] = { "correct horse", "set", "$argon2i$v=19$m=19456,t=2,p=1$YQ$YQ",
					       "$argon2id$ v=19", "$argon2id$\n" };
	char room[200];
	struct buf text;

	(void)state;
	buf_init(&text, CONF_VALUE_BYTES);
	assert_int_equal(setting_canonical(SETTING_AGENT_UNLOAD_PASSWORD, hash, &text, NULL), 0);
	assert_string_equal(buf_text(&text), hash);
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		struct err err = { 0 };

		assert_int_equal(setting_canonical(SETTING_AGENT_UNLOAD_PASSWORD, refused[i], &text, &err), ERR_FORMAT);
		assert_null(strstr(err.text, refused[i]));
	}
	memset(room, 'A', sizeof(room) - 1);
	memcpy(room, "$argon2id$", 10);
	room[sizeof(room) - 1] = '\0';
	assert_int_equal(setting_canonical(SETTING_AGENT_UNLOAD_PASSWORD, room, &text, NULL), ERR_FORMAT);
	buf_done(&text);
	assert_string_equal(setting_shown(SETTING_AGENT_UNLOAD_PASSWORD, hash), "set");
	assert_string_equal(setting_shown(SETTING_AGENT_UNLOAD_PASSWORD, ""), "");
	assert_string_equal(setting_shown(SETTING_LINK_POLL, "held"), "held");
	assert_false(setting_is_secret(SETTINGS_COUNT));
}

static void the_reference_has_every_row(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 256 * 1024);
	settings_reference(&out);
	assert_int_equal(out.status, 0);
	for (unsigned id = 0; id < SETTINGS_COUNT; id++)
		assert_non_null(strstr(buf_text(&out), setting_name(id)));
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_sound),
		cmocka_unit_test(names_are_found),
		cmocka_unit_test(the_nearest_name_is_suggested),
		cmocka_unit_test(values_have_one_form),
		cmocka_unit_test(a_password_is_a_hash_that_is_not_shown),
		cmocka_unit_test(the_reference_has_every_row),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
