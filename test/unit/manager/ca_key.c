/* The keys role without the key of its authority: what it takes for one, what it says, and what brings it back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "manager/keys/ca_key.h"
#include "manager/messages.h"
#include "os/env.h"
#include "trust/secret_file.h"

#define NOW env_wall(env_system())

static char directory[64];
static struct ca_key held;
static struct backup backup; /* of the day of init */

static const char *path(const char *name)
{
	static char text[2][128];
	static size_t turn;

	turn = 1 - turn;
	snprintf(text[turn], sizeof(text[turn]), "%s/%s", directory, name);
	return text[turn];
}

/* As `muster-manager init` leaves it: a key alone, its certificate in ca.pem. */
static void begin(void)
{
	struct authority *first;

	snprintf(directory, sizeof(directory), "/tmp/muster-authority-XXXXXX");
	assert_non_null(mkdtemp(directory));
	assert_int_equal(mkdir(path("keys"), 0700), 0);
	assert_int_equal(authority_generate("Muster test", NOW, &first, NULL), 0);
	assert_int_equal(authority_store(first, path(LAYOUT_KEYS_CA), path(LAYOUT_CA), NULL), 0);
	authority_free(first);
}

static void open_again(void)
{
	ca_key_done(&held);
	held = (struct ca_key){ .authorities = NULL };
	assert_int_equal(ca_key_open(&held, env_system(), directory, NULL), 0);
}

static void back_up(void)
{
	backup_init(&backup);
	assert_int_equal(authorities_keys_pem(held.authorities, &backup.authority_key, NULL), 0);
	assert_int_equal(authorities_pem(held.authorities, &backup.authority, NULL), 0);
}

static int setup(void **state)
{
	(void)state;
	begin();
	open_again();
	back_up();
	return held.authorities != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	static const char *const names[] = { LAYOUT_KEYS_CA, LAYOUT_KEYS_CA ".replaced", LAYOUT_CA, "keys" };

	(void)state;
	ca_key_done(&held);
	backup_done(&backup);
	for (size_t i = 0; i < COUNT_OF(names); i++)
		(void)remove(path(names[i]));
	return rmdir(directory);
}

/* What the supervisor does with what keys tells it. */
static void publish(void)
{
	struct buf pem;

	buf_init(&pem, AUTHORITIES_MAX_BYTES);
	assert_int_equal(ca_key_pem(&held, &pem, NULL), 0);
	assert_int_equal(secret_file_write(path(LAYOUT_CA), pem.data, pem.size, 0644, NULL), 0);
	buf_done(&pem);
}

static void change(uint16_t message)
{
	assert_int_equal(ca_key_change(&held, message, 0, NULL), 0);
}

static void fingerprint(uint8_t out[SHA256_BYTES])
{
	const struct authorities *present = NULL;

	assert_int_equal(ca_key_present(&held, &present, NULL), 0);
	authority_fingerprint(authorities_issuing(present), out);
}

static void is_missing(const char *because)
{
	const struct authorities *present;
	struct err err = { 0 };

	open_again();
	assert_int_equal(ca_key_present(&held, &present, &err), ERR_NOT_FOUND);
	assert_non_null(strstr(err.text, because));
	assert_non_null(strstr(err.text, "muster cert restore"));
	assert_int_equal(ca_key_change(&held, MESSAGE_PREPARE_AUTHORITY, 0, NULL), ERR_NOT_FOUND);
}

static void a_file_that_cannot_be_used_is_a_missing_key(void **state)
{
	(void)state;
	assert_int_equal(chmod(path(LAYOUT_KEYS_CA), 0644), 0);
	is_missing("make it 0600");
	assert_int_equal(truncate(path(LAYOUT_KEYS_CA), 60), 0);
	assert_int_equal(chmod(path(LAYOUT_KEYS_CA), 0600), 0);
	is_missing(LAYOUT_KEYS_CA);
	assert_int_equal(unlink(path(LAYOUT_KEYS_CA)), 0);
	is_missing("No such file");
}

/* A file of another authority, whole as it is, is not ours: no agent would trust what it signs. */
static void another_authority_is_not_taken(void **state)
{
	struct authorities *others;
	struct authority *other;

	(void)state;
	assert_int_equal(authority_generate("Muster test", NOW, &other, NULL), 0);
	assert_int_equal(authorities_new(other, &others, NULL), 0);
	assert_int_equal(authorities_store(others, path(LAYOUT_KEYS_CA), NULL), 0);
	authorities_free(others);
	is_missing("not of the authority that issued last");
}

static void write_key(const struct buf *content)
{
	assert_int_equal(secret_file_write(path(LAYOUT_KEYS_CA), content->data, content->size, 0600, NULL), 0);
}

