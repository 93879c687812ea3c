/* The manager's own room. A bound that is crossed raises an alert; a tenth on
 * the good side of it resolves it, so that nothing flickers at the bound. */
#include "manager/front/self_watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "base/log.h"
#include "manager/front/front_state.h"
#include "manager/front/tls_listeners.h"

struct watched {
	enum alert_kind kind;
	bool bad, good; /* neither: as it was */
	const char *subject;
	char detail[64];
	uint32_t event; /* told when it becomes bad; 0: none */
};

static int64_t free_bytes(struct front *front)
{
	struct statvfs room;

	if (fstatvfs(front->quarantine_fd, &room) != 0)
		return INT64_MAX;
	return (int64_t)room.f_bavail * (int64_t)room.f_frsize;
}

static struct watched watch_disk(struct front *front)
{
	int64_t least = stored_setting_number(front->stored, STORED_DISK_FREE), there = free_bytes(front);
	struct watched watched = { .kind = ALERT_LOW_DISK, .subject = front->data_directory, .event = EVENT_LOW_DISK };

	watched.bad = there < least;
	watched.good = there >= least + least / 10;
	snprintf(watched.detail, sizeof(watched.detail), "%" PRId64, there);
	return watched;
}

static struct watched watch_database(struct front *front)
{
	int64_t most = stored_setting_number(front->stored, STORED_DATABASE_SIZE);
	struct watched watched = { .kind = ALERT_DATABASE_SIZE, .subject = "" };
	struct store_counters counters;

	store_counters(front->store, &counters);
	watched.bad = counters.bytes > (uint64_t)most;
	watched.good = counters.bytes < (uint64_t)(most - most / 10);
	snprintf(watched.detail, sizeof(watched.detail), "%" PRIu64, counters.bytes);
	return watched;
}

/* Event 1300 raises it, when a file finds no room. */
static struct watched watch_quarantine(struct front *front)
{
	int64_t capacity = stored_setting_number(front->stored, STORED_QUARANTINE_CAPACITY);
	int64_t largest = stored_setting_number(front->stored, STORED_QUARANTINE_LARGEST);
	int64_t left = capacity - (int64_t)front->numbers.quarantine_bytes;
	struct watched watched = { .kind = ALERT_QUARANTINE_FULL, .subject = "" };

	watched.good = left >= (largest < capacity / 10 ? largest : capacity / 10);
	return watched;
}

static struct watched watch_legacy_tls(struct front *front)
{
	struct watched watched = { .kind = ALERT_LEGACY_TLS, .subject = "" };
	tls_profile_set legacy = tls_profiles_legacy(tls_listeners_plan(front->listeners)->all);
	struct buf names;

	buf_init(&names, sizeof(watched.detail));
	tls_profiles_format(legacy, &names);
	watched.bad = legacy != 0;
	watched.good = !watched.bad;
	snprintf(watched.detail, sizeof(watched.detail), "%s", buf_text(&names));
	buf_done(&names);
	return watched;
}

struct seen {
	const struct watched *watched;
	bool open;
};

static int read_open(struct store_session *session, void *argument, struct err *err)
{
	struct seen *seen = argument;

	return alerting_is_open(session, seen->watched->kind, seen->watched->subject, &seen->open, err);
}

struct telling {
	struct front *front;
	const struct watched *watched;
};

static int write_fact(struct store_session *session, void *argument, struct err *err)
{
	const struct telling *telling = argument;
	const struct watched *watched = telling->watched;
	const struct front_field fields[] = { { "path", watched->subject }, { "free", watched->detail } };

	if (watched->bad && watched->event != 0)
		return front_event(telling->front, session, watched->event, NULL, fields, COUNT_OF(fields), err);
	return alerting_tell_state(telling->front, session, watched->kind, watched->bad, watched->subject,
				   watched->detail, err);
}

/* Only a change is written. */
static void look(struct front *front, const struct watched *watched)
{
	struct telling telling = { front, watched };
	struct seen seen = { watched, false };
	struct front_alert_type type;
	struct err err = { 0 };
	int rc;

	front_alert_type(front, watched->kind, &type);
	if (!type.enabled)
		return;
	rc = store_read(front->store, read_open, &seen, &err);

	if (rc == 0 && (seen.open ? watched->good : watched->bad))
		rc = store_write_wait(front->store, write_fact, &telling, &err);
	if (rc != 0)
		LOG(LOG_ERROR, "self_watch.not_stored", log_err(&err));
}

void self_watch(void *argument)
{
	struct front *front = argument;
	const struct watched all[] = { watch_disk(front), watch_database(front), watch_quarantine(front),
				       watch_legacy_tls(front) };

	for (size_t i = 0; i < COUNT_OF(all); i++)
		look(front, &all[i]);
}

void self_watch_first(void *argument)
{
	struct front *front = argument;
	const struct watched legacy = watch_legacy_tls(front);
	struct telling telling = { front, &legacy };
	struct err err = { 0 };

	/* Told even if it is open: other profiles may be on than before. */
	if (store_write_wait(front->store, write_fact, &telling, &err) != 0)
		LOG(LOG_ERROR, "self_watch.not_stored", log_err(&err));
	self_watch(front);
}
