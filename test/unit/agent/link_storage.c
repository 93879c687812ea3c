/* agent/link_storage.h: appended, synced, replaced; read back under a limit. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/link/link_storage.h"
#include "os/files.h"
#include "trust/signing_key.h"

struct place {
	char path[64];
	int directory;
	struct link_storage *storage;
	struct endpoint_storage table;
};

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	snprintf(place->path, sizeof(place->path), "/tmp/muster-link-storage-XXXXXX");
	assert_non_null(mkdtemp(place->path));
	place->directory = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(link_storage_new(place->directory, place->directory, &place->storage, NULL), 0);
	place->table = link_storage_table(place->storage);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = { "spool.log", "journal.log", "configuration", "manager.pub" };
	struct place *place = *state;

	link_storage_free(place->storage);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlinkat(place->directory, names[i], 0);
	close(place->directory);
	assert_int_equal(rmdir(place->path), 0); /* nothing else was left there */
	free(place);
	return 0;
}

static void reads(const struct place *place, const char *name, size_t max, const char *expected)
{
	struct buf out;

	buf_init(&out, max);
	assert_int_equal(place->table.read(place->table.context, name, &out, NULL), 0);
	assert_int_equal(out.size, strlen(expected));
	assert_memory_equal(buf_text(&out), expected, out.size);
	buf_done(&out);
}

static void appends(const struct place *place, const char *name, const char *text)
{
	assert_int_equal(place->table.append(place->table.context, name, text, strlen(text), NULL), 0);
	assert_int_equal(place->table.sync(place->table.context, name, NULL), 0);
}

static void logs_are_apart_and_outlive_the_object(void **state)
{
	struct place *place = *state;

	reads(place, "spool", 100, "");
	appends(place, "spool", "one");
	appends(place, "spool", "two");
	appends(place, "journal", "other");
	reads(place, "spool", 100, "onetwo");
	link_storage_free(place->storage);
	assert_int_equal(link_storage_new(place->directory, place->directory, &place->storage, NULL), 0);
	place->table = link_storage_table(place->storage);
	reads(place, "spool", 100, "onetwo");
	reads(place, "journal", 100, "other");
}

static void replace_is_followed_by_append(void **state)
{
	struct place *place = *state;

	appends(place, "spool", "a long old content");
	assert_int_equal(place->table.replace(place->table.context, "spool", "new", 3, NULL), 0);
	appends(place, "spool", "er");
	reads(place, "spool", 100, "newer");
}

static void reading_stops_at_the_limit(void **state)
{
	struct place *place = *state;

	appends(place, "spool", "0123456789");
	reads(place, "spool", 4, "0123");
}

static void a_failed_append_leaves_no_half_record(void **state)
{
	struct place *place = *state;
	struct rlimit before, limit;
	char block[8192];

	memset(block, 'x', sizeof(block));
	appends(place, "spool", "whole");
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 4096; /* the write is cut in the middle */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_true(place->table.append(place->table.context, "spool", block, sizeof(block), NULL) < 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	reads(place, "spool", 100, "whole");
	appends(place, "spool", "next");
	reads(place, "spool", 100, "wholenext");
}

/* In the form of the identity's other files, whole at every moment. */
static void the_trusted_key_becomes_a_public_key_file(void **state)
{
	struct place *place = *state;
	uint8_t key[ENVELOPE_KEY_BYTES] = { 1, 2, 3 }, again[ENVELOPE_KEY_BYTES];
	struct buf pem;

	assert_int_equal(place->table.replace(place->table.context, ENDPOINT_KEY_FILE, key, sizeof(key), NULL), 0);
	key[0] = 9;
	assert_int_equal(place->table.replace(place->table.context, ENDPOINT_KEY_FILE, key, sizeof(key), NULL), 0);
	buf_init(&pem, 4096);
	assert_int_equal(files_read(place->directory, "manager.pub", 4096, &pem, NULL), 0);
	assert_int_equal(signing_public_parse(pem.data, pem.size, again, NULL), 0);
	assert_memory_equal(key, again, sizeof(key));
	assert_int_equal(place->table.replace(place->table.context, ENDPOINT_KEY_FILE, key, 31, NULL), ERR_INTERNAL);
	buf_done(&pem);
}

static void other_names_are_refused(void **state)
{
	struct place *place = *state;

	assert_int_equal(place->table.sync(place->table.context, "../spool", NULL), ERR_INTERNAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(logs_are_apart_and_outlive_the_object),
		TEST(replace_is_followed_by_append),
		TEST(reading_stops_at_the_limit),
		TEST(a_failed_append_leaves_no_half_record),
		TEST(the_trusted_key_becomes_a_public_key_file),
		TEST(other_names_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
