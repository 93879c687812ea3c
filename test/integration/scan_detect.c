/* Detections, end to end in guard: real engine, real files, real vault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "scan_harness.h"

/* Every file of Debian's clamav-testfiles is found and moved. */
static void finds_all_of_clamav_testfiles(void **state)
{
	struct harness *harness = *state;
	struct message_job_ended ended;
	struct uuid job;

	harness_start(harness);
	harness_shell(harness, "cp /usr/share/clamav-testfiles/* . && test $(ls | wc -l) -ge 40");
	job = harness_scan(harness, harness->files);
	ended = harness_wait_end(harness, &job);
	assert_int_equal(ended.outcome, OUTCOME_SUCCEEDED);
	assert_int_equal(ended.last.detections, ended.last.files_total);
	assert_int_equal(harness_count(harness, 2000), ended.last.files_total);
	assert_int_equal(harness_count(harness, 2020), ended.last.files_total);
	assert_int_equal(harness_items(harness, ITEM_HELD, NULL), ended.last.files_total);
	harness_shell(harness, "test $(ls -A | wc -l) -eq 0");
	assert_int_equal(harness_count(harness, 1010), 1);
	harness_stop(harness);
}

/* EICAR plain, in archives, in a mail: the outer file goes. */
static void finds_eicar_however_packed(void **state)
{
	static const char *const names[] = { "plain.com", "a.zip", "a.tar.gz", "a.7z", "mail.eml" };
	struct harness *harness = *state;
	struct message_job_ended ended;
	struct uuid job;

	harness_start(harness);
	harness_write(harness, "plain.com", harness_eicar(), 68);
	harness_archive(harness, "a.zip", "x.com", harness_eicar());
	harness_archive(harness, "a.tar.gz", "x.com", harness_eicar());
	harness_archive(harness, "a.7z", "x.com", harness_eicar());
	harness_shell(harness,
		      "{ printf 'From: a@example.org\\nTo: b@example.org\\nSubject: s\\nMIME-Version: 1.0\\n"
		      "Content-Type: application/octet-stream; name=\"x.com\"\\n"
		      "Content-Transfer-Encoding: base64\\n"
		      "Content-Disposition: attachment; filename=\"x.com\"\\n\\n'; base64 plain.com; } > mail.eml");
	harness_write(harness, "healthy.txt", "nothing here\n", 13);
	job = harness_scan(harness, harness->files);
	ended = harness_wait_end(harness, &job);
	assert_int_equal(ended.outcome, OUTCOME_SUCCEEDED);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct message_event *event =
		    harness_wait_event(harness, 2000, "file", harness_path(harness, names[i]));

		assert_string_equal(harness_field(event, "result"), "quarantined");
		assert_string_equal(harness_field(event, "action"), "quarantine");
		assert_non_null(strstr(harness_field(event, "detection"), "Eicar"));
		assert_false(harness_exists(harness, names[i]));
	}
	assert_int_equal(ended.last.detections, 5);
	assert_int_equal(ended.last.files_total, 6);
	assert_true(harness_exists(harness, "healthy.txt"));
	/* sha256sum of the 68 bytes. */
	assert_string_equal(
	    harness_field(harness_wait_event(harness, 2000, "file", harness_path(harness, "plain.com")), "sha256"),
	    "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f");
	harness_stop(harness);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		HARNESS_TEST(finds_all_of_clamav_testfiles),
		HARNESS_TEST(finds_eicar_however_packed),
	};

	harness_relay(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
