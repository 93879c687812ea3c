/* Inside the vault: sealed files on disk, whole. Used by vault*.c alone. */
#ifndef MUSTER_AGENT_GUARD_VAULT_FILE_H
#define MUSTER_AGENT_GUARD_VAULT_FILE_H

#include "agent/guard/vault.h"
#include "protect/sealed.h"

#define VAULT_NAME_BYTES 64

struct vault {
	int directory;
	const struct env *env;
	uint8_t key[VAULT_KEY_BYTES];
	size_t unsettled; /* intents and ends whose notices are not durable */
};

/* "<id><ending>" */
void vault_name(const struct uuid *id, const char *ending, char name[VAULT_NAME_BYTES]);

/* Seals the content of fd into `name`, synced. The writer counted size and SHA-256 into ret_metadata. */
int vault_file_seal(const struct vault *vault, int fd, uint64_t expected_bytes, const struct sealed_metadata *metadata,
		    const char *name, uint64_t *ret_size, uint8_t ret_sha256[SHA256_BYTES], struct err *err);

struct vault_file {
	int fd;
	uint8_t key[SEALED_KEY_BYTES];
	struct sealed_reader *reader;
};
/* key NULL: unwrapped with the vault's. */
int vault_file_open(const struct vault *vault, const char *name, const uint8_t *key, struct vault_file *ret_file,
		    struct err *err);
void vault_file_close(struct vault_file *file); /* accepts a zeroed one with fd -1 */
/* Opens every chunk and writes it to out (-1: only checked). */
int vault_file_unseal(const struct vault_file *file, int out, struct err *err);
void vault_file_item(const struct vault_file *file, struct vault_item *ret_item);

/* Opens the directory of an absolute path without symbolic links; ret_name points into path. */
int vault_parent(const char *path, int *ret_fd, const char **ret_name, struct err *err);

#endif
