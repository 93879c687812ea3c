/* Who may activate, and as which computer: every value of every setting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "manager/front/enrolment_rules.h"

static struct address address_of(const char *text)
{
	struct address address;

	assert_int_equal(address_parse(text, &address, NULL), 0);
	return address;
}

struct row {
	enum enrolment_allowed allowed;
	enum same_name same_name;
	const char *from; /* NULL: not known */
	enum enrolment_name name;
	int rc;
	enum enrolment_way way;
};

/* clang-format off */
static const struct row by_token[] = {
	/* any computer */
	{ ENROLMENT_ANY, SAME_NAME_NUMBER,     "198.51.100.1", ENROLMENT_NAME_FREE,    0, ENROLMENT_NEW },
	{ ENROLMENT_ANY, SAME_NAME_NUMBER,     "198.51.100.1", ENROLMENT_NAME_MANAGED, 0, ENROLMENT_NUMBERED },
	{ ENROLMENT_ANY, SAME_NAME_NUMBER,     "198.51.100.1", ENROLMENT_NAME_WAITS,   0, ENROLMENT_TAKES },
	{ ENROLMENT_ANY, SAME_NAME_REFUSE,     "198.51.100.1", ENROLMENT_NAME_FREE,    0, ENROLMENT_NEW },
	{ ENROLMENT_ANY, SAME_NAME_REFUSE,     "198.51.100.1", ENROLMENT_NAME_MANAGED, ERR_WRONG_STATE, 0 },
	{ ENROLMENT_ANY, SAME_NAME_REFUSE,     "198.51.100.1", ENROLMENT_NAME_WAITS,   0, ENROLMENT_TAKES },
	{ ENROLMENT_ANY, SAME_NAME_REACTIVATE, "198.51.100.1", ENROLMENT_NAME_FREE,    0, ENROLMENT_NEW },
	{ ENROLMENT_ANY, SAME_NAME_REACTIVATE, "198.51.100.1", ENROLMENT_NAME_MANAGED, 0, ENROLMENT_TAKES },
	{ ENROLMENT_ANY, SAME_NAME_REACTIVATE, "198.51.100.1", ENROLMENT_NAME_WAITS,   0, ENROLMENT_TAKES },
	/* known ones only */
	{ ENROLMENT_KNOWN, SAME_NAME_NUMBER,     "192.0.2.1", ENROLMENT_NAME_FREE,    ERR_UNTRUSTED, 0 },
	{ ENROLMENT_KNOWN, SAME_NAME_NUMBER,     "192.0.2.1", ENROLMENT_NAME_MANAGED, ERR_UNTRUSTED, 0 },
	{ ENROLMENT_KNOWN, SAME_NAME_NUMBER,     "192.0.2.1", ENROLMENT_NAME_WAITS,   0, ENROLMENT_TAKES },
	{ ENROLMENT_KNOWN, SAME_NAME_REFUSE,     "192.0.2.1", ENROLMENT_NAME_MANAGED, ERR_UNTRUSTED, 0 },
	{ ENROLMENT_KNOWN, SAME_NAME_REACTIVATE, "192.0.2.1", ENROLMENT_NAME_FREE,    ERR_UNTRUSTED, 0 },
	{ ENROLMENT_KNOWN, SAME_NAME_REACTIVATE, "192.0.2.1", ENROLMENT_NAME_MANAGED, 0, ENROLMENT_TAKES },
	/* from these addresses only: 192.0.2.0/24 and 2001:db8::/32 */
	{ ENROLMENT_ADDRESSES, SAME_NAME_NUMBER, "192.0.2.1",    ENROLMENT_NAME_FREE, 0, ENROLMENT_NEW },
	{ ENROLMENT_ADDRESSES, SAME_NAME_NUMBER, "2001:db8::7",  ENROLMENT_NAME_FREE, 0, ENROLMENT_NEW },
	{ ENROLMENT_ADDRESSES, SAME_NAME_NUMBER, "192.0.3.1",    ENROLMENT_NAME_FREE, ERR_UNTRUSTED, 0 },
	{ ENROLMENT_ADDRESSES, SAME_NAME_NUMBER, "2001:db9::7",  ENROLMENT_NAME_FREE, ERR_UNTRUSTED, 0 },
	{ ENROLMENT_ADDRESSES, SAME_NAME_NUMBER, NULL,           ENROLMENT_NAME_FREE, ERR_UNTRUSTED, 0 },
	{ ENROLMENT_ADDRESSES, SAME_NAME_REFUSE, "192.0.2.1",    ENROLMENT_NAME_MANAGED, ERR_WRONG_STATE, 0 },
	{ ENROLMENT_ADDRESSES, SAME_NAME_NUMBER, "198.51.100.1", ENROLMENT_NAME_WAITS, ERR_UNTRUSTED, 0 },
};
/* clang-format on */

