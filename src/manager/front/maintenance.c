/* What the manager does by the clock. On worker threads. */
#include "manager/front/maintenance.h"
#include "manager/front/key_files.h"

#include <malloc.h>

#include "base/log.h"
#include "manager/front/authorities.h"
#include "manager/front/certificate_watch.h"
#include "manager/front/certificates.h"
#include "manager/front/dialler.h"
#include "manager/front/retention.h"
#include "manager/front/self_watch.h"
#include "manager/front/server_keys.h"
#include "manager/front/ticking.h"
#include "manager/front/uploads.h"
#include "manager/front/verify.h"
#include "manager/queries.h"

#define UPLOAD_IDLE_US    DAY_US /* an upload that stood still so long is forgotten */
#define STORM_CONNECTIONS 200    /* so many new ones leave memory worth giving back */
#define STORM_CALLS       4

static int delete_old_tokens(struct store_session *session, void *argument, struct err *err)
{
	const struct front *front = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_API_TOKEN_DELETE_EXPIRED);

	cursor_bind_number(cursor, "before", env_wall(front->env) - DAY_US);
	return cursor_run(cursor, err);
}

static int delete_old_alerts(struct store_session *session, void *argument, struct err *err)
{
	const struct front *front = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_ALERT_DELETE_ENDED_BEFORE);

	cursor_bind_number(cursor, "time",
			   env_wall(front->env) - stored_setting_number(front->stored, STORED_ALERT_RETENTION));
	return cursor_run(cursor, err);
}

static int delete_old_verifications(struct store_session *session, void *argument, struct err *err)
{
	const struct front *front = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_VERIFICATION_DELETE_BEFORE);

	cursor_bind_number(cursor, "time",
			   env_wall(front->env) - stored_setting_number(front->stored, STORED_EVENT_RETENTION));
	return cursor_run(cursor, err);
}

/* What has a retention of its own. */
static const struct {
	enum stored_setting retention;
	store_function function;
	const char *event;
} retained[] = {
	{ STORED_EVENT_RETENTION, delete_old_verifications, "maintenance.verifications" },
	{ STORED_ALERT_RETENTION, delete_old_alerts, "maintenance.alerts" },
};

static void hourly(void *argument)
{
	struct front *front = argument;
	struct err err = { 0 };

	for (size_t i = 0; i < COUNT_OF(retained); i++) {
		if (stored_setting_number(front->stored, retained[i].retention) != CONF_UNLIMITED &&
		    store_write_wait(front->store, retained[i].function, front, &err) != 0)
			LOG(LOG_ERROR, retained[i].event, log_err(&err));
	}
	if (retention_run(front, &err) != 0)
		LOG(LOG_ERROR, "maintenance.events", log_err(&err));
	if (store_write_wait(front->store, delete_old_tokens, front, &err) != 0)
		LOG(LOG_ERROR, "maintenance.tokens", log_err(&err));
	while (uploads_drop_idle(front->uploads, UPLOAD_IDLE_US))
		;
	if (quarantine_sweep(front, &err) != 0)
		LOG(LOG_ERROR, "maintenance.quarantine", log_err(&err));
}

/* Large buffers (a list of a thousand computers) come from the system and go back to it when freed, and a
 * thread's heap shrinks when its end is free; by itself glibc raises both bounds as it sees large buffers. */
static void bound_heaps(void)
{
	mallopt(M_MMAP_THRESHOLD, 512 * 1024);
	mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
}

/* Handshakes, enrolments and calls of the API free far more than they leave behind, and the
 * allocator sits on whole pages of holes (4.5 MB at 1,000 agents, 3 MB for each long list) that
 * nothing but the next of them would fill. */
static void give_back(void *argument)
{
	struct front *front = argument;
	struct http_server_counters counters;
	struct dialler_counters dials;
	int64_t calls; /* requests that were no exchanges; all counters move meanwhile */

	http_server_counters(front->server, &counters);
	dialler_counters(front->dialler, &dials);
	calls = (int64_t)(counters.requests + dials.rounds - front->numbers.exchanges);
	if (counters.accepted - front->trimmed_at < STORM_CONNECTIONS && calls - front->trimmed_calls < STORM_CALLS)
		return;
	front->trimmed_at = counters.accepted;
	front->trimmed_calls = calls;
	malloc_trim(0);
}

/* Said once a minute while it lasts, with how often. */
static void crowded(void *argument)
{
	struct front *front = argument;
	struct front_turned_away *told = &front->turned_away;
	struct http_server_counters now;

	http_server_counters(front->server, &now);
	if (now.refused == told->refused && now.evicted == told->evicted && now.accept_paused == told->accept_paused)
		return;
	LOG(LOG_WARNING, "front.connections_full", log_number("connections", (int64_t)now.connections),
	    log_number("most", (int64_t)front->connections_max),
	    log_number("refused", (int64_t)(now.refused - told->refused)),
	    log_number("evicted", (int64_t)(now.evicted - told->evicted)),
	    log_number("accept_paused", (int64_t)(now.accept_paused - told->accept_paused)));
	*told = (struct front_turned_away){ now.refused, now.evicted, now.accept_paused };
}

/* --- room for the rows of the fleet: what happens to all of it at once touches them in an order of chance --- */

#define CACHE_BYTES          ((size_t)8 * MIB)
#define CACHE_COMPUTER_BYTES ((size_t)1536)
#define LOG_BYTES            ((size_t)16 * MIB)
#define LOG_COMPUTER_BYTES   ((size_t)1024)

static int write_room(struct store_session *session, void *argument, struct err *err)
{
	const struct front *front = argument;

	return store_make_room(session, CACHE_BYTES + front->room_for * CACHE_COMPUTER_BYTES,
			       LOG_BYTES + front->room_for * LOG_COMPUTER_BYTES, err);
}

void maintenance_room(void *argument)
{
	struct front *front = argument;
	struct err err = { 0 };
	size_t counts[FLEET_STATUSES], computers = shards_count(front->shards, counts);

	if (computers <= front->room_for + front->room_for / 8)
		return;
	front->room_for = computers;
	if (store_write_wait(front->store, write_room, front, &err) != 0)
		LOG(LOG_WARNING, "maintenance.room", log_err(&err));
}

static const struct {
	span_us every;
	void (*function)(void *front);
} works[] = {
	{ 250 * MILLISECOND_US, ticking_run }, /* offline is told within a second of its moment */
	{ 10 * SECOND_US, give_back },
	{ MINUTE_US, crowded },
	{ MINUTE_US, maintenance_room },
	{ 5 * SECOND_US, server_keys_review },
	{ 5 * SECOND_US, authorities_review },
	{ 2 * SECOND_US, key_files_review }, /* somebody may just be at it */
	{ 250 * MILLISECOND_US, verify_tick },
	{ MINUTE_US, verify_schedule },
	{ MINUTE_US, self_watch },
	{ MINUTE_US, certificate_watch },
	{ 2 * SECOND_US, certificates_look }, /* dates and eight files are looked at, nothing more but once a year */
	{ HOUR_US, hourly },
};

int maintenance_begin(struct front *front, struct err *err)
{
	bound_heaps();
	maintenance_room(front);
	for (size_t i = 0; i < COUNT_OF(works); i++) {
		int rc = workers_every(front->workers, works[i].every, works[i].function, front);

		if (rc != 0)
			return err_set(err, rc, "too much periodic work");
	}
	return 0;
}
