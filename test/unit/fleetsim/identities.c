/* Identities kept in a file: the same again, more of them, and damage. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fleetsim/identities.h"

static char directory[] = "/tmp/muster-identities-XXXXXX", file[64];

static void store_two(void)
{
	struct identities identities;
	struct err err;

	unlink(file);
	assert_int_equal(identities_open(&identities, file, 3, &err), 0);
	for (size_t i = 0; i < 2; i++) {
		memset(identities.slots[i].computer.bytes, (int)i + 1, UUID_BYTES);
		memset(identities.slots[i].manager_key, 7, ENVELOPE_KEY_BYTES);
		identities.slots[i].certificate_pem = strdup(i == 0 ? "first" : "second");
	}
	assert_int_equal(identities_store(&identities, file, &err), 0);
	identities_done(&identities);
}

static void expect_two(size_t wanted, size_t count)
{
	struct identities identities;
	struct err err;

	assert_int_equal(identities_open(&identities, file, wanted, &err), 0);
	assert_int_equal(identities.count, count);
	assert_string_equal(identities.slots[0].certificate_pem, "first");
	assert_string_equal(identities.slots[1].certificate_pem, "second");
	assert_int_equal(identities.slots[1].computer.bytes[15], 2);
	assert_int_equal(identities.slots[1].manager_key[31], 7);
	assert_null(identities.slots[2].certificate_pem);
	assert_non_null(strstr(buf_text(&identities.key_pem), "PRIVATE KEY"));
	identities_done(&identities);
}

static void test_kept_between_runs(void **state)
{
	struct stat st;

	(void)state;
	store_two();
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	expect_two(1, 3); /* a smaller run forgets nobody */
	expect_two(5, 5);
}

static void test_without_a_file(void **state)
{
	struct identities identities;
	struct err err;

	(void)state;
	assert_int_equal(identities_open(&identities, NULL, 4, &err), 0);
	assert_int_equal(identities.count, 4);
	assert_null(identities.slots[3].certificate_pem);
	assert_int_equal(identities_store(&identities, NULL, &err), 0);
	identities_done(&identities);
}

/* Cut at every length: refused, never half taken. */
static void test_damage_is_refused(void **state)
{
	struct identities identities;
	struct stat st;
	struct err err;

	(void)state;
	store_two();
	assert_int_equal(stat(file, &st), 0);
	for (off_t size = st.st_size - 1; size > 0; size -= 7) {
		assert_int_equal(truncate(file, size), 0);
		assert_int_not_equal(identities_open(&identities, file, 3, &err), 0);
		assert_non_null(strstr(err.text, file));
		identities_done(&identities);
	}
}

static int set_up(void **state)
{
	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(file, sizeof(file), "%s/identities", directory);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(file);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept_between_runs),
		cmocka_unit_test(test_without_a_file),
		cmocka_unit_test(test_damage_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
