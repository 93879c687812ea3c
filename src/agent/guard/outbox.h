/* Guard's outbox: notices kept on disk until link has them durably.
 *
 * One append-only file of records (size, CRC-32C, number and notice), synced
 * before outbox_append() returns. A record cut short by a crash was never
 * promised to anybody and is dropped on opening. When everything is stored the
 * file starts again; numbers go on. Damage is left out, what stands behind it
 * is kept; a file of which nothing can be read is set aside as NAME.damaged.
 */
#ifndef MUSTER_AGENT_GUARD_OUTBOX_H
#define MUSTER_AGENT_GUARD_OUTBOX_H

#include "agent/messages.h"

#define OUTBOX_MAX_BYTES (64 * MIB) /* beyond it scanning waits until link has taken some */

struct outbox;

struct outbox_damage {
	uint64_t bytes, places; /* left out; 0: none */
};

/* directory stays the caller's and must outlive the outbox. beginning: the number before the first notice of a file
 * that is begun anew, above all that link may know from an earlier one (microseconds since 1970 are); ret_damage: to
 * be told by an event. Blocks on disk, as all here. */
int outbox_open(int directory, const char *name, uint64_t beginning, struct outbox **ret_outbox,
		struct outbox_damage *ret_damage, struct err *err);
void outbox_close(struct outbox *outbox); /* accepts NULL */

/* Gives the notice its number and makes it durable. ERR_SPACE over OUTBOX_MAX_BYTES. */
int outbox_append(struct outbox *outbox, struct message_notice *notice, struct err *err);
/* Link has everything up to number. */
int outbox_stored(struct outbox *outbox, uint64_t number, struct err *err);
/* The first notice above `after`, as MESSAGE_NOTICE payload appended to out. ERR_NOT_FOUND when there is none. */
int outbox_next(struct outbox *outbox, uint64_t after, struct buf *out, uint64_t *ret_number, struct err *err);

uint64_t outbox_last(const struct outbox *outbox);     /* number given last */
uint64_t outbox_finished(const struct outbox *outbox); /* every notice up to this number is stored */
bool outbox_full(const struct outbox *outbox);
/* True when the end of this job waits in here. */
bool outbox_holds_end(struct outbox *outbox, const struct uuid *job);
/* True when an event of this type whose field `field` names this id waits in here. */
bool outbox_holds_event(struct outbox *outbox, uint32_t type, const char *field, const struct uuid *id);
/* The same for the field "item"; type 0: the item's own notice. */
bool outbox_holds_item(struct outbox *outbox, uint32_t type, const struct uuid *item);

#endif
