/* Online, offline or stopped: from the last authenticated sign of life, and from
 * what hypervisors say of a machine that is silent.
 *
 * Offline is declared when one heartbeat more than allowed has been missed:
 * (missed + 1) intervals after the last sign of life; in a network that the
 * manager cannot reach after that network's time (placement.c). Agents report a little
 * more often than the interval (endpoint/timing.c takes its jitter off), so
 * half a second is enough for the way. Silence while this manager did not
 * listen (not running, stopped, its start's return window) does not count. Who was
 * offline and may be silent so long since its settings were changed is "unknown"
 * from then on, and that is told once (event 735). Monotonic clock; the wall
 * clock is only shown.
 *
 * A machine that is shut off is "VM stopped", and its silence is no error unless
 * the setting says so: then the same arithmetic makes it one, and the status
 * stays. A stop ends an offline error that is there. Once the machine runs again,
 * or no hypervisor tells of it any more, its silence counts from that moment.
 */
#include <stdio.h>
#include <string.h>

#include "fleet/parts.h"

#define WAY_US (500 * MILLISECOND_US)

static const char *const status_names[FLEET_STATUSES] = { "unknown", "online", "offline", "vm_stopped" };

static const char cause_never[] = "not heard since it was added";
static const char cause_activated[] = "activated, not heard yet";
static const char cause_restart[] = "not heard since the manager started";
static const char cause_silent[] = "heartbeats missed";
static const char cause_allowed[] = "silent, as its settings allow";
static const char cause_network[] = "silent for longer than its network allows";
static const char cause_stopped[] = "virtual machine shut off";
static const char cause_running[] = "virtual machine runs again, not heard yet";
static const char cause_unsure[] = "no hypervisor tells of its machine any more";

const char *fleet_status_name(enum fleet_status status)
{
	return status_names[status];
}

enum fleet_status fleet_status_parse(const char *name)
{
	unsigned status = FLEET_STATUSES - 1;

	while (status > FLEET_UNKNOWN && strcmp(status_names[status], name) != 0)
		status--;
	return (enum fleet_status)status;
}

static void set_status(struct fleet *fleet, struct computer *computer, enum fleet_status status, const char *cause)
{
	computer_trace(fleet, &computer->id, "status", status_names[computer->status], status_names[status]);
	fleet->with_status[computer->status]--;
	fleet->with_status[status]++;
	computer->status = (uint8_t)status;
	computer->cause = cause;
	computer->status_since = env_wall(fleet->options.env);
	computer->row_dirty = true;
}

static time_us later(time_us a, time_us b)
{
	return a > b ? a : b;
}

static bool is_stopped(const struct computer *computer)
{
	return computer->status == FLEET_VM_STOPPED;
}

/* A stopped machine that nobody should be told of. */
static bool is_excused(const struct computer *computer)
{
	return is_stopped(computer) && !computer->inactive_error;
}

bool liveness_is_error(const struct computer *computer)
{
	return computer->status == FLEET_OFFLINE || (is_stopped(computer) && computer->overdue);
}

time_us liveness_deadline(const struct fleet *fleet, const struct computer *computer)
{
	time_us from = later(later(computer->heard, fleet->listening_since), computer->counted_from);

	if (silence_allowed(computer) == FLEET_NEVER || liveness_is_error(computer) || is_excused(computer))
		return FLEET_NEVER;
	return from + silence_allowed(computer) + WAY_US;
}

/* What a machine said before it stopped may arrive after the word of the stop. */
static bool are_last_words(const struct fleet *fleet, const struct computer *computer, bool begun)
{
	return is_stopped(computer) && !begun && fleet_now(fleet) - computer->stopped_at < FLEET_LAST_WORDS_US;
}

static void come_online(struct fleet *fleet, struct computer *computer, time_us wall)
{
	span_us silence = computer->last_heard != 0 ? wall - computer->last_heard : 0;

	computer->silent_s = (uint32_t)(silence > 0 ? silence / SECOND_US : 0);
	computer->overdue = computer->allowed = false;
	set_status(fleet, computer, FLEET_ONLINE, "");
}

