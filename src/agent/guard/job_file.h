/* What survives of a job when guard ends: jobs/<id>.job. */
#ifndef MUSTER_AGENT_GUARD_JOB_FILE_H
#define MUSTER_AGENT_GUARD_JOB_FILE_H

#include "agent/messages.h"

#define JOB_WINDOW 64 /* plan entries between the oldest unfinished and the newest begun */

/* JOB_ENDED: its end was told, and its files would not go. */
enum job_phase { JOB_QUEUED = 0, JOB_PLANNING, JOB_SCANNING, JOB_ENDED };

struct job_saved {
	uint64_t order; /* of arrival */
	enum job_phase phase;
	bool paused, announced; /* announced: event 2002 is out */
	struct message_progress counts;
	uint64_t plan_bytes; /* valid part of the plan, from JOB_SCANNING on */
	uint64_t position;   /* offset of the oldest entry not finished */
	uint64_t done[JOB_WINDOW];
	size_t done_count; /* entries behind position that are finished */
	uint32_t missed;   /* of the paths that were asked for: could not be scanned at all */
	int trouble_code;  /* what was wrong with the first path that could not be read; 0: nothing */
	char trouble[ERR_TEXT_BYTES];
	char trouble_path[MESSAGE_PATH_MAX_BYTES + 1];
	struct buf start; /* the JOB_START as it came */
};

void job_saved_init(struct job_saved *saved);
void job_saved_done(struct job_saved *saved);
/* Pure. */
void job_saved_pack(struct buf *out, const struct job_saved *saved);
int job_saved_unpack(const void *data, size_t size, struct job_saved *ret_saved);

/* name: "<id>.job" */
int job_file_save(int directory, const struct job_saved *saved, struct err *err);
int job_file_load(int directory, const char *name, struct job_saved *ret_saved, struct err *err);
void job_file_name(const struct uuid *id, const char *ending, char name[64]);

#endif
