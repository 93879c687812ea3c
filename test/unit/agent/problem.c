/* agent/problem.h: refusals over HTTP in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/problem.h"
#include "base/units.h"

static void the_sentence_of_the_problem_is_shown(void **state)
{
	static const char body[] = "{\"title\":\"Token expired\",\"detail\":\"Ask for\\u001b another.\"}";
	struct err err;

	(void)state;
	assert_int_equal(
	    problem_error("the manager refused", 401, "application/problem+json", body, strlen(body), &err),
	    ERR_DENIED);
	assert_string_equal(err.text, "the manager refused (401): Token expired: Ask for\\x1b another.");
}

static void anything_else_is_the_status_alone(void **state)
{
	static const struct {
		const char *type, *body;
	} rows[] = {
		{ NULL, NULL },
		{ "text/html", "<h1>no</h1>" },
		{ "application/problem+json", "" },
		{ "application/problem+json", "{\"title\":" },
		{ "application/problem+json", "[1]" },
		{ "application/problem+json", "{\"title\":7,\"detail\":null}" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct err err;

		assert_int_equal(problem_error("refused", 500, rows[i].type, rows[i].body,
					       rows[i].body ? strlen(rows[i].body) : 0, &err),
				 ERR_REFUSED);
		assert_string_equal(err.text, "refused (500)");
	}
}

static void each_status_has_its_code(void **state)
{
	static const struct {
		int status, code;
	} rows[] = { { 401, ERR_DENIED }, { 403, ERR_DENIED },  { 404, ERR_NOT_FOUND }, { 409, ERR_CONFLICT },
		     { 413, ERR_LIMIT },  { 422, ERR_REFUSED }, { 429, ERR_BUSY },      { 503, ERR_BUSY },
		     { 507, ERR_SPACE },  { 500, ERR_REFUSED }, { 302, ERR_REFUSED } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(problem_error("refused", rows[i].status, NULL, NULL, 0, NULL), rows[i].code);
}

static void draw_most(void *context, void *bytes, size_t size)
{
	(void)context;
	memset(bytes, 0xff, size);
}

static void draw_least(void *context, void *bytes, size_t size)
{
	(void)context;
	memset(bytes, 0, size);
}

/* Bounded by what the manager says, so that people can be told when the agent is back. */
static void the_manager_says_how_long_it_is_left_alone(void **state)
{
	static const struct {
		span_us said, least, most;
	} rows[] = { { 0, 30 * MINUTE_US, HOUR_US },
		     { 10 * MINUTE_US, 5 * MINUTE_US, 10 * MINUTE_US },
		     { SECOND_US, MINUTE_US, 2 * MINUTE_US },
		     { 48 * HOUR_US, 30 * MINUTE_US, HOUR_US } };
	const struct env high = { .random = draw_most }, low = { .random = draw_least };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		span_us most = problem_pause(rows[i].said, &high);

		assert_true(problem_pause(rows[i].said, &low) >= rows[i].least);
		assert_true(most >= rows[i].least && most <= rows[i].most);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sentence_of_the_problem_is_shown),
		cmocka_unit_test(anything_else_is_the_status_alone),
		cmocka_unit_test(each_status_has_its_code),
		cmocka_unit_test(the_manager_says_how_long_it_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