void liveness_heard(struct fleet *fleet, struct computer *computer, bool begun)
{
	time_us wall = env_wall(fleet->options.env);

	if (computer->status != FLEET_ONLINE && !are_last_words(fleet, computer, begun))
		come_online(fleet, computer, wall);
	computer->heard = fleet_now(fleet);
	computer->last_heard = wall;
	due_by(fleet, computer, liveness_deadline(fleet, computer));
}

/* --- settings --- */

/* Of one that was not heard since our start, only that it was silent too long is known. */
static bool may_be_silent(const struct fleet *fleet, const struct computer *computer)
{
	span_us silence = fleet_now(fleet) - computer->heard;

	return silence_allowed(computer) == FLEET_NEVER ||
	       (computer->session != 0 && silence < silence_allowed(computer));
}

void liveness_allowed(struct fleet *fleet, struct computer *computer)
{
	bool error = liveness_is_error(computer) || computer->offline_told || computer->error_writing;

	/* What has ended and was not told yet is told, whatever comes after it: it is shown so by now. */
	computer->allowed =
	    error && ((computer->allowed && computer->status == FLEET_UNKNOWN) || may_be_silent(fleet, computer));
	if (!computer->allowed)
		return;
	computer->overdue = false;
	computer->row_dirty = true;
	if (computer->status == FLEET_OFFLINE)
		set_status(fleet, computer, FLEET_UNKNOWN, cause_allowed);
}

/* --- machines --- */

void liveness_inactive_error(struct computer *computer, bool error)
{
	computer->inactive_error = error;
	computer->overdue = computer->overdue && error;
}

static void machine_stopped(struct fleet *fleet, struct computer *computer)
{
	bool offline = computer->status == FLEET_OFFLINE;

	computer->stopped_at = fleet_now(fleet);
	set_status(fleet, computer, FLEET_VM_STOPPED, cause_stopped);
	computer->overdue = offline && computer->inactive_error;
}

void liveness_machine(struct fleet *fleet, struct computer *computer, enum machine_state state)
{
	computer->machine = (uint8_t)state;
	if (state == MACHINE_STOPPED) {
		machine_stopped(fleet, computer);
	} else if (is_stopped(computer)) {
		computer->counted_from = fleet_now(fleet);
		computer->overdue = false;
		set_status(fleet, computer, FLEET_UNKNOWN, state == MACHINE_RUNNING ? cause_running : cause_unsure);
	}
}

static const char *silent_cause(const struct computer *computer)
{
	if (computer->last_heard == 0)
		return cause_never;
	return computer->offline_us > 0 ? cause_network : cause_silent;
}

void liveness_tick(struct fleet *fleet, struct computer *computer, time_us now)
{
	if (now < liveness_deadline(fleet, computer))
		return;
	computer->allowed = false;
	if (is_stopped(computer)) {
		computer->overdue = computer->row_dirty = true;
		computer_trace(fleet, &computer->id, "offline_error", "no", "yes");
	} else {
		set_status(fleet, computer, FLEET_OFFLINE, silent_cause(computer));
	}
}

/* --- telling --- */

static bool stop_untold(const struct computer *computer)
{
	return is_stopped(computer) != computer->stopped_told || (is_excused(computer) && computer->offline_told);
}

static bool error_untold(const struct computer *computer)
{
	if (!computer->offline_told)
		return liveness_is_error(computer);
	return computer->status == FLEET_ONLINE || (computer->allowed && !is_excused(computer));
}

bool liveness_untold(const struct computer *computer)
{
	return (stop_untold(computer) || error_untold(computer)) && !computer->status_writing;
}

