/* trust/renewal.h, trust/roots.h: when, and which roots follow which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "trust/authority.h"
#include "trust/identity.h"
#include "trust/renewal.h"
#include "trust/roots.h"

#define NOW ((time_us)1795294800 * SECOND_US)

static void chance(void *context, void *out, size_t size)
{
	memset(out, *(const int *)context, size);
}

static void renewals_are_spread_over_a_twelfth(void **state)
{
	const struct renewal_life life = { NOW, NOW + 360 * DAY_US };
	time_us last = 0;

	(void)state;
	assert_int_equal(renewal_due(&life, 0), NOW + 240 * DAY_US);
	for (uint64_t seed = 0; seed < 4096; seed++) {
		time_us due = renewal_due(&life, seed);

		assert_true(due > last && due < NOW + 270 * DAY_US);
		last = due;
	}
	assert_int_equal(renewal_due(&(struct renewal_life){ NOW, NOW - 1 }, 7), NOW);
}

static void waits_double_up_to_a_bound(void **state)
{
	int low = 0;
	const struct env env = { .random = chance, .context = &low };
	span_us most = RENEWAL_RETRY_FIRST_US;

	(void)state;
	for (unsigned failures = 1; failures < 100; failures++) {
		span_us wait = renewal_retry(&env, failures);

		assert_true(wait >= SECOND_US && wait <= SECOND_US + most);
		most = most * 2 > RENEWAL_RETRY_LAST_US ? RENEWAL_RETRY_LAST_US : most * 2;
	}
}

static void grace_has_an_end(void **state)
{
	(void)state;
	assert_true(renewal_in_grace(NOW, NOW + DAY_US, DAY_US));
	assert_false(renewal_in_grace(NOW, NOW + DAY_US + 1, DAY_US));
	assert_true(renewal_in_grace(NOW, NOW + 100000 * DAY_US, INT64_MAX));
}

struct roots {
	struct authority *authorities[3];
	struct buf pems[3], links[2]; /* links[i]: pems[i + 1]'s key, signed by authorities[i] */
	struct buf given, out;
};

static void make(struct roots *roots)
{
	for (size_t i = 0; i < COUNT_OF(roots->pems); i++)
		buf_init(&roots->pems[i], 65536);
	for (size_t i = 0; i < COUNT_OF(roots->links); i++)
		buf_init(&roots->links[i], 65536);
	buf_init(&roots->given, 65536);
	buf_init(&roots->out, 65536);
	assert_int_equal(authority_generate("Muster CA of test", NOW, &roots->authorities[0], NULL), 0);
	for (size_t i = 0; i < COUNT_OF(roots->links); i++)
		assert_int_equal(
		    authority_succeed(roots->authorities[i], NOW, &roots->authorities[i + 1], &roots->links[i], NULL),
		    0);
	for (size_t i = 0; i < COUNT_OF(roots->pems); i++)
		assert_int_equal(authority_pem(roots->authorities[i], &roots->pems[i], NULL), 0);
}

static void done(struct roots *roots)
{
	for (size_t i = 0; i < COUNT_OF(roots->pems); i++) {
		buf_done(&roots->pems[i]);
		authority_free(roots->authorities[i]);
	}
	for (size_t i = 0; i < COUNT_OF(roots->links); i++)
		buf_done(&roots->links[i]);
	buf_done(&roots->given);
	buf_done(&roots->out);
}

static void give(struct roots *roots, const struct buf *pem)
{
	buf_append(&roots->given, pem->data, pem->size);
}

static bool has(const struct roots *roots, size_t root)
{
	return strstr(buf_text(&roots->out), buf_text(&roots->pems[root])) != NULL;
}

static void a_root_is_followed_over_several_steps(void **state)
{
	struct roots roots;

	(void)state;
	make(&roots);
	give(&roots, &roots.pems[2]);
	give(&roots, &roots.links[1]);
	give(&roots, &roots.pems[1]);
	give(&roots, &roots.links[0]);
	give(&roots, &roots.pems[0]);
	assert_int_equal(roots_follow(buf_text(&roots.pems[0]), buf_text(&roots.given), &roots.out, NULL), 0);
	assert_true(has(&roots, 0) && has(&roots, 1) && has(&roots, 2));
	assert_null(strstr(buf_text(&roots.out), buf_text(&roots.links[0])));
	/* Nobody goes back: who trusts the last one alone is not told by its predecessors whom else to trust. */
	buf_reset(&roots.out);
	assert_int_equal(roots_follow(buf_text(&roots.pems[2]), buf_text(&roots.given), &roots.out, NULL), 0);
	assert_true(has(&roots, 2) && !has(&roots, 1) && !has(&roots, 0));
	done(&roots);
}

