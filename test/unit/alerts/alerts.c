#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/alerts.h"
#include "base/text.h"

static const struct uuid computer = { { 1, 2, 3 } };

struct said {
	uint32_t type;
	const char *names[3], *values[3];
	bool says;
	enum alert_kind kind;
	bool holds;
	const char *subject, *detail;
};

/* What each type of event says of which alert. */
static const struct said said[] = {
	{ 730,
	  { "cause", "last_heard" },
	  { "heartbeats missed", "never" },
	  true,
	  ALERT_COMPUTER_OFFLINE,
	  true,
	  "",
	  "heartbeats missed" },
	{ 731, { "silent_s" }, { "12" }, true, ALERT_COMPUTER_OFFLINE, false, "", "" },
	{ 735, { "cause" }, { "allowed" }, true, ALERT_COMPUTER_OFFLINE, false, "", "" },
	{ 742, { "cause" }, { "refused" }, true, ALERT_COMMUNICATION_PROBLEM, true, "", "refused" },
	{ 743, { "cause" }, { "refused" }, true, ALERT_COMMUNICATION_PROBLEM, false, "", "" },
	{ 734, { "offset_s", "before_s" }, { "3600", "0" }, true, ALERT_CLOCK_CHANGE, true, "", "3600" },
	{ 275, { "name", "address" }, { "web", "10.0.0.1" }, true, ALERT_DUPLICATE_IDENTITY, true, "web", "10.0.0.1" },
	{ 717, { "host", "session" }, { "web", "7" }, true, ALERT_DUPLICATE_IDENTITY, true, "", "web" },
	{ 717, { "host" }, { "web-2" }, false, ALERT_DUPLICATE_IDENTITY, false, "", "" },
	{ 2000,
	  { "file", "detection", "result" },
	  { "/a", "Eicar", "failed: no room" },
	  true,
	  ALERT_MALWARE_NOT_REMOVED,
	  true,
	  "/a",
	  "Eicar, failed: no room" },
	{ 2000, { "file", "detection" }, { "/a", "Eicar" }, true, ALERT_MALWARE_NOT_REMOVED, true, "/a", "Eicar" },
	{ 2000,
	  { "file", "detection", "result" },
	  { "/a", "Eicar", "quarantined" },
	  true,
	  ALERT_MALWARE_NOT_REMOVED,
	  false,
	  "/a",
	  "" },
	{ 2020, { "file" }, { "/a\n" }, true, ALERT_MALWARE_NOT_REMOVED, false, "/a\\x0a", "" },
	{ 1300, { "done" }, { "it stays" }, true, ALERT_QUARANTINE_FULL, true, "", "it stays" },
	{ 6012, { "path", "free" }, { "/", "17" }, true, ALERT_LOW_DISK, true, "/", "17" },
	{ 6013, { "path", "free" }, { "/", "9999" }, true, ALERT_LOW_DISK, false, "/", "" },
	{ 603,
	  { "user", "count", "address" },
	  { "eve", "5", "10.0.0.1" },
	  true,
	  ALERT_USER_LOCKED_OUT,
	  true,
	  "eve",
	  "10.0.0.1" },
	{ 732, { "offline_error" }, { "no" }, true, ALERT_COMPUTER_OFFLINE, false, "", "" },
	{ 732, { "offline_error" }, { "yes" }, false, ALERT_KINDS, false, "", "" },
	{ 733, { "cause" }, { "virtual machine runs again, not heard yet" }, false, ALERT_KINDS, false, "", "" },
	{ 5000, { "version" }, { "1" }, false, ALERT_KINDS, false, "", "" },
	{ 191, { "alert" }, { "computer_offline" }, false, ALERT_KINDS, false, "", "" },
};

static bool fact_of(const struct said *row, struct alert_fact *fact)
{
	struct event_field fields[3];
	size_t count = 0;
	bool says;

	for (; count < 3 && row->names[count] != NULL; count++)
		fields[count] =
		    (struct event_field){ row->names[count],
					  { (const uint8_t *)row->values[count], strlen(row->values[count]) } };
	assert_int_equal(alert_fact_of_event(row->type, &computer, fields, count, 7, &says, fact, NULL), 0);
	return says;
}

static void events_say_what_they_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(said); i++) {
		struct alert_fact fact = { 0 };

		assert_int_equal(fact_of(&said[i], &fact), said[i].says);
		if (!said[i].says)
			continue;
		assert_int_equal(fact.kind, said[i].kind);
		assert_int_equal(fact.holds, said[i].holds);
		assert_string_equal(fact.subject, said[i].subject);
		assert_string_equal(fact.detail, said[i].detail);
		assert_int_equal(fact.time, 7);
		assert_int_equal(uuid_is_zero(&fact.computer), fact.kind == ALERT_QUARANTINE_FULL);
		alert_fact_done(&fact);
	}
}

