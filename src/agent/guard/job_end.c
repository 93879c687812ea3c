/* How a job ended, and telling it once: event 2003, 2004 or 2005, then the
 * notice from which link ends the command. A crash or a disk error may part the
 * two; what the outbox still holds shows what was told. */
#include <string.h>

#include "agent/guard/job.h"
#include "fleet/event_types.h"

static const uint32_t types[] = { [OUTCOME_SUCCEEDED] = EVENT_SCAN_FINISHED,
				  [OUTCOME_FAILED] = EVENT_SCAN_FAILED,
				  [OUTCOME_CANCELLED] = EVENT_SCAN_CANCELLED };

static bool told(const struct jobs *jobs, const struct job *job, uint32_t type)
{
	return outbox_holds_event(jobs->world.outbox, type, "command", &job->start.job);
}

static bool nothing_read(const struct job *job)
{
	return job->saved.missed > 0 && job->saved.missed >= job->start.paths.count;
}

/* A scan that could read nothing of what it was asked for did not succeed. */
static enum message_outcome judge(struct job *job, enum message_outcome outcome)
{
	if (outcome != OUTCOME_SUCCEEDED || !nothing_read(job))
		return outcome;
	job->failure = job->saved.trouble_code;
	err_set(&job->cause, job->failure, "%s", job->saved.trouble);
	return OUTCOME_FAILED;
}

void job_end_begin(struct job *job, enum message_outcome outcome)
{
	job->outcome = judge(job, outcome);
	job->ending = true;
}

void job_end_recall(const struct jobs *jobs, struct job *job)
{
	job->saved.announced = job->saved.announced || told(jobs, job, EVENT_SCAN_STARTED);
	for (unsigned outcome = OUTCOME_SUCCEEDED; outcome < COUNT_OF(types); outcome++) {
		if (!told(jobs, job, types[outcome]))
			continue;
		job->ending = job->event_told = true;
		job->outcome = (enum message_outcome)outcome;
	}
	if (!job->ending || job->outcome != OUTCOME_FAILED)
		return;
	if (nothing_read(job))
		(void)judge(job, OUTCOME_SUCCEEDED);
	else
		job->failure = err_set(&job->cause, ERR_IO, "it failed just before the agent was stopped");
}

/* Why it failed, else what was wrong with the first path that could not be read. */
static void explain(const struct job *job, struct message_job_ended *ended)
{
	const struct job_saved *saved = &job->saved;
	const char *text = ended->outcome == OUTCOME_FAILED ? job->cause.text : saved->trouble;

	if (ended->outcome == OUTCOME_CANCELLED || (ended->outcome == OUTCOME_SUCCEEDED && saved->trouble_code == 0))
		return;
	ended->text = (struct bytes){ (const uint8_t *)text, strlen(text) };
	if (ended->outcome == OUTCOME_FAILED)
		ended->code = job->failure;
	if (ended->outcome == OUTCOME_SUCCEEDED || nothing_read(job))
		ended->path = (struct bytes){ (const uint8_t *)saved->trouble_path, strlen(saved->trouble_path) };
}

static void cause_text(const struct job *job, struct buf *out)
{
	if (nothing_read(job))
		buf_printf(out, "%s: ", job->saved.trouble_path);
	buf_append_text(out, job->cause.text);
}

static int tell_event(struct jobs *jobs, const struct job *job, struct err *err)
{
	const struct message_progress *counts = &job->saved.counts;
	struct notice_draft draft;
	struct buf cause; /* the draft points into it */
	int code;

	buf_init(&cause, MESSAGE_VALUE_MAX_BYTES);
	cause_text(job, &cause);
	notice_begin(&draft, types[job->outcome], env_wall(jobs->world.env));
	notice_uuid(&draft, "command", &job->start.job);
	notice_number(&draft, "files", counts->files_done);
	if (job->outcome == OUTCOME_FAILED)
		notice_text(&draft, "cause", buf_text(&cause));
	if (job->outcome != OUTCOME_FAILED) {
		notice_number(&draft, "bytes", counts->bytes_done);
		notice_number(&draft, "seconds", counts->elapsed_ms / 1000);
		notice_number(&draft, "detections", counts->detections);
	}
	if (job->outcome == OUTCOME_SUCCEEDED) {
		notice_number(&draft, "not_fully_scanned", counts->not_fully_scanned);
		notice_number(&draft, "errors", counts->errors);
	}
	code = notice_send(&draft, jobs->world.outbox, err);
	buf_done(&cause);
	return code;
}

static int tell_notice(struct jobs *jobs, const struct job *job, struct err *err)
{
	struct message_notice notice = { .kind = NOTICE_JOB_ENDED };
	struct message_job_ended *ended = &notice.body.ended;

	if (outbox_holds_end(jobs->world.outbox, &job->start.job))
		return 0;
	ended->outcome = job->outcome;
	ended->last = job->saved.counts;
	explain(job, ended);
	return outbox_append(jobs->world.outbox, &notice, err);
}

int job_end_tell(struct jobs *jobs, struct job *job, struct err *err)
{
	int code = job->event_told ? 0 : tell_event(jobs, job, err);

	job->event_told = code == 0;
	return code == 0 ? tell_notice(jobs, job, err) : code;
}
