/* Enrolment at a real manager: tokens right and wrong, attempts repeated, names, cool-down. */
#include <sqlite3.h>

#include "agent.h"
#include "manager/front/cooldown.h"

static struct fixture fixture;

static int start(void **state)
{
	(void)state;
	fixture_start(&fixture, NULL);
	return 0;
}

static int end(void **state)
{
	(void)state;
	fixture_finish(&fixture);
	return 0;
}

static void a_token_enrols_as_often_as_it_may(void **state)
{
	char *token = enrolment_token(&fixture, 1, "1h");
	struct agent first, second;
	char detail[512];

	(void)state;
	agent_init(&first, &fixture);
	agent_init(&second, &fixture);
	assert_int_equal(agent_enrol(&first, token, "alpha", NULL, NULL, 0), 200);
	assert_string_equal(first.name, "alpha");
	assert_int_equal(agent_enrol(&second, token, "beta", NULL, detail, sizeof(detail)), 401);
	assert_non_null(strstr(detail, "used"));
	agent_hello(&first);
	agent_done(&first);
	agent_done(&second);
	free(token);
}

static void a_repeated_attempt_gives_the_same_computer(void **state)
{
	char *token = enrolment_token(&fixture, 1, "1h");
	size_t before = fixture_count(&fixture, "/api/v1/computers?limit=100");
	struct agent agent;
	struct uuid computer;
	char *certificate;

	(void)state;
	agent_init(&agent, &fixture);
	assert_int_equal(agent_enrol(&agent, token, "gamma", NULL, NULL, 0), 200);
	computer = agent.computer;
	certificate = strdup(agent.certificate);
	assert_int_equal(agent_enrol(&agent, token, "gamma", NULL, NULL, 0), 200);
	assert_memory_equal(&computer, &agent.computer, sizeof(computer));
	assert_string_equal(certificate, agent.certificate); /* whichever of the answers arrives */
	free(certificate);
	assert_int_equal(fixture_count(&fixture, "/api/v1/computers?limit=100"), before + 1);
	agent_hello(&agent);
	agent_done(&agent);
	free(token);
}

