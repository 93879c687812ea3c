/* sql/migrations: what an older manager stored is there after the upgrade, and goes on from where it was. */
#include "fixture.h"

#include "manager/queries.h"

/* How many migrations stand before the one of this name. */
static size_t before(const char *name)
{
	for (size_t i = 0; i < manager_migration_count; i++) {
		if (strcmp(manager_migrations[i].name, name) == 0)
			return i;
	}
	fail_msg("there is no migration %s", name);
	return 0;
}

static void begin_before(struct fixture *fixture, const char *name)
{
	fixture_begin(fixture);
	fixture->options.migrations = manager_migrations;
	fixture->options.migration_count = before(name);
	fixture_open(fixture);
}

static void upgrade(struct fixture *fixture)
{
	store_close(fixture->store);
	fixture->store = NULL;
	fixture->options.migration_count = manager_migration_count;
	fixture_open(fixture);
}

static int run_sql(struct store_session *session, void *argument, struct err *err)
{
	return cursor_run(cursor_open_text(session, argument), err);
}

static void run(struct fixture *fixture, const char *sql)
{
	char copy[1024];
	struct err err = { 0 };

	snprintf(copy, sizeof(copy), "%s", sql);
	if (store_write_wait(fixture->store, run_sql, copy, &err) != 0)
		fail_msg("%s: %s", sql, err.text);
}

struct asked {
	const char *sql; /* one row with one column `text` */
	char text[512];
};

static int ask_sql(struct store_session *session, void *argument, struct err *err)
{
	struct asked *asked = argument;
	struct cursor *cursor = cursor_open_text(session, asked->sql);

	if (cursor_next(cursor))
		snprintf(asked->text, sizeof(asked->text), "%s", cursor_text(cursor, "text"));
	return cursor_end(cursor, err);
}

static void expect(struct fixture *fixture, const char *sql, const char *text)
{
	struct asked asked = { .sql = sql };
	struct err err = { 0 };

	if (store_read(fixture->store, ask_sql, &asked, &err) != 0)
		fail_msg("%s: %s", sql, err.text);
	assert_string_equal(asked.text, text);
}

static const char *const alerts_of_an_older_manager[] = {
	"INSERT INTO computer (id, name, certificate_fingerprint, certificate_not_after, enrolled, status)"
	" VALUES (x'01', 'one', x'01', 0, 0, 'offline'), (x'02', 'two', x'02', 0, 0, 'online')",
	/* The first alert and its changes were deleted: numbers do not begin anew. */
	"INSERT INTO alert (id, type, severity, raised) VALUES (x'a0', 'quarantine_full', 'error', 1)",
	"INSERT INTO alert_change (id, alert, change, time) VALUES (x'c0', x'a0', 'raised', 1)",
	"DELETE FROM alert",
	"INSERT INTO alert (id, type, computer, subject, detail, severity, raised, state, ended, dismissed_by) VALUES"
	" (x'a3', 'component_failed', x'01', 'engine', 'why', 'warning', 5, 'dismissed', 9, 'ann'),"
	" (x'a1', 'computer_offline', x'01', '', '', 'error', 6, 'open', NULL, ''),"
	" (x'a2', 'computer_offline', x'02', '', '', 'error', 6, 'resolved', 8, ''),"
	" (x'a4', 'quarantine_full', NULL, '', '', 'error', 7, 'open', NULL, '')",
	"INSERT INTO alert_change (id, alert, change, time, changed_by, reason) VALUES"
	" (x'c1', x'a3', 'raised', 5, 'system', ''), (x'c2', x'a1', 'raised', 6, 'system', ''),"
	" (x'c3', x'a2', 'raised', 6, 'system', ''), (x'c4', x'a4', 'raised', 7, 'system', ''),"
	" (x'c5', x'a2', 'resolved', 8, 'system', ''), (x'c6', x'a3', 'dismissed', 9, 'ann', 'known')",
};

static void begin_with_alerts(struct fixture *fixture)
{
	begin_before(fixture, "alert_number");
	for (size_t i = 0; i < COUNT_OF(alerts_of_an_older_manager); i++)
		run(fixture, alerts_of_an_older_manager[i]);
}

