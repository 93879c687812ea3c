/* Taking a file into the vault, and finishing or undoing it after a crash. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "agent/guard/vault_mark.h"
#include "base/log.h"
#include "os/files.h"

#define INTENT_MAX_BYTES  (MESSAGE_PATH_MAX_BYTES + 256)
#define XATTR_LIST_BYTES  65536
#define XATTR_TOTAL_BYTES ((size_t)96 * 1024)

struct intent {
	struct uuid id, job;
	uint64_t device, inode;
	char path[MESSAGE_PATH_MAX_BYTES + 1];
};

static void hidden_name(const struct uuid *id, char name[VAULT_NAME_BYTES])
{
	char text[UUID_TEXT_BYTES];

	uuid_format(id, text);
	snprintf(name, VAULT_NAME_BYTES, ".muster-%s", text);
}

static int write_intent(const struct vault *vault, const struct intent *intent, struct err *err)
{
	char name[VAULT_NAME_BYTES];
	struct buf out;
	int code;

	vault_name(&intent->id, ".intent", name);
	buf_init(&out, INTENT_MAX_BYTES);
	buf_append(&out, intent->id.bytes, UUID_BYTES);
	buf_append(&out, intent->job.bytes, UUID_BYTES);
	pack_u64(&out, intent->device);
	pack_u64(&out, intent->inode);
	pack_text(&out, intent->path);
	code = out.status != 0 ? err_set(err, out.status, "vault: intent")
			       : files_write(vault->directory, name, out.data, out.size, 0600, err);
	buf_done(&out);
	return code;
}

static int read_intent(const struct vault *vault, const char *name, struct intent *ret_intent)
{
	struct unpack in;
	struct buf bytes;
	int code;

	buf_init(&bytes, INTENT_MAX_BYTES);
	code = files_read(vault->directory, name, INTENT_MAX_BYTES, &bytes, NULL);
	unpack_init(&in, bytes.data, bytes.size);
	unpack_fixed(&in, ret_intent->id.bytes, UUID_BYTES);
	unpack_fixed(&in, ret_intent->job.bytes, UUID_BYTES);
	ret_intent->device = unpack_u64(&in);
	ret_intent->inode = unpack_u64(&in);
	unpack_text(&in, ret_intent->path, sizeof(ret_intent->path));
	if (code == 0)
		code = unpack_end(&in);
	buf_done(&bytes);
	return code;
}

static int moving_error(int error, struct err *err)
{
	switch (error) {
	case ENOENT:
		return err_set(err, ERR_NOT_FOUND, "the file is gone");
	case EROFS:
		return err_set(err, ERR_DENIED, "its file system is mounted read-only");
	case EPERM:
		return err_set(err, ERR_DENIED, "it may not be moved: it or its directory is immutable or append-only");
	case EACCES:
		return err_set(err, ERR_DENIED, "no right to write in its directory");
	default:
		return err_errno(err, error, "move out of the way");
	}
}

static bool is_that_inode(int parent, const char *name, uint64_t device, uint64_t inode)
{
	struct stat st;

	return fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == device && st.st_ino == inode;
}

/* ---- metadata ---- */

struct attributes {
	struct sealed_xattr list[SEALED_XATTRS_MAX];
	size_t count;
	char *names;
	uint8_t *values;
};

/* What does not fit is left out and said so in the log; the content matters more. */
static void read_attributes(int fd, struct attributes *attributes)
{
	size_t used = 0;
	ssize_t size;

	attributes->names = malloc(XATTR_LIST_BYTES);
	attributes->values = malloc(XATTR_TOTAL_BYTES);
	size = attributes->names != NULL && attributes->values != NULL
		   ? flistxattr(fd, attributes->names, XATTR_LIST_BYTES)
		   : -1;
	for (ssize_t at = 0; at < size;) {
		const char *name = attributes->names + at;
		size_t room = XATTR_TOTAL_BYTES - used;
		ssize_t got = attributes->count < SEALED_XATTRS_MAX
				  ? fgetxattr(fd, name, attributes->values + used,
					      room < SEALED_XATTR_VALUE_MAX_BYTES ? room : SEALED_XATTR_VALUE_MAX_BYTES)
				  : -1;

		at += (ssize_t)strlen(name) + 1;
		if (got < 0) {
			LOG(LOG_WARNING, "vault.attribute_left_out", log_text("name", name));
			continue;
		}
		attributes->list[attributes->count++] = (struct sealed_xattr){
			.name = { (const uint8_t *)name, strlen(name) },
			.value = { attributes->values + used, (size_t)got },
		};
		used += (size_t)got;
	}
}

