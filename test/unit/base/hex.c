/* base/hex.h: hexadecimal and ids, good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hex.h"

static void hexadecimal_goes_there_and_back(void **state)
{
	uint8_t bytes[3];
	char text[7];

	(void)state;
	assert_int_equal(hex_parse("00fFa5", bytes, 3, NULL), 0);
	hex_format(bytes, 3, text);
	assert_string_equal(text, "00ffa5");
	assert_int_equal(hex_parse("00ffa", bytes, 3, NULL), ERR_FORMAT);
	assert_int_equal(hex_parse("00ffa5a", bytes, 3, NULL), ERR_FORMAT);
	assert_int_equal(hex_parse("00ffg5", bytes, 3, NULL), ERR_FORMAT);
}

static void ids_sort_by_time_and_say_version_7(void **state)
{
	const uint8_t chance[10] = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 };
	const uint8_t none[10] = { 0 };
	struct uuid early = uuid_make(1000 * MILLISECOND_US, chance);
	struct uuid late = uuid_make(1001 * MILLISECOND_US, none);
	char text[UUID_TEXT_BYTES];
	struct uuid back;

	(void)state;
	assert_true(memcmp(early.bytes, late.bytes, UUID_BYTES) < 0);
	uuid_format(&early, text);
	assert_string_equal(text, "00000000-03e8-7fff-bfff-ffffffffffff");
	assert_int_equal(uuid_parse(text, &back, NULL), 0);
	assert_true(uuid_equal(&early, &back));
}

static void what_is_no_id_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"00000000-03e8-7fff-bfff-fffffffffff",
		"00000000-03e8-7fff-bfff-ffffffffffff0",
		"00000000003e8-7fff-bfff-ffffffffffff",
		"g0000000-03e8-7fff-bfff-ffffffffffff",
		"../../../../etc/passwd/aaaaaaaaaaaaa",
	};
	struct uuid uuid;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(uuid_parse(rows[i], &uuid, NULL), ERR_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hexadecimal_goes_there_and_back),
		cmocka_unit_test(ids_sort_by_time_and_say_version_7),
		cmocka_unit_test(what_is_no_id_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