static void a_token_opens_what_the_settings_allow(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(by_token); i++) {
		const struct row *row = &by_token[i];
		struct enrolment_rules rules = { .allowed = row->allowed, .same_name = row->same_name };
		struct enrolment_facts facts = { .name = row->name };
		enum enrolment_way way = ENROLMENT_NEW;

		assert_int_equal(
		    enrolment_ranges_parse("192.0.2.0/24, 2001:db8::/32", rules.ranges, &rules.range_count, NULL), 0);
		if (row->from != NULL)
			facts.from = address_of(row->from);
		if (enrolment_decide(&rules, &facts, &way, NULL) != row->rc || (row->rc == 0 && way != row->way))
			fail_msg("row %zu", i);
	}
}

/* clang-format off */
static const struct {
	enum enrolment_without_token setting;
	enum enrolment_allowed allowed;
	enum same_name same_name;
	enum enrolment_name name;
	bool expected, shut_out;
	int rc;
	enum enrolment_way way;
} by_nothing[] = {
#define NO       WITHOUT_TOKEN_NO
#define EXPECTED WITHOUT_TOKEN_EXPECTED
#define YES      WITHOUT_TOKEN_YES
	{ NO, ENROLMENT_ANY,   SAME_NAME_NUMBER, ENROLMENT_NAME_FREE,  false, false, ERR_DENIED, 0 },
	{ NO, ENROLMENT_KNOWN, SAME_NAME_NUMBER, ENROLMENT_NAME_WAITS, true,  false, ERR_DENIED, 0 },
	{ EXPECTED, ENROLMENT_ANY,   SAME_NAME_NUMBER, ENROLMENT_NAME_WAITS, true,  false, 0, ENROLMENT_TAKES },
	{ EXPECTED, ENROLMENT_KNOWN, SAME_NAME_NUMBER, ENROLMENT_NAME_WAITS, true,  false, 0, ENROLMENT_TAKES },
	{ EXPECTED, ENROLMENT_ANY,   SAME_NAME_NUMBER, ENROLMENT_NAME_WAITS, false, false, ERR_UNTRUSTED, 0 },
	{ EXPECTED, ENROLMENT_ANY,   SAME_NAME_NUMBER, ENROLMENT_NAME_WAITS, true,  true,  ERR_UNTRUSTED, 0 },
	{ EXPECTED, ENROLMENT_ANY,   SAME_NAME_NUMBER, ENROLMENT_NAME_FREE,  false, false, ERR_UNTRUSTED, 0 },
	{ EXPECTED, ENROLMENT_ANY,   SAME_NAME_REACTIVATE, ENROLMENT_NAME_MANAGED, false, false, ERR_UNTRUSTED, 0 },
	{ EXPECTED, ENROLMENT_ADDRESSES, SAME_NAME_NUMBER, ENROLMENT_NAME_WAITS, true, false, ERR_UNTRUSTED, 0 },
	{ YES, ENROLMENT_ANY,   SAME_NAME_NUMBER, ENROLMENT_NAME_FREE,    false, false, 0, ENROLMENT_NEW },
	{ YES, ENROLMENT_ANY,   SAME_NAME_NUMBER, ENROLMENT_NAME_WAITS,   false, false, 0, ENROLMENT_TAKES },
	{ YES, ENROLMENT_ANY,   SAME_NAME_NUMBER, ENROLMENT_NAME_WAITS,   false, true,  ERR_UNTRUSTED, 0 },
	{ YES, ENROLMENT_ANY,   SAME_NAME_NUMBER, ENROLMENT_NAME_MANAGED, false, false, 0, ENROLMENT_NUMBERED },
	{ YES, ENROLMENT_ANY,   SAME_NAME_REFUSE, ENROLMENT_NAME_MANAGED, false, false, ERR_WRONG_STATE, 0 },
	{ YES, ENROLMENT_ANY,   SAME_NAME_REACTIVATE, ENROLMENT_NAME_MANAGED, false, false, ERR_UNTRUSTED, 0 },
	{ YES, ENROLMENT_KNOWN, SAME_NAME_NUMBER, ENROLMENT_NAME_FREE,    false, false, ERR_UNTRUSTED, 0 },
	{ YES, ENROLMENT_KNOWN, SAME_NAME_NUMBER, ENROLMENT_NAME_WAITS,   false, false, 0, ENROLMENT_TAKES },
	{ YES, ENROLMENT_ADDRESSES, SAME_NAME_NUMBER, ENROLMENT_NAME_FREE, false, false, ERR_UNTRUSTED, 0 },
};
/* clang-format on */

