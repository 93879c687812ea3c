/* What a certificate says of itself, and when its life calls for something to be done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "trust/authority.h"
#include "trust/certificate.h"
#include "trust/certificate_life.h"
#include "trust/identity.h"

#define NOW ((time_us)INT64_C(1795294800) * SECOND_US)

static struct authority *authority;
static struct buf root, key, request, server;

static int setup(void **state)
{
	static const char *const names[] = { "manager.example", "127.0.0.1" };
	int rc;

	(void)state;
	buf_init(&root, CERTIFICATE_PEM_MAX_BYTES);
	buf_init(&key, CERTIFICATE_PEM_MAX_BYTES);
	buf_init(&request, CERTIFICATE_PEM_MAX_BYTES);
	buf_init(&server, CERTIFICATE_PEM_MAX_BYTES);
	rc = authority_generate("Muster CA, \"of\" n\xc3\xa4he", NOW, &authority, NULL);
	if (rc == 0)
		rc = authority_pem(authority, &root, NULL);
	if (rc == 0)
		rc = identity_make(&key, &request, NULL);
	if (rc == 0)
		rc = authority_certify_server(authority, request.data, request.size, names, COUNT_OF(names), NOW,
					      &server, NULL);
	return rc;
}

static int teardown(void **state)
{
	(void)state;
	authority_free(authority);
	buf_done(&root);
	buf_wipe(&key);
	buf_done(&request);
	buf_done(&server);
	return 0;
}

static void says_what_is_in_it(void **state)
{
	struct certificate_about about = { { 0 } };
	struct certificate_facts facts;

	(void)state;
	assert_int_equal(certificate_about(server.data, server.size, &about, NULL), 0);
	assert_string_equal(about.subject, "CN=manager.example");
	assert_string_equal(about.issuer, "CN=Muster CA\\x5c, \\x5c\"of\\x5c\" n\xc3\xa4he");
	assert_int_equal(about.not_before, NOW - DAY_US);
	assert_int_equal(about.not_after, NOW + 365 * DAY_US);
	assert_false(about.self_signed);
	assert_int_equal(certificate_read(server.data, server.size, &facts, NULL), 0);
	assert_memory_equal(about.fingerprint, facts.fingerprint, SHA256_BYTES);

	assert_int_equal(certificate_about(root.data, root.size, &about, NULL), 0);
	assert_true(about.self_signed);
	assert_string_equal(about.subject, about.issuer);
}

static int count_up(void *argument, const struct certificate_about *about)
{
	(void)about;
	return ++*(int *)argument == 3 ? 42 : 0;
}

static void each_one_is_told(void **state)
{
	struct buf several;
	int count = 0;

	(void)state;
	buf_init(&several, CERTIFICATE_PEM_MAX_BYTES);
	buf_append(&several, key.data, key.size); /* what is no certificate is passed over */
	buf_append(&several, server.data, server.size);
	buf_append_text(&several, "a remark between them\n");
	buf_append(&several, root.data, root.size);
	assert_int_equal(certificate_each(several.data, several.size, count_up, &count, NULL), 0);
	assert_int_equal(count, 2);
	assert_int_equal(certificate_each(several.data, several.size, count_up, &count, NULL), 42);
	assert_int_equal(count, 3);
	buf_done(&several);
}

static void what_is_no_certificate_is_refused(void **state)
{
	static uint8_t large[CERTIFICATE_PEM_MAX_BYTES + 1];
	static const char torn[] = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
	struct certificate_about about;
	struct buf both;
	struct err err = { 0 };
	int count = 0;

	(void)state;
	assert_int_equal(certificate_about("", 0, &about, &err), ERR_FORMAT);
	assert_int_equal(certificate_about(key.data, key.size, &about, &err), ERR_FORMAT);
	assert_int_equal(certificate_about(torn, strlen(torn), &about, &err), ERR_FORMAT);
	assert_int_equal(certificate_about(large, sizeof(large), &about, &err), ERR_LIMIT);
	buf_init(&both, CERTIFICATE_PEM_MAX_BYTES);
	buf_append(&both, root.data, root.size);
	buf_append_text(&both, torn);
	assert_int_equal(certificate_each(both.data, both.size, count_up, &count, &err), ERR_FORMAT);
	buf_done(&both);
}

