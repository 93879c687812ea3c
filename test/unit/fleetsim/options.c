/* Command lines taken and refused, each refusal with the option's name in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fleetsim/options.h"
#include "trust/token.h"

#define WORDS_MAX 24

static char enrolment[TOKEN_TEXT_BYTES], api[TOKEN_TEXT_BYTES];

/* Words behind the four that must be there; NULL ends them. */
static int parse(const char *token, const char *const *words, struct options *options, struct err *err)
{
	char *argv[WORDS_MAX] = { (char *)(uintptr_t) "muster-fleet-sim",
				  (char *)(uintptr_t) "--server=https://127.0.0.1:4343",
				  (char *)(uintptr_t) "--ca",
				  (char *)(uintptr_t) "ca.pem",
				  (char *)(uintptr_t) "--token",
				  (char *)(uintptr_t)token,
				  (char *)(uintptr_t) "--agents",
				  (char *)(uintptr_t) "500" };
	int argc = 8;

	while (*words != NULL)
		argv[argc++] = (char *)(uintptr_t)*words++;
	memset(err, 0, sizeof(*err));
	return options_parse(argc, argv, options, err);
}

static void test_defaults(void **state)
{
	struct options options;
	struct err err;

	(void)state;
	assert_int_equal(parse(enrolment, (const char *const[]){ NULL }, &options, &err), 0);
	assert_string_equal(options.server.host, "127.0.0.1");
	assert_int_equal(options.server.port, 4343);
	assert_int_equal(options.agents, 500);
	assert_int_equal(options.heartbeat, 60 * SECOND_US);
	assert_int_equal(options.ramp, 200);
	assert_false(options.api_token);
	assert_true(options.threads >= 1);
}

static void test_everything_given(void **state)
{
	const char *const words[] = { "--heartbeat", "10",          "--poll=250ms",    "--duration", "2m",
				      "--ramp",      "50/s",        "--events",        "7",          "--scans",
				      "--fan-out",   "--direction", "agent-initiated", "-o",         "json",
				      NULL };
	struct options options;
	struct err err;

	(void)state;
	assert_int_equal(parse(api, words, &options, &err), 0);
	assert_int_equal(options.heartbeat, 10 * SECOND_US);
	assert_int_equal(options.poll, 250 * MILLISECOND_US);
	assert_int_equal(options.duration, 2 * MINUTE_US);
	assert_int_equal(options.ramp, 50);
	assert_int_equal(options.events, 7);
	assert_true(options.scans && options.fan_out && options.json && options.api_token);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *words[3];
		const char *says;
	} rows[] = {
		{ { "--agents", "3" }, "--agents is given twice" },
		{ { "--ramp", "0/s" }, "--ramp" },
		{ { "--ramp", "many" }, "--ramp" },
		{ { "--heartbeat", "2h" }, "--heartbeat" },
		{ { "--duration" }, "--duration needs a value" },
		{ { "--scans=yes" }, "--scans takes no value" },
		{ { "--fan-out" }, "API token" },
		{ { "--direction", "sideways" }, "agent-initiated" },
		{ { "-o", "xml" }, "text or json" },
		{ { "--nonsense" }, "--nonsense" },
	};
	struct options options;
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (parse(enrolment, rows[i].words, &options, &err) != ERR_USAGE ||
		    strstr(err.text, rows[i].says) == NULL)
			fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].words[0], err.text, rows[i].says);
	}
}

static void test_token_with_a_slip(void **state)
{
	char token[TOKEN_TEXT_BYTES];
	struct options options;
	struct err err;

	(void)state;
	memcpy(token, enrolment, sizeof(token));
	token[10] = token[10] == 'a' ? 'b' : 'a';
	assert_int_equal(parse(token, (const char *const[]){ NULL }, &options, &err), ERR_USAGE);
	assert_non_null(strstr(err.text, "--token"));
}

static void test_something_missing(void **state)
{
	char *argv[] = { (char *)(uintptr_t) "muster-fleet-sim", (char *)(uintptr_t) "--agents",
			 (char *)(uintptr_t) "5" };
	struct options options;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(options_parse(3, argv, &options, &err), ERR_USAGE);
	assert_string_equal(err.text, "--server URL is missing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),          cmocka_unit_test(test_everything_given),
		cmocka_unit_test(test_refusals),          cmocka_unit_test(test_token_with_a_slip),
		cmocka_unit_test(test_something_missing),
	};

	token_make(TOKEN_ENROLMENT, enrolment);
	token_make(TOKEN_API, api);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
