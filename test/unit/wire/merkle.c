/* Merkle trees: the published roots of Certificate Transparency's reference
 * leaves, every path of every size, and paths that are no tree's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "trust/fingerprint.h"
#include "wire/merkle.h"

static uint8_t numbers[MERKLE_LEAVES_MAX + 1][2];
static struct bytes leaves[MERKLE_LEAVES_MAX + 1];

static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(leaves); i++) {
		numbers[i][0] = (uint8_t)i;
		numbers[i][1] = (uint8_t)(i >> 8);
		leaves[i] = (struct bytes){ numbers[i], sizeof(numbers[i]) };
	}
	return 0;
}

static void test_published_roots(void **state)
{
	static const uint8_t bytes[] = "\x10\x20\x21\x30\x31\x40\x41\x42\x43\x50\x51\x52\x53\x54\x55\x56\x57"
				       "\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f";
	static const uint8_t zero[1];
	const struct bytes known[] = { { zero, 0 },      { zero, 1 },      { bytes, 1 },     { bytes + 1, 2 },
				       { bytes + 3, 2 }, { bytes + 5, 4 }, { bytes + 9, 8 }, { bytes + 17, 16 } };
	static const char *const roots[] = {
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	};

	(void)state;
	for (size_t count = 1; count <= COUNT_OF(known); count++) {
		struct merkle *merkle = merkle_new(fingerprint_of, known, count);
		char text[SHA256_TEXT_BYTES];

		assert_non_null(merkle);
		assert_int_equal(merkle_count(merkle), count);
		hex_format(merkle_root(merkle), SHA256_BYTES, text);
		assert_string_equal(text, roots[count - 1]);
		merkle_free(merkle);
	}
}

static void test_counts(void **state)
{
	(void)state;
	assert_null(merkle_new(fingerprint_of, leaves, 0));
	assert_null(merkle_new(fingerprint_of, leaves, MERKLE_LEAVES_MAX + 1));
}

static bool leads_to_root(const struct merkle *merkle, size_t leaf, size_t index, size_t count,
			  const uint8_t *const *path, size_t path_count)
{
	uint8_t root[SHA256_BYTES];

	return merkle_climb(fingerprint_of, &leaves[leaf], index, count, path, path_count, root) == 0 &&
	       memcmp(root, merkle_root(merkle), sizeof(root)) == 0;
}

static void check_size(size_t count)
{
	struct merkle *merkle = merkle_new(fingerprint_of, leaves, count);

	assert_non_null(merkle);
	for (size_t i = 0; i < count; i++) {
		const uint8_t *path[MERKLE_PATH_MAX + 1];
		size_t size = merkle_path(merkle, i, path);

		path[size] = merkle_root(merkle);
		assert_true(size <= MERKLE_PATH_MAX);
		assert_true(leads_to_root(merkle, i, i, count, path, size));
		assert_false(leads_to_root(merkle, i + 1, i, count, path, size));
		assert_false(leads_to_root(merkle, i, i + 1, count, path, size));
		assert_false(leads_to_root(merkle, i, i, count, path, size + 1));
		if (size > 0)
			assert_false(leads_to_root(merkle, i, i, count, path, size - 1));
	}
	merkle_free(merkle);
}

static void test_every_path(void **state)
{
	static const size_t large[] = { 63, 64, 65, 127, 128, 129, 255, 256 };

	(void)state;
	for (size_t count = 1; count <= 33; count++)
		check_size(count);
	for (size_t i = 0; i < COUNT_OF(large); i++)
		check_size(large[i]);
}

/* Two hashes, passed off as the one leaf of a smaller tree: the prefixes tell them apart. */
static void test_a_node_is_no_leaf(void **state)
{
	struct merkle *merkle = merkle_new(fingerprint_of, leaves, 2);
	const uint8_t *beside_first[MERKLE_PATH_MAX], *beside_second[MERKLE_PATH_MAX];
	uint8_t node[2 * SHA256_BYTES], root[SHA256_BYTES];
	const struct bytes forged = { node, sizeof(node) };

	(void)state;
	assert_int_equal(merkle_path(merkle, 0, beside_first), 1);
	assert_int_equal(merkle_path(merkle, 1, beside_second), 1);
	memcpy(node, beside_second[0], SHA256_BYTES);
	memcpy(node + SHA256_BYTES, beside_first[0], SHA256_BYTES);
	assert_int_equal(merkle_climb(fingerprint_of, &forged, 0, 1, NULL, 0, root), 0);
	assert_memory_not_equal(root, merkle_root(merkle), sizeof(root));
	merkle_free(merkle);
}

static void test_no_such_place(void **state)
{
	const uint8_t *path[MERKLE_PATH_MAX] = { numbers[0] };
	uint8_t root[SHA256_BYTES];

	(void)state;
	assert_int_equal(merkle_climb(fingerprint_of, leaves, 0, 0, path, 0, root), ERR_FORMAT);
	assert_int_equal(merkle_climb(fingerprint_of, leaves, 1, 1, path, 0, root), ERR_FORMAT);
	assert_int_equal(merkle_climb(fingerprint_of, leaves, SIZE_MAX, 2, path, 0, root), ERR_FORMAT);
	assert_int_equal(merkle_climb(fingerprint_of, leaves, 0, SIZE_MAX, path, 0, root), ERR_FORMAT);
	assert_int_equal(merkle_climb(fingerprint_of, leaves, 0, MERKLE_LEAVES_MAX + 1, path, 0, root), ERR_FORMAT);
	assert_int_equal(merkle_climb(fingerprint_of, leaves, 0, 2, path, 0, root), ERR_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_roots), cmocka_unit_test(test_counts),
		cmocka_unit_test(test_every_path),      cmocka_unit_test(test_a_node_is_no_leaf),
		cmocka_unit_test(test_no_such_place),
	};

	return cmocka_run_group_tests_name("unit/wire/merkle", tests, setup, NULL);
}