/* --- its life --- */

static void renewed_in_time(void **state)
{
	static const struct {
		int64_t days, before; /* of life; before the end */
	} rows[] = {
		{ 3650, 1216 }, { 366, 122 }, { 93, 31 }, { 90, 30 }, { 75, 30 }, { 60, 30 }, { 40, 20 }, { 2, 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct certificate_life life = { NOW, NOW + rows[i].days * DAY_US, true };
		span_us before = life.not_after - certificate_renew_at(&life);

		assert_true(before / DAY_US == rows[i].before);
	}
	assert_true(certificate_renew_at(&(struct certificate_life){ NOW, NOW, true }) == NOW);
	assert_true(certificate_renew_at(&(struct certificate_life){ NOW, NOW - DAY_US, true }) == NOW);
}

static void told_in_stages(void **state)
{
	static const struct certificate_bounds bounds = { 60 * DAY_US, 7 * DAY_US };
	static const struct {
		int64_t life_days;
		bool renews;
		span_us left;
		enum certificate_stage stage;
	} rows[] = {
		{ 366, false, 61 * DAY_US, CERTIFICATE_WELL },
		{ 366, false, 60 * DAY_US + 1, CERTIFICATE_WELL },
		{ 366, false, 60 * DAY_US, CERTIFICATE_SOON },
		{ 366, false, 7 * DAY_US + 1, CERTIFICATE_SOON },
		{ 366, false, 7 * DAY_US, CERTIFICATE_CRITICAL },
		{ 366, false, 1, CERTIFICATE_CRITICAL },
		{ 366, false, 0, CERTIFICATE_ENDED },
		{ 366, false, -DAY_US, CERTIFICATE_ENDED },
		/* Renewed with 122 days left: that it was not is told at 60. */
		{ 366, true, 61 * DAY_US, CERTIFICATE_WELL },
		{ 366, true, 60 * DAY_US, CERTIFICATE_SOON },
		{ 366, true, 7 * DAY_US, CERTIFICATE_CRITICAL },
		/* A short life alone is no reason to warn; that it is over is. */
		{ 30, true, 8 * DAY_US, CERTIFICATE_WELL },
		{ 30, true, 15 * DAY_US / 2, CERTIFICATE_SOON },
		{ 30, true, 7 * DAY_US, CERTIFICATE_CRITICAL },
		{ 4, true, 2 * DAY_US, CERTIFICATE_WELL },
		{ 4, true, DAY_US, CERTIFICATE_CRITICAL },
		{ 4, false, 2 * DAY_US, CERTIFICATE_CRITICAL },
		{ 4, true, -1, CERTIFICATE_ENDED },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct certificate_life life = { NOW - rows[i].life_days * DAY_US, NOW, rows[i].renews };

		assert_string_equal(certificate_stage_name(certificate_stage(&life, &bounds, NOW - rows[i].left)),
				    certificate_stage_name(rows[i].stage));
	}
}

static void days_are_counted_down(void **state)
{
	static const struct {
		span_us left;
		int64_t days;
	} rows[] = { { 2 * DAY_US, 2 }, { 2 * DAY_US - 1, 1 }, { 1, 0 },           { 0, 0 },
		     { -1, -1 },        { -DAY_US, -1 },       { -DAY_US - 1, -2 } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(certificate_days_left(NOW + rows[i].left, NOW), rows[i].days);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_is_in_it),
		cmocka_unit_test(each_one_is_told),
		cmocka_unit_test(what_is_no_certificate_is_refused),
		cmocka_unit_test(renewed_in_time),
		cmocka_unit_test(told_in_stages),
		cmocka_unit_test(days_are_counted_down),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
