/* agent/identity_files.h: identities are whole or not there; attempts keep their id until done. */
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

#include "agent/identity_files.h"
#include "os/env.h"
#include "os/files.h"
#include "trust/authority.h"
#include "trust/identity.h"

struct place {
	char path[64];
	int directory;
	struct authority *authority;
};

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	snprintf(place->path, sizeof(place->path), "/tmp/muster-identity-XXXXXX");
	assert_non_null(mkdtemp(place->path));
	place->directory = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(authority_generate("test", env_wall(env_system()), &place->authority, NULL), 0);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;

	assert_int_equal(identity_files_remove(place->directory, NULL), 0);
	assert_int_equal(rmdir(place->path), 0); /* removing leaves nothing behind */
	close(place->directory);
	authority_free(place->authority);
	free(place);
	return 0;
}

static void make(struct place *place, struct agent_identity *identity)
{
	struct buf request;

	agent_identity_init(identity);
	identity->computer = env_uuid(env_system());
	snprintf(identity->name, sizeof(identity->name), "name");
	snprintf(identity->manager, sizeof(identity->manager), "https://manager:4343");
	memset(identity->manager_key, 7, sizeof(identity->manager_key));
	buf_init(&request, 4096);
	assert_int_equal(identity_make(&identity->key_pem, &request, NULL), 0);
	assert_int_equal(authority_certify_agent(place->authority, request.data, request.size, &identity->computer,
						 env_wall(env_system()), &identity->certificate_pem, NULL, NULL),
			 0);
	assert_int_equal(authority_pem(place->authority, &identity->authority_pem, NULL), 0);
	buf_done(&request);
}

