/* Manifests of packages, and the line that fetches them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "manager/api/deployment_line.h"
#include "manager/front/package.h"

#define SHA256 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define WHOLE  "version 1.2~rc1\nsha256 " SHA256 "\nbytes 1000\nunpacked 5000\n"

static void a_manifest_is_read_and_written(void **state)
{
	struct package package;
	struct buf out;

	(void)state;
	assert_int_equal(package_parse(WHOLE, &package, NULL), 0);
	assert_string_equal(package.version, "1.2~rc1");
	assert_int_equal(package.bytes, 1000);
	assert_int_equal(package.unpacked, 5000);
	assert_int_equal(package.sha256[1], 0x11);
	buf_init(&out, 4096);
	package_format(&package, &out);
	assert_string_equal(buf_text(&out), WHOLE);
	buf_done(&out);
	/* What a later version adds does not matter to this one. */
	assert_int_equal(package_parse(WHOLE "signature abc\n\n", &package, NULL), 0);
}

static void a_bad_manifest_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *text, *word;
	} rows[] = {
		{ "", "version is missing" },
		{ "version 1\nsha256 " SHA256 "\nbytes 1000\n", "unpacked is missing" },
		{ WHOLE "bytes 1000\n", "bytes stands there twice" },
		{ "version 1 $(id)\nsha256 " SHA256 "\nbytes 1\nunpacked 1\n", "version" },
		{ "version \nsha256 " SHA256 "\nbytes 1\nunpacked 1\n", "version" },
		{ "version 1\nsha256 0011\nbytes 1\nunpacked 1\n", "sha256" },
		{ "version 1\nsha256 " SHA256 "00\nbytes 1\nunpacked 1\n", "sha256" },
		{ "version 1\nsha256 " SHA256 "\nbytes 0\nunpacked 1\n", "bytes" },
		{ "version 1\nsha256 " SHA256 "\nbytes -1\nunpacked 1\n", "bytes" },
		{ "version 1\nsha256 " SHA256 "\nbytes 99999999999\nunpacked 1\n", "bytes" },
		{ "version\n", "NAME VALUE" },
	};
	char longest[400];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct package package;
		struct err err = { 0 };

		assert_int_equal(package_parse(rows[i].text, &package, &err), ERR_FORMAT);
		assert_non_null(strstr(err.text, rows[i].word));
		assert_int_equal(package_parse(rows[i].text, &package, NULL), ERR_FORMAT);
	}
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	{
		struct package package;
		struct err err = { 0 };

		assert_int_equal(package_parse(longest, &package, &err), ERR_FORMAT);
	}
}

static void platforms_name_no_other_files(void **state)
{
	static const char *const bad[] = { "",
					   ".",
					   "..",
					   "a/b",
					   "linux-x86_64.tar",
					   "Linux",
					   "a b",
					   "a\n",
					   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };

	(void)state;
	assert_true(package_is_platform("linux-x86_64"));
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_false(package_is_platform(bad[i]));
}

static void addresses_mean_nothing_to_a_shell(void **state)
{
	static const char *const bad[] = { "",
					   "http://a",
					   "https://",
					   "https://a/b",
					   "https://a;id",
					   "https://$(id)",
					   "https://`id`",
					   "https://a b",
					   "https://a'b",
					   "https://a%41",
					   "https://-o",
					   "https://user@a",
					   "https://a\n" };

	(void)state;
	assert_true(deployment_is_url("https://manager.example.org:4343"));
	assert_true(deployment_is_url("https://[2001:db8::1]:4343"));
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_false(deployment_is_url(bad[i]));
}

/* With the longest address that is taken. */
static void cron_takes_the_line(void **state)
{
	char url[DEPLOYMENT_URL_MAX_BYTES + 1] = "https://";
	struct deployment_line line = { .url = url,
					.fingerprint = SHA256,
					.token = "mse_012345678901234567890123456789012345abcdef",
					.minute = 59,
					.hour = 5 };
	struct buf out;

	(void)state;
	memset(url + strlen(url), 'a', sizeof(url) - 1 - strlen("https://"));
	assert_true(deployment_is_url(url));
	for (int form = DEPLOYMENT_ONCE; form <= DEPLOYMENT_CRON; form++) {
		const char *last;

		line.form = (enum deployment_form)form;
		buf_init(&out, 8192);
		deployment_line(&line, &out);
		assert_int_equal(out.status, 0);
		assert_null(strchr(buf_text(&out), '%'));
		last = strstr(buf_text(&out), form == DEPLOYMENT_CRON ? "59 5 *" : "(export");
		assert_non_null(last);
		assert_true(form != DEPLOYMENT_CRON || strlen(last) < DEPLOYMENT_LINE_MAX_BYTES);
		assert_true(form != DEPLOYMENT_CRON || strstr(last, line.token) == NULL);
		buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_manifest_is_read_and_written),
		cmocka_unit_test(a_bad_manifest_is_refused_with_its_line),
		cmocka_unit_test(platforms_name_no_other_files),
		cmocka_unit_test(addresses_mean_nothing_to_a_shell),
		cmocka_unit_test(cron_takes_the_line),
	};

	return cmocka_run_group_tests_name("package", tests, NULL, NULL);
}
