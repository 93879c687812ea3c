/* manager/api/decode.h and shape.h: what callers send is taken whole or refused with every fault named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/err.h"
#include "manager/api/decode.h"
#include "manager/api/shapes.h"

/* True if a fault of this name has this in its reason. */
static bool has_fault(const struct faults *faults, const char *name, const char *reason)
{
	const json_t *fault;
	size_t i;

	json_array_foreach(faults->list, i, fault)
	{
		if (strcmp(json_string_value(json_object_get(fault, "name")), name) == 0 &&
		    strstr(json_string_value(json_object_get(fault, "reason")), reason) != NULL)
			return true;
	}
	return false;
}

static void a_query_is_decoded(void **state)
{
	struct faults faults = { 0 };
	json_t *query = decode_query(&shape_computers_query, "name=web%2A+%e6%97%a5&limit=1000&&state=online", &faults);

	(void)state;
	assert_non_null(query);
	assert_string_equal(json_string_value(json_object_get(query, "name")), "web* 日");
	assert_int_equal(json_integer_value(json_object_get(query, "limit")), 1000);
	assert_string_equal(json_string_value(json_object_get(query, "state")), "online");
	json_decref(query);
	query = decode_query(&shape_computers_query, "", &faults);
	assert_int_equal(json_object_size(query), 0);
	json_decref(query);
}

static const struct {
	const struct shape *shape;
	const char *query, *name, *reason;
} bad_queries[] = {
	{ &shape_events_query, "limit=0", "limit", "1 to 1000" },
	{ &shape_events_query, "limit=1001", "limit", "1 to 1000" },
	{ &shape_events_query, "limit=-1", "limit", "whole number" },
	{ &shape_events_query, "limit=1e3", "limit", "whole number" },
	{ &shape_events_query, "limit=99999999999999999999", "limit", "whole number" },
	{ &shape_events_query, "limit", "limit", "whole number" },
	{ &shape_events_query, "limit=1&limit=1", "limit", "twice" },
	{ &shape_events_query, "colour=red", "colour", "not known" },
	{ &shape_events_query, "computer=x", "computer", "UUID" },
	{ &shape_events_query, "since=yesterday", "since", "time" },
	{ &shape_events_query, "severity=bad", "severity", "info, warning, error" },
	{ &shape_events_query, "severity=%zz", "severity", "percent" },
	{ &shape_events_query, "severity=%f", "severity", "percent" },
	{ &shape_events_query, "severity=%00", "severity", "percent" },
	{ &shape_events_query, "severity=%ff", "severity", "UTF-8" },
	{ &shape_events_query, "%=1", "query", "percent" },
	{ &shape_events_query, "%0a=1", "\\x0a", "not known" },
	{ &shape_computers_query, "name=", "name", "printable" },
	{ &shape_computers_query, "name=%1b", "name", "printable" },
};

static void faults_of_queries_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad_queries); i++) {
		struct faults faults = { 0 };

		assert_null(decode_query(bad_queries[i].shape, bad_queries[i].query, &faults));
		if (!has_fault(&faults, bad_queries[i].name, bad_queries[i].reason))
			fail_msg("%s: %s", bad_queries[i].query, json_dumps(faults.list, 0));
		faults_done(&faults);
	}
}

static void all_faults_are_listed_at_once(void **state)
{
	struct faults faults = { 0 };

	(void)state;
	assert_null(decode_query(&shape_events_query, "limit=0&type=x&a=1&b=2", &faults));
	assert_int_equal(faults.count, 4);
	faults_done(&faults);
}

static void long_queries_are_refused(void **state)
{
	static char query[DECODE_QUERY_MAX_BYTES + 2];
	struct faults faults = { 0 };

	(void)state;
	memset(query, 'a', sizeof(query) - 1);
	assert_null(decode_query(&shape_events_query, query, &faults));
	faults_done(&faults);
	for (size_t i = 0; i < sizeof(query) - 1; i++)
		query[i] = i % 2 == 0 ? 'a' : '&';
	query[2 * DECODE_PARAMETERS_MAX + 20] = '\0';
	assert_null(decode_query(&shape_events_query, query, &faults));
	faults_done(&faults);
}

static int decode(const struct shape *shape, const char *body, struct faults *faults, json_t **json, struct err *err)
{
	return decode_body(shape, (const uint8_t *)body, strlen(body), faults, json, err);
}

static void a_body_is_decoded(void **state)
{
	struct faults faults = { 0 };
	struct err err = { 0 };
	json_t *json = NULL;

	(void)state;
	assert_int_equal(decode(&shape_command_request,
				"{\"kind\":\"scan\",\"paths\":[\"/a\",\"/b\\\\x0ac\"],\"timeout\":\"10m\"}", &faults,
				&json, &err),
			 0);
	assert_int_equal(shape_span(json_object_get(json, "timeout")), 10 * MINUTE_US);
	json_decref(json);
	assert_int_equal(decode(&shape_nothing, "", &faults, &json, &err), 0);
	json_decref(json);
	assert_int_equal(
	    decode(&shape_enrolment_token_request, "{\"uses\":null,\"expires\":\"24h\"}", &faults, &json, &err), 0);
	assert_int_equal(shape_when(json_object_get(json, "expires"), 5), DAY_US + 5);
	json_decref(json);
}

