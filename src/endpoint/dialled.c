/* Directions, and the talk over a connection that the manager dialled: the same
 * messages with the parts of HTTP reversed. The manager's certificate was
 * verified; the bytes are still decoded under limits, and orders count only as
 * verified envelopes. */
#include "endpoint/parts.h"

#define UNHEARD_US       DAY_US
#define UNHEARD_BEATS    3 /* that, or so many heartbeats */
#define UNHEARD_AGAIN_US HOUR_US

bool endpoint_dials(const struct endpoint *endpoint)
{
	return link_direction_agent_dials(endpoint->direction) || !endpoint->proven || endpoint->alone;
}

/* --- nobody dials one that only listens --- */

static bool only_listens(const struct endpoint *endpoint)
{
	return endpoint->direction == LINK_MANAGER_INITIATED && endpoint->proven;
}

/* It was dialled, or has no reason to wait for that. */
static void not_alone(struct endpoint *endpoint)
{
	span_us beats = UNHEARD_BEATS * endpoint->options.heartbeat_us;

	endpoint->alone = false;
	endpoint->alone_at = endpoint_now(endpoint) + (beats > UNHEARD_US ? beats : UNHEARD_US);
}

time_us direction_due(const struct endpoint *endpoint)
{
	return only_listens(endpoint) && !endpoint->alone ? endpoint->alone_at : ENDPOINT_NEVER;
}

void direction_tick(struct endpoint *endpoint)
{
	if (endpoint_now(endpoint) < direction_due(endpoint))
		return;
	endpoint->alone = true;
	state_make_full(endpoint);
	endpoint_hurry(endpoint);
}

void direction_failed(struct endpoint *endpoint)
{
	if (!endpoint->alone || !only_listens(endpoint))
		return;
	endpoint->alone = false;
	endpoint->alone_at =
	    endpoint_now(endpoint) + UNHEARD_AGAIN_US + (span_us)env_below(endpoint->options.env, UNHEARD_AGAIN_US);
}

/* --- directions --- */

void direction_use(struct endpoint *endpoint, enum link_direction direction)
{
	if (direction == endpoint->direction)
		return;
	endpoint->direction = direction;
	endpoint->proven = false;
	not_alone(endpoint);
	if (direction != LINK_MANAGER_INITIATED)
		configuration_listens_only(endpoint, false);
	if (!link_direction_agent_listens(direction))
		endpoint_hung_up(endpoint);
	endpoint_hurry(endpoint); /* the manager should know at once */
}

/* A manager that asks for the whole state may not have taken what it was told before. */
static bool full_waits(const struct endpoint *endpoint)
{
	for (unsigned lane = 0; lane <= ENDPOINT_DIALLED; lane++) {
		if (endpoint->lanes[lane].under_way && endpoint->lanes[lane].full)
			return true;
	}
	return endpoint->full_wanted;
}

/* An agent that only listens is lost unless the manager knows that, and goes on knowing it after a crash of its own. */
static bool manager_knows(const struct endpoint *endpoint)
{
	return !full_waits(endpoint) && endpoint->host != NULL && endpoint->host->direction == endpoint->direction &&
	       endpoint->host_revision.told == endpoint->host_revision.now;
}

static void prove(struct endpoint *endpoint)
{
	if (endpoint->direction != LINK_MANAGER_INITIATED || (!endpoint->proven && !manager_knows(endpoint)))
		return;
	endpoint->proven = true;
	configuration_listens_only(endpoint, true);
	configuration_reached(endpoint);
}

void direction_start(struct endpoint *endpoint)
{
	bool listens = endpoint->direction == LINK_MANAGER_INITIATED;

	endpoint->proven = !listens || endpoint->configuring.listens_only;
	not_alone(endpoint);
	if (!listens)
		configuration_listens_only(endpoint, false);
}

void endpoint_set_direction(struct endpoint *endpoint, enum link_direction direction)
{
	configuration_own_direction(endpoint, direction);
}

enum link_direction endpoint_direction(const struct endpoint *endpoint)
{
	return endpoint->direction;
}

bool endpoint_proven(const struct endpoint *endpoint)
{
	return endpoint->proven;
}

void endpoint_hung_up(struct endpoint *endpoint)
{
	struct lane *lane = &endpoint->lanes[ENDPOINT_DIALLED];

	if (!lane->under_way)
		return;
	lane->under_way = false;
	state_lane_ended(endpoint, ENDPOINT_DIALLED, false);
	if (lane->full)
		endpoint->full_wanted = true;
}

/* The first message of a connection says nothing but "speak": it answers no
 * report, so what it may hold of acknowledgements is not for us. */
static void opened(struct endpoint *endpoint)
{
	endpoint_hung_up(endpoint);
	reply_in_contact(endpoint);
	prove(endpoint);
}

static int take(struct endpoint *endpoint, const Muster__Wire__Reply *reply, struct err *err)
{
	const struct lane *lane = &endpoint->lanes[ENDPOINT_DIALLED];

	not_alone(endpoint);
	if (reply->answers_sequence == 0) {
		opened(endpoint);
		return 0;
	}
	if (!lane->under_way || reply->answers_session != endpoint->session ||
	    reply->answers_sequence != lane->sequence)
		return err_set(err, ERR_WRONG_STATE, "the reply answers another report than the last one given");
	reply_take(endpoint, ENDPOINT_DIALLED, reply);
	if (!reply->send_full)
		prove(endpoint);
	reply_act(endpoint, ENDPOINT_DIALLED, reply);
	return 0;
}

int endpoint_dialled(struct endpoint *endpoint, const void *bytes, size_t size, struct buf *out, struct err *err)
{
	Muster__Wire__Reply *reply;
	struct arena *arena;
	uint32_t hold_s;
	int rc;

	if (!link_direction_agent_listens(endpoint->direction))
		return err_set(err, ERR_WRONG_STATE, "this agent is not to be dialled");
	rc = exchange_reply_decode(bytes, size, &reply, &arena, err);
	if (rc != 0)
		return rc;
	rc = take(endpoint, reply, err);
	arena_free(arena);
	if (rc == 0)
		rc = endpoint_report(endpoint, ENDPOINT_DIALLED, out, &hold_s, err);
	if (rc == 0)
		endpoint->status.dialled++;
	return rc;
}
