/* The verdict cache: what it keeps, what it must not. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "protect/verdict_cache.h"

#define NOW ((time_us)1700000000 * SECOND_US)

static uint64_t seed = 1;

static void some_random(void *context, void *out, size_t size)
{
	(void)context;
	for (size_t i = 0; i < size; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		((uint8_t *)out)[i] = (uint8_t)(seed >> 56);
	}
}

static const struct env env = { .random = some_random };
static const uint8_t version[VERDICT_VERSION_BYTES] = { 1 };

static const struct verdict_file old_file = {
	.device = 1,
	.inode = 2,
	.size = 3,
	.modified_ns = NOW * 1000 - 10000000000,
	.changed_ns = NOW * 1000 - 9000000000,
};

static struct verdict_cache *open_cache(int fd)
{
	struct verdict_cache *cache = NULL;

	assert_int_equal(verdict_cache_open(fd, &env, &cache, NULL), 0);
	return cache;
}

static void any_difference_is_another_file(void **state)
{
	int fd = memfd_create("cache", MFD_CLOEXEC);
	struct verdict_cache *cache = open_cache(fd);
	uint8_t other[VERDICT_VERSION_BYTES] = { 2 };
	struct verdict_file file = old_file;

	(void)state;
	assert_false(verdict_cache_clean(cache, &old_file, version));
	verdict_cache_keep(cache, &old_file, version, NOW);
	assert_true(verdict_cache_clean(cache, &old_file, version));
	assert_false(verdict_cache_clean(cache, &old_file, other));
	for (size_t i = 0; i < sizeof(file) / sizeof(uint64_t); i++) {
		file = old_file;
		((uint64_t *)(void *)&file)[i]++;
		assert_false(verdict_cache_clean(cache, &file, version));
	}
	verdict_cache_close(cache);
	/* And it is there when opened again. */
	cache = open_cache(fd);
	assert_true(verdict_cache_clean(cache, &old_file, version));
	verdict_cache_close(cache);
	close(fd);
}

static void a_file_changed_lately_is_not_kept(void **state)
{
	int fd = memfd_create("cache", MFD_CLOEXEC);
	struct verdict_cache *cache = open_cache(fd);
	struct verdict_file file = old_file;

	(void)state;
	file.changed_ns = (NOW - VERDICT_RACE_US + 1) * 1000;
	verdict_cache_keep(cache, &file, version, NOW);
	assert_false(verdict_cache_clean(cache, &file, version));
	/* Its clock ahead of ours: the same. */
	file.changed_ns = (NOW + HOUR_US) * 1000;
	verdict_cache_keep(cache, &file, version, NOW);
	assert_false(verdict_cache_clean(cache, &file, version));
	file = old_file;
	file.modified_ns = (NOW - 1) * 1000;
	assert_false(verdict_cache_settled(&file, NOW));
	file.modified_ns = (NOW - VERDICT_RACE_US - 1) * 1000;
	assert_true(verdict_cache_settled(&file, NOW));
	verdict_cache_close(cache);
	close(fd);
}

static void damage_empties_it(void **state)
{
	int fd = memfd_create("cache", MFD_CLOEXEC);
	struct verdict_cache *cache = open_cache(fd);

	(void)state;
	verdict_cache_keep(cache, &old_file, version, NOW);
	verdict_cache_close(cache);
	assert_int_equal(ftruncate(fd, 100000), 0);
	cache = open_cache(fd);
	assert_false(verdict_cache_clean(cache, &old_file, version));
	verdict_cache_keep(cache, &old_file, version, NOW);
	assert_true(verdict_cache_clean(cache, &old_file, version));
	verdict_cache_close(cache);
	assert_int_equal(pwrite(fd, "X", 1, 0), 1);
	cache = open_cache(fd);
	assert_false(verdict_cache_clean(cache, &old_file, version));
	verdict_cache_close(cache);
	close(fd);
}

static void holds_many_and_forgets_rather_than_grows(void **state)
{
	int fd = memfd_create("cache", MFD_CLOEXEC);
	struct verdict_cache *cache = open_cache(fd);
	struct verdict_file file = old_file;
	unsigned found = 0;

	(void)state;
	for (uint64_t i = 0; i < 20000; i++) {
		file.inode = i;
		verdict_cache_keep(cache, &file, version, NOW);
	}
	for (uint64_t i = 0; i < 20000; i++) {
		file.inode = i;
		found += verdict_cache_clean(cache, &file, version);
	}
	assert_int_equal(found, 20000);
	verdict_cache_close(cache);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_difference_is_another_file),
		cmocka_unit_test(a_file_changed_lately_is_not_kept),
		cmocka_unit_test(damage_empties_it),
		cmocka_unit_test(holds_many_and_forgets_rather_than_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
