/* The vault's items: list, restore, delete, hand out, take back. */
#include "agent/guard/vault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "agent/guard/vault_mark.h"
#include "base/log.h"
#include "os/files.h"

#define COPY_MAX_BYTES (1024 * GIB)

int vault_open(int directory, const uint8_t key[VAULT_KEY_BYTES], const struct env *env, struct vault **ret_vault,
	       struct err *err)
{
	struct vault *vault = calloc(1, sizeof(*vault));

	if (vault == NULL)
		return err_set(err, ERR_MEMORY, "vault: no memory");
	vault->directory = directory;
	vault->env = env;
	memcpy(vault->key, key, VAULT_KEY_BYTES);
	*ret_vault = vault;
	return 0;
}

void vault_close(struct vault *vault)
{
	if (vault == NULL)
		return;
	OPENSSL_cleanse(vault->key, sizeof(vault->key));
	free(vault);
}

bool vault_unsettled(const struct vault *vault)
{
	return vault->unsettled > 0;
}

static int list_one(struct vault *vault, const char *name, struct vault_item *item,
		    int (*each)(void *context, const struct vault_item *item), void *context, size_t *unreadable)
{
	struct vault_file file = { .fd = -1 };
	int code;

	if (vault_file_open(vault, name, NULL, &file, NULL) != 0) {
		(*unreadable)++;
		return 0;
	}
	vault_file_item(&file, item);
	/* Marked: it ended, and a crash came before its file went. */
	code = vault_marked(vault, &item->item.id, NULL) == 0 ? files_remove(vault->directory, name, NULL)
							      : each(context, item);
	vault_file_close(&file);
	return code;
}

static bool is_mark(const char *ending)
{
	return strcmp(ending, ".ended") == 0 || strcmp(ending, ".ending") == 0;
}

