/* The outbox: numbers, order, what a crash leaves. And plans. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/guard/outbox.h"
#include "agent/guard/plan.h"
#include "os/files.h"

struct place {
	char path[64];
	int fd;
};

static int set_up(void **state)
{
	static struct place place;

	snprintf(place.path, sizeof(place.path), "/tmp/muster-outbox-XXXXXX");
	assert_non_null(mkdtemp(place.path));
	place.fd = open(place.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = &place;
	return place.fd >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	files_empty_directory(place->fd);
	close(place->fd);
	return rmdir(place->path);
}

static struct outbox_damage damage;

static struct outbox *open_outbox(const struct place *place)
{
	struct outbox *outbox = NULL;

	assert_int_equal(outbox_open(place->fd, "outbox.log", 0, &outbox, &damage, NULL), 0);
	return outbox;
}

static void append(struct outbox *outbox, uint32_t type)
{
	struct message_notice notice = { .kind = NOTICE_EVENT, .body.event.type = type };

	assert_int_equal(outbox_append(outbox, &notice, NULL), 0);
}

/* Type of the event after `number`, 0 when there is none. */
static uint32_t next(struct outbox *outbox, uint64_t *number)
{
	struct message_notice notice = { 0 };
	struct buf bytes;

	buf_init(&bytes, CHANNEL_PAYLOAD_MAX_BYTES);
	if (outbox_next(outbox, *number, &bytes, number, NULL) == 0) {
		assert_int_equal(message_unpack_notice(bytes.data, bytes.size, &notice), 0);
		assert_int_equal(notice.number, *number);
	}
	buf_done(&bytes);
	return notice.body.event.type;
}

static void numbers_go_on_for_ever(void **state)
{
	struct outbox *outbox = open_outbox(*state);
	uint64_t number = 0;

	append(outbox, 1);
	append(outbox, 2);
	assert_int_equal(next(outbox, &number), 1);
	assert_int_equal(outbox_stored(outbox, 1, NULL), 0);
	outbox_close(outbox);
	outbox = open_outbox(*state);
	assert_int_equal(outbox_stored(outbox, 1, NULL), 0);
	assert_int_equal(outbox_finished(outbox), 1);
	number = 1;
	assert_int_equal(next(outbox, &number), 2);
	assert_int_equal(number, 2);
	assert_int_equal(outbox_stored(outbox, 2, NULL), 0);
	assert_int_equal(next(outbox, &number), 0);
	outbox_close(outbox);
	/* Empty again, but the numbers are not given twice. */
	outbox = open_outbox(*state);
	assert_int_equal(outbox_last(outbox), 2);
	append(outbox, 3);
	number = 0;
	assert_int_equal(next(outbox, &number), 3);
	assert_int_equal(number, 3);
	outbox_close(outbox);
}

/* Cut at every length: what was whole is there, the next number follows it. */
static void a_crash_costs_only_what_was_not_finished(void **state)
{
	const struct place *place = *state;
	struct outbox *outbox = open_outbox(place);
	struct buf whole;
	off_t one;
	struct stat st;

	append(outbox, 1);
	assert_int_equal(fstatat(place->fd, "outbox.log", &st, 0), 0);
	one = st.st_size;
	append(outbox, 2);
	outbox_close(outbox);
	buf_init(&whole, 100000);
	assert_int_equal(files_read(place->fd, "outbox.log", 100000, &whole, NULL), 0);
	for (size_t size = (size_t)one; size < whole.size; size++) {
		uint64_t number = 0;

		assert_int_equal(files_write(place->fd, "outbox.log", whole.data, size, 0600, NULL), 0);
		outbox = open_outbox(place);
		assert_int_equal(outbox_last(outbox), 1);
		append(outbox, 9);
		assert_int_equal(next(outbox, &number), 1);
		assert_int_equal(next(outbox, &number), 9);
		assert_int_equal(number, 2);
		outbox_close(outbox);
	}
	/* A bit that fell over in the last record. */
	whole.data[whole.size - 1] ^= 1;
	assert_int_equal(files_write(place->fd, "outbox.log", whole.data, whole.size, 0600, NULL), 0);
	outbox = open_outbox(place);
	assert_int_equal(outbox_last(outbox), 1);
	assert_int_equal(damage.places, 0); /* a crash may have left it so */
	outbox_close(outbox);
	buf_done(&whole);
}

