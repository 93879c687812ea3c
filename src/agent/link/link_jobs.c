/* Scans as link sees them (agent/link/link_jobs.h). */
#include "agent/link/link_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* The wall clock may be set: the schedule is looked at again at least this often. */
#define SCHEDULE_LOOK_US (15 * MINUTE_US)

static struct link_job *find(const struct link_jobs *jobs, const struct uuid *id)
{
	struct link_job *job = jobs->first;

	while (job != NULL && !uuid_equal(&job->id, id))
		job = job->next;
	return job;
}

static struct link_job *add(struct link_jobs *jobs, const struct uuid *id, enum link_job_origin origin, struct err *err)
{
	struct link_job *job;

	if (jobs->count == LINK_JOBS_MAX) {
		err_set(err, ERR_BUSY, "%d scans wait or run already", LINK_JOBS_MAX);
		return NULL;
	}
	job = calloc(1, sizeof(*job));
	if (job == NULL) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	*job = (struct link_job){ .jobs = jobs, .id = *id, .origin = origin, .next = jobs->first };
	job->progress.job = *id;
	buf_init(&job->start, CHANNEL_PAYLOAD_MAX_BYTES);
	jobs->first = job;
	jobs->count++;
	return job;
}

static void drop(struct link_job *job)
{
	struct link_jobs *jobs = job->jobs;
	struct link_job **at = &jobs->first;

	job->ended = true;
	if (job->asked)
		return; /* on_started() comes yet */
	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	jobs->count--;
	buf_done(&job->start);
	free(job);
}

/* --- starting --- */

/* Guard refused to begin: the end of the job. */
static void refused(struct link_job *job, int code, const char *text)
{
	struct link *link = job->jobs->link;
	struct err err, problem;

	err_set(&err, code, "%s", text);
	LOG(LOG_WARNING, "scan.refused", log_uuid("job", &job->id), log_err(&err));
	if (job->origin == ORIGIN_MANAGER &&
	    endpoint_end(link->endpoint, &job->id, COMMAND_FAILED, err_name(code), err.text, NULL, 0, &problem))
		LOG(LOG_ERROR, "scan.end_not_kept", log_uuid("job", &job->id), log_err(&problem));
	if (job->client)
		control_client_end(job->client, code, &err);
	drop(job);
	link_wake(link);
}

static void on_started(void *argument, const struct message_answer *answer, int fd)
{
	struct link_job *job = argument;
	char text[ERR_TEXT_BYTES];

	(void)fd;
	job->asked = false;
	if (job->ended) {
		drop(job);
	} else if (answer->code) {
		snprintf(text, sizeof(text), "%.*s", (int)answer->text.size, (const char *)answer->text.data);
		refused(job, answer->code, text);
	}
}

static int ask_start(struct link_job *job, struct err *err)
{
	int rc = link_guard_ask(job->jobs->link->guard, MESSAGE_JOB_START, &job->start, -1, on_started, job, err);

	job->asked = rc == 0;
	buf_done(&job->start);
	return rc;
}

static int add_path(struct message_paths *paths, const void *path, size_t size, struct err *err)
{
	if (paths->count == MESSAGE_PATHS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d paths in one scan", MESSAGE_PATHS_MAX);
	paths->paths[paths->count++] = (struct bytes){ .data = path, .size = size };
	return 0;
}

/* The configured paths, separated by ':'. */
static int add_default_paths(const struct link_jobs *jobs, struct message_paths *paths, struct err *err)
{
	int rc = 0;

	for (const char *at = jobs->link->settings.scan_paths; rc == 0 && *at != '\0';) {
		size_t size = strcspn(at, ":");

		if (size)
			rc = add_path(paths, at, size, err);
		at += size + (at[size] == ':');
	}
	return rc;
}

/* Packs the request and gives it to guard, or keeps it for link_jobs_settled(). */
static int begin(struct link_job *job, struct message_job_start *start, bool later, struct err *err)
{
	int rc = 0;

	if (start->paths.count == 0)
		rc = add_default_paths(job->jobs, &start->paths, err);
	start->job = job->id;
	message_pack_job_start(&job->start, start);
	if (rc == 0 && job->start.status)
		rc = err_set(err, ERR_LIMIT, "the scan's paths are too long together");
	if (rc == 0 && !later)
		rc = ask_start(job, err);
	job->again = later;
	if (rc)
		drop(job);
	return rc;
}

static int start_command(struct link_jobs *jobs, const struct endpoint_command *command,
			 struct message_job_start *start, struct err *err)
{
	const Muster__Wire__Scan *scan = command->content->scan;
	struct link_job *job;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < scan->n_paths; i++)
		rc = add_path(&start->paths, scan->paths[i].data, scan->paths[i].len, err);
	for (size_t i = 0; rc == 0 && i < scan->n_exclude; i++)
		rc = add_path(&start->excludes, scan->exclude[i].data, scan->exclude[i].len, err);
	if (rc)
		return rc;
	job = add(jobs, &command->id, ORIGIN_MANAGER, err);
	return job ? begin(job, start, command->again, err) : err->code;
}

