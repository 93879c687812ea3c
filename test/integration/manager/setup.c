/* muster-manager's commands: init, run, token; settings and ports that are wrong. */
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

static void init_refuses_a_directory_that_was_set_up(void **state)
{
	struct fixture fixture;
	struct buf out;

	(void)state;
	fixture_init(&fixture);
	buf_init(&out, 65536);
	assert_int_equal(fixture_program(&out, "muster-manager", "init", "--data", fixture.data, NULL), 1);
	assert_non_null(strstr(buf_text(&out), "set up before"));
	buf_done(&out);
	fixture_end(&fixture);
}

static void init_makes_what_the_contract_says(void **state)
{
	static const char *const files[] = { "manager.ini",     "ca.pem",      "server-authentication.pub",
					     "front/muster.db", "keys/ca.key", "front/tls.key" };
	struct fixture fixture;
	struct stat facts;
	char path[256];
	long port;

	(void)state;
	fixture_init(&fixture);
	for (size_t i = 0; i < COUNT_OF(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", fixture.data, files[i]);
		assert_int_equal(stat(path, &facts), 0);
		if (strstr(files[i], ".key") != NULL)
			assert_int_equal(facts.st_mode & 077, 0);
	}
	port = (long)json_integer_value(json_object_get(fixture.made, "agent_port"));
	assert_in_range(port, 10000, 65535);
	assert_int_equal(strlen(json_string_value(json_object_get(fixture.made, "ca_fingerprint"))), 64);
	assert_non_null(json_string_value(json_object_get(fixture.made, "password")));
	assert_non_null(json_string_value(json_object_get(fixture.made, "url")));
	fixture_end(&fixture);
}

static void the_first_administrator_signs_in(void **state)
{
	struct fixture fixture;
	json_t *body, *session;
	char *text;

	(void)state;
	fixture_start(&fixture, NULL);
	body = json_pack("{s:O, s:O}", "user", json_object_get(fixture.made, "user"), "password",
			 json_object_get(fixture.made, "password"));
	text = json_dumps(body, 0);
	session = fixture_api(&fixture, "POST", "/api/v1/sessions", text, 201);
	assert_string_equal(json_string_value(json_object_get(session, "role")), "administrator");
	json_decref(session);
	json_decref(body);
	free(text);
	fixture_finish(&fixture);
}

static void every_wrong_setting_is_listed_at_once(void **state)
{
	struct fixture fixture;
	struct buf out;

	(void)state;
	fixture_init(&fixture);
	fixture_set(&fixture, "\n[process]\nworkers = 900\n[network]\nagent_prot = 1\n");
	buf_init(&out, 65536);
	assert_int_equal(fixture_program(&out, "muster-manager", "run", "--data", fixture.data, "--check-config", NULL),
			 1);
	assert_non_null(strstr(buf_text(&out), "workers"));
	assert_non_null(strstr(buf_text(&out), "agent_prot"));
	buf_reset(&out);
	assert_int_equal(fixture_program(&out, "muster-manager", "run", "--data", fixture.data, NULL), 1);
	assert_non_null(strstr(buf_text(&out), "agent_prot"));
	buf_done(&out);
	fixture_end(&fixture);
}

static void good_settings_are_shown(void **state)
{
	struct fixture fixture;
	struct buf out;

	(void)state;
	fixture_init(&fixture);
	buf_init(&out, 65536);
	assert_int_equal(fixture_program(&out, "muster-manager", "run", "--data", fixture.data, "--check-config", NULL),
			 0);
	assert_non_null(strstr(buf_text(&out), "[network] listen = 127.0.0.1:"));
	buf_done(&out);
	fixture_end(&fixture);
}

static void a_port_in_use_is_named_with_its_setting(void **state)
{
	struct fixture first, second;
	char lines[64], port[16];

	(void)state;
	fixture_start(&first, NULL);
	fixture_init(&second);
	snprintf(port, sizeof(port), "port %u", (unsigned)first.port);
	snprintf(lines, sizeof(lines), "s/^listen = .*/listen = 127.0.0.1:%u/", (unsigned)first.port);
	{
		char command[256];

		snprintf(command, sizeof(command), "sed -i '%s' %s", lines, second.settings);
		assert_int_equal(system(command), 0);
	}
	fixture_run(&second);
	assert_int_equal(fixture_wait(&second), 1);
	assert_true(fixture_log_count(&second, port) > 0);
	assert_true(fixture_log_count(&second, "[network] listen") > 0);
	fixture_end(&second);
	fixture_end(&first);
}

static void two_managers_do_not_share_a_directory(void **state)
{
	struct fixture fixture;
	struct buf out;
	char command[256];

	(void)state;
	fixture_start(&fixture, NULL);
	snprintf(command, sizeof(command), "sed -i 's/^listen = .*/listen = 127.0.0.1:1/' %s", fixture.settings);
	assert_int_equal(system(command), 0);
	buf_init(&out, 65536);
	assert_int_equal(fixture_program(&out, "muster-manager", "run", "--data", fixture.data, NULL), 1);
	buf_done(&out);
	fixture_end(&fixture);
}

static void usage_is_told_from_refusal(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 65536);
	assert_int_equal(fixture_program(&out, "muster-manager", "--version", NULL), 0);
	assert_non_null(strstr(buf_text(&out), "muster-manager "));
	assert_int_equal(fixture_program(NULL, "muster-manager", "--help", NULL), 0);
	assert_int_equal(fixture_program(NULL, "muster-manager", "init", "--help", NULL), 0);
	assert_int_equal(fixture_program(NULL, "muster-manager", NULL), 2);
	assert_int_equal(fixture_program(NULL, "muster-manager", "dance", NULL), 2);
	assert_int_equal(fixture_program(NULL, "muster-manager", "init", NULL), 2);
	assert_int_equal(
	    fixture_program(NULL, "muster-manager", "init", "--data", "/nonexistent/x", "--role", "viewer", NULL), 2);
	assert_int_equal(
	    fixture_program(NULL, "muster-manager", "init", "--data", "/nonexistent/x", "--agent-port", "70000", NULL),
	    2);
	assert_int_equal(fixture_program(NULL, "muster-manager", "token", "--data", "/nonexistent/x", NULL), 1);
	assert_int_equal(fixture_program(NULL, "muster-manager", "role", "front", "--data", "/nonexistent/x", NULL), 1);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usage_is_told_from_refusal),
		cmocka_unit_test(init_makes_what_the_contract_says),
		cmocka_unit_test(init_refuses_a_directory_that_was_set_up),
		cmocka_unit_test(the_first_administrator_signs_in),
		cmocka_unit_test(every_wrong_setting_is_listed_at_once),
		cmocka_unit_test(good_settings_are_shown),
		cmocka_unit_test(a_port_in_use_is_named_with_its_setting),
		cmocka_unit_test(two_managers_do_not_share_a_directory),
	};

	return cmocka_run_group_tests_name("integration/manager/setup", tests, NULL, NULL);
}
