/* What a job found: into the vault and into the outbox, in an order that a
 * crash cannot turn into a lost detection. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/guard/job.h"
#include "base/log.h"
#include "fleet/event_types.h"

#define PASSWD_FILE  "/etc/passwd" /* read here: guard has no network for other sources */
#define DIGEST_READS 64            /* a step, of 64 KiB each */

static void owner_name(uid_t uid, char *name, size_t capacity)
{
	FILE *file = fopen(PASSWD_FILE, "re");

	snprintf(name, capacity, "%u", uid);
	for (const struct passwd *entry = file != NULL ? fgetpwent(file) : NULL; entry != NULL;
	     entry = fgetpwent(file)) {
		if (entry->pw_uid == uid) {
			snprintf(name, capacity, "%s", entry->pw_name);
			break;
		}
	}
	if (file != NULL)
		fclose(file);
}

static void begin_detection(struct notice_draft *draft, time_us now, const char *path, const char *detection,
			    uint64_t size, const char *user, const struct uuid *job)
{
	notice_begin(draft, EVENT_MALWARE_DETECTED, now);
	notice_text(draft, "file", path);
	notice_text(draft, "detection", detection);
	notice_text(draft, "action", "quarantine");
	notice_number(draft, "size", size);
	notice_text(draft, "user", user);
	notice_uuid(draft, "command", job);
}

static int tell_detected(struct jobs *jobs, const struct vault_item *item, struct err *err)
{
	struct notice_draft draft;
	char user[64];

	owner_name(item->item.uid, user, sizeof(user));
	begin_detection(&draft, env_wall(jobs->world.env), item->path, item->item.detection, item->item.size, user,
			&item->job);
	notice_text(&draft, "result", "quarantined");
	notice_sha256(&draft, "sha256", item->item.sha256);
	notice_uuid(&draft, "item", &item->item.id);
	return notice_send(&draft, jobs->world.outbox, err);
}

static int tell_item(struct jobs *jobs, const struct vault_item *item, struct err *err)
{
	struct message_notice notice = { .kind = NOTICE_ITEM, .body.item = item->item };

	return outbox_append(jobs->world.outbox, &notice, err);
}

static int tell_quarantined(struct jobs *jobs, const struct vault_item *item, struct err *err)
{
	struct notice_draft draft;

	notice_begin(&draft, EVENT_QUARANTINED, env_wall(jobs->world.env));
	notice_text(&draft, "file", item->path);
	notice_text(&draft, "detection", item->item.detection);
	notice_uuid(&draft, "item", &item->item.id);
	notice_sha256(&draft, "sha256", item->item.sha256);
	notice_number(&draft, "size", item->item.size);
	return notice_send(&draft, jobs->world.outbox, err);
}

/* `again`: a crash came in between; what it left in the outbox (link cannot
 * have taken it since) is not told twice. */
static int announce(struct jobs *jobs, const struct vault_item *item, bool again, struct err *err)
{
	static const struct {
		uint32_t type; /* 0: the notice of the item */
		int (*tell)(struct jobs *jobs, const struct vault_item *item, struct err *err);
	} steps[] = { { EVENT_MALWARE_DETECTED, tell_detected },
		      { 0, tell_item },
		      { EVENT_QUARANTINED, tell_quarantined } };
	int code = 0;

	for (size_t i = 0; code == 0 && i < COUNT_OF(steps); i++) {
		if (!again || !outbox_holds_item(jobs->world.outbox, steps[i].type, &item->item.id))
			code = steps[i].tell(jobs, item, err);
	}
	return code == 0 ? vault_settle(jobs->world.vault, &item->item.id, err) : code;
}

void jobs_announce_item(struct jobs *jobs, const struct vault_item *item)
{
	struct err err = { 0 };

	/* Not settled: guard tries again. */
	if (announce(jobs, item, true, &err) != 0)
		LOG(LOG_ERROR, "guard.item_not_announced", log_uuid("item", &item->item.id), log_err(&err));
}

static int announce_failure(struct jobs *jobs, const struct finding *finding, const uint8_t *sha256, struct err *err)
{
	struct notice_draft draft;
	char result[ERR_TEXT_BYTES + 16];
	char user[64];

	owner_name(finding->st.st_uid, user, sizeof(user));
	snprintf(result, sizeof(result), "failed: %s", finding->why.text);
	begin_detection(&draft, env_wall(jobs->world.env), finding->path, finding->detection,
			(uint64_t)finding->st.st_size, user, &finding->job);
	notice_text(&draft, "result", result);
	if (sha256 != NULL)
		notice_sha256(&draft, "sha256", sha256);
	return notice_send(&draft, jobs->world.outbox, err);
}

/* ---- one after the other, in slices ---- */

int job_found(struct entry *entry, const char *detection, struct err *err)
{
	entry->detection = strdup(detection);
	if (entry->detection == NULL)
		return err_set(err, ERR_MEMORY, "job: no memory");
	entry->state = ENTRY_FOUND;
	return 0;
}

static void put_down(struct finding *finding)
{
	vault_work_free(finding->work);
	EVP_MD_CTX_free(finding->digest);
	if (finding->fd >= 0)
		close(finding->fd);
	free(finding->path);
	free(finding->detection);
	*finding = (struct finding){ .fd = -1 };
}

void job_find_drop(struct jobs *jobs)
{
	if (jobs->finding.busy)
		put_down(&jobs->finding);
}

