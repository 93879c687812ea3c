/* agent/identity_switch.h: whatever is cut off, one whole identity is in place, and no manager that was left is
 * forgotten before it was told. */
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

#include "agent/identity_switch.h"
#include "os/env.h"
#include "trust/authority.h"
#include "trust/identity.h"

struct place {
	char path[64];
	int data, store, identity;
	struct authority *authority;
	unsigned follows, cuts; /* how often what goes by the identity was changed; of them, how many are cut off */
};

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	snprintf(place->path, sizeof(place->path), "/tmp/muster-switch-XXXXXX");
	assert_non_null(mkdtemp(place->path));
	place->data = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(place->data, "identity", 0700), 0);
	assert_int_equal(mkdirat(place->data, "link", 0700), 0);
	place->store = openat(place->data, "link", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(authority_generate("test", env_wall(env_system()), &place->authority, NULL), 0);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;
	char name[IDENTITY_FORMER_BYTES];
	int identity = openat(place->data, "identity", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (unsigned i = 0; i < IDENTITY_FORMERS_MAX; i++) {
		identity_switch_former(i, name);
		assert_int_equal(identity_switch_drop(place->store, name, NULL), 0);
	}
	assert_int_equal(identity_files_remove(identity, NULL), 0);
	assert_int_equal(unlinkat(place->data, "identity", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(place->data, "link", AT_REMOVEDIR), 0); /* nothing was left behind */
	assert_int_equal(rmdir(place->path), 0);
	close(identity);
	close(place->store);
	close(place->data);
	authority_free(place->authority);
	free(place);
	return 0;
}

static void make(struct place *place, const char *manager, struct agent_identity *identity)
{
	struct buf request;

	agent_identity_init(identity);
	identity->computer = env_uuid(env_system());
	snprintf(identity->name, sizeof(identity->name), "name");
	snprintf(identity->manager, sizeof(identity->manager), "%s", manager);
	buf_init(&request, 4096);
	assert_int_equal(identity_make(&identity->key_pem, &request, NULL), 0);
	assert_int_equal(authority_certify_agent(place->authority, request.data, request.size, &identity->computer,
						 env_wall(env_system()), &identity->certificate_pem, NULL, NULL),
			 0);
	assert_int_equal(authority_pem(place->authority, &identity->authority_pem, NULL), 0);
	memset(identity->manager_key, 7, sizeof(identity->manager_key));
	buf_done(&request);
}

static void enrolled(struct place *place, const char *manager)
{
	int directory = openat(place->data, "identity", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct agent_identity identity;

	make(place, manager, &identity);
	assert_int_equal(identity_files_store(directory, &identity, geteuid(), getegid(), NULL), 0);
	agent_identity_done(&identity);
	close(directory);
}

static void decide(struct place *place, const char *manager, bool leaves)
{
	struct agent_identity identity;
	int directory;

	make(place, manager, &identity);
	assert_int_equal(mkdirat(place->store, IDENTITY_CANDIDATE, 0700), 0);
	directory = openat(place->store, IDENTITY_CANDIDATE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(identity_switch_decide(directory, &identity, leaves, NULL), 0);
	agent_identity_done(&identity);
	close(directory);
}

static int follow(void *argument, const struct identity_switched *switched, struct err *err)
{
	struct place *place = argument;

	assert_true(switched->done);
	place->follows++;
	return place->follows > place->cuts ? 0 : err_set(err, ERR_IO, "cut off");
}

static int start(struct place *place, struct identity_switched *switched)
{
	return identity_switch_recover(place->data, switched, follow, place, NULL);
}

static void told(const struct place *place)
{
	int directory = openat(place->data, "identity", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(identity_switch_told(directory, NULL), 0);
	close(directory);
}

static void assert_manager(int at, const char *name, const char *manager)
{
	int directory = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct agent_identity identity;

	assert_true(directory >= 0);
	assert_int_equal(identity_files_load(directory, &identity, NULL), 0);
	assert_string_equal(identity.manager, manager);
	agent_identity_done(&identity);
	close(directory);
}

static void the_one_before_stays_until_its_manager_is_told_however_often_it_starts(void **state)
{
	struct place *place = *state;
	struct identity_switched switched = { 0 };

	enrolled(place, "https://a:4343");
	decide(place, "https://b:4343", true);
	place->cuts = 1;
	assert_int_equal(start(place, &switched), ERR_IO);
	assert_manager(place->data, "identity", "https://b:4343");
	for (int i = 0; i < 3; i++) { /* killed before it could say so */
		assert_int_equal(start(place, &switched), 0);
		assert_true(switched.done);
		assert_string_equal(switched.manager, "https://b:4343");
		assert_manager(place->store, IDENTITY_FORMER, "https://a:4343");
	}
	told(place);
	assert_int_equal(start(place, &switched), 0);
	assert_false(switched.done);
	assert_manager(place->data, "identity", "https://b:4343");
	assert_manager(place->store, IDENTITY_FORMER, "https://a:4343");
}

static void managers_that_were_not_told_yet_are_not_forgotten_for_another(void **state)
{
	struct place *place = *state;
	struct identity_switched switched = { 0 };
	char name[IDENTITY_FORMER_BYTES];
	unsigned at;

	enrolled(place, "https://a:4343");
	decide(place, "https://b:4343", true);
	assert_int_equal(start(place, &switched), 0);
	told(place);
	decide(place, "https://a:4343", true); /* and back: what it was there before is to be told, too */
	assert_int_equal(start(place, &switched), 0);
	told(place);
	assert_manager(place->store, "former", "https://a:4343");
	assert_manager(place->store, "former.1", "https://b:4343");
	assert_true(identity_switch_find_former(place->store, 0, &at, name));
	assert_string_equal(name, "former");
	assert_true(identity_switch_find_former(place->store, at + 1, &at, name)); /* in turn */
	assert_string_equal(name, "former.1");
	assert_true(identity_switch_find_former(place->store, at + 1, &at, name));
	assert_string_equal(name, "former");
	assert_int_equal(identity_switch_drop(place->store, name, NULL), 0);
	assert_true(identity_switch_find_former(place->store, 0, &at, name));
	assert_string_equal(name, "former.1");
	for (unsigned i = 0; i < 2 * IDENTITY_FORMERS_MAX; i++) { /* without end they are not kept */
		decide(place, "https://c:4343", true);
		assert_int_equal(start(place, &switched), 0);
		told(place);
	}
	assert_manager(place->data, "identity", "https://c:4343");
}

static void one_that_another_agent_may_hold_is_never_told(void **state)
{
	struct place *place = *state;
	struct identity_switched switched = { 0 };
	char name[IDENTITY_FORMER_BYTES];
	unsigned at;

	enrolled(place, "https://a:4343");
	decide(place, "https://a:4343", false);
	assert_int_equal(start(place, &switched), 0);
	told(place);
	assert_true(switched.done);
	assert_false(switched.first);
	assert_false(identity_switch_find_former(place->store, 0, &at, name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_one_before_stays_until_its_manager_is_told_however_often_it_starts,
						setup, teardown),
		cmocka_unit_test_setup_teardown(managers_that_were_not_told_yet_are_not_forgotten_for_another, setup,
						teardown),
		cmocka_unit_test_setup_teardown(one_that_another_agent_may_hold_is_never_told, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