int link_jobs_command(struct link_jobs *jobs, const struct endpoint_command *command, struct err *err)
{
	struct message_job_start *start = calloc(1, sizeof(*start));
	int rc = start ? start_command(jobs, command, start, err) : err_set(err, ERR_MEMORY, "out of memory");

	free(start);
	return rc;
}

static int start_local(struct link_jobs *jobs, const struct control_request *request, struct control_client *client,
		       struct message_job_start *start, struct err *err)
{
	struct uuid id = env_uuid(jobs->link->env);
	struct link_job *job;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < request->path_count; i++)
		rc = add_path(&start->paths, request->paths[i], strlen(request->paths[i]), err);
	for (size_t i = 0; rc == 0 && i < request->exclude_count; i++)
		rc = add_path(&start->excludes, request->exclude[i], strlen(request->exclude[i]), err);
	if (rc)
		return rc;
	job = add(jobs, &id, ORIGIN_LOCAL, err);
	if (job == NULL)
		return err->code;
	rc = begin(job, start, false, err);
	if (rc == 0)
		job->client = client;
	return rc;
}

static void started_line(struct control_client *client, const struct link_job *job)
{
	char id[UUID_TEXT_BYTES];

	uuid_format(&job->id, id);
	control_client_line(client, json_pack("{s:s,s:s}", "type", "started", "id", id));
}

int link_jobs_local(struct link_jobs *jobs, const struct control_request *request, struct control_client *client,
		    struct err *err)
{
	struct message_job_start *start = calloc(1, sizeof(*start));
	int rc = start ? start_local(jobs, request, client, start, err) : err_set(err, ERR_MEMORY, "out of memory");

	free(start);
	if (rc == 0 && jobs->first->client == client)
		started_line(client, jobs->first);
	return rc;
}

void link_jobs_settled(struct link_jobs *jobs)
{
	struct link_job *next;
	struct err err = { 0 };

	for (struct link_job *job = jobs->first; job != NULL; job = next) {
		next = job->next;
		if (!job->again)
			continue;
		job->again = false;
		if (ask_start(job, &err))
			refused(job, err.code, err.text);
	}
	jobs->settled = true;
	link_jobs_steer_waiting(jobs);
}

/* --- what guard tells --- */

static void take_progress(struct link_job *job, const struct message_progress *progress)
{
	size_t size = progress->path.size < MESSAGE_PATH_MAX_BYTES ? progress->path.size : MESSAGE_PATH_MAX_BYTES;

	job->progress = *progress;
	job->progress.path = (struct bytes){ 0 };
	if (size)
		memcpy(job->path, progress->path.data, size);
	job->path[size] = '\0';
}

/* A job of before link was started again, known to guard alone: commanded or not, the endpoint knows. */
static struct link_job *adopt(struct link_jobs *jobs, const struct uuid *id)
{
	enum command_state state;
	enum command_kind kind;
	size_t position = 0;
	struct uuid known;

	while (endpoint_commands(jobs->link->endpoint, &position, &known, &kind, &state)) {
		if (uuid_equal(&known, id))
			return add(jobs, id, ORIGIN_MANAGER, NULL);
	}
	return add(jobs, id, ORIGIN_LOCAL, NULL);
}

