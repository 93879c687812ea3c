/* Which setting somebody may have meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "conf/nearest.h"

struct settings {
	int64_t port, hold;
};

static const struct conf_row rows[] = {
	{ .section = "network",
	  .key = "https_port",
	  .type = CONF_NUMBER,
	  .offset = offsetof(struct settings, port),
	  .max = 65535,
	  .initial = "0",
	  .aliases = "Https INI_SERVER_SECTION.Master_SSLPort",
	  .help = "A port." },
	{ .section = "exchange",
	  .key = "hold",
	  .type = CONF_NUMBER,
	  .offset = offsetof(struct settings, hold),
	  .max = 10,
	  .initial = "0",
	  .help = "A time." },
};
static const struct conf_table table = { "example", "example.ini", rows, COUNT_OF(rows), sizeof(struct settings) };

static void near_names_are_found(void **state)
{
	static const struct {
		const char *section, *key, *near;
	} cases[] = {
		{ "network", "https_prot", "[network] https_port" },
		{ "netwrok", "https_port", "[network] https_port" },
		{ "NETWORK", "HTTPS-PORT", "[network] https_port" },
		{ "exchange", "https_port", "[network] https_port" },
		{ "network", "hold", "[exchange] hold" },
		{ "INI_SERVER_SECTION", "Master_SSLPorts", "[INI_SERVER_SECTION] Master_SSLPort" },
		{ "INI_SERVER_SECTON", "Master_SSLPort", "[INI_SERVER_SECTION] Master_SSLPort" },
		{ "network", "Htps", "[network] Https" },
		{ "exchange", "held_for_long", NULL },
		{ "", "", NULL },
		{ "x", "", NULL },
	};
	char near[NEAREST_BYTES];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		if (conf_nearest(&table, cases[i].section, cases[i].key, near) != (cases[i].near != NULL))
			fail_msg("[%s] %s", cases[i].section, cases[i].key);
		if (cases[i].near != NULL)
			assert_string_equal(near, cases[i].near);
	}
}

static void long_names_are_near_to_nothing(void **state)
{
	char text[5000], near[NEAREST_BYTES];

	(void)state;
	memset(text, 'a', sizeof(text));
	for (size_t size = 0; size < sizeof(text) - 1; size = size * 2 + 1) {
		text[size] = '\0';
		assert_false(conf_nearest(&table, text, "", near));
		assert_false(conf_nearest(&table, text, text, near));
		text[size] = 'a';
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(near_names_are_found),
		cmocka_unit_test(long_names_are_near_to_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