static void a_stranger_follows_nobody(void **state)
{
	struct roots roots, strange;
	struct err err = { 0 };

	(void)state;
	make(&roots);
	make(&strange);
	/* The same names; its link is signed by itself. */
	give(&roots, &strange.pems[1]);
	give(&roots, &strange.links[0]);
	give(&roots, &strange.pems[0]);
	assert_int_equal(roots_follow(buf_text(&roots.pems[0]), buf_text(&roots.given), &roots.out, &err),
			 ERR_UNTRUSTED);
	assert_int_equal(roots.out.size, 0);
	/* A step is missing. */
	buf_reset(&roots.given);
	give(&roots, &roots.pems[2]);
	give(&roots, &roots.links[1]);
	assert_int_equal(roots_follow(buf_text(&roots.pems[0]), buf_text(&roots.given), &roots.out, &err),
			 ERR_UNTRUSTED);
	/* What is no authority at all. */
	assert_int_equal(roots_follow(buf_text(&roots.pems[0]), "", &roots.out, &err), ERR_FORMAT);
	assert_int_equal(roots_follow("", buf_text(&roots.pems[0]), &roots.out, &err), ERR_FORMAT);
	done(&roots);
	done(&strange);
}

static void a_bundle_is_taken_apart(void **state)
{
	struct certificate_facts second;
	struct roots roots;
	struct buf first, all, links;
	uint8_t none[SHA256_BYTES] = { 1 };
	struct err err = { 0 };

	(void)state;
	make(&roots);
	buf_init(&first, 65536);
	buf_init(&all, 65536);
	buf_init(&links, 65536);
	give(&roots, &roots.links[0]);
	give(&roots, &roots.pems[1]);
	give(&roots, &roots.pems[0]);
	assert_int_equal(roots_split(buf_text(&roots.given), &first, &all, &links, NULL), 0);
	assert_string_equal(buf_text(&first), buf_text(&roots.pems[1]));
	assert_string_equal(buf_text(&links), buf_text(&roots.links[0]));
	assert_int_equal(all.size, roots.pems[0].size + roots.pems[1].size);
	buf_reset(&all);
	assert_int_equal(roots_split(buf_text(&roots.links[0]), &first, &all, &links, &err), ERR_FORMAT);
	/* By its fingerprint, alone; what is no root is not found. */
	assert_int_equal(certificate_read(roots.pems[0].data, roots.pems[0].size, &second, NULL), 0);
	err = (struct err){ 0 };
	assert_int_equal(roots_find(buf_text(&roots.given), second.fingerprint, &roots.out, &err), 0);
	assert_int_equal(err.code, 0);
	assert_string_equal(buf_text(&roots.out), buf_text(&roots.pems[0]));
	assert_int_equal(roots_find(buf_text(&roots.given), none, &roots.out, &err), ERR_UNTRUSTED);
	assert_int_equal(certificate_read(roots.links[0].data, roots.links[0].size, &second, NULL), 0);
	assert_int_equal(roots_find(buf_text(&roots.given), second.fingerprint, &roots.out, &err), ERR_UNTRUSTED);
	assert_int_equal(roots_find("nothing", none, &roots.out, &err), ERR_FORMAT);
	buf_done(&first);
	buf_done(&all);
	buf_done(&links);
	done(&roots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(renewals_are_spread_over_a_twelfth),
		cmocka_unit_test(waits_double_up_to_a_bound),
		cmocka_unit_test(grace_has_an_end),
		cmocka_unit_test(a_root_is_followed_over_several_steps),
		cmocka_unit_test(a_stranger_follows_nobody),
		cmocka_unit_test(a_bundle_is_taken_apart),
	};

	return cmocka_run_group_tests_name("unit/trust/renewal", tests, NULL, NULL);
}
