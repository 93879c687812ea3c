/* manager/api/measure.h: counts fall into their bucket and class, and the text is cumulative. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "manager/api/measure.h"

static void counts_are_cumulative(void **state)
{
	static struct measure measure;
	struct buf out;

	(void)state;
	measure_add(&measure, &api_routes[0], 201, 500);
	measure_add(&measure, &api_routes[0], 401, 1000);
	measure_add(&measure, &api_routes[0], 401, 60 * SECOND_US);
	measure_add(&measure, NULL, 404, 1);
	measure_add(&measure, &api_routes[0], 0, 1);
	buf_init(&out, 100000);
	measure_write(&measure, &out);
#define ROUTE "method=\"POST\",route=\"/api/v1/sessions\""
	assert_non_null(strstr(buf_text(&out), "_bucket{" ROUTE ",le=\"0.001\"} 2\n"));
	assert_non_null(strstr(buf_text(&out), "_bucket{" ROUTE ",le=\"5\"} 2\n"));
	assert_non_null(strstr(buf_text(&out), "_bucket{" ROUTE ",le=\"+Inf\"} 3\n"));
	assert_non_null(strstr(buf_text(&out), "_sum{" ROUTE "} 60.001500\n"));
	assert_non_null(strstr(buf_text(&out), "_count{" ROUTE "} 3\n"));
	assert_non_null(strstr(buf_text(&out), "_total{" ROUTE ",status=\"4xx\"} 2\n"));
	assert_null(strstr(buf_text(&out), "/computers"));
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_are_cumulative),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