static void an_identity_goes_there_and_back(void **state)
{
	struct place *place = *state;
	struct agent_identity identity, back;
	struct stat st;

	make(place, &identity);
	assert_int_equal(identity_files_load(place->directory, &back, NULL), ERR_NOT_FOUND);
	assert_int_equal(identity_files_store(place->directory, &identity, geteuid(), getegid(), NULL), 0);
	assert_int_equal(identity_files_load(place->directory, &back, NULL), 0);
	assert_true(uuid_equal(&identity.computer, &back.computer));
	assert_string_equal(back.name, "name");
	assert_string_equal(back.manager, "https://manager:4343");
	assert_string_equal(buf_text(&back.key_pem), buf_text(&identity.key_pem));
	assert_memory_equal(back.manager_key, identity.manager_key, sizeof(back.manager_key));
	assert_int_equal(fstatat(place->directory, "key.pem", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	agent_identity_done(&identity);
	agent_identity_done(&back);
}

static void pieces_that_do_not_belong_together_are_refused(void **state)
{
	struct place *place = *state;
	struct agent_identity one, other, back;

	make(place, &one);
	make(place, &other);
	buf_reset(&one.certificate_pem);
	buf_append(&one.certificate_pem, other.certificate_pem.data, other.certificate_pem.size);
	assert_int_equal(identity_files_store(place->directory, &one, geteuid(), getegid(), NULL), ERR_UNTRUSTED);
	assert_int_equal(identity_files_who(place->directory, &back, NULL), ERR_NOT_FOUND);

	assert_int_equal(identity_files_store(place->directory, &other, geteuid(), getegid(), NULL), 0);
	assert_int_equal(files_write(place->directory, "key.pem", one.key_pem.data, one.key_pem.size, 0600, NULL), 0);
	assert_int_equal(identity_files_load(place->directory, &back, NULL), ERR_UNTRUSTED);
	agent_identity_done(&one);
	agent_identity_done(&other);
}

static void renewed_for(struct place *place, const struct uuid *computer, struct agent_identity *next)
{
	struct buf request;

	agent_identity_init(next);
	buf_init(&request, 4096);
	assert_int_equal(identity_make(&next->key_pem, &request, NULL), 0);
	assert_int_equal(authority_certify_agent(place->authority, request.data, request.size, computer,
						 env_wall(env_system()), &next->certificate_pem, NULL, NULL),
			 0);
	assert_int_equal(authority_pem(place->authority, &next->authority_pem, NULL), 0);
	buf_done(&request);
}

/* What is there after a crash between any two of its steps. */
static void a_renewal_is_whole_or_not_there(void **state)
{
	static const char *const names[] = { "key.pem", "cert.pem", "ca.pem" };
	struct place *place = *state;
	struct agent_identity identity, next, back;
	struct buf renewed, before[COUNT_OF(names)];

	make(place, &identity);
	renewed_for(place, &identity.computer, &next);
	assert_int_equal(identity_files_store(place->directory, &identity, geteuid(), getegid(), NULL), 0);
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		buf_init(&before[i], 65536);
		assert_int_equal(files_read(place->directory, names[i], 65536, &before[i], NULL), 0);
	}
	/* A directory in the way of the last file: all that comes before was done. */
	buf_init(&renewed, 1 << 20);
	assert_int_equal(files_remove(place->directory, "ca.pem", NULL), 0);
	assert_int_equal(mkdirat(place->directory, "ca.pem", 0700), 0);
	assert_int_equal(identity_files_renew(place->directory, &identity, &next.key_pem, &next.certificate_pem,
					      &next.authority_pem, NULL),
			 0);
	assert_string_equal(buf_text(&identity.certificate_pem), buf_text(&next.certificate_pem));
	assert_int_equal(files_read(place->directory, "renewed", 1 << 20, &renewed, NULL), 0);
	assert_int_equal(unlinkat(place->directory, "ca.pem", AT_REMOVEDIR), 0);
	for (size_t done = 0; done <= COUNT_OF(names); done++) {
		assert_int_equal(files_write(place->directory, "renewed", renewed.data, renewed.size, 0600, NULL), 0);
		for (size_t i = done; i < COUNT_OF(names); i++)
			assert_int_equal(
			    files_write(place->directory, names[i], before[i].data, before[i].size, 0600, NULL), 0);
		assert_int_equal(identity_files_load(place->directory, &back, NULL), 0);
		assert_string_equal(buf_text(&back.certificate_pem), buf_text(&next.certificate_pem));
		assert_string_equal(buf_text(&back.key_pem), buf_text(&next.key_pem));
		assert_int_not_equal(faccessat(place->directory, "renewed", F_OK, 0), 0);
		agent_identity_done(&back);
		assert_int_equal(identity_files_load(place->directory, &back, NULL), 0);
		assert_string_equal(buf_text(&back.certificate_pem), buf_text(&next.certificate_pem));
		agent_identity_done(&back);
	}
	for (size_t i = 0; i < COUNT_OF(names); i++)
		buf_done(&before[i]);
	buf_wipe(&renewed);
	agent_identity_done(&identity);
	agent_identity_done(&next);
}

static void a_renewal_that_does_not_fit_changes_nothing(void **state)
{
	struct place *place = *state;
	struct agent_identity identity, other, back;
	struct uuid computer = env_uuid(env_system());

	make(place, &identity);
	renewed_for(place, &computer, &other);
	assert_int_equal(identity_files_store(place->directory, &identity, geteuid(), getegid(), NULL), 0);
	assert_int_equal(identity_files_renew(place->directory, &identity, &other.key_pem, &other.certificate_pem,
					      &other.authority_pem, NULL),
			 ERR_UNTRUSTED);
	assert_int_equal(identity_files_renew(place->directory, &identity, &identity.key_pem, &other.certificate_pem,
					      &other.authority_pem, NULL),
			 ERR_UNTRUSTED);
	assert_int_equal(files_write(place->directory, "renewed", "1NRMgarbage", 11, 0600, NULL), 0);
	assert_int_equal(identity_files_load(place->directory, &back, NULL), 0);
	assert_string_equal(buf_text(&back.certificate_pem), buf_text(&identity.certificate_pem));
	agent_identity_done(&identity);
	agent_identity_done(&other);
	agent_identity_done(&back);
}

static void damaged_files_are_told_from_missing_ones(void **state)
{
	static const char *const contents[] = { "", "{", "[]", "{\"id\":\"x\",\"name\":\"n\",\"manager\":\"m\"}",
						"{\"id\":\"01a1ffea-8ce6-7f36-b875-1e9de5f8ccf5\",\"name\":7}" };
	struct place *place = *state;
	struct agent_identity back;

	for (size_t i = 0; i < COUNT_OF(contents); i++) {
		assert_int_equal(
		    files_write(place->directory, "computer.json", contents[i], strlen(contents[i]), 0600, NULL), 0);
		assert_int_equal(identity_files_who(place->directory, &back, NULL), ERR_FORMAT);
	}
}

static void an_attempt_keeps_its_id_and_key(void **state)
{
	struct place *place = *state;
	struct uuid first = env_uuid(env_system()), second = env_uuid(env_system());
	struct enrol_attempt attempt, again, other;

	assert_int_equal(identity_attempt(place->directory, "https://m", "token", &first, &attempt, NULL), 0);
	assert_true(uuid_equal(&attempt.id, &first));
	assert_int_equal(identity_attempt(place->directory, "https://m", "token", &second, &again, NULL), 0);
	assert_true(uuid_equal(&again.id, &first));
	assert_string_equal(buf_text(&again.key_pem), buf_text(&attempt.key_pem));
	/* Another token is another attempt, with a key of its own. */
	assert_int_equal(identity_attempt(place->directory, "https://m", "other", &second, &other, NULL), 0);
	assert_true(uuid_equal(&other.id, &second));
	assert_string_not_equal(buf_text(&other.key_pem), buf_text(&attempt.key_pem));
	identity_attempt_done(&attempt);
	identity_attempt_done(&again);
	identity_attempt_done(&other);
}

static bool put(const struct place *place, const char *name)
{
	int fd = openat(place->directory, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return fd >= 0 && close(fd) == 0;
}

/* Of files that were being written, and of no others. */
static void what_a_kill_left_goes(void **state)
{
	static const char *const left[] = { "key.pem.tmp", "renewed.tmp", "attempt-key.pem.tmp", "ca.pem.tmp" };
	static const char *const others[] = { "notes.tmp", "key.pem.tmp.old", "other" };
	struct place *place = *state;

	for (size_t i = 0; i < COUNT_OF(left); i++)
		assert_true(put(place, left[i]));
	for (size_t i = 0; i < COUNT_OF(others); i++)
		assert_true(put(place, others[i]));
	identity_files_sweep(place->directory);
	for (size_t i = 0; i < COUNT_OF(left); i++)
		assert_int_not_equal(faccessat(place->directory, left[i], F_OK, 0), 0);
	for (size_t i = 0; i < COUNT_OF(others); i++)
		assert_int_equal(unlinkat(place->directory, others[i], 0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_identity_goes_there_and_back),
		TEST(pieces_that_do_not_belong_together_are_refused),
		TEST(a_renewal_is_whole_or_not_there),
		TEST(a_renewal_that_does_not_fit_changes_nothing),
		TEST(damaged_files_are_told_from_missing_ones),
		TEST(an_attempt_keeps_its_id_and_key),
		TEST(what_a_kill_left_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