static int64_t nanoseconds(struct timespec t)
{
	return t.tv_sec * 1000000000 + t.tv_nsec;
}

static struct bytes bytes_of(const char *text, size_t max)
{
	return (struct bytes){ (const uint8_t *)text, strnlen(text, max) };
}

/* ---- taking ---- */

struct taking {
	struct vault_work work;
	struct intent intent;
	struct sealing *sealing;
	int parent;
	const char *name; /* into the item's path */
	bool moved, done;
};

static int begin_sealing(struct taking *taking, const struct vault_find *find, struct err *err)
{
	struct attributes attributes = { 0 };
	const struct stat *st = find->st;
	char temporary[VAULT_NAME_BYTES];
	struct sealed_metadata metadata = {
		.id = taking->intent.id,
		.path = bytes_of(find->path, SEALED_PATH_MAX_BYTES),
		.uid = st->st_uid,
		.gid = st->st_gid,
		.mode = st->st_mode & 07777,
		.accessed_ns = nanoseconds(st->st_atim),
		.modified_ns = nanoseconds(st->st_mtim),
		.changed_ns = nanoseconds(st->st_ctim),
		.detection = bytes_of(find->detection, SEALED_TEXT_MAX_BYTES),
		.signature_version = bytes_of(find->signature_version, SEALED_TEXT_MAX_BYTES),
		.quarantined = env_wall(taking->work.vault->env),
	};
	struct message_item *item = &taking->work.item.item;
	int code;

	read_attributes(find->fd, &attributes);
	metadata.xattrs = attributes.list;
	metadata.xattr_count = attributes.count;
	vault_name(&taking->intent.id, ".tmp", temporary);
	code = vault_file_seal(taking->work.vault, find->fd, (uint64_t)st->st_size, &metadata, temporary,
			       &taking->sealing, err);
	free(attributes.names);
	free(attributes.values);
	item->quarantined = metadata.quarantined;
	item->modified = metadata.modified_ns / 1000;
	item->uid = st->st_uid;
	item->gid = st->st_gid;
	item->mode = metadata.mode;
	return code;
}

/* The sealed file under its name, durable. */
static int end_sealing(struct taking *taking, struct err *err)
{
	const struct vault *vault = taking->work.vault;
	struct message_item *item = &taking->work.item.item;
	char temporary[VAULT_NAME_BYTES], final[VAULT_NAME_BYTES];
	struct stat sealed;
	int code = vault_file_seal_end(taking->sealing, &item->size, item->sha256, err);

	vault_name(&taking->intent.id, ".tmp", temporary);
	vault_name(&taking->intent.id, ".vault", final);
	if (code != 0)
		return code;
	if (fstatat(vault->directory, temporary, &sealed, AT_SYMLINK_NOFOLLOW) != 0 ||
	    renameat(vault->directory, temporary, vault->directory, final) != 0)
		return err_errno(err, errno, "vault");
	item->sealed_bytes = (uint64_t)sealed.st_size;
	return files_sync_directory(vault->directory, err);
}

/* Gives a file its name back; when somebody has made another one meanwhile, the hidden name stays and is told. */
static void put_back(int parent, const char *hidden, const char *name)
{
	if (renameat2(parent, hidden, parent, name, RENAME_NOREPLACE) != 0)
		LOG(LOG_ERROR, "vault.not_put_back", log_text("hidden", hidden), log_text("name", name),
		    log_number("errno", errno));
}

