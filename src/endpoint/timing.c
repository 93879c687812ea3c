/* When to talk: held polls, heartbeats, urgent news, back-off. Every wait has
 * jitter, drawn after every cap, so that many agents never move in step. */
#include "endpoint/parts.h"

static uint64_t below(const struct endpoint *endpoint, span_us bound)
{
	return bound > 0 ? env_below(endpoint->options.env, (uint64_t)bound) : 0;
}

static span_us heartbeat_us(const struct endpoint *endpoint)
{
	return endpoint->pace_us > 0 ? endpoint->pace_us : endpoint->options.heartbeat_us;
}

/* 0: the manager holds our reports. */
static span_us poll_us(const struct endpoint *endpoint)
{
	return endpoint->pace_periodic ? endpoint->pace_us : endpoint->options.poll_us;
}

/* Each reply says it anew: one without takes it back. */
void timing_pace(struct endpoint *endpoint, const Muster__Wire__Pace *pace)
{
	endpoint->pace_us = pace != NULL ? pace->interval_s * SECOND_US : 0;
	endpoint->pace_periodic = pace != NULL && pace->periodic;
}

uint32_t timing_hold_s(const struct endpoint *endpoint, enum endpoint_lane lane)
{
	span_us hold = heartbeat_us(endpoint);

	if (lane != ENDPOINT_MAIN || poll_us(endpoint) > 0)
		return 0;
	if (hold > WIRE_HOLD_MAX_S * SECOND_US)
		hold = WIRE_HOLD_MAX_S * SECOND_US;
	hold -= (span_us)below(endpoint, hold / 10);
	return (uint32_t)(hold / SECOND_US);
}

static time_us progress_at(const struct endpoint *endpoint)
{
	time_us at = ENDPOINT_NEVER;

	for (const struct journal_entry *entry = endpoint->journal.entries; entry != NULL; entry = entry->next) {
		if (entry->state == COMMAND_RUNNING && entry->progress_new &&
		    entry->progress_sent + ENDPOINT_PROGRESS_US < at)
			at = entry->progress_sent + ENDPOINT_PROGRESS_US;
	}
	return at;
}

static bool commands_wait(const struct endpoint *endpoint)
{
	for (const struct journal_entry *entry = endpoint->journal.entries; entry != NULL; entry = entry->next) {
		if (!entry->acknowledged && entry->state != COMMAND_PENDING && revision_waits(&entry->revision))
			return true;
	}
	return false;
}

static bool events_wait(const struct endpoint *endpoint)
{
	uint64_t last = spool_last_id(&endpoint->spool);

	for (unsigned lane = 0; lane < REVISION_LANES; lane++) {
		if (endpoint->lanes[lane].under_way && endpoint->lanes[lane].last_id >= last)
			return false;
	}
	return last > 0;
}

/* Some new thing to tell waits, and no report under way tells it; when. */
static time_us urgent_at(const struct endpoint *endpoint)
{
	if (endpoint->hurried || endpoint->full_wanted || events_wait(endpoint) || commands_wait(endpoint) ||
	    items_wait(endpoint) || state_waits(endpoint))
		return 0;
	return progress_at(endpoint);
}

/* Waiting while the other lane is in trouble would not help: each has its own back-off. */
static time_us lane_at(const struct endpoint *endpoint, const struct lane *lane, time_us wanted)
{
	time_us at = wanted;

	if (lane->failures > 0 && at < lane->next_at)
		at = lane->next_at;
	return at < endpoint->not_before ? endpoint->not_before : at;
}

time_us endpoint_next(const struct endpoint *endpoint, enum endpoint_lane which)
{
	const struct lane *main = &endpoint->lanes[ENDPOINT_MAIN], *lane = &endpoint->lanes[which];
	time_us urgent;

	if (lane->under_way || !endpoint_dials(endpoint))
		return ENDPOINT_NEVER;
	urgent = urgent_at(endpoint);
	if (which == ENDPOINT_MAIN) {
		/* News waits no longer than the reply to the last report asked for. */
		if (urgent < lane->sent_at + ENDPOINT_URGENT_GAP_US)
			urgent = lane->sent_at + ENDPOINT_URGENT_GAP_US;
		return lane_at(endpoint, lane, urgent < lane->next_at ? urgent : lane->next_at);
	}
	if (!main->under_way || main->hold_s == 0 || urgent == ENDPOINT_NEVER)
		return ENDPOINT_NEVER;
	return lane_at(endpoint, lane, urgent > lane->next_at ? urgent : lane->next_at);
}

void endpoint_hurry(struct endpoint *endpoint)
{
	endpoint->hurried = true;
	for (unsigned lane = 0; lane < ENDPOINT_LANES; lane++) /* somebody waits: a back-off does not count */
		endpoint->lanes[lane].next_at = endpoint_now(endpoint);
}

void timing_redial(struct endpoint *endpoint)
{
	for (unsigned which = 0; which < ENDPOINT_LANES; which++) {
		struct lane *lane = &endpoint->lanes[which];

		if (lane->under_way) {
			state_lane_ended(endpoint, which, false);
			endpoint->full_wanted |= lane->full;
		}
		lane->under_way = false;
		lane->failures = 0;
		lane->next_at = endpoint_now(endpoint);
	}
	endpoint->hurried = true;
}

