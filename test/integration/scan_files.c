/* Files that are made to hurt, and what quarantine gives back. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "scan_harness.h"

static struct message_job_ended scan(struct harness *harness)
{
	struct uuid job = harness_scan(harness, harness->files);

	return harness_wait_end(harness, &job);
}

/* ---- hostile trees ---- */

static void hostile_names_are_bytes(void **state)
{
	static const char *const names[] = { "new\nline", "esc\033[31mape", "bad\xff\xfeutf8",    "-rf",
					     " ",         "'\"$(x)`",       "\xe2\x80\xaegnp.exe" };
	struct harness *harness = *state;
	struct message_job_ended ended;

	harness_start(harness);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		harness_write(harness, names[i], harness_eicar(), 68);
	ended = scan(harness);
	assert_int_equal(ended.last.detections, sizeof(names) / sizeof(names[0]));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_false(harness_exists(harness, names[i]));
		harness_wait_event(harness, 2000, "file", harness_path(harness, names[i]));
	}
	harness_stop(harness);
}

/* None of these is opened for reading, followed, or waited for. */
static void special_files_are_left_alone(void **state)
{
	struct harness *harness = *state;
	struct message_job_ended ended;

	harness_start(harness);
	harness_shell(harness,
		      "mkfifo fifo; mknod null c 1 3; ln -s /etc/passwd link; ln -s . loop; ln -s /nowhere dangling; "
		      "mkdir d; ln -s ../d d/up; echo healthy > d/f");
	ended = scan(harness);
	assert_int_equal(ended.outcome, OUTCOME_SUCCEEDED);
	assert_int_equal(ended.last.files_total, 1);
	assert_int_equal(ended.last.errors, 0);
	harness_stop(harness);
}

/* A terabyte of nothing costs nothing, and is not called clean. */
static void a_file_over_the_limit_is_not_fully_scanned(void **state)
{
	const struct message_limits limits = { .file_bytes_max = MIB };
	struct harness *harness = *state;
	struct message_job_ended ended;
	struct uuid job;

	harness_start(harness);
	harness_shell(harness, "truncate -s 1T sparse; echo healthy > small");
	job = harness_scan_with(harness, harness->files, &limits, NULL);
	ended = harness_wait_end(harness, &job);
	assert_int_equal(ended.outcome, OUTCOME_SUCCEEDED);
	assert_int_equal(ended.last.not_fully_scanned, 1);
	assert_int_equal(ended.last.detections, 0);
	assert_string_equal(
	    harness_field(harness_wait_event(harness, 2001, "file", harness_path(harness, "sparse")), "limit"),
	    "largest file size");
	harness_stop(harness);
}

/* The archive holds more than the limit: libclamav alone would say "clean". */
static void an_archive_over_the_limit_is_not_fully_scanned(void **state)
{
	const struct message_limits limits = { .expanded_bytes_max = 2 * MIB };
	struct harness *harness = *state;
	struct message_job_ended ended;
	struct uuid job;
	char *zeroes = calloc(1, 4 * MIB + 1);

	assert_non_null(zeroes);
	memset(zeroes, 'z', 4 * MIB);
	harness_start(harness);
	harness_archive(harness, "bomb.zip", "zeroes", zeroes);
	free(zeroes);
	job = harness_scan_with(harness, harness->files, &limits, NULL);
	ended = harness_wait_end(harness, &job);
	assert_int_equal(ended.last.not_fully_scanned, 1);
	assert_int_equal(ended.last.detections, 0);
	assert_true(harness_exists(harness, "bomb.zip"));
	harness_stop(harness);
}

static void exclusions_and_own_data_are_left_out(void **state)
{
	struct harness *harness = *state;
	struct message_job_ended ended;
	struct uuid job;

	harness_start(harness);
	harness_shell(harness, "mkdir in out");
	harness_write(harness, "in/e", harness_eicar(), 68);
	harness_write(harness, "out/e", harness_eicar(), 68);
	job = harness_scan_with(harness, harness->directory, NULL, harness_path(harness, "out"));
	ended = harness_wait_end(harness, &job);
	assert_int_equal(ended.last.files_total, 1);
	assert_int_equal(ended.last.detections, 1);
	assert_true(harness_exists(harness, "out/e"));
	harness_stop(harness);
}

