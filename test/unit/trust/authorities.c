/* trust/authorities.h, trust/authority_turn.h: authorities that follow one another, over files and crashes, and when.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "folder.h"
#include "trust/authorities.h"
#include "trust/authority_turn.h"
#include "trust/identity.h"
#include "trust/roots.h"
#include "trust/secret_file.h"

#define NOW ((time_us)1795294800 * SECOND_US)

static struct authorities *authorities;

static int setup(void **state)
{
	struct authority *first;

	return folder_setup(state) == 0 && authority_generate("Muster test", NOW, &first, NULL) == 0 &&
		       authorities_new(first, &authorities, NULL) == 0
		   ? 0
		   : -1;
}

static int teardown(void **state)
{
	authorities_free(authorities);
	authorities = NULL;
	return folder_teardown(state);
}

static void text_of(const struct authorities *from, struct buf *out)
{
	buf_init(out, SECRET_FILE_MAX_BYTES);
	assert_int_equal(authorities_pem(from, out, NULL), 0);
	assert_int_equal(authorities_keys_pem(from, out, NULL), 0);
}

/* What a restart makes of what is on the disk is what there was. */
static void reload(void **state)
{
	struct authorities *loaded;
	struct buf before, after;

	assert_int_equal(authorities_store(authorities, folder_file(state, "ca.key"), NULL), 0);
	assert_int_equal(folder_count(state), 1);
	assert_int_equal(authorities_load(folder_file(state, "ca.key"), "/nowhere", &loaded, NULL), 0);
	text_of(authorities, &before);
	text_of(loaded, &after);
	assert_string_equal(buf_text(&before), buf_text(&after));
	buf_done(&before);
	buf_done(&after);
	authorities_free(authorities);
	authorities = loaded;
}

static size_t count(const char *text, const char *what)
{
	size_t found = 0;

	for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what))
		found++;
	return found;
}

static void shape_is(size_t keys, size_t certificates)
{
	struct buf text;

	text_of(authorities, &text);
	assert_int_equal(count(buf_text(&text), "BEGIN PRIVATE KEY"), keys);
	assert_int_equal(count(buf_text(&text), "BEGIN CERTIFICATE"), certificates);
	buf_done(&text);
}

static void steps_survive_restarts(void **state)
{
	uint8_t first[SHA256_BYTES], next[SHA256_BYTES], now[SHA256_BYTES];
	struct err err = { 0 };

	reload(state);
	shape_is(1, 1);
	assert_int_equal(authorities_turn(authorities, &err), ERR_WRONG_STATE);
	authority_fingerprint(authorities_issuing(authorities), first);
	assert_int_equal(authorities_prepare(authorities, NOW, NULL), 0);
	authority_fingerprint(authorities_next(authorities), next);
	assert_int_equal(authorities_prepare(authorities, NOW, &err), ERR_EXISTS);
	reload(state);
	shape_is(2, 3); /* both roots, and what leads to the next */
	authority_fingerprint(authorities_issuing(authorities), now);
	assert_memory_equal(now, first, SHA256_BYTES);
	assert_int_equal(authorities_turn(authorities, NULL), 0);
	reload(state);
	shape_is(1, 3); /* the key before is gone */
	assert_null(authorities_next(authorities));
	authority_fingerprint(authorities_issuing(authorities), now);
	assert_memory_equal(now, next, SHA256_BYTES);
}

/* Of a data directory from before there were several. */
static void a_key_with_a_certificate_beside_it_is_taken(void **state)
{
	struct authorities *loaded;
	struct authority *other;
	struct err err = { 0 };

	assert_int_equal(authority_store(authorities_issuing(authorities), folder_file(state, "ca.key"),
					 folder_file(state, "ca.pem"), NULL),
			 0);
	assert_int_equal(authorities_load(folder_file(state, "ca.key"), folder_file(state, "ca.pem"), &loaded, NULL),
			 0);
	authorities_free(authorities);
	authorities = loaded;
	shape_is(1, 1);
	/* One that is not its own. */
	assert_int_equal(authority_generate("Muster test", NOW, &other, NULL), 0);
	assert_int_equal(authority_store(other, folder_file(state, "other.key"), folder_file(state, "ca.pem"), NULL),
			 0);
	assert_int_equal(authorities_load(folder_file(state, "ca.key"), folder_file(state, "ca.pem"), &loaded, &err),
			 ERR_UNTRUSTED);
	assert_int_equal(authorities_load(folder_file(state, "none.key"), "/nowhere", &loaded, &err), ERR_NOT_FOUND);
	authority_free(other);
}

