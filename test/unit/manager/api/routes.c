/* manager/api/routes.h: the table is complete, and paths find their row and no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "manager/api/routes.h"

static const struct {
	const char *method, *path;
	enum route_result result;
	enum api_operation operation;
	const char *id;
	const char *allow;
} rows[] = {
	{ "GET", "/api/v1/computers", ROUTE_FOUND, OPERATION_computer_list, "", NULL },
	{ "GET", "/api/v1/computers/x", ROUTE_FOUND, OPERATION_computer_show, "x", NULL },
	{ "POST", "/api/v1/computers/x/commands", ROUTE_FOUND, OPERATION_command_create, "x", NULL },
	{ "GET", "/api/v1/events/stream", ROUTE_FOUND, OPERATION_event_stream, "", NULL },
	{ "GET", "/api/v1/events/streams", ROUTE_FOUND, OPERATION_event_show, "streams", NULL },
	{ "GET", "/healthz", ROUTE_FOUND, OPERATION_health_live, "", NULL },
	{ "PUT", "/api/v1/computers/x", ROUTE_NO_METHOD, 0, NULL, "GET, DELETE, PATCH" },
	{ "get", "/api/v1/computers", ROUTE_NO_METHOD, 0, NULL, "GET, POST" },
	{ "GET", "/", ROUTE_NO_PATH, 0, NULL, NULL },
	{ "GET", "", ROUTE_NO_PATH, 0, NULL, NULL },
	{ "GET", "/api/v1/computers/", ROUTE_NO_PATH, 0, NULL, NULL },
	{ "GET", "/api/v1//computers", ROUTE_NO_PATH, 0, NULL, NULL },
	{ "GET", "/api/v1/computers/x/", ROUTE_NO_PATH, 0, NULL, NULL },
	{ "GET", "/api/v1/computersx", ROUTE_NO_PATH, 0, NULL, NULL },
	{ "GET", "/API/v1/computers", ROUTE_NO_PATH, 0, NULL, NULL },
	{ "GET", "/healthz/../api/v1/computers", ROUTE_NO_PATH, 0, NULL, NULL },
	{ "GET", "/api/v1/computers/0123456789012345678901234567890123456789012345678901234567890123", ROUTE_NO_PATH, 0,
	  NULL, NULL },
};

static void paths_find_their_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct api_route *route = NULL;
		char id[ROUTE_ID_MAX_BYTES], allow[64];

		assert_int_equal(route_find(rows[i].method, rows[i].path, &route, id, allow, sizeof(allow)),
				 rows[i].result);
		if (rows[i].result == ROUTE_FOUND) {
			assert_int_equal(route->operation, rows[i].operation);
			assert_string_equal(id, rows[i].id);
		}
		if (rows[i].allow != NULL)
			assert_string_equal(allow, rows[i].allow);
	}
}

static void each_row_is_whole_and_found(void **state)
{
	bool seen[OPERATION_COUNT_] = { false };

	(void)state;
	for (size_t i = 0; i < api_route_count; i++) {
		const struct api_route *route = &api_routes[i], *found = NULL;
		char id[ROUTE_ID_MAX_BYTES], allow[64];

		assert_non_null(route->summary);
		assert_non_null(route->tag);
		assert_non_null(route->query);
		assert_false(seen[route->operation]);
		seen[route->operation] = true;
		assert_int_equal(route->content_type == NULL, route->status == 204);
		/* "{id}" stands for itself as an id */
		assert_int_equal(route_find(route->method, route->pattern, &found, id, allow, sizeof(allow)),
				 ROUTE_FOUND);
		assert_ptr_equal(found, route);
	}
}

/* Nothing that changes is open to those who may only look. */
static void roles_are_ordered(void **state)
{
	(void)state;
	for (size_t i = 0; i < api_route_count; i++) {
		const struct api_route *route = &api_routes[i];
		bool reads = strcmp(route->method, "GET") == 0;
		bool own = route->access == ACCESS_OWN || route->access == ACCESS_ANYBODY;

		assert_true(route_allows(route->access, ROLE_ADMINISTRATOR));
		if (!reads && !own) {
			assert_false(route_allows(route->access, ROLE_VIEWER));
			assert_false(route_allows(route->access, ROLE_AUDITOR));
		}
		if (reads && route->operation != OPERATION_quarantine_download)
			assert_true(route_allows(route->access, ROLE_AUDITOR));
		if (route_allows(route->access, ROLE_VIEWER))
			assert_true(route_allows(route->access, ROLE_OPERATOR));
		if (route_allows(route->access, ROLE_OPERATOR))
			assert_true(route_allows(route->access, ROLE_ADMINISTRATOR));
	}
	assert_false(route_allows(ACCESS_READ, ROLE_COUNT_));
	assert_false(route_allows(ACCESS_COUNT_, ROLE_ADMINISTRATOR));
	assert_false(route_allows(ACCESS_INSPECT, ROLE_OPERATOR));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_find_their_row),
		cmocka_unit_test(each_row_is_whole_and_found),
		cmocka_unit_test(roles_are_ordered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