static void nothing_opens_what_the_settings_allow_and_no_agents_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(by_nothing); i++) {
		const struct enrolment_rules rules = { .allowed = by_nothing[i].allowed, /* no ranges: nobody's */
						       .same_name = by_nothing[i].same_name,
						       .without_token = by_nothing[i].setting };
		const struct enrolment_facts facts = { .without_token = true,
						       .name = by_nothing[i].name,
						       .expected = by_nothing[i].expected,
						       .shut_out = by_nothing[i].shut_out };
		enum enrolment_way way = ENROLMENT_NEW;

		if (enrolment_decide(&rules, &facts, &way, NULL) != by_nothing[i].rc ||
		    (by_nothing[i].rc == 0 && way != by_nothing[i].way))
			fail_msg("row %zu", i);
	}
}

static const struct {
	bool cloned, unknown; /* the settings */
	enum roster_standing standing;
	bool is_clone;
	int rc;
} by_certificate[] = {
	{ true, false, ROSTER_ACTIVE, true, 0 },
	{ true, false, ROSTER_ACTIVE, false, ERR_UNTRUSTED },
	{ false, true, ROSTER_ACTIVE, true, ERR_UNTRUSTED },
	{ false, true, ROSTER_UNKNOWN, false, 0 },
	{ false, true, ROSTER_DELETED, false, 0 },
	{ true, false, ROSTER_UNKNOWN, false, ERR_UNTRUSTED },
	{ true, false, ROSTER_DELETED, true, ERR_UNTRUSTED },
	{ true, true, ROSTER_REVOKED, true, ERR_UNTRUSTED },
	{ true, true, ROSTER_DEACTIVATED, true, ERR_UNTRUSTED },
	{ true, true, ROSTER_WAITING, true, ERR_UNTRUSTED },
	/* Its identity went on without it: it moved away, or has had another certificate since. */
	{ true, false, ROSTER_MOVED, false, 0 },
	{ false, true, ROSTER_MOVED, false, ERR_UNTRUSTED },
	{ true, false, ROSTER_REPLACED, false, 0 },
	{ false, true, ROSTER_REPLACED, true, ERR_UNTRUSTED },
};

static void a_young_copy_makes_no_copies(void **state)
{
	static const enum roster_standing standings[] = { ROSTER_ACTIVE, ROSTER_REPLACED, ROSTER_MOVED };
	const struct enrolment_rules rules = { .reactivate_cloned = true };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(standings); i++) {
		struct enrolment_facts facts = {
			.by_certificate = true, .standing = standings[i], .is_clone = true, .is_young = true
		};
		enum enrolment_way way = ENROLMENT_TAKES;

		assert_int_equal(enrolment_decide(&rules, &facts, &way, NULL), ERR_BUSY); /* it may come again */
		facts.is_young = false;
		assert_int_equal(enrolment_decide(&rules, &facts, &way, NULL), 0);
		assert_int_equal(way, ENROLMENT_NEW);
	}
}

static void an_identity_that_was_copied_often_waits(void **state)
{
	const struct enrolment_rules rules = { .reactivate_cloned = true };
	struct enrolment_facts facts = {
		.by_certificate = true, .standing = ROSTER_ACTIVE, .is_clone = true, .too_many = true
	};
	enum enrolment_way way = ENROLMENT_TAKES;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(enrolment_decide(&rules, &facts, &way, &err), ERR_BUSY); /* it may come again */
	assert_non_null(strstr(err.text, "may shortly"));
	facts.is_clone = false; /* who may not at all is not told to wait */
	assert_int_equal(enrolment_decide(&rules, &facts, &way, NULL), ERR_UNTRUSTED);
	assert_int_equal(enrolment_copies.free, 32);
	assert_int_equal(enrolment_copies.wait_max, 30 * SECOND_US);
}

