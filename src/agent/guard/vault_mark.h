/* Marks of items that ended: "<id>.ending" until their end was told, then
 * "<id>.ended" for some months. Used by vault*.c alone. */
#ifndef MUSTER_AGENT_GUARD_VAULT_MARK_H
#define MUSTER_AGENT_GUARD_VAULT_MARK_H

#include "agent/guard/vault_file.h"

/* Durable, not told yet. item->item.state says how it ended. */
int vault_mark(struct vault *vault, const struct vault_item *item, struct err *err);
/* In two steps, for a restore: what needs room comes before the file is put in its place. A mark that
 * is only prepared says nothing. */
int vault_mark_prepare(const struct vault *vault, const struct vault_item *item, struct err *err);
int vault_mark_commit(struct vault *vault, const struct uuid *id, struct err *err);
void vault_mark_drop(const struct vault *vault, const struct uuid *id);
/* ERR_NOT_FOUND when there is none. ret_item may be NULL. */
int vault_marked(const struct vault *vault, const struct uuid *id, struct vault_item *ret_item);
/* The mark of this file name; ERR_FORMAT. */
int vault_mark_read(const struct vault *vault, const char *name, struct vault_item *ret_item);
int vault_unmark(const struct vault *vault, const struct uuid *id, struct err *err);
/* Removes one that is months old: nobody asks any more. */
void vault_mark_forget_old(const struct vault *vault, const char *name);

#endif
