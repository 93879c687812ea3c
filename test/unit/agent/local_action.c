/* agent/local_action.h: who gives no password, a wrong one, too many, the right one; nothing of it is in memory alone.
 */
#include <fcntl.h>
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

#include "agent/local_action.h"
#include "endpoint/configuration_file.h"
#include "os/files.h"
#include "policy/settings.h"
#include "trust/password.h"

#define PASSWORD "correct horse"

static time_us now = 1700000000 * SECOND_US;

static time_us wall(void *context)
{
	(void)context;
	return now;
}

static const struct env env = { .wall = wall };
static const struct uuid computer = { { 1, 2, 3, 4 } };
static char hash[PASSWORD_ENCODED_BYTES];

struct place {
	char path[64];
	int data, store;
};

static int setup(void **state)
{
	static const char who[] = "{\"id\":\"01020304-0000-0000-0000-000000000000\",\"name\":\"one\","
				  "\"manager\":\"https://localhost:4343\"}";
	struct place *place = calloc(1, sizeof(*place));

	snprintf(place->path, sizeof(place->path), "/tmp/muster-local-action-XXXXXX");
	assert_non_null(mkdtemp(place->path));
	place->data = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(place->data, "link", 0700), 0);
	assert_int_equal(mkdirat(place->data, "identity", 0700), 0);
	assert_int_equal(files_write(place->data, "identity/computer.json", who, strlen(who), 0600, NULL), 0);
	place->store = openat(place->data, "link", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (hash[0] == '\0')
		assert_int_equal(password_hash(PASSWORD, hash, NULL), 0);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;

	files_empty_directory(place->data);
	close(place->store);
	close(place->data);
	assert_int_equal(rmdir(place->path), 0);
	free(place);
	return 0;
}

/* What the agent would have left: its last good configuration with this hash in it. */
static void keep(const struct place *place, const struct uuid *of, const char *value)
{
	Muster__Wire__Configuration configuration = MUSTER__WIRE__CONFIGURATION__INIT;
	Muster__Wire__Field fields[2] = { MUSTER__WIRE__FIELD__INIT, MUSTER__WIRE__FIELD__INIT };
	Muster__Wire__Field *list[] = { &fields[0], &fields[1] };
	struct configuration_file file = { .has_kept = true };
	struct buf packed, bytes;

	fields[0].name = (char[]){ "agent.unload_password" };
	fields[0].value = exchange_bytes(value, strlen(value));
	fields[1].name = (char[]){ "link.poll" };
	fields[1].value = exchange_bytes("held", 4);
	configuration.settings = list;
	configuration.n_settings = 2;
	buf_init(&packed, 4096);
	buf_init(&bytes, CONFIGURATION_FILE_MAX_BYTES);
	assert_non_null(buf_room(&packed, 4000));
	buf_grow(&packed, muster__wire__configuration__pack(&configuration, packed.data));
	file.packed = (struct bytes){ packed.data, packed.size };
	configuration_file_encode(&file, of, &bytes);
	assert_int_equal(files_write(place->data, "link/configuration", bytes.data, bytes.size, 0600, NULL), 0);
	buf_done(&packed);
	buf_done(&bytes);
}

static int try_password(const struct place *place, const char *password, struct err *err)
{
	const struct local_action_request request = { .env = &env,
						      .store = place->store,
						      .hash = hash,
						      .action = LOCAL_ACTION_STOP,
						      .uid = 1000,
						      .password = password };

	*err = (struct err){ 0 };
	return local_action_allowed(&request, err);
}

static void without_one_everybody_may(void **state)
{
	const struct place *place = *state;
	char found[LOCAL_ACTION_HASH_BYTES];
	struct err err = { 0 };

	/* None was ever sent; the policy sets none; it is another computer's. */
	assert_int_equal(local_action_offline(place->data, LOCAL_ACTION_RESET, NULL, &err), 0);
	keep(place, &computer, "");
	assert_int_equal(local_action_offline(place->data, LOCAL_ACTION_RESET, NULL, &err), 0);
	keep(place, &(struct uuid){ { 9 } }, hash);
	assert_int_equal(local_action_stored_hash(place->data, found, &err), 0);
	assert_string_equal(found, "");
	assert_int_equal(local_action_offline(place->data, LOCAL_ACTION_TRUST, "whatever", &err), 0);
}

