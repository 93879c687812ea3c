/* How long events wait for destinations, in a real database. */
#include "front_store.h"

#include "manager/front/retention.h"

#define NOW WALL_START

/* Row `number`, so many days old by its own time and by its arrival. */
static void event(unsigned number, unsigned type, int days, int received_days)
{
	char sql[512];

	snprintf(sql, sizeof(sql),
		 "INSERT INTO event (rowid, id, time, received, type, severity) "
		 "VALUES (%u, randomblob(16), %lld, %lld, %u, 'warning')",
		 number, (long long)(NOW - (span_us)days * DAY_US), (long long)(NOW - (span_us)received_days * DAY_US),
		 type);
	front_run(sql, NULL);
}

static void destination(const char *name, const char *content, unsigned position, bool enabled)
{
	static int created;
	char sql[512];

	snprintf(sql, sizeof(sql),
		 "INSERT INTO destination (id, name, url, content, created, created_by, position, enabled) "
		 "VALUES (randomblob(16), '%s', 'udp://log.example:514', '%s', %d, 'test', %u, %d)",
		 name, content, ++created, position, enabled);
	front_run(sql, NULL);
}

static int read_rows(struct store_session *session, void *argument, struct err *err)
{
	struct cursor *cursor = cursor_open_text(
	    session, "SELECT coalesce(group_concat(number, ' '), '') AS list FROM (SELECT CASE type WHEN 1313 THEN "
		     "'lost:' || json_extract(fields, '$.destination') || ':' || json_extract(fields, '$.count') "
		     "ELSE rowid END AS number FROM event ORDER BY rowid)");

	if (cursor_next(cursor))
		snprintf(argument, 200, "%s", cursor_text(cursor, "list"));
	return cursor_end(cursor, err);
}

/* Runs it; what is there then, in order. */
static const char *left(void)
{
	static char list[200];
	struct err err = { 0 };

	if (retention_run(&front, &err) != 0 || store_read(front.store, read_rows, list, &err) != 0)
		fail_msg("%s", err.text);
	return list;
}

static int begin(void **state)
{
	(void)state;
	return front_begin();
}

static int end(void **state)
{
	(void)state;
	front_end();
	return 0;
}

/* events.retention is 90 days, and 30 more for what was not delivered. */

static void old_events_go(void **state)
{
	(void)state;
	event(1, 2000, 91, 91);
	event(2, 2000, 89, 89);
	event(3, 2000, 500, 0); /* of an agent whose clock stood wrong */
	event(4, 2000, 0, 0);
	assert_string_equal(left(), "2 4");
}

static void events_of_the_future_go_by_when_they_came(void **state)
{
	(void)state;
	event(1, 2000, -100000, 91); /* of an agent whose clock stood wrong, or that would have it stay */
	event(2, 2000, -100000, 89);
	event(3, 2000, -1, 0);
	event(4, 2000, 0, 0);
	destination("there", "events", 4, true);
	assert_string_equal(left(), "2 3 4");
}

static void what_a_destination_has_not_got_waits(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 4; i++)
		event(i, 2000, 100, 100);
	event(5, 2000, 0, 0);
	destination("there", "events", 4, true);
	destination("behind", "events", 2, true);
	destination("off", "events", 0, false);
	assert_string_equal(left(), "3 4 5");
	front_run("UPDATE destination SET position = 4", NULL);
	assert_string_equal(left(), "5");
}

static void after_the_limit_it_goes_and_is_told_with_how_many(void **state)
{
	(void)state;
	event(1, 2000, 130, 130);
	event(2, 2000, 130, 130);
	event(3, 191, 130, 130);
	event(4, 2002, 130, 130); /* a type that is not forwarded */
	event(5, 2000, 400, 100); /* came later than it says */
	event(6, 2000, 0, 0);
	destination("behind", "events", 1, true);
	destination("mail", "alerts", 0, true);
	destination("there", "events", 4, true);
	assert_string_equal(left(), "5 6 lost:behind:1 lost:mail:1");
	assert_string_equal(left(), "5 6 lost:behind:1 lost:mail:1"); /* once */
}

/* Its number would be given again, and destinations stand by numbers. */
static void the_newest_row_stays(void **state)
{
	(void)state;
	event(1, 2000, 400, 400);
	event(2, 2000, 400, 400);
	assert_string_equal(left(), "2");
	event(3, 2000, 400, 400);
	assert_string_equal(left(), "3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(old_events_go, begin, end),
		cmocka_unit_test_setup_teardown(events_of_the_future_go_by_when_they_came, begin, end),
		cmocka_unit_test_setup_teardown(what_a_destination_has_not_got_waits, begin, end),
		cmocka_unit_test_setup_teardown(after_the_limit_it_goes_and_is_told_with_how_many, begin, end),
		cmocka_unit_test_setup_teardown(the_newest_row_stays, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
