/* Online or offline: from the last authenticated sign of life and nothing else.
 *
 * Offline is declared when one heartbeat more than allowed has been missed:
 * (missed + 1) intervals after the last sign of life. Agents report a little
 * more often than the interval (endpoint/timing.c takes its jitter off), so
 * half a second is enough for the way. Silence while this manager did not listen (not running, stopped, its
 * start's return window) does not count. Monotonic clock; the wall clock is
 * only shown.
 */
#include <stdio.h>
#include <string.h>

#include "fleet/parts.h"

#define WAY_US (500 * MILLISECOND_US)

static const char *const status_names[] = { "unknown", "online", "offline" };

static const char cause_never[] = "not heard since it was added";
static const char cause_restart[] = "not heard since the manager started";
static const char cause_silent[] = "heartbeats missed";

static void set_status(struct fleet *fleet, struct computer *computer, enum fleet_status status, const char *cause)
{
	computer_trace(fleet, &computer->id, "status", status_names[computer->status], status_names[status]);
	if (computer->status == FLEET_ONLINE)
		fleet->online--;
	if (status == FLEET_ONLINE)
		fleet->online++;
	computer->status = (uint8_t)status;
	computer->cause = cause;
	computer->status_since = env_wall(fleet->options.env);
	computer->row_dirty = true;
}

time_us liveness_deadline(const struct fleet *fleet, const struct computer *computer)
{
	time_us from = computer->heard > fleet->listening_since ? computer->heard : fleet->listening_since;

	if (computer->status == FLEET_OFFLINE || computer->missed == FLEET_UNLIMITED)
		return FLEET_NEVER;
	return from + ((span_us)computer->missed + 1) * computer->interval_us + WAY_US;
}

void liveness_heard(struct fleet *fleet, struct computer *computer)
{
	time_us wall = env_wall(fleet->options.env);

	if (computer->status != FLEET_ONLINE) {
		span_us silence = wall - computer->last_heard;

		computer->silent_s = (uint32_t)(silence > 0 ? silence / SECOND_US : 0);
		set_status(fleet, computer, FLEET_ONLINE, "");
	}
	computer->heard = fleet_now(fleet);
	computer->last_heard = wall;
	due_by(fleet, computer, liveness_deadline(fleet, computer));
}

void liveness_tick(struct fleet *fleet, struct computer *computer, time_us now)
{
	if (now >= liveness_deadline(fleet, computer))
		set_status(fleet, computer, FLEET_OFFLINE, cause_silent);
}

bool liveness_untold(const struct computer *computer)
{
	enum fleet_status untold = computer->offline_told ? FLEET_ONLINE : FLEET_OFFLINE;

	return computer->status == untold && !computer->status_writing;
}

static int tell_offline(struct fleet *fleet, const struct computer *computer, struct fleet_exchange *exchange)
{
	char heard[TIME_TEXT_BYTES] = "never";
	const struct made_field fields[] = { { "cause", cause_silent }, { "last_heard", heard } };

	if (computer->last_heard != 0)
		time_format(computer->last_heard, heard);
	return exchange_manager_event(fleet, exchange, EVENT_COMPUTER_OFFLINE, fields, COUNT_OF(fields));
}

static int tell_online(struct fleet *fleet, const struct computer *computer, struct fleet_exchange *exchange)
{
	char silent[16];
	const struct made_field field = { "silent_s", silent };

	snprintf(silent, sizeof(silent), "%u", computer->silent_s);
	return exchange_manager_event(fleet, exchange, EVENT_COMPUTER_ONLINE, &field, 1);
}

int liveness_tell(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange)
{
	int rc;

	if (!liveness_untold(computer))
		return 0;
	exchange->tells_offline = computer->status == FLEET_OFFLINE;
	rc = exchange->tells_offline ? tell_offline(fleet, computer, exchange) : tell_online(fleet, computer, exchange);
	exchange->tells_status = computer->status_writing = rc == 0;
	computer->row_dirty = true; /* in the same write */
	return rc;
}

void liveness_stored(struct computer *computer, const struct fleet_exchange *exchange, int rc)
{
	if (!exchange->tells_status)
		return;
	computer->status_writing = false;
	if (rc == 0)
		computer->offline_told = exchange->tells_offline;
}

/* As stored; but "online" is a claim only while it may still be true. */
void liveness_restore(struct fleet *fleet, struct computer *computer, const struct fleet_computer *record)
{
	time_us wall = env_wall(fleet->options.env);
	span_us span =
	    computer->missed == FLEET_UNLIMITED ? FLEET_NEVER : ((span_us)computer->missed + 1) * computer->interval_us;

	computer->heard = fleet_now(fleet);
	computer->last_heard = computer->row_heard = record->last_heard;
	computer->status_since = record->status_since;
	computer->status = FLEET_UNKNOWN;
	computer->offline_told = record->status == FLEET_OFFLINE;
	if (record->status == FLEET_OFFLINE) {
		computer->status = FLEET_OFFLINE;
		computer->cause = cause_silent;
	} else if (record->last_heard == 0) {
		computer->cause = cause_never;
		if (computer->status_since == 0)
			computer->status_since = wall;
	} else if (record->status == FLEET_ONLINE && wall - record->last_heard < span) {
		computer->status = FLEET_ONLINE;
		computer->cause = "";
		fleet->online++;
	} else {
		computer->status_since = wall;
		computer->cause = cause_restart;
	}
}
