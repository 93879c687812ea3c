/* The way to the manager that a configuration brings: which one is used now, and changing it. */
#include "endpoint/configuration_parts.h"

bool configuration_same_way(const struct endpoint_connection *a, const struct endpoint_connection *b)
{
	return a->heartbeat_us == b->heartbeat_us && a->poll_us == b->poll_us && a->way == b->way &&
	       a->direction == b->direction;
}

void configuration_use_way(struct endpoint *endpoint, const struct endpoint_connection *connection)
{
	endpoint->configuring.used = *connection;
	endpoint->options.heartbeat_us = connection->heartbeat_us;
	endpoint->options.poll_us = connection->poll_us;
	direction_use(endpoint, connection->direction);
}

void configuration_change_way(struct endpoint *endpoint, const struct endpoint_connection *connection)
{
	if (configuration_same_way(&endpoint->configuring.used, connection))
		return;
	configuration_use_way(endpoint, connection);
	timing_redial(endpoint);
	if (endpoint->options.actor.configurer.redial != NULL)
		endpoint->options.actor.configurer.redial(endpoint->options.actor.context, connection);
}

/* agent.ini's: in force only without a configuration. */
void configuration_own_direction(struct endpoint *endpoint, enum link_direction direction)
{
	struct configuring *configuring = &endpoint->configuring;

	configuring->own.direction = direction;
	if (configuring->kept.content == NULL && configuring->candidate.content == NULL)
		configuration_use_way(endpoint, &configuring->own);
}

const struct endpoint_connection *configuration_good_way(const struct endpoint *endpoint)
{
	const struct configuring *configuring = &endpoint->configuring;

	return configuring->kept.content != NULL ? &configuring->kept.connection : &configuring->own;
}