static void a_scan_of_nothing_that_is_there_fails(void **state)
{
	struct harness *harness = *state;
	struct message_job_ended ended;
	struct uuid job;

	harness_start(harness);
	job = harness_scan(harness, harness_path(harness, "nowhere"));
	ended = harness_wait_end(harness, &job);
	assert_int_equal(ended.outcome, OUTCOME_FAILED);
	assert_int_equal(ended.code, ERR_NOT_FOUND);
	assert_int_equal(ended.path.size, strlen(harness_path(harness, "nowhere")));
	assert_memory_equal(ended.path.data, harness_path(harness, "nowhere"), ended.path.size);
	assert_int_equal(ended.last.errors, 1);
	assert_int_equal(ended.last.files_total, 0);
	harness_stop(harness);
}

/* ---- engine ---- */

static void no_signatures_no_verdicts(void **state)
{
	struct harness *harness = *state;
	struct message_job_ended ended;

	snprintf(harness->signatures, sizeof(harness->signatures), "%s/none", harness->directory);
	assert_int_equal(mkdir(harness->signatures, 0755), 0);
	harness_start(harness);
	harness_write(harness, "e", harness_eicar(), 68);
	ended = scan(harness);
	assert_int_equal(ended.outcome, OUTCOME_FAILED);
	assert_int_equal(harness_count(harness, 1000), 1);
	assert_int_equal(harness_count(harness, 2005), 1);
	assert_true(harness_exists(harness, "e"));
	/* Signatures come: the next scan works without a restart. */
	harness_shell(harness, "cp " TEST_SIGNATURES "/*.hdb ../none");
	ended = scan(harness);
	assert_int_equal(ended.outcome, OUTCOME_SUCCEEDED);
	assert_int_equal(ended.last.detections, 1);
	harness_stop(harness);
}

static void a_failed_self_test_means_no_verdicts(void **state)
{
	struct harness *harness = *state;
	struct message_job_ended ended;

	snprintf(harness->signatures, sizeof(harness->signatures), "%s/blind", harness->directory);
	assert_int_equal(mkdir(harness->signatures, 0755), 0);
	harness_shell(harness, "grep -v Eicar " TEST_SIGNATURES "/muster-test.hdb > ../blind/x.hdb");
	harness_start(harness);
	harness_shell(harness, "cp /usr/share/clamav-testfiles/clam.exe .");
	ended = scan(harness);
	assert_int_equal(ended.outcome, OUTCOME_FAILED);
	assert_int_equal(harness_count(harness, 1011), 1);
	assert_int_equal(harness_count(harness, 2000), 0);
	assert_true(harness_exists(harness, "clam.exe"));
	harness_stop(harness);
}

/* ---- quarantine ---- */

static struct message_item quarantine_one(struct harness *harness, const char *name)
{
	struct message_item item = { 0 };

	assert_int_equal(scan(harness).last.detections, 1);
	assert_false(harness_exists(harness, name));
	assert_true(harness_items(harness, ITEM_HELD, &item) >= 1);
	return item;
}

static void restores_everything_about_a_file(void **state)
{
	const struct timespec times[2] = { { .tv_sec = 1000000000, .tv_nsec = 123456789 },
					   { .tv_sec = 1111111111, .tv_nsec = 987654321 } };
	struct harness *harness = *state;
	struct message_item item;
	struct stat before, after;
	char text[ERR_TEXT_BYTES], value[16] = "";

	harness_start(harness);
	harness_write(harness, "e", harness_eicar(), 68);
	if (geteuid() == 0)
		assert_int_equal(chown(harness_path(harness, "e"), 12345, 23456), 0);
	assert_int_equal(chmod(harness_path(harness, "e"), 06751), 0);
	(void)setxattr(harness_path(harness, "e"), "user.note", "kept", 4, 0);
	assert_int_equal(utimensat(AT_FDCWD, harness_path(harness, "e"), times, 0), 0);
	assert_int_equal(stat(harness_path(harness, "e"), &before), 0);
	item = quarantine_one(harness, "e");
	assert_int_equal(item.uid, before.st_uid);
	assert_int_equal(item.size, 68);
	assert_int_equal(harness_target(harness, MESSAGE_ITEM_RESTORE, &item.id, false, text), 0);
	assert_int_equal(stat(harness_path(harness, "e"), &after), 0);
	assert_int_equal(after.st_uid, before.st_uid);
	assert_int_equal(after.st_gid, before.st_gid);
	assert_int_equal(after.st_mode, before.st_mode);
	assert_int_equal(after.st_size, before.st_size);
	assert_memory_equal(&after.st_mtim, &before.st_mtim, sizeof(after.st_mtim));
	assert_memory_equal(&after.st_atim, &before.st_atim, sizeof(after.st_atim));
	if (getxattr(harness_path(harness, "e"), "user.note", value, sizeof(value)) == 4)
		assert_string_equal(value, "kept");
	else
		assert_int_equal(errno, ENOTSUP);
	harness_wait_event(harness, 2021, "file", harness_path(harness, "e"));
	harness_shell(harness, "sha256sum e | grep -q ^275a021b && ! ls ../data/vault/*.vault");
	/* Asked again, as after a lost answer: nothing is done, and it says so. */
	assert_int_equal(harness_target(harness, MESSAGE_ITEM_RESTORE, &item.id, false, text), ERR_WRONG_STATE);
	assert_non_null(strstr(text, "restored before"));
	assert_int_equal(harness_count(harness, 2021), 1);
	harness_stop(harness);
}