static void a_file_that_is_cut_is_refused(void **state)
{
	struct authorities *loaded;
	struct buf whole;
	const char *cut[3];

	assert_int_equal(authorities_prepare(authorities, NOW, NULL), 0);
	assert_int_equal(authorities_store(authorities, folder_file(state, "ca.key"), NULL), 0);
	buf_init(&whole, SECRET_FILE_MAX_BYTES);
	assert_int_equal(secret_file_read(folder_file(state, "ca.key"), true, &whole, NULL), 0);
	cut[0] = strstr(buf_text(&whole), "-----END PRIVATE KEY");
	cut[1] = strstr(buf_text(&whole), "-----BEGIN CERTIFICATE");
	cut[2] = strstr(cut[1] + 1, "-----BEGIN CERTIFICATE"); /* the next root is not there */
	for (size_t i = 0; i < COUNT_OF(cut); i++) {
		assert_int_equal(secret_file_write(folder_file(state, "cut.key"), whole.data,
						   (size_t)(cut[i] - buf_text(&whole)), 0600, NULL),
				 0);
		assert_int_not_equal(authorities_load(folder_file(state, "cut.key"), "/nowhere", &loaded, NULL), 0);
	}
	buf_wipe(&whole);
}

static void who_trusted_the_first_trusts_the_last(void **state)
{
	struct buf first, all, followed;

	(void)state;
	buf_init(&first, 65536);
	buf_init(&all, 65536);
	buf_init(&followed, 65536);
	assert_int_equal(authorities_pem(authorities, &first, NULL), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(authorities_prepare(authorities, NOW, NULL), 0);
		assert_int_equal(authorities_turn(authorities, NULL), 0);
	}
	assert_int_equal(authorities_pem(authorities, &all, NULL), 0);
	assert_int_equal(roots_follow(buf_text(&first), buf_text(&all), &followed, NULL), 0);
	assert_int_equal(count(buf_text(&followed), "BEGIN CERTIFICATE"), 4);
	/* The issuing one is the first that is read. */
	assert_memory_equal(buf_text(&followed), buf_text(&all), 200);
	buf_done(&first);
	buf_done(&all);
	buf_done(&followed);
}

static void parts_of(const struct authorities *from, struct buf *keys, struct buf *certificates)
{
	buf_init(keys, SECRET_FILE_MAX_BYTES);
	buf_init(certificates, SECRET_FILE_MAX_BYTES);
	assert_int_equal(authorities_keys_pem(from, keys, NULL), 0);
	assert_int_equal(authorities_pem(from, certificates, NULL), 0);
}

static void issuing_is(const uint8_t fingerprint[SHA256_BYTES])
{
	uint8_t now[SHA256_BYTES];

	authority_fingerprint(authorities_issuing(authorities), now);
	assert_memory_equal(now, fingerprint, SHA256_BYTES);
}

static void prepare_and_turn(void)
{
	assert_int_equal(authorities_prepare(authorities, NOW, NULL), 0);
	assert_int_equal(authorities_turn(authorities, NULL), 0);
}

/* As after the loss of ca.key: ca.pem is what is known. */
static int recover(const struct buf *keys, const struct buf *certificates, bool older)
{
	struct authorities *recovered;
	struct buf lost, known;
	int rc;

	parts_of(authorities, &lost, &known);
	rc = authorities_recover(keys, certificates, &known, older, &recovered, NULL);
	if (rc == 0) {
		authorities_free(authorities);
		authorities = recovered;
	}
	buf_wipe(&lost);
	buf_done(&known);
	return rc;
}

