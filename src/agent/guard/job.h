/* One scan job at work. Shared by jobs.c, job_end.c, job_plan.c, job_scan.c, job_find.c alone. */
#ifndef MUSTER_AGENT_GUARD_JOB_H
#define MUSTER_AGENT_GUARD_JOB_H

#include <openssl/evp.h>

#include "agent/guard/job_file.h"
#include "agent/guard/jobs.h"
#include "agent/guard/notices.h"
#include "agent/guard/plan.h"
#include "os/walk.h"
#include "protect/exclusions.h"
#include "protect/verdict_cache.h"

enum entry_state { ENTRY_FREE = 0, ENTRY_READY, ENTRY_FLYING, ENTRY_FOUND, ENTRY_DONE };

/* A plan entry between being opened and being finished. */
struct entry {
	enum entry_state state;
	uint64_t cookie, offset, bytes;
	int fd;
	struct stat st;
	time_us opened;   /* wall clock */
	bool interrupted; /* it was being scanned when the scan program ended */
	char *path;
	char *detection; /* ENTRY_FOUND: waits for the vault, or is being taken into it */
};

/* The detection that is being handled: one at a time. It has everything of its own, so that it goes on when its job
 * was cancelled. */
struct finding {
	bool busy;
	struct uuid job;
	uint64_t cookie;
	int fd;
	struct stat st;
	char *path, *detection;
	struct vault_work *work; /* NULL: it failed, and is read to the end for the event */
	EVP_MD_CTX *digest;
	off_t digested;
	struct err why;
};

struct job {
	struct job_saved saved;
	struct message_job_start start; /* points into saved.start */
	/* while it is the one at work: */
	bool prepared;
	const struct jobs_world *world;
	struct message_limits limits;
	struct exclusions *exclusions;
	struct verdict_cache *cache; /* NULL: none */
	bool version_known;
	struct scan_version version;
	struct plan plan;
	struct walk *walk;
	size_t path_index;
	uint64_t read_offset; /* of the plan: the next entry to begin */
	uint64_t first, next; /* cookies: oldest unfinished, next to give; slot = cookie % JOB_WINDOW */
	struct entry window[JOB_WINDOW];
	char path[PLAN_PATH_MAX_BYTES + 1]; /* for progress */
	time_us running_since;              /* monotonic, 0: not counting */
	time_us saved_at, shown_at;
	int failure; /* 0, or why it must end */
	struct err cause;
	/* its end, until that is told: */
	bool ending, event_told;
	enum message_outcome outcome;
	time_us tell_at; /* monotonic */
	bool told;       /* its end is in the outbox, its files would not go yet */
};

struct jobs {
	struct jobs_world world;
	struct message_settings settings;
	struct buf settings_bytes; /* what settings points into */
	struct job *list[JOBS_MAX];
	size_t count;
	uint64_t order, signatures_print;
	struct finding finding;
};

struct job *jobs_find(const struct jobs *jobs, const struct uuid *id);
/* The one at work, or NULL. A paused job still takes the verdicts of what was under way. */
struct job *jobs_at_work(const struct jobs *jobs);
/* The entry that has this cookie, or NULL. */
struct entry *job_entry(struct job *job, uint64_t cookie);
void job_entry_finish(struct job *job, struct entry *entry);

/* Exclusions, limits, cache, version. 0, ERR_BUSY: the version is still to come, or why it fails. */
int job_prepare(struct jobs *jobs, struct job *job, struct err *err);
/* The settings in force, for a job at work. */
int job_settings(struct jobs *jobs, struct job *job, struct err *err);
/* A piece of planning; saved.phase becomes JOB_SCANNING at its end. */
int job_plan_step(struct jobs *jobs, struct job *job, struct err *err);
/* A piece of scanning. True when there was something to do. *ret_done: everything is finished. */
bool job_scan_step(struct jobs *jobs, struct job *job, bool *ret_done);
void job_scan_verdict(struct jobs *jobs, struct job *job, uint64_t cookie, const struct scan_verdict *verdict);
void job_scan_lost(struct jobs *jobs, struct job *job, uint64_t cookie, const char *what);
void job_scan_again(struct jobs *jobs, struct job *job, uint64_t cookie, bool begun);
/* Closes what is open in the window; entries not finished stay so in the plan. */
void job_scan_drop(struct job *job);
/* Position and finished entries into saved. */
void job_scan_note(struct job *job);
void job_save(struct jobs *jobs, struct job *job);

/* Decides how it ends; job_end_tell() then tells it. */
void job_end_begin(struct job *job, enum message_outcome outcome);
/* Event and notice, each once; on an error, called again later, it goes on where it stood. */
int job_end_tell(struct jobs *jobs, struct job *job, struct err *err);
/* After a start: what of this job was told already. Nothing may have left the outbox since. */
void job_end_recall(const struct jobs *jobs, struct job *job);

/* Takes note of a detection; job_find_step() handles it: vault, events, and the entry is finished. */
int job_found(struct entry *entry, const char *detection, struct err *err);
/* A slice of the detection that is being handled, or the beginning of the next. True: there is more to do. */
bool job_find_step(struct jobs *jobs);
/* Detections of this job wait, or one is being handled. */
bool job_find_pending(const struct jobs *jobs, struct job *job);
/* The file goes back to its place; the entry stays unfinished. */
void job_find_drop(struct jobs *jobs);
void job_not_fully(struct jobs *jobs, struct job *job, const char *path, const char *limit);
void job_file_error(struct job *job, const char *path, const struct err *err);

static inline struct verdict_file job_verdict_file(const struct stat *st)
{
	return (struct verdict_file){
		.device = st->st_dev,
		.inode = st->st_ino,
		.size = (uint64_t)st->st_size,
		.modified_ns = st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
		.changed_ns = st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec,
	};
}

#endif
