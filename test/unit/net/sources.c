/* Shares of addresses in the places of those who are not known yet. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "net/sources.h"

#define MOST 128

struct crowd {
	struct sources *sources;
	struct source *held[MOST];
	size_t count;
};

static struct source *come(struct crowd *crowd, const char *text)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct source *source;

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
		source = sources_enter(crowd->sources, (const struct sockaddr *)&in);
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
		source = sources_enter(crowd->sources, (const struct sockaddr *)&in6);
	}
	assert_non_null(source);
	crowd->held[crowd->count++] = source;
	return source;
}

static struct source *come_many(struct crowd *crowd, const char *text, size_t times)
{
	struct source *source = NULL;

	for (size_t i = 0; i < times; i++)
		source = come(crowd, text);
	return source;
}

static int begin(void **state)
{
	static struct crowd crowd;

	crowd = (struct crowd){ .sources = sources_new(100, NULL) };
	*state = &crowd;
	return crowd.sources != NULL ? 0 : -1;
}

static int end(void **state)
{
	struct crowd *crowd = *state;

	while (crowd->count > 0)
		sources_leave(crowd->sources, crowd->held[--crowd->count]);
	sources_free(crowd->sources);
	return 0;
}

static void one_address_has_half_of_all_places(void **state)
{
	struct crowd *crowd = *state;
	struct source *source = come_many(crowd, "192.0.2.1", 50);

	assert_false(sources_crowds(crowd->sources, source));
	come(crowd, "192.0.2.1");
	assert_true(sources_crowds(crowd->sources, source));
	sources_leave(crowd->sources, crowd->held[--crowd->count]);
	assert_false(sources_crowds(crowd->sources, source));
}

static void where_places_are_short_each_has_its_share(void **state)
{
	struct crowd *crowd = *state;
	struct source *many = come_many(crowd, "192.0.2.1", 48), *few;

	few = come_many(crowd, "192.0.2.2", 2);
	assert_false(sources_crowds(crowd->sources, many)); /* they are not short yet */
	come(crowd, "192.0.2.2");
	assert_true(sources_crowds(crowd->sources, many));
	assert_false(sources_crowds(crowd->sources, few));
	few = come_many(crowd, "192.0.2.2", 23);
	assert_true(sources_crowds(crowd->sources, few)); /* 26 of 25 */
}

static void a_few_are_nobodys_crowd(void **state)
{
	struct crowd *crowd = *state;
	struct source *few = NULL;

	for (int i = 1; i <= 10; i++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "198.51.100.%d", i);
		come_many(crowd, text, 5);
	}
	few = come_many(crowd, "192.0.2.2", SOURCES_LEAST);
	assert_false(sources_crowds(crowd->sources, few)); /* more than 50 / 11 */
	few = come(crowd, "192.0.2.2");
	assert_true(sources_crowds(crowd->sources, few));
}

static void an_ipv6_address_counts_by_its_network(void **state)
{
	struct crowd *crowd = *state;
	struct source *first = come(crowd, "2001:db8:1:2::1"), *second = come(crowd, "2001:db8:1:2:ffff::9");

	assert_ptr_equal(first, second);
	assert_ptr_not_equal(first, come(crowd, "2001:db8:1:3::1"));
	assert_ptr_not_equal(come(crowd, "192.0.2.1"), come(crowd, "192.0.2.2"));
}

static void who_is_not_counted_crowds_nobody(void **state)
{
	struct crowd *crowd = *state;

	come_many(crowd, "192.0.2.1", 60);
	assert_false(sources_crowds(crowd->sources, NULL));
	sources_leave(crowd->sources, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_address_has_half_of_all_places, begin, end),
		cmocka_unit_test_setup_teardown(where_places_are_short_each_has_its_share, begin, end),
		cmocka_unit_test_setup_teardown(a_few_are_nobodys_crowd, begin, end),
		cmocka_unit_test_setup_teardown(an_ipv6_address_counts_by_its_network, begin, end),
		cmocka_unit_test_setup_teardown(who_is_not_counted_crowds_nobody, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