void link_jobs_progress(struct link_jobs *jobs, const struct message_progress *progress)
{
	struct link_job *job = find(jobs, &progress->job);
	bool changed;

	if (job == NULL)
		job = adopt(jobs, &progress->job);
	if (job == NULL)
		return;
	job->again = false;
	changed = job->progress.paused != progress->paused || job->progress.counting != progress->counting;
	take_progress(job, progress);
	if (job->origin == ORIGIN_MANAGER &&
	    (changed || env_monotonic(jobs->link->env) - job->reported >= LINK_PROGRESS_EVERY_US))
		link_job_report_progress(job);
	if (job->client)
		control_client_progress(job->client, link_job_progress_line(job));
}

int link_jobs_ended(struct link_jobs *jobs, const struct message_job_ended *ended, struct err *err)
{
	struct link_job *job = find(jobs, &ended->last.job);
	int rc = 0;

	if (job == NULL)
		job = adopt(jobs, &ended->last.job);
	if (job != NULL)
		take_progress(job, &ended->last);
	if (job != NULL && job->origin == ORIGIN_MANAGER)
		link_job_report_progress(job); /* the end is shown with what was reached */
	if (job == NULL || job->origin == ORIGIN_MANAGER)
		rc = link_job_end_command(jobs, ended, err);
	if (rc == ERR_NOT_FOUND) /* acknowledged long ago, told again */
		rc = 0;
	if (rc || job == NULL)
		return rc;
	link_job_tell_client(job, ended);
	LOG(LOG_INFO, "scan.ended", log_uuid("job", &job->id), log_text("origin", link_job_origin_name(job->origin)),
	    log_number("outcome", ended->outcome), log_number("files", (int64_t)ended->last.files_done),
	    log_number("detections", (int64_t)ended->last.detections));
	drop(job);
	link_wake(jobs->link);
	return 0;
}

/* --- the schedule --- */

static void plan_next(struct link_jobs *jobs)
{
	const struct env *env = jobs->link->env;

	jobs->next_run = schedule_next(&jobs->schedule, env_wall(env));
	if (jobs->next_run)
		jobs->next_run += (span_us)env_below(env, (uint64_t)jobs->link->settings.spread + 1);
}

static int start_scheduled(struct link_jobs *jobs, struct err *err)
{
	struct message_job_start *start = calloc(1, sizeof(*start));
	struct uuid id = env_uuid(jobs->link->env);
	struct link_job *job = start ? add(jobs, &id, ORIGIN_SCHEDULE, err) : NULL;
	int rc = job ? begin(job, start, false, err) : start ? err->code : err_set(err, ERR_MEMORY, "out of memory");

	free(start);
	return rc;
}

void link_jobs_step(struct link_jobs *jobs)
{
	struct err err = { 0 };

	if (jobs->next_run == 0 || env_wall(jobs->link->env) < jobs->next_run)
		return;
	plan_next(jobs);
	if (start_scheduled(jobs, &err))
		LOG(LOG_ERROR, "scan.schedule_failed", log_err(&err));
}

time_us link_jobs_due(const struct link_jobs *jobs)
{
	span_us wait;

	if (jobs->next_run == 0)
		return INT64_MAX;
	wait = jobs->next_run - env_wall(jobs->link->env);
	if (wait > SCHEDULE_LOOK_US)
		wait = SCHEDULE_LOOK_US;
	return env_monotonic(jobs->link->env) + (wait > 0 ? wait : 0);
}

/* --- the object --- */

struct link_jobs *link_jobs_new(struct link *link, struct err *err)
{
	struct link_jobs *jobs = calloc(1, sizeof(*jobs));

	if (jobs == NULL) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	jobs->link = link;
	if (schedule_parse(link->settings.schedule, &jobs->schedule, err)) {
		err_add(err, err->code, "agent.ini: [scan] schedule");
		free(jobs);
		return NULL;
	}
	plan_next(jobs);
	return jobs;
}

void link_jobs_free(struct link_jobs *jobs)
{
	if (jobs == NULL)
		return;
	while (jobs->first != NULL) {
		jobs->first->asked = false;
		drop(jobs->first);
	}
	link_jobs_steer_free(jobs);
	free(jobs);
}
