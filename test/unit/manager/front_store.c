/* A front with nothing but a database, settings and news (front_store.h). */
#include "front_store.h"

#include "manager/queries.h"

struct front front;
static struct fixture fixture;

struct statement {
	const char *sql;
	const struct uuid *id;
};

static int run_text(struct store_session *session, void *argument, struct err *err)
{
	const struct statement *statement = argument;
	struct cursor *cursor = cursor_open_text(session, statement->sql);

	if (statement->id != NULL)
		cursor_bind_uuid(cursor, "id", statement->id);
	return cursor_run(cursor, err);
}

void front_run(const char *sql, const struct uuid *id)
{
	struct statement statement = { sql, id };
	struct err err = { 0 };

	if (store_write_wait(front.store, run_text, &statement, &err) != 0)
		fail_msg("%s: %s", sql, err.text);
}

int front_begin(void)
{
	struct err err = { 0 };

	fixture_begin(&fixture);
	fixture.options.migrations = manager_migrations;
	fixture.options.migration_count = manager_migration_count;
	fixture_open(&fixture);
	front = (struct front){ .env = &env, .store = fixture.store };
	front.feed = feed_new(&err);
	return front.feed != NULL && stored_settings_open(front.store, &front.stored, &err) == 0 &&
		       event_switches_open(front.store, &front.switches, &err) == 0 &&
		       alerting_open(front.store, &front.alerting, &err) == 0
		   ? 0
		   : -1;
}

void front_end(void)
{
	alerting_free(front.alerting);
	event_switches_free(front.switches);
	stored_settings_free(front.stored);
	fixture_end(&fixture);
	feed_free(front.feed);
}
