/* What front and the hypervisor role say to each other (manager/messages.h):
 *
 *   front -> hypervisor   WATCH: all hypervisors to be connected with, in place of those before
 *   hypervisor -> front   MACHINES: some of one's machines, in several messages where they are many;
 *                         LINK: how its connection is. "Connected" ends a list and says that it is whole.
 *
 * round is front's: another one for the same hypervisor means to hang up and
 * connect anew; answers carry the one they belong to. Decoded like outside
 * input, on both sides.
 */
#ifndef MUSTER_MANAGER_HYPERVISOR_HYPERVISOR_MESSAGES_H
#define MUSTER_MANAGER_HYPERVISOR_HYPERVISOR_MESSAGES_H

#include "base/buf.h"
#include "base/hex.h"
#include "base/pack.h"
#include "manager/hypervisor/hypervisor_uri.h"

#define HYPERVISORS_MAX            32
#define HYPERVISOR_MACHINES_MAX    10000 /* of one hypervisor */
#define HYPERVISOR_CHUNK           128   /* machines in a message */
#define HYPERVISOR_MACHINE_BYTES   256   /* of a machine's name, with its NUL */
#define HYPERVISOR_WATCH_MAX_BYTES (HYPERVISORS_MAX * (HYPERVISOR_URI_BYTES + 32) + 8)
#define HYPERVISOR_CHUNK_MAX_BYTES (HYPERVISOR_CHUNK * (HYPERVISOR_MACHINE_BYTES + 24) + 64)

struct hypervisor_order {
	struct uuid id;
	uint32_t round;
	char uri[HYPERVISOR_URI_BYTES];
};
struct hypervisor_watch {
	size_t count;
	struct hypervisor_order orders[HYPERVISORS_MAX];
};

enum hypervisor_link { HYPERVISOR_CONNECTING, HYPERVISOR_CONNECTED, HYPERVISOR_FAILED, HYPERVISOR_LINKS };
struct hypervisor_said {
	struct uuid id;
	uint32_t round;
	enum hypervisor_link link;
	char text[ERR_TEXT_BYTES]; /* why it failed */
};

enum hypervisor_power {
	HYPERVISOR_RUNNING,
	HYPERVISOR_PAUSED,
	HYPERVISOR_SUSPENDED, /* asleep, by its own will */
	HYPERVISOR_SHUTTING_DOWN,
	HYPERVISOR_SHUT_OFF,
	HYPERVISOR_CRASHED,
	HYPERVISOR_NO_STATE,
	HYPERVISOR_POWERS
};
struct hypervisor_machine {
	struct uuid id;
	enum hypervisor_power power;
	char name[HYPERVISOR_MACHINE_BYTES];
};
struct hypervisor_machines {
	struct uuid id; /* of the hypervisor */
	uint32_t round;
	bool first; /* of a list */
	size_t count;
	struct hypervisor_machine machines[HYPERVISOR_CHUNK];
};

/* Words as the API says them: "connecting", "running", "shut_off", … */
const char *hypervisor_link_name(enum hypervisor_link link);
const char *hypervisor_power_name(enum hypervisor_power power);

/* Encoders append to out; its sticky status tells. Decoders return 0 or ERR_FORMAT, ERR_LIMIT. */
void hypervisor_pack_watch(struct buf *out, const struct hypervisor_watch *watch);
int hypervisor_unpack_watch(const void *data, size_t size, struct hypervisor_watch *ret_watch);
void hypervisor_pack_said(struct buf *out, const struct hypervisor_said *said);
int hypervisor_unpack_said(const void *data, size_t size, struct hypervisor_said *ret_said);
void hypervisor_pack_machines(struct buf *out, const struct hypervisor_machines *machines);
int hypervisor_unpack_machines(const void *data, size_t size, struct hypervisor_machines *ret_machines);

#endif
