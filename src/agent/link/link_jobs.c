/* Scans as link sees them (agent/link/link_jobs.h). */
#include "agent/link/link_jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/schedule.h"
#include "base/log.h"

/* The wall clock may be set: the schedule is looked at again at least this often. */
#define SCHEDULE_LOOK_US      (15 * MINUTE_US)
#define RESULT_PATH_MAX_BYTES 1024

enum origin { ORIGIN_MANAGER, ORIGIN_LOCAL, ORIGIN_SCHEDULE };

static const char *const origin_names[] = {
	[ORIGIN_MANAGER] = "manager", [ORIGIN_LOCAL] = "local", [ORIGIN_SCHEDULE] = "schedule"
};

struct job {
	struct link_jobs *jobs;
	struct uuid id;
	enum origin origin;
	bool asked; /* the start is with guard, unanswered: the job must stay in memory */
	bool again; /* ran when link last ended; guard has said nothing of it yet */
	bool ended;
	struct buf start;                 /* the request to guard; empty once sent */
	struct message_progress progress; /* without path */
	char path[MESSAGE_PATH_MAX_BYTES + 1];
	time_us reported;
	struct control_client *client;
	struct job *next;
};

/* Something asked about a scan, from the asking to guard's answer. */
struct steering {
	struct link_jobs *jobs;
	enum message_type type;
	struct uuid job;
	struct uuid by; /* zero: no command */
	struct steering *next;
};

struct link_jobs {
	struct link *link;
	bool settled;
	struct steering *steerings; /* in the order of asking */
	struct job *first;
	size_t count;
	struct schedule schedule;
	time_us next_run; /* wall clock; 0: never */
};

static struct job *find(const struct link_jobs *jobs, const struct uuid *id)
{
	struct job *job = jobs->first;

	while (job != NULL && !uuid_equal(&job->id, id))
		job = job->next;
	return job;
}

static struct job *add(struct link_jobs *jobs, const struct uuid *id, enum origin origin, struct err *err)
{
	struct job *job;

	if (jobs->count == LINK_JOBS_MAX) {
		err_set(err, ERR_BUSY, "%d scans wait or run already", LINK_JOBS_MAX);
		return NULL;
	}
	job = calloc(1, sizeof(*job));
	if (job == NULL) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	*job = (struct job){ .jobs = jobs, .id = *id, .origin = origin, .next = jobs->first };
	job->progress.job = *id;
	buf_init(&job->start, CHANNEL_PAYLOAD_MAX_BYTES);
	jobs->first = job;
	jobs->count++;
	return job;
}

