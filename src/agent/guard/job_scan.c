/* Scanning: plan entries are opened, handed to workers, judged.
 *
 * A window of entries is open at a time; verdicts may come in any order, the
 * saved position is the oldest entry not finished, and finished ones behind it
 * are listed, so that a restarted guard repeats next to nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/guard/job.h"
#include "base/log.h"
#include "fleet/event_types.h"
#include "os/files.h"

#define DEFAULT_FILE_BYTES_MAX (512 * MIB)
#define STEP_ENTRIES           32

struct entry *job_entry(struct job *job, uint64_t cookie)
{
	struct entry *entry = &job->window[cookie % JOB_WINDOW];

	return entry->state != ENTRY_FREE && entry->cookie == cookie ? entry : NULL;
}

void job_entry_finish(struct job *job, struct entry *entry)
{
	if (entry->fd >= 0)
		close(entry->fd);
	free(entry->path);
	free(entry->detection);
	entry->fd = -1;
	entry->path = entry->detection = NULL;
	entry->state = ENTRY_DONE;
	job->saved.counts.files_done++;
	job->saved.counts.bytes_done += entry->bytes;
	while (job->first < job->next && job->window[job->first % JOB_WINDOW].state == ENTRY_DONE) {
		job->window[job->first % JOB_WINDOW].state = ENTRY_FREE;
		job->first++;
	}
}

void job_scan_note(struct job *job)
{
	struct job_saved *saved = &job->saved;
	size_t kept = 0;

	/* Finished before a restart, not come by again yet. */
	for (size_t i = 0; i < saved->done_count; i++) {
		if (saved->done[i] >= job->read_offset)
			saved->done[kept++] = saved->done[i];
	}
	saved->done_count = kept;
	saved->position = job->read_offset;
	for (uint64_t cookie = job->first; cookie < job->next; cookie++) {
		const struct entry *entry = &job->window[cookie % JOB_WINDOW];

		if (cookie == job->first)
			saved->position = entry->offset;
		if (entry->state == ENTRY_DONE && saved->done_count < JOB_WINDOW)
			saved->done[saved->done_count++] = entry->offset;
	}
}

void job_scan_drop(struct job *job)
{
	job_scan_note(job);
	for (uint64_t cookie = job->first; cookie < job->next; cookie++) {
		struct entry *entry = &job->window[cookie % JOB_WINDOW];

		if (entry->fd >= 0 && entry->state != ENTRY_DONE)
			close(entry->fd);
		free(entry->path);
		free(entry->detection);
		*entry = (struct entry){ .fd = -1 };
	}
	job->first = job->next;
	job->read_offset = job->saved.position;
}

/* Opens for reading what the plan names; regular files only, no link followed,
 * no FIFO or device touched for longer than fstat() takes. */
static int open_entry(const char *path, struct entry *entry, struct err *err)
{
	int code = files_open_no_links(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOATIME, &entry->fd, err);

	if (code == ERR_DENIED)
		code = files_open_no_links(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, &entry->fd, err);
	if (code != 0)
		return code;
	if (fstat(entry->fd, &entry->st) != 0)
		code = err_errno(err, errno, "look at");
	else if (!S_ISREG(entry->st.st_mode))
		code = err_set(err, ERR_CONFLICT, "it is no regular file any more");
	if (code != 0) {
		close(entry->fd);
		entry->fd = -1;
	}
	return code;
}

static bool done_before(struct job *job, uint64_t offset)
{
	for (size_t i = 0; i < job->saved.done_count; i++) {
		if (job->saved.done[i] == offset)
			return true;
	}
	return false;
}

static uint64_t largest(const struct job *job)
{
	return job->limits.file_bytes_max > 0 ? job->limits.file_bytes_max : DEFAULT_FILE_BYTES_MAX;
}

/* Takes the plan's next entry into the window. 0, ERR_NOT_FOUND at its end, ERR_BUSY when the window is full. */
static int begin_entry(struct jobs *jobs, struct job *job, struct plan_entry *planned, struct err *err)
{
	struct entry *entry = &job->window[job->next % JOB_WINDOW];
	int code;

	if (job->next - job->first == JOB_WINDOW)
		return ERR_BUSY;
	code = plan_read(&job->plan, job->read_offset, job->saved.plan_bytes, planned, err);
	if (code != 0)
		return code;
	job->read_offset = planned->next_offset;
	if (done_before(job, planned->offset))
		return 0;
	*entry = (struct entry){ .state = ENTRY_READY,
				 .cookie = job->next++,
				 .offset = planned->offset,
				 .bytes = planned->bytes,
				 .fd = -1,
				 .opened = env_wall(jobs->world.env),
				 .path = strdup(planned->path) };
	memcpy(job->path, planned->path, strlen(planned->path) + 1);
	if (entry->path == NULL)
		return err_set(err, ERR_MEMORY, "job: no memory");
	if (exclusions_match(job->exclusions, planned->path)) { /* since it was planned */
		job_entry_finish(job, entry);
		return 0;
	}
	code = open_entry(planned->path, entry, err);
	if (code != 0) {
		job_file_error(job, planned->path, err);
		job_entry_finish(job, entry);
	} else if ((uint64_t)entry->st.st_size > largest(job)) {
		job_not_fully(jobs, job, entry->path, "largest file size");
		job_entry_finish(job, entry);
	} else if (entry->st.st_size == 0) {
		job_entry_finish(job, entry);
	}
	return 0;
}

