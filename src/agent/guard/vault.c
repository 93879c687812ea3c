/* The vault's items: list, delete, hand out; what its works have in common. */
#include "agent/guard/vault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/guard/vault_mark.h"
#include "os/files.h"

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

/* ---- works ---- */

void *vault_work_new(struct vault *vault, size_t size, int (*step)(struct vault_work *, bool *, struct err *),
		     void (*end)(struct vault_work *))
{
	struct vault_work *work = calloc(1, size);

	if (work == NULL)
		return NULL;
	work->vault = vault;
	work->step = step;
	work->end = end;
	work->next = vault->works;
	vault->works = work;
	return work;
}

bool vault_work_owns(const struct vault *vault, const char *name)
{
	for (const struct vault_work *work = vault->works; work != NULL; work = work->next) {
		char id[UUID_TEXT_BYTES];

		uuid_format(&work->item.item.id, id);
		if (strncmp(name, id, sizeof(id) - 1) == 0)
			return true;
	}
	return false;
}

int vault_work_step(struct vault_work *work, bool *ret_done, struct vault_item *ret_item, struct err *err)
{
	int code;

	*ret_done = false;
	code = work->step(work, ret_done, err);
	if (code == 0 && *ret_done) {
		*ret_item = work->item;
		ret_item->item.path = (struct bytes){ (const uint8_t *)ret_item->path, strlen(ret_item->path) };
	}
	return code;
}

void vault_work_free(struct vault_work *work)
{
	struct vault_work **at;

	if (work == NULL)
		return;
	at = &work->vault->works;
	while (*at != work)
		at = &(*at)->next;
	*at = work->next;
	work->end(work);
	free(work);
}

/* ---- ends ---- */

int vault_forget(const struct vault *vault, const struct uuid *id, struct err *err)
{
	char name[VAULT_NAME_BYTES];

	vault_name(id, ".vault", name);
	return files_remove(vault->directory, name, err);
}

int vault_ended_before(const struct vault *vault, const struct uuid *id, enum message_item_state wanted,
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

int vault_delete(struct vault *vault, const struct uuid *id, struct vault_item *ret_item, struct err *err)
{
	struct vault_file file = { .fd = -1 };
	char name[VAULT_NAME_BYTES];
	int code;

	vault_name(id, ".vault", name);
	code = vault_file_open(vault, name, NULL, &file, err);
	if (code == ERR_NOT_FOUND)
		return vault_ended_before(vault, id, ITEM_DELETED, ret_item, code, err);
	/* One that cannot be read any more may be deleted all the same. */
	*ret_item = (struct vault_item){ .item = { .id = *id } };
	if (code == 0)
		vault_file_item(&file, ret_item);
	vault_file_close(&file);
	ret_item->item.state = ITEM_DELETED;
	code = vault_mark(vault, ret_item, err);
	return code == 0 ? vault_forget(vault, id, err) : code;
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
