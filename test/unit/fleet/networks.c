/* Addresses, ranges, and which network an address belongs to. */
#include "fleet/networks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"

/* --- addresses --- */

static struct address address(const char *text)
{
	struct address parsed;
	struct err err = { 0 };

	if (address_parse(text, &parsed, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	return parsed;
}

static struct address_range range(const char *text)
{
	struct address_range parsed;
	struct err err = { 0 };

	if (address_range_parse(text, &parsed, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	return parsed;
}

static void ranges_are_written_in_one_way(void **state)
{
	static const char *const forms[][2] = {
		{ "192.0.2.0/24", "192.0.2.0/24" },
		{ "192.0.2.0-192.0.2.255", "192.0.2.0/24" },
		{ "192.0.2.7", "192.0.2.7" },
		{ "192.0.2.7/32", "192.0.2.7" },
		{ "192.0.2.7-192.0.2.7", "192.0.2.7" },
		{ "192.0.2.1-192.0.2.2", "192.0.2.1-192.0.2.2" },
		{ "192.0.2.1-192.0.2.4", "192.0.2.1-192.0.2.4" },
		{ "0.0.0.0/0", "0.0.0.0/0" },
		{ "0.0.0.0-255.255.255.255", "0.0.0.0/0" },
		{ "2001:DB8::/32", "2001:db8::/32" },
		{ "2001:db8::-2001:db8::ffff", "2001:db8::/112" },
		{ "2001:db8::1-2001:db8::ffff", "2001:db8::1-2001:db8::ffff" },
		{ "::/0", "::/0" },
		{ "fe80::1", "fe80::1" },
		{ "::ffff:192.0.2.0/120", "192.0.2.0/24" },
		{ "::ffff:192.0.2.9", "192.0.2.9" },
		{ "::ffff:192.0.2.9-192.0.2.10", "192.0.2.9-192.0.2.10" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		struct address_range parsed = range(forms[i][0]);
		char text[ADDRESS_RANGE_TEXT_BYTES];

		address_range_format(&parsed, text);
		assert_string_equal(text, forms[i][1]);
	}
}

static void what_is_no_range_is_refused_in_words(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *says;
	} wrong[] = {
		{ "", ERR_FORMAT, "no IPv4 or IPv6 address" },
		{ "branch", ERR_FORMAT, "'branch' is no IPv4 or IPv6 address" },
		{ "256.0.0.1", ERR_FORMAT, "no IPv4 or IPv6 address" },
		{ "10.0.0/8", ERR_FORMAT, "no IPv4 or IPv6 address" },
		{ "10.0.0.0/", ERR_RANGE, "no number from 0 to 32" },
		{ "10.0.0.0/33", ERR_RANGE, "no number from 0 to 32" },
		{ "10.0.0.0/-1", ERR_RANGE, "no number from 0 to 32" },
		{ "10.0.0.0/8/8", ERR_RANGE, "no number from 0 to 32" },
		{ "2001:db8::/129", ERR_RANGE, "no number from 0 to 128" },
		{ "::ffff:10.0.0.0/8", ERR_RANGE, "no number from 96 to 128" },
		{ "10.0.0.5/8", ERR_RANGE, "did you mean 10.0.0.0/8?" },
		{ "2001:db8::1/32", ERR_RANGE, "did you mean 2001:db8::/32?" },
		{ "10.0.0.9-10.0.0.1", ERR_RANGE, "ends before it begins" },
		{ "10.0.0.1-", ERR_FORMAT, "no IPv4 or IPv6 address" },
		{ "-10.0.0.1", ERR_FORMAT, "no IPv4 or IPv6 address" },
		{ "10.0.0.1-2001:db8::1", ERR_RANGE, "one end is IPv4, the other IPv6" },
		{ "10.0.0.1 - 10.0.0.2", ERR_FORMAT, "no IPv4 or IPv6 address" },
		{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb", ERR_FORMAT, "not that long" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		struct address_range parsed;
		struct err err = { 0 };

		if (address_range_parse(wrong[i].text, &parsed, &err) != wrong[i].code ||
		    strstr(err.text, wrong[i].says) == NULL)
			fail_msg("%s: %d %s", wrong[i].text, err.code, err.text);
	}
}

static void peers_are_read_as_the_server_writes_them(void **state)
{
	static const char *const peers[][2] = {
		{ "192.0.2.1:50000", "192.0.2.1" },
		{ "[2001:db8::1]:50000", "2001:db8::1" },
		{ "[::ffff:192.0.2.1]:50000", "192.0.2.1" },
		{ "[fe80::1%eth0]:50000", "fe80::1" },
	};
	struct address parsed;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(peers); i++) {
		char text[ADDRESS_TEXT_BYTES];

		assert_int_equal(address_parse_peer(peers[i][0], &parsed, NULL), 0);
		address_format(&parsed, text);
		assert_string_equal(text, peers[i][1]);
	}
	assert_int_equal(address_parse_peer("unix", &parsed, NULL), ERR_FORMAT);
	assert_int_equal(address_parse_peer("", &parsed, NULL), ERR_FORMAT);
}

/* --- tables --- */

static const struct network_rules usual = { true, 10, 60, 0 };

struct given {
	const char *name;
	const char *ranges[4];
};

static int make(const struct given *given, size_t count, struct networks **ret_networks, struct err *err)
{
	struct network *networks = calloc(count + 1, sizeof(*networks));
	struct address_range *ranges = calloc(4 * count + 1, sizeof(*ranges));
	int rc;

	assert_true(networks != NULL && ranges != NULL);
	for (size_t i = 0; i < count; i++) {
		networks[i] = (struct network){ .name = given[i].name, .rules = usual, .ranges = ranges + 4 * i };
		networks[i].id.bytes[0] = (uint8_t)(i + 1);
		while (networks[i].range_count < 4 && given[i].ranges[networks[i].range_count] != NULL) {
			ranges[4 * i + networks[i].range_count] = range(given[i].ranges[networks[i].range_count]);
			networks[i].range_count++;
		}
	}
	rc = networks_new(networks, count, ret_networks, err);
	free(networks);
	free(ranges);
	return rc;
}

static const char *where(const struct networks *networks, const char *text)
{
	struct address of = address(text);
	const struct network *network = networks_find(networks, &of, NULL);

	return network != NULL ? network->name : "none";
}

static void the_smallest_range_wins_up_to_its_very_ends(void **state)
{
	static const struct given given[] = {
		{ "all", { "10.0.0.0/8", "2001:db8::/32" } },
		{ "branch", { "10.1.0.0/16" } },
		{ "desk", { "10.1.2.3", "10.1.255.250-10.2.0.4" } },
		{ "end", { "255.255.255.0/24" } },
		{ "lab", { "2001:db8:1::/48" } },
	};
	static const char *const expected[][2] = {
		{ "9.255.255.255", "none" },
		{ "10.0.0.0", "all" },
		{ "10.0.255.255", "all" },
		{ "10.1.0.0", "branch" },
		{ "10.1.2.2", "branch" },
		{ "10.1.2.3", "desk" },
		{ "10.1.2.4", "branch" },
		{ "10.1.255.249", "branch" },
		{ "10.1.255.250", "desk" },
		{ "10.2.0.4", "desk" },
		{ "10.2.0.5", "all" },
		{ "10.255.255.255", "all" },
		{ "11.0.0.0", "none" },
		{ "255.255.254.255", "none" },
		{ "255.255.255.0", "end" },
		{ "255.255.255.255", "end" },
		{ "::", "none" },
		{ "::1", "none" },
		{ "::ffff:10.1.2.3", "desk" },
		{ "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "none" },
		{ "2001:db8::", "all" },
		{ "2001:db8:0:ffff:ffff:ffff:ffff:ffff", "all" },
		{ "2001:db8:1::", "lab" },
		{ "2001:db8:1:ffff:ffff:ffff:ffff:ffff", "lab" },
		{ "2001:db8:2::", "all" },
		{ "2001:db9::", "none" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "none" },
	};
	struct networks *networks;
	struct address none = { 0 };

	(void)state;
	assert_int_equal(make(given, COUNT_OF(given), &networks, NULL), 0);
	for (size_t i = 0; i < COUNT_OF(expected); i++) {
		if (strcmp(where(networks, expected[i][0]), expected[i][1]) != 0)
			fail_msg("%s is in %s, not %s", expected[i][0], where(networks, expected[i][0]),
				 expected[i][1]);
	}
	assert_null(networks_find(networks, &none, NULL));
	assert_null(networks_find(NULL, &none, NULL));
	networks_free(networks);
}

static void the_families_are_apart(void **state)
{
	static const struct given given[] = { { "six", { "::/0" } }, { "four", { "0.0.0.0/0" } } };
	struct networks *networks;

	(void)state;
	assert_int_equal(make(given, 2, &networks, NULL), 0);
	assert_string_equal(where(networks, "192.0.2.1"), "four");
	assert_string_equal(where(networks, "::ffff:192.0.2.1"), "four");
	assert_string_equal(where(networks, "255.255.255.255"), "four");
	assert_string_equal(where(networks, "::"), "six");
	assert_string_equal(where(networks, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), "six");
	networks_free(networks);
	assert_int_equal(make(given, 1, &networks, NULL), 0);
	assert_string_equal(where(networks, "192.0.2.1"), "none");
	networks_free(networks);
	assert_int_equal(make(given, 0, &networks, NULL), 0);
	assert_string_equal(where(networks, "192.0.2.1"), "none");
	networks_free(networks);
}

static void what_is_not_clear_is_refused(void **state)
{
	static const struct {
		struct given given[2];
		const char *says;
	} wrong[] = {
		{ { { "a", { "10.0.0.0/8" } }, { "b", { "10.0.0.0-10.255.255.255" } } },
		  "10.0.0.0/8 belongs to two networks" },
		{ { { "a", { "10.0.0.0/8", "10.0.0.0/8" } }, { "b", { "11.0.0.0/8" } } }, "10.0.0.0/8 is given twice" },
		{ { { "a", { "10.0.0.1-10.0.0.10" } }, { "b", { "10.0.0.6-10.0.0.15" } } },
		  "neither is the more specific" },
		{ { { "Branch", { "10.0.0.0/8" } }, { "bRANCH", { "11.0.0.0/8" } } }, "another network is called" },
		{ { { "a", { "10.0.0.0/8" } }, { "b", { NULL } } }, "has no range" },
		{ { { "a", { "10.0.0.0/8" } }, { "", { "11.0.0.0/8" } } }, "name is 1 to 100 bytes" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		struct networks *networks;
		struct err err = { 0 };

		assert_int_not_equal(make(wrong[i].given, 2, &networks, &err), 0);
		if (strstr(err.text, wrong[i].says) == NULL)
			fail_msg("%zu: %s", i, err.text);
	}
}

/* Against the plain way: the smallest of all that hold it. */
static const struct network *plainly(const struct network *networks, size_t count, const struct address *of)
{
	const struct address_range *best = NULL;
	const struct network *found = NULL;

	for (size_t i = 0; i < count; i++) {
		if (address_range_holds(networks[i].ranges, of) &&
		    (best == NULL || address_range_compare_size(networks[i].ranges, best) < 0)) {
			best = networks[i].ranges;
			found = &networks[i];
		}
	}
	return found;
}

static uint32_t draw(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static void a_thousand_ranges_give_what_looking_at_each_gives(void **state)
{
	static struct network networks[NETWORKS_MAX];
	static struct address_range ranges[NETWORKS_MAX];
	static char names[NETWORKS_MAX][16];
	struct networks *table;
	uint32_t seed = 7;

	(void)state;
	for (size_t i = 0; i < NETWORKS_MAX; i++) {
		char text[64];
		uint32_t first = draw(&seed) % 50000;
		uint32_t last = first + 3 * (uint32_t)i; /* each of a size of its own */

		snprintf(text, sizeof(text), "10.0.%u.%u-10.0.%u.%u", first >> 8, first & 255, last >> 8, last & 255);
		ranges[i] = range(text);
		snprintf(names[i], sizeof(names[i]), "n%zu", i);
		networks[i] =
		    (struct network){ .name = names[i], .rules = usual, .ranges = &ranges[i], .range_count = 1 };
	}
	assert_int_equal(networks_new(networks, NETWORKS_MAX, &table, NULL), 0);
	for (unsigned i = 0; i < 65536; i++) {
		struct address of = { 4, { 10, 0, (uint8_t)(i >> 8), (uint8_t)i } };
		const struct network *expected = plainly(networks, NETWORKS_MAX, &of);
		const struct network *found = networks_find(table, &of, NULL);

		assert_int_equal(found != NULL, expected != NULL);
		if (found != NULL)
			assert_string_equal(found->name, expected->name);
	}
	networks_free(table);
	assert_int_equal(networks_new(networks, NETWORKS_MAX + 1, &table, NULL), ERR_LIMIT);
}

/* --- rules --- */

static void numbers_are_checked_at_their_bounds(void **state)
{
	static const struct {
		struct network_rules rules;
		const char *member; /* NULL: good */
	} given[] = {
		{ { true, 1, 1, 0 }, NULL },
		{ { true, 129600, 129600, 0 }, NULL },
		{ { true, 129600, 129600, 129600 }, NULL },
		{ { true, 0, 60, 0 }, "heartbeat_minutes" },
		{ { true, 129601, 129600, 0 }, "heartbeat_minutes" },
		{ { true, 10, 0, 0 }, "offline_minutes" },
		{ { true, 10, 129601, 0 }, "offline_minutes" },
		{ { true, 10, 60, 129601 }, "poll_minutes" },
		{ { true, 10, 10, 0 }, NULL },
		{ { true, 10, 9, 0 }, "offline_minutes" },
		{ { true, 10, 9, 9 }, NULL },
		{ { true, 10, 9, 60 }, "offline_minutes" },
		{ { false, 10, 60, 0 }, "poll_minutes" },
		{ { false, 10, 60, 60 }, NULL },
		{ { false, 10, 59, 60 }, "offline_minutes" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(given); i++) {
		const char *member = "";
		struct err err = { 0 };
		int rc = network_rules_check(&given[i].rules, &member, &err);

		if ((rc == 0) != (given[i].member == NULL) || (rc != 0 && strcmp(member, given[i].member) != 0))
			fail_msg("%zu: %s %s", i, member, err.text);
	}
}

static void the_more_frequent_of_heartbeat_and_poll_decides(void **state)
{
	static const struct {
		struct network_rules rules;
		uint32_t interval_s;
		bool periodic;
	} given[] = {
		{ { true, 10, 60, 0 }, 600, false },
		{ { true, 10, 60, 30 }, 600, true },
		{ { true, 30, 60, 10 }, 600, true },
		{ { false, 10, 60, 30 }, 1800, true },
		{ { true, 129600, 129600, 0 }, 7776000, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(given); i++) {
		struct network_pace pace = network_pace(&given[i].rules);

		assert_int_equal(pace.interval_s, given[i].interval_s);
		assert_int_equal(pace.periodic, given[i].periodic);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_written_in_one_way),
		cmocka_unit_test(what_is_no_range_is_refused_in_words),
		cmocka_unit_test(peers_are_read_as_the_server_writes_them),
		cmocka_unit_test(the_smallest_range_wins_up_to_its_very_ends),
		cmocka_unit_test(the_families_are_apart),
		cmocka_unit_test(what_is_not_clear_is_refused),
		cmocka_unit_test(a_thousand_ranges_give_what_looking_at_each_gives),
		cmocka_unit_test(numbers_are_checked_at_their_bounds),
		cmocka_unit_test(the_more_frequent_of_heartbeat_and_poll_decides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
