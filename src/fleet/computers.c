/* Finding and showing computers. Trusted. */
#include <stdio.h>
#include <string.h>

#include "fleet/parts.h"

struct computer *computer_find(const struct fleet *fleet, const struct uuid *id)
{
	return map_get(fleet->computers, id->bytes, UUID_BYTES);
}

void computer_facts(const struct fleet *fleet, const struct computer *computer, struct fleet_computer *out)
{
	*out = (struct fleet_computer){
		.id = computer->id,
		.events_stored = computer->stored,
		.interval_us = computer->interval_us,
		.agent_interval_us = computer->agent_interval_us,
		.missed = computer->missed,
		.status = (enum fleet_status)computer->status,
		.status_since = computer->status_since,
		.offline_error = liveness_is_error(computer),
		.inactive_error = computer->inactive_error,
		.last_heard = computer->last_heard,
		.heard = computer->heard,
		.clock_offset_us = computer->clock_offset_us,
		.clock_limit_us = computer->clock_limit_us,
		.connected = computer->parked != NULL,
		.events_waiting = computer->events_waiting,
		.seen_from = computer->seen_from,
		.network = computer->network,
		.offline_us = computer->offline_us,
		.direction = (enum link_direction)computer->direction,
		.direction_wanted = (enum link_direction)computer->direction_wanted,
		.listen_port = computer->listen_port,
	};
	clock_facts(fleet, computer, out);
	if (computer->link_error != NULL)
		snprintf(out->link_error, sizeof(out->link_error), "%s", computer->link_error);
	snprintf(out->cause, sizeof(out->cause), "%s", computer->cause);
	memcpy(out->configuration, computer->configuration, SHA256_BYTES);
	memcpy(out->wanted_configuration, computer->wanted_configuration, SHA256_BYTES);
	out->configuration_state = configuration_state(computer);
	memcpy(out->trusted_key, computer->trusted_key, SHA256_BYTES);
}

void computer_trace(const struct fleet *fleet, const struct uuid *id, const char *what, const char *from,
		    const char *to)
{
	if (fleet->options.trace != NULL)
		fleet->options.trace(fleet->options.context, id, what, from, to);
}

int fleet_show(const struct fleet *fleet, const struct uuid *id, struct fleet_computer *ret_computer, struct err *err)
{
	const struct computer *computer = computer_find(fleet, id);

	if (computer == NULL)
		return err_set(err, ERR_NOT_FOUND, "no such computer");
	computer_facts(fleet, computer, ret_computer);
	return 0;
}

enum fleet_configuration_state configuration_state(const struct computer *computer)
{
	if (!configuration_differs(computer))
		return FLEET_CONFIGURATION_APPLIED;
	if (computer->configuration_refused)
		return FLEET_CONFIGURATION_FAILED;
	return computer->configuration_sent_count > 0 ? FLEET_CONFIGURATION_SENT : FLEET_CONFIGURATION_PENDING;
}

const char *fleet_configuration_state_name(enum fleet_configuration_state state)
{
	static const char *const names[FLEET_CONFIGURATION_STATES] = { "pending", "sent", "applied", "failed" };

	return names[state];
}

size_t fleet_count(const struct fleet *fleet)
{
	return fleet->heaps[DUE_TICK].count;
}

size_t fleet_with_status(const struct fleet *fleet, enum fleet_status status)
{
	return fleet->with_status[status];
}

int fleet_ask(struct fleet *fleet, const struct uuid *id, bool *ret_asked, struct err *err)
{
	struct computer *computer = computer_find(fleet, id);

	if (computer == NULL)
		return err_set(err, ERR_NOT_FOUND, "no such computer");
	*ret_asked = computer->parked != NULL;
	fleet_wake(fleet, computer, &computer->session);
	return 0;
}
