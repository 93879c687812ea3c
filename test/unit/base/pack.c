/* base/pack.h: round trips, short input, limits, the checksum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/pack.h"

static void goes_there_and_back(void **state)
{
	struct buf out;
	struct unpack in;
	char text[8];
	uint8_t fixed[2];

	(void)state;
	buf_init(&out, 1000);
	pack_u8(&out, 1);
	pack_u16(&out, 0x1234);
	pack_u32(&out, 0xdeadbeef);
	pack_u64(&out, UINT64_MAX);
	pack_text(&out, "muster");
	buf_append(&out, "ab", 2);
	unpack_init(&in, out.data, out.size);
	assert_int_equal(unpack_u8(&in), 1);
	assert_int_equal(unpack_u16(&in), 0x1234);
	assert_true(unpack_u32(&in) == 0xdeadbeef);
	assert_true(unpack_u64(&in) == UINT64_MAX);
	unpack_text(&in, text, sizeof(text));
	assert_string_equal(text, "muster");
	unpack_fixed(&in, fixed, 2);
	assert_memory_equal(fixed, "ab", 2);
	assert_int_equal(unpack_end(&in), 0);
	buf_done(&out);
}

static void every_shorter_input_is_refused(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	pack_u32(&out, 7);
	pack_text(&out, "text");
	for (size_t size = 0; size < out.size; size++) {
		struct unpack in;
		char text[16];

		unpack_init(&in, out.data, size);
		unpack_u32(&in);
		unpack_text(&in, text, sizeof(text));
		assert_int_equal(unpack_end(&in), ERR_FORMAT);
		assert_string_equal(text, "");
	}
	buf_done(&out);
}

static void left_over_long_and_split_text_are_refused(void **state)
{
	const uint8_t left_over[] = { 1, 2 };
	const uint8_t with_nul[] = { 3, 0, 0, 0, 'a', 0, 'b' };
	const uint8_t huge[] = { 255, 255, 255, 255, 'a' };
	struct unpack in;
	char text[4];

	(void)state;
	unpack_init(&in, left_over, 2);
	unpack_u8(&in);
	assert_int_equal(unpack_end(&in), ERR_FORMAT);
	unpack_init(&in, with_nul, sizeof(with_nul));
	unpack_text(&in, text, sizeof(text));
	assert_int_equal(unpack_end(&in), ERR_FORMAT);
	unpack_init(&in, huge, sizeof(huge));
	assert_null(unpack_bytes(&in, 100).data);
	assert_int_equal(in.status, ERR_LIMIT);
}

static void checksum_is_castagnoli(void **state)
{
	(void)state;
	assert_true(crc32c(0, "123456789", 9) == 0xe3069283u);
	assert_true(crc32c(crc32c(0, "1234", 4), "56789", 5) == 0xe3069283u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_there_and_back),
		cmocka_unit_test(every_shorter_input_is_refused),
		cmocka_unit_test(left_over_long_and_split_text_are_refused),
		cmocka_unit_test(checksum_is_castagnoli),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
