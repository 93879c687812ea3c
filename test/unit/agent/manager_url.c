/* agent/manager_url.h: addresses as people type them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/manager_url.h"
#include "base/units.h"

static void good_addresses(void **state)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
	} rows[] = {
		{ "https://manager.example:4343", "manager.example", 4343 },
		{ "https://manager.example", "manager.example", 4343 },
		{ "https://manager.example/", "manager.example", 4343 },
		{ "https://127.0.0.1:1", "127.0.0.1", 1 },
		{ "https://[::1]:65535/", "::1", 65535 },
		{ "https://[fe80::1%eth0]", "fe80::1%eth0", 4343 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct manager_url url;

		assert_int_equal(manager_url_parse(rows[i].text, &url, NULL), 0);
		assert_string_equal(url.host, rows[i].host);
		assert_int_equal(url.port, rows[i].port);
	}
}

static void bad_addresses(void **state)
{
	static const char *const rows[] = {
		"",
		"manager.example",
		"http://manager.example",
		"https://",
		"https://:4343",
		"https://host:",
		"https://host:0",
		"https://host:65536",
		"https://host:43x",
		"https://host/path",
		"https://user@host",
		"https://ho st",
		"https://host\n",
		"https://[::1",
		"https://[::1]x",
		"https://[]",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct manager_url url;
		struct err err = { 0 };

		assert_int_equal(manager_url_parse(rows[i], &url, &err), ERR_FORMAT);
		assert_true(err.text[0] != '\0');
	}
}

static void a_name_that_is_too_long(void **state)
{
	char text[600] = "https://";
	struct manager_url url;

	(void)state;
	memset(text + 8, 'a', 500);
	assert_int_equal(manager_url_parse(text, &url, NULL), ERR_FORMAT);
	memset(text + 8, 0, 500);
	memset(text + 8, 'a', MANAGER_URL_HOST_BYTES);
	assert_int_equal(manager_url_parse(text, &url, NULL), ERR_FORMAT);
	text[8 + MANAGER_URL_HOST_BYTES - 1] = '\0';
	assert_int_equal(manager_url_parse(text, &url, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_addresses),
		cmocka_unit_test(bad_addresses),
		cmocka_unit_test(a_name_that_is_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
