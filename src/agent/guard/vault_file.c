/* Reading and writing sealed files through src/protect/sealed. */
#include "agent/guard/vault_file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/files.h"

#define GROWTH_MAX_BYTES (64 * MIB) /* while a file is read; one that outruns us is not waited for */

void vault_name(const struct uuid *id, const char *ending, char name[VAULT_NAME_BYTES])
{
	char text[UUID_TEXT_BYTES];

	uuid_format(id, text);
	snprintf(name, VAULT_NAME_BYTES, "%s%s", text, ending);
}

int vault_parent(const char *path, int *ret_fd, const char **ret_name, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char parent[MESSAGE_PATH_MAX_BYTES + 1];
	int code;

	if (slash == NULL || slash[1] == '\0' || strlen(path) > MESSAGE_PATH_MAX_BYTES)
		return err_set(err, ERR_FORMAT, "not the absolute path of a file");
	snprintf(parent, sizeof(parent), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	code = files_open_no_links(parent, O_RDONLY | O_DIRECTORY, ret_fd, err);
	if (code != 0)
		return err_add(err, code, "its directory");
	*ret_name = slash + 1;
	return 0;
}

/* Up to a whole chunk; less only at the end of the file. */
static int read_chunk(int fd, uint64_t offset, uint8_t *room, size_t *ret_size, struct err *err)
{
	size_t size = 0;

	while (size < SEALED_CHUNK_BYTES) {
		ssize_t got = pread(fd, room + size, SEALED_CHUNK_BYTES - size, (off_t)(offset + size));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_errno(err, errno, "read");
		if (got == 0)
			break;
		size += (size_t)got;
	}
	*ret_size = size;
	return 0;
}

/* ---- sealing ---- */

struct sealing {
	const struct vault *vault;
	struct sealed_writer *writer;
	char name[VAULT_NAME_BYTES];
	int in, out;
	uint8_t *plain[2]; /* the chunk at hand and the next: which is last is known one ahead */
	uint8_t *sealed;
	unsigned turn;
	size_t size; /* of the chunk at hand */
	uint64_t read_bytes, written, limit_bytes;
	bool last, kept;
};

static int make_room(struct sealing *sealing, struct err *err)
{
	sealing->plain[0] = malloc(SEALED_CHUNK_BYTES);
	sealing->plain[1] = malloc(SEALED_CHUNK_BYTES);
	sealing->sealed = malloc(SEALED_CHUNK_BYTES + SEALED_TAG_BYTES);
	if (sealing->plain[0] == NULL || sealing->plain[1] == NULL || sealing->sealed == NULL)
		return err_set(err, ERR_MEMORY, "vault: no memory");
	return 0;
}

static int open_sealed(struct sealing *sealing, struct err *err)
{
	sealing->written = sealed_writer_header_bytes(sealing->writer);
	sealing->out = openat(sealing->vault->directory, sealing->name,
			      O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (sealing->out < 0 || lseek(sealing->out, (off_t)sealing->written, SEEK_SET) < 0)
		return err_errno(err, errno, "vault");
	return read_chunk(sealing->in, 0, sealing->plain[0], &sealing->size, err);
}

int vault_file_seal(const struct vault *vault, int fd, uint64_t expected_bytes, const struct sealed_metadata *metadata,
		    const char *name, struct sealing **ret_sealing, struct err *err)
{
	struct sealing *sealing = calloc(1, sizeof(*sealing));
	uint8_t key[SEALED_KEY_BYTES], wrapped[SEALED_WRAPPED_BYTES];
	int code;

	if (sealing == NULL)
		return err_set(err, ERR_MEMORY, "vault: no memory");
	sealing->vault = vault;
	sealing->in = fd;
	sealing->out = -1;
	sealing->limit_bytes = expected_bytes + GROWTH_MAX_BYTES;
	snprintf(sealing->name, sizeof(sealing->name), "%s", name);
	code = sealed_key_make(vault->key, &metadata->id, key, wrapped, err);
	if (code == 0)
		code = sealed_writer_new(metadata, key, wrapped, &sealing->writer, err);
	OPENSSL_cleanse(key, sizeof(key));
	if (code == 0)
		code = make_room(sealing, err);
	if (code == 0)
		code = open_sealed(sealing, err);
	if (code != 0)
		vault_file_seal_free(sealing);
	else
		*ret_sealing = sealing;
	return code;
}

static int seal_chunk(struct sealing *sealing, struct err *err)
{
	uint8_t *plain = sealing->plain[sealing->turn];
	size_t next = 0;
	int code = 0;

	sealing->read_bytes += sealing->size;
	sealing->turn ^= 1;
	if (sealing->size == SEALED_CHUNK_BYTES)
		code = read_chunk(sealing->in, sealing->read_bytes, sealing->plain[sealing->turn], &next, err);
	sealing->last = next == 0;
	if (code == 0 && sealing->read_bytes > sealing->limit_bytes)
		code = err_set(err, ERR_CONFLICT, "the file keeps growing");
	if (code == 0)
		code = sealed_writer_chunk(sealing->writer, plain, sealing->size, sealing->last, sealing->sealed, err);
	if (code == 0)
		code = files_write_all(sealing->out, sealing->sealed, sealing->size + SEALED_TAG_BYTES, err);
	sealing->written += sealing->size + SEALED_TAG_BYTES;
	sealing->size = next;
	return code;
}

int vault_file_seal_step(struct sealing *sealing, bool *ret_done, struct err *err)
{
	uint64_t from = sealing->written;
	int code = 0;

	while (code == 0 && !sealing->last && sealing->written - from < VAULT_SLICE_BYTES)
		code = seal_chunk(sealing, err);
	if (code == 0 && !sealing->last)
		files_write_behind(sealing->out, from, sealing->written);
	*ret_done = sealing->last;
	return code;
}

int vault_file_seal_end(struct sealing *sealing, uint64_t *ret_size, uint8_t ret_sha256[SHA256_BYTES], struct err *err)
{
	struct sealed_metadata metadata;
	struct buf header;
	int code;

	buf_init(&header, SEALED_METADATA_MAX_BYTES + SEALED_PREFIX_BYTES + SEALED_TAG_BYTES);
	code = sealed_writer_header(sealing->writer, &header, &metadata, err);
	if (code == 0 && lseek(sealing->out, 0, SEEK_SET) != 0)
		code = err_errno(err, errno, "vault");
	if (code == 0)
		code = files_write_all(sealing->out, header.data, header.size, err);
	if (code == 0 && fsync(sealing->out) != 0)
		code = err_errno(err, errno, "vault: sync");
	buf_done(&header);
	if (code != 0)
		return code;
	*ret_size = metadata.size;
	memcpy(ret_sha256, metadata.sha256, SHA256_BYTES);
	sealing->kept = true;
	return 0;
}

void vault_file_seal_free(struct sealing *sealing)
{
	if (sealing == NULL)
		return;
	sealed_writer_free(sealing->writer);
	free(sealing->plain[0]);
	free(sealing->plain[1]);
	free(sealing->sealed);
	if (sealing->out >= 0) {
		close(sealing->out);
		if (!sealing->kept)
			unlinkat(sealing->vault->directory, sealing->name, 0);
	}
	free(sealing);
}

/* ---- reading ---- */

static int open_reader(const struct vault *vault, struct vault_file *file, const uint8_t *key, struct err *err)
{
	uint8_t prefix_bytes[SEALED_PREFIX_BYTES];
	struct sealed_prefix prefix;
	uint8_t *header;
	int code = files_read_at(file->fd, prefix_bytes, sizeof(prefix_bytes), 0, err);

	if (code == 0)
		code = sealed_prefix_read(prefix_bytes, sizeof(prefix_bytes), &prefix, err);
	if (code == 0 && key == NULL)
		code = sealed_key_unwrap(vault->key, &prefix.id, prefix.wrapped, file->key, err);
	else if (code == 0)
		memcpy(file->key, key, sizeof(file->key));
	if (code != 0)
		return code;
	header = malloc(prefix.header_bytes);
	if (header == NULL)
		return err_set(err, ERR_MEMORY, "vault: no memory");
	code = files_read_at(file->fd, header, prefix.header_bytes, 0, err);
	if (code == 0)
		code = sealed_reader_new(header, prefix.header_bytes, file->key, &file->reader, err);
	free(header);
	return code;
}

int vault_file_open(const struct vault *vault, const char *name, const uint8_t *key, struct vault_file *ret_file,
		    struct err *err)
{
	struct vault_file file = { .fd = openat(vault->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) };
	int code;

	if (file.fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "there is no such item in this computer's quarantine");
	if (file.fd < 0)
		return err_errno(err, errno, "vault");
	code = open_reader(vault, &file, key, err);
	if (code != 0) {
		vault_file_close(&file);
		return err_add(err, code, "vault item %s", name);
	}
	*ret_file = file;
	return 0;
}

void vault_file_close(struct vault_file *file)
{
	sealed_reader_free(file->reader);
	OPENSSL_cleanse(file->key, sizeof(file->key));
	free(file->room);
	if (file->fd >= 0)
		close(file->fd);
	*file = (struct vault_file){ .fd = -1 };
}

static int unseal_chunk(struct vault_file *file, int out, uint64_t *total, struct err *err)
{
	uint8_t *plain = file->room + SEALED_CHUNK_BYTES + SEALED_TAG_BYTES;
	size_t size = 0, plain_size = 0;
	uint64_t offset;
	int code = sealed_reader_place(file->reader, file->next, &offset, &size, err);

	if (code == 0)
		code = files_read_at(file->fd, file->room, size, offset, err);
	if (code == 0)
		code = sealed_reader_chunk(file->reader, file->next, file->room, size, plain, &plain_size, err);
	if (code == 0 && out >= 0)
		code = files_write_all(out, plain, plain_size, err);
	file->next++;
	*total += size;
	return code;
}

int vault_file_unseal_step(struct vault_file *file, int out, bool *ret_done, struct err *err)
{
	uint64_t chunks = sealed_reader_chunks(file->reader), from = file->next * SEALED_CHUNK_BYTES, total = 0;
	int code = 0;

	if (file->room == NULL)
		file->room = malloc(2 * SEALED_CHUNK_BYTES + SEALED_TAG_BYTES);
	if (file->room == NULL)
		return err_set(err, ERR_MEMORY, "vault: no memory");
	while (code == 0 && file->next < chunks && total < VAULT_SLICE_BYTES)
		code = unseal_chunk(file, out, &total, err);
	if (code == 0 && out >= 0 && file->next < chunks)
		files_write_behind(out, from, file->next * SEALED_CHUNK_BYTES);
	*ret_done = file->next >= chunks;
	return code;
}

void vault_file_item(const struct vault_file *file, struct vault_item *ret_item)
{
	const struct sealed_metadata *metadata = sealed_reader_metadata(file->reader);
	struct message_item *item = &ret_item->item;
	size_t length = metadata->path.size < MESSAGE_PATH_MAX_BYTES ? metadata->path.size : MESSAGE_PATH_MAX_BYTES;

	*ret_item = (struct vault_item){ 0 };
	memcpy(ret_item->path, metadata->path.data, length);
	*item = (struct message_item){
		.id = metadata->id,
		.state = ITEM_HELD,
		.path = { (const uint8_t *)ret_item->path, length },
		.size = metadata->size,
		.sealed_bytes = sealed_reader_file_bytes(file->reader),
		.quarantined = metadata->quarantined,
		.modified = metadata->modified_ns / 1000,
		.uid = metadata->uid,
		.gid = metadata->gid,
		.mode = metadata->mode,
	};
	memcpy(item->sha256, metadata->sha256, SHA256_BYTES);
	snprintf(item->detection, sizeof(item->detection), "%.*s", (int)metadata->detection.size,
		 (const char *)metadata->detection.data);
}
