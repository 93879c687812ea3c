/* Whom the manager dials, and when (specification 10-links "Directions").
 *
 * While a computer is wanted, or reports itself, as manager-initiated it is
 * dialled on schedule: at each heartbeat interval (of its network, where that has
 * one, else of its policy) less some jitter, at once
 * when there is something for it, and soon again while a command of it runs.
 * One that is bidirectional is dialled only when there is something for it and
 * no poll is held; but one that is offline is looked for now and then: what we
 * know of its direction may be what a copy of it told, or it was set back to when
 * it only listened, and then it waits for us. Failures back off with full jitter.
 * Monotonic clock.
 */
#include <stdlib.h>
#include <string.h>

#include "fleet/parts.h"

#define FIRST_DIAL_US   (30 * SECOND_US) /* a computer that is newly to be dialled, within this */
#define POLL_GRACE_US   SECOND_US        /* one that was just answered polls again by itself */
#define FOLLOW_US       SECOND_US        /* while a command runs: this, doubled up to 16 times */
#define FOLLOW_DOUBLES  4
#define BACKOFF_US      (2 * SECOND_US)
#define BACKOFF_DOUBLES 10
#define TELL_FAILURES   2
#define SEARCH_US       HOUR_US         /* an offline one is looked for, half to one and a half times this apart */
#define TRIAL_US        (4 * MINUTE_US) /* an agent gives another way to the manager three minutes */

static bool on_schedule(const struct computer *computer)
{
	return computer->direction == LINK_MANAGER_INITIATED || computer->direction_wanted == LINK_MANAGER_INITIATED;
}

static bool listens(const struct computer *computer)
{
	return link_direction_agent_listens((enum link_direction)computer->direction) && computer->listen_port != 0;
}

/* One in a network that the manager cannot reach comes by itself, unless it only listens. */
static bool may_dial(const struct computer *computer)
{
	return on_schedule(computer) || (listens(computer) && uuid_is_zero(&computer->network));
}

/* In any network: it was not reached there for as long as it spoke by itself, and now it does not. */
static bool is_searched(const struct computer *computer)
{
	return computer->status == FLEET_OFFLINE && !on_schedule(computer) && listens(computer);
}

static span_us below(const struct fleet *fleet, span_us bound)
{
	return bound > 0 ? (span_us)env_below(fleet->options.env, (uint64_t)bound) : 0;
}

/* When there is something for it; FLEET_NEVER: nothing. */
static time_us work_at(const struct fleet *fleet, const struct computer *computer, time_us now)
{
	const time_us others[] = { configuration_at(fleet, computer), key_next(fleet, computer),
				   computer->reply_wanted };
	time_us next;

	if (computer->dial_asked || orders_waiting(fleet, computer, now, &next))
		return now;
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		if (others[i] < next)
			next = others[i] > now ? others[i] : now;
	}
	return next;
}

static time_us later(time_us a, time_us b)
{
	return a > b ? a : b;
}

static time_us dial_moment(const struct fleet *fleet, const struct computer *computer, time_us now)
{
	time_us at;

	if (computer->dialling || (!may_dial(computer) && !is_searched(computer)))
		return FLEET_NEVER;
	at = work_at(fleet, computer, now);
	if (computer->dial_asked)
		return at;
	if (is_searched(computer))
		return computer->dial_at;
	if (!on_schedule(computer)) {
		if (computer->parked != NULL || at == FLEET_NEVER || computer->status != FLEET_ONLINE)
			return FLEET_NEVER;
		return later(later(at, computer->heard + POLL_GRACE_US), computer->dial_not_before);
	}
	at = later(at, computer->dial_not_before);
	return at < computer->dial_at ? at : computer->dial_at;
}

static void search_later(const struct fleet *fleet, struct computer *computer)
{
	computer->dial_at = fleet_now(fleet) + SEARCH_US / 2 + below(fleet, SEARCH_US);
}

void dialling_update(struct fleet *fleet, struct computer *computer)
{
	bool searched = is_searched(computer);
	time_us at, first;

	if (fleet->options.dial == NULL)
		return;
	if (searched && !computer->dial_searched)
		search_later(fleet, computer);
	computer->dial_searched = searched;
	at = dial_moment(fleet, computer, fleet_now(fleet));
	if (at == computer->due[DUE_DIAL].at)
		return;
	first = due_dial_first(fleet)->due[DUE_DIAL].at;
	due_dial_set(fleet, computer, at);
	if (at < first)
		fleet->options.dial(fleet->options.context);
}

