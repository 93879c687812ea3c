/* cli/table.h: layout, cutting, escaping, CSV. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "cli/table.h"

static const struct column columns[] = {
	{ "NAME", "name", COLUMN_TEXT },       { "SIZE", "size", COLUMN_SIZE },
	{ "SEEN", "seen", COLUMN_TIME },       { "FILES", "progress.files", COLUMN_NUMBER },
	{ "FIELDS", "fields", COLUMN_FIELDS }, { "ID", "id", COLUMN_ID },
	{ NULL, "more", COLUMN_TEXT },
};

static const char items_text[] =
    "[{\"name\":\"web1\",\"size\":1536,\"seen\":\"2026-11-21T20:08:06.123Z\",\"progress\":{\"files\":12},"
    "\"fields\":{\"file\":\"/a b\",\"n\":1},\"id\":\"0123456789\",\"more\":\"x\"},"
    "{\"name\":\"日本語\",\"size\":5,\"seen\":null,\"progress\":{},\"fields\":{},\"id\":\"9\",\"more\":null}]";

/* The shown columns of the items (a reference is taken over), as a table or as CSV. */
static void expect_columns(const struct column *shown, size_t count, size_t width, json_t *items, const char *expected)
{
	struct table table;
	struct buf out;

	assert_non_null(items);
	buf_init(&out, 100000);
	table_init(&table, shown, count, width);
	table_page(&table, items, &out);
	assert_string_equal(buf_text(&out), expected);
	buf_done(&out);
	json_decref(items);
}

static void expect_csv(const struct column *shown, size_t count, json_t *items, const char *expected)
{
	struct table table;
	struct buf out;

	assert_non_null(items);
	buf_init(&out, 100000);
	table_init(&table, shown, count, 20);
	table_csv(&table, items, &out);
	assert_string_equal(buf_text(&out), expected);
	buf_done(&out);
	json_decref(items);
}

static void expect_table(const char *text, size_t width, const char *expected)
{
	expect_columns(columns, COUNT_OF(columns), width, json_loads(text, 0, NULL), expected);
}

static void rows_line_up(void **state)
{
	(void)state;
	expect_table(items_text, 0,
		     "NAME      SIZE  SEEN                 FILES  FIELDS         ID\n"
		     "web1    1.5 KB  2026-11-21 20:08:06     12  file=/a b n=1  0123456789\n"
		     "日本語     5 B                                             9\n");
}

static void prose_goes_on_below_itself(void **state)
{
	static const struct column prose[] = { { "NAME", "name", COLUMN_TEXT },
					       { "ALLOWED", "allowed", COLUMN_PROSE },
					       { "MEANING", "help", COLUMN_PROSE } };
	json_t *items = json_loads(
	    "[{\"name\":\"size\",\"allowed\":\"one, two, three\",\"help\":\"How much it may be, as it is.\"},"
	    "{\"name\":\"long\",\"allowed\":\"\",\"help\":\"Unbreakablewords 日本語日本語\"},"
	    "{\"name\":\"\",\"allowed\":\"no\",\"help\":null}]",
	    0, NULL);
	struct table table;
	struct buf out;

	(void)state;
	buf_init(&out, 100000);
	table_init(&table, prose, COUNT_OF(prose), 26);
	table_page(&table, items, &out);
	assert_string_equal(buf_text(&out), "NAME  ALLOWED    MEANING\n"
					    "size  one, two,  How much\n"
					    "      three      it may\n"
					    "                 be, as it\n"
					    "                 is.\n"
					    "long             Unbreakab\n"
					    "                 lewords\n"
					    "                 日本語日\n"
					    "                 本語\n"
					    "      no         \n");
	buf_reset(&out);
	table_init(&table, prose, COUNT_OF(prose), 0);
	table_page(&table, items, &out);
	assert_non_null(strstr(buf_text(&out), "size  one, two, three  How much it may be, as it is.\n"));
	buf_done(&out);
	json_decref(items);
}

static void texts_are_cut_to_the_width_and_ids_never(void **state)
{
	(void)state;
	expect_table(items_text, 63,
		     "NAME      SIZE  SEEN                 FILES  FIELDS    ID\n"
		     "web1    1.5 KB  2026-11-21 20:08:06     12  file=/a…  0123456789\n"
		     "日本語     5 B                                        9\n");
	expect_table(
	    "[{\"name\":\"日本語日本語日本語\",\"size\":0,\"id\":\"0123456789012345678901234567890123456789\"}]", 20,
	    "NAME      SIZE  SEEN  FILES  FIELDS  ID\n"
	    "日本語…    0 B                       0123456789012345678901234567890123456789\n");
}

static void later_pages_keep_the_widths(void **state)
{
	json_t *first = json_loads("[{\"name\":\"a234567890\",\"id\":\"1\"}]", 0, NULL);
	json_t *second = json_loads("[{\"name\":\"much longer than that\",\"id\":\"2\"}]", 0, NULL);
	static const struct column two[] = { { "NAME", "name", COLUMN_TEXT }, { "ID", "id", COLUMN_ID } };
	struct table table;
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	table_init(&table, two, 2, 80);
	table_page(&table, first, &out);
	table_page(&table, second, &out);
	assert_string_equal(buf_text(&out), "NAME        ID\na234567890  1\nmuch long…  2\n");
	json_decref(first);
	json_decref(second);
	buf_done(&out);
}

static void what_holds_is_marked(void **state)
{
	static const struct column two[] = { { "ON", "on", COLUMN_MARK }, { "ID", "id", COLUMN_ID } };

	(void)state;
	expect_columns(two, 2, 80,
		       json_loads("[{\"on\":true,\"id\":\"1\"},{\"on\":false,\"id\":\"2\"},{\"id\":\"3\"}]", 0, NULL),
		       "ON   ID\nyes  1\n     2\n     3\n");
}