static void restore_overwrites_only_when_told(void **state)
{
	struct harness *harness = *state;
	struct message_item item;
	char text[ERR_TEXT_BYTES];

	harness_start(harness);
	harness_write(harness, "e", harness_eicar(), 68);
	item = quarantine_one(harness, "e");
	harness_write(harness, "e", "mine", 4);
	assert_int_equal(harness_target(harness, MESSAGE_ITEM_RESTORE, &item.id, false, text), ERR_EXISTS);
	harness_shell(harness, "test \"$(cat e)\" = mine && test $(ls -A | wc -l) -eq 1");
	assert_int_equal(harness_target(harness, MESSAGE_ITEM_RESTORE, &item.id, true, text), 0);
	harness_shell(harness, "grep -q EICAR e && test $(ls -A | wc -l) -eq 1");
	harness_stop(harness);
}

/* Somebody puts a link where the directory was: nothing is written through it. */
static void restore_follows_no_link(void **state)
{
	struct harness *harness = *state;
	struct message_item item;
	char text[ERR_TEXT_BYTES];

	harness_start(harness);
	harness_shell(harness, "mkdir d target");
	harness_write(harness, "d/e", harness_eicar(), 68);
	item = quarantine_one(harness, "d/e");
	harness_shell(harness, "rmdir d");
	assert_int_equal(harness_target(harness, MESSAGE_ITEM_RESTORE, &item.id, true, text), ERR_NOT_FOUND);
	assert_non_null(strstr(text, "directory"));
	harness_shell(harness, "ln -s target d");
	assert_int_equal(harness_target(harness, MESSAGE_ITEM_RESTORE, &item.id, true, text), ERR_DENIED);
	harness_shell(harness, "test -z \"$(ls -A target)\" && rm d && mkdir d");
	assert_int_equal(harness_target(harness, MESSAGE_ITEM_RESTORE, &item.id, true, text), 0);
	harness_stop(harness);
}

