/* Planning: which files a job has to scan. Names and trees are hostile. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "agent/guard/job.h"
#include "base/log.h"

#define STEP_ENTRIES 512 /* directory entries a step; keeps commands answered at once */

static bool skip(void *context, const char *path, const struct stat *st)
{
	static const char *const never[] = { "/dev", "/proc", "/sys" };
	const struct job *job = context;

	if (S_ISDIR(st->st_mode)) {
		if (st->st_dev == job->world->data_device && st->st_ino == job->world->data_inode)
			return true;
		for (size_t i = 0; i < COUNT_OF(never); i++) {
			if (strcmp(path, never[i]) == 0)
				return true;
		}
	}
	return exclusions_match(job->exclusions, path);
}

static int add_exclusions(struct exclusions *exclusions, const struct message_paths *paths, struct err *err)
{
	int code = 0;

	for (size_t i = 0; i < paths->count && code == 0; i++)
		code = exclusions_add(exclusions, (const char *)paths->paths[i].data, paths->paths[i].size, err);
	return code;
}

/* The job's own limit, else the settings', else (0) the engine's default. */
static void merge_limits(struct message_limits *limits, const struct message_limits *general)
{
	if (limits->file_bytes_max == 0)
		limits->file_bytes_max = general->file_bytes_max;
	if (limits->expanded_bytes_max == 0)
		limits->expanded_bytes_max = general->expanded_bytes_max;
	if (limits->archive_files_max == 0)
		limits->archive_files_max = general->archive_files_max;
	if (limits->archive_depth_max == 0)
		limits->archive_depth_max = general->archive_depth_max;
	if (limits->file_ms_max == 0)
		limits->file_ms_max = general->file_ms_max;
}

/* Without a cache the job does all the work; that is no reason to fail. */
static void open_cache(struct jobs *jobs, struct job *job)
{
	struct err err = { 0 };
	int fd = openat(jobs->world.cache_directory, "verdicts.cache", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int code = fd >= 0 ? verdict_cache_open(fd, jobs->world.env, &job->cache, &err)
			   : err_errno(&err, errno, "verdict cache");

	if (fd >= 0)
		close(fd);
	if (code != 0)
		LOG(LOG_WARNING, "guard.no_verdict_cache", log_err(&err));
}

static int open_plan(struct jobs *jobs, struct job *job, struct err *err)
{
	bool fresh = job->saved.phase != JOB_SCANNING;
	char name[64];
	int code;

	job_file_name(&job->start.job, ".plan", name);
	code = plan_open(jobs->world.directory, name, fresh, &job->plan, err);
	if (code != 0)
		return code;
	if (fresh) {
		struct message_progress none = { .job = job->start.job, .elapsed_ms = job->saved.counts.elapsed_ms };

		job->saved.counts = none;
		job->saved.missed = 0;
		job->saved.trouble_code = 0;
		job->saved.counts.counting = true;
		job->saved.phase = JOB_PLANNING;
	}
	job->read_offset = job->saved.position;
	return 0;
}

int job_settings(struct jobs *jobs, struct job *job, struct err *err)
{
	struct exclusions *exclusions = exclusions_new();
	int code = exclusions != NULL ? 0 : err_set(err, ERR_MEMORY, "job: no memory");

	if (code == 0)
		code = add_exclusions(exclusions, &job->start.excludes, err);
	if (code == 0)
		code = add_exclusions(exclusions, &jobs->settings.excludes, err);
	if (code != 0) {
		exclusions_free(exclusions);
		return code;
	}
	exclusions_free(job->exclusions);
	job->exclusions = exclusions;
	job->limits = job->start.limits;
	merge_limits(&job->limits, &jobs->settings.limits);
	scanner_configure(jobs->world.scanner, &job->limits, &jobs->settings);
	return 0;
}

int job_prepare(struct jobs *jobs, struct job *job, struct err *err)
{
	static const uint8_t none[SCAN_VERSION_BYTES];
	int code;

	job->world = &jobs->world;
	scanner_want(jobs->world.scanner, false);
	if (scanner_state(jobs->world.scanner) == SCANNER_FAILED)
		return err_set(err, ERR_IO, "the scan engine does not run: %s", scanner_failure(jobs->world.scanner));
	if (scanner_state(jobs->world.scanner) < SCANNER_IDLE)
		return ERR_BUSY;
	job->version = *scanner_version(jobs->world.scanner);
	job->version_known = memcmp(job->version.tag, none, sizeof(none)) != 0;
	code = job_settings(jobs, job, err);
	if (code == 0)
		code = open_plan(jobs, job, err);
	if (code == 0 && job->version_known)
		open_cache(jobs, job);
	job->prepared = code == 0;
	return code;
}

static void begin_path(struct job *job)
{
	struct bytes given = job->start.paths.paths[job->path_index];
	char path[MESSAGE_PATH_MAX_BYTES];
	struct err err = { 0 };

	memcpy(path, given.data, given.size);
	path[given.size] = '\0';
	job->path_index++;
	if (walk_new(path, skip, job, &job->walk, &err) == 0)
		return;
	job->saved.missed++;
	job_file_error(job, path, &err);
}

static int plan_file(struct job *job, const char *path, const struct stat *st, struct err *err)
{
	struct verdict_file file = job_verdict_file(st);
	struct message_progress *counts = &job->saved.counts;

	counts->files_total++;
	counts->bytes_total += file.size;
	if (job->cache != NULL && verdict_cache_clean(job->cache, &file, job->version.tag)) {
		counts->files_done++;
		counts->bytes_done += file.size;
		counts->skipped_unchanged++;
		return 0;
	}
	return plan_append(&job->plan, path, file.size, err);
}

static int finish_plan(struct jobs *jobs, struct job *job, struct err *err)
{
	int code = plan_sync(&job->plan, err);

	if (code != 0)
		return code;
	job->saved.plan_bytes = job->plan.size;
	job->saved.position = job->read_offset = 0;
	job->saved.phase = JOB_SCANNING;
	job->saved.counts.counting = false;
	job_save(jobs, job);
	return 0;
}

int job_plan_step(struct jobs *jobs, struct job *job, struct err *err)
{
	int code = 0;

	for (int i = 0; i < STEP_ENTRIES && code == 0; i++) {
		const char *path = "";
		struct err problem = { 0 };
		struct stat st;

		if (job->walk == NULL && job->path_index == job->start.paths.count)
			return finish_plan(jobs, job, err);
		if (job->walk == NULL) {
			begin_path(job);
			continue;
		}
		switch (walk_next(job->walk, &path, &st, &problem)) {
		case WALK_END:
			walk_free(job->walk);
			job->walk = NULL;
			break;
		case WALK_NOTHING:
			break;
		case WALK_FILE:
			code = plan_file(job, path, &st, err);
			break;
		case WALK_ERROR:
			job_file_error(job, path, &problem);
			break;
		}
	}
	return code;
}
