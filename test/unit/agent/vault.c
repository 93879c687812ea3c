/* The vault: symlink races, and every state that a crash can leave. */
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

#include "agent/guard/vault_file.h"
#include "os/env.h"
#include "os/files.h"

struct place {
	char path[64];
	int fd, vault_fd;
	struct vault *vault;
	struct uuid announced; /* by the last recovery */
	enum message_item_state announced_state;
	unsigned announcements;
};

static const uint8_t key[VAULT_KEY_BYTES] = { 1, 2, 3 };

static int set_up(void **state)
{
	static struct place place;

	place = (struct place){ 0 };
	snprintf(place.path, sizeof(place.path), "/tmp/muster-vault-XXXXXX");
	assert_non_null(mkdtemp(place.path));
	place.fd = open(place.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(place.fd, "d", 0700), 0);
	assert_int_equal(files_make_directory(place.fd, "vault", 0700, (uid_t)-1, (gid_t)-1, &place.vault_fd, NULL), 0);
	assert_int_equal(vault_open(place.vault_fd, key, env_system(), &place.vault, NULL), 0);
	*state = &place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	vault_close(place->vault);
	close(place->vault_fd);
	files_empty_directory(place->fd);
	close(place->fd);
	return rmdir(place->path);
}

static const char *path_of(const struct place *place, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", place->path, name);
	return path;
}

static int open_file(const struct place *place, const char *name, struct stat *st)
{
	int fd = openat(place->fd, name, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, st), 0);
	return fd;
}

static int finish(struct vault_work *work, struct vault_item *item)
{
	bool done = false;
	int code = 0;

	while (code == 0 && !done)
		code = vault_work_step(work, &done, item, NULL);
	vault_work_free(work);
	return code;
}

static int begin_to_take(struct place *place, const char *name, int fd, const struct stat *st, struct vault_work **work)
{
	const struct vault_find find = {
		.fd = fd, .st = st, .path = path_of(place, name), .detection = "Test", .signature_version = "1"
	};

	return vault_take(place->vault, &find, work, NULL);
}

static int quarantine(struct place *place, const char *name, int fd, const struct stat *st, struct vault_item *item)
{
	struct vault_work *work;
	int code = begin_to_take(place, name, fd, st, &work);

	return code == 0 ? finish(work, item) : code;
}

static int restore(struct place *place, const struct uuid *id, struct vault_item *item)
{
	struct vault_work *work;
	int code = vault_restore(place->vault, id, false, &work, NULL);

	return code == 0 ? finish(work, item) : code;
}