/* One that was not dialled on schedule and is now, or the other way round. */
static void reschedule(struct fleet *fleet, struct computer *computer, span_us within)
{
	bool scheduled = on_schedule(computer);

	if (scheduled && !computer->dial_scheduled) {
		computer->dial_at = fleet_now(fleet) + below(fleet, within);
		computer->dial_not_before = 0;
		computer->dial_again = computer->dialling; /* the agent waits for a dial that begins after its change */
	}
	computer->dial_scheduled = scheduled;
	dialling_update(fleet, computer);
}

/* It speaks when it is dialled, and has to speak as often as its network says. */
static span_us dial_interval(const struct computer *computer)
{
	return computer->pace.interval_s > 0 ? (span_us)computer->pace.interval_s * SECOND_US : computer->interval_us;
}

/* In another network, or by another table: not later than it is to speak there. */
void dialling_placed(struct fleet *fleet, struct computer *computer)
{
	span_us interval = dial_interval(computer);
	time_us latest = fleet_now(fleet) + interval;

	if (computer->dial_scheduled && computer->dial_at > latest)
		computer->dial_at = latest - below(fleet, interval);
	dialling_update(fleet, computer);
}

static span_us first_within(const struct computer *computer)
{
	return dial_interval(computer) < FIRST_DIAL_US ? dial_interval(computer) : FIRST_DIAL_US;
}

static void set_error(struct computer *computer, const char *text)
{
	if (text != NULL && computer->link_error != NULL && strcmp(computer->link_error, text) == 0)
		return;
	free(computer->link_error);
	computer->link_error = text != NULL ? strndup(text, FLEET_LINK_ERROR_BYTES - 1) : NULL;
}

void dialling_restore(struct fleet *fleet, struct computer *computer, const struct fleet_computer *record)
{
	computer->direction = (uint8_t)record->direction;
	computer->direction_wanted = (uint8_t)record->direction_wanted;
	computer->listen_port = record->listen_port;
	if (record->link_error[0] != '\0') {
		computer->link_error = strdup(record->link_error);
		computer->link_told = true;
		computer->dial_failures = TELL_FAILURES;
	}
	/* After a start they are spread over the whole interval; a new one is wanted sooner. */
	reschedule(fleet, computer, record->last_heard == 0 ? first_within(computer) : dial_interval(computer));
}

void dialling_host(struct fleet *fleet, struct computer *computer, const Muster__Wire__Host *host)
{
	computer->direction = (uint8_t)host->direction;
	computer->listen_port = (uint16_t)host->listen_port;
	if (!may_dial(computer)) {
		computer->dial_failures = 0;
		set_error(computer, NULL);
	}
	reschedule(fleet, computer, first_within(computer));
}

void dialling_woken(const struct fleet *fleet, struct computer *computer)
{
	computer->dial_not_before = later(computer->dial_not_before, fleet_now(fleet) + POLL_GRACE_US);
}

int fleet_set_direction(struct fleet *fleet, const struct uuid *id, enum link_direction wanted, struct err *err)
{
	struct computer *computer = computer_find(fleet, id);

	if (computer == NULL)
		return err_set(err, ERR_NOT_FOUND, "no such computer");
	computer->direction_wanted = (uint8_t)wanted;
	reschedule(fleet, computer, first_within(computer));
	return 0;
}

int fleet_dial_now(struct fleet *fleet, const struct uuid *id, struct err *err)
{
	struct computer *computer = computer_find(fleet, id);

	if (computer == NULL)
		return err_set(err, ERR_NOT_FOUND, "no such computer");
	if (!may_dial(computer))
		return err_set(err, ERR_WRONG_STATE, "%s",
			       !uuid_is_zero(&computer->network) ? "it is in a network that the manager cannot reach"
			       : computer->direction == LINK_AGENT_INITIATED
				   ? "the agent has no open port (it is agent-initiated)"
				   : "the agent has not told a port on which it listens");
	computer->dial_asked = true;
	dialling_update(fleet, computer);
	return 0;
}

bool fleet_dial_due(struct fleet *fleet, struct uuid *ret_computer, uint16_t *ret_port, time_us *ret_next)
{
	struct computer *computer = due_dial_first(fleet);

	*ret_next = computer != NULL ? computer->due[DUE_DIAL].at : FLEET_NEVER;
	if (computer == NULL || *ret_next > fleet_now(fleet))
		return false;
	computer->dialling = true;
	computer->dial_searches = computer->dial_searched && !computer->dial_asked;
	computer->dial_asked = false;
	due_dial_set(fleet, computer, FLEET_NEVER);
	*ret_computer = computer->id;
	*ret_port = computer->listen_port;
	return true;
}