static void with_one_the_right_one_is_needed(void **state)
{
	const struct place *place = *state;
	struct err err = { 0 };

	keep(place, &computer, hash);
	for (unsigned action = 0; action < LOCAL_ACTIONS; action++) {
		assert_int_equal(local_action_offline(place->data, (enum local_action)action, NULL, &err), ERR_DENIED);
		assert_non_null(strstr(err.text, "--password-file"));
		assert_non_null(strstr(err.text, local_action_words(action)));
	}
	assert_int_equal(local_action_offline(place->data, LOCAL_ACTION_RESET, "wrong", &err), ERR_DENIED);
	assert_int_equal(local_action_offline(place->data, LOCAL_ACTION_RESET, "", &err), ERR_DENIED);
	assert_null(strstr(err.text, hash));
	assert_int_equal(local_action_offline(place->data, LOCAL_ACTION_RESET, PASSWORD, &err), 0);
	assert_int_equal(local_action_offline(place->data, LOCAL_ACTIONS, PASSWORD, &err), ERR_DENIED);
}

static void a_damaged_configuration_lets_nobody_through(void **state)
{
	const struct place *place = *state;
	struct err err = { 0 };
	int fd;

	keep(place, &computer, hash);
	fd = openat(place->data, "link/configuration", O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "x", 1, 30), 1);
	close(fd);
	assert_int_equal(local_action_offline(place->data, LOCAL_ACTION_RESET, NULL, &err), ERR_FORMAT);
	assert_non_null(strstr(err.text, "remove the file"));
}

static void wrong_ones_wait_and_are_to_be_told(void **state)
{
	const struct place *place = *state;
	struct unload_tries tries;
	struct err err;

	/* No password is no try. */
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(try_password(place, NULL, &err), ERR_DENIED);
	local_action_tries(place->store, &tries);
	assert_int_equal(tries.count, 0);
	for (unsigned i = 0; i < UNLOAD_TRIES_FREE; i++)
		assert_int_equal(try_password(place, "a wrong one", &err), ERR_DENIED);
	/* Every call starts from the file: ending the process in between wins nothing. */
	assert_int_equal(try_password(place, PASSWORD, &err), ERR_BUSY);
	assert_non_null(strstr(err.text, "30 s"));
	local_action_tries(place->store, &tries);
	assert_int_equal(tries.count, UNLOAD_TRIES_FREE); /* what has to wait is no try either */
	assert_int_equal(tries.untold_count, UNLOAD_TRIES_FREE);
	assert_int_equal(tries.untold[0].uid, 1000);
	assert_int_equal(tries.untold[0].action, LOCAL_ACTION_STOP);
	/* Telling them lets nobody through. */
	assert_int_equal(local_action_told(place->store, &err), 0);
	assert_int_equal(try_password(place, PASSWORD, &err), ERR_BUSY);
	/* A clock that is set back neither. */
	now -= DAY_US;
	assert_int_equal(try_password(place, PASSWORD, &err), ERR_BUSY);
	now += 29 * SECOND_US;
	assert_int_equal(try_password(place, PASSWORD, &err), ERR_BUSY);
	now += SECOND_US;
	assert_int_equal(try_password(place, "wrong again", &err), ERR_DENIED);
	assert_int_equal(try_password(place, PASSWORD, &err), ERR_BUSY);
	assert_non_null(strstr(err.text, "60 s"));
	now += MINUTE_US;
	assert_int_equal(try_password(place, PASSWORD, &err), 0);
	local_action_tries(place->store, &tries);
	assert_int_equal(tries.count, 0);
	assert_int_equal(tries.untold_count, 1);
	assert_int_equal(try_password(place, "wrong", &err), ERR_DENIED);
	assert_int_equal(try_password(place, PASSWORD, &err), 0);
}

static void a_try_that_cannot_be_noted_is_none(void **state)
{
	struct place *place = *state;
	struct err err;

	/* In the way of the temporary file. */
	assert_int_equal(mkdirat(place->store, "unload_tries.tmp", 0700), 0);
	assert_int_not_equal(try_password(place, PASSWORD, &err), 0);
	assert_non_null(strstr(err.text, "not looked at"));
}

static void the_file_is_of_whoever_has_the_directory(void **state)
{
	struct place *place = *state;
	struct stat st;
	struct err err;

	if (geteuid() != 0)
		skip();
	assert_int_equal(fchown(place->store, 61234, 61235), 0);
	assert_int_equal(try_password(place, "wrong", &err), ERR_DENIED);
	assert_int_equal(fstatat(place->store, "unload_tries", &st, 0), 0);
	assert_int_equal(st.st_uid, 61234);
	assert_int_equal(st.st_gid, 61235);
	assert_int_equal(st.st_mode & 0777, 0600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(without_one_everybody_may, setup, teardown),
		cmocka_unit_test_setup_teardown(with_one_the_right_one_is_needed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_configuration_lets_nobody_through, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_ones_wait_and_are_to_be_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_try_that_cannot_be_noted_is_none, setup, teardown),
		cmocka_unit_test_setup_teardown(the_file_is_of_whoever_has_the_directory, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
