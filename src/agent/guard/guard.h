/* The guard role: what `muster-agent run` becomes.
 *
 * guard_run() makes the data directory's folders and the control socket,
 * forks a small starter (the only process that may start programs), confines
 * itself, has link started and kept running, and the scan program when there
 * is work; then walks, asks for verdicts, quarantines, until SIGTERM, SIGINT
 * or link's STOP. Link and scan die with guard.
 *
 * Link is started as `<link_program> <link_arguments…>` with its channel
 * (agent/messages.h) as ROLE_CHANNEL_FD and the listening control socket
 * (run/agent.sock, SOCK_STREAM) as descriptor 4, as root when guard is root:
 * it drops to its user itself with role_confine().
 */
#ifndef MUSTER_AGENT_GUARD_GUARD_H
#define MUSTER_AGENT_GUARD_GUARD_H

#include <sys/types.h>

#include "agent/messages.h"
#include "base/err.h"
#include "os/role.h"

#define GUARD_CONTROL_FD (ROLE_CHANNEL_FD + 1)

struct guard_options {
	const char *data;                  /* the data directory, absolute */
	const char *link_program;          /* NULL: /proc/self/exe */
	const char *const *link_arguments; /* argv[1]…, NULL-terminated: { "role", "link", "--data", DIR, NULL } */
	const char *scan_program;          /* NULL: muster-agent-scan beside this program */
	const char *signatures;            /* NULL: <data>/signatures */
	uid_t link_uid;                    /* owner of identity/ and link/; ignored without root */
	gid_t link_gid;
	uid_t scan_uid;
	gid_t scan_gid;
	struct message_settings settings; /* until link sends others; zero fields: defaults */
	/* Limits that link cannot change; both lists live until guard_run() returns. */
	struct message_paths never_delete, never_exclude;
};

/* Blocks until the agent is to end. 0 after STOP or a signal. Logs by base/log.h. */
int guard_run(const struct guard_options *options, struct err *err);

#endif
