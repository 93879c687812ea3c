/* What is told of scans: to the manager, to whoever watches one, to status (agent/link/link_jobs.h). Input: guard's
 * messages, decoded under their limits; names and paths are any bytes. */
#include "agent/link/link_job.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

#define RESULT_PATH_MAX_BYTES 1024

static const char *const origin_names[] = {
	[ORIGIN_MANAGER] = "manager", [ORIGIN_LOCAL] = "local", [ORIGIN_SCHEDULE] = "schedule"
};

const char *link_job_origin_name(enum link_job_origin origin)
{
	return origin_names[origin];
}

json_t *link_job_progress_line(const struct link_job *job)
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

void link_job_report_progress(struct link_job *job)
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

static struct bytes cut(struct bytes path)
{
	if (path.size > RESULT_PATH_MAX_BYTES)
		path.size = RESULT_PATH_MAX_BYTES;
	return path;
}

int link_job_end_command(struct link_jobs *jobs, const struct message_job_ended *ended, struct err *err)
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

static json_t *end_line(const struct link_job *job, const struct message_job_ended *ended)
{
	char text[ERR_TEXT_BYTES];
	json_t *line = control_end_line(0, NULL);
	json_t *progress = link_job_progress_line(job);

	json_object_del(progress, "type");
	json_object_del(progress, "path");
	end_text(ended, text);
	json_object_set_new(progress, "text", json_string(text));
	json_object_set_new(line, "result", progress);
	return line;
}

void link_job_tell_client(struct link_job *job, const struct message_job_ended *ended)
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

static struct bytes field_of(const struct message_event *event, const char *name)
{
	for (size_t i = 0; i < event->fields.count; i++) {
		if (strcmp(event->fields.fields[i].name, name) == 0)
			return event->fields.fields[i].value;
	}
	return (struct bytes){ 0 };
}

static bool is_about(const struct link_job *job, struct bytes command)
{
	char text[UUID_TEXT_BYTES];

	uuid_format(&job->id, text);
	return command.size == UUID_TEXT_BYTES - 1 && memcmp(command.data, text, command.size) == 0;
}

const char *link_jobs_origin(const struct link_jobs *jobs, const struct message_event *event)
{
	struct bytes command = field_of(event, "command");

	for (const struct link_job *job = jobs->first; job != NULL; job = job->next) {
		if (is_about(job, command))
			return origin_names[job->origin];
	}
	return NULL;
}

void link_jobs_event(struct link_jobs *jobs, const struct message_event *event)
{
	static const char *const shown[] = { "file", "detection", "action", "result", "item", "limit" };
	struct bytes command = field_of(event, "command");

	for (struct link_job *job = jobs->first; job != NULL; job = job->next) {
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
	for (struct link_job *job = jobs->first; job != NULL; job = job->next) {
		if (job->client == client)
			job->client = NULL;
	}
}

json_t *link_jobs_status(const struct link_jobs *jobs)
{
	json_t *list = json_array();

	for (const struct link_job *job = jobs->first; job != NULL; job = job->next) {
		json_t *progress = link_job_progress_line(job);
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
