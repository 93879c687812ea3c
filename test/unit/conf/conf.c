/* conf/conf.h: reading over defaults, all problems at once, fresh files, the reference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf/conf.h"

struct settings {
	struct conf_addresses listen;
	int64_t workers;
	char *user;
	span_us wait;
	int mode;
	char *password;
	bool fast;
};

#define AT(field) offsetof(struct settings, field)

static const struct conf_row rows[] = {
	{ "listen", "address", "Listen", CONF_LISTEN, 0, AT(listen), 0, 0, NULL, "0.0.0.0:4343", "Where to listen." },
	{ "process", "workers", NULL, CONF_NUMBER, 0, AT(workers), 1, 64, NULL, "4", "Threads | workers." },
	{ "process", "user", NULL, CONF_TEXT, 0, AT(user), 0, 32, NULL, "", "Whose rights it takes." },
	{ "process", "wait", "Command.Polling Patience", CONF_SPAN, 0, AT(wait), SECOND_US, HOUR_US, NULL, "60s",
	  "How long." },
	{ "process", "mode", NULL, CONF_CHOICE, 0, AT(mode), 0, 0, "held periodic", "held", "Which way." },
	{ "process", "password", NULL, CONF_TEXT, CONF_SECRET, AT(password), 0, 99, NULL, "", "A secret." },
	{ "process", "fast", NULL, CONF_BOOLEAN, 0, AT(fast), 0, 0, NULL, "yes", "Fast." },
};
static const struct conf_table table = { "example", "example.ini", rows, COUNT_OF(rows), sizeof(struct settings) };

static int read_text(struct settings *settings, const char *text, struct buf *problems, struct err *err)
{
	buf_init(problems, CONF_PROBLEMS_BYTES);
	return conf_read_text(&table, "example.ini", text, strlen(text), settings, problems, err);
}

static void defaults_then_values(void **state)
{
	struct settings settings;
	struct buf problems;

	(void)state;
	assert_int_equal(conf_init(&table, &settings, NULL), 0);
	assert_int_equal(settings.workers, 4);
	assert_int_equal(settings.wait, MINUTE_US);
	assert_string_equal(settings.user, "");
	assert_string_equal(settings.listen.items[0].host, "0.0.0.0");
	assert_int_equal(
	    read_text(&settings,
		      "\xef\xbb\xbf# comment\r\n[process]\r\n  workers=8\r\n\tuser : a ; b\n\n"
		      "; more\n[LISTEN]\nlisten = [::1]:1, x:2\n[Command]\nPolling=5\n[process]\nmode=periodic",
		      &problems, NULL),
	    0);
	assert_int_equal(problems.size, 0);
	assert_int_equal(settings.workers, 8);
	assert_string_equal(settings.user, "a ; b");
	assert_int_equal(settings.listen.count, 2);
	assert_int_equal(settings.listen.items[1].port, 2);
	assert_int_equal(settings.wait, 5 * SECOND_US);
	assert_int_equal(settings.mode, 1);
	assert_true(settings.fast);
	buf_done(&problems);
	conf_done(&table, &settings);
}

static void every_problem_at_once_and_nothing_applied(void **state)
{
	struct settings settings;
	struct buf problems;
	struct err err;
	static char text[8000];

	(void)state;
	conf_init(&table, &settings, NULL);
	snprintf(text, sizeof(text),
		 "[process]\nworkers = 9\nworkers = 900\nuser = ok\nwait = 2h\nfoo = 1\nnonsense\n[nowhere]\nx = 1\n"
		 "[broken\n[process]\npassword = a\x01z\nmode = \x1b[31m\nfast = %05500d\nfast = perhaps\n",
		 1);
	assert_int_equal(read_text(&settings, text, &problems, &err), ERR_FORMAT);
	assert_string_equal(err.text, "example.ini: 10 problems");
	assert_string_equal(buf_text(&problems),
			    "example.ini:3: [process] workers: given twice\n"
			    "example.ini:5: [process] wait = 2h: allowed: 1s to 1h\n"
			    "example.ini:6: [process] foo: no such setting in this section\n"
			    "example.ini:7: neither [section] nor name = value\n"
			    "example.ini:9: [nowhere] x: no such section\n"
			    "example.ini:10: neither [section] nor name = value\n"
			    "example.ini:12: [process] password: control characters are not allowed\n"
			    "example.ini:13: [process] mode = \\x1b[31m: allowed: held, periodic\n"
			    "example.ini:14: the line is longer than 5120 bytes\n"
			    "example.ini:15: [process] fast = perhaps: allowed: yes or no\n");
	assert_int_equal(settings.workers, 4);
	assert_string_equal(settings.user, "");
	buf_done(&problems);
	conf_done(&table, &settings);
}

static void other_names_must_not_contradict(void **state)
{
	struct settings settings;
	struct buf problems;
	struct err err;

	(void)state;
	conf_init(&table, &settings, NULL);
	assert_int_equal(
	    read_text(&settings, "[process]\nwait = 5s\nPatience = 5\n[command]\npolling = 5000ms\n", &problems, &err),
	    0);
	assert_int_equal(settings.wait, 5 * SECOND_US);
	buf_done(&problems);
	assert_int_equal(
	    read_text(&settings, "[process]\nwait = 5s\n[Command]\nPolling = 6\nPolling = 6\nx = 1\n", &problems, &err),
	    ERR_FORMAT);
	assert_string_equal(
	    buf_text(&problems),
	    "example.ini:4: [Command] Polling = 6: contradicts [process] wait in line 2, which is the same "
	    "setting by another name; take out one of the two lines\n"
	    "example.ini:5: [Command] Polling = 6: contradicts [process] wait in line 2, which is the same "
	    "setting by another name; take out one of the two lines\n"
	    "example.ini:6: [Command] x: no such setting in this section\n");
	buf_done(&problems);
	conf_done(&table, &settings);
}

static void odd_files_are_refused(void **state)
{
	struct settings settings;
	struct buf problems;
	struct err err;
	char *large = malloc(CONF_FILE_BYTES + 2);

	(void)state;
	conf_init(&table, &settings, NULL);
	buf_init(&problems, CONF_PROBLEMS_BYTES);
	memset(large, '\n', CONF_FILE_BYTES + 2);
	assert_int_equal(conf_read_text(&table, "f", large, CONF_FILE_BYTES + 1, &settings, &problems, &err),
			 ERR_LIMIT);
	assert_int_equal(conf_read_text(&table, "f", "[process]\nuser = a\0b\n", 21, &settings, &problems, &err),
			 ERR_FORMAT);
	assert_non_null(strstr(buf_text(&problems), "f:2: the line holds a NUL byte"));
	assert_int_equal(conf_read(&table, "/nonexistent/x.ini", &settings, &problems, &err), ERR_NOT_FOUND);
	assert_int_equal(conf_read(&table, "/dev/null", &settings, &problems, &err), ERR_FORMAT);
	assert_int_equal(conf_read(&table, "/", &settings, &problems, &err), ERR_FORMAT);
	free(large);
	buf_done(&problems);
	conf_done(&table, &settings);
}

static void a_fresh_file_reads_back(void **state)
{
	char directory[] = "/tmp/muster-conf-XXXXXX", path[64];
	struct settings settings, again;
	struct buf problems;
	struct stat st;
	struct err err;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/example.ini", directory);
	conf_init(&table, &settings, NULL);
	assert_int_equal(
	    read_text(&settings, "[process]\nworkers=7\nuser=a ; b # c\n[listen]\naddress=[::1]:9\n", &problems, NULL),
	    0);
	assert_int_equal(conf_write(&table, &settings, path, 0640, &err), 0);
	assert_int_equal(conf_write(&table, &settings, path, 0640, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	conf_init(&table, &again, NULL);
	assert_int_equal(conf_read(&table, path, &again, &problems, &err), 0);
	assert_int_equal(again.workers, 7);
	assert_string_equal(again.user, "a ; b # c");
	assert_string_equal(again.listen.items[0].host, "::1");
	assert_int_equal(again.wait, MINUTE_US);
	unlink(path);
	rmdir(directory);
	assert_int_equal(conf_write(&table, &settings, path, 0640, &err), ERR_NOT_FOUND);
	conf_done(&table, &settings);
	conf_done(&table, &again);
	buf_done(&problems);
}

static void a_fresh_file_explains_itself(void **state)
{
	struct settings settings;
	struct buf out;

	(void)state;
	conf_init(&table, &settings, NULL);
	settings.workers = 5;
	buf_init(&out, 10000);
	conf_write_text(&table, &settings, &out);
	assert_non_null(strstr(buf_text(&out), "[process]\n# Threads | workers.\n# Allowed: 1 to 64. Default: 4.\n"
					       "workers = 5\n\n"));
	assert_non_null(strstr(buf_text(&out), "# Allowed: 1s to 1h. Default: 60s.\n#wait = 1m\n"));
	buf_done(&out);
	conf_done(&table, &settings);
}

static void show_marks_defaults_and_hides_secrets(void **state)
{
	struct settings settings;
	struct buf out;

	(void)state;
	conf_init(&table, &settings, NULL);
	settings.workers = 5;
	free(settings.password);
	settings.password = strdup("hunter2");
	buf_init(&out, 10000);
	conf_show(&table, &settings, &out);
	assert_string_equal(buf_text(&out), "[listen] address = 0.0.0.0:4343   (default)\n"
					    "[process] workers = 5\n"
					    "[process] user =    (default)\n"
					    "[process] wait = 1m   (default)\n"
					    "[process] mode = held   (default)\n"
					    "[process] password = (set, not shown)\n"
					    "[process] fast = yes   (default)\n");
	buf_done(&out);
	conf_done(&table, &settings);
}

static void the_reference_lists_every_row(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 10000);
	conf_reference(&table, &out);
	assert_non_null(strstr(buf_text(&out), "### [process]\n"));
	assert_non_null(strstr(buf_text(&out), "| `workers` | 1 to 64 | 4 | Threads \\| workers. |\n"));
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_non_null(strstr(buf_text(&out), rows[i].key));
	buf_done(&out);
}

static void a_bad_table_is_found(void **state)
{
	static const struct conf_row bad[] = {
		{ "process", "user", NULL, CONF_TEXT, 0, AT(user), 0, 0, NULL, "x", "" },
		{ "process", "workers", NULL, CONF_NUMBER, 0, AT(workers), 1, 64, NULL, "65", "" },
	};
	static const struct conf_table bad_table = { "bad", "bad.ini", bad, 2, sizeof(struct settings) };
	struct settings settings;
	struct err err;

	(void)state;
	assert_int_equal(conf_init(&bad_table, &settings, &err), ERR_INTERNAL);
	assert_non_null(strstr(err.text, "[process] workers"));
}

static void required_settings_must_be_given(void **state)
{
	static const struct conf_row needed[] = {
		{ "process", "user", NULL, CONF_TEXT, CONF_REQUIRED, AT(user), 1, 9, NULL, NULL, "" },
	};
	static const struct conf_table needed_table = { "n", "n.ini", needed, 1, sizeof(struct settings) };
	struct settings settings;
	struct buf problems;

	(void)state;
	buf_init(&problems, 1000);
	assert_int_equal(conf_init(&needed_table, &settings, NULL), 0);
	assert_int_equal(conf_read_text(&needed_table, "n.ini", "", 0, &settings, &problems, NULL), ERR_FORMAT);
	assert_non_null(strstr(buf_text(&problems), "[process] user: must be given"));
	assert_int_equal(conf_read_text(&needed_table, "n.ini", "[process]\nuser=a", 16, &settings, &problems, NULL),
			 0);
	assert_string_equal(settings.user, "a");
	conf_done(&needed_table, &settings);
	buf_done(&problems);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_then_values),
		cmocka_unit_test(every_problem_at_once_and_nothing_applied),
		cmocka_unit_test(other_names_must_not_contradict),
		cmocka_unit_test(odd_files_are_refused),
		cmocka_unit_test(a_fresh_file_reads_back),
		cmocka_unit_test(a_fresh_file_explains_itself),
		cmocka_unit_test(show_marks_defaults_and_hides_secrets),
		cmocka_unit_test(the_reference_lists_every_row),
		cmocka_unit_test(a_bad_table_is_found),
		cmocka_unit_test(required_settings_must_be_given),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