static bool there(const struct place *place, const char *name)
{
	return faccessat(place->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void note(void *context, const struct vault_item *item)
{
	struct place *place = context;

	place->announced = item->item.id;
	place->announced_state = item->item.state;
	place->announcements++;
	if (item->item.state != ITEM_HELD)
		assert_int_equal(vault_settle_end(place->vault, &item->item.id, NULL), 0);
	assert_int_equal(vault_settle(place->vault, &item->item.id, NULL), 0);
}

static size_t count(int directory, const char *ending)
{
	char command[128];
	size_t found = 0;
	FILE *pipe;
	char line[512];

	snprintf(command, sizeof(command), "ls -A /proc/%d/fd/%d/", getpid(), directory);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	while (fgets(line, sizeof(line), pipe) != NULL)
		found += strstr(line, ending) != NULL;
	pclose(pipe);
	return found;
}

static void takes_and_gives_back(void **state)
{
	struct place *place = *state;
	struct vault_item item;
	struct buf content;
	struct stat st;
	size_t sizes[] = {
		0, 1, SEALED_CHUNK_BYTES - 1, SEALED_CHUNK_BYTES, SEALED_CHUNK_BYTES + 1, 3 * SEALED_CHUNK_BYTES
	};
	uint8_t *data = malloc(3 * SEALED_CHUNK_BYTES);

	assert_non_null(data);
	memset(data, 0xa5, 3 * SEALED_CHUNK_BYTES);
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		int fd;

		assert_int_equal(files_write(place->fd, "d/f", data, sizes[i], 0600, NULL), 0);
		fd = open_file(place, "d/f", &st);
		assert_int_equal(quarantine(place, "d/f", fd, &st, &item), 0);
		close(fd);
		assert_false(there(place, "d/f"));
		assert_int_equal(item.item.size, sizes[i]);
		assert_int_equal(vault_settle(place->vault, &item.item.id, NULL), 0);
		assert_int_equal(restore(place, &item.item.id, &item), 0);
		buf_init(&content, 3 * SEALED_CHUNK_BYTES);
		assert_int_equal(files_read(place->fd, "d/f", 3 * SEALED_CHUNK_BYTES, &content, NULL), 0);
		assert_int_equal(content.size, sizes[i]);
		if (sizes[i] > 0)
			assert_memory_equal(content.data, data, sizes[i]);
		buf_done(&content);
		assert_int_equal(unlinkat(place->fd, "d/f", 0), 0);
	}
	assert_int_equal(count(place->vault_fd, ".vault"), 0);
	assert_int_equal(count(place->vault_fd, ".intent"), 0);
	free(data);
}

/* Between scan and quarantine somebody put another file, or a link, in its place. */
static void takes_only_what_was_scanned(void **state)
{
	struct place *place = *state;
	struct vault_item item;
	struct stat st;
	int fd;

	assert_int_equal(files_write(place->fd, "d/f", "bad", 3, 0600, NULL), 0);
	fd = open_file(place, "d/f", &st);
	assert_int_equal(files_write(place->fd, "d/f", "good", 4, 0600, NULL), 0);
	assert_int_equal(quarantine(place, "d/f", fd, &st, &item), ERR_CONFLICT);
	assert_true(there(place, "d/f"));
	assert_int_equal(unlinkat(place->fd, "d/f", 0), 0);
	assert_int_equal(quarantine(place, "d/f", fd, &st, &item), ERR_NOT_FOUND);
	assert_int_equal(symlinkat("/etc/passwd", place->fd, "d/f"), 0);
	assert_int_equal(quarantine(place, "d/f", fd, &st, &item), ERR_CONFLICT);
	assert_true(there(place, "d/f"));
	/* The directory itself became a link to one that holds such a name. */
	assert_int_equal(mkdirat(place->fd, "victim", 0700), 0);
	assert_int_equal(files_write(place->fd, "victim/f", "mine", 4, 0600, NULL), 0);
	assert_int_equal(unlinkat(place->fd, "d/f", 0), 0);
	assert_int_equal(unlinkat(place->fd, "d", AT_REMOVEDIR), 0);
	assert_int_equal(symlinkat("victim", place->fd, "d"), 0);
	assert_int_equal(quarantine(place, "d/f", fd, &st, &item), ERR_DENIED);
	assert_true(there(place, "victim/f"));
	close(fd);
	assert_int_equal(count(place->vault_fd, ""), 0);
}

/* The states between the steps of a quarantine, made by undoing its last ones by hand. */
enum crash { AFTER_INTENT, AFTER_RENAME, WHILE_SEALING, AFTER_SEALING, AFTER_UNLINK, CRASHES };

static struct uuid crash_at(struct place *place, enum crash crash)
{
	char id[UUID_TEXT_BYTES], hidden[80], name[VAULT_NAME_BYTES];
	struct vault_item item;
	struct stat st;
	int fd, keep;

	assert_int_equal(files_write(place->fd, "d/f", "bad", 3, 0600, NULL), 0);
	fd = open_file(place, "d/f", &st);
	assert_int_equal(linkat(place->fd, "d/f", place->fd, "kept", 0), 0);
	assert_int_equal(quarantine(place, "d/f", fd, &st, &item), 0);
	close(fd);
	uuid_format(&item.item.id, id);
	snprintf(hidden, sizeof(hidden), "d/.muster-%s", id);
	vault_name(&item.item.id, ".vault", name);
	keep = renameat(place->fd, "kept", place->fd, crash == AFTER_INTENT ? "d/f" : hidden);
	assert_int_equal(keep, 0);
	if (crash == AFTER_UNLINK)
		assert_int_equal(unlinkat(place->fd, hidden, 0), 0);
	if (crash < AFTER_SEALING)
		assert_int_equal(unlinkat(place->vault_fd, name, 0), 0);
	if (crash == WHILE_SEALING) {
		vault_name(&item.item.id, ".tmp", name);
		assert_int_equal(files_write(place->vault_fd, name, "half", 4, 0600, NULL), 0);
	}
	return item.item.id;
}

static void a_crash_leaves_either_the_file_or_the_item(void **state)
{
	struct place *place = *state;

	for (enum crash crash = AFTER_INTENT; crash < CRASHES; crash++) {
		struct uuid id = crash_at(place, crash);
		bool taken = crash >= AFTER_SEALING;

		place->announcements = 0;
		assert_int_equal(vault_recover(place->vault, note, place, NULL), 0);
		assert_int_equal(there(place, "d/f"), !taken);
		assert_int_equal(count(place->vault_fd, ".vault"), taken ? 1 : 0);
		assert_int_equal(count(place->vault_fd, ".tmp"), 0);
		assert_int_equal(count(place->vault_fd, ".intent"), 0);
		assert_int_equal(place->announcements, taken ? 1 : 0);
		if (taken) {
			struct vault_item item;

			assert_true(uuid_equal(&place->announced, &id));
			assert_int_equal(restore(place, &id, &item), 0);
			assert_int_equal(vault_settle_end(place->vault, &id, NULL), 0);
		}
		assert_int_equal(unlinkat(place->fd, "d/f", 0), 0);
		/* Nothing hidden is left beside it. */
		assert_int_equal(unlinkat(place->fd, "d", AT_REMOVEDIR), 0);
		assert_int_equal(mkdirat(place->fd, "d", 0700), 0);
	}
}

static void an_altered_item_is_not_restored(void **state)
{
	struct place *place = *state;
	struct vault_item item;
	char name[VAULT_NAME_BYTES];
	struct stat st;
	uint8_t byte;
	int fd;

	assert_int_equal(files_write(place->fd, "d/f", "bad", 3, 0600, NULL), 0);
	fd = open_file(place, "d/f", &st);
	assert_int_equal(quarantine(place, "d/f", fd, &st, &item), 0);
	close(fd);
	vault_name(&item.item.id, ".vault", name);
	fd = openat(place->vault_fd, name, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, (off_t)item.item.sealed_bytes - 1), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)item.item.sealed_bytes - 1), 1);
	close(fd);
	assert_int_equal(restore(place, &item.item.id, &item), ERR_UNTRUSTED);
	assert_false(there(place, "d/f"));
	/* Nothing is left of the attempt, and the item may still be deleted. */
	assert_int_equal(unlinkat(place->fd, "d", AT_REMOVEDIR), 0);
	assert_int_equal(mkdirat(place->fd, "d", 0700), 0);
	assert_int_equal(vault_delete(place->vault, &item.item.id, &item, NULL), 0);
	assert_int_equal(vault_delete(place->vault, &item.item.id, &item, NULL), 0);
}

