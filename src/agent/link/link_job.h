/* A scan as link knows it: inner header of link_jobs.c, link_jobs_steer.c and link_jobs_tell.c. */
#ifndef MUSTER_AGENT_LINK_LINK_JOB_H
#define MUSTER_AGENT_LINK_LINK_JOB_H

#include "agent/link/link_jobs.h"
#include "agent/schedule.h"

enum link_job_origin { ORIGIN_MANAGER, ORIGIN_LOCAL, ORIGIN_SCHEDULE };

struct link_steering;

struct link_job {
	struct link_jobs *jobs;
	struct uuid id;
	enum link_job_origin origin;
	bool asked; /* the start is with guard, unanswered: the job must stay in memory */
	bool again; /* ran when link last ended; guard has said nothing of it yet */
	bool ended;
	struct buf start;                 /* the request to guard; empty once sent */
	struct message_progress progress; /* without path */
	char path[MESSAGE_PATH_MAX_BYTES + 1];
	time_us reported;
	struct control_client *client;
	struct link_job *next;
};

struct link_jobs {
	struct link *link;
	bool settled;
	struct link_steering *steerings; /* in the order of asking */
	struct link_job *first;
	size_t count;
	struct schedule schedule;
	time_us next_run; /* wall clock; 0: never */
};

/* --- link_jobs_steer.c --- */

/* What was asked about scans before guard had told all that it had kept. */
void link_jobs_steer_waiting(struct link_jobs *jobs);
void link_jobs_steer_free(struct link_jobs *jobs);

/* --- link_jobs_tell.c --- */

const char *link_job_origin_name(enum link_job_origin origin);
/* {"type": "progress", …} */
json_t *link_job_progress_line(const struct link_job *job);
/* To the manager. */
void link_job_report_progress(struct link_job *job);
/* Ends the command of this id as guard says; ERR_NOT_FOUND: it was acknowledged before. */
int link_job_end_command(struct link_jobs *jobs, const struct message_job_ended *ended, struct err *err);
/* Whoever watches it, if anybody does, has its end. */
void link_job_tell_client(struct link_job *job, const struct message_job_ended *ended);

#endif
