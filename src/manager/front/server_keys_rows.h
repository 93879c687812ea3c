/* Server authentication keys in front's database: every key that there was, every succession, which one is present.
 * Calls block. */
#ifndef MUSTER_MANAGER_FRONT_SERVER_KEYS_ROWS_H
#define MUSTER_MANAGER_FRONT_SERVER_KEYS_ROWS_H

#include "manager/front/front_state.h"

/* Start with a zeroed one. */
struct known_keys {
	bool present;
	uint8_t public_key[ENVELOPE_KEY_BYTES];
	struct succession *steps; /* each checked, by serial */
	size_t count, capacity;
	uint64_t last_serial;
};
int known_keys_read(struct front *front, struct known_keys *known, struct err *err);
void known_keys_done(struct known_keys *known);

/* How a key came to be the present one. */
struct key_change {
	struct front *front;
	const char *origin;             /* NULL: as the key says */
	uint32_t event;                 /* 0: likewise */
	const struct succession *steps; /* of a backup: to be known too */
	size_t step_count;
	const struct front_actor *actor;
	const char *action;               /* of the audit entry */
	const struct message_keys *state; /* key_change_store()'s */
};
/* In one transaction: the key, its succession, the event, the audit entry. Told again it changes nothing.
 * ERR_UNTRUSTED: the succession leads to another key, or nobody signed it. */
int key_change_store(struct key_change *change, const struct message_keys *state, struct err *err);

#endif
