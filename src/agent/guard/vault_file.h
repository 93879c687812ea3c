/* Inside the vault: sealed files on disk, whole. Used by vault*.c alone. */
#ifndef MUSTER_AGENT_GUARD_VAULT_FILE_H
#define MUSTER_AGENT_GUARD_VAULT_FILE_H

#include "agent/guard/vault.h"
#include "protect/sealed.h"

#define VAULT_NAME_BYTES  64
#define VAULT_SLICE_BYTES (4 * MIB) /* what one step reads, about: some tens of milliseconds */

struct vault {
	int directory;
	const struct env *env;
	uint8_t key[VAULT_KEY_BYTES];
	size_t unsettled;         /* intents and ends whose notices are not durable */
	struct vault_work *works; /* under way: recovery leaves their files alone */
};

/* What vault_work_step() goes on with; its owner's struct begins with it. */
struct vault_work {
	struct vault *vault;
	struct vault_item item;
	int (*step)(struct vault_work *work, bool *ret_done, struct err *err);
	void (*end)(struct vault_work *work); /* undoes what is not done, lets go of what it holds */
	struct vault_work *next;
};
/* Zeroed but for its first fields, and among the vault's works. NULL: no memory. */
void *vault_work_new(struct vault *vault, size_t size, int (*step)(struct vault_work *, bool *, struct err *),
		     void (*end)(struct vault_work *));
/* Whether a file of the vault belongs to one of the works. */
bool vault_work_owns(const struct vault *vault, const char *name);

/* "<id><ending>" */
void vault_name(const struct uuid *id, const char *ending, char name[VAULT_NAME_BYTES]);

/* Begins to seal the content of fd into `name`; fd stays open until the end. Metadata is copied. */
struct sealing;
int vault_file_seal(const struct vault *vault, int fd, uint64_t expected_bytes, const struct sealed_metadata *metadata,
		    const char *name, struct sealing **ret_sealing, struct err *err);
/* A slice. *ret_done: everything was read. */
int vault_file_seal_step(struct sealing *sealing, bool *ret_done, struct err *err);
/* Then: the header, synced; size and SHA-256 of what was read. */
int vault_file_seal_end(struct sealing *sealing, uint64_t *ret_size, uint8_t ret_sha256[SHA256_BYTES], struct err *err);
void vault_file_seal_free(struct sealing *sealing); /* accepts NULL; without vault_file_seal_end() the file goes */

struct vault_file {
	int fd;
	uint8_t key[SEALED_KEY_BYTES];
	struct sealed_reader *reader;
	uint64_t next; /* chunk to unseal */
	uint8_t *room;
};
/* key NULL: unwrapped with the vault's. */
int vault_file_open(const struct vault *vault, const char *name, const uint8_t *key, struct vault_file *ret_file,
		    struct err *err);
void vault_file_close(struct vault_file *file); /* accepts a zeroed one with fd -1 */
/* Opens a slice of chunks and writes them to out (-1: only checked). *ret_done: there are no more. */
int vault_file_unseal_step(struct vault_file *file, int out, bool *ret_done, struct err *err);
void vault_file_item(const struct vault_file *file, struct vault_item *ret_item);

/* The sealed file goes, after a mark says why. */
int vault_forget(const struct vault *vault, const struct uuid *id, struct err *err);
/* The answer to `code` of opening an item: 0 and ret_item->ended_before when it ended that way. */
int vault_ended_before(const struct vault *vault, const struct uuid *id, enum message_item_state wanted,
		       struct vault_item *ret_item, int code, struct err *err);

/* Opens the directory of an absolute path without symbolic links; ret_name points into path. */
int vault_parent(const char *path, int *ret_fd, const char **ret_name, struct err *err);

#endif
