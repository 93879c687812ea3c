/* store/store.h: writes, groups, failures, cursors, readers. */
#include "fixture.h"

#include <pthread.h>

static int begin(void **state)
{
	static struct fixture fixture;

	fixture_begin(&fixture);
	fixture_open(&fixture);
	*state = &fixture;
	return 0;
}

static int end(void **state)
{
	fixture_end(*state);
	return 0;
}

/* Counts calls of done(); several writes may share one. */
struct outcome {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	int calls, good, last_error;
	char text[ERR_TEXT_BYTES];
};

static void outcome_init(struct outcome *outcome)
{
	memset(outcome, 0, sizeof(*outcome));
	pthread_mutex_init(&outcome->mutex, NULL);
	pthread_cond_init(&outcome->changed, NULL);
}

static void outcome_wait(struct outcome *outcome, int calls)
{
	pthread_mutex_lock(&outcome->mutex);
	while (outcome->calls < calls)
		pthread_cond_wait(&outcome->changed, &outcome->mutex);
	pthread_mutex_unlock(&outcome->mutex);
}

struct job {
	struct item item;
	struct outcome *outcome;
};

static int job_run(struct store_session *session, void *argument, struct err *err)
{
	return insert_item(session, &((struct job *)argument)->item, err);
}

static void job_done(void *argument, int rc, const struct err *err)
{
	struct outcome *outcome = ((struct job *)argument)->outcome;

	pthread_mutex_lock(&outcome->mutex);
	outcome->calls++;
	outcome->good += rc == 0;
	if (rc != 0) {
		outcome->last_error = rc;
		snprintf(outcome->text, sizeof(outcome->text), "%s", err->text);
	}
	pthread_cond_broadcast(&outcome->changed);
	pthread_mutex_unlock(&outcome->mutex);
}

/* Holds the writer inside a write until told to go on. */
struct gate {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool inside, open;
};

static int gate_run(struct store_session *session, void *argument, struct err *err)
{
	struct gate *gate = argument;

	(void)session;
	(void)err;
	pthread_mutex_lock(&gate->mutex);
	gate->inside = true;
	pthread_cond_broadcast(&gate->changed);
	while (!gate->open)
		pthread_cond_wait(&gate->changed, &gate->mutex);
	pthread_mutex_unlock(&gate->mutex);
	return 0;
}

static void gate_close(struct gate *gate, struct store *store)
{
	memset(gate, 0, sizeof(*gate));
	pthread_mutex_init(&gate->mutex, NULL);
	pthread_cond_init(&gate->changed, NULL);
	assert_int_equal(store_write(store, gate_run, NULL, gate), 0);
	pthread_mutex_lock(&gate->mutex);
	while (!gate->inside)
		pthread_cond_wait(&gate->changed, &gate->mutex);
	pthread_mutex_unlock(&gate->mutex);
}

static void gate_open(struct gate *gate)
{
	pthread_mutex_lock(&gate->mutex);
	gate->open = true;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->mutex);
}

static void a_write_is_there_for_readers(void **state)
{
	struct fixture *fixture = *state;
	struct item item = { .id = 1, .name = "a" };

	assert_int_equal(store_write_wait(fixture->store, insert_item, &item, NULL), 0);
	assert_int_equal(items_of(fixture->store), 1);
	store_close(fixture->store);
	fixture_open(fixture);
	assert_int_equal(items_of(fixture->store), 1);
}

static void many_writes_share_a_commit(void **state)
{
	struct fixture *fixture = *state;
	static struct job jobs[500];
	struct store_counters counters;
	struct outcome outcome;
	struct gate gate;

	outcome_init(&outcome);
	gate_close(&gate, fixture->store);
	for (int i = 0; i < 500; i++) {
		jobs[i] = (struct job){ { .id = i + 1 }, &outcome };
		assert_int_equal(store_write(fixture->store, job_run, job_done, &jobs[i]), 0);
	}
	store_counters(fixture->store, &counters);
	assert_int_equal(counters.queued, 500);
	gate_open(&gate);
	outcome_wait(&outcome, 500);
	store_counters(fixture->store, &counters);
	assert_int_equal(outcome.good, 500);
	assert_int_equal(counters.writes, 501);
	assert_int_equal(counters.failures, 0);
	/* The gate's own, and 500 in groups of at most 64. */
	assert_in_range(counters.commits, 9, 10);
	assert_int_equal(items_of(fixture->store), 500);
	assert_true(counters.bytes > 0);
}