static int move_away(struct taking *taking, struct err *err)
{
	char hidden[VAULT_NAME_BYTES];
	int code = vault_parent(taking->work.item.path, &taking->parent, &taking->name, err);

	if (code != 0)
		return code;
	hidden_name(&taking->intent.id, hidden);
	if (renameat2(taking->parent, taking->name, taking->parent, hidden, RENAME_NOREPLACE) != 0)
		return moving_error(errno, err);
	taking->moved = true;
	if (!is_that_inode(taking->parent, hidden, taking->intent.device, taking->intent.inode))
		return err_set(err, ERR_CONFLICT, "another file took its place while it was scanned");
	return 0;
}

static int complete_taking(struct taking *taking, struct err *err)
{
	char hidden[VAULT_NAME_BYTES];
	int code = end_sealing(taking, err);

	if (code != 0)
		return code;
	taking->moved = false; /* it is sealed: recovery removes a name that came back */
	hidden_name(&taking->intent.id, hidden);
	if (unlinkat(taking->parent, hidden, 0) != 0)
		return err_errno(err, errno, "remove the sealed original");
	if (fsync(taking->parent) != 0)
		LOG(LOG_WARNING, "vault.directory_not_synced", log_number("errno", errno));
	taking->done = true;
	taking->work.vault->unsettled++;
	return 0;
}

static int step(struct vault_work *work, bool *ret_done, struct err *err)
{
	struct taking *taking = (struct taking *)work;
	bool all_read = false;
	int code = vault_file_seal_step(taking->sealing, &all_read, err);

	if (code == 0 && all_read)
		code = complete_taking(taking, err);
	*ret_done = taking->done;
	return code == 0 ? 0 : err_add(err, code, "quarantine");
}

static void end(struct vault_work *work)
{
	struct taking *taking = (struct taking *)work;
	char name[VAULT_NAME_BYTES], hidden[VAULT_NAME_BYTES];

	vault_file_seal_free(taking->sealing);
	if (taking->moved) {
		hidden_name(&taking->intent.id, hidden);
		put_back(taking->parent, hidden, taking->name);
	}
	if (!taking->done) {
		vault_name(&taking->intent.id, ".vault", name);
		work->vault->unsettled++;
		/* With the item complete the intent stays: recovery removes the original. */
		if (faccessat(work->vault->directory, name, F_OK, 0) != 0)
			(void)vault_settle(work->vault, &taking->intent.id, NULL);
	}
	if (taking->parent >= 0)
		close(taking->parent);
}

static int begin(struct taking *taking, const struct vault_find *find, struct err *err)
{
	struct intent *intent = &taking->intent;
	struct vault_item *item = &taking->work.item;
	int code;

	*intent = (struct intent){
		.id = item->item.id, .job = find->job, .device = find->st->st_dev, .inode = find->st->st_ino
	};
	snprintf(intent->path, sizeof(intent->path), "%s", find->path);
	snprintf(item->path, sizeof(item->path), "%s", find->path);
	snprintf(item->item.detection, sizeof(item->item.detection), "%s", find->detection);
	item->job = find->job;
	code = write_intent(taking->work.vault, intent, err);
	if (code == 0)
		code = move_away(taking, err);
	return code == 0 ? begin_sealing(taking, find, err) : code;
}

int vault_take(struct vault *vault, const struct vault_find *find, struct vault_work **ret_work, struct err *err)
{
	struct taking *taking;
	int code;

	if (strlen(find->path) > MESSAGE_PATH_MAX_BYTES - 1)
		return err_set(err, ERR_LIMIT, "its path is too long");
	taking = vault_work_new(vault, sizeof(*taking), step, end);
	if (taking == NULL)
		return err_set(err, ERR_MEMORY, "vault: no memory");
	taking->work.item.item.id = env_uuid(vault->env);
	taking->parent = -1;
	code = begin(taking, find, err);
	if (code != 0) {
		vault_work_free(&taking->work);
		return err_add(err, code, "quarantine");
	}
	*ret_work = &taking->work;
	return 0;
}

int vault_settle(struct vault *vault, const struct uuid *id, struct err *err)
{
	char name[VAULT_NAME_BYTES];
	int code;

	vault_name(id, ".intent", name);
	code = files_remove(vault->directory, name, err);
	if (code == 0 && vault->unsettled > 0)
		vault->unsettled--;
	return code;
}