/* Whatever byte falls over: what stands elsewhere is told, under its number, and nothing twice. */
static void damage_costs_only_what_it_hit(void **state)
{
	const struct place *place = *state;
	struct outbox *outbox = open_outbox(place);
	struct buf whole;

	for (uint32_t type = 1; type <= 4; type++)
		append(outbox, type);
	outbox_close(outbox);
	buf_init(&whole, 100000);
	assert_int_equal(files_read(place->fd, "outbox.log", 100000, &whole, NULL), 0);
	for (size_t at = 0; at < whole.size; at++) {
		uint64_t number = 0;
		unsigned told = 0;
		uint32_t type;

		whole.data[at] ^= 0x40;
		assert_int_equal(files_write(place->fd, "outbox.log", whole.data, whole.size, 0600, NULL), 0);
		whole.data[at] ^= 0x40;
		outbox = open_outbox(place);
		while ((type = next(outbox, &number)) != 0) {
			assert_int_equal(type, number);
			told++;
		}
		assert_true(told == (at < 20 ? 4 : 3));
		assert_int_equal(damage.places, number == 4);
		append(outbox, 9);
		assert_int_equal(outbox_last(outbox), number + 1);
		outbox_close(outbox);
		outbox = open_outbox(place);
		assert_int_equal(damage.places, 0); /* said once */
		assert_int_equal(outbox_last(outbox), number + 1);
		outbox_close(outbox);
	}
	buf_done(&whole);
}

/* Link takes a number that it knows already for told: none is given twice, whatever became of the file. */
static void a_file_begun_anew_goes_on_above(void **state)
{
	static const char *const rubbish[] = { "", "MUSTERO2 of another version", "                " };
	const struct place *place = *state;
	struct outbox *outbox;
	struct stat st;

	assert_int_equal(outbox_open(place->fd, "outbox.log", 1000, &outbox, &damage, NULL), 0);
	assert_int_equal(damage.places, 0);
	append(outbox, 1);
	assert_int_equal(outbox_last(outbox), 1001);
	outbox_close(outbox);
	for (size_t i = 0; i < COUNT_OF(rubbish); i++) {
		assert_int_equal(files_write(place->fd, "outbox.log", rubbish[i], 8 * i, 0600, NULL), 0);
		assert_int_equal(outbox_open(place->fd, "outbox.log", 2000, &outbox, &damage, NULL), 0);
		assert_int_equal(damage.places, 1);
		append(outbox, 1);
		assert_int_equal(outbox_last(outbox), 2001);
		outbox_close(outbox);
		assert_int_equal(fstatat(place->fd, "outbox.log.damaged", &st, 0), 0);
		assert_int_equal(st.st_size, 8 * i);
	}
}

static void knows_the_end_of_a_job(void **state)
{
	struct outbox *outbox = open_outbox(*state);
	struct message_notice notice = { .kind = NOTICE_JOB_ENDED };
	struct uuid job = { { 1 } }, other = { { 2 } };

	notice.body.ended.outcome = OUTCOME_SUCCEEDED;
	notice.body.ended.last.job = job;
	append(outbox, 1);
	assert_int_equal(outbox_append(outbox, &notice, NULL), 0);
	assert_true(outbox_holds_end(outbox, &job));
	assert_false(outbox_holds_end(outbox, &other));
	assert_int_equal(outbox_stored(outbox, 2, NULL), 0);
	assert_false(outbox_holds_end(outbox, &job));
	outbox_close(outbox);
}

static void plans_are_read_from_any_record_on(void **state)
{
	const struct place *place = *state;
	struct plan_entry *entry = malloc(sizeof(*entry));
	struct plan plan;
	uint64_t offset = 0, middle = 0, end;
	char path[64];

	assert_non_null(entry);
	assert_int_equal(plan_open(place->fd, "p", true, &plan, NULL), 0);
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(path, sizeof(path), "/file\n%u", i);
		assert_int_equal(plan_append(&plan, path, i, NULL), 0);
	}
	assert_int_equal(plan_sync(&plan, NULL), 0);
	end = plan.size;
	for (unsigned i = 0; i < 5000; i++) {
		assert_int_equal(plan_read(&plan, offset, end, entry, NULL), 0);
		assert_int_equal(entry->bytes, i);
		if (i == 2500)
			middle = offset;
		offset = entry->next_offset;
	}
	assert_int_equal(plan_read(&plan, offset, end, entry, NULL), ERR_NOT_FOUND);
	plan_close(&plan);
	assert_int_equal(plan_open(place->fd, "p", false, &plan, NULL), 0);
	assert_int_equal(plan_read(&plan, middle, end, entry, NULL), 0);
	assert_string_equal(entry->path, "/file\n2500");
	assert_true(plan_read(&plan, end - 3, end, entry, NULL) < 0);
	plan_close(&plan);
	assert_int_equal(plan_open(place->fd, "none", false, &plan, NULL), ERR_NOT_FOUND);
	free(entry);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(numbers_go_on_for_ever),        TEST(a_crash_costs_only_what_was_not_finished),
		TEST(damage_costs_only_what_it_hit), TEST(a_file_begun_anew_goes_on_above),
		TEST(knows_the_end_of_a_job),        TEST(plans_are_read_from_any_record_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
