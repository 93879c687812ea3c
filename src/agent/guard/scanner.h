/* Guard's side of the scan program: started on demand, its workers kept fed.
 *
 * Several files wait in each worker; verdicts come in order. A worker that
 * dies or takes too long loses the file it was at, the others are handed back
 * to be sent again. Nothing here blocks; the owner polls scanner_fds() and
 * calls scanner_serve() and scanner_tick(). Hooks are called from within these.
 */
#ifndef MUSTER_AGENT_GUARD_SCANNER_H
#define MUSTER_AGENT_GUARD_SCANNER_H

#include <poll.h>

#include "agent/guard/starter.h"
#include "agent/scan_messages.h"
#include "base/env.h"

#define SCANNER_QUEUE_MAX 4 /* files waiting in one worker */
#define SCANNER_FDS_MAX   (1 + SCAN_WORKERS_MAX)

enum scanner_state {
	SCANNER_OFF,
	SCANNER_STARTING,
	SCANNER_IDLE, /* the version is known; nothing loaded */
	SCANNER_LOADING,
	SCANNER_READY,
	SCANNER_FAILED, /* scanner_failure() says why; until scanner_reset() */
};

struct scanner_hooks {
	void (*verdict)(void *context, uint64_t cookie, const struct scan_verdict *verdict);
	/* The worker died on this file: what "crashed (signal 11)", "took longer than 120 s". */
	void (*lost)(void *context, uint64_t cookie, const char *what);
	/* Submit it again: it was never looked at, or (begun) was being looked at when the whole program ended, which
	 * need not be this file's doing. Whoever submits counts: a file is not begun for ever. */
	void (*again)(void *context, uint64_t cookie, bool begun);
	void (*changed)(void *context); /* another state */
};

struct scanner;

int scanner_new(const struct env *env, struct starter *starter, const struct scanner_hooks *hooks, void *context,
		struct scanner **ret_scanner, struct err *err);
void scanner_free(struct scanner *scanner); /* accepts NULL */

/* Takes effect with the workers started from now on. Of settings: workers (0: one a processor, at most 4),
 * idle_exit_s, cpu_percent (of its time that each worker may work; 0: all). */
void scanner_configure(struct scanner *scanner, const struct message_limits *limits,
		       const struct message_settings *settings);

/* Wants the version known, or with load the engine ready, and waits for neither. */
void scanner_want(struct scanner *scanner, bool load);
enum scanner_state scanner_state(const struct scanner *scanner);
const struct scan_version *scanner_version(const struct scanner *scanner); /* from SCANNER_IDLE on */
const struct scan_loaded *scanner_loaded(const struct scanner *scanner);   /* of the last load */
const char *scanner_failure(const struct scanner *scanner);
/* Ends the scan program; the next scanner_want() starts it anew, with whatever signatures there are then. */
void scanner_reset(struct scanner *scanner);

bool scanner_has_room(const struct scanner *scanner);
/* fd stays the caller's. ERR_BUSY without room. */
int scanner_submit(struct scanner *scanner, int fd, uint64_t cookie, struct err *err);
/* Forgets every file submitted; workers that are busy are ended. No hook is called for them. */
void scanner_abandon(struct scanner *scanner);

size_t scanner_fds(const struct scanner *scanner, struct pollfd *watches);
void scanner_serve(struct scanner *scanner);
void scanner_ended(struct scanner *scanner, const char *cause); /* the starter says so */
/* Ends what takes too long and what idles. The moment (monotonic) of the next need, INT64_MAX: none. */
time_us scanner_tick(struct scanner *scanner);

#endif