static void a_failing_write_undoes_only_itself(void **state)
{
	struct fixture *fixture = *state;
	struct outcome outcome;
	struct gate gate;
	struct job jobs[] = {
		{ { .id = 1, .name = "a" }, &outcome },
		{ { .id = 2, .name = "b", .rc = ERR_WRONG_STATE }, &outcome }, /* inserts, then fails */
		{ { .id = 3, .name = "a" }, &outcome },                        /* unique */
		{ { .id = 4, .name = "d" }, &outcome },
	};

	outcome_init(&outcome);
	gate_close(&gate, fixture->store);
	for (size_t i = 0; i < COUNT_OF(jobs); i++)
		assert_int_equal(store_write(fixture->store, job_run, job_done, &jobs[i]), 0);
	gate_open(&gate);
	outcome_wait(&outcome, 4);
	assert_int_equal(outcome.good, 2);
	assert_int_equal(outcome.last_error, ERR_EXISTS);
	assert_non_null(strstr(outcome.text, "item_insert: UNIQUE constraint failed: item.name"));
	assert_int_equal(items_of(fixture->store), 2);
}

static void a_failure_without_words_gets_some(void **state)
{
	struct fixture *fixture = *state;
	struct item item = { .id = 1, .rc = ERR_WRONG_STATE };
	struct err err = { 0 };

	assert_int_equal(store_write_wait(fixture->store, insert_item, &item, &err), ERR_WRONG_STATE);
	assert_string_equal(err.text, "state");
}

static void unique_violation_is_exists(void **state)
{
	struct fixture *fixture = *state;
	struct item item = { .id = 1, .name = "a" };
	struct err err = { 0 };

	assert_int_equal(store_write_wait(fixture->store, insert_item, &item, &err), 0);
	item.name = "b";
	assert_int_equal(store_write_wait(fixture->store, insert_item, &item, &err), ERR_EXISTS);
	assert_int_equal(err.code, ERR_EXISTS);
}

struct told {
	struct store *store;
	int64_t seen; /* rows that a reader sees when told */
	int committed, undone;
	int rc; /* of the write */
};

static void tell(void *argument, bool committed)
{
	struct told *told = argument;

	told->committed += committed;
	told->undone += !committed;
	told->seen = items_of(told->store);
}

static int write_and_tell(struct store_session *session, void *argument, struct err *err)
{
	struct told *told = argument;
	struct item item = { .id = 5 };

	assert_int_equal(store_after(session, tell, told), 0);
	assert_int_equal(store_after(session, tell, told), 0);
	assert_int_equal(insert_item(session, &item, err), 0);
	return told->rc;
}

static int tell_in_a_read(struct store_session *session, void *argument, struct err *err)
{
	(void)err;
	return store_after(session, tell, argument);
}

static void others_are_told_after_the_commit(void **state)
{
	struct fixture *fixture = *state;
	struct told told = { .store = fixture->store, .rc = ERR_RANGE };

	assert_int_equal(store_write_wait(fixture->store, write_and_tell, &told, NULL), ERR_RANGE);
	assert_int_equal(told.undone, 2);
	assert_int_equal(told.committed, 0);
	assert_int_equal(told.seen, 0);
	told.rc = 0;
	assert_int_equal(store_write_wait(fixture->store, write_and_tell, &told, NULL), 0);
	assert_int_equal(told.undone, 2);
	assert_int_equal(told.committed, 2);
	assert_int_equal(told.seen, 1);
	assert_int_equal(store_read(fixture->store, tell_in_a_read, &told, NULL), ERR_WRONG_STATE);
}

static void a_full_queue_refuses(void **state)
{
	struct fixture *fixture = *state;
	static struct job jobs[10];
	struct outcome outcome;
	struct gate gate;
	struct item item = { .id = 99 };
	struct err err;

	store_close(fixture->store);
	fixture->options.queue_count = 10;
	fixture_open(fixture);
	outcome_init(&outcome);
	gate_close(&gate, fixture->store);
	for (int i = 0; i < 10; i++) {
		jobs[i] = (struct job){ { .id = i + 1 }, &outcome };
		assert_int_equal(store_write(fixture->store, job_run, job_done, &jobs[i]), 0);
	}
	assert_int_equal(store_write(fixture->store, job_run, job_done, &jobs[0]), ERR_BUSY);
	assert_int_equal(store_write_wait(fixture->store, insert_item, &item, &err), ERR_BUSY);
	assert_non_null(strstr(err.text, "try again"));
	gate_open(&gate);
	outcome_wait(&outcome, 10);
	assert_int_equal(outcome.good, 10);
	assert_int_equal(items_of(fixture->store), 10);
}

/* Which of the queued writes ran when: only the writer's thread looks at it before they are done. */
struct step {
	struct outcome *outcome;
	const char *name;
	char *ran; /* names in the order in which they ran */
};

static int step_run(struct store_session *session, void *argument, struct err *err)
{
	const struct step *step = argument;

	(void)session;
	(void)err;
	strcat(step->ran, step->name);
	return 0;
}

