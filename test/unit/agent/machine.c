/* Which machine the agent says it is (agent/host.h, [link] machine_uuid). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/host.h"
#include "agent/settings.h"
#include "os/files.h"

#define GIVEN "6695eb01-f6a4-8304-79aa-97f2502e193f"

static void what_is_given_is_told(void **state)
{
	char *addresses[HOST_ADDRESSES_MAX], text[UUID_TEXT_BYTES];
	Muster__Wire__Host message;
	struct host host;

	(void)state;
	host_read(&host, GIVEN);
	uuid_format(&host.machine, text);
	assert_string_equal(text, GIVEN);
	host_message(&host, addresses, &message);
	assert_int_equal(message.machine.len, UUID_BYTES);
	assert_memory_equal(message.machine.data, host.machine.bytes, UUID_BYTES);
}

static void without_it_the_firmware_is_asked(void **state)
{
	char *addresses[HOST_ADDRESSES_MAX];
	Muster__Wire__Host message;
	struct host asked, again;

	(void)state;
	host_read(&asked, NULL);
	host_read(&again, "");
	assert_true(uuid_equal(&asked.machine, &again.machine));
	host_message(&asked, addresses, &message);
	assert_int_equal(message.machine.len, uuid_is_zero(&asked.machine) ? 0 : UUID_BYTES);
}

static int load(const char *directory, const char *value, struct buf *problems)
{
	struct settings settings;
	char path[4096], text[256];
	int rc;

	snprintf(path, sizeof(path), "%s/agent.ini", directory);
	snprintf(text, sizeof(text), "[link]\nmachine_uuid = %s\n", value);
	assert_int_equal(files_write(AT_FDCWD, path, text, strlen(text), 0600, NULL), 0);
	buf_reset(problems);
	rc = settings_load(directory, &settings, problems, NULL);
	if (rc == 0)
		settings_done(&settings);
	unlink(path);
	return rc;
}

static void one_that_is_none_is_refused_with_its_place(void **state)
{
	static const char *const wrong[] = { "web", "6695eb01f6a4830479aa97f2502e193f", GIVEN "0" };
	char directory[] = "/tmp/muster-machine-XXXXXX";
	struct buf problems;

	(void)state;
	assert_non_null(mkdtemp(directory));
	buf_init(&problems, CONF_PROBLEMS_BYTES);
	assert_int_equal(load(directory, GIVEN, &problems), 0);
	assert_int_equal(load(directory, "", &problems), 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(load(directory, wrong[i], &problems), ERR_FORMAT);
		assert_non_null(strstr(buf_text(&problems), "machine_uuid"));
	}
	buf_done(&problems);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_given_is_told),
		cmocka_unit_test(without_it_the_firmware_is_asked),
		cmocka_unit_test(one_that_is_none_is_refused_with_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
