/* What a job found: into the vault and into the outbox, in an order that a
 * crash cannot turn into a lost detection. */
#include <errno.h>
#include <openssl/evp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/guard/job.h"
#include "base/log.h"

#define PASSWD_FILE "/etc/passwd" /* read here: guard has no network for other sources */

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

/* Of a file that could not be sealed, which would have counted it. */
static bool digest_file(int fd, uint8_t sha256[SHA256_BYTES])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool fine = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
	uint8_t room[65536];
	off_t offset = 0;

	while (fine) {
		ssize_t got = pread(fd, room, sizeof(room), offset);

		if (got == 0)
			break;
		fine = (got > 0 || errno == EINTR) && (got < 0 || EVP_DigestUpdate(context, room, (size_t)got) == 1);
		offset += got > 0 ? got : 0;
	}
	fine = fine && EVP_DigestFinal_ex(context, sha256, NULL) == 1;
	EVP_MD_CTX_free(context);
	return fine;
}

static void begin_detection(struct notice_draft *draft, time_us now, const char *path, const char *detection,
			    uint64_t size, const char *user, const struct uuid *job)
{
	notice_begin(draft, 2000, now);
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

	notice_begin(&draft, 2020, env_wall(jobs->world.env));
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
	} steps[] = { { 2000, tell_detected }, { 0, tell_item }, { 2020, tell_quarantined } };
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

static int announce_failure(struct jobs *jobs, const struct job *job, const struct entry *entry, const char *detection,
			    const struct err *why, struct err *err)
{
	struct notice_draft draft;
	uint8_t sha256[SHA256_BYTES];
	char result[ERR_TEXT_BYTES + 16];
	char user[64];

	owner_name(entry->st.st_uid, user, sizeof(user));
	snprintf(result, sizeof(result), "failed: %s", why->text);
	begin_detection(&draft, env_wall(jobs->world.env), entry->path, detection, (uint64_t)entry->st.st_size, user,
			&job->start.job);
	notice_text(&draft, "result", result);
	if (digest_file(entry->fd, sha256))
		notice_sha256(&draft, "sha256", sha256);
	return notice_send(&draft, jobs->world.outbox, err);
}

void job_found(struct jobs *jobs, struct job *job, const struct entry *entry, const char *detection)
{
	const struct vault_find find = {
		.fd = entry->fd,
		.st = &entry->st,
		.path = entry->path,
		.detection = detection,
		.signature_version = job->version.engine,
		.job = job->start.job,
	};
	struct vault_item item;
	struct err err = { 0 };
	int code;

	job->saved.counts.detections++;
	if (vault_quarantine(jobs->world.vault, &find, &item, &err) == 0) {
		code = announce(jobs, &item, false, &job->cause);
	} else {
		LOG(LOG_WARNING, "guard.not_quarantined", log_text("file", entry->path), log_err(&err));
		code = announce_failure(jobs, job, entry, detection, &err, &job->cause);
	}
	if (code != 0)
		job->failure = code;
}

void job_not_fully(struct jobs *jobs, struct job *job, const char *path, const char *limit)
{
	struct notice_draft draft;

	job->saved.counts.not_fully_scanned++;
	notice_begin(&draft, 2001, env_wall(jobs->world.env));
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