/* Told, or not to be told now: the entry is finished, if its job is still there. */
static void finish(struct jobs *jobs, int code, const struct err *cause)
{
	struct job *job = jobs_find(jobs, &jobs->finding.job);
	struct entry *entry = job != NULL ? job_entry(job, jobs->finding.cookie) : NULL;

	put_down(&jobs->finding);
	if (code != 0 && job == NULL)
		LOG(LOG_ERROR, "guard.item_not_announced", log_err(cause));
	if (job == NULL)
		return;
	job->saved.counts.detections++;
	if (code != 0) {
		job->failure = code;
		job->cause = *cause;
	}
	if (entry != NULL && entry->state == ENTRY_FOUND)
		job_entry_finish(job, entry);
	job_save(jobs, job);
}

/* From here on the file is only read, for the event that says what could not be taken. */
static void begin_digest(struct finding *finding)
{
	LOG(LOG_WARNING, "guard.not_quarantined", log_text("file", finding->path), log_err(&finding->why));
	vault_work_free(finding->work);
	finding->work = NULL;
	finding->digest = EVP_MD_CTX_new();
	if (finding->digest == NULL || EVP_DigestInit_ex(finding->digest, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(finding->digest);
		finding->digest = NULL;
	}
}

static void digest_step(struct jobs *jobs)
{
	struct finding *finding = &jobs->finding;
	uint8_t room[65536], sha256[SHA256_BYTES];
	bool fine = finding->digest != NULL;
	struct err err = { 0 };
	ssize_t got = 1;
	int code;

	for (int i = 0; fine && got > 0 && i < DIGEST_READS; i++) {
		got = pread(finding->fd, room, sizeof(room), finding->digested);
		if (got < 0 && errno == EINTR) {
			got = 1;
			continue;
		}
		fine = got >= 0 && EVP_DigestUpdate(finding->digest, room, (size_t)got) == 1;
		finding->digested += got > 0 ? got : 0;
	}
	if (fine && got > 0)
		return;
	fine = fine && EVP_DigestFinal_ex(finding->digest, sha256, NULL) == 1;
	code = announce_failure(jobs, finding, fine ? sha256 : NULL, &err);
	finish(jobs, code, &err);
}

static void take_step(struct jobs *jobs)
{
	struct finding *finding = &jobs->finding;
	struct vault_item item;
	struct err err = { 0 };
	bool done = false;
	int code;

	if (vault_work_step(finding->work, &done, &item, &finding->why) != 0) {
		begin_digest(finding);
	} else if (done) {
		vault_work_free(finding->work);
		finding->work = NULL;
		code = announce(jobs, &item, false, &err);
		finish(jobs, code, &err);
	}
}

static struct entry *first_found(struct job *job)
{
	for (uint64_t cookie = job->first; cookie < job->next; cookie++) {
		struct entry *entry = job_entry(job, cookie);

		if (entry != NULL && entry->state == ENTRY_FOUND)
			return entry;
	}
	return NULL;
}

/* The entry keeps its slot, so that the job does not end before. */
static void begin(struct jobs *jobs, const struct job *job, struct entry *entry)
{
	struct finding *finding = &jobs->finding;
	struct vault_find find = {
		.fd = entry->fd,
		.st = &finding->st,
		.path = entry->path,
		.detection = entry->detection,
		.signature_version = job->version.engine,
		.job = job->start.job,
	};

	*finding = (struct finding){ .busy = true,
				     .job = job->start.job,
				     .cookie = entry->cookie,
				     .fd = entry->fd,
				     .st = entry->st,
				     .path = entry->path,
				     .detection = entry->detection };
	entry->fd = -1;
	entry->path = entry->detection = NULL;
	if (jobs->world.never_delete != NULL && exclusions_match(jobs->world.never_delete, finding->path)) {
		err_set(&finding->why, ERR_DENIED,
			"it is in never_delete of this computer's agent.ini, and stays where it is");
		begin_digest(finding);
	} else if (vault_take(jobs->world.vault, &find, &finding->work, &finding->why) != 0) {
		begin_digest(finding);
	}
}

bool job_find_pending(const struct jobs *jobs, struct job *job)
{
	return (jobs->finding.busy && uuid_equal(&jobs->finding.job, &job->start.job)) || first_found(job) != NULL;
}

bool job_find_step(struct jobs *jobs)
{
	struct job *job = jobs_at_work(jobs);
	struct entry *entry = job != NULL ? first_found(job) : NULL;

	if (!jobs->finding.busy && entry != NULL)
		begin(jobs, job, entry);
	if (jobs->finding.busy && jobs->finding.work != NULL)
		take_step(jobs);
	else if (jobs->finding.busy)
		digest_step(jobs);
	job = jobs_at_work(jobs);
	return jobs->finding.busy || (job != NULL && first_found(job) != NULL);
}

void job_not_fully(struct jobs *jobs, struct job *job, const char *path, const char *limit)
{
	struct notice_draft draft;

	job->saved.counts.not_fully_scanned++;
	notice_begin(&draft, EVENT_NOT_FULLY_SCANNED, env_wall(jobs->world.env));
	notice_text(&draft, "file", path);
	notice_text(&draft, "limit", limit);
	notice_uuid(&draft, "command", &job->start.job);
	if (notice_send(&draft, jobs->world.outbox, &job->cause) != 0)
		job->failure = job->cause.code;
}

void job_file_error(struct job *job, const char *path, const struct err *err)
{
	struct job_saved *saved = &job->saved;

	saved->counts.errors++;
	if (saved->trouble_code == 0) {
		saved->trouble_code = err->code;
		snprintf(saved->trouble, sizeof(saved->trouble), "%s", err->text);
		snprintf(saved->trouble_path, sizeof(saved->trouble_path), "%s", path);
	}
	LOG(LOG_INFO, "guard.file_not_scanned", log_text("file", path), log_err(err));
}
