/* The marks' files: what message_pack_item() makes. Written by guard alone; one that does not decode is passed over. */
#include "agent/guard/vault_mark.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/files.h"

#define MARK_MAX_BYTES (MESSAGE_PATH_MAX_BYTES + 1024)
#define MARK_LIFE_US   (90 * DAY_US)

static const char *const endings[] = { ".ending", ".ended" };

int vault_mark_prepare(const struct vault *vault, const struct vault_item *item, struct err *err)
{
	char name[VAULT_NAME_BYTES];
	struct buf out;
	int code;

	vault_name(&item->item.id, ".mark", name);
	buf_init(&out, MARK_MAX_BYTES);
	message_pack_item(&out, &item->item);
	code = out.status != 0 ? err_set(err, out.status, "vault: mark")
			       : files_write(vault->directory, name, out.data, out.size, 0600, err);
	buf_done(&out);
	return code;
}

int vault_mark_commit(struct vault *vault, const struct uuid *id, struct err *err)
{
	char mark[VAULT_NAME_BYTES], ending[VAULT_NAME_BYTES];

	vault_name(id, ".mark", mark);
	vault_name(id, ".ending", ending);
	if (renameat(vault->directory, mark, vault->directory, ending) != 0)
		return err_errno(err, errno, "vault: mark");
	vault->unsettled++;
	return files_sync_directory(vault->directory, err);
}

void vault_mark_drop(const struct vault *vault, const struct uuid *id)
{
	char mark[VAULT_NAME_BYTES];

	vault_name(id, ".mark", mark);
	(void)unlinkat(vault->directory, mark, 0);
}

int vault_mark(struct vault *vault, const struct vault_item *item, struct err *err)
{
	int code = vault_mark_prepare(vault, item, err);

	return code == 0 ? vault_mark_commit(vault, &item->item.id, err) : code;
}

static void keep_path(struct vault_item *item, struct bytes path)
{
	size_t size = path.size < sizeof(item->path) ? path.size : sizeof(item->path) - 1;

	if (size > 0)
		memcpy(item->path, path.data, size);
	item->path[size] = '\0';
	item->item.path = (struct bytes){ (const uint8_t *)item->path, size };
}

int vault_mark_read(const struct vault *vault, const char *name, struct vault_item *ret_item)
{
	struct buf content;
	int code;

	*ret_item = (struct vault_item){ 0 };
	buf_init(&content, MARK_MAX_BYTES);
	code = files_read(vault->directory, name, MARK_MAX_BYTES, &content, NULL);
	if (code == 0)
		code = message_unpack_item(content.data, content.size, &ret_item->item);
	if (code == 0)
		keep_path(ret_item, ret_item->item.path);
	buf_done(&content);
	return code;
}

int vault_marked(const struct vault *vault, const struct uuid *id, struct vault_item *ret_item)
{
	int code = ERR_NOT_FOUND;

	for (size_t i = 0; i < COUNT_OF(endings) && code == ERR_NOT_FOUND; i++) {
		char name[VAULT_NAME_BYTES];

		vault_name(id, endings[i], name);
		if (ret_item != NULL)
			code = vault_mark_read(vault, name, ret_item);
		else
			code = faccessat(vault->directory, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : ERR_NOT_FOUND;
	}
	return code;
}

int vault_unmark(const struct vault *vault, const struct uuid *id, struct err *err)
{
	int code = 0;

	for (size_t i = 0; i < COUNT_OF(endings) && code == 0; i++) {
		char name[VAULT_NAME_BYTES];

		vault_name(id, endings[i], name);
		code = files_remove(vault->directory, name, err);
	}
	return code;
}

int vault_settle_end(struct vault *vault, const struct uuid *id, struct err *err)
{
	char ending[VAULT_NAME_BYTES], ended[VAULT_NAME_BYTES];

	vault_name(id, ".ending", ending);
	vault_name(id, ".ended", ended);
	if (renameat(vault->directory, ending, vault->directory, ended) != 0)
		return err_errno(err, errno, "vault: mark");
	if (vault->unsettled > 0)
		vault->unsettled--;
	return files_sync_directory(vault->directory, err);
}

void vault_mark_forget_old(const struct vault *vault, const char *name)
{
	struct stat st;

	if (fstatat(vault->directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (time_us)st.st_mtim.tv_sec * SECOND_US + MARK_LIFE_US < env_wall(vault->env))
		(void)unlinkat(vault->directory, name, 0);
}