void timing_begin(struct endpoint *endpoint, enum endpoint_lane which, uint32_t hold_s)
{
	struct lane *lane = &endpoint->lanes[which];

	lane->under_way = true;
	lane->hold_s = hold_s;
	lane->sent_at = endpoint_now(endpoint);
	endpoint->hurried = false;
}

/* Never rarer than the heartbeat. */
static span_us poll_wait(const struct endpoint *endpoint)
{
	span_us wait = poll_us(endpoint);

	if (wait > heartbeat_us(endpoint))
		wait = heartbeat_us(endpoint);
	return wait - (span_us)below(endpoint, wait / 10);
}

static span_us longer(span_us one, span_us other)
{
	return one > other ? one : other;
}

/* All that lose the manager come back at once unless they spread. Half a heartbeat is the most, so that the
 * manager does not take it for silence; and new ways to it are tried without delay. */
static span_us return_window(const struct endpoint *endpoint)
{
	span_us cap = heartbeat_us(endpoint) / 2;

	if (endpoint->configuring.state == CONFIGURATION_TRYING)
		return 0;
	if (cap > ENDPOINT_BACKOFF_MAX_US)
		cap = ENDPOINT_BACKOFF_MAX_US;
	return endpoint->return_window_us < cap ? endpoint->return_window_us : cap;
}

void timing_replied(struct endpoint *endpoint, enum endpoint_lane which, bool useful, uint32_t return_after_ms)
{
	struct lane *lane = &endpoint->lanes[which];
	time_us now = endpoint_now(endpoint);
	bool held = now - lane->sent_at >= SECOND_US;

	lane->failures = 0;
	endpoint->lanes[ENDPOINT_MAIN].failures = 0;
	endpoint->return_by = 0;
	if (which == ENDPOINT_URGENT)
		lane->next_at = now + ENDPOINT_URGENT_GAP_US;
	else if (poll_us(endpoint) > 0)
		lane->next_at = now + poll_wait(endpoint);
	else if (held || useful)
		lane->next_at = now;
	else /* a manager that holds nothing must not make us spin */
		lane->next_at = now + SECOND_US + (span_us)below(endpoint, SECOND_US);
	if (!useful && (lane->told_something || lane->full)) /* told, and not acknowledged: it has trouble of its own */
		endpoint->not_before = now + SECOND_US + (span_us)below(endpoint, SECOND_US);
	if (return_after_ms > 0) {
		span_us wait = (span_us)return_after_ms * MILLISECOND_US;

		endpoint->not_before = now + wait + (span_us)below(endpoint, longer(wait, return_window(endpoint)));
	}
}

static span_us backoff_window(const struct endpoint *endpoint, unsigned failures)
{
	span_us cap =
	    heartbeat_us(endpoint) < ENDPOINT_BACKOFF_MAX_US ? heartbeat_us(endpoint) : ENDPOINT_BACKOFF_MAX_US;
	span_us window = ENDPOINT_BACKOFF_FIRST_US << (failures < 16 ? failures : 16);

	return window < cap ? window : cap;
}

/* Who calls too early in the announced window, and finds nobody, draws from what is left of it; then from another. */
static span_us return_left(struct endpoint *endpoint)
{
	time_us now = endpoint_now(endpoint);

	if (now >= endpoint->return_by)
		endpoint->return_by = now + return_window(endpoint);
	return endpoint->return_by - now;
}

static void tell_outage(struct endpoint *endpoint, int cause, const char *text)
{
	const struct text_field fields[] = { { "cause", text }, { "code", err_name(cause) } };

	if (endpoint->outage_told || endpoint->lanes[ENDPOINT_MAIN].failures < ENDPOINT_OUTAGE_FAILURES)
		return;
	endpoint->outage_told = true;
	endpoint_note(endpoint, EVENT_MANAGER_UNREACHABLE, fields, COUNT_OF(fields));
}

static void remember_failure(struct endpoint *endpoint, int cause, const char *text)
{
	size_t size = 0;

	while (size < sizeof(endpoint->status.last_error_text) - 1 && text[size] != '\0') {
		endpoint->status.last_error_text[size] = text[size];
		size++;
	}
	endpoint->status.last_error_text[size] = '\0';
	endpoint->status.last_error = cause;
	endpoint->status.failures++;
}

void endpoint_failed(struct endpoint *endpoint, enum endpoint_lane which, int cause, const char *text,
		     span_us retry_after_us)
{
	struct lane *lane = &endpoint->lanes[which];
	time_us now = endpoint_now(endpoint);
	span_us window = longer(backoff_window(endpoint, lane->failures), return_left(endpoint));

	state_lane_ended(endpoint, which, false);
	lane->under_way = false;
	lane->failures++;
	lane->next_at = now + (span_us)below(endpoint, window);
	if (retry_after_us > 0) {
		span_us wait =
		    retry_after_us < ENDPOINT_RETRY_AFTER_MAX_US ? retry_after_us : ENDPOINT_RETRY_AFTER_MAX_US;

		endpoint->not_before = now + wait + (span_us)below(endpoint, longer(wait, window));
	}
	if (lane->full)
		endpoint->full_wanted = true;
	direction_failed(endpoint);
	remember_failure(endpoint, cause, text);
	if (which == ENDPOINT_MAIN) {
		endpoint->status.connected = false;
		tell_outage(endpoint, cause, text);
	}
}
