/* base/map.h: against a plain array, through growth and removal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/map.h"

#define KEYS 2000

static void agrees_with_an_array(void **state)
{
	struct map *map = map_new(42);
	int values[KEYS];
	bool present[KEYS] = { false };
	uint32_t chance = 1;
	size_t count = 0;

	(void)state;
	assert_non_null(map);
	for (int step = 0; step < 20 * KEYS; step++) {
		chance = chance * 1664525u + 1013904223u;
		uint32_t key = (chance >> 8) % KEYS;

		if (chance >> 31) {
			assert_int_equal(map_set(map, &key, sizeof(key), &values[key]), 0);
			count += !present[key];
			present[key] = true;
		} else {
			assert_ptr_equal(map_remove(map, &key, sizeof(key)), present[key] ? &values[key] : NULL);
			count -= present[key];
			present[key] = false;
		}
		assert_int_equal(map_count(map), count);
	}
	for (uint32_t key = 0; key < KEYS; key++)
		assert_ptr_equal(map_get(map, &key, sizeof(key)), present[key] ? &values[key] : NULL);
	map_free(map);
}

static void steps_through_all_while_removing(void **state)
{
	struct map *map = map_new(7);
	int value = 0;
	size_t position = 0, seen = 0, size;
	const void *key;

	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(map_set(map, &i, sizeof(i), &value), 0);
	while (map_next(map, &position, &key, &size) != NULL) {
		uint32_t copy;

		assert_int_equal(size, sizeof(copy));
		memcpy(&copy, key, sizeof(copy));
		assert_ptr_equal(map_remove(map, &copy, sizeof(copy)), &value);
		seen++;
	}
	assert_int_equal(seen, 100);
	assert_int_equal(map_count(map), 0);
	map_free(map);
}

static void long_keys_are_refused(void **state)
{
	struct map *map = map_new(7);
	uint8_t key[256] = { 0 };

	(void)state;
	assert_int_equal(map_set(map, key, 256, map), ERR_LIMIT);
	assert_int_equal(map_set(map, key, 255, map), 0);
	assert_null(map_get(map, key, 256));
	map_free(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_an_array),
		cmocka_unit_test(steps_through_all_while_removing),
		cmocka_unit_test(long_keys_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
