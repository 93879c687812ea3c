/* The queue of jobs and the life of each: queued, planned, scanned, ended. */
#include "agent/guard/jobs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/guard/job.h"
#include "base/log.h"
#include "fleet/event_types.h"
#include "os/files.h"

#define SAVE_EVERY_US (1 * SECOND_US)
#define SHOW_EVERY_US (250 * MILLISECOND_US)
#define TELL_AGAIN_US (1 * SECOND_US)

/* ---- making, finding ---- */

static struct job *job_new(void)
{
	struct job *job = calloc(1, sizeof(*job));

	if (job == NULL)
		return NULL;
	job_saved_init(&job->saved);
	job->plan.fd = -1;
	for (size_t i = 0; i < JOB_WINDOW; i++)
		job->window[i].fd = -1;
	return job;
}

/* Lets go of what only the job at work has. */
static void put_down(struct job *job)
{
	job_scan_drop(job);
	walk_free(job->walk);
	job->walk = NULL;
	job->path_index = 0;
	exclusions_free(job->exclusions);
	job->exclusions = NULL;
	verdict_cache_close(job->cache);
	job->cache = NULL;
	plan_close(&job->plan);
	job->prepared = false;
}

static void job_free(struct job *job)
{
	if (job == NULL)
		return;
	if (job->prepared)
		put_down(job);
	exclusions_free(job->exclusions);
	plan_close(&job->plan);
	job_saved_done(&job->saved);
	free(job);
}

struct job *jobs_find(const struct jobs *jobs, const struct uuid *id)
{
	for (size_t i = 0; i < jobs->count; i++) {
		if (uuid_equal(&jobs->list[i]->start.job, id))
			return jobs->list[i];
	}
	return NULL;
}

/* The oldest that is neither paused nor at its end; a paused one keeps its place but not the others waiting. */
static struct job *current(const struct jobs *jobs)
{
	struct job *best = NULL;

	for (size_t i = 0; i < jobs->count; i++) {
		struct job *job = jobs->list[i];

		if (!job->ending && !job->saved.paused && (best == NULL || job->saved.order < best->saved.order))
			best = job;
	}
	return best;
}

struct job *jobs_at_work(const struct jobs *jobs)
{
	for (size_t i = 0; i < jobs->count; i++) {
		if (jobs->list[i]->prepared)
			return jobs->list[i];
	}
	return NULL;
}

/* ---- time and progress ---- */

static void count_time(struct jobs *jobs, struct job *job, bool running)
{
	time_us now = env_monotonic(jobs->world.env);

	if (job->running_since != 0) {
		time_us spent_ms = (now - job->running_since) / MILLISECOND_US;

		job->saved.counts.elapsed_ms += (uint64_t)spent_ms;
		job->running_since += spent_ms * MILLISECOND_US; /* fractions are kept for the next time */
	}
	if (!running)
		job->running_since = 0;
	else if (job->running_since == 0)
		job->running_since = now;
}

static void show(struct jobs *jobs, struct job *job)
{
	job->saved.counts.paused = job->saved.paused;
	job->saved.counts.path = (struct bytes){ (const uint8_t *)job->path, strlen(job->path) };
	jobs->world.progress(jobs->world.context, &job->saved.counts);
	job->saved.counts.path = (struct bytes){ NULL, 0 };
	job->shown_at = env_monotonic(jobs->world.env);
}

static int save(struct jobs *jobs, struct job *job, struct err *err)
{
	if (job->prepared && job->saved.phase == JOB_SCANNING)
		job_scan_note(job);
	job->saved_at = env_monotonic(jobs->world.env);
	return job_file_save(jobs->world.directory, &job->saved, err);
}

void job_save(struct jobs *jobs, struct job *job)
{
	struct err err = { 0 };

	if (save(jobs, job, &err) != 0)
		LOG(LOG_WARNING, "guard.job_not_saved", log_err(&err));
}

/* ---- the queue ---- */

static int adopt(struct jobs *jobs, struct job *job, struct err *err)
{
	int code = message_unpack_job_start(job->saved.start.data, job->saved.start.size, &job->start);

	if (code != 0)
		return err_set(err, code, "a scan request that does not decode");
	if (jobs->count == JOBS_MAX)
		return err_set(err, ERR_BUSY, "%d scans wait already", JOBS_MAX);
	job->saved.counts.job = job->start.job;
	if (job->saved.order > jobs->order)
		jobs->order = job->saved.order;
	jobs->list[jobs->count++] = job;
	return 0;
}