static void one_of_before_a_turn_goes_on_after_it(void **state)
{
	uint8_t after[SHA256_BYTES], now[SHA256_BYTES];
	struct buf file;

	(void)state;
	change(MESSAGE_PREPARE_AUTHORITY);
	publish();
	buf_init(&file, SECRET_FILE_MAX_BYTES);
	assert_int_equal(secret_file_read(path(LAYOUT_KEYS_CA), true, &file, NULL), 0);
	change(MESSAGE_TURN_AUTHORITY);
	fingerprint(after);
	open_again(); /* killed before ca.pem was written: the one in it is still there */
	fingerprint(now);
	assert_memory_equal(after, now, SHA256_BYTES);
	publish();
	write_key(&file); /* the one that issues had been prepared */
	open_again();
	fingerprint(now);
	assert_memory_equal(after, now, SHA256_BYTES);
	buf_reset(&file);
	buf_append(&file, backup.authority_key.data, backup.authority_key.size);
	buf_append(&file, backup.authority.data, backup.authority.size);
	write_key(&file); /* it had not */
	is_missing("not of the authority that issued last");
	buf_wipe(&file);
}

static void a_backup_brings_it_back(void **state)
{
	uint8_t before[SHA256_BYTES], now[SHA256_BYTES];
	bool taken;

	(void)state;
	fingerprint(before);
	assert_int_equal(ca_key_take_back(&held, &backup, true, &taken, NULL), 0);
	assert_false(taken); /* what is there stays */
	assert_int_equal(truncate(path(LAYOUT_KEYS_CA), 60), 0);
	is_missing(LAYOUT_KEYS_CA);
	assert_int_equal(ca_key_check_backup(&held, &backup, NULL), 0);
	assert_int_equal(ca_key_take_back(&held, &backup, false, &taken, NULL), 0);
	assert_true(taken);
	fingerprint(now);
	assert_memory_equal(before, now, SHA256_BYTES);
	assert_int_equal(access(path(LAYOUT_KEYS_CA ".replaced"), F_OK), 0);
	open_again();
	fingerprint(now);
	assert_memory_equal(before, now, SHA256_BYTES);
}

static void an_older_backup_has_to_be_meant(void **state)
{
	uint8_t before[SHA256_BYTES], now[SHA256_BYTES];
	struct err err = { 0 };
	bool taken;

	(void)state;
	fingerprint(before);
	change(MESSAGE_PREPARE_AUTHORITY);
	change(MESSAGE_TURN_AUTHORITY);
	publish();
	assert_int_equal(unlink(path(LAYOUT_KEYS_CA)), 0);
	is_missing("No such file");
	assert_int_equal(ca_key_take_back(&held, &backup, false, &taken, &err), ERR_CONFLICT);
	assert_false(taken);
	assert_non_null(strstr(err.text, "--force"));
	assert_int_not_equal(access(path(LAYOUT_KEYS_CA), F_OK), 0);
	assert_int_equal(ca_key_take_back(&held, &backup, true, &taken, NULL), 0);
	assert_true(taken);
	fingerprint(now);
	assert_memory_equal(before, now, SHA256_BYTES);
	publish();
	open_again();
	fingerprint(now);
	assert_memory_equal(before, now, SHA256_BYTES);
}

static void a_backup_of_another_manager_is_none(void **state)
{
	struct err err = { 0 };
	bool taken;

	(void)state;
	assert_int_equal(teardown(NULL), 0);
	begin();
	open_again();
	assert_int_equal(unlink(path(LAYOUT_KEYS_CA)), 0);
	is_missing("No such file");
	/* What setup() has backed up was wiped with it: one of yet another. */
	backup_init(&backup);
	{
		struct authorities *others;
		struct authority *other;

		assert_int_equal(authority_generate("Muster test", NOW, &other, NULL), 0);
		assert_int_equal(authorities_new(other, &others, NULL), 0);
		assert_int_equal(authorities_keys_pem(others, &backup.authority_key, NULL), 0);
		assert_int_equal(authorities_pem(others, &backup.authority, NULL), 0);
		authorities_free(others);
	}
	assert_int_equal(ca_key_check_backup(&held, &backup, &err), ERR_UNTRUSTED);
	assert_non_null(strstr(err.text, "another manager"));
	assert_int_equal(ca_key_take_back(&held, &backup, true, &taken, NULL), ERR_UNTRUSTED);
	assert_int_not_equal(access(path(LAYOUT_KEYS_CA), F_OK), 0);
}

static void what_has_not_ended_stays(void **state)
{
	(void)state;
	change(MESSAGE_PREPARE_AUTHORITY);
	change(MESSAGE_TURN_AUTHORITY);
	assert_int_equal(ca_key_change(&held, MESSAGE_DROP_AUTHORITIES, NOW + DAY_US, NULL), ERR_DENIED);
	assert_int_equal(ca_key_change(&held, MESSAGE_DROP_AUTHORITIES, NOW - DAY_US, NULL), 0);
	assert_int_equal(ca_key_change(&held, MESSAGE_TURN_AUTHORITY, 0, NULL), ERR_WRONG_STATE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_file_that_cannot_be_used_is_a_missing_key),
		TEST(another_authority_is_not_taken),
		TEST(one_of_before_a_turn_goes_on_after_it),
		TEST(a_backup_brings_it_back),
		TEST(an_older_backup_has_to_be_meant),
		TEST(a_backup_of_another_manager_is_none),
		TEST(what_has_not_ended_stays),
	};

	return cmocka_run_group_tests_name("unit/manager/ca_key", tests, NULL, NULL);
}
