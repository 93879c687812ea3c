/* Lives of jobs: pause, cancel, and the death of every process in the middle. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "scan_harness.h"

#define SCAN_NAME "muster-agent-scan"

static void pauses_and_resumes(void **state)
{
	struct harness *harness = *state;
	struct message_job_ended ended;
	struct uuid job;

	harness_start(harness);
	harness_shell(harness, "for i in $(seq 2000); do echo $i > f$i; done");
	job = harness_scan(harness, harness->files);
	assert_int_equal(harness_target(harness, MESSAGE_JOB_PAUSE, &job, false, NULL), 0);
	while (!harness->progress.paused)
		harness_receive(harness);
	/* A paused job lets others by. */
	harness_shell(harness, "mkdir ../other && echo x > ../other/x");
	{
		char other[300];
		struct uuid second;

		snprintf(other, sizeof(other), "%s/other", harness->directory);
		second = harness_scan(harness, other);
		ended = harness_wait_end(harness, &second);
		assert_int_equal(ended.last.files_total, 1);
	}
	assert_int_equal(harness_target(harness, MESSAGE_JOB_RESUME, &job, false, NULL), 0);
	ended = harness_wait_end(harness, &job);
	assert_int_equal(ended.outcome, OUTCOME_SUCCEEDED);
	assert_int_equal(ended.last.files_done, 2000);
	assert_int_equal(ended.last.errors, 0);
	harness_stop(harness);
}

static void cancels_in_the_middle_of_a_file(void **state)
{
	struct harness *harness = *state;
	struct message_job_ended ended;
	struct uuid job;

	if (geteuid() != 0)
		skip(); /* it looks into other users' processes */
	harness_start(harness);
	harness_shell(harness, "truncate -s 500M large");
	job = harness_scan(harness, harness->files);
	harness_worker_at(harness, harness_path(harness, "large"));
	assert_int_equal(harness_target(harness, MESSAGE_JOB_CANCEL, &job, false, NULL), 0);
	ended = harness_wait_end(harness, &job);
	assert_int_equal(ended.outcome, OUTCOME_CANCELLED);
	assert_int_equal(harness_count(harness, 2004), 1);
	assert_int_equal(harness_target(harness, MESSAGE_JOB_CANCEL, &job, false, NULL), ERR_NOT_FOUND);
	/* And the next one works. */
	harness_shell(harness, "rm large; echo x > small");
	job = harness_scan(harness, harness->files);
	assert_int_equal(harness_wait_end(harness, &job).outcome, OUTCOME_SUCCEEDED);
	harness_stop(harness);
}

static void outlives_a_worker(void **state)
{
	struct harness *harness = *state;
	struct message_job_ended ended;
	struct uuid job;

	if (geteuid() != 0)
		skip(); /* it looks into other users' processes */
	harness_start(harness);
	harness_shell(harness, "truncate -s 500M large; for i in $(seq 50); do echo number $i > f$i; done");
	job = harness_scan(harness, harness->files);
	kill(harness_worker_at(harness, harness_path(harness, "large")), SIGKILL);
	ended = harness_wait_end(harness, &job);
	assert_int_equal(ended.outcome, OUTCOME_SUCCEEDED);
	assert_int_equal(ended.last.errors, 1);
	assert_non_null(
	    strstr(harness_field(harness_wait_event(harness, 2006, "file", harness_path(harness, "large")), "what"),
		   "signal 9"));
	harness_stop(harness);
}

static void ends_a_worker_that_hangs(void **state)
{
	const struct message_limits limits = { .file_ms_max = 500 };
	struct harness *harness = *state;
	struct message_job_ended ended;
	struct uuid job;

	if (geteuid() != 0)
		skip(); /* it looks into other users' processes */
	harness_start(harness);
	harness_shell(harness, "truncate -s 400M large");
	job = harness_scan_with(harness, harness->files, &limits, NULL);
	kill(harness_worker_at(harness, harness_path(harness, "large")), SIGSTOP);
	ended = harness_wait_end(harness, &job);
	assert_int_equal(ended.outcome, OUTCOME_SUCCEEDED);
	assert_int_equal(ended.last.errors, 1);
	assert_non_null(strstr(harness_field(harness_wait_event(harness, 2006, NULL, NULL), "what"), "too long"));
	harness_stop(harness);
}

