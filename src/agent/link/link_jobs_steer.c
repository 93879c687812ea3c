/* Pausing, resuming and cancelling scans (agent/link/link_jobs.h). Input: verified commands, the owner's requests. */
#include "agent/link/link_job.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

/* Something asked about a scan, from the asking to guard's answer. */
struct link_steering {
	struct link_jobs *jobs;
	enum message_type type;
	struct uuid job;
	struct uuid by; /* zero: no command */
	struct link_steering *next;
};

static void steering_drop(struct link_steering *steering)
{
	struct link_steering **at = &steering->jobs->steerings;

	while (*at != steering)
		at = &(*at)->next;
	*at = steering->next;
	free(steering);
}

static void steering_end(struct link_steering *steering, int code, const char *text)
{
	struct link *link = steering->jobs->link;
	struct err err = { 0 }, problem;

	if (code) {
		err_set(&err, code, "%s", text);
		LOG(LOG_WARNING, "scan.not_steered", log_uuid("job", &steering->job), log_err(&err));
	}
	if (!uuid_is_zero(&steering->by) &&
	    endpoint_end(link->endpoint, &steering->by, code ? COMMAND_FAILED : COMMAND_SUCCEEDED,
			 code ? err_name(code) : "", err.text, NULL, 0, &problem))
		LOG(LOG_ERROR, "scan.end_not_kept", log_uuid("command", &steering->by), log_err(&problem));
	steering_drop(steering);
	link_wake(link);
}

static void on_steered(void *argument, const struct message_answer *answer, int fd)
{
	char text[ERR_TEXT_BYTES];

	(void)fd;
	snprintf(text, sizeof(text), "%.*s", (int)answer->text.size, (const char *)answer->text.data);
	steering_end(argument, answer->code, text);
}

static int ask_steering(struct link_steering *steering, struct err *err)
{
	return link_guard_target(steering->jobs->link->guard, steering->type, &steering->job, false, on_steered,
				 steering, err);
}

int link_jobs_steer(struct link_jobs *jobs, enum message_type type, const struct uuid *id, const struct uuid *by,
		    struct err *err)
{
	struct link_steering *steering = calloc(1, sizeof(*steering)), **at = &jobs->steerings;
	int rc = 0;

	if (steering == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	*steering = (struct link_steering){ .jobs = jobs, .type = type, .job = *id };
	if (by != NULL)
		steering->by = *by;
	while (*at != NULL)
		at = &(*at)->next;
	*at = steering;
	if (jobs->settled)
		rc = ask_steering(steering, err);
	if (rc)
		steering_drop(steering);
	return rc ? rc : by != NULL ? ENDPOINT_UNDER_WAY : 0;
}

void link_jobs_steer_waiting(struct link_jobs *jobs)
{
	struct link_steering *next;
	struct err err = { 0 };

	for (struct link_steering *steering = jobs->steerings; steering != NULL; steering = next) {
		next = steering->next;
		if (ask_steering(steering, &err))
			steering_end(steering, err.code, err.text);
	}
}

void link_jobs_steer_free(struct link_jobs *jobs)
{
	while (jobs->steerings != NULL)
		steering_drop(jobs->steerings);
}
