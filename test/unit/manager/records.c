/* What is heard of a computer or told of it by time alone is stored while it is managed, and comes too late after. */
#include "../store/fixture.h"

#include "manager/front/front_state.h"
#include "manager/front/records.h"
#include "manager/queries.h"

#define NOW ((time_us)1790000000 * SECOND_US)

static time_us fixed_wall(void *context)
{
	(void)context;
	return NOW;
}

static void test_random(void *context, void *out, size_t size)
{
	static uint64_t chance;
	uint8_t *bytes = out;

	(void)context;
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)((chance = chance * 6364136223846793005u + 1442695040888963407u) >> 56);
}

static const struct env env = { NULL, fixed_wall, fixed_wall, test_random };
static struct fixture fixture;
static struct front front;
static struct uuid computer;

static int run_text(struct store_session *session, void *argument, struct err *err)
{
	struct cursor *cursor = cursor_open_text(session, argument);

	cursor_bind_uuid(cursor, "id", &computer);
	return cursor_run(cursor, err);
}

static void run(const char *sql)
{
	struct err err = { 0 };

	if (store_write_wait(fixture.store, run_text, (void *)(uintptr_t)sql, &err) != 0)
		fail_msg("%s: %s", sql, err.text);
}

struct count {
	const char *sql;
	int64_t number;
};

static int read_count(struct store_session *session, void *argument, struct err *err)
{
	struct count *count = argument;
	struct cursor *cursor = cursor_open_text(session, count->sql);

	if (cursor_next(cursor))
		count->number = cursor_number(cursor, "number");
	return cursor_end(cursor, err);
}

static int64_t counted(const char *sql)
{
	struct count count = { .sql = sql, .number = -1 };

	assert_int_equal(store_read(fixture.store, read_count, &count, NULL), 0);
	return count.number;
}

static int begin(void **state)
{
	struct err err = { 0 };

	(void)state;
	fixture_begin(&fixture);
	fixture.options.migrations = manager_migrations;
	fixture.options.migration_count = manager_migration_count;
	fixture_open(&fixture);
	front = (struct front){ .env = &env, .store = fixture.store };
	front.feed = feed_new(&err);
	if (front.feed == NULL || stored_settings_open(front.store, &front.stored, &err) != 0 ||
	    event_switches_open(front.store, &front.switches, &err) != 0 ||
	    alerting_open(front.store, &front.alerting, &err) != 0)
		return -1;
	computer = env_uuid(&env);
	run("INSERT INTO computer (id, name, certificate_fingerprint, certificate_not_after, enrolled, status, "
	    "status_since) VALUES (:id, 'one', randomblob(32), 1, 1, 'online', 1)");
	return 0;
}

static int end(void **state)
{
	(void)state;
	alerting_free(front.alerting);
	event_switches_free(front.switches);
	stored_settings_free(front.stored);
	feed_free(front.feed);
	fixture_end(&fixture);
	return 0;
}

static int write_records(struct store_session *session, void *argument, struct err *err)
{
	return records_write(argument, &front, session, 0, err);
}

/* A tick found it silent for too long. */
static int tell_offline(void)
{
	const struct fleet_computer row = { .id = computer, .status = FLEET_OFFLINE, .offline_error = true };
	const struct fleet_event_row event = { .time = NOW, .type = EVENT_COMPUTER_OFFLINE };
	const struct fleet_rows rows = {
		.computer = computer, .computer_row = &row, .manager_events = &event, .manager_event_count = 1
	};
	struct records *records;
	int rc;

	assert_int_equal(records_make(&rows, false, &env, &records, NULL), 0);
	rc = store_write_wait(fixture.store, write_records, records, NULL);
	records_free(records);
	return rc;
}

static const char *const offline_rows = "SELECT count(*) AS number FROM computer WHERE status = 'offline'";
static const char *const events = "SELECT count(*) AS number FROM event WHERE type = 730";
static const char *const alerts = "SELECT count(*) AS number FROM alert WHERE state = 'open'";

static void a_managed_computer_that_is_silent_is_told_as_offline(void **state)
{
	(void)state;
	assert_int_equal(tell_offline(), 0);
	assert_int_equal(counted(offline_rows), 1);
	assert_int_equal(counted(events), 1);
	assert_int_equal(counted(alerts), 1);
}

/* The tick's write waits behind the one that ends the membership: nobody would ever resolve its alert. */
static void one_that_has_left_meanwhile_is_not(void **state)
{
	(void)state;
	run("UPDATE computer SET standing = 'moved', status = 'unmanaged', revoked = 5 WHERE id = :id");
	assert_int_equal(tell_offline(), ERR_NOT_FOUND);
	assert_int_equal(counted(offline_rows), 0);
	assert_int_equal(counted(events), 0);
	assert_int_equal(counted(alerts), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_managed_computer_that_is_silent_is_told_as_offline, begin, end),
		cmocka_unit_test_setup_teardown(one_that_has_left_meanwhile_is_not, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
