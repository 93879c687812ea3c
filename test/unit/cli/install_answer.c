/* What computers say while an agent is installed on them, and what it comes to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "base/units.h"
#include "cli/install_answer.h"

#define COMPUTER "0193b5a0-0000-7000-8000-000000000001"

static void take(struct install_answer *answer, const char *const *lines)
{
	install_answer_init(answer);
	for (; *lines != NULL; lines++)
		(void)install_answer_line(answer, *lines);
}

static void a_result_is_taken_apart(void **state)
{
	static const char *const lines[] = { "==> Fetching the agent", "muster-result updated 1.2 " COMPUTER " web 1",
					     NULL };
	const struct install_end end = { .code = 0 };
	char detail[INSTALL_ANSWER_DETAIL_MAX_BYTES];
	struct install_answer answer;

	(void)state;
	take(&answer, lines);
	assert_true(answer.answered);
	assert_string_equal(answer.state, "updated");
	assert_string_equal(answer.version, "1.2");
	assert_string_equal(answer.computer, COMPUTER);
	assert_string_equal(answer.name, "web 1");
	assert_null(install_answer_cause(&answer, &end));
	install_answer_detail(&answer, &end, detail);
	assert_string_equal(detail, "");
}

static void steps_are_told_and_not_kept(void **state)
{
	struct install_answer answer;

	(void)state;
	install_answer_init(&answer);
	assert_string_equal(install_answer_line(&answer, "==> Fetching"), "Fetching");
	assert_null(install_answer_line(&answer, "Fetching"));
	assert_string_equal(answer.last, "Fetching");
}

static void what_is_no_result_is_none(void **state)
{
	static const char *const bad[] = { "muster-result ",
					   "muster-result installed2 1 x y",
					   "muster-result Installed 1 x y",
					   "muster-result  installed 1 x y",
					   " muster-result installed 1 x y",
					   "muster-result installedinstalledinstalled 1 x y" };
	const struct install_end end = { .code = 0 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		const char *const lines[] = { bad[i], NULL };
		struct install_answer answer;

		take(&answer, lines);
		assert_false(answer.answered);
		assert_string_equal(answer.state, "");
		assert_string_equal(install_answer_cause(&answer, &end), "script");
	}
}

static void failures_have_a_cause_and_a_sentence(void **state)
{
	static const struct {
		const char *lines[3];
		struct install_end end;
		const char *cause, *word;
	} rows[] = {
		{ { "root@h: Permission denied (publickey)." },
		  { .code = 255 },
		  "denied",
		  "not accepted there: root@h" },
		{ { "Host key verification failed." }, { .code = 255 }, "host_key", "known_hosts" },
		{ { "Connection closed by 192.0.2.1" }, { .code = 255 }, "broken", "run it again" },
		{ { "muster: SHA-256 differs", "more" }, { .code = 255 }, "script", "SHA-256 differs" },
		{ { "tar: no such file" }, { .code = 2 }, "script", "tar: no such file" },
		{ { NULL }, { .code = 2 }, "script", "without a word" },
		{ { NULL }, { .code = 0 }, "script", "without a word" },
		{ { "start ssh: No such file" }, { .code = -1 }, "no_ssh", "start ssh" },
		{ { "unpacking" }, { .code = 143, .timed_out = true }, "timed_out", "took too long while: unpacking" },
		{ { NULL }, { .code = 143, .interrupted = true }, "interrupted", "interrupted while: installing" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char detail[INSTALL_ANSWER_DETAIL_MAX_BYTES];
		struct install_answer answer;

		take(&answer, rows[i].lines);
		assert_string_equal(install_answer_cause(&answer, &rows[i].end), rows[i].cause);
		install_answer_detail(&answer, &rows[i].end, detail);
		assert_non_null(strstr(detail, rows[i].word));
	}
}

/* JSON takes nothing that is not UTF-8: a text cut inside a character would lose the computer its row. */
static void long_texts_are_cut_between_characters(void **state)
{
	char line[INSTALL_ANSWER_LINE_MAX_BYTES + 1];

	(void)state;
	for (size_t offset = 0; offset < 3; offset++) {
		struct install_answer answer;

		install_answer_init(&answer);
		memset(line, 'a', sizeof(line));
		for (size_t i = offset; i + 3 < sizeof(line); i += 3)
			memcpy(line + i, "\u8a00", 3);
		line[sizeof(line) - 1] = '\0';
		(void)install_answer_line(&answer, line);
		assert_true(strlen(answer.last) > sizeof(answer.last) - 4);
		assert_true(text_is_utf8(answer.last, strlen(answer.last)));
		memcpy(line, "muster-result started 1 - ", strlen("muster-result started 1 - "));
		(void)install_answer_line(&answer, line);
		assert_true(answer.answered && answer.computer[0] == '\0');
		assert_true(strlen(answer.name) > sizeof(answer.name) - 5);
		assert_true(text_is_utf8(answer.name, strlen(answer.name)));
	}
}

static void nothing_that_a_terminal_obeys_is_kept(void **state)
{
	static const char *const lines[] = { "muster: \x1b[2Jgone\xff",
					     "muster-result started \x1b]0;x\x07 " COMPUTER " \x9b", NULL };
	struct install_answer answer;

	(void)state;
	take(&answer, lines);
	assert_string_equal(answer.said, "\\x1b[2Jgone\\xff");
	assert_string_equal(answer.version, "\\x1b]0;x\\x07");
	assert_string_equal(answer.computer, COMPUTER);
	assert_string_equal(answer.name, "\\x9b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_result_is_taken_apart),
		cmocka_unit_test(steps_are_told_and_not_kept),
		cmocka_unit_test(what_is_no_result_is_none),
		cmocka_unit_test(failures_have_a_cause_and_a_sentence),
		cmocka_unit_test(long_texts_are_cut_between_characters),
		cmocka_unit_test(nothing_that_a_terminal_obeys_is_kept),
	};

	return cmocka_run_group_tests_name("install_answer", tests, NULL, NULL);
}