static int see(void *context, const struct vault_item *item)
{
	struct place *place = context;

	place->announced = item->item.id;
	place->announced_state = item->item.state;
	place->announcements++;
	assert_string_equal(item->path, path_of(place, "d/f"));
	return 0;
}

/* Restored or deleted, then a crash before anybody was told: it is told after the next start, once. */
static void an_end_that_was_not_told_is_told_later(void **state)
{
	static const enum message_item_state ends[] = { ITEM_RESTORED, ITEM_DELETED };
	struct place *place = *state;
	struct vault_item item;
	struct stat st;
	size_t unreadable;

	for (size_t i = 0; i < COUNT_OF(ends); i++) {
		struct uuid id;
		int fd;

		assert_int_equal(files_write(place->fd, "d/f", "bad", 3, 0600, NULL), 0);
		fd = open_file(place, "d/f", &st);
		assert_int_equal(quarantine(place, "d/f", fd, &st, &item), 0);
		close(fd);
		id = item.item.id;
		assert_int_equal(vault_settle(place->vault, &id, NULL), 0);
		if (ends[i] == ITEM_RESTORED)
			assert_int_equal(restore(place, &id, &item), 0);
		else
			assert_int_equal(vault_delete(place->vault, &id, &item, NULL), 0);
		assert_false(item.ended_before);
		for (unsigned again = 0; again < 2; again++) {
			place->announcements = 0;
			assert_int_equal(vault_recover(place->vault, note, place, NULL), 0);
			assert_int_equal(place->announcements, again == 0 ? 1 : 0);
		}
		assert_true(uuid_equal(&place->announced, &id));
		assert_int_equal(place->announced_state, ends[i]);
		/* Link, started again, hears of it. */
		place->announcements = 0;
		assert_int_equal(vault_list(place->vault, see, place, &unreadable, NULL), 0);
		assert_int_equal(place->announcements, 1);
		assert_int_equal(place->announced_state, ends[i]);
		assert_int_equal(vault_delete(place->vault, &id, &item, NULL),
				 ends[i] == ITEM_DELETED ? 0 : ERR_NOT_FOUND);
		files_empty_directory(place->vault_fd);
	}
}

