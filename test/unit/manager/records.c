/* What is heard of a computer or told of it by time alone is stored while it is managed, and comes too late after. */
#include "front_store.h"

#include "manager/front/records.h"

#define NOW WALL_START

static struct uuid computer;

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

	assert_int_equal(store_read(front.store, read_count, &count, NULL), 0);
	return count.number;
}

static int begin(void **state)
{
	(void)state;
	if (front_begin() != 0)
		return -1;
	computer = env_uuid(&env);
	front_run("INSERT INTO computer (id, name, certificate_fingerprint, certificate_not_after, enrolled, status, "
		  "status_since) VALUES (:id, 'one', randomblob(32), 1, 1, 'online', 1)",
		  &computer);
	return 0;
}

static int end(void **state)
{
	(void)state;
	front_end();
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
	rc = store_write_wait(front.store, write_records, records, NULL);
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
	front_run("UPDATE computer SET standing = 'moved', status = 'unmanaged', revoked = 5 WHERE id = :id",
		  &computer);
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
