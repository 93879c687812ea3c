/* What agents say of quarantined files: metadata and ranges, hostile ones too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "manager/front/quarantine.h"

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void metadata_is_kept_without_its_key(void **state)
{
	static const char text[] =
	    "{\"key\":\"" HEX64 "\",\"sha256\":\"" HEX64 "\",\"size\":1000,\"sealed_size\":1200,\"path\":\"/x\"}";
	struct quarantine_metadata metadata;

	(void)state;
	assert_int_equal(quarantine_metadata_parse(text, strlen(text), &metadata, NULL), 0);
	assert_int_equal(metadata.size, 1000);
	assert_int_equal(metadata.sealed_size, 1200);
	assert_int_equal(metadata.key[1], 0x11);
	assert_null(strstr(metadata.json, "key"));
	assert_non_null(strstr(metadata.json, "/x"));
	free(metadata.json);
}

static void bad_metadata_names_its_member(void **state)
{
	static const struct {
		const char *text, *word;
	} rows[] = {
		{ "", "object" },
		{ "[]", "object" },
		{ "{\"key\":\"00\"}", "key" },
		{ "{\"key\":\"" HEX64 "\",\"sha256\":7}", "sha256" },
		{ "{\"key\":\"" HEX64 "\",\"sha256\":\"" HEX64 "\",\"size\":-1}", "size" },
		{ "{\"key\":\"" HEX64 "\",\"sha256\":\"" HEX64 "\",\"size\":1.5}", "size" },
		{ "{\"key\":\"" HEX64 "\",\"sha256\":\"" HEX64 "\",\"size\":10,\"sealed_size\":9}", "sealed_size" },
		{ "{\"key\":\"" HEX64 "\",\"sha256\":\"" HEX64 "\",\"size\":10,\"sealed_size\":999999999}",
		  "sealed_size" },
		{ "{\"key\":\"" HEX64 "\",\"sha256\":\"" HEX64
		  "\",\"size\":9223372036854775807,\"sealed_size\":9223372036854775807}",
		  "size" },
	};
	struct quarantine_metadata metadata;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct err err = { 0 };

		assert_int_not_equal(quarantine_metadata_parse(rows[i].text, strlen(rows[i].text), &metadata, &err), 0);
		assert_non_null(strstr(err.text, rows[i].word));
	}
}

static void ranges_are_read_exactly(void **state)
{
	static const char *const bad[] = { NULL,
					   "",
					   "bytes",
					   "bytes 0-9/",
					   "bytes 0-9",
					   "bytes -9/10",
					   "bytes 0-10/10",
					   "bytes 5-4/10",
					   "bytes 0-9/10 ",
					   "bytes  0-9/10",
					   "bytes +0-9/10",
					   "bytes 0-9/*",
					   "items 0-9/10",
					   "bytes 0-9/99999999999999999999999999" };
	uint64_t first, size, total;

	(void)state;
	assert_int_equal(quarantine_range_parse("bytes 0-9/10", &first, &size, &total, NULL), 0);
	assert_int_equal(first, 0);
	assert_int_equal(size, 10);
	assert_int_equal(total, 10);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_not_equal(quarantine_range_parse(bad[i], &first, &size, &total, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(metadata_is_kept_without_its_key),
		cmocka_unit_test(bad_metadata_names_its_member),
		cmocka_unit_test(ranges_are_read_exactly),
	};

	return cmocka_run_group_tests_name("unit/manager/quarantine", tests, NULL, NULL);
}