static void read_attempt(const struct uuid *computer, struct uuid *attempt)
{
	sqlite3 *database;
	sqlite3_stmt *row;
	char path[128];

	snprintf(path, sizeof(path), "%s/front/muster.db", fixture.data);
	assert_int_equal(sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	sqlite3_busy_timeout(database, 10000);
	assert_int_equal(
	    sqlite3_prepare_v2(database, "SELECT enrolment_attempt FROM computer WHERE id = ?", -1, &row, NULL),
	    SQLITE_OK);
	assert_int_equal(sqlite3_bind_blob(row, 1, computer->bytes, UUID_BYTES, SQLITE_STATIC), SQLITE_OK);
	assert_int_equal(sqlite3_step(row), SQLITE_ROW);
	assert_true(sqlite3_column_bytes(row, 0) >= UUID_BYTES);
	memcpy(attempt->bytes, sqlite3_column_blob(row, 0), UUID_BYTES);
	sqlite3_finalize(row);
	assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

/* An attempt that is known makes its computer's identity again: what is stored of it, and in each backup of the
 * database, must not be of use to anybody. */
static void a_stolen_database_makes_nobody_another_computer(void **state)
{
	char *token = enrolment_token(&fixture, 1, "1h");
	struct agent victim, thief;

	(void)state;
	agent_enrolled(&victim, &fixture, "victim");
	agent_init(&thief, &fixture);
	read_attempt(&victim.computer, &thief.attempt);
	assert_int_equal(agent_enrol(&thief, token, "thief", NULL, NULL, 0), 200);
	assert_memory_not_equal(&victim.computer, &thief.computer, sizeof(victim.computer));
	assert_string_equal(thief.name, "thief");
	agent_hello(&victim);
	agent_done(&victim);
	agent_done(&thief);
	free(token);
}

static void the_same_name_gets_a_number(void **state)
{
	struct agent first, second;
	char id[UUID_TEXT_BYTES], path[160];

	(void)state;
	agent_enrolled(&first, &fixture, "twin");
	agent_enrolled(&second, &fixture, "twin");
	assert_string_equal(second.name, "twin-2");
	uuid_format(&first.computer, id); /* told of the computer whose name it is */
	snprintf(path, sizeof(path), "/api/v1/events?computer=%s&type=275", id);
	assert_int_equal(fixture_count(&fixture, path), 1);
	snprintf(path, sizeof(path), "/api/v1/alerts?computer=%s&type=duplicate_identity", id);
	assert_int_equal(fixture_count(&fixture, path), 1);
	assert_memory_not_equal(&first.computer, &second.computer, sizeof(first.computer));
	json_decref(fixture_api(&fixture, "PATCH", "/api/v1/settings", "{\"enrolment.same_name\":\"refuse\"}", 200));
	{
		char *token = enrolment_token(&fixture, 1, "1h");
		struct agent third;

		agent_init(&third, &fixture);
		assert_int_equal(agent_enrol(&third, token, "twin", NULL, NULL, 0), 409);
		assert_int_equal(agent_enrol(&third, token, "triplet", NULL, NULL, 0), 200);
		agent_done(&third);
		free(token);
	}
	agent_done(&first);
	agent_done(&second);
}

static void malformed_requests_are_refused(void **state)
{
	const struct call bad = { .method = "POST", .path = "/agent/v1/enrol", .body = "\xff\xff\xff", .size = 3 };
	char *token = enrolment_token(&fixture, 5, "1h");
	struct answer answer;
	struct agent agent;
	char detail[512];

	(void)state;
	fixture_call(&fixture, &bad, &answer);
	assert_int_equal(answer.status, 400);
	answer_done(&answer);
	agent_init(&agent, &fixture);
	assert_int_equal(agent_enrol(&agent, token, "new\nline", NULL, detail, sizeof(detail)), 422);
	assert_non_null(strstr(detail, "name"));
	agent.request.data[agent.request.size - 1] ^= 1; /* the signature of the request by its own key */
	assert_int_equal(agent_enrol(&agent, token, "delta", NULL, detail, sizeof(detail)), 422);
	agent_done(&agent);
	free(token);
}

static void a_deleted_computer_is_refused(void **state)
{
	char id[UUID_TEXT_BYTES], path[128];
	Muster__Wire__Report report;
	struct agent agent;

	(void)state;
	agent_enrolled(&agent, &fixture, "leaver");
	uuid_format(&agent.computer, id);
	snprintf(path, sizeof(path), "/api/v1/computers/%s", id);
	json_decref(fixture_api(&fixture, "DELETE", path, NULL, 204));
	report = agent_report(&agent);
	assert_int_equal(agent_exchange(&agent, &report, NULL, NULL), 403);
	agent_done(&agent);
}

/* A token whose time is over: made so in the database, since nobody gives one out. */
static char *expired_token(void)
{
	char *token = enrolment_token(&fixture, 1, "1h"), path[128];
	sqlite3 *database;

	snprintf(path, sizeof(path), "%s/front/muster.db", fixture.data);
	assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
	sqlite3_busy_timeout(database, 10000);
	assert_int_equal(sqlite3_exec(database, "UPDATE enrolment_token SET expires = 1", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(database), SQLITE_OK);
	return token;
}

/* Last: this address has to wait afterwards. */
static void wrong_and_expired_tokens_cool_down(void **state)
{
	char *expired = expired_token();
	struct agent agent;
	char detail[512];
	long status = 0, retry = 0;

	(void)state;
	agent_init(&agent, &fixture);
	assert_int_equal(agent_enrol(&agent, "not a token", "epsilon", NULL, detail, sizeof(detail)), 401);
	assert_null(strstr(detail, "not a token"));
	status = agent_enrol(&agent, expired, "epsilon", NULL, detail, sizeof(detail));
	assert_int_equal(status, 401);
	assert_non_null(strstr(detail, "expired"));
	for (unsigned i = 0; i <= COOLDOWN_FREE + 1 && status != 429; i++)
		status =
		    agent_enrol(&agent, "mse_0000000000000000000000000000000000000000", "epsilon", &retry, NULL, 0);
	assert_int_equal(status, 429);
	assert_true(retry >= 1);
	assert_true(fixture_count(&fixture, "/api/v1/events?type=705&limit=100") >= COOLDOWN_FREE);
	agent_done(&agent);
	free(expired);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_enrols_as_often_as_it_may),
		cmocka_unit_test(a_repeated_attempt_gives_the_same_computer),
		cmocka_unit_test(a_stolen_database_makes_nobody_another_computer),
		cmocka_unit_test(the_same_name_gets_a_number),
		cmocka_unit_test(malformed_requests_are_refused),
		cmocka_unit_test(a_deleted_computer_is_refused),
		cmocka_unit_test(wrong_and_expired_tokens_cool_down),
	};

	return cmocka_run_group_tests_name("integration/manager/enrolment", tests, start, end);
}
