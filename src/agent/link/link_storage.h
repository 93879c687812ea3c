/* The endpoint's files on disk: DIR/link/spool.log, journal.log, configuration,
 * and the key that is trusted, DIR/identity/manager.pub.
 *
 * Moves bytes for endpoint/storage.h: appends, syncs, replaces atomically. A
 * failed append is taken back, so that what follows it is not behind a torn
 * record. Calls block on the disk. Only the link role's own directories are used.
 */
#ifndef MUSTER_AGENT_LINK_LINK_STORAGE_H
#define MUSTER_AGENT_LINK_LINK_STORAGE_H

#include "endpoint/storage.h"

struct link_storage;

/* Open descriptors of DIR/link and DIR/identity, kept by the caller while this lives. */
int link_storage_new(int directory, int identity, struct link_storage **ret_storage, struct err *err);
void link_storage_free(struct link_storage *storage);
struct endpoint_storage link_storage_table(struct link_storage *storage);

#endif