static void step_done(void *argument, int rc, const struct err *err)
{
	struct job job = { .outcome = ((struct step *)argument)->outcome };

	job_done(&job, rc, err);
}

/* "b1": the first of b; "-1": of nobody. */
static void queue_steps(struct store *store, struct step *steps, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct uuid of = { { (uint8_t)names[i][0] } };

		steps[i] = (struct step){ steps[0].outcome, names[i], steps[0].ran };
		assert_int_equal(names[i][0] == '-' ? store_write(store, step_run, step_done, &steps[i])
						    : store_write_of(store, &of, step_run, step_done, &steps[i]),
				 0);
	}
}

static void what_waits_is_done_in_the_order_of_whose_it_is(void **state)
{
	static const char *const names[] = { "c1", "a1", "b1", "a2", "c2", "-1", "b2", "-2", "-3", "c3", "b3", "a3" };
	struct fixture *fixture = *state;
	struct step steps[COUNT_OF(names)];
	struct outcome outcome;
	char ran[64] = "";
	struct gate gate;

	for (size_t group = 1; group <= 5; group += 2) {
		store_close(fixture->store);
		fixture->options.group_count = group; /* a run is longer than a group, and ends inside one */
		fixture_open(fixture);
		outcome_init(&outcome);
		steps[0] = (struct step){ .outcome = &outcome, .ran = ran };
		ran[0] = '\0';
		gate_close(&gate, fixture->store);
		queue_steps(fixture->store, steps, names, COUNT_OF(names));
		gate_open(&gate);
		outcome_wait(&outcome, (int)COUNT_OF(names));
		assert_int_equal(outcome.good, COUNT_OF(names));
		assert_string_equal(ran, "a1a2b1c1c2-1b2-2-3a3b3c3");
	}
}

static void closing_finishes_what_is_queued(void **state)
{
	struct fixture *fixture = *state;
	static struct job jobs[300];
	struct outcome outcome;

	outcome_init(&outcome);
	for (int i = 0; i < 300; i++) {
		struct uuid of = { { (uint8_t)(1 + i % 7) } };

		jobs[i] = (struct job){ { .id = i + 1 }, &outcome };
		assert_int_equal(store_write_of(fixture->store, i % 50 == 0 ? NULL : &of, job_run, job_done, &jobs[i]),
				 0);
	}
	store_close(fixture->store);
	assert_int_equal(outcome.good, 300);
	fixture_open(fixture);
	assert_int_equal(items_of(fixture->store), 300);
}

static int read_while_written(struct store_session *session, void *argument, struct err *err)
{
	struct fixture *fixture = argument;
	struct item item = { .id = 7 };
	int64_t before = -1, after = -1;

	count_items(session, &before, err);
	assert_int_equal(store_write_wait(fixture->store, insert_item, &item, err), 0);
	count_items(session, &after, err);
	assert_int_equal(before, after);
	return 0;
}

static void a_read_sees_one_moment(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(store_read(fixture->store, read_while_written, fixture, NULL), 0);
	assert_int_equal(items_of(fixture->store), 1);
}

static int write_in_a_read(struct store_session *session, void *argument, struct err *err)
{
	return insert_item(session, argument, err);
}

static void a_reader_cannot_write(void **state)
{
	struct fixture *fixture = *state;
	struct item item = { .id = 1 };

	assert_int_equal(store_read(fixture->store, write_in_a_read, &item, NULL), ERR_DENIED);
	assert_int_equal(items_of(fixture->store), 0);
}

static int misuse(struct store_session *session, void *argument, struct err *err)
{
	static const struct store_statement select = { "item_get", "SELECT id, name, data FROM item WHERE id = :id" };
	struct cursor *cursor = cursor_open(session, &select);
	struct uuid uuid;

	(void)argument;
	assert_false(cursor_next(cursor));
	assert_int_equal(cursor_end(cursor, err), ERR_INTERNAL);
	assert_string_equal(err->text, "item_get: parameter :id was not bound");

	cursor = cursor_open(session, &select);
	cursor_bind_number(cursor, "nothing", 1);
	cursor_bind_number(cursor, "id", 1);
	assert_false(cursor_next(cursor));
	assert_int_equal(cursor_end(cursor, err), ERR_INTERNAL);
	assert_string_equal(err->text, "item_get: parameter nothing does not exist");

	cursor = cursor_open(session, &select);
	cursor_bind_number(cursor, "id", 1);
	assert_true(cursor_next(cursor));
	assert_string_equal(cursor_text(cursor, "absent"), "");
	assert_int_equal(cursor_number(cursor, "id"), 0);
	assert_int_equal(cursor_end(cursor, err), ERR_INTERNAL);
	assert_string_equal(err->text, "item_get: no column absent");

	cursor = cursor_open(session, &select);
	cursor_bind_number(cursor, "id", 1);
	assert_true(cursor_next(cursor));
	cursor_uuid(cursor, "data", &uuid);
	assert_int_equal(cursor_end(cursor, err), ERR_FORMAT);

	cursor = cursor_open_text(session, "SELECT FROM");
	cursor_bind_number(cursor, "id", 1);
	assert_false(cursor_next(cursor));
	assert_int_equal(cursor_end(cursor, err), ERR_INTERNAL);
	assert_int_equal(cursor_run(NULL, err), ERR_MEMORY);
	return 0;
}