/* The plan first: load_one() knows by that what has ended. */
static int forget_files(struct jobs *jobs, const struct uuid *id, struct err *err)
{
	char name[64];
	int code;

	job_file_name(id, ".plan", name);
	code = files_remove(jobs->world.directory, name, err);
	job_file_name(id, ".job", name);
	return code == 0 ? files_remove(jobs->world.directory, name, err) : code;
}

/* Its end was told, and its files would not go then; or its plan went, and it would not. */
static bool ended_before(const struct jobs *jobs, const struct job *job)
{
	char name[64];
	struct stat st;

	if (job->saved.phase == JOB_ENDED)
		return true;
	job_file_name(&job->start.job, ".plan", name);
	return job->saved.phase == JOB_SCANNING &&
	       fstatat(jobs->world.directory, name, &st, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;
}

static void load_one(struct jobs *jobs, const char *name)
{
	struct job *job = job_new();
	struct err err = { 0 };
	int code = job != NULL ? job_file_load(jobs->world.directory, name, &job->saved, &err)
			       : err_set(&err, ERR_MEMORY, "job: no memory");

	if (code == 0)
		code = message_unpack_job_start(job->saved.start.data, job->saved.start.size, &job->start);
	if (code == 0 && ended_before(jobs, job)) {
		(void)forget_files(jobs, &job->start.job, NULL);
		job_free(job);
		return;
	}
	if (code == 0)
		code = adopt(jobs, job, &err);
	if (code == 0)
		job_end_recall(jobs, job);
	if (code != 0) {
		LOG(LOG_ERROR, "guard.job_not_taken_up", log_text("file", name), log_err(&err));
		job_free(job);
	}
}

static int load_all(struct jobs *jobs, struct err *err)
{
	int fd = openat(jobs->world.directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;

	if (stream == NULL) {
		int code = err_errno(err, errno, "jobs");

		if (fd >= 0)
			close(fd);
		return code;
	}
	for (const struct dirent *entry = readdir(stream); entry != NULL; entry = readdir(stream)) {
		const char *ending = strrchr(entry->d_name, '.');

		if (ending != NULL && strcmp(ending, ".job") == 0)
			load_one(jobs, entry->d_name);
		else if (ending != NULL && strcmp(ending, ".tmp") == 0)
			(void)unlinkat(fd, entry->d_name, 0); /* a file that was being written */
	}
	closedir(stream);
	return 0;
}

int jobs_new(const struct jobs_world *world, struct jobs **ret_jobs, struct err *err)
{
	struct jobs *jobs = calloc(1, sizeof(*jobs));
	int code;

	if (jobs == NULL)
		return err_set(err, ERR_MEMORY, "jobs: no memory");
	jobs->world = *world;
	jobs->finding.fd = -1;
	buf_init(&jobs->settings_bytes, CHANNEL_PAYLOAD_MAX_BYTES);
	code = load_all(jobs, err);
	if (code != 0) {
		jobs_free(jobs);
		return code;
	}
	*ret_jobs = jobs;
	return 0;
}

void jobs_free(struct jobs *jobs)
{
	if (jobs == NULL)
		return;
	job_find_drop(jobs);
	for (size_t i = 0; i < jobs->count; i++) {
		struct job *job = jobs->list[i];

		if (!job->told || forget_files(jobs, &job->start.job, NULL) != 0) {
			count_time(jobs, job, false);
			job_save(jobs, job);
		}
		job_free(job);
	}
	buf_done(&jobs->settings_bytes);
	free(jobs);
}

int jobs_configure(struct jobs *jobs, const struct message_settings *settings, struct err *err)
{
	struct buf copy;
	int code;

	buf_init(&copy, CHANNEL_PAYLOAD_MAX_BYTES);
	message_pack_settings(&copy, settings);
	code = copy.status != 0 ? err_set(err, copy.status, "settings are too large") : 0;
	if (code == 0) {
		buf_done(&jobs->settings_bytes);
		jobs->settings_bytes = copy;
		code = message_unpack_settings(copy.data, copy.size, &jobs->settings);
		for (size_t i = 0; i < jobs->count && code == 0; i++) {
			if (jobs->list[i]->prepared)
				code = job_settings(jobs, jobs->list[i], err);
		}
	} else {
		buf_done(&copy);
	}
	return code;
}

bool jobs_configured(const struct jobs *jobs, const void *payload, size_t size)
{
	return jobs->settings_bytes.size == size && memcmp(jobs->settings_bytes.data, payload, size) == 0;
}

int jobs_start(struct jobs *jobs, const void *payload, size_t size, struct err *err)
{
	struct job *job = job_new();
	int code = job != NULL ? buf_append(&job->saved.start, payload, size) : ERR_MEMORY;

	if (code != 0) {
		job_free(job);
		return err_set(err, code, "job: no memory");
	}
	job->saved.order = jobs->order + 1;
	code = message_unpack_job_start(payload, size, &job->start);
	if (code == 0 &&
	    (jobs_find(jobs, &job->start.job) != NULL || outbox_holds_end(jobs->world.outbox, &job->start.job))) {
		job_free(job);
		return 0;
	}
	code = adopt(jobs, job, err);
	if (code != 0) {
		job_free(job);
		return code;
	}
	code = job_file_save(jobs->world.directory, &job->saved, err);
	if (code != 0) {
		/* It may be there all the same, and would be run after the next start, though it was refused. */
		(void)forget_files(jobs, &job->start.job, NULL);
		jobs->count--;
		job_free(job);
	}
	return code;
}

int jobs_pause(struct jobs *jobs, const struct uuid *id, bool paused, struct err *err)
{
	struct job *job = jobs_find(jobs, id);
	int code;

	if (job == NULL || job->ending)
		return err_set(err, ERR_NOT_FOUND, "no such scan is waiting or running");
	if (job->saved.paused == paused)
		return 0;
	count_time(jobs, job, false);
	job->saved.paused = paused;
	code = save(jobs, job, err);
	if (code != 0) /* it would be forgotten */
		job->saved.paused = !paused;
	show(jobs, job);
	return code;
}

/* ---- the end ---- */

/* On a full disk, say, the job stays until its end can be told. */
static void tell_end(struct jobs *jobs, struct job *job)
{
	struct err err = { 0 };

	job->told = job->told || job_end_tell(jobs, job, &err) == 0;
	if (!job->told || forget_files(jobs, &job->start.job, &err) != 0) {
		if (job->tell_at == 0)
			LOG(LOG_ERROR, "guard.job_end_not_told", log_uuid("job", &job->start.job), log_err(&err));
		if (job->told && job->saved.phase != JOB_ENDED) {
			job->saved.phase = JOB_ENDED; /* else the next start would scan again, and tell it once more */
			job_save(jobs, job);
		}
		job->tell_at = env_monotonic(jobs->world.env) + TELL_AGAIN_US;
		return;
	}
	for (size_t i = 0; i < jobs->count; i++) {
		if (jobs->list[i] == job)
			jobs->list[i] = jobs->list[--jobs->count];
	}
	job_free(job);
}

static void end(struct jobs *jobs, struct job *job, enum message_outcome outcome)
{
	count_time(jobs, job, false);
	job->saved.counts.counting = false;
	job_save(jobs, job); /* with its counts, for an end told after a crash */
	if (job->prepared)
		put_down(job);
	job_end_begin(job, outcome);
	tell_end(jobs, job);
}

static void tell_ends(struct jobs *jobs)
{
	time_us now = env_monotonic(jobs->world.env);

	for (size_t i = jobs->count; i-- > 0;) {
		if (jobs->list[i]->ending && now >= jobs->list[i]->tell_at)
			tell_end(jobs, jobs->list[i]);
	}
}

int jobs_cancel(struct jobs *jobs, const struct uuid *id, struct err *err)
{
	struct job *job = jobs_find(jobs, id);

	if (job == NULL || job->ending)
		return err_set(err, ERR_NOT_FOUND, "no such scan is waiting or running");
	if (job->prepared)
		scanner_abandon(jobs->world.scanner);
	end(jobs, job, OUTCOME_CANCELLED);
	return 0;
}

/* ---- work ---- */

/* Any change of a name, size or time in the signature directory. */
static uint64_t print_signatures(const char *path)
{
	DIR *stream = opendir(path);
	uint64_t print = 0;

	if (stream == NULL)
		return 0;
	for (const struct dirent *entry = readdir(stream); entry != NULL; entry = readdir(stream)) {
		uint64_t about[3] = { 0 };
		struct stat st;
		uint32_t crc;

		if (entry->d_name[0] == '.' || fstatat(dirfd(stream), entry->d_name, &st, 0) != 0)
			continue;
		about[0] = (uint64_t)st.st_size;
		about[1] = (uint64_t)st.st_mtim.tv_sec;
		about[2] = (uint64_t)st.st_mtim.tv_nsec;
		crc = crc32c(crc32c(0, entry->d_name, strlen(entry->d_name)), about, sizeof(about));
		print += ((uint64_t)crc << 20) + crc + 1; /* in any order */
	}
	closedir(stream);
	return print;
}

/* A job begins with the signatures there are then, and with another try of an engine that failed. */
static void refresh_scanner(struct jobs *jobs)
{
	uint64_t print = print_signatures(jobs->world.signatures);

	if (print != jobs->signatures_print || scanner_state(jobs->world.scanner) == SCANNER_FAILED)
		scanner_reset(jobs->world.scanner);
	jobs->signatures_print = print;
}

static int announce_start(struct jobs *jobs, struct job *job, struct err *err)
{
	struct notice_draft draft;
	struct buf paths;
	int code;

	buf_init(&paths, MESSAGE_VALUE_MAX_BYTES);
	for (size_t i = 0; i < job->start.paths.count && paths.status == 0; i++) {
		if (i > 0)
			buf_append_byte(&paths, '\n');
		buf_append(&paths, job->start.paths.paths[i].data, job->start.paths.paths[i].size);
	}
	notice_begin(&draft, EVENT_SCAN_STARTED, env_wall(jobs->world.env));
	notice_uuid(&draft, "command", &job->start.job);
	notice_text(&draft, "paths", buf_text(&paths));
	code = notice_send(&draft, jobs->world.outbox, err);
	buf_done(&paths);
	if (code == 0) {
		job->saved.announced = true;
		job_save(jobs, job); /* before the notice may leave the outbox: it is told once */
	}
	return code;
}

/* Before the work: everything that the work needs. False: not yet. */
static bool prepare(struct jobs *jobs, struct job *job)
{
	int code = 0;

	if (job->prepared)
		return true;
	if (job->running_since == 0) {
		refresh_scanner(jobs);
		count_time(jobs, job, true);
	}
	if (!job->saved.announced)
		code = announce_start(jobs, job, &job->cause);
	if (code == 0)
		code = job_prepare(jobs, job, &job->cause);
	if (code == 0)
		job_save(jobs, job);
	else if (code != ERR_BUSY)
		job->failure = code;
	return code == 0;
}

static bool work(struct jobs *jobs, struct job *job)
{
	bool more = false, done = false;
	int code;

	if (!prepare(jobs, job))
		return false;
	count_time(jobs, job, true);
	if (job->saved.phase == JOB_PLANNING) {
		code = job_plan_step(jobs, job, &job->cause);
		if (code != 0)
			job->failure = code;
		return true;
	}
	more = job_scan_step(jobs, job, &done);
	if (done && job->failure == 0) {
		end(jobs, job, OUTCOME_SUCCEEDED);
		return true;
	}
	return more;
}

bool jobs_step(struct jobs *jobs)
{
	bool more, finding = job_find_step(jobs);
	struct job *job;
	time_us now;

	tell_ends(jobs);
	job = current(jobs);
	if (job == NULL)
		return finding;
	/* A paused job lets another one go first: it gives back what it holds, when what it found is in the vault. */
	for (size_t i = 0; i < jobs->count; i++) {
		if (jobs->list[i] != job && jobs->list[i]->prepared) {
			if (job_find_pending(jobs, jobs->list[i]))
				return finding;
			scanner_abandon(jobs->world.scanner);
			job_save(jobs, jobs->list[i]);
			put_down(jobs->list[i]);
		}
	}
	more = work(jobs, job);
	if (job != current(jobs))
		return true; /* it ended */
	if (job->failure != 0) {
		scanner_abandon(jobs->world.scanner);
		end(jobs, job, OUTCOME_FAILED);
		return true;
	}
	now = env_monotonic(jobs->world.env);
	if (now >= job->shown_at + SHOW_EVERY_US)
		show(jobs, job);
	if (job->prepared && job->saved.phase == JOB_SCANNING && now >= job->saved_at + SAVE_EVERY_US)
		job_save(jobs, job);
	return more || finding;
}

time_us jobs_next(const struct jobs *jobs)
{
	const struct job *job = current(jobs);
	time_us next = job != NULL ? job->shown_at + SHOW_EVERY_US : INT64_MAX;

	for (size_t i = 0; i < jobs->count; i++) {
		if (jobs->list[i]->ending && jobs->list[i]->tell_at < next)
			next = jobs->list[i]->tell_at;
	}
	return next;
}

/* ---- verdicts ---- */

void jobs_on_verdict(struct jobs *jobs, uint64_t cookie, const struct scan_verdict *verdict)
{
	struct job *job = jobs_at_work(jobs);

	if (job != NULL)
		job_scan_verdict(jobs, job, cookie, verdict);
}

void jobs_on_lost(struct jobs *jobs, uint64_t cookie, const char *what)
{
	struct job *job = jobs_at_work(jobs);

	if (job != NULL)
		job_scan_lost(jobs, job, cookie, what);
}

void jobs_on_again(struct jobs *jobs, uint64_t cookie, bool begun)
{
	struct job *job = jobs_at_work(jobs);

	if (job != NULL)
		job_scan_again(jobs, job, cookie, begun);
}
