/* Percentiles against sorted values, failures by cause, adding up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fleetsim/figures.h"

#define COUNT 2000

static int compare(const void *a, const void *b)
{
	span_us one = *(const span_us *)a, other = *(const span_us *)b;

	return (one > other) - (one < other);
}

/* A value of any size: 1 to 2^36 us, all octaves alike. */
static span_us draw(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (span_us)((*state >> 20) & (((uint64_t)1 << (*state >> 59) * 9 / 8) - 1)) + 1;
}

static void test_percentiles_are_near(void **state)
{
	static const unsigned percents[] = { 1, 50, 90, 99, 100 };
	static struct figures figures;
	static span_us values[COUNT];
	const struct histogram *histogram = &figures.latencies[LATENCY_COMMAND];
	uint64_t seed = 42;

	(void)state;
	figures_init(&figures);
	assert_int_equal(histogram_percentile(histogram, 99), 0);
	for (size_t i = 0; i < COUNT; i++) {
		values[i] = draw(&seed);
		figures_latency(&figures, LATENCY_COMMAND, values[i]);
	}
	qsort(values, COUNT, sizeof(values[0]), compare);
	assert_int_equal(histogram_count(histogram), COUNT);
	for (size_t i = 0; i < COUNT_OF(percents); i++) {
		span_us exact = values[(COUNT * percents[i] + 99) / 100 - 1];
		span_us shown = histogram_percentile(histogram, percents[i]);

		if (shown < exact || shown > exact + exact / 8 + 1)
			fail_msg("p%u is %lld, shown as %lld", percents[i], (long long)exact, (long long)shown);
	}
	assert_int_equal(histogram_percentile(histogram, 100), values[COUNT - 1]);
}

static void test_extremes(void **state)
{
	static struct figures figures;
	const struct histogram *histogram = &figures.latencies[LATENCY_EXCHANGE];

	(void)state;
	figures_init(&figures);
	figures_latency(&figures, LATENCY_EXCHANGE, -5);
	assert_int_equal(histogram_percentile(histogram, 100), 0);
	figures_latency(&figures, LATENCY_EXCHANGE, INT64_MAX);
	assert_int_equal(histogram_count(histogram), 2);
	assert_int_equal(histogram_percentile(histogram, 50), 0);
}

static void test_failures_keep_the_first_sentence(void **state)
{
	static struct figures figures;

	(void)state;
	figures_init(&figures);
	figures_failed(&figures, ERR_CONNECT, "first");
	figures_failed(&figures, ERR_CONNECT, "second");
	figures_failed(&figures, -1000, "a code of nobody's");
	assert_int_equal(figures.failures[-ERR_CONNECT].count, 2);
	assert_string_equal(figures.failures[-ERR_CONNECT].example, "first");
	assert_int_equal(figures.failures[-ERR_INTERNAL].count, 1);
}

static void test_adding_up(void **state)
{
	static struct figures one, other, all;

	(void)state;
	figures_init(&one);
	figures_init(&other);
	figures_init(&all);
	figures_add(&one, FIGURE_CONNECTED, 3);
	figures_add(&other, FIGURE_CONNECTED, 5);
	figures_add(&other, FIGURE_CONNECTED, -1);
	figures_command(&one, 1000, 4000);
	figures_command(&other, 1000, 2000);
	figures_failed(&other, ERR_TIMEOUT, "slow");
	figures_merge(&all, &one);
	figures_merge(&all, &other);
	assert_int_equal(figures_get(&all, FIGURE_CONNECTED), 7);
	assert_int_equal(figures_get(&all, FIGURE_COMMANDS), 2);
	assert_int_equal(all.last_command, 4000);
	assert_int_equal(all.latencies[LATENCY_COMMAND].max, 3000);
	assert_string_equal(all.failures[-ERR_TIMEOUT].example, "slow");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_percentiles_are_near),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_failures_keep_the_first_sentence),
		cmocka_unit_test(test_adding_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