static void deletes_lists_and_opens_items(void **state)
{
	struct harness *harness = *state;
	struct channel_message message;
	struct message_answer answer;
	struct message_put put = { 0 };
	struct message_item item;
	struct message_target target;
	struct buf out;
	char text[ERR_TEXT_BYTES];

	harness_start(harness);
	harness_write(harness, "e", harness_eicar(), 68);
	item = quarantine_one(harness, "e");
	/* Open: the sealed file and its key, as for an upload. */
	target = (struct message_target){ .id = item.id };
	buf_init(&out, CHANNEL_PAYLOAD_MAX_BYTES);
	message_pack_target(&out, &target);
	assert_int_equal(channel_send(&harness->link, MESSAGE_ITEM_OPEN, 9999, out.data, out.size, -1, NULL), 0);
	assert_int_equal(channel_receive_wait(&harness->link, HARNESS_WAIT_MS, &message, NULL), 0);
	assert_int_equal(message.type, MESSAGE_ANSWER_FILE);
	assert_int_equal(message.request, 9999);
	assert_int_equal(message_unpack_answer(message.payload, message.size, &answer), 0);
	assert_true(answer.has_item);
	assert_int_equal(lseek(message.fd, 0, SEEK_END), answer.item.sealed_bytes);
	assert_int_equal(lseek(message.fd, 0, SEEK_SET), 0);
	memcpy(put.key, answer.key, sizeof(put.key));
	put.item = item;
	/* The local copy is lost; the sealed bytes come back and are restored. */
	harness_shell(harness, "rm ../data/vault/*.vault");
	assert_int_equal(harness_target(harness, MESSAGE_ITEM_RESTORE, &item.id, false, text), ERR_NOT_FOUND);
	buf_reset(&out);
	message_pack_put(&out, &put);
	assert_int_equal(harness_ask(harness, MESSAGE_ITEM_PUT, &out, message.fd, text), 0);
	/* One with another key is refused. */
	put.key[0] ^= 1;
	buf_reset(&out);
	message_pack_put(&out, &put);
	assert_int_equal(harness_ask(harness, MESSAGE_ITEM_PUT, &out, message.fd, text), ERR_UNTRUSTED);
	close(message.fd);
	buf_done(&out);
	assert_int_equal(harness_target(harness, MESSAGE_ITEM_RESTORE, &item.id, false, text), 0);
	item = quarantine_one(harness, "e");
	assert_int_equal(harness_target(harness, MESSAGE_ITEM_DELETE, &item.id, false, text), 0);
	harness_wait_event(harness, 2022, "file", harness_path(harness, "e"));
	assert_int_equal(harness_target(harness, MESSAGE_ITEM_RESTORE, &item.id, false, text), ERR_NOT_FOUND);
	assert_non_null(strstr(text, "deleted"));
	harness_shell(harness, "! ls ../data/vault/*.vault");
	harness_stop(harness);
}

/* What cannot be moved stays, is told, and the scan goes on. */
static void an_immutable_file_is_reported_as_failed(void **state)
{
	struct harness *harness = *state;
	const struct message_event *event;
	struct message_job_ended ended;

	harness_start(harness);
	harness_write(harness, "e", harness_eicar(), 68);
	harness_write(harness, "f", harness_eicar(), 68);
	harness_shell(harness, "chattr +i e || echo no > ../no-chattr");
	ended = scan(harness);
	if (harness_exists(harness, "../no-chattr")) {
		harness_stop(harness);
		skip();
	}
	harness_shell(harness, "chattr -i e");
	assert_int_equal(ended.outcome, OUTCOME_SUCCEEDED);
	assert_int_equal(ended.last.detections, 2);
	event = harness_wait_event(harness, 2000, "file", harness_path(harness, "e"));
	assert_int_equal(strncmp(harness_field(event, "result"), "failed: ", 8), 0);
	assert_non_null(strstr(harness_field(event, "result"), "immutable"));
	assert_int_equal(strlen(harness_field(event, "sha256")), 64);
	assert_true(harness_exists(harness, "e"));
	assert_false(harness_exists(harness, "f"));
	harness_shell(harness, "! ls ../data/vault/*.intent");
	harness_stop(harness);
}

static void one_of_two_hard_links_goes_at_a_time(void **state)
{
	struct harness *harness = *state;

	harness_start(harness);
	harness_write(harness, "one", harness_eicar(), 68);
	harness_shell(harness, "ln one two");
	assert_int_equal(scan(harness).last.detections, 2);
	harness_shell(harness, "test -z \"$(ls -A)\" && test $(ls ../data/vault/*.vault | wc -l) -eq 2");
	harness_stop(harness);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		HARNESS_TEST(hostile_names_are_bytes),
		HARNESS_TEST(special_files_are_left_alone),
		HARNESS_TEST(a_file_over_the_limit_is_not_fully_scanned),
		HARNESS_TEST(an_archive_over_the_limit_is_not_fully_scanned),
		HARNESS_TEST(exclusions_and_own_data_are_left_out),
		HARNESS_TEST(a_scan_of_nothing_that_is_there_fails),
		HARNESS_TEST(no_signatures_no_verdicts),
		HARNESS_TEST(a_failed_self_test_means_no_verdicts),
		HARNESS_TEST(restores_everything_about_a_file),
		HARNESS_TEST(restore_overwrites_only_when_told),
		HARNESS_TEST(restore_follows_no_link),
		HARNESS_TEST(deletes_lists_and_opens_items),
		HARNESS_TEST(an_immutable_file_is_reported_as_failed),
		HARNESS_TEST(one_of_two_hard_links_goes_at_a_time),
	};

	harness_relay(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