int vault_list(struct vault *vault, int (*each)(void *context, const struct vault_item *item), void *context,
	       size_t *ret_unreadable, struct err *err)
{
	struct vault_item *item = malloc(sizeof(*item));
	int fd = openat(vault->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
	size_t unreadable = 0;
	int code = 0;

	if (stream == NULL || item == NULL) {
		code = stream == NULL ? err_errno(err, errno, "vault") : err_set(err, ERR_MEMORY, "vault: no memory");
		goto out;
	}
	for (const struct dirent *entry = readdir(stream); entry != NULL && code == 0; entry = readdir(stream)) {
		const char *ending = strrchr(entry->d_name, '.');

		if (ending != NULL && strcmp(ending, ".vault") == 0)
			code = list_one(vault, entry->d_name, item, each, context, &unreadable);
		else if (ending != NULL && is_mark(ending) && vault_mark_read(vault, entry->d_name, item) == 0)
			code = each(context, item);
	}
	*ret_unreadable = unreadable;
out:
	if (stream != NULL)
		closedir(stream);
	else if (fd >= 0)
		close(fd);
	free(item);
	return code;
}

/* ---- restore ---- */

static void restore_attributes(int fd, const struct sealed_metadata *metadata)
{
	for (size_t i = 0; i < metadata->xattr_count; i++) {
		const struct sealed_xattr *xattr = &metadata->xattrs[i];
		char name[SEALED_XATTR_NAME_MAX_BYTES + 1];

		snprintf(name, sizeof(name), "%.*s", (int)xattr->name.size, (const char *)xattr->name.data);
		if (fsetxattr(fd, name, xattr->value.data, xattr->value.size, 0) != 0)
			LOG(LOG_WARNING, "vault.attribute_not_restored", log_text("name", name),
			    log_number("errno", errno));
	}
}

static struct timespec time_of(int64_t ns)
{
	int64_t rest = ns % 1000000000;

	return (struct timespec){ .tv_sec = ns / 1000000000 - (rest < 0),
				  .tv_nsec = rest < 0 ? rest + 1000000000 : rest };
}

/* Mode after owner: a change of owner clears the set-user-ID bits. Times last. */
static int restore_into(const struct vault_file *file, int fd, struct err *err)
{
	const struct sealed_metadata *metadata = sealed_reader_metadata(file->reader);
	const struct timespec times[2] = { time_of(metadata->accessed_ns), time_of(metadata->modified_ns) };
	int code = vault_file_unseal(file, fd, err);

	if (code != 0)
		return code;
	if (fchown(fd, metadata->uid, metadata->gid) != 0 && (geteuid() == 0 || metadata->uid != geteuid()))
		return err_errno(err, errno, "set the owner");
	restore_attributes(fd, metadata);
	if (fchmod(fd, metadata->mode & 07777) != 0 || futimens(fd, times) != 0)
		return err_errno(err, errno, "set mode and times");
	return fsync(fd) == 0 ? 0 : err_errno(err, errno, "sync");
}

/* True when what stands there is what an interrupted restore put there. */
static bool is_restored_already(int parent, const char *name, const struct sealed_metadata *metadata)
{
	struct stat st;

	return fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       (uint64_t)st.st_size == metadata->size && st.st_uid == metadata->uid &&
	       st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec == metadata->modified_ns;
}

static int place(const struct vault_file *file, int parent, const char *temporary, const char *name, bool overwrite,
		 struct err *err)
{
	if (renameat2(parent, temporary, parent, name, overwrite ? 0 : RENAME_NOREPLACE) == 0)
		return fsync(parent) == 0 ? 0 : err_errno(err, errno, "sync its directory");
	if (errno == EEXIST && is_restored_already(parent, name, sealed_reader_metadata(file->reader)))
		return unlinkat(parent, temporary, 0) == 0 ? 0 : err_errno(err, errno, "remove the second copy");
	if (errno == EEXIST)
		return err_set(err, ERR_EXISTS, "something stands at its path; it was not overwritten");
	if (errno == EISDIR)
		return err_set(err, ERR_EXISTS, "a directory stands at its path");
	return err_errno(err, errno, "put it at its path");
}

static int restore_to(const struct vault_file *file, const struct vault_item *item, bool overwrite, struct err *err)
{
	char id[UUID_TEXT_BYTES], temporary[VAULT_NAME_BYTES];
	const char *name = NULL;
	int parent = -1, fd;
	int code = vault_parent(item->path, &parent, &name, err);

	if (code == ERR_NOT_FOUND)
		return err_set(err, ERR_NOT_FOUND, "the directory it was in does not exist any more");
	if (code != 0)
		return code;
	uuid_format(&item->item.id, id);
	snprintf(temporary, sizeof(temporary), ".muster-restore-%s", id);
	(void)unlinkat(parent, temporary, 0); /* of an attempt that was cut short */
	fd = openat(parent, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	code = fd >= 0 ? restore_into(file, fd, err) : err_errno(err, errno, "write in its directory");
	if (fd >= 0)
		close(fd);
	if (code == 0)
		code = place(file, parent, temporary, name, overwrite, err);
	if (code != 0 && fd >= 0)
		(void)unlinkat(parent, temporary, 0);
	close(parent);
	return code;
}

/* It stays an item: what was put at its path goes again, unless somebody has changed it since. */
static void take_back(const struct vault_file *file, const struct vault_item *item)
{
	const char *name = NULL;
	int parent = -1;

	if (vault_parent(item->path, &parent, &name, NULL) != 0)
		return;
	if (is_restored_already(parent, name, sealed_reader_metadata(file->reader)))
		(void)unlinkat(parent, name, 0);
	close(parent);
}

static int forget(const struct vault *vault, const struct uuid *id, struct err *err)
{
	char name[VAULT_NAME_BYTES];

	vault_name(id, ".vault", name);
	return files_remove(vault->directory, name, err);
}

static int ended_before(const struct vault *vault, const struct uuid *id, enum message_item_state wanted,
			struct vault_item *ret_item, int code, struct err *err)
{
	if (code != ERR_NOT_FOUND || vault_marked(vault, id, ret_item) != 0)
		return code;
	if (ret_item->item.state != wanted)
		return err_set(err, ERR_NOT_FOUND, "this item was %s before",
			       ret_item->item.state == ITEM_RESTORED ? "restored" : "deleted");
	ret_item->ended_before = true;
	return 0;
}

int vault_restore(struct vault *vault, const struct uuid *id, bool overwrite, struct vault_item *ret_item,
		  struct err *err)
{
	struct vault_file file = { .fd = -1 };
	char name[VAULT_NAME_BYTES];
	int code;

	vault_name(id, ".vault", name);
	code = vault_file_open(vault, name, NULL, &file, err);
	if (code != 0)
		return ended_before(vault, id, ITEM_RESTORED, ret_item, code, err);
	vault_file_item(&file, ret_item);
	ret_item->item.state = ITEM_RESTORED;
	code = vault_mark_prepare(vault, ret_item, err);
	if (code == 0)
		code = restore_to(&file, ret_item, overwrite, err);
	if (code != 0) {
		vault_mark_drop(vault, id);
	} else {
		code = vault_mark_commit(vault, id, err);
		if (code != 0 && vault_marked(vault, id, NULL) != 0)
			take_back(&file, ret_item);
	}
	vault_file_close(&file);
	if (code == 0)
		code = forget(vault, id, err);
	return code == 0 ? 0 : err_add(err, code, "restore");
}

int vault_delete(struct vault *vault, const struct uuid *id, struct vault_item *ret_item, struct err *err)
{
	struct vault_file file = { .fd = -1 };
	char name[VAULT_NAME_BYTES];
	int code;

	vault_name(id, ".vault", name);
	code = vault_file_open(vault, name, NULL, &file, err);
	if (code == ERR_NOT_FOUND)
		return ended_before(vault, id, ITEM_DELETED, ret_item, code, err);
	/* One that cannot be read any more may be deleted all the same. */
	*ret_item = (struct vault_item){ .item = { .id = *id } };
	if (code == 0)
		vault_file_item(&file, ret_item);
	vault_file_close(&file);
	ret_item->item.state = ITEM_DELETED;
	code = vault_mark(vault, ret_item, err);
	return code == 0 ? forget(vault, id, err) : code;
}

int vault_open_item(struct vault *vault, const struct uuid *id, int *ret_fd, struct vault_item *ret_item,
		    uint8_t ret_key[VAULT_KEY_BYTES], struct err *err)
{
	struct vault_file file = { .fd = -1 };
	char name[VAULT_NAME_BYTES];
	int code;

	vault_name(id, ".vault", name);
	code = vault_file_open(vault, name, NULL, &file, err);
	if (code != 0)
		return code;
	vault_file_item(&file, ret_item);
	memcpy(ret_key, file.key, VAULT_KEY_BYTES);
	if (lseek(file.fd, 0, SEEK_SET) != 0)
		code = err_errno(err, errno, "vault");
	if (code == 0) {
		*ret_fd = file.fd;
		file.fd = -1;
	}
	vault_file_close(&file);
	return code;
}

static int copy(int from, int to, struct err *err)
{
	uint64_t total = 0;
	uint8_t room[65536];

	for (;;) {
		ssize_t got = pread(from, room, sizeof(room), (off_t)total);
		int code;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_errno(err, errno, "read");
		if (got == 0)
			return fsync(to) == 0 ? 0 : err_errno(err, errno, "sync");
		total += (uint64_t)got;
		if (total > COPY_MAX_BYTES)
			return err_set(err, ERR_LIMIT, "too large");
		code = files_write_all(to, room, (size_t)got, err);
		if (code != 0)
			return code;
	}
}

static int check_copy(struct vault *vault, const struct uuid *id, const char *temporary, const uint8_t *key,
		      struct err *err)
{
	struct vault_file file = { .fd = -1 };
	int code = vault_file_open(vault, temporary, key, &file, err);

	if (code == 0 && !uuid_equal(&sealed_reader_metadata(file.reader)->id, id))
		code = err_set(err, ERR_UNTRUSTED, "the copy is of another item");
	if (code == 0)
		code = vault_file_unseal(&file, -1, err);
	vault_file_close(&file);
	/* It is read with our own key later on. */
	if (code == 0)
		code = vault_file_open(vault, temporary, NULL, &file, err);
	vault_file_close(&file);
	return code;
}

int vault_put(struct vault *vault, const struct uuid *id, int fd, const uint8_t key[VAULT_KEY_BYTES], struct err *err)
{
	char temporary[VAULT_NAME_BYTES], name[VAULT_NAME_BYTES];
	int out, code;

	vault_name(id, ".tmp", temporary);
	vault_name(id, ".vault", name);
	out = openat(vault->directory, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (out < 0)
		return err_errno(err, errno, "vault");
	code = copy(fd, out, err);
	close(out);
	if (code == 0)
		code = check_copy(vault, id, temporary, key, err);
	if (code == 0 && renameat(vault->directory, temporary, vault->directory, name) != 0)
		code = err_errno(err, errno, "vault");
	if (code == 0)
		code = files_sync_directory(vault->directory, err);
	if (code == 0)
		code = vault_unmark(vault, id, err);
	else
		(void)unlinkat(vault->directory, temporary, 0);
	return code == 0 ? 0 : err_add(err, code, "copy of a quarantined file");
}