/* A store of one alert, as any store keeps it. */
struct kept {
	bool open;
	char detail[64];
	unsigned raised, resolved, amended;
	time_us since;
};

static void tell(struct kept *kept, const struct alert_settings *settings, enum alert_kind kind, bool holds,
		 const char *detail, time_us time)
{
	struct alert_fact fact;

	assert_int_equal(alert_fact_make(kind, holds, &computer, "", detail, time, &fact, NULL), 0);
	switch (alert_decide(settings, &fact, kept->open ? kept->detail : NULL, alert_severity_of(settings, &fact))) {
	case ALERT_RAISE:
		assert_false(kept->open);
		kept->open = true;
		kept->raised++;
		kept->since = time;
		snprintf(kept->detail, sizeof(kept->detail), "%s", fact.detail);
		break;
	case ALERT_AMEND:
		assert_true(kept->open);
		kept->amended++;
		snprintf(kept->detail, sizeof(kept->detail), "%s", fact.detail);
		break;
	case ALERT_RESOLVE:
		assert_true(kept->open);
		kept->open = false;
		kept->resolved++;
		break;
	case ALERT_UNCHANGED:
		break;
	}
	alert_fact_done(&fact);
}

static void each_kind_is_raised_once_and_ends_as_defined(void **state)
{
	struct alert_settings settings;

	(void)state;
	alert_settings_default(&settings);
	for (enum alert_kind kind = 0; kind < ALERT_KINDS; kind++) {
		const struct alert_definition *definition = &alert_definitions[kind];
		struct kept kept = { 0 };

		tell(&kept, &settings, kind, false, "", 1); /* ends what never was */
		tell(&kept, &settings, kind, true, "x", 2);
		tell(&kept, &settings, kind, true, "x", 3);
		tell(&kept, &settings, kind, true, "y", 4);
		assert_int_equal(kept.raised, 1);
		assert_int_equal(kept.amended, 1);
		assert_int_equal(kept.since, 2); /* the first occurrence */
		assert_string_equal(kept.detail, "y");
		tell(&kept, &settings, kind, false, "", 5);
		tell(&kept, &settings, kind, false, "", 6);
		assert_int_equal(kept.resolved, definition->resolves);
		assert_int_equal(kept.open, !definition->resolves);
		assert_int_equal(alert_may_dismiss(kind, ALERT_OPEN, NULL),
				 definition->dismissible ? 0 : ERR_WRONG_STATE);
		assert_int_equal(alert_may_dismiss(kind, ALERT_RESOLVED, NULL), ERR_WRONG_STATE);
		assert_int_equal(alert_may_dismiss(kind, ALERT_DISMISSED, NULL), ERR_WRONG_STATE);
		/* Nothing may stay open for ever. */
		assert_true(definition->resolves || definition->dismissible);
	}
}

static void what_is_switched_off_is_not_raised_and_still_ends(void **state)
{
	struct alert_settings settings;
	struct kept kept = { 0 };

	(void)state;
	alert_settings_default(&settings);
	tell(&kept, &settings, ALERT_COMPUTER_OFFLINE, true, "", 1);
	settings.enabled[ALERT_COMPUTER_OFFLINE] = false;
	tell(&kept, &settings, ALERT_COMPUTER_OFFLINE, false, "", 2);
	assert_false(kept.open);
	tell(&kept, &settings, ALERT_COMPUTER_OFFLINE, true, "", 3);
	assert_false(kept.open);
	assert_int_equal(kept.raised, 1);
}

/* Not raised anew: whoever looks after it finds the same one, and worse. */
static void what_gets_worse_is_amended(void **state)
{
	struct alert_settings settings;
	struct alert_fact fact;

	(void)state;
	alert_settings_default(&settings);
	assert_int_equal(alert_fact_make(ALERT_CERTIFICATE_EXPIRES, true, NULL, "server", "x", 1, &fact, NULL), 0);
	assert_int_equal(alert_severity_of(&settings, &fact), ALERT_WARNING);
	assert_int_equal(alert_decide(&settings, &fact, "x", ALERT_WARNING), ALERT_UNCHANGED);
	fact.critical = true;
	assert_int_equal(alert_severity_of(&settings, &fact), ALERT_CRITICAL);
	assert_int_equal(alert_decide(&settings, &fact, NULL, ALERT_WARNING), ALERT_RAISE);
	assert_int_equal(alert_decide(&settings, &fact, "x", ALERT_WARNING), ALERT_AMEND);
	assert_int_equal(alert_decide(&settings, &fact, "x", ALERT_CRITICAL), ALERT_UNCHANGED);
	fact.critical = false;
	settings.severity[ALERT_CERTIFICATE_EXPIRES] = ALERT_CRITICAL;
	assert_int_equal(alert_decide(&settings, &fact, "x", ALERT_CRITICAL), ALERT_UNCHANGED);
	alert_fact_done(&fact);
}

