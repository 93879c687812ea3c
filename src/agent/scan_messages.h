/* What guard says to the scan program and to its workers, and back.
 *
 * Scan's side is believed about verdicts only: it sees hostile files, so its
 * messages are decoded under limits and its types are few. It tells VERSION
 * first; guard asks it to LOAD when there is something to scan, then for
 * workers. Each worker brings its own channel: guard sends FILEs (several may
 * wait there), the worker answers each with a VERDICT in order.
 */
#ifndef MUSTER_AGENT_SCAN_MESSAGES_H
#define MUSTER_AGENT_SCAN_MESSAGES_H

#include "agent/messages.h"

#define SCAN_VERSION_BYTES      16
#define SCAN_ENGINE_TEXT_BYTES  64
#define SCAN_WORKERS_MAX        16
#define SCAN_MESSAGE_TEXT_BYTES ERR_TEXT_BYTES

enum scan_message_type {
	/* scan to guard */
	SCAN_VERSION = 1, /* struct scan_version */
	SCAN_LOADED,      /* struct scan_loaded; code 0, or why there will be no verdicts */
	SCAN_WORKER,      /* u32 number, with the worker's channel */
	SCAN_WORKER_GONE, /* struct scan_gone */
	/* guard to scan */
	SCAN_LOAD = 32,    /* empty */
	SCAN_WORKER_START, /* u32 number, limits */
	SCAN_WORKER_KILL,  /* u32 number */
	/* guard to worker */
	SCAN_FILE = 64, /* with the file, open for reading; the request id names it */
	/* worker to guard */
	SCAN_VERDICT = 96, /* struct scan_verdict */
};

extern const struct channel_permit scan_permits_guard[], scan_permits_scan[], scan_permits_worker[],
    scan_permits_verdicts[];
extern const size_t scan_permits_guard_count, scan_permits_scan_count, scan_permits_worker_count,
    scan_permits_verdicts_count;

/* Which engine and signatures a verdict comes from: equal tags, equal verdicts. */
struct scan_version {
	uint8_t tag[SCAN_VERSION_BYTES];
	char engine[SCAN_ENGINE_TEXT_BYTES]; /* "1.4.6" */
};

enum scan_load_failure { SCAN_LOAD_FINE, SCAN_LOAD_FAILED, SCAN_SELF_TEST_FAILED };

struct scan_loaded {
	enum scan_load_failure failure;
	uint32_t signatures;
	uint64_t duration_us;
	struct scan_version version; /* of what was loaded: may differ from what VERSION said */
	char text[SCAN_MESSAGE_TEXT_BYTES];
};

struct scan_gone {
	uint32_t number;
	uint32_t signal; /* that ended it, or 0 */
	uint32_t exit_code;
};

enum scan_outcome {
	SCAN_CLEAN,
	SCAN_INFECTED,  /* name: the detection */
	SCAN_NOT_FULLY, /* name: the limit */
	SCAN_UNREADABLE /* name: why */
};

struct scan_verdict {
	enum scan_outcome outcome;
	uint64_t duration_us;
	char name[SCAN_MESSAGE_TEXT_BYTES];
};

void scan_pack_version(struct buf *out, const struct scan_version *version);
int scan_unpack_version(const void *data, size_t size, struct scan_version *ret_version);
void scan_pack_loaded(struct buf *out, const struct scan_loaded *loaded);
int scan_unpack_loaded(const void *data, size_t size, struct scan_loaded *ret_loaded);
void scan_pack_gone(struct buf *out, const struct scan_gone *gone);
int scan_unpack_gone(const void *data, size_t size, struct scan_gone *ret_gone);
void scan_pack_verdict(struct buf *out, const struct scan_verdict *verdict);
int scan_unpack_verdict(const void *data, size_t size, struct scan_verdict *ret_verdict);
/* SCAN_WORKER, SCAN_WORKER_KILL: limits NULL. SCAN_WORKER_START: with limits. */
void scan_pack_worker(struct buf *out, uint32_t number, const struct message_limits *limits);
int scan_unpack_worker(const void *data, size_t size, uint32_t *ret_number, struct message_limits *ret_limits);

#endif