#define LARGE_BYTES (2 * VAULT_SLICE_BYTES + 12345)

static uint8_t *make_large(const struct place *place, const char *name)
{
	uint8_t *data = malloc(LARGE_BYTES);

	assert_non_null(data);
	for (size_t i = 0; i < LARGE_BYTES; i++)
		data[i] = (uint8_t)(i * 2654435761u >> 13);
	assert_int_equal(files_write(place->fd, name, data, LARGE_BYTES, 0640, NULL), 0);
	return data;
}

static void assert_content(const struct place *place, const char *name, const uint8_t *data)
{
	struct buf content;

	buf_init(&content, LARGE_BYTES);
	assert_int_equal(files_read(place->fd, name, LARGE_BYTES, &content, NULL), 0);
	assert_int_equal(content.size, LARGE_BYTES);
	assert_memory_equal(content.data, data, LARGE_BYTES);
	buf_done(&content);
}

/* Between two slices anything else may happen: recovery runs, the agent stops. */
static void a_large_file_is_taken_in_slices(void **state)
{
	struct place *place = *state;
	uint8_t *data = make_large(place, "d/f");
	struct vault_work *work;
	struct vault_item item;
	bool done = false;
	struct stat st;
	int fd = open_file(place, "d/f", &st);

	/* Given up in the middle: it is where it was, and nothing else is left. */
	assert_int_equal(begin_to_take(place, "d/f", fd, &st, &work), 0);
	assert_int_equal(vault_work_step(work, &done, &item, NULL), 0);
	assert_false(done || there(place, "d/f"));
	vault_work_free(work);
	assert_content(place, "d/f", data);
	assert_int_equal(count(place->vault_fd, "-"), 0);
	assert_int_equal(count(place->fd, "muster"), 0);
	assert_false(vault_unsettled(place->vault));

	assert_int_equal(begin_to_take(place, "d/f", fd, &st, &work), 0);
	for (unsigned slices = 0; !done; slices++) {
		assert_int_equal(vault_work_step(work, &done, &item, NULL), 0);
		assert_int_equal(done, slices == 2);
		place->announcements = 0;
		assert_false(vault_unsettled(place->vault) && !done);
		if (!done)
			assert_int_equal(vault_recover(place->vault, note, place, NULL), 0);
		assert_int_equal(place->announcements, 0);
	}
	vault_work_free(work);
	close(fd);
	assert_int_equal(item.item.size, LARGE_BYTES);
	assert_false(there(place, "d/f"));
	assert_int_equal(count(place->vault_fd, ".vault"), 1);
	assert_true(vault_unsettled(place->vault));
	assert_int_equal(vault_settle(place->vault, &item.item.id, NULL), 0);
	assert_false(vault_unsettled(place->vault));
	free(data);
}

