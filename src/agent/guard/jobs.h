/* Scan jobs: one at a time, the others queue; each survives a restart.
 *
 * jobs_step() does a bounded piece of work and is called again and again; it
 * never waits for a verdict. A job ends with a NOTICE_JOB_ENDED in the outbox,
 * after its events. Blocks on disk only.
 */
#ifndef MUSTER_AGENT_GUARD_JOBS_H
#define MUSTER_AGENT_GUARD_JOBS_H

#include <sys/stat.h>

#include "agent/guard/outbox.h"
#include "agent/guard/scanner.h"
#include "agent/guard/vault.h"
#include "protect/exclusions.h"

#define JOBS_MAX 64

struct jobs_world {
	const struct env *env;
	int directory;       /* guard/jobs */
	int cache_directory; /* guard/, for verdicts.cache */
	dev_t data_device;   /* the agent's own data directory: never scanned */
	ino_t data_inode;
	const char *signatures; /* directory, watched for changes */
	struct outbox *outbox;
	struct vault *vault;
	struct scanner *scanner;
	const struct exclusions *never_delete; /* detections there are told, and left where they are */
	void (*progress)(void *context, const struct message_progress *progress);
	void *context;
};

struct jobs;

/* Takes up what an earlier guard left. Strings and pointers in world must outlive jobs. */
int jobs_new(const struct jobs_world *world, struct jobs **ret_jobs, struct err *err);
void jobs_free(struct jobs *jobs); /* saves; accepts NULL */

/* At once, for the scan under way too. */
int jobs_configure(struct jobs *jobs, const struct message_settings *settings, struct err *err);
/* True when these packed settings are in force already. */
bool jobs_configured(const struct jobs *jobs, const void *payload, size_t size);
/* payload: a JOB_START. Durable when 0. ERR_FORMAT: does not decode; ERR_BUSY: too many wait. */
int jobs_start(struct jobs *jobs, const void *payload, size_t size, struct err *err);
int jobs_pause(struct jobs *jobs, const struct uuid *id, bool paused, struct err *err);
int jobs_cancel(struct jobs *jobs, const struct uuid *id, struct err *err);

/* True when there is more to do at once. */
bool jobs_step(struct jobs *jobs);
/* When jobs_step() is due without anything else happening (monotonic); INT64_MAX: never. */
time_us jobs_next(const struct jobs *jobs);

/* The scanner's hooks. */
void jobs_on_verdict(struct jobs *jobs, uint64_t cookie, const struct scan_verdict *verdict);
void jobs_on_lost(struct jobs *jobs, uint64_t cookie, const char *what);
void jobs_on_again(struct jobs *jobs, uint64_t cookie, bool begun);

/* An item that a crash kept from being told: its events and its notice, then it is settled. */
void jobs_announce_item(struct jobs *jobs, const struct vault_item *item);

#endif