static const struct {
	const struct shape *shape;
	const char *body;
	int code;
	const char *name, *reason; /* of a fault, or NULL and part of the error's text */
} bad_bodies[] = {
	{ &shape_command_request, "{}", ERR_RANGE, "kind", "missing" },
	{ &shape_command_request, "{\"kind\":\"dance\"}", ERR_RANGE, "kind", "one of: scan" },
	{ &shape_command_request, "{\"kind\":1}", ERR_RANGE, "kind", "one of" },
	{ &shape_command_request, "{\"kind\":null}", ERR_RANGE, "kind", "null" },
	{ &shape_command_request, "{\"kind\":\"scan\",\"path\":[]}", ERR_RANGE, "path", "not known" },
	{ &shape_command_request, "{\"kind\":\"scan\",\"paths\":\"/\"}", ERR_RANGE, "paths", "list" },
	{ &shape_command_request, "{\"kind\":\"scan\",\"paths\":[\"/a\",\"b\"]}", ERR_RANGE, "paths[1]", "absolute" },
	{ &shape_command_request, "{\"kind\":\"scan\",\"paths\":[\"/\\\\q\"]}", ERR_RANGE, "paths[0]", "xNN" },
	{ &shape_command_request, "{\"kind\":\"scan\",\"paths\":[\"/\\\\x00\"]}", ERR_RANGE, "paths[0]", "zero" },
	{ &shape_command_request, "{\"kind\":\"restore\",\"overwrite\":1}", ERR_RANGE, "overwrite", "true or false" },
	{ &shape_command_request, "{\"kind\":\"restore\",\"item\":\"1\"}", ERR_RANGE, "item", "UUID" },
	{ &shape_command_request, "{\"kind\":\"scan\",\"timeout\":-1}", ERR_RANGE, "timeout", "0 to" },
	{ &shape_command_request, "{\"kind\":\"scan\",\"timeout\":1.5}", ERR_RANGE, "timeout", "seconds" },
	{ &shape_command_request, "{\"kind\":\"scan\",\"timeout\":\"soon\"}", ERR_RANGE, "timeout", "seconds" },
	{ &shape_token_request, "{\"name\":\"\\u0007\",\"role\":\"viewer\"}", ERR_RANGE, "name", "printable" },
	{ &shape_token_request, "{\"name\":\"x\",\"role\":\"viewer\",\"expires\":\"9999d\"}", ERR_RANGE, "expires",
	  "ten years" },
	{ &shape_enrolment_token_request, "{\"uses\":0}", ERR_RANGE, "uses", "1 to" },
	{ &shape_nothing, "[]", ERR_FORMAT, NULL, "object" },
	{ &shape_nothing, "{", ERR_FORMAT, NULL, "line 1" },
	{ &shape_nothing, "{} x", ERR_FORMAT, NULL, "line 1" },
	{ &shape_nothing, "{\"a\":1,\"a\":2}", ERR_FORMAT, NULL, "duplicate" },
	{ &shape_nothing, "{\"a\":\"\xff\"}", ERR_FORMAT, NULL, "decode byte" },
	{ &shape_nothing, "{\"a\":\"\\u0000\"}", ERR_FORMAT, NULL, "u0000" },
	{ &shape_nothing, "{\"a\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}", ERR_LIMIT, NULL, "deep" },
	{ &shape_nothing, "{\"a\":1e999}", ERR_FORMAT, NULL, "overflow" },
};

static void faults_of_bodies_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad_bodies); i++) {
		struct faults faults = { 0 };
		struct err err = { 0 };
		json_t *json = NULL;

		if (decode(bad_bodies[i].shape, bad_bodies[i].body, &faults, &json, &err) != bad_bodies[i].code)
			fail_msg("%s: %s", bad_bodies[i].body, err.text);
		assert_null(json);
		if (bad_bodies[i].name != NULL ? !has_fault(&faults, bad_bodies[i].name, bad_bodies[i].reason)
					       : strstr(err.text, bad_bodies[i].reason) == NULL)
			fail_msg("%s: %s", bad_bodies[i].body, err.text);
		faults_done(&faults);
	}
}

/* Brackets inside of text are no nesting, and a quote behind a backslash ends none. */
static void depth_counts_brackets_outside_of_text(void **state)
{
	struct faults faults = { 0 };
	struct err err = { 0 };
	json_t *json = NULL;

	(void)state;
	assert_int_equal(
	    decode(&shape_settings_request, "{\"a\":\"[[[[[[[[[[[[[[[[[[[[\\\"{{{{{{{{{{{\"}", &faults, &json, &err),
	    0);
	json_decref(json);
}

static void large_bodies_and_many_faults_are_bounded(void **state)
{
	static char body[DECODE_BODY_MAX_BYTES + 2];
	struct faults faults = { 0 };
	struct err err = { 0 };
	json_t *json = NULL;
	size_t used = 0;

	(void)state;
	memset(body, ' ', sizeof(body) - 1);
	assert_int_equal(decode(&shape_nothing, body, &faults, &json, &err), ERR_LIMIT);
	used += (size_t)snprintf(body, sizeof(body), "{\"z\":0");
	for (int i = 0; i < 5000; i++)
		used += (size_t)snprintf(body + used, sizeof(body) - used, ",\"%d\":0", i);
	snprintf(body + used, sizeof(body) - used, "}");
	assert_int_equal(decode(&shape_nothing, body, &faults, &json, &err), ERR_RANGE);
	assert_int_equal(faults.count, 5001);
	assert_int_equal(json_array_size(faults.list), FAULTS_MAX);
	faults_done(&faults);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query_is_decoded),
		cmocka_unit_test(faults_of_queries_are_named),
		cmocka_unit_test(all_faults_are_listed_at_once),
		cmocka_unit_test(long_queries_are_refused),
		cmocka_unit_test(a_body_is_decoded),
		cmocka_unit_test(faults_of_bodies_are_named),
		cmocka_unit_test(depth_counts_brackets_outside_of_text),
		cmocka_unit_test(large_bodies_and_many_faults_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