static void a_backup_brings_its_keys_back(void **state)
{
	uint8_t first[SHA256_BYTES], next[SHA256_BYTES];
	struct buf keys, certificates;

	authority_fingerprint(authorities_issuing(authorities), first);
	parts_of(authorities, &keys, &certificates);
	assert_int_equal(recover(&keys, &certificates, false), 0);
	issuing_is(first);
	shape_is(1, 1);
	buf_wipe(&keys);
	buf_done(&certificates);
	/* Of a moment at which another one was prepared; it may have had its turn since. */
	assert_int_equal(authorities_prepare(authorities, NOW, NULL), 0);
	authority_fingerprint(authorities_next(authorities), next);
	parts_of(authorities, &keys, &certificates);
	assert_int_equal(recover(&keys, &certificates, false), 0);
	issuing_is(first);
	shape_is(2, 3);
	assert_int_equal(authorities_turn(authorities, NULL), 0);
	assert_int_equal(recover(&keys, &certificates, false), 0);
	issuing_is(next);
	shape_is(1, 3);
	reload(state);
	buf_wipe(&keys);
	buf_done(&certificates);
}

/* Its authority issues again; whoever trusts that one trusts what comes after it. */
static void an_older_backup_has_to_be_meant(void **state)
{
	struct buf keys, certificates, left, now, followed;
	uint8_t first[SHA256_BYTES];

	authority_fingerprint(authorities_issuing(authorities), first);
	parts_of(authorities, &keys, &certificates);
	prepare_and_turn();
	assert_int_equal(recover(&keys, &certificates, false), ERR_CONFLICT);
	assert_int_equal(recover(&keys, &certificates, true), 0);
	issuing_is(first);
	shape_is(1, 3);
	reload(state);
	prepare_and_turn();
	shape_is(1, 5);
	parts_of(authorities, &left, &now);
	buf_init(&followed, SECRET_FILE_MAX_BYTES);
	assert_int_equal(roots_follow(buf_text(&certificates), buf_text(&now), &followed, NULL), 0);
	assert_int_equal(count(buf_text(&followed), "BEGIN CERTIFICATE"), 3);
	buf_wipe(&keys);
	buf_done(&certificates);
	buf_wipe(&left);
	buf_done(&now);
	buf_done(&followed);
}

static void a_backup_of_others_brings_nothing(void **state)
{
	struct buf keys, certificates, ours_keys, ours;
	struct authorities *others, *recovered;
	struct authority *other;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(authority_generate("Muster test", NOW, &other, NULL), 0);
	assert_int_equal(authorities_new(other, &others, NULL), 0);
	parts_of(others, &keys, &certificates);
	parts_of(authorities, &ours_keys, &ours);
	assert_int_equal(authorities_recover(&keys, &certificates, &ours, true, &recovered, &err), ERR_UNTRUSTED);
	assert_int_equal(authorities_recover(&keys, &ours, &ours, true, &recovered, &err), ERR_UNTRUSTED);
	assert_int_equal(authorities_recover(&ours, &ours, &ours, true, &recovered, &err), ERR_FORMAT);
	buf_wipe(&keys);
	buf_done(&certificates);
	buf_wipe(&ours_keys);
	buf_done(&ours);
	authorities_free(others);
}

static void what_has_ended_goes(void **state)
{
	time_us then = NOW + 7 * 365 * DAY_US;

	(void)state;
	assert_int_equal(authorities_prepare(authorities, then, NULL), 0);
	assert_int_equal(authorities_turn(authorities, NULL), 0);
	assert_int_equal(authorities_drop(authorities, NOW + 3650 * DAY_US - SECOND_US), 0);
	shape_is(1, 3);
	assert_int_equal(authorities_drop(authorities, NOW + 3650 * DAY_US), 1);
	shape_is(1, 1);
	assert_int_equal(authorities_drop(authorities, INT64_MAX / 2), 0); /* never the issuing one */
	shape_is(1, 1);
}