static void a_certificate_opens_what_the_settings_allow(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(by_certificate); i++) {
		const struct enrolment_rules rules = { .allowed = ENROLMENT_KNOWN, /* about tokens */
						       .same_name = SAME_NAME_REFUSE,
						       .reactivate_cloned = by_certificate[i].cloned,
						       .reactivate_unknown = by_certificate[i].unknown };
		struct enrolment_facts facts = { .by_certificate = true,
						 .standing = by_certificate[i].standing,
						 .is_clone = by_certificate[i].is_clone };
		enum enrolment_way way = ENROLMENT_TAKES;

		/* Who is told to come is let in, and nobody is who is not; of an active one the fleet says it. */
		if (facts.standing != ROSTER_ACTIVE &&
		    enrolment_rekeys(&rules, facts.standing) != (by_certificate[i].rc == 0))
			fail_msg("row %zu", i);
		for (int name = ENROLMENT_NAME_FREE; name <= ENROLMENT_NAME_MANAGED; name++) {
			facts.name = (enum enrolment_name)name;
			if (enrolment_decide(&rules, &facts, &way, NULL) != by_certificate[i].rc)
				fail_msg("row %zu", i);
			if (by_certificate[i].rc == 0) /* never another's computer */
				assert_int_equal(way, name == ENROLMENT_NAME_FREE ? ENROLMENT_NEW : ENROLMENT_NUMBERED);
		}
	}
}

/* An administrator said which agent is to be dialled: who may come by itself is no question then, names still are. */
static void the_managers_own_word_stands_in_for_who_may(void **state)
{
	static const struct {
		enum enrolment_allowed allowed;
		enum same_name same_name;
		enum enrolment_name name;
		int rc;
		enum enrolment_way way;
	} rows[] = {
		{ ENROLMENT_KNOWN, SAME_NAME_NUMBER, ENROLMENT_NAME_FREE, 0, ENROLMENT_NEW },
		{ ENROLMENT_KNOWN, SAME_NAME_NUMBER, ENROLMENT_NAME_WAITS, 0, ENROLMENT_TAKES },
		{ ENROLMENT_KNOWN, SAME_NAME_NUMBER, ENROLMENT_NAME_MANAGED, 0, ENROLMENT_NUMBERED },
		{ ENROLMENT_ADDRESSES, SAME_NAME_REFUSE, ENROLMENT_NAME_FREE, 0, ENROLMENT_NEW },
		{ ENROLMENT_ADDRESSES, SAME_NAME_REFUSE, ENROLMENT_NAME_MANAGED, ERR_WRONG_STATE, 0 },
		{ ENROLMENT_ANY, SAME_NAME_REACTIVATE, ENROLMENT_NAME_MANAGED, 0, ENROLMENT_TAKES },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct enrolment_rules rules = { .allowed = rows[i].allowed, .same_name = rows[i].same_name };
		struct enrolment_facts facts = { .by_manager = true, .name = rows[i].name };
		enum enrolment_way way = ENROLMENT_NEW;
		struct err err = { 0 };

		assert_int_equal(enrolment_decide(&rules, &facts, &way, &err), rows[i].rc);
		if (rows[i].rc == 0)
			assert_int_equal(way, rows[i].way);
	}
}

static void lists_of_ranges_are_read(void **state)
{
	struct address_range ranges[ENROLMENT_RANGES_MAX];
	char many[ENROLMENT_RANGES_MAX * 12 + 64] = "";
	size_t count = 7;

	(void)state;
	assert_int_equal(enrolment_ranges_parse("", ranges, &count, NULL), 0);
	assert_int_equal(count, 0);
	assert_int_equal(enrolment_ranges_parse(" 192.0.2.1,2001:db8::/32  10.0.0.1-10.0.0.9, ", ranges, &count, NULL),
			 0);
	assert_int_equal(count, 3);
	assert_int_equal(enrolment_ranges_parse("192.0.2.1, nonsense", ranges, &count, NULL), ERR_FORMAT);
	assert_int_equal(enrolment_ranges_parse("192.0.2.1/24", ranges, &count, NULL), ERR_RANGE);
	for (int i = 0; i < ENROLMENT_RANGES_MAX; i++)
		strcat(many, "192.0.2.1,");
	assert_int_equal(enrolment_ranges_parse(many, ranges, &count, NULL), 0);
	strcat(many, "192.0.2.1");
	assert_int_equal(enrolment_ranges_parse(many, ranges, &count, NULL), ERR_LIMIT);
	memset(many, '1', sizeof(many) - 1);
	assert_int_equal(enrolment_ranges_parse(many, ranges, &count, NULL), ERR_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_opens_what_the_settings_allow),
		cmocka_unit_test(nothing_opens_what_the_settings_allow_and_no_agents_place),
		cmocka_unit_test(a_certificate_opens_what_the_settings_allow),
		cmocka_unit_test(a_young_copy_makes_no_copies),
		cmocka_unit_test(an_identity_that_was_copied_often_waits),
		cmocka_unit_test(the_managers_own_word_stands_in_for_who_may),
		cmocka_unit_test(lists_of_ranges_are_read),
	};

	return cmocka_run_group_tests_name("unit/manager/enrolment_rules", tests, NULL, NULL);
}