/* Its end is no file's doing: what was being scanned is scanned again, however innocent, and found out. */
static void outlives_the_scan_program(void **state)
{
	struct harness *harness = *state;
	struct message_job_ended ended;
	struct uuid job;

	if (geteuid() != 0)
		skip(); /* it looks into other users' processes */
	harness_start(harness);
	harness_shell(harness, "truncate -s 500M large");
	harness_write(harness, "zz.com", harness_eicar(), 68);
	job = harness_scan(harness, harness->files);
	harness_worker_at(harness, harness_path(harness, "large"));
	kill(harness_process(harness, SCAN_NAME, 2), SIGKILL);
	ended = harness_wait_end(harness, &job);
	assert_int_equal(ended.outcome, OUTCOME_SUCCEEDED);
	assert_int_equal(ended.last.files_done, 2);
	assert_int_equal(ended.last.errors, 0);
	assert_int_equal(harness_count(harness, 2000), 1);
	assert_false(harness_exists(harness, "zz.com"));
	harness_stop(harness);
}

static void gives_up_a_file_with_which_the_program_ends_twice(void **state)
{
	struct harness *harness = *state;
	struct message_job_ended ended;
	struct uuid job;
	pid_t first;

	if (geteuid() != 0)
		skip(); /* it looks into other users' processes */
	harness_start(harness);
	harness_shell(harness, "truncate -s 500M large");
	job = harness_scan(harness, harness->files);
	first = harness_worker_at(harness, harness_path(harness, "large"));
	kill(harness_process(harness, SCAN_NAME, 2), SIGKILL);
	while (harness_worker_at(harness, harness_path(harness, "large")) == first)
		harness_receive(harness); /* it is on its way out */
	kill(harness_process(harness, SCAN_NAME, 2), SIGKILL);
	ended = harness_wait_end(harness, &job);
	assert_int_equal(ended.outcome, OUTCOME_SUCCEEDED);
	assert_int_equal(ended.last.files_done, 1);
	assert_int_equal(ended.last.errors, 1);
	assert_non_null(strstr(
	    harness_field(harness_wait_event(harness, 2006, "file", harness_path(harness, "large")), "what"), "twice"));
	harness_stop(harness);
}

/* Killed among 200 detections: afterwards each file is in the vault once, and told. */
static void outlives_guard_itself(void **state)
{
	struct harness *harness = *state;
	struct message_job_ended ended;
	struct uuid job;

	harness_start(harness);
	for (int i = 0; i < 200; i++) {
		char name[16];

		snprintf(name, sizeof(name), "e%d", i);
		harness_write(harness, name, harness_eicar(), 68);
	}
	job = harness_scan(harness, harness->files);
	for (int round = 1; round <= 3; round++) {
		while (harness_count(harness, 2000) < (size_t)round * 20)
			harness_receive(harness);
		harness_kill(harness);
		harness_start(harness);
	}
	ended = harness_wait_end(harness, &job);
	assert_int_equal(ended.outcome, OUTCOME_SUCCEEDED);
	assert_int_equal(ended.last.files_done, 200);
	harness_shell(harness, "test $(ls -A | wc -l) -eq 0");
	for (int i = 0; i < 200; i++) {
		char name[16];

		snprintf(name, sizeof(name), "e%d", i);
		harness_wait_event(harness, 2000, "file", harness_path(harness, name));
	}
	harness_shell(harness, "test $(ls ../data/vault/*.vault | wc -l) -eq 200 && ! ls ../data/vault/*.intent");
	harness_stop(harness);
}