static struct uuid take_large(struct place *place)
{
	struct vault_item item;
	struct stat st;
	int fd = open_file(place, "d/f", &st);

	assert_int_equal(quarantine(place, "d/f", fd, &st, &item), 0);
	assert_int_equal(vault_settle(place->vault, &item.item.id, NULL), 0);
	close(fd);
	return item.item.id;
}

static void a_large_file_is_restored_in_slices(void **state)
{
	struct place *place = *state;
	uint8_t *data = make_large(place, "d/f");
	struct uuid id = take_large(place);
	struct vault_work *work;
	struct vault_item item;
	bool done = false;

	assert_int_equal(vault_restore(place->vault, &id, false, &work, NULL), 0);
	assert_int_equal(vault_work_step(work, &done, &item, NULL), 0);
	assert_int_equal(vault_recover(place->vault, note, place, NULL), 0);
	assert_false(done || there(place, "d/f"));
	vault_work_free(work);
	assert_int_equal(count(place->vault_fd, ".mark"), 0);
	assert_int_equal(count(place->vault_fd, ".vault"), 1);
	assert_int_equal(restore(place, &id, &item), 0);
	assert_content(place, "d/f", data);
	assert_int_equal(count(place->vault_fd, ".vault"), 0);
	free(data);
}

/* A sealed copy from elsewhere: given up, of another item, damaged, whole. */
static void a_large_copy_is_taken_back_in_slices(void **state)
{
	struct place *place = *state;
	uint8_t *data = make_large(place, "d/f"), item_key[VAULT_KEY_BYTES];
	struct uuid id = take_large(place), other = { { 9 } };
	struct vault_work *work;
	struct vault_item item;
	char name[VAULT_NAME_BYTES];
	bool done = false;
	int fd;

	assert_int_equal(vault_open_item(place->vault, &id, &fd, &item, item_key, NULL), 0);
	vault_name(&id, ".vault", name);
	assert_int_equal(unlinkat(place->vault_fd, name, 0), 0);
	assert_int_equal(vault_put(place->vault, &other, fd, item_key, &work, NULL), 0);
	assert_int_equal(finish(work, &item), ERR_UNTRUSTED);
	assert_int_equal(vault_put(place->vault, &id, fd, data, &work, NULL), 0);
	assert_int_equal(finish(work, &item), ERR_UNTRUSTED);
	assert_int_equal(vault_put(place->vault, &id, fd, item_key, &work, NULL), 0);
	assert_int_equal(vault_work_step(work, &done, &item, NULL), 0);
	assert_int_equal(vault_recover(place->vault, note, place, NULL), 0);
	assert_int_equal(count(place->vault_fd, ".tmp"), 1);
	vault_work_free(work);
	assert_int_equal(count(place->vault_fd, "-"), 0);
	assert_int_equal(vault_put(place->vault, &id, fd, NULL, &work, NULL), 0);
	assert_int_equal(finish(work, &item), 0);
	assert_int_equal(item.item.size, LARGE_BYTES);
	close(fd);
	assert_int_equal(restore(place, &id, &item), 0);
	assert_content(place, "d/f", data);
	free(data);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(takes_and_gives_back),
		TEST(takes_only_what_was_scanned),
		TEST(a_crash_leaves_either_the_file_or_the_item),
		TEST(an_altered_item_is_not_restored),
		TEST(an_end_that_was_not_told_is_told_later),
		TEST(a_large_file_is_taken_in_slices),
		TEST(a_large_file_is_restored_in_slices),
		TEST(a_large_copy_is_taken_back_in_slices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