/* --- how it went --- */

/* Its agent tries another way to the manager, and keeps it if it is dialled while it does. */
static bool is_trying(const struct computer *computer, time_us now)
{
	return computer->configuration_offered != 0 && now - computer->configuration_offered < TRIAL_US &&
	       configuration_differs(computer);
}

static void worked(struct fleet *fleet, struct computer *computer, time_us now)
{
	bool busy = computer->commands != NULL || computer->events_waiting > 0 || computer->wants_turn ||
		    is_trying(computer, now);
	unsigned doubles = computer->dial_follow < FOLLOW_DOUBLES ? computer->dial_follow : FOLLOW_DOUBLES;
	time_us follow = now + (FOLLOW_US << doubles);

	computer->dial_failures = 0;
	computer->dial_not_before = 0;
	set_error(computer, NULL);
	computer->dial_at = now + dial_interval(computer) - below(fleet, dial_interval(computer) / 10);
	computer->dial_follow = busy ? (uint8_t)(doubles + 1) : 0;
	if ((busy || computer->dial_again) && follow < computer->dial_at)
		computer->dial_at = follow;
	computer->dial_again = false;
}

/* The manager itself could not: no word about the computer. */
static void put_off(struct fleet *fleet, struct computer *computer, time_us now)
{
	computer->dial_not_before = computer->dial_at = now + SECOND_US + below(fleet, 2 * SECOND_US);
}

static void failed(struct fleet *fleet, struct computer *computer, time_us now, const char *text)
{
	unsigned doubles = computer->dial_failures < BACKOFF_DOUBLES ? computer->dial_failures : BACKOFF_DOUBLES;
	span_us window = BACKOFF_US << doubles;

	if (window > dial_interval(computer))
		window = dial_interval(computer);
	if (computer->dial_failures < UINT8_MAX)
		computer->dial_failures++;
	computer->dial_not_before = computer->dial_at = now + SECOND_US + below(fleet, window);
	set_error(computer, text);
}

void fleet_dialled(struct fleet *fleet, const struct uuid *id, int rc, const char *text)
{
	struct computer *computer = computer_find(fleet, id);
	time_us now = fleet_now(fleet);

	if (computer == NULL)
		return;
	computer->dialling = false;
	if (rc == 0)
		worked(fleet, computer, now);
	else if (rc == ERR_BUSY || rc == ERR_MEMORY || rc == ERR_CANCELLED)
		put_off(fleet, computer, now);
	else if (may_dial(computer) && !computer->dial_searches) /* who is looked for may well be off */
		failed(fleet, computer, now, text);
	if (rc != 0 && computer->dial_searched)
		search_later(fleet, computer);
	if (dialling_untold(computer))
		due_by(fleet, computer, now + SECOND_US);
	dialling_update(fleet, computer);
}

/* --- telling it --- */

/* That a computer which is off cannot be dialled either is no news; least so of a machine that is shut off. */
static bool is_problem(const struct computer *computer)
{
	return computer->status != FLEET_VM_STOPPED && computer->dial_failures >= TELL_FAILURES &&
	       computer->link_error != NULL && (on_schedule(computer) || computer->status == FLEET_ONLINE);
}

bool dialling_untold(const struct computer *computer)
{
	if (computer->link_writing)
		return false;
	if (computer->link_told)
		return computer->dial_failures == 0 || computer->status == FLEET_VM_STOPPED;
	return is_problem(computer);
}

int dialling_tell(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange)
{
	bool problem = !computer->link_told;
	struct made_field field = { "cause", problem ? computer->link_error : "the agent was dialled, or need not be" };
	size_t size;
	char *text;
	int rc;

	if (!dialling_untold(computer))
		return 0;
	size = problem ? strlen(computer->link_error) : 0;
	text = exchange_memory(exchange, size + 1);
	if (text == NULL)
		return ERR_MEMORY;
	if (size > 0)
		memcpy(text, computer->link_error, size);
	rc = exchange_manager_event(fleet, exchange,
				    problem ? EVENT_COMMUNICATION_PROBLEM : EVENT_COMMUNICATION_RESOLVED, &field, 1);
	if (rc != 0)
		return rc;
	exchange->rows.link_error = text; /* in the same write as its event: each is told once, over any crash */
	exchange->tells_problem = problem;
	exchange->tells_link = computer->link_writing = true;
	return 0;
}

void dialling_stored(struct computer *computer, const struct fleet_exchange *exchange, int rc)
{
	if (!exchange->tells_link)
		return;
	computer->link_writing = false;
	if (rc == 0)
		computer->link_told = exchange->tells_problem;
}
