/* Messages between guard and link: both ways, cut short, out of range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/guard/job_file.h"
#include "agent/messages.h"
#include "agent/scan_messages.h"

static struct bytes bytes_of(const char *text)
{
	return (struct bytes){ (const uint8_t *)text, strlen(text) };
}

static struct message_progress some_progress(void)
{
	return (struct message_progress){ .job = { { 1, 2, 3 } },
					  .counting = true,
					  .files_total = 10,
					  .files_done = 5,
					  .bytes_total = 1000,
					  .bytes_done = 500,
					  .detections = 1,
					  .not_fully_scanned = 2,
					  .errors = 3,
					  .skipped_unchanged = 4,
					  .elapsed_ms = 5,
					  .path = bytes_of("/a\nb") };
}

static struct message_notice some_notice(enum message_notice_kind kind)
{
	struct message_notice notice = { .number = 77, .kind = kind };

	switch (kind) {
	case NOTICE_EVENT:
		notice.body.event.type = 2000;
		notice.body.event.time = 123;
		assert_int_equal(message_fields_add(&notice.body.event.fields, "file", "/x\xff", 3), 0);
		break;
	case NOTICE_JOB_ENDED:
		notice.body.ended.outcome = OUTCOME_FAILED;
		notice.body.ended.code = ERR_IO;
		notice.body.ended.text = bytes_of("because");
		notice.body.ended.path = bytes_of("/of\n/this");
		notice.body.ended.last = some_progress();
		break;
	case NOTICE_ITEM:
		notice.body.item.state = ITEM_RESTORED;
		notice.body.item.path = bytes_of("/x");
		memcpy(notice.body.item.detection, "Eicar", 6);
		notice.body.item.size = 68;
		break;
	}
	return notice;
}

static void notices_come_back_as_they_were(void **state)
{
	(void)state;
	for (enum message_notice_kind kind = NOTICE_EVENT; kind <= NOTICE_ITEM; kind++) {
		struct message_notice notice = some_notice(kind), back = { 0 };
		struct buf first, second;

		buf_init(&first, CHANNEL_PAYLOAD_MAX_BYTES);
		buf_init(&second, CHANNEL_PAYLOAD_MAX_BYTES);
		message_pack_notice(&first, &notice);
		assert_int_equal(message_unpack_notice(first.data, first.size, &back), 0);
		assert_int_equal(back.number, 77);
		assert_int_equal(back.kind, kind);
		message_pack_notice(&second, &back);
		assert_int_equal(first.size, second.size);
		assert_memory_equal(first.data, second.data, first.size);
		/* Cut at any place, or with a byte too many: refused, never read past. */
		for (size_t size = 0; size < first.size; size++) {
			uint8_t *cut = malloc(size > 0 ? size : 1);

			assert_non_null(cut);
			memcpy(cut, first.data, size);
			assert_true(message_unpack_notice(cut, size, &back) < 0);
			free(cut);
		}
		buf_append_byte(&first, 0);
		assert_int_equal(message_unpack_notice(first.data, first.size, &back), ERR_FORMAT);
		buf_done(&first);
		buf_done(&second);
	}
}

static void jobs_need_absolute_paths(void **state)
{
	static const struct bytes bad[] = { { NULL, 0 },
					    { (const uint8_t *)"relative", 8 },
					    { (const uint8_t *)"/nul\0inside", 11 } };
	struct message_job_start start = { .job = { { 9 } } }, back;
	struct buf out;

	(void)state;
	buf_init(&out, CHANNEL_PAYLOAD_MAX_BYTES);
	message_pack_job_start(&out, &start);
	assert_int_equal(message_unpack_job_start(out.data, out.size, &back), ERR_FORMAT); /* no path at all */
	start.paths.count = 1;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		start.paths.paths[0] = bad[i];
		buf_reset(&out);
		message_pack_job_start(&out, &start);
		assert_int_equal(message_unpack_job_start(out.data, out.size, &back), ERR_FORMAT);
	}
	start.paths.paths[0] = bytes_of("/fine");
	start.limits.file_ms_max = 5;
	buf_reset(&out);
	message_pack_job_start(&out, &start);
	assert_int_equal(message_unpack_job_start(out.data, out.size, &back), 0);
	assert_int_equal(back.limits.file_ms_max, 5);
	assert_int_equal(back.paths.paths[0].size, 5);
	buf_done(&out);
}