static void cursors_are_sticky_and_strict(void **state)
{
	struct fixture *fixture = *state;
	struct item item = { .id = 1 };
	struct err err = { 0 };

	assert_int_equal(store_write_wait(fixture->store, insert_item, &item, &err), 0);
	assert_int_equal(store_read(fixture->store, misuse, NULL, &err), 0);
}

static int nested(struct store_session *session, void *argument, struct err *err)
{
	static const struct store_statement select = { "item_from", "SELECT * FROM item WHERE id >= :id ORDER BY id" };
	struct cursor *outer = cursor_open(session, &select), *inner;
	int64_t *pairs = argument;

	cursor_bind_number(outer, "id", 1);
	while (cursor_next(outer)) {
		struct bytes data = cursor_bytes(outer, "data");

		assert_int_equal(data.size, 2);
		assert_memory_equal(data.data, "\0x", 2);
		inner = cursor_open(session, &select);
		cursor_bind_number(inner, "id", cursor_number(outer, "id"));
		while (cursor_next(inner))
			(*pairs)++;
		assert_int_equal(cursor_end(inner, err), 0);
	}
	return cursor_end(outer, err);
}

static void the_same_statement_nests(void **state)
{
	struct fixture *fixture = *state;
	int64_t pairs = 0;

	for (int64_t id = 1; id <= 4; id++) {
		struct item item = { .id = id };

		assert_int_equal(store_write_wait(fixture->store, insert_item, &item, NULL), 0);
	}
	assert_int_equal(store_read(fixture->store, nested, &pairs, NULL), 0);
	assert_int_equal(pairs, 10);
}

static int forget_cursor(struct store_session *session, void *argument, struct err *err)
{
	struct cursor *cursor = cursor_open_text(session, "SELECT id FROM item");

	(void)argument;
	(void)err;
	cursor_next(cursor);
	return 0;
}

static void a_forgotten_cursor_does_no_harm(void **state)
{
	struct fixture *fixture = *state;
	struct item item = { .id = 1 };

	assert_int_equal(store_write_wait(fixture->store, insert_item, &item, NULL), 0);
	assert_int_equal(store_write_wait(fixture->store, forget_cursor, NULL, NULL), 0);
	item.id = 2;
	assert_int_equal(store_write_wait(fixture->store, insert_item, &item, NULL), 0);
	assert_int_equal(store_read(fixture->store, forget_cursor, NULL, NULL), 0);
	assert_int_equal(items_of(fixture->store), 2);
}

static void *read_often(void *argument)
{
	struct fixture *fixture = argument;
	int64_t last = 0;

	for (int i = 0; i < 200; i++) {
		int64_t count = items_of(fixture->store);

		assert_true(count >= last);
		last = count;
	}
	return NULL;
}

static void readers_share_the_pool(void **state)
{
	struct fixture *fixture = *state;
	pthread_t threads[6];
	static struct job jobs[200];
	struct outcome outcome;

	outcome_init(&outcome);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_often, fixture), 0);
	for (int i = 0; i < 200; i++) {
		jobs[i] = (struct job){ { .id = i + 1 }, &outcome };
		assert_int_equal(store_write(fixture->store, job_run, job_done, &jobs[i]), 0);
	}
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
	outcome_wait(&outcome, 200);
	assert_int_equal(items_of(fixture->store), 200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_write_is_there_for_readers),
		TEST(many_writes_share_a_commit),
		TEST(a_failing_write_undoes_only_itself),
		TEST(a_failure_without_words_gets_some),
		TEST(unique_violation_is_exists),
		TEST(others_are_told_after_the_commit),
		TEST(a_full_queue_refuses),
		TEST(what_waits_is_done_in_the_order_of_whose_it_is),
		TEST(closing_finishes_what_is_queued),
		TEST(a_read_sees_one_moment),
		TEST(a_reader_cannot_write),
		TEST(cursors_are_sticky_and_strict),
		TEST(the_same_statement_nests),
		TEST(a_forgotten_cursor_does_no_harm),
		TEST(readers_share_the_pool),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
