/* A computer that was taken over, with its certificate and key, and nobodies without one, against a real manager: what
 * they do is theirs alone to suffer from. */
#include <signal.h>
#include <unistd.h>

#include "line.h"
#include "os/env.h"

static struct fixture fixture;

#define PLACES 96 /* for connections, of all */

static int start(void **state)
{
	char setting[64];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	fixture_init(&fixture);
	snprintf(setting, sizeof(setting), "[network]\nconnections = %d\n", PLACES);
	fixture_set(&fixture, setting);
	fixture_begin(&fixture);
	return 0;
}

static int end(void **state)
{
	(void)state;
	assert_int_equal(fixture_stop(&fixture), 0);
	fixture_end(&fixture);
	return 0;
}

static long report_once(struct agent *agent)
{
	Muster__Wire__Report report = agent_report(agent);

	return agent_exchange(agent, &report, NULL, NULL);
}

static json_t *ask(const struct agent *agent, const char *method, const char *what, long status)
{
	char id[UUID_TEXT_BYTES], path[160];

	uuid_format(&agent->computer, id);
	snprintf(path, sizeof(path), "/api/v1/computers/%s%s", id, what);
	return fixture_api(&fixture, method, path, NULL, status);
}

struct hoard {
	struct line lines[2 * PLACES];
	size_t count;
};

/* As many more as it gets. */
static void hoard_more(struct hoard *hoard, const struct agent *agent, size_t count)
{
	for (size_t i = 0; i < count; i++)
		hoard->count += line_try(&hoard->lines[hoard->count], agent);
}

static void hoard_done(struct hoard *hoard)
{
	while (hoard->count > 0)
		line_done(&hoard->lines[--hoard->count]);
}

/* Connections of agents that are known are never closed for others to have room. */
static void one_computer_does_not_take_all_places(void **state)
{
	struct agent taken_over, honest;
	struct hoard hoard = { .count = 0 };

	(void)state;
	agent_enrolled(&taken_over, &fixture, "taken-over");
	agent_enrolled(&honest, &fixture, "honest");
	hoard_more(&hoard, &taken_over, 2 * PLACES);
	assert_int_equal(report_once(&honest), 200);
	json_decref(fixture_api(&fixture, "GET", "/api/v1/computers", NULL, 200));
	hoard_done(&hoard);
	while (report_once(&taken_over) != 200)
		; /* until its ends have been heard */
	agent_done(&honest);
	agent_done(&taken_over);
}

/* Its certificate is as good as ever to TLS. */
static void nor_does_one_that_was_revoked(void **state)
{
	struct agent revoked, honest;
	struct hoard hoard = { .count = 0 };

	(void)state;
	agent_enrolled(&revoked, &fixture, "revoked");
	agent_enrolled(&honest, &fixture, "honest");
	json_decref(ask(&revoked, "POST", "/revoke", 200));
	hoard_more(&hoard, &revoked, 2 * PLACES);
	assert_int_equal(report_once(&honest), 200);
	json_decref(fixture_api(&fixture, "GET", "/api/v1/computers", NULL, 200));
	hoard_done(&hoard);
	agent_done(&honest);
	agent_done(&revoked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_computer_does_not_take_all_places),
		cmocka_unit_test(nor_does_one_that_was_revoked),
	};

	return cmocka_run_group_tests_name("integration/manager/hostile", tests, start, end);
}