static int tell_offline(struct fleet *fleet, const struct computer *computer, struct fleet_exchange *exchange)
{
	char heard[TIME_TEXT_BYTES] = "never";
	const struct made_field fields[] = { { "cause", computer->cause }, { "last_heard", heard } };

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

static int tell_allowed(struct fleet *fleet, struct fleet_exchange *exchange)
{
	const struct made_field field = { "cause", cause_allowed };

	return exchange_manager_event(fleet, exchange, EVENT_COMPUTER_NOT_WATCHED, &field, 1);
}

static int tell_stop(struct fleet *fleet, const struct computer *computer, struct fleet_exchange *exchange)
{
	const struct made_field stopped = { "offline_error", computer->inactive_error ? "yes" : "no" };
	const struct made_field runs = { "cause",
					 computer->status == FLEET_ONLINE ? "the agent reports" : computer->cause };
	int rc = exchange_manager_event(fleet, exchange, is_stopped(computer) ? EVENT_VM_STOPPED : EVENT_VM_NOT_STOPPED,
					is_stopped(computer) ? &stopped : &runs, 1);

	if (rc != 0)
		return rc;
	exchange->tells_status = true;
	exchange->tells_stopped = is_stopped(computer);
	exchange->tells_offline = exchange->tells_offline && !is_excused(computer);
	return 0;
}

static int tell_error(struct fleet *fleet, const struct computer *computer, struct fleet_exchange *exchange)
{
	bool error = liveness_is_error(computer);
	int rc = error               ? tell_offline(fleet, computer, exchange)
		 : computer->allowed ? tell_allowed(fleet, exchange)
				     : tell_online(fleet, computer, exchange);

	if (rc != 0)
		return rc;
	exchange->tells_status = true;
	exchange->tells_offline = error;
	return 0;
}

int liveness_tell(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange)
{
	int rc = 0;

	if (!liveness_untold(computer))
		return 0;
	exchange->tells_offline = computer->offline_told;
	exchange->tells_stopped = computer->stopped_told;
	if (stop_untold(computer))
		rc = tell_stop(fleet, computer, exchange);
	if (rc == 0 && error_untold(computer))
		rc = tell_error(fleet, computer, exchange);
	computer->status_writing = exchange->tells_status;
	computer->error_writing = exchange->tells_status && exchange->tells_offline;
	computer->row_dirty = true; /* in the same write */
	return rc;
}

void liveness_stored(struct computer *computer, const struct fleet_exchange *exchange, int rc)
{
	if (!exchange->tells_status)
		return;
	computer->status_writing = computer->error_writing = false;
	if (rc != 0)
		return;
	computer->offline_told = exchange->tells_offline;
	computer->stopped_told = exchange->tells_stopped;
}

/* --- as stored --- */

/* Until hypervisors are asked again, or what they said is forgotten. */
static void restore_stopped(struct computer *computer, const struct fleet_computer *record)
{
	computer->status = FLEET_VM_STOPPED;
	computer->machine = MACHINE_STOPPED;
	computer->stopped_told = true;
	computer->overdue = record->offline_error && record->inactive_error;
	computer->cause = cause_stopped;
	computer->stopped_at = computer->heard - FLEET_LAST_WORDS_US;
}

/* "Online" is a claim only while it may still be true. */
void liveness_restore(struct fleet *fleet, struct computer *computer, const struct fleet_computer *record)
{
	time_us wall = env_wall(fleet->options.env);
	span_us span = silence_allowed(computer);

	computer->heard = fleet_now(fleet);
	computer->counted_from = computer->heard;
	computer->last_heard = computer->row_heard = record->last_heard;
	computer->status_since = record->status_since;
	computer->status = FLEET_UNKNOWN;
	computer->offline_told = record->status == FLEET_OFFLINE || record->offline_error;
	if (record->status == FLEET_OFFLINE) {
		computer->status = FLEET_OFFLINE;
		computer->cause = silent_cause(computer);
	} else if (record->status == FLEET_VM_STOPPED) {
		restore_stopped(computer, record);
	} else if (record->activated) {
		computer->cause = cause_activated;
	} else if (record->last_heard == 0) {
		computer->cause = cause_never;
		if (computer->status_since == 0)
			computer->status_since = wall;
	} else if (record->status == FLEET_ONLINE && wall - record->last_heard < span) {
		computer->status = FLEET_ONLINE;
		computer->cause = "";
	} else {
		computer->status_since = wall;
		computer->cause = cause_restart;
	}
	fleet->with_status[computer->status]++;
	if (computer->missed == FLEET_UNLIMITED)
		liveness_allowed(fleet, computer);
}