static void definitions_are_whole(void **state)
{
	(void)state;
	for (enum alert_kind kind = 0; kind < ALERT_KINDS; kind++) {
		const struct alert_definition *definition = &alert_definitions[kind];

		assert_int_equal(alert_kind_parse(definition->name), kind);
		for (int language = 0; language < ALERT_LANGUAGES; language++) {
			assert_true(text_is_name(definition->title[language], 100));
			assert_true(text_is_name(definition->text[language], 500));
			assert_int_equal(strstr(definition->text[language], "{computer}") != NULL,
					 definition->of_computer || kind == ALERT_LOW_DISK);
		}
	}
	assert_int_equal(alert_kind_parse("no such"), ALERT_KINDS);
	for (int severity = 0; severity < ALERT_SEVERITIES; severity++)
		assert_int_equal(alert_severity_parse(alert_severity_name((enum alert_severity)severity)), severity);
	assert_int_equal(alert_severity_parse("loud"), ALERT_SEVERITIES);
}

static void five_are_named_and_the_rest_counted(void **state)
{
	static const char *const names[] = { "a", "b", "c", "d", "e" };
	static const struct {
		size_t count;
		uint64_t total;
		const char *english, *japanese;
	} rows[] = {
		{ 1, 1, "a", "a" },
		{ 2, 2, "a and b", "a、b" },
		{ 5, 5, "a, b, c, d and e", "a、b、c、d、e" },
		{ 5, 12, "a, b, c, d, e and 7 more", "a、b、c、d、e、ほか 7 台" },
		{ 0, 0, "", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const char *const wanted[] = { rows[i].english, rows[i].japanese };

		for (int language = 0; language < ALERT_LANGUAGES; language++) {
			struct buf out;

			buf_init(&out, 1000);
			alert_names(names, rows[i].count, rows[i].total, (enum alert_language)language, &out);
			assert_string_equal(buf_text(&out), wanted[language]);
			buf_done(&out);
		}
	}
}

static void sentences_hold_their_values(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	alert_text(ALERT_COMPONENT_FAILED, ALERT_ENGLISH, "web {detail}", "scan", "no signatures.", &out);
	assert_string_equal(buf_text(&out), "The component scan of web {detail} does not work: no signatures.");
	buf_reset(&out);
	alert_text(ALERT_COMPUTER_OFFLINE, ALERT_JAPANESE, "web", "", NULL, &out);
	assert_string_equal(buf_text(&out), "web がオフラインです: -。");
	buf_done(&out);
}

/* Paths may be as long as they like, and of any bytes. */
static void long_subjects_are_cut_and_stay_apart(void **state)
{
	struct event_field fields[2] = { { .name = "result" }, { .name = "file" } };
	uint8_t *path = malloc(8192);
	struct alert_fact one, other;
	bool says;

	(void)state;
	assert_non_null(path);
	fields[0].value = (struct bytes){ (const uint8_t *)"failed", 6 };
	fields[1].value = (struct bytes){ path, 8192 };
	memset(path, 0xe3, 8192);
	assert_int_equal(alert_fact_of_event(2000, &computer, fields, 2, 0, &says, &one, NULL), 0);
	path[8191] = 'x';
	assert_int_equal(alert_fact_of_event(2000, &computer, fields, 2, 0, &says, &other, NULL), 0);
	assert_true(strlen(one.subject) <= ALERT_SUBJECT_MAX_BYTES && strlen(one.subject) > 1000);
	assert_string_not_equal(one.subject, other.subject);
	assert_true(text_is_utf8(one.subject, strlen(one.subject)));
	alert_fact_done(&one);
	alert_fact_done(&other);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_say_what_they_say),
		cmocka_unit_test(each_kind_is_raised_once_and_ends_as_defined),
		cmocka_unit_test(what_is_switched_off_is_not_raised_and_still_ends),
		cmocka_unit_test(what_gets_worse_is_amended),
		cmocka_unit_test(definitions_are_whole),
		cmocka_unit_test(five_are_named_and_the_rest_counted),
		cmocka_unit_test(sentences_hold_their_values),
		cmocka_unit_test(long_subjects_are_cut_and_stay_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
