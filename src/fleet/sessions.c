/* Which run of the agent is speaking, and whether two run with one identity.
 *
 * A session number is chosen when the link role starts; a new one is an agent
 * started again, and the old one falls silent. When an older session speaks
 * again long after a newer one began (a dead agent's last words arrive within
 * FLEET_CLONE_SETTLE_US), and then the newer one speaks too, both are alive:
 * the newer is the clone. All numbers are from authenticated reports.
 */
#include "fleet/parts.h"

bool fleet_rekeys(const struct fleet *fleet)
{
	return fleet->options.rekeys == NULL || fleet->options.rekeys(fleet->options.context);
}

uint64_t fleet_session(const struct fleet *fleet, const struct uuid *id)
{
	const struct computer *computer = computer_find(fleet, id);

	return computer != NULL ? computer->session : 0;
}

uint64_t fleet_exchange_session(const struct fleet_exchange *exchange)
{
	return exchange->session;
}

bool fleet_is_clone(const struct fleet *fleet, const struct uuid *id, uint64_t session)
{
	const struct computer *computer = computer_find(fleet, id);

	return computer != NULL && session != 0 && computer->clone == session;
}

void fleet_copy_left(struct fleet *fleet, const struct uuid *id)
{
	struct computer *computer = computer_find(fleet, id);

	if (computer != NULL)
		computer->clone = computer->suspect = 0;
}

static void session_begin(struct computer *computer, uint64_t session, uint64_t sequence, time_us now)
{
	computer->other_session = computer->session;
	computer->other_sequence = computer->sequence;
	computer->session = session;
	computer->sequence = sequence;
	computer->session_since = now;
	computer->stale_run = 0;
}

static span_us settle_of(const struct fleet *fleet)
{
	return fleet->options.clone_settle_us > 0 ? fleet->options.clone_settle_us : FLEET_CLONE_SETTLE_US;
}

span_us session_settles_in(const struct fleet *fleet, const struct computer *computer)
{
	span_us left = computer->session_since + settle_of(fleet) - fleet_now(fleet);

	return left > SECOND_US ? left : SECOND_US;
}

/* The older session spoke: last words, or is it alive beside the newer one? */
static enum session_verdict session_older(const struct fleet *fleet, struct computer *computer, uint64_t sequence,
					  time_us now)
{
	uint64_t newer = computer->session, older = computer->other_session;

	if (sequence <= computer->other_sequence)
		return SESSION_OLDER;
	if (now - computer->session_since < settle_of(fleet)) {
		computer->other_sequence = sequence;
		return SESSION_OLDER;
	}
	computer->suspect = newer;
	session_begin(computer, older, sequence, now);
	return SESSION_GAP;
}

/* A machine set back to a snapshot of its memory goes on with an old sequence:
 * four in a row, in order, and it is believed. */
static enum session_verdict session_behind(struct computer *computer, uint64_t sequence)
{
	computer->stale_run = sequence == computer->stale_last + 1 ? (uint8_t)(computer->stale_run + 1) : 0;
	computer->stale_last = sequence;
	if (computer->stale_run < 4)
		return SESSION_STALE;
	computer->sequence = sequence;
	computer->stale_run = 0;
	return SESSION_GAP;
}

enum session_verdict session_heard(struct fleet *fleet, struct computer *computer, uint64_t session, uint64_t sequence)
{
	time_us now = fleet_now(fleet);

	if (session == computer->clone && computer->clone != 0)
		return SESSION_CLONE;
	if (session == computer->suspect && computer->suspect != 0 && sequence > computer->other_sequence) {
		computer->suspect = 0;
		computer->clone = session;
		return SESSION_CLONE_FOUND;
	}
	if (session == computer->session) {
		uint64_t before = computer->sequence;

		if (sequence <= before)
			return session_behind(computer, sequence);
		computer->sequence = sequence;
		computer->stale_run = 0;
		return sequence == before + 1 ? SESSION_NEXT : SESSION_GAP;
	}
	if (session == computer->other_session && computer->other_session != 0)
		return session_older(fleet, computer, sequence, now);
	session_begin(computer, session, sequence, now);
	return SESSION_FIRST;
}
