/* sql/: the manager's schema and every statement of it, against SQLite itself. */
#include "fixture.h"

#include "manager/queries.h"

static int prepare_all(struct store_session *session, void *argument, struct err *err)
{
	(void)argument;
	for (size_t i = 0; i < manager_statement_count; i++) {
		int rc = cursor_end(cursor_open(session, manager_statements[i]), err);

		if (rc != 0)
			return rc;
	}
	return 0;
}

static void every_statement_fits_the_schema(void **state)
{
	struct fixture fixture;
	struct err err = { 0 };

	(void)state;
	fixture_begin(&fixture);
	fixture.options.migrations = manager_migrations;
	fixture.options.migration_count = manager_migration_count;
	fixture_open(&fixture);
	assert_true(manager_statement_count > 40);
	if (store_read(fixture.store, prepare_all, NULL, &err) != 0)
		fail_msg("%s", err.text);
	fixture_end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_statement_fits_the_schema),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
