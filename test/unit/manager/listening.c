/* What manager.ini says of listeners and TLS profiles, and what is wrong with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "manager/listening.h"

static tls_profile_set set_of(const char *names)
{
	tls_profile_set set = 0;

	assert_int_equal(tls_profiles_parse(names, &set, NULL), 0);
	return set;
}

static void read_settings(const char *more, struct settings *settings)
{
	struct buf text, problems;
	struct err err = { 0 };

	buf_init(&text, 65536);
	buf_init(&problems, 65536);
	buf_printf(&text, "[manager]\nname = m\n[network]\nlisten = 0.0.0.0:4343, [::]:4343, 10.0.0.5:4345\n%s", more);
	assert_int_equal(conf_init(&settings_table, settings, &err), 0);
	if (conf_read_text(&settings_table, "manager.ini", text.data, text.size, settings, &problems, &err) != 0)
		fail_msg("%s", buf_text(&problems));
	buf_done(&text);
	buf_done(&problems);
}

static void profiles_are_of_all_listeners_or_of_a_port(void **state)
{
	static const struct {
		const char *text, *first, *third;
		bool rsa;
	} cases[] = {
		{ "", "modern", "modern", false },
		{ "tls_profiles = strong-12", "strong-12", "strong-12", true },
		{ "tls_profiles = modern,4345: strong-12 legacy-9.6", "modern", "strong-12 legacy-9.6", true },
		{ "tls_profiles = modern 4345:legacy-9.5", "modern", "legacy-9.5", true },
		{ "tls_profiles = 4345: strong-12", "modern", "strong-12", true },
		{ "tls_profiles = 4345: strong-12, 4343: compat-10.0, modern", "modern compat-10.0", "strong-12",
		  true },
		{ "rsa_certificate = yes", "modern", "modern", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct settings settings;
		struct listening plan;
		struct err err = { 0 };

		read_settings(cases[i].text, &settings);
		if (listening_plan(&settings, &plan, &err) != 0)
			fail_msg("%s: %s", cases[i].text, err.text);
		assert_int_equal(plan.count, 3);
		assert_int_equal(plan.items[0].profiles, set_of(cases[i].first));
		assert_int_equal(plan.items[1].profiles, set_of(cases[i].first));
		assert_int_equal(plan.items[2].profiles, set_of(cases[i].third));
		assert_int_equal(plan.all, set_of(cases[i].first) | set_of(cases[i].third));
		assert_int_equal(plan.rsa, cases[i].rsa);
		for (size_t at = 0; at < plan.count; at++) { /* legacy and strong rows have RSA suites alone */
			bool modern = (plan.items[at].profiles & TLS_PROFILE_MODERN) != 0;
			bool every = strstr(cases[i].text, "rsa_certificate") != NULL;

			assert_int_equal(plan.items[at].rsa_only, !modern);
			assert_int_equal(plan.items[at].rsa, every || plan.items[at].profiles != TLS_PROFILE_MODERN);
		}
		conf_done(&settings_table, &settings);
	}
}

/* Where agents do not connect: a certificate of its own, and profiles by its port. */
static void the_consoles_listeners_stand_behind_the_others(void **state)
{
	struct settings settings;
	struct listening plan;
	struct err err = { 0 };

	(void)state;
	read_settings("console_listen = 0.0.0.0:443, [::]:443\ntls_profiles = modern, 443: strong-12\n", &settings);
	assert_int_equal(listening_plan(&settings, &plan, &err), 0);
	assert_int_equal(plan.count, 5);
	assert_true(plan.console);
	for (size_t i = 0; i < plan.count; i++) {
		assert_int_equal(plan.items[i].console, i >= 3);
		assert_int_equal(plan.items[i].profiles, set_of(i >= 3 ? "strong-12" : "modern"));
	}
	assert_int_equal(plan.items[4].address->port, 443);
	assert_false(plan.rsa); /* what its certificate's key is, is the administrator's matter */
	conf_done(&settings_table, &settings);
	read_settings("", &settings);
	assert_int_equal(listening_plan(&settings, &plan, &err), 0);
	assert_false(plan.console);
	conf_done(&settings_table, &settings);
}

static void what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *text, *problem;
	} cases[] = {
		{ "tls_profiles = moderne",
		  "manager.ini: [network] tls_profiles: there is no TLS profile \"moderne\"" },
		{ "tls_profiles = 4345:", "no TLS profile is named" },
		{ "tls_profiles = :", "there is no TLS profile \":\"" },
		{ "tls_profiles = 1: modern", "nothing listens on port 1:" },
		{ "tls_profiles = 0: modern", "there is no port 0" },
		{ "tls_profiles = 99999999999999999999999: modern", "there is no port 9999" },
		{ "tls_profiles = 4345", "there is no TLS profile \"4345\"" },
		{ "tls_profiles = modern 4345: legacy-9.5 modern", "legacy-9.5: whoever records" },
		{ "tls_profiles = modern 4345: legacy-9.5 modern", "set legacy_tls = accept-risk" },
		{ "tls_profiles = fips-12 modern", "needs a port of its own" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct settings settings;
		struct buf problems;
		struct err err = { 0 };

		buf_init(&problems, 65536);
		read_settings(cases[i].text, &settings);
		assert_int_equal(listening_check(&settings, &problems, &err), ERR_REFUSED);
		if (strstr(buf_text(&problems), cases[i].problem) == NULL)
			fail_msg("%s: %s", cases[i].text, buf_text(&problems));
		conf_done(&settings_table, &settings);
		buf_done(&problems);
	}
}

static void the_risk_may_be_accepted(void **state)
{
	struct settings settings;
	struct buf problems;

	(void)state;
	buf_init(&problems, 65536);
	read_settings("tls_profiles = modern legacy-9.5\nlegacy_tls = accept-risk", &settings);
	assert_int_equal(listening_check(&settings, &problems, NULL), 0);
	conf_done(&settings_table, &settings);
	read_settings("", &settings);
	assert_int_equal(listening_check(&settings, &problems, NULL), 0);
	conf_done(&settings_table, &settings);
	assert_int_equal(problems.size, 0);
	buf_done(&problems);
}

/* The console has one certificate; its kind is what its profiles can serve, and agents' is their own affair. */
static void the_consoles_certificate_is_of_the_kind_that_it_needs(void **state)
{
	static const struct {
		const char *text;
		bool rsa, console_rsa, waits;
	} cases[] = {
		{ "console_listen = 10.0.0.5:443", false, false, false },
		{ "console_listen = 10.0.0.5:443\ntls_profiles = modern, 443: strong-12", false, true, true },
		{ "console_listen = 10.0.0.5:443\ntls_profiles = modern, 443: modern strong-12", false, true, false },
		{ "console_listen = 10.0.0.5:443\ntls_profiles = strong-12, 443: modern", true, false, false },
		{ "console_listen = 10.0.0.5:443\nrsa_certificate = yes", true, false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct settings settings;
		struct listening plan;

		read_settings(cases[i].text, &settings);
		assert_int_equal(listening_plan(&settings, &plan, NULL), 0);
		assert_true(plan.count == 4 && plan.items[3].console);
		assert_int_equal(plan.rsa, cases[i].rsa);
		assert_int_equal(plan.console_rsa, cases[i].console_rsa);
		assert_int_equal(plan.items[3].rsa, cases[i].waits);
		conf_done(&settings_table, &settings);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(profiles_are_of_all_listeners_or_of_a_port),
		cmocka_unit_test(the_consoles_certificate_is_of_the_kind_that_it_needs),
		cmocka_unit_test(the_consoles_listeners_stand_behind_the_others),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(the_risk_may_be_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
