/* Taking back a sealed copy that the manager kept: copied, checked to the last
 * chunk, then under its name. The copy came over the network. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/guard/vault_mark.h"
#include "os/files.h"

#define COPY_MAX_BYTES (1024 * GIB)

struct putting {
	struct vault_work work;
	char temporary[VAULT_NAME_BYTES];
	uint8_t key[VAULT_KEY_BYTES], *room;
	int in, out;
	uint64_t copied;
	struct vault_file file;
	bool has_key, all_copied, kept;
};

static int copy_piece(struct putting *putting, struct err *err)
{
	ssize_t got = pread(putting->in, putting->room, SEALED_CHUNK_BYTES, (off_t)putting->copied);

	if (got < 0)
		return errno == EINTR ? 0 : err_errno(err, errno, "read");
	putting->all_copied = got == 0;
	putting->copied += (uint64_t)got;
	if (putting->copied > COPY_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "too large");
	return files_write_all(putting->out, putting->room, (size_t)got, err);
}

static int copy(struct putting *putting, struct err *err)
{
	uint64_t from = putting->copied;
	int code = 0;

	while (code == 0 && !putting->all_copied && putting->copied - from < VAULT_SLICE_BYTES)
		code = copy_piece(putting, err);
	if (code == 0 && !putting->all_copied)
		files_write_behind(putting->out, from, putting->copied);
	else if (code == 0 && fsync(putting->out) != 0)
		code = err_errno(err, errno, "sync");
	return code;
}

static int open_copy(struct putting *putting, struct err *err)
{
	int code = vault_file_open(putting->work.vault, putting->temporary, putting->has_key ? putting->key : NULL,
				   &putting->file, err);

	if (code == 0 && !uuid_equal(&sealed_reader_metadata(putting->file.reader)->id, &putting->work.item.item.id))
		code = err_set(err, ERR_UNTRUSTED, "the copy is of another item");
	return code;
}

/* Every chunk was opened. It is read with our own key later on. */
static int keep(struct putting *putting, struct err *err)
{
	struct vault *vault = putting->work.vault;
	const struct uuid id = putting->work.item.item.id;
	char name[VAULT_NAME_BYTES];
	int code;

	vault_file_close(&putting->file);
	code = vault_file_open(vault, putting->temporary, NULL, &putting->file, err);
	if (code != 0)
		return code;
	vault_file_item(&putting->file, &putting->work.item);
	vault_name(&id, ".vault", name);
	if (renameat(vault->directory, putting->temporary, vault->directory, name) != 0)
		return err_errno(err, errno, "vault");
	putting->kept = true;
	code = files_sync_directory(vault->directory, err);
	return code == 0 ? vault_unmark(vault, &id, err) : code;
}

static int step(struct vault_work *work, bool *ret_done, struct err *err)
{
	struct putting *putting = (struct putting *)work;
	bool checked = false;
	int code = 0;

	if (!putting->all_copied) {
		code = copy(putting, err);
		if (code == 0 && putting->all_copied)
			code = open_copy(putting, err);
	} else {
		code = vault_file_unseal_step(&putting->file, -1, &checked, err);
	}
	if (code == 0 && checked)
		code = keep(putting, err);
	*ret_done = code == 0 && checked;
	return code == 0 ? 0 : err_add(err, code, "copy of a quarantined file");
}

static void end(struct vault_work *work)
{
	struct putting *putting = (struct putting *)work;

	vault_file_close(&putting->file);
	if (putting->out >= 0) {
		close(putting->out);
		if (!putting->kept)
			(void)unlinkat(work->vault->directory, putting->temporary, 0);
	}
	free(putting->room);
	OPENSSL_cleanse(putting->key, sizeof(putting->key));
}

int vault_put(struct vault *vault, const struct uuid *id, int fd, const uint8_t key[VAULT_KEY_BYTES],
	      struct vault_work **ret_work, struct err *err)
{
	struct putting *putting = vault_work_new(vault, sizeof(*putting), step, end);
	int code = 0;

	if (putting == NULL)
		return err_set(err, ERR_MEMORY, "vault: no memory");
	putting->work.item.item.id = *id;
	putting->file.fd = -1;
	putting->in = fd;
	putting->has_key = key != NULL;
	if (key != NULL)
		memcpy(putting->key, key, VAULT_KEY_BYTES);
	vault_name(id, ".tmp", putting->temporary);
	putting->room = malloc(SEALED_CHUNK_BYTES);
	putting->out =
	    openat(vault->directory, putting->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (putting->room == NULL)
		code = err_set(err, ERR_MEMORY, "vault: no memory");
	else if (putting->out < 0)
		code = err_errno(err, errno, "vault");
	if (code != 0)
		vault_work_free(&putting->work);
	else
		*ret_work = &putting->work;
	return code;
}