static void out_of_range_is_refused(void **state)
{
	struct message_answer answer = { .code = 5 }, back;
	struct message_fields fields = { 0 };
	struct buf out;

	(void)state;
	buf_init(&out, CHANNEL_PAYLOAD_MAX_BYTES);
	message_pack_answer(&out, &answer); /* codes are not positive */
	assert_int_equal(message_unpack_answer(out.data, out.size, &back), ERR_FORMAT);
	buf_reset(&out);
	answer.code = ERR_LAST_ - 1;
	message_pack_answer(&out, &answer);
	assert_int_equal(message_unpack_answer(out.data, out.size, &back), ERR_FORMAT);
	buf_done(&out);
	for (int i = 0; i < MESSAGE_FIELDS_MAX; i++)
		assert_int_equal(message_fields_add(&fields, "n", "v", 1), 0);
	assert_int_equal(message_fields_add(&fields, "n", "v", 1), ERR_LIMIT);
	fields.count = 0;
	assert_int_equal(message_fields_add(&fields, "a name that is much longer than it may", "v", 1), ERR_LIMIT);
}

static void verdicts_come_back(void **state)
{
	struct scan_verdict verdict = { .outcome = SCAN_NOT_FULLY, .duration_us = 5, .name = "limit" }, back;
	struct buf out;

	(void)state;
	buf_init(&out, 1024);
	scan_pack_verdict(&out, &verdict);
	assert_int_equal(scan_unpack_verdict(out.data, out.size, &back), 0);
	assert_int_equal(back.outcome, SCAN_NOT_FULLY);
	assert_string_equal(back.name, "limit");
	out.data[0] = SCAN_UNREADABLE + 1;
	assert_int_equal(scan_unpack_verdict(out.data, out.size, &back), ERR_FORMAT);
	buf_done(&out);
}

static void saved_jobs_come_back_or_not_at_all(void **state)
{
	struct job_saved saved, back;
	struct buf out;

	(void)state;
	job_saved_init(&saved);
	job_saved_init(&back);
	saved.phase = JOB_SCANNING;
	saved.counts = some_progress();
	saved.position = 123;
	saved.done[0] = 456;
	saved.done_count = 1;
	saved.missed = 2;
	saved.trouble_code = ERR_NOT_FOUND;
	snprintf(saved.trouble, sizeof(saved.trouble), "it is not there");
	snprintf(saved.trouble_path, sizeof(saved.trouble_path), "/a");
	buf_append_text(&saved.start, "anything");
	buf_init(&out, 4096);
	job_saved_pack(&out, &saved);
	assert_int_equal(job_saved_unpack(out.data, out.size, &back), 0);
	assert_int_equal(back.position, 123);
	assert_int_equal(back.done[0], 456);
	assert_int_equal(back.counts.files_done, 5);
	assert_int_equal(back.missed, 2);
	assert_int_equal(back.trouble_code, ERR_NOT_FOUND);
	assert_string_equal(back.trouble, "it is not there");
	assert_string_equal(back.trouble_path, "/a");
	assert_string_equal(buf_text(&back.start), "anything");
	for (size_t i = 0; i < out.size; i++) {
		out.data[i] ^= 1;
		assert_int_equal(job_saved_unpack(out.data, out.size, &back), ERR_FORMAT);
		out.data[i] ^= 1;
		assert_int_equal(job_saved_unpack(out.data, i, &back), ERR_FORMAT);
	}
	buf_done(&out);
	job_saved_done(&saved);
	job_saved_done(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(notices_come_back_as_they_were),
		cmocka_unit_test(jobs_need_absolute_paths),
		cmocka_unit_test(out_of_range_is_refused),
		cmocka_unit_test(verdicts_come_back),
		cmocka_unit_test(saved_jobs_come_back_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
