/* Who has a place to download when there are none, by a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "manager/front/downloads.h"

static time_us now;

static time_us clock_now(void *context)
{
	(void)context;
	return now;
}

static void no_chance(void *context, void *out, size_t size)
{
	(void)context;
	memset(out, 7, size);
}

static const struct env env = { NULL, clock_now, clock_now, no_chance };
static struct downloads *downloads;
static struct download *places[DOWNLOADS_MAX];
static unsigned numbers[DOWNLOADS_MAX]; /* how often each lost its place */

static void cut(void *argument)
{
	++*(unsigned *)argument;
}

static int start(void **state)
{
	(void)state;
	now = DAY_US;
	memset(numbers, 0, sizeof(numbers));
	return downloads_new(&env, &downloads, NULL);
}

static int stop(void **state)
{
	(void)state;
	for (size_t i = 0; i < DOWNLOADS_MAX; i++)
		downloads_end(places[i]);
	memset(places, 0, sizeof(places));
	downloads_free(downloads);
	return 0;
}

/* All places, of hosts of their own or of one. */
static void fill(bool of_one)
{
	for (size_t i = 0; i < DOWNLOADS_MAX; i++) {
		char peer[40];

		snprintf(peer, sizeof(peer), "192.0.2.%zu:%zu", of_one ? 1 : i, 1000 + i);
		places[i] = downloads_begin(downloads, peer);
		assert_non_null(places[i]);
		downloads_cuttable(places[i], cut, &numbers[i]);
	}
}

static size_t losers(void)
{
	size_t count = 0;

	for (size_t i = 0; i < DOWNLOADS_MAX; i++)
		count += numbers[i];
	return count;
}

static void others_share_with_who_has_all(void **state)
{
	struct download *others[DOWNLOADS_MAX];
	size_t count = 0;

	(void)state;
	fill(true);
	now += SECOND_US;
	for (size_t i = 0; i < DOWNLOADS_MAX; i++)
		downloads_sent(places[i], i == 40 ? MIB : 2 * MIB);
	assert_null(downloads_begin(downloads, "192.0.2.1:7")); /* it has enough */
	others[count++] = downloads_begin(downloads, "198.51.100.1:7");
	assert_non_null(others[0]);
	assert_int_equal(numbers[40], 1); /* the slowest */
	assert_int_equal(losers(), 1);
	while ((others[count] = downloads_begin(downloads, "198.51.100.1:7")) != NULL)
		count++;
	assert_int_equal(count, DOWNLOADS_MAX / 2);
	assert_int_equal(losers(), DOWNLOADS_MAX / 2);
	/* A place that was lost is given back once. */
	downloads_end(places[40]);
	places[40] = NULL;
	assert_null(downloads_begin(downloads, "198.51.100.1:7"));
	while (count > 0)
		downloads_end(others[--count]);
}

static void who_is_too_slow_makes_room_for_anybody(void **state)
{
	struct download *other, *third;

	(void)state;
	fill(false);
	for (size_t i = 0; i < DOWNLOADS_MAX; i++)
		downloads_sent(places[i], 10 * MIB);
	downloads_sent(places[3], 0);
	downloads_sent(places[9], 64 * KIB);
	now += DOWNLOADS_GRACE_US;
	assert_null(downloads_begin(downloads, "198.51.100.1:7")); /* nothing can be said of them yet */
	now += 5 * SECOND_US;
	other = downloads_begin(downloads, "198.51.100.1:7");
	assert_non_null(other);
	assert_int_equal(numbers[3], 1);
	downloads_end(other);
	other = downloads_begin(downloads, "198.51.100.1:7");
	assert_int_equal(losers(), 1); /* one is free again */
	third = downloads_begin(downloads, "198.51.100.2:7");
	assert_non_null(third);
	assert_int_equal(numbers[9], 1);
	downloads_end(third);
	downloads_end(other);
}

/* A slow link that is honest is never too slow. */
static void who_brings_the_least_rate_stays(void **state)
{
	(void)state;
	fill(false);
	for (uint64_t second = 1; second < 3600; second++) {
		now += SECOND_US;
		for (size_t i = 0; i < DOWNLOADS_MAX; i++)
			downloads_sent(places[i], second * DOWNLOADS_LEAST_RATE);
		assert_null(downloads_begin(downloads, "198.51.100.1:7"));
	}
	assert_int_equal(losers(), 0);
}

static void an_ipv6_host_has_its_whole_network(void **state)
{
	struct download *other;
	char peer[80];

	(void)state;
	for (size_t i = 0; i < DOWNLOADS_MAX; i++) {
		snprintf(peer, sizeof(peer), "[2001:db8:0:1::%zx]:1000", i + 1);
		places[i] = downloads_begin(downloads, peer);
		assert_non_null(places[i]);
		if (i != 5) /* that one cannot be told to end yet */
			downloads_cuttable(places[i], cut, &numbers[i]);
	}
	assert_null(downloads_begin(downloads, "[2001:db8:0:1:ffff::1]:1000"));
	other = downloads_begin(downloads, "[2001:db8:0:2::1]:1000");
	assert_non_null(other);
	assert_int_equal(losers(), 1);
	downloads_end(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(others_share_with_who_has_all, start, stop),
		cmocka_unit_test_setup_teardown(who_is_too_slow_makes_room_for_anybody, start, stop),
		cmocka_unit_test_setup_teardown(who_brings_the_least_rate_stays, start, stop),
		cmocka_unit_test_setup_teardown(an_ipv6_host_has_its_whole_network, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
