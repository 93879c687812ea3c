/* Scans as link sees them: commanded by the manager, asked for locally, or
 * scheduled. Guard does the work; this part passes requests on, carries
 * progress to the manager (at most once a second) and to local watchers, and
 * ends to the endpoint. Loop thread only.
 */
#ifndef MUSTER_AGENT_LINK_LINK_JOBS_H
#define MUSTER_AGENT_LINK_LINK_JOBS_H

#include <jansson.h>

#include "agent/link/link.h"

#define LINK_JOBS_MAX          64
#define LINK_PROGRESS_EVERY_US SECOND_US

struct link_jobs *link_jobs_new(struct link *link, struct err *err);
void link_jobs_free(struct link_jobs *jobs);

/* The endpoint's actor: a verified scan command. */
int link_jobs_command(struct link_jobs *jobs, const struct endpoint_command *command, struct err *err);
/* type: MESSAGE_JOB_PAUSE, _RESUME, _CANCEL. by: the command that asks, ended when guard has answered: this then
 * returns ENDPOINT_UNDER_WAY. NULL: none. */
int link_jobs_steer(struct link_jobs *jobs, enum message_type type, const struct uuid *id, const struct uuid *by,
		    struct err *err);
/* A scan from the control socket; the client gets progress, detections and the end. */
int link_jobs_local(struct link_jobs *jobs, const struct control_request *request, struct control_client *client,
		    struct err *err);
/* The client is gone; its scan goes on. */
void link_jobs_unwatch(struct link_jobs *jobs, const struct control_client *client);

/* From guard. */
void link_jobs_progress(struct link_jobs *jobs, const struct message_progress *progress);
int link_jobs_ended(struct link_jobs *jobs, const struct message_job_ended *ended, struct err *err);
/* A detection among the notices: shown to whoever watches its scan. */
void link_jobs_event(struct link_jobs *jobs, const struct message_event *event);
/* Who wanted the scan that an event is about: "manager", "local", "schedule"; NULL when not known. */
const char *link_jobs_origin(const struct link_jobs *jobs, const struct message_event *event);
/* Guard has told everything it had kept: commands that were running when link
 * ended, and that guard said nothing about, are given to it again. What is
 * asked about scans until then waits for this. */
void link_jobs_settled(struct link_jobs *jobs);

/* Starts a scheduled scan when it is time; when to look again (monotonic). */
void link_jobs_step(struct link_jobs *jobs);
time_us link_jobs_due(const struct link_jobs *jobs);
/* For status: one object a job. */
json_t *link_jobs_status(const struct link_jobs *jobs);

#endif
