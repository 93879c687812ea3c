/* The vault: quarantined files, each sealed in a file of its own.
 *
 * Quarantine, in steps that a crash may part anywhere: an intent is written;
 * the file is renamed to a hidden name beside its own, in a directory opened
 * without symbolic links; checked to be the very inode that was scanned, else
 * put back; sealed into the vault and synced; only then unlinked. The intent
 * stays until vault_settle(), when the notices about it are durable;
 * vault_recover() completes or undoes what was left. Either the original or
 * the sealed item is there at any time.
 *
 * Restored and deleted items leave a mark with what is known of them, so that
 * asking again answers the same and link, started again, tells their states
 * again. The mark is there before the sealed file goes, and counts as not told
 * until vault_settle_end(). Paths are any bytes.
 *
 * Everything here blocks on disk, so what reads or writes whole files, of any
 * size, is a work that is done in slices: begun by the call that names it, then
 * vault_work_step() until it is done. Works of different items may be under way
 * side by side.
 */
#ifndef MUSTER_AGENT_GUARD_VAULT_H
#define MUSTER_AGENT_GUARD_VAULT_H

#include <sys/stat.h>

#include "agent/messages.h"
#include "base/env.h"

#define VAULT_KEY_BYTES 32

struct vault;

/* directory: of the vault, the caller's. key: the master key, copied. */
int vault_open(int directory, const uint8_t key[VAULT_KEY_BYTES], const struct env *env, struct vault **ret_vault,
	       struct err *err);
void vault_close(struct vault *vault); /* accepts NULL; wipes the key */

struct vault_item {
	struct message_item item; /* .path points to path below */
	struct uuid job;          /* that found it; zero when unknown */
	bool ended_before;        /* restore, delete: it had been restored or deleted already */
	char path[MESSAGE_PATH_MAX_BYTES + 1];
};

/* --- works --- */

struct vault_work;
/* A slice, of some MiB; small files are done in one. *ret_done: it is finished, and *ret_item what came of it. On an
 * error it is undone: nothing is left but to free it. */
int vault_work_step(struct vault_work *work, bool *ret_done, struct vault_item *ret_item, struct err *err);
/* Undone if it is not done. Accepts NULL. */
void vault_work_free(struct vault_work *work);

struct vault_find {
	int fd; /* the scanned file, open for reading until the work is freed */
	const struct stat *st;
	const char *path; /* absolute, no symbolic link in it */
	const char *detection;
	const char *signature_version;
	struct uuid job;
};

/* Begins to take a file. Here or in a step: ERR_CONFLICT: another file stands
 * there now; ERR_DENIED: a symbolic link in the path, read-only, immutable;
 * ERR_NOT_FOUND: gone; ERR_SPACE. On an error, or freed before it is done, the
 * file is where it was. Done: settle it when it was told. */
int vault_take(struct vault *vault, const struct vault_find *find, struct vault_work **ret_work, struct err *err);
/* The notices about this item are durable: forget the intent. */
int vault_settle(struct vault *vault, const struct uuid *id, struct err *err);
/* The notices about this item's end are durable. */
int vault_settle_end(struct vault *vault, const struct uuid *id, struct err *err);
/* True when something waits for one of these, outside of the calls that do it: the notices could
 * not be written. vault_recover() tries again. */
bool vault_unsettled(const struct vault *vault);
/* Completes or undoes what a crash left. Calls `completed` for each item that
 * is in the vault (ITEM_HELD) or ended and was not settled; then settle it. */
int vault_recover(struct vault *vault, void (*completed)(void *context, const struct vault_item *item), void *context,
		  struct err *err);

/* Begins to put the file back with content, owner, mode, times, extended
 * attributes. Here or in a step: ERR_EXISTS: something stands there and
 * overwrite is false; ERR_NOT_FOUND: no such item, or its directory is gone (the
 * text says which). Restored before: done, and ret_item->ended_before. */
int vault_restore(struct vault *vault, const struct uuid *id, bool overwrite, struct vault_work **ret_work,
		  struct err *err);
int vault_delete(struct vault *vault, const struct uuid *id, struct vault_item *ret_item, struct err *err);

/* Each item held or ended in the last months, in no order; an unreadable one is passed over and counted. */
int vault_list(struct vault *vault, int (*each)(void *context, const struct vault_item *item), void *context,
	       size_t *ret_unreadable, struct err *err);
/* For an upload: the sealed file (the caller's to close), its item and its key. */
int vault_open_item(struct vault *vault, const struct uuid *id, int *ret_fd, struct vault_item *ret_item,
		    uint8_t ret_key[VAULT_KEY_BYTES], struct err *err);
/* Begins to take back a sealed copy: copied, then every chunk opened with `key`, or with the one in its header when
 * that is NULL. fd stays open until the work is freed. ERR_UNTRUSTED. */
int vault_put(struct vault *vault, const struct uuid *id, int fd, const uint8_t key[VAULT_KEY_BYTES],
	      struct vault_work **ret_work, struct err *err);

#endif