static bool submit_ready(struct jobs *jobs, struct job *job)
{
	bool any = false;

	for (uint64_t cookie = job->first; cookie < job->next && scanner_has_room(jobs->world.scanner); cookie++) {
		struct entry *entry = &job->window[cookie % JOB_WINDOW];

		if (entry->state == ENTRY_READY && scanner_submit(jobs->world.scanner, entry->fd, cookie, NULL) == 0) {
			entry->state = ENTRY_FLYING;
			any = true;
		}
	}
	return any;
}

bool job_scan_step(struct jobs *jobs, struct job *job, bool *ret_done)
{
	struct plan_entry *planned = malloc(sizeof(*planned));
	bool any = false;
	int code = planned != NULL ? 0 : err_set(&job->cause, ERR_MEMORY, "job: no memory");

	*ret_done = false;
	if (outbox_full(jobs->world.outbox)) {
		free(planned);
		return false; /* until link has taken some */
	}
	/* With nothing to look at the engine stays unloaded. */
	if (job->read_offset < job->saved.plan_bytes || job->first < job->next)
		scanner_want(jobs->world.scanner, true);
	if (scanner_state(jobs->world.scanner) == SCANNER_FAILED)
		code = err_set(&job->cause, ERR_IO, "the scan engine does not run: %s",
			       scanner_failure(jobs->world.scanner));
	submit_ready(jobs, job);
	for (int i = 0; i < STEP_ENTRIES && code == 0 && scanner_has_room(jobs->world.scanner); i++) {
		code = begin_entry(jobs, job, planned, &job->cause);
		any |= code == 0;
		if (code == 0)
			submit_ready(jobs, job);
	}
	free(planned);
	if (code != 0 && code != ERR_BUSY && code != ERR_NOT_FOUND)
		job->failure = code;
	*ret_done = job->read_offset >= job->saved.plan_bytes && job->first == job->next;
	return any;
}

/* Kept only when the file is still what was opened. */
static void keep_clean(const struct job *job, const struct entry *entry)
{
	struct verdict_file before = job_verdict_file(&entry->st);
	struct verdict_file after;
	struct stat st;

	if (job->cache == NULL || fstat(entry->fd, &st) != 0)
		return;
	after = job_verdict_file(&st);
	if (memcmp(&before, &after, sizeof(before)) == 0)
		verdict_cache_keep(job->cache, &after, job->version.tag, entry->opened);
}

void job_scan_verdict(struct jobs *jobs, struct job *job, uint64_t cookie, const struct scan_verdict *verdict)
{
	struct entry *entry = job_entry(job, cookie);
	struct err err;

	if (entry == NULL || entry->state != ENTRY_FLYING)
		return;
	job->version = *scanner_version(jobs->world.scanner); /* of the engine that said it */
	switch (verdict->outcome) {
	case SCAN_CLEAN:
		keep_clean(job, entry);
		break;
	case SCAN_INFECTED:
		if (job_found(entry, verdict->name, &job->cause) != 0)
			job->failure = ERR_MEMORY;
		(void)job_find_step(jobs);
		return; /* it is finished when it is in the vault */
	case SCAN_NOT_FULLY:
		job_not_fully(jobs, job, entry->path, verdict->name);
		break;
	case SCAN_UNREADABLE:
		err_set(&err, ERR_IO, "scan: %s", verdict->name);
		job_file_error(job, entry->path, &err);
		break;
	}
	job_entry_finish(job, entry);
}

void job_scan_lost(struct jobs *jobs, struct job *job, uint64_t cookie, const char *what)
{
	struct entry *entry = job_entry(job, cookie);
	struct notice_draft draft;
	struct err err;

	if (entry == NULL || entry->state != ENTRY_FLYING)
		return;
	err_set(&err, ERR_INTERNAL, "a scan worker %s on it", what);
	job_file_error(job, entry->path, &err);
	notice_begin(&draft, EVENT_SCAN_WORKER_FAILED, env_wall(jobs->world.env));
	notice_text(&draft, "file", entry->path);
	notice_text(&draft, "what", what);
	notice_uuid(&draft, "command", &job->start.job);
	if (notice_send(&draft, jobs->world.outbox, &job->cause) != 0)
		job->failure = job->cause.code;
	job_entry_finish(job, entry);
	job_save(jobs, job);
}

/* A scan program that ends takes files with it that had no part in that: each gets a second chance, not a third. */
void job_scan_again(struct jobs *jobs, struct job *job, uint64_t cookie, bool begun)
{
	struct entry *entry = job_entry(job, cookie);

	if (entry == NULL || entry->state != ENTRY_FLYING)
		return;
	if (begun && entry->interrupted) {
		job_scan_lost(jobs, job, cookie, "ended twice with the scan program");
		return;
	}
	entry->interrupted |= begun;
	entry->state = ENTRY_READY;
}
