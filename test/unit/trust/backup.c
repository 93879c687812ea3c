/* trust/backup.h: what goes in comes out; every other file is refused with its reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "trust/backup.h"

#define PASSWORD "correct horse"

static struct buf sealed;

static void fill(struct backup *backup)
{
	backup_init(backup);
	backup->made = 42;
	strcpy(backup->name, "manager.example");
	backup->agent_port = 21112;
	backup->policy_revision = 77;
	backup->command_serial = 78;
	buf_append_text(&backup->server_key, "server key");
	buf_append_text(&backup->authority_key, "authority key");
	buf_append_text(&backup->authority, "authority");
	backup->step_count = 2;
	for (size_t i = 0; i < backup->step_count; i++) {
		memset(backup->steps[i].old_key, (int)i + 1, ENVELOPE_KEY_BYTES);
		memset(backup->steps[i].new_key, (int)i + 2, ENVELOPE_KEY_BYTES);
		backup->steps[i].serial = i + 1;
	}
}

static int setup(void **state)
{
	struct backup backup;

	(void)state;
	fill(&backup);
	buf_init(&sealed, BACKUP_MAX_BYTES);
	assert_int_equal(backup_seal(&backup, PASSWORD, &sealed, NULL), 0);
	backup_done(&backup);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_done(&sealed);
	return 0;
}

static int opens(const void *file, size_t size, const char *password, struct err *err)
{
	struct backup backup;
	int rc = backup_open(file, size, password, &backup, err);

	if (rc == 0)
		backup_done(&backup);
	return rc;
}

static void test_round_trip(void **state)
{
	struct backup backup, expected;

	(void)state;
	fill(&expected);
	assert_int_equal(backup_look(sealed.data, sealed.size, NULL), 0);
	assert_int_equal(backup_open(sealed.data, sealed.size, PASSWORD, &backup, NULL), 0);
	assert_int_equal(backup.made, 42);
	assert_string_equal(backup.name, expected.name);
	assert_int_equal(backup.agent_port, 21112);
	assert_int_equal(backup.policy_revision, 77);
	assert_int_equal(backup.command_serial, 78);
	assert_string_equal(buf_text(&backup.server_key), "server key");
	assert_string_equal(buf_text(&backup.authority_key), "authority key");
	assert_string_equal(buf_text(&backup.authority), "authority");
	assert_int_equal(backup.step_count, 2);
	assert_memory_equal(backup.steps, expected.steps, 2 * sizeof(backup.steps[0]));
	backup_done(&backup);
	backup_done(&expected);
}

/* Nothing of what is inside can be seen from outside. */
static void test_secret(void **state)
{
	(void)state;
	assert_null(memmem(sealed.data, sealed.size, "server key", 10));
	assert_null(memmem(sealed.data, sealed.size, "manager.example", 15));
}

static void test_wrong_password(void **state)
{
	struct err err = { 0 };
	struct buf out;
	struct backup backup;

	(void)state;
	assert_int_equal(opens(sealed.data, sealed.size, "correct horsf", &err), ERR_DENIED);
	assert_non_null(strstr(err.text, "the password is wrong"));
	assert_int_equal(opens(sealed.data, sealed.size, "", NULL), ERR_DENIED);
	fill(&backup);
	buf_init(&out, BACKUP_MAX_BYTES);
	assert_int_equal(backup_seal(&backup, "short", &out, &err), ERR_RANGE);
	buf_done(&out);
	backup_done(&backup);
}

static void test_cut_off_anywhere(void **state)
{
	struct err err = { 0 };

	(void)state;
	for (size_t size = 0; size < sealed.size; size++)
		assert_true(backup_look(sealed.data, size, &err) < 0);
	assert_int_equal(opens(sealed.data, sealed.size - 1, PASSWORD, &err), ERR_FORMAT);
	assert_non_null(strstr(err.text, "not whole"));
	buf_append_byte(&sealed, 0);
	assert_int_equal(opens(sealed.data, sealed.size, PASSWORD, &err), ERR_FORMAT);
	assert_non_null(strstr(err.text, "follows the end"));
	sealed.size--;
}

static void test_another_file(void **state)
{
	static const char text[] = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n";
	struct err err = { 0 };

	(void)state;
	assert_int_equal(opens(text, sizeof(text), PASSWORD, &err), ERR_FORMAT);
	assert_non_null(strstr(err.text, "not a backup"));
	assert_int_equal(opens("", 0, PASSWORD, &err), ERR_FORMAT);
	sealed.data[19] = 2;
	assert_int_equal(opens(sealed.data, sealed.size, PASSWORD, &err), ERR_VERSION);
	sealed.data[19] = 1;
}

/* A bit of any part: every byte of the header that may be read at all costs the derivation, so a few of the rest. */
static void test_altered(void **state)
{
	static const size_t places[] = { 21, 24, 29, 35, 50, 58, 61, 70 };

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		sealed.data[places[i]] ^= 1;
		assert_true(opens(sealed.data, sealed.size, PASSWORD, NULL) < 0);
		sealed.data[places[i]] ^= 1;
	}
	sealed.data[sealed.size - 1] ^= 0x80;
	assert_int_equal(opens(sealed.data, sealed.size, PASSWORD, NULL), ERR_DENIED);
	sealed.data[sealed.size - 1] ^= 0x80;
	assert_int_equal(opens(sealed.data, sealed.size, PASSWORD, NULL), 0);
}

/* It may not ask for any amount of memory or time. */
static void test_cost_is_bounded(void **state)
{
	static const struct {
		size_t place;
		uint8_t value;
	} dear[] = { { 20, 0x7f }, { 24, 0x7f }, { 23, 0xff }, { 27, 0xff }, { 28, 200 } };

	(void)state;
	for (size_t i = 0; i < sizeof(dear) / sizeof(dear[0]); i++) {
		uint8_t before[12];

		memcpy(before, sealed.data + 20, sizeof(before));
		memset(sealed.data + 20, 0, 9);
		sealed.data[dear[i].place] = dear[i].value;
		assert_int_equal(backup_look(sealed.data, sealed.size, NULL), ERR_FORMAT);
		memcpy(sealed.data + 20, before, sizeof(before));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),      cmocka_unit_test(test_secret),
		cmocka_unit_test(test_wrong_password),  cmocka_unit_test(test_cut_off_anywhere),
		cmocka_unit_test(test_another_file),    cmocka_unit_test(test_altered),
		cmocka_unit_test(test_cost_is_bounded),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
