/* agent/guard/guard_settings.h: kept whole, or not at all. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/guard/guard_settings.h"
#include "os/files.h"

static char path[64];
static int directory;

static int setup(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/muster-guard-settings-XXXXXX");
	assert_non_null(mkdtemp(path));
	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlinkat(directory, "settings", 0);
	close(directory);
	return rmdir(path);
}

static int load(struct message_settings *settings)
{
	struct buf bytes;
	int rc = guard_settings_load(directory, &bytes, settings, NULL);

	buf_done(&bytes);
	return rc;
}

static void kept_and_damaged(void **state)
{
	struct message_settings settings = { .cpu_percent = 50,
					     .excludes = { .paths = { { (const uint8_t *)"/a", 2 } }, .count = 1 } };
	struct message_settings read;
	struct buf payload, file;

	(void)state;
	assert_int_equal(load(&read), ERR_NOT_FOUND);
	buf_init(&payload, 4096);
	message_pack_settings(&payload, &settings);
	assert_int_equal(guard_settings_save(directory, payload.data, payload.size, NULL), 0);
	assert_int_equal(load(&read), 0);
	assert_int_equal(read.cpu_percent, 50);
	assert_int_equal(read.excludes.count, 1);

	buf_init(&file, 4096);
	assert_int_equal(files_read(directory, "settings", 4096, &file, NULL), 0);
	for (size_t i = 0; i < file.size; i++) {
		file.data[i] ^= 4;
		assert_int_equal(files_write(directory, "settings", file.data, file.size, 0600, NULL), 0);
		assert_int_equal(load(&read), ERR_FORMAT);
		file.data[i] ^= 4;
	}
	for (size_t size = 0; size < 8; size++) {
		assert_int_equal(files_write(directory, "settings", file.data, size, 0600, NULL), 0);
		assert_int_equal(load(&read), ERR_FORMAT);
	}
	buf_done(&file);
	buf_done(&payload);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(kept_and_damaged, setup, teardown) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