static void starts_link_again(void **state)
{
	struct harness *harness = *state;
	struct uuid job;

	harness_start(harness);
	harness_accept(harness); /* closes the first link's socket: it ends */
	harness_wait_event(harness, 5010, "role", "link");
	harness_write(harness, "e", harness_eicar(), 68);
	job = harness_scan(harness, harness->files);
	assert_int_equal(harness_wait_end(harness, &job).last.detections, 1);
	harness_stop(harness);
}

/* What link did not store comes again, in order, after guard died. */
static void keeps_notices_until_they_are_stored(void **state)
{
	struct harness *harness = *state;
	struct uuid job;
	size_t before;

	harness_start(harness);
	harness->withhold = true;
	harness_write(harness, "e", harness_eicar(), 68);
	job = harness_scan(harness, harness->files);
	harness_wait_end(harness, &job);
	before = harness->notice_count;
	harness_kill(harness);
	harness->withhold = false;
	harness_start(harness);
	while (harness->notice_count < 2 * before)
		harness_receive(harness);
	for (size_t i = 0; i < before; i++)
		assert_int_equal(harness->notices[before + i].notice.number, harness->notices[i].notice.number);
	harness_stop(harness);
}

static void second_scan_of_an_unchanged_tree_reads_nothing(void **state)
{
	struct harness *harness = *state;
	struct message_job_ended first, second;
	struct uuid job;

	harness_start(harness);
	job = harness_scan(harness, "/usr/include/linux");
	first = harness_wait_end(harness, &job);
	assert_true(first.last.files_total > 100);
	assert_int_equal(first.last.skipped_unchanged, 0);
	assert_int_equal(first.last.errors, 0);
	assert_int_equal(harness_count(harness, 1010), 1);
	harness_kill(harness);
	harness_start(harness);
	job = harness_scan(harness, "/usr/include/linux");
	second = harness_wait_end(harness, &job);
	assert_int_equal(second.last.files_total, first.last.files_total);
	assert_int_equal(second.last.skipped_unchanged, first.last.files_total);
	/* The engine was not even loaded. */
	assert_int_equal(harness_count(harness, 1010), 1);
	harness_stop(harness);
}

/* A fifth of the time: 40 files of 2 MiB take several times as long as their scans. */
static void keeps_to_its_share_of_the_processor(void **state)
{
	struct harness *harness = *state;
	struct message_job_ended fast, slow;
	struct uuid job;

	harness_shell(harness, "for i in $(seq 40); do truncate -s 2M f$i; done");
	harness->settings.workers = 1;
	harness_start(harness);
	job = harness_scan(harness, harness->files);
	fast = harness_wait_end(harness, &job);
	harness_stop(harness);
	harness->settings.cpu_percent = 20;
	harness_shell(harness, "rm f* ; for i in $(seq 40); do truncate -s 2M f$i; done");
	harness_start(harness);
	job = harness_scan(harness, harness->files);
	slow = harness_wait_end(harness, &job);
	assert_int_equal(slow.last.files_done, 40);
	assert_int_equal(slow.last.skipped_unchanged, 0);
	assert_true(slow.last.elapsed_ms > fast.last.elapsed_ms * 3 / 2);
	harness_stop(harness);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		HARNESS_TEST(pauses_and_resumes),
		HARNESS_TEST(cancels_in_the_middle_of_a_file),
		HARNESS_TEST(outlives_a_worker),
		HARNESS_TEST(ends_a_worker_that_hangs),
		HARNESS_TEST(outlives_the_scan_program),
		HARNESS_TEST(gives_up_a_file_with_which_the_program_ends_twice),
		HARNESS_TEST(outlives_guard_itself),
		HARNESS_TEST(starts_link_again),
		HARNESS_TEST(keeps_notices_until_they_are_stored),
		HARNESS_TEST(keeps_to_its_share_of_the_processor),
		HARNESS_TEST(second_scan_of_an_unchanged_tree_reads_nothing),
	};

	harness_relay(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
