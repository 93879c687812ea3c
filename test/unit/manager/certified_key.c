/* A key and its certificate in one file, and what counts when its copy for people says something else. */
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

#include "manager/front/certified_key.h"
#include "trust/authority.h"
#include "trust/identity.h"
#include "trust/secret_file.h"

#define NOW ((time_us)INT64_C(1795294800) * SECOND_US)

static const struct certified_files files = { "some.key", "some.pem" };
static struct authority *authority;
static struct certified_key one, other; /* two pairs */
static struct buf again;                /* a second certificate for the first one's key */
static char directory[64];

static int certify(const struct buf *request, struct buf *out)
{
	static const char *const names[] = { "localhost" };

	return authority_certify_server(authority, request->data, request->size, names, 1, NOW, out, NULL);
}

static int make(struct certified_key *pair, struct buf *second)
{
	struct buf request;
	int rc;

	certified_key_init(pair);
	buf_init(&request, SECRET_FILE_MAX_BYTES);
	rc = identity_make(&pair->key, &request, NULL);
	if (rc == 0)
		rc = certify(&request, &pair->chain);
	if (rc == 0 && second != NULL)
		rc = certify(&request, second);
	buf_done(&request);
	return rc;
}

static int setup(void **state)
{
	(void)state;
	buf_init(&again, SECRET_FILE_MAX_BYTES);
	return authority_generate("Muster test", NOW, &authority, NULL) == 0 && make(&one, &again) == 0 &&
		       make(&other, NULL) == 0
		   ? 0
		   : -1;
}

static int teardown(void **state)
{
	(void)state;
	authority_free(authority);
	certified_key_done(&one);
	certified_key_done(&other);
	buf_done(&again);
	return 0;
}

static int folder_setup(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/muster-certified-XXXXXX");
	return mkdtemp(directory) != NULL ? 0 : -1;
}

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static int folder_teardown(void **state)
{
	(void)state;
	unlink(path_of(files.key));
	unlink(path_of(files.certificate));
	return rmdir(directory);
}

static void put(const char *name, const struct buf *text, mode_t mode)
{
	assert_int_equal(secret_file_write(path_of(name), text->data, text->size, mode, NULL), 0);
}

/* Reads, and expects this key with this certificate. */
static void expect(const struct buf *key, const struct buf *chain, bool copied)
{
	struct certified_key found;
	struct err err = { 0 };
	bool is_copied = !copied;

	certified_key_init(&found);
	assert_int_equal(certified_key_read(directory, &files, &found, &is_copied, &err), 0);
	assert_string_equal(buf_text(&found.key), buf_text(key)); /* and nothing behind it */
	assert_string_equal(buf_text(&found.chain), buf_text(chain));
	assert_int_equal(is_copied, copied);
	certified_key_done(&found);
}

static void expect_refused(int code)
{
	struct certified_key found;
	struct err err = { 0 };
	bool copied;

	certified_key_init(&found);
	assert_int_equal(certified_key_read(directory, &files, &found, &copied, &err), code);
	assert_non_null(strstr(err.text, "some."));
	certified_key_done(&found);
}

static void two_files_as_init_writes_them(void **state)
{
	(void)state;
	put(files.key, &one.key, 0600);
	put(files.certificate, &one.chain, 0644);
	expect(&one.key, &one.chain, true);
}

static void one_file_is_enough(void **state)
{
	struct stat facts;

	(void)state;
	assert_int_equal(certified_key_write(directory, &files, &one, NULL), 0);
	assert_int_equal(stat(path_of(files.key), &facts), 0);
	assert_int_equal(facts.st_mode & 07777, 0600);
	expect(&one.key, &one.chain, false);
	assert_int_equal(certified_key_copy(directory, &files, &one, NULL), 0);
	expect(&one.key, &one.chain, true);
}

/* Cut off before the copy was written: it is that of the pair before. */
static void a_copy_of_before_does_not_count(void **state)
{
	(void)state;
	put(files.key, &one.key, 0600);
	put(files.certificate, &one.chain, 0644);
	assert_int_equal(certified_key_write(directory, &files, &other, NULL), 0);
	expect(&other.key, &other.chain, false);
}

static void another_certificate_for_the_key_counts(void **state)
{
	(void)state;
	assert_int_equal(certified_key_write(directory, &files, &one, NULL), 0);
	put(files.certificate, &again, 0644);
	expect(&one.key, &again, true);
}

static void what_does_not_belong_together_is_refused(void **state)
{
	struct buf rubbish;

	(void)state;
	expect_refused(ERR_NOT_FOUND);
	put(files.key, &one.key, 0600);
	expect_refused(ERR_NOT_FOUND);
	put(files.certificate, &other.chain, 0644);
	expect_refused(ERR_UNTRUSTED);
	buf_init(&rubbish, 64);
	buf_append_text(&rubbish, "no PEM");
	put(files.certificate, &rubbish, 0644);
	expect_refused(ERR_FORMAT);
	put(files.certificate, &one.chain, 0644);
	put(files.key, &rubbish, 0600);
	expect_refused(ERR_FORMAT);
	put(files.key, &one.key, 0640);
	expect_refused(ERR_UNTRUSTED);
	buf_done(&rubbish);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(two_files_as_init_writes_them, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(one_file_is_enough, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(a_copy_of_before_does_not_count, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(another_certificate_for_the_key_counts, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(what_does_not_belong_together_is_refused, folder_setup,
						folder_teardown),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
