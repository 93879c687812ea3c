/* The small services of manager/front/front.h; the larger ones have files of their own. */
#include "manager/front/authorities.h"
#include "manager/front/dialler.h"
#include "manager/front/front_state.h"
#include "manager/front/networks.h"
#include "manager/front/policies.h"
#include "manager/front/records_json.h"
#include "manager/front/tls_listeners.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "fleet/event_types.h"
#include "manager/queries.h"

struct store *front_store(struct front *front)
{
	return front->store;
}

const struct env *front_env(const struct front *front)
{
	return front->env;
}

const uint8_t *front_request_key(const struct front *front)
{
	return front->request_key;
}

const char *front_data_directory(const struct front *front)
{
	return front->data_directory;
}

const struct settings *front_settings(const struct front *front)
{
	return &front->settings;
}

const struct listening *front_listening(const struct front *front)
{
	return tls_listeners_plan(front->listeners);
}

bool front_holds(const struct front *front, size_t index)
{
	return tls_listeners_held(front->listeners, index);
}

const struct front_identity *front_identity(const struct front *front)
{
	return &authorities_now(front)->identity;
}

bool front_stopping(const struct front *front)
{
	return front->stopping;
}

int front_work(struct front *front, void (*function)(void *argument), void *argument)
{
	return workers_add(front->workers, function, argument);
}

void front_destinations_changed(struct front *front)
{
	forwarder_changed(front->forwarder);
}

int front_destination_test(struct front *front, const struct uuid *destination, const char *user, struct err *err)
{
	return forwarder_test(front->forwarder, destination, user, err);
}

struct front_subscription *front_subscribe(struct front *front, struct loop *loop, unsigned topics,
					   void (*on_news)(void *argument, const struct front_news *news, size_t count,
							   uint64_t missed),
					   void *argument)
{
	return feed_subscribe(front->feed, loop, topics, on_news, argument);
}

int front_computer_live(struct front *front, const struct uuid *computer, struct front_live *ret_live, struct err *err)
{
	struct shard *shard = shards_of(front->shards, computer);
	struct front_network network;
	struct fleet_computer shown;
	int rc;

	pthread_mutex_lock(&shard->lock);
	rc = fleet_show(shard->fleet, computer, &shown, err);
	pthread_mutex_unlock(&shard->lock);
	if (rc != 0)
		return rc;
	*ret_live = (struct front_live){
		.status = fleet_status_name(shown.status),
		.since = shown.status_since,
		.last_heard = shown.last_heard,
		.clock_offset_s = shown.clock_offset_us / SECOND_US,
		.connected = shown.connected,
		.direction = policies_direction(front, computer),
		.configuration_state = fleet_configuration_state_name(shown.configuration_state),
	};
	memcpy(ret_live->configuration, shown.configuration, SHA256_BYTES);
	memcpy(ret_live->wanted_configuration, shown.wanted_configuration, SHA256_BYTES);
	ret_live->direction_in_force = link_direction_name(shown.direction);
	snprintf(ret_live->link_error, sizeof(ret_live->link_error), "%s", shown.link_error);
	snprintf(ret_live->cause, sizeof(ret_live->cause), "%s", shown.cause);
	ret_live->seen_from = shown.seen_from;
	if (!uuid_is_zero(&shown.network) && front_networks_show(front->networks, &shown.network, &network)) {
		snprintf(ret_live->network, sizeof(ret_live->network), "%s", network.name);
		if (shown.status == FLEET_OFFLINE)
			snprintf(ret_live->cause, sizeof(ret_live->cause), "silent for longer than %u min (network %s)",
				 network.rules.offline_min, network.name);
	}
	/* Of one that only listens this is the cause. */
	if (shown.status != FLEET_ONLINE && shown.link_error[0] != '\0' && shown.direction == LINK_MANAGER_INITIATED)
		snprintf(ret_live->cause, sizeof(ret_live->cause), "%.159s", shown.link_error);
	return 0;
}

char *front_command_progress(struct front *front, const struct uuid *computer, const struct uuid *command)
{
	struct shard *shard = shards_of(front->shards, computer);
	const Muster__Wire__Progress *progress;
	char *json = NULL;

	pthread_mutex_lock(&shard->lock);
	progress = fleet_progress(shard->fleet, computer, command);
	if (progress != NULL)
		json = json_of_progress(progress);
	pthread_mutex_unlock(&shard->lock);
	return json;
}

static int count_open(struct store_session *session, void *argument, struct err *err)
{
	uint64_t *open = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_COMMAND_COUNT_BY_STATE);

	while (cursor_next(cursor)) {
		const char *state = cursor_text(cursor, "state");

		if (strcmp(state, "pending") == 0 || strcmp(state, "sent") == 0 || strcmp(state, "running") == 0)
			*open += (uint64_t)cursor_number(cursor, "count");
	}
	return cursor_end(cursor, err);
}

void front_counts(struct front *front, struct front_counts *ret_counts)
{
	const struct front_numbers *numbers = &front->numbers;
	struct dialler_counters dials;
	size_t counts[FLEET_STATUSES], computers = shards_count(front->shards, counts);
	uint64_t open = 0;

	store_read(front->store, count_open, &open, NULL);
	dialler_counters(front->dialler, &dials);
	*ret_counts = (struct front_counts){
		.computers = computers,
		.online = counts[FLEET_ONLINE],
		.offline = counts[FLEET_OFFLINE],
		.vm_stopped = counts[FLEET_VM_STOPPED],
		.unknown = counts[FLEET_UNKNOWN],
		.held_polls = front->parked.count,
		.exchanges = numbers->exchanges,
		.exchanges_refused = numbers->exchanges_refused,
		.events_stored = numbers->events_stored,
		.events_repeated = numbers->events_repeated,
		.events_beside = numbers->events_beside,
		.enrolments = numbers->enrolments,
		.enrolments_refused = numbers->enrolments_refused,
		.commands_open = open,
		.work_queued = workers_queued(front->workers),
		.feed_dropped = feed_dropped(front->feed),
		.open_files_limit = front->open_files,
		.connections_max = front->connections_max,
		.quarantine_bytes = numbers->quarantine_bytes,
		.quarantine_capacity_bytes = (uint64_t)stored_setting_number(front->stored, STORED_QUARANTINE_CAPACITY),
		.dials_under_way = dials.under_way,
		.dials_highest = dials.highest,
		.dials_bound = dials.bound,
		.dialled = dials.dialled,
		.dials_failed = dials.failed,
		.dials_resumed = dials.resumed,
		.dial_sessions = dials.sessions,
		.started = front->started,
		.loops = front->loop_count,
	};
}

void front_http_counters(struct front *front, struct http_server_counters *ret_counters)
{
	http_server_counters(front->server, ret_counters);
}