/* ---- after a crash ---- */

/* The original must go: under its hidden name, or under its own when the rename was lost. */
static void complete(const struct intent *intent)
{
	char hidden[VAULT_NAME_BYTES];
	const char *name = NULL;
	int parent = -1;

	if (vault_parent(intent->path, &parent, &name, NULL) != 0)
		return;
	hidden_name(&intent->id, hidden);
	if (is_that_inode(parent, name, intent->device, intent->inode))
		(void)renameat2(parent, name, parent, hidden, RENAME_NOREPLACE);
	if (is_that_inode(parent, hidden, intent->device, intent->inode))
		(void)unlinkat(parent, hidden, 0);
	(void)fsync(parent);
	close(parent);
}

static void undo(const struct vault *vault, const struct intent *intent)
{
	char hidden[VAULT_NAME_BYTES], temporary[VAULT_NAME_BYTES];
	const char *name = NULL;
	int parent = -1;

	if (vault_parent(intent->path, &parent, &name, NULL) == 0) {
		hidden_name(&intent->id, hidden);
		if (faccessat(parent, hidden, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			put_back(parent, hidden, name);
		(void)fsync(parent);
		close(parent);
	}
	vault_name(&intent->id, ".tmp", temporary);
	(void)unlinkat(vault->directory, temporary, 0);
}

static void recover_one(struct vault *vault, const char *name,
			void (*completed)(void *context, const struct vault_item *item), void *context)
{
	struct vault_file file = { .fd = -1 };
	struct vault_item *item;
	char sealed[VAULT_NAME_BYTES];
	struct intent intent;

	/* Files are written whole: one that does not decode is from before the first rename. */
	if (read_intent(vault, name, &intent) != 0) {
		(void)files_remove(vault->directory, name, NULL);
		return;
	}
	vault->unsettled++;
	vault_name(&intent.id, ".vault", sealed);
	if (vault_file_open(vault, sealed, NULL, &file, NULL) != 0) {
		undo(vault, &intent);
		(void)vault_settle(vault, &intent.id, NULL);
		return;
	}
	complete(&intent);
	item = malloc(sizeof(*item));
	if (item != NULL) {
		vault_file_item(&file, item);
		item->job = intent.job;
		completed(context, item);
	}
	free(item);
	vault_file_close(&file);
}

/* The mark was written, so the item ended; whatever had not been done by then is done now. */
static void recover_end(struct vault *vault, const char *name,
			void (*completed)(void *context, const struct vault_item *item), void *context)
{
	char sealed[VAULT_NAME_BYTES];
	struct vault_item *item = malloc(sizeof(*item));

	if (item != NULL && vault_mark_read(vault, name, item) == 0) {
		vault_name(&item->item.id, ".vault", sealed);
		(void)files_remove(vault->directory, sealed, NULL);
		vault->unsettled++;
		completed(context, item);
	}
	free(item);
}

int vault_recover(struct vault *vault, void (*completed)(void *context, const struct vault_item *item), void *context,
		  struct err *err)
{
	int fd = openat(vault->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;

	if (stream == NULL) {
		int code = err_errno(err, errno, "vault");

		if (fd >= 0)
			close(fd);
		return code;
	}
	vault->unsettled = 0; /* each that is found counts again */
	for (const struct dirent *entry = readdir(stream); entry != NULL; entry = readdir(stream)) {
		const char *ending = strrchr(entry->d_name, '.');

		if (vault_work_owns(vault, entry->d_name))
			continue;
		if (ending != NULL && strcmp(ending, ".intent") == 0)
			recover_one(vault, entry->d_name, completed, context);
		else if (ending != NULL && (strcmp(ending, ".tmp") == 0 || strcmp(ending, ".mark") == 0))
			(void)unlinkat(vault->directory, entry->d_name, 0); /* from before anything was done */
		else if (ending != NULL && strcmp(ending, ".ended") == 0)
			vault_mark_forget_old(vault, entry->d_name);
		else if (ending != NULL && strcmp(ending, ".ending") == 0)
			recover_end(vault, entry->d_name, completed, context);
	}
	closedir(stream);
	return 0;
}