static void there_are_never_too_many(void **state)
{
	struct err err = { 0 };

	(void)state;
	for (int i = 1; i < AUTHORITIES_MAX; i++) {
		assert_int_equal(authorities_prepare(authorities, NOW, NULL), 0);
		assert_int_equal(authorities_turn(authorities, NULL), 0);
	}
	assert_int_equal(authorities_prepare(authorities, NOW, &err), ERR_LIMIT);
	reload(state);
}

static void turns_come_by_the_table(void **state)
{
#define YEAR (365 * DAY_US)
	static const struct {
		const char *what;
		span_us age;
		bool has_next;
		size_t without;
		enum authority_step step;
		span_us told_by; /* 0: an hour */
	} rows[] = {
		{ "young", YEAR, false, 0, AUTHORITY_STAYS },
		{ "young, agents change nothing", YEAR, false, 9, AUTHORITY_STAYS },
		{ "two thirds are nearly over", 10 * YEAR / 3 * 2 - SECOND_US, false, 0, AUTHORITY_STAYS },
		{ "two thirds are over", 10 * YEAR / 3 * 2, false, 0, AUTHORITY_PREPARES },
		{ "the manager was off for long", 20 * YEAR, false, 3, AUTHORITY_PREPARES },
		{ "a person asked for it, some have not got it", DAY_US, true, 1, AUTHORITY_STAYS },
		{ "a person asked for it, all have it", DAY_US, true, 0, AUTHORITY_TURNS },
		{ "those who were told last have their two weeks", 14 * DAY_US + HOUR_US - SECOND_US, true, 1,
		  AUTHORITY_STAYS },
		{ "one does not take it", 14 * DAY_US + HOUR_US, true, 1, AUTHORITY_TURNS },
		{ "some have not got it", 7 * YEAR, true, 1, AUTHORITY_STAYS, 7 * YEAR },
		{ "all have it", 7 * YEAR, true, 0, AUTHORITY_TURNS },
		{ "the last period nears", 8 * YEAR - SECOND_US, true, 1, AUTHORITY_STAYS, 8 * YEAR },
		{ "the last period begins", 8 * YEAR, true, 1, AUTHORITY_TURNS, 8 * YEAR },
		{ "it has ended", 11 * YEAR, true, 1, AUTHORITY_TURNS },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct authority_state now = { { NOW, NOW + 10 * YEAR },
						     rows[i].has_next,
						     rows[i].without,
						     rows[i].told_by != 0 ? NOW + rows[i].told_by : NOW + HOUR_US };

		if (authority_step(&now, NOW + rows[i].age) != rows[i].step)
			fail_msg("%s", rows[i].what);
	}
}

static void agents_are_told_one_after_the_other(void **state)
{
	span_us spread = authority_spread(100000, 500);
	time_us last = NOW - 1;

	(void)state;
	assert_int_equal(spread, 2000 * SECOND_US);
	for (uint64_t seed = 0; seed < 4096; seed++) {
		time_us at = authority_told_at(NOW, spread, seed);

		assert_true(at > last && at < NOW + spread);
		last = at;
	}
	assert_int_equal(authority_told_at(NOW, authority_spread(0, 1), 77), NOW);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(steps_survive_restarts),
		TEST(a_key_with_a_certificate_beside_it_is_taken),
		TEST(a_file_that_is_cut_is_refused),
		TEST(who_trusted_the_first_trusts_the_last),
		TEST(a_backup_brings_its_keys_back),
		TEST(an_older_backup_has_to_be_meant),
		TEST(a_backup_of_others_brings_nothing),
		TEST(what_has_ended_goes),
		TEST(there_are_never_too_many),
		cmocka_unit_test(turns_come_by_the_table),
		cmocka_unit_test(agents_are_told_one_after_the_other),
	};

	return cmocka_run_group_tests_name("unit/trust/authorities", tests, NULL, NULL);
}