static void hostile_text_cannot_steer_the_terminal(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "plain", "plain" },
		{ "a\x1b[31mb", "a\\x1b[31mb" },
		{ "line\nbreak\ttab", "line\\x0abreak\\x09tab" },
		{ "already \\x1b[0m", "already \\x1b[0m" },
		{ "\xe2\x80\xaetxt.exe", "\\xe2\\x80\\xaetxt.exe" },
		{ "\xc2\x9b"
		  "31m",
		  "\\xc2\\x9b"
		  "31m" },
		{ "bad \xff utf8", "bad \\xff utf8" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct buf out;

		buf_init(&out, 1000);
		table_clean(cases[i].text, &out);
		assert_string_equal(buf_text(&out), cases[i].expected);
		buf_done(&out);
	}
	expect_table("[{\"name\":\"a\\u001b[2Jb\",\"id\":\"x\\ny\"}]", 0,
		     "NAME       SIZE  SEEN  FILES  FIELDS  ID\n"
		     "a\\x1b[2Jb                             x\\x0ay\n");
}

static void csv_quotes_what_needs_it(void **state)
{
	json_t *items =
	    json_loads("[{\"name\":\"a,b\",\"size\":1536,\"seen\":\"2026-11-21T20:08:06.123Z\","
		       "\"progress\":{\"files\":1},\"fields\":{\"k\":\"v\"},\"id\":\"say \\\"hi\\\"\",\"more\":true},"
		       "{\"name\":\"two\\nlines\",\"id\":\" spaced\",\"more\":null}]",
		       0, NULL);

	(void)state;
	expect_csv(columns, COUNT_OF(columns), items,
		   "name,size,seen,progress.files,fields,id,more\r\n"
		   "\"a,b\",1536,2026-11-21T20:08:06.123Z,1,\"{\"\"k\"\":\"\"v\"\"}\",\"say \"\"hi\"\"\",true\r\n"
		   "\"two\nlines\",,,,,\" spaced\",\r\n");
}

/* Computers name themselves, and files are named by anybody. */
static void csv_holds_no_formulas(void **state)
{
	static const struct column shown[] = { { "NAME", "name", COLUMN_TEXT }, { "SIZE", "size", COLUMN_NUMBER } };
	static const char *const names[] = {
		"=HYPERLINK(\"http://x/\",\"y\")", "@SUM(1)", "+1", "-1", "\t=1", "a=1", ""
	};
	json_t *items = json_array();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++)
		json_array_append_new(items, json_pack("{s:s,s:i}", "name", names[i], "size", -1));
	expect_csv(shown, COUNT_OF(shown), items,
		   "name,size\r\n"
		   "\"'=HYPERLINK(\"\"http://x/\"\",\"\"y\"\")\",-1\r\n"
		   "'@SUM(1),-1\r\n"
		   "'+1,-1\r\n"
		   "'-1,-1\r\n"
		   "'\t=1,-1\r\n"
		   "a=1,-1\r\n"
		   ",-1\r\n");
}

static void an_empty_csv_has_its_header(void **state)
{
	(void)state;
	expect_csv(columns, 1, json_array(), "name\r\n");
}

static void objects_are_lines(void **state)
{
	json_t *object =
	    json_loads("{\"id\":\"1\",\"longer\":null,\"list\":[\"a\",\"b\"],"
		       "\"parts\":[{\"n\":1,\"e\":\"\",\"f\":{}},{\"n\":2,\"m\":{\"o\":3}}],\"flag\":true}",
		       0, NULL);
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	table_object(object, &out);
	assert_string_equal(buf_text(&out),
			    "id:      1\nlonger:\nlist:    a, b\nparts:   n=1\n         n=2 m.o=3\nflag:    true\n");
	json_decref(object);
	buf_done(&out);
}

static void widths_shrink_the_widest_first(void **state)
{
	size_t widths[] = { 30, 10, 20, 36 };
	const size_t least[] = { 8, 8, 8, 0 };
	const bool cut[] = { true, true, true, false };

	(void)state;
	table_fit(widths, least, cut, 4, 80);
	assert_int_equal(widths[0] + widths[1] + widths[2] + widths[3] + 6, 80);
	assert_int_equal(widths[0], 14);
	assert_int_equal(widths[1], 10);
	assert_int_equal(widths[2], 14);
	table_fit(widths, least, cut, 4, 10);
	assert_int_equal(widths[0], 8);
	assert_int_equal(widths[3], 36);
}

static void sizes_read_well(void **state)
{
	static const struct {
		int64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0 B" },
		{ 1023, "1023 B" },
		{ 1024, "1.0 KB" },
		{ 1536, "1.5 KB" },
		{ 1048575, "1.0 MB" },
		{ 5 * (int64_t)MIB, "5.0 MB" },
		{ INT64_MAX, "8192.0 PB" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct buf out;

		buf_init(&out, 100);
		table_size(cases[i].bytes, &out);
		assert_string_equal(buf_text(&out), cases[i].text);
		buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_line_up),
		cmocka_unit_test(prose_goes_on_below_itself),
		cmocka_unit_test(texts_are_cut_to_the_width_and_ids_never),
		cmocka_unit_test(later_pages_keep_the_widths),
		cmocka_unit_test(what_holds_is_marked),
		cmocka_unit_test(hostile_text_cannot_steer_the_terminal),
		cmocka_unit_test(csv_quotes_what_needs_it),
		cmocka_unit_test(csv_holds_no_formulas),
		cmocka_unit_test(an_empty_csv_has_its_header),
		cmocka_unit_test(objects_are_lines),
		cmocka_unit_test(widths_shrink_the_widest_first),
		cmocka_unit_test(sizes_read_well),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