static void alerts_get_numbers_and_keep_their_history(void **state)
{
	struct fixture fixture;

	(void)state;
	begin_with_alerts(&fixture);
	upgrade(&fixture);
	expect(&fixture,
	       "SELECT group_concat(number || hex(id) || type || hex(computer) || subject || detail"
	       " || severity || raised || state || coalesce(ended, '-') || dismissed_by, ' ') AS text"
	       " FROM (SELECT * FROM alert ORDER BY number)",
	       "1A3component_failed01enginewhywarning5dismissed9ann 2A1computer_offline01error6open- "
	       "3A2computer_offline02error6resolved8 4A4quarantine_fullerror7open-");
	expect(&fixture,
	       "SELECT group_concat(alert_change.number || hex(alert_change.id) || hex(alert.id) || change || time ||"
	       " changed_by || reason, ' ') AS text"
	       " FROM (SELECT * FROM alert_change ORDER BY number) AS alert_change"
	       " JOIN alert ON alert.number = alert_change.alert",
	       "2C1A3raised5system 3C2A1raised6system 4C3A2raised6system 5C4A4raised7system 6C5A2resolved8system "
	       "7C6A3dismissed9annknown");
	expect(&fixture, "SELECT count(*) || '' AS text FROM pragma_foreign_key_check", "0");
	expect(&fixture, "SELECT min(integrity_check) AS text FROM pragma_integrity_check", "ok");
	fixture_end(&fixture);
}

static void numbers_of_changes_go_on_when_all_were_deleted(void **state)
{
	struct fixture fixture;

	(void)state;
	begin_with_alerts(&fixture);
	run(&fixture, "DELETE FROM alert");
	upgrade(&fixture);
	run(&fixture, "INSERT INTO alert (id, type, severity, raised) VALUES (x'a9', 'quarantine_full', 'error', 1)");
	run(&fixture,
	    "INSERT INTO alert_change (id, alert, change, time) SELECT x'c9', number, 'raised', 1 FROM alert");
	expect(&fixture, "SELECT group_concat(number, ' ') AS text FROM alert_change", "8");
	fixture_end(&fixture);
}

static void rules_of_alerts_hold_afterwards(void **state)
{
	struct fixture fixture;
	char twice[] = "INSERT INTO alert (id, type, computer, severity, raised)"
		       " VALUES (x'a9', 'computer_offline', x'01', 'error', 9)";
	char orphan[] = "INSERT INTO alert_change (id, alert, change, time) VALUES (x'c9', 99, 'raised', 1)";

	(void)state;
	begin_with_alerts(&fixture);
	upgrade(&fixture);
	assert_int_equal(store_write_wait(fixture.store, run_sql, twice, NULL), ERR_EXISTS);
	assert_int_equal(store_write_wait(fixture.store, run_sql, orphan, NULL), ERR_NOT_FOUND);
	run(&fixture, "DELETE FROM alert WHERE state <> 'open'");
	expect(&fixture, "SELECT group_concat(hex(id), ' ') AS text FROM (SELECT id FROM alert_change ORDER BY number)",
	       "C2 C4");
	fixture_end(&fixture);
}

static void a_new_manager_has_no_changes(void **state)
{
	struct fixture fixture;

	(void)state;
	begin_before(&fixture, "alert_number");
	upgrade(&fixture);
	run(&fixture, "INSERT INTO alert (id, type, severity, raised) VALUES (x'a9', 'quarantine_full', 'error', 1)");
	run(&fixture,
	    "INSERT INTO alert_change (id, alert, change, time) SELECT x'c9', number, 'raised', 1 FROM alert");
	expect(&fixture, "SELECT group_concat(number, ' ') AS text FROM alert_change", "1");
	fixture_end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alerts_get_numbers_and_keep_their_history),
		cmocka_unit_test(numbers_of_changes_go_on_when_all_were_deleted),
		cmocka_unit_test(rules_of_alerts_hold_afterwards),
		cmocka_unit_test(a_new_manager_has_no_changes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
