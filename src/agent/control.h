/* What local commands and the running agent say to each other: one JSON
 * object a line over run/agent.sock. The asker sends one request; the agent
 * answers with lines of "type" progress, detection, event, item or status, and
 * last one of type "end" with "ok", and "code" and "error" when not ok.
 *
 * File names travel escaped (base/text.h), since JSON holds only UTF-8. This
 * file is the pure part, used by both ends: requests to and from JSON, lines
 * from bytes, limits. Requests come from local users whom the socket's mode and
 * SO_PEERCRED let through; they are still not trusted to be well-formed.
 */
#ifndef MUSTER_AGENT_CONTROL_H
#define MUSTER_AGENT_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hex.h"

#define CONTROL_REQUEST_MAX_BYTES ((size_t)64 * 1024)
#define CONTROL_LINE_MAX_BYTES    ((size_t)256 * 1024)
#define CONTROL_PATHS_MAX         256
#define CONTROL_PATH_MAX_BYTES    4096
#define CONTROL_EVENTS_MAX        10000
#define CONTROL_PASSWORD_MAX      256
#define CONTROL_TEXT_MAX_BYTES    1024

enum control_kind {
	CONTROL_STATUS,
	CONTROL_SCAN,
	CONTROL_CANCEL,
	CONTROL_HEARTBEAT,
	CONTROL_EVENTS,
	CONTROL_SETTINGS,
	CONTROL_QUARANTINE_LIST,
	CONTROL_QUARANTINE_RESTORE,
	CONTROL_QUARANTINE_DELETE,
	CONTROL_STOP,
	CONTROL_TRUST,
	CONTROL_MOVE,
	CONTROL_UNINSTALL, /* stops it, for muster-agent uninstall */
};

struct control_request {
	enum control_kind kind;
	struct uuid item; /* quarantine item, or the job to cancel */
	bool overwrite;   /* restore */
	uint32_t limit;   /* events; 0: the default */
	char **paths;     /* scan: raw bytes, absolute, NUL-terminated */
	size_t path_count;
	char **exclude;
	size_t exclude_count;
	uint8_t key[32];             /* trust: the raw public key; move: if has_key, what the manager has to prove */
	char *manager, *token;       /* move; token NULL: none */
	bool has_key, has_authority; /* one of them at least */
	uint8_t authority[SHA256_BYTES];
	uint16_t listen_port; /* move: where the agent listens from then on; 0: as the other manager says */
	char *password; /* move, stop, trust, uninstall: of the policy, where one is set; NULL: none was given; wiped */
};

/* One request line without its newline. ERR_FORMAT, ERR_LIMIT, ERR_UNKNOWN, ERR_RANGE. */
int control_request_parse(const void *line, size_t size, struct control_request *ret_request, struct err *err);
void control_request_done(struct control_request *request);
/* The line for a request, newline included; free() it. NULL: no memory. */
char *control_request_format(const struct control_request *request);

/* The text as a JSON string, escaped; never NULL unless out of memory. */
json_t *control_name(const void *bytes, size_t size);

/* {"type":"end","ok":true}, or with the error's code and text. */
json_t *control_end_line(int rc, const struct err *err);

/* Takes the next whole line out of what was received: its start inside `in`
 * and size without the newline; consume *ret_size + 1 bytes afterwards.
 * false: none yet. ERR_LIMIT through *ret_rc when no newline came within max. */
bool control_line(const struct buf *in, size_t max_bytes, size_t *ret_size, int *ret_rc);

#endif