static void drop(struct job *job)
{
	struct link_jobs *jobs = job->jobs;
	struct job **at = &jobs->first;

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
static void refused(struct job *job, int code, const char *text)
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
	struct job *job = argument;
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

static int ask_start(struct job *job, struct err *err)
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
static int begin(struct job *job, struct message_job_start *start, bool later, struct err *err)
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
	struct job *job;
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
	struct job *job;
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

static void started_line(struct control_client *client, const struct job *job)
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

/* --- steering --- */

static void steering_drop(struct steering *steering)
{
	struct steering **at = &steering->jobs->steerings;

	while (*at != steering)
		at = &(*at)->next;
	*at = steering->next;
	free(steering);
}

static void steering_end(struct steering *steering, int code, const char *text)
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

static int ask_steering(struct steering *steering, struct err *err)
{
	return link_guard_target(steering->jobs->link->guard, steering->type, &steering->job, false, on_steered,
				 steering, err);
}

int link_jobs_steer(struct link_jobs *jobs, enum message_type type, const struct uuid *id, const struct uuid *by,
		    struct err *err)
{
	struct steering *steering = calloc(1, sizeof(*steering)), **at = &jobs->steerings;
	int rc = 0;

	if (steering == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	*steering = (struct steering){ .jobs = jobs, .type = type, .job = *id };
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

/* After the scans that they are about were given to guard again. */
static void ask_waiting(struct link_jobs *jobs)
{
	struct steering *next;
	struct err err = { 0 };

	for (struct steering *steering = jobs->steerings; steering != NULL; steering = next) {
		next = steering->next;
		if (ask_steering(steering, &err))
			steering_end(steering, err.code, err.text);
	}
}

void link_jobs_settled(struct link_jobs *jobs)
{
	struct job *next;
	struct err err = { 0 };

	for (struct job *job = jobs->first; job != NULL; job = next) {
		next = job->next;
		if (!job->again)
			continue;
		job->again = false;
		if (ask_start(job, &err))
			refused(job, err.code, err.text);
	}
	jobs->settled = true;
	ask_waiting(jobs);
}

/* --- what guard tells --- */

static json_t *progress_line(const struct job *job)
{
	const struct message_progress *at = &job->progress;

	return json_pack("{s:s,s:b,s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o}", "type", "progress", "counting",
			 at->counting, "paused", at->paused, "files_total", (json_int_t)at->files_total, "files_done",
			 (json_int_t)at->files_done, "bytes_total", (json_int_t)at->bytes_total, "bytes_done",
			 (json_int_t)at->bytes_done, "detections", (json_int_t)at->detections, "not_fully_scanned",
			 (json_int_t)at->not_fully_scanned, "errors", (json_int_t)at->errors, "unchanged",
			 (json_int_t)at->skipped_unchanged, "elapsed_ms", (json_int_t)at->elapsed_ms, "path",
			 control_name(job->path, strlen(job->path)));
}

static void take_progress(struct job *job, const struct message_progress *progress)
{
	size_t size = progress->path.size < MESSAGE_PATH_MAX_BYTES ? progress->path.size : MESSAGE_PATH_MAX_BYTES;

	job->progress = *progress;
	job->progress.path = (struct bytes){ 0 };
	if (size)
		memcpy(job->path, progress->path.data, size);
	job->path[size] = '\0';
}

static void report_progress(struct job *job)
{
	struct link *link = job->jobs->link;
	const struct message_progress *at = &job->progress;
	Muster__Wire__Progress message = MUSTER__WIRE__PROGRESS__INIT;
	struct err err;

	message.counting = at->counting;
	message.paused = at->paused;
	message.files_total = at->files_total;
	message.files_done = at->files_done;
	message.bytes_total = at->bytes_total;
	message.bytes_done = at->bytes_done;
	message.detections = at->detections;
	message.not_fully_scanned = at->not_fully_scanned;
	message.errors = at->errors;
	message.path = exchange_bytes(job->path, strlen(job->path));
	message.elapsed_ms = at->elapsed_ms;
	job->reported = env_monotonic(link->env);
	if (endpoint_progress(link->endpoint, &job->id, &message, &err))
		LOG(LOG_DEBUG, "scan.progress_not_taken", log_uuid("job", &job->id), log_err(&err));
	link_wake(link);
}

/* A job of before link was started again, known to guard alone: commanded or not, the endpoint knows. */
static struct job *adopt(struct link_jobs *jobs, const struct uuid *id)
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
	struct job *job = find(jobs, &progress->job);
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
		report_progress(job);
	if (job->client)
		control_client_progress(job->client, progress_line(job));
}

static struct bytes cut(struct bytes path)
{
	if (path.size > RESULT_PATH_MAX_BYTES)
		path.size = RESULT_PATH_MAX_BYTES;
	return path;
}

static int end_command(struct link_jobs *jobs, const struct message_job_ended *ended, struct err *err)
{
	static const enum command_state states[] = { [OUTCOME_SUCCEEDED] = COMMAND_SUCCEEDED,
						     [OUTCOME_FAILED] = COMMAND_FAILED,
						     [OUTCOME_CANCELLED] = COMMAND_CANCELLED };
	const struct message_progress *last = &ended->last;
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = { { "files", last->files_done },      { "bytes", last->bytes_done },
		       { "detections", last->detections }, { "not_fully_scanned", last->not_fully_scanned },
		       { "errors", last->errors },         { "unchanged", last->skipped_unchanged },
		       { "elapsed_ms", last->elapsed_ms } };
	struct event_field fields[COUNT_OF(counts) + 1];
	char numbers[COUNT_OF(counts)][24];
	char text[ERR_TEXT_BYTES];
	size_t count = COUNT_OF(counts);

	for (size_t i = 0; i < COUNT_OF(counts); i++) {
		snprintf(numbers[i], sizeof(numbers[i]), "%llu", (unsigned long long)counts[i].value);
		fields[i] = link_field(counts[i].name, numbers[i]);
	}
	snprintf(text, sizeof(text), "%.*s", (int)ended->text.size, (const char *)ended->text.data);
	/* As it is: the manager makes it printable. */
	if (ended->path.size > 0)
		fields[count++] = (struct event_field){ .name = "path", .value = cut(ended->path) };
	return endpoint_end(jobs->link->endpoint, &last->job, states[ended->outcome],
			    ended->outcome == OUTCOME_FAILED ? err_name(ended->code) : "", text, fields, count, err);
}

/* "PATH: what was wrong" */
static void end_text(const struct message_job_ended *ended, char text[ERR_TEXT_BYTES])
{
	json_t *path = control_name((const char *)ended->path.data, ended->path.size);

	snprintf(text, ERR_TEXT_BYTES, "%.300s%s%.*s", ended->path.size ? json_string_value(path) : "",
		 ended->path.size ? ": " : "", (int)ended->text.size, (const char *)ended->text.data);
	json_decref(path);
}

static json_t *end_line(const struct job *job, const struct message_job_ended *ended)
{
	char text[ERR_TEXT_BYTES];
	json_t *line = control_end_line(0, NULL);
	json_t *progress = progress_line(job);

	json_object_del(progress, "type");
	json_object_del(progress, "path");
	end_text(ended, text);
	json_object_set_new(progress, "text", json_string(text));
	json_object_set_new(line, "result", progress);
	return line;
}

static void tell_client(struct job *job, const struct message_job_ended *ended)
{
	char text[ERR_TEXT_BYTES];
	struct err err;

	if (job->client == NULL)
		return;
	if (ended->outcome == OUTCOME_SUCCEEDED) {
		control_client_end_line(job->client, end_line(job, ended));
	} else if (ended->outcome == OUTCOME_CANCELLED) {
		control_client_end(job->client, err_set(&err, ERR_CANCELLED, "the scan was cancelled"), &err);
	} else {
		end_text(ended, text);
		err_set(&err, ended->code, "%s", text);
		control_client_end(job->client, ended->code, &err);
	}
	job->client = NULL;
}

int link_jobs_ended(struct link_jobs *jobs, const struct message_job_ended *ended, struct err *err)
{
	struct job *job = find(jobs, &ended->last.job);
	int rc = 0;

	if (job == NULL)
		job = adopt(jobs, &ended->last.job);
	if (job != NULL)
		take_progress(job, &ended->last);
	if (job != NULL && job->origin == ORIGIN_MANAGER)
		report_progress(job); /* the end is shown with what was reached */
	if (job == NULL || job->origin == ORIGIN_MANAGER)
		rc = end_command(jobs, ended, err);
	if (rc == ERR_NOT_FOUND) /* acknowledged long ago, told again */
		rc = 0;
	if (rc || job == NULL)
		return rc;
	tell_client(job, ended);
	LOG(LOG_INFO, "scan.ended", log_uuid("job", &job->id), log_text("origin", origin_names[job->origin]),
	    log_number("outcome", ended->outcome), log_number("files", (int64_t)ended->last.files_done),
	    log_number("detections", (int64_t)ended->last.detections));
	drop(job);
	link_wake(jobs->link);
	return 0;
}

static struct bytes field_of(const struct message_event *event, const char *name)
{
	for (size_t i = 0; i < event->fields.count; i++) {
		if (strcmp(event->fields.fields[i].name, name) == 0)
			return event->fields.fields[i].value;
	}
	return (struct bytes){ 0 };
}

static bool is_about(const struct job *job, struct bytes command)
{
	char text[UUID_TEXT_BYTES];

	uuid_format(&job->id, text);
	return command.size == UUID_TEXT_BYTES - 1 && memcmp(command.data, text, command.size) == 0;
}

const char *link_jobs_origin(const struct link_jobs *jobs, const struct message_event *event)
{
	struct bytes command = field_of(event, "command");

	for (const struct job *job = jobs->first; job != NULL; job = job->next) {
		if (is_about(job, command))
			return origin_names[job->origin];
	}
	return NULL;
}

void link_jobs_event(struct link_jobs *jobs, const struct message_event *event)
{
	static const char *const shown[] = { "file", "detection", "action", "result", "item", "limit" };
	struct bytes command = field_of(event, "command");

	for (struct job *job = jobs->first; job != NULL; job = job->next) {
		json_t *line;

		if (job->client == NULL || !is_about(job, command))
			continue;
		line = json_pack("{s:s}", "type",
				 event->type == EVENT_MALWARE_DETECTED ? "detection" : "not_fully_scanned");
		for (size_t i = 0; i < COUNT_OF(shown); i++) {
			struct bytes value = field_of(event, shown[i]);

			if (value.data)
				json_object_set_new(line, shown[i], control_name(value.data, value.size));
		}
		control_client_line(job->client, line);
	}
}

void link_jobs_unwatch(struct link_jobs *jobs, const struct control_client *client)
{
	for (struct job *job = jobs->first; job != NULL; job = job->next) {
		if (job->client == client)
			job->client = NULL;
	}
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
	struct job *job = start ? add(jobs, &id, ORIGIN_SCHEDULE, err) : NULL;
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

json_t *link_jobs_status(const struct link_jobs *jobs)
{
	json_t *list = json_array();

	for (const struct job *job = jobs->first; job != NULL; job = job->next) {
		json_t *progress = progress_line(job);
		char id[UUID_TEXT_BYTES];

		uuid_format(&job->id, id);
		json_object_del(progress, "type");
		if (!job->ended)
			json_array_append_new(list, json_pack("{s:s,s:s,s:O}", "id", id, "origin",
							      origin_names[job->origin], "progress", progress));
		json_decref(progress);
	}
	return list;
}

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
	while (jobs->steerings != NULL)
		steering_drop(jobs->steerings);
	free(jobs);
}
