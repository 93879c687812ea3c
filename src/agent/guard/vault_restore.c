/* Putting a quarantined file back where it was, in slices: content into a hidden
 * name beside, then owner, mode and times, then its own name. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "agent/guard/vault_mark.h"
#include "base/log.h"
#include "os/files.h"

struct restoring {
	struct vault_work work;
	struct vault_file file;
	char temporary[VAULT_NAME_BYTES];
	int parent, out;
	bool overwrite, prepared, finished;
};

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
static int restore_facts(const struct vault_file *file, int fd, struct err *err)
{
	const struct sealed_metadata *metadata = sealed_reader_metadata(file->reader);
	const struct timespec times[2] = { time_of(metadata->accessed_ns), time_of(metadata->modified_ns) };

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

static int open_place(struct restoring *restoring, struct err *err)
{
	char id[UUID_TEXT_BYTES];
	const char *name;
	int code = vault_parent(restoring->work.item.path, &restoring->parent, &name, err);

	if (code == ERR_NOT_FOUND)
		return err_set(err, ERR_NOT_FOUND, "the directory it was in does not exist any more");
	if (code != 0)
		return code;
	uuid_format(&restoring->work.item.item.id, id);
	snprintf(restoring->temporary, sizeof(restoring->temporary), ".muster-restore-%s", id);
	(void)unlinkat(restoring->parent, restoring->temporary, 0); /* of an attempt that was cut short */
	restoring->out =
	    openat(restoring->parent, restoring->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return restoring->out >= 0 ? 0 : err_errno(err, errno, "write in its directory");
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

/* Everything is written: into its place, and the mark that says so. */
static int complete(struct restoring *restoring, struct err *err)
{
	struct vault *vault = restoring->work.vault;
	const struct uuid *id = &restoring->work.item.item.id;
	const char *name = strrchr(restoring->work.item.path, '/') + 1;
	int code = restore_facts(&restoring->file, restoring->out, err);

	if (code == 0)
		code =
		    place(&restoring->file, restoring->parent, restoring->temporary, name, restoring->overwrite, err);
	if (code != 0)
		return code;
	close(restoring->out);
	restoring->out = -1;
	restoring->prepared = false;
	code = vault_mark_commit(vault, id, err);
	if (code != 0 && vault_marked(vault, id, NULL) != 0)
		take_back(&restoring->file, &restoring->work.item);
	return code == 0 ? vault_forget(vault, id, err) : code;
}

static int step(struct vault_work *work, bool *ret_done, struct err *err)
{
	struct restoring *restoring = (struct restoring *)work;
	bool written = false;
	int code = 0;

	if (!restoring->finished)
		code = vault_file_unseal_step(&restoring->file, restoring->out, &written, err);
	if (code == 0 && written)
		code = complete(restoring, err);
	*ret_done = code == 0 && (restoring->finished || written);
	return code == 0 ? 0 : err_add(err, code, "restore");
}

static void end(struct vault_work *work)
{
	struct restoring *restoring = (struct restoring *)work;

	if (restoring->out >= 0) {
		close(restoring->out);
		(void)unlinkat(restoring->parent, restoring->temporary, 0);
	}
	if (restoring->prepared)
		vault_mark_drop(work->vault, &work->item.item.id);
	if (restoring->parent >= 0)
		close(restoring->parent);
	vault_file_close(&restoring->file);
}

static int begin(struct restoring *restoring, struct err *err)
{
	struct vault *vault = restoring->work.vault;
	struct vault_item *item = &restoring->work.item;
	const struct uuid id = item->item.id;
	char name[VAULT_NAME_BYTES];
	int code;

	vault_name(&id, ".vault", name);
	code = vault_file_open(vault, name, NULL, &restoring->file, err);
	if (code != 0) {
		code = vault_ended_before(vault, &id, ITEM_RESTORED, item, code, err);
		restoring->finished = code == 0;
		return code;
	}
	vault_file_item(&restoring->file, item);
	item->item.state = ITEM_RESTORED;
	restoring->prepared = true;
	code = vault_mark_prepare(vault, item, err);
	if (code == 0)
		code = open_place(restoring, err);
	return code == 0 ? 0 : err_add(err, code, "restore");
}

int vault_restore(struct vault *vault, const struct uuid *id, bool overwrite, struct vault_work **ret_work,
		  struct err *err)
{
	struct restoring *restoring = vault_work_new(vault, sizeof(*restoring), step, end);
	int code;

	if (restoring == NULL)
		return err_set(err, ERR_MEMORY, "vault: no memory");
	restoring->work.item.item.id = *id;
	restoring->file.fd = restoring->parent = restoring->out = -1;
	restoring->overwrite = overwrite;
	code = begin(restoring, err);
	if (code != 0)
		vault_work_free(&restoring->work);
	else
		*ret_work = &restoring->work;
	return code;
}
