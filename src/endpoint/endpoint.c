/* Life of the agent's end, events in, the tick. The files may be damaged. */
#include "endpoint/endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint/parts.h"

void endpoint_note(struct endpoint *endpoint, uint32_t type, const struct text_field *texts, size_t count)
{
	const struct endpoint_actor *actor = &endpoint->options.actor;
	time_us now = env_wall(endpoint->options.env);
	struct event_field fields[WIRE_FIELDS_MAX];

	for (size_t i = 0; i < count; i++)
		fields[i] = (struct event_field){ texts[i].name,
						  { (const uint8_t *)texts[i].text,
						    strnlen(texts[i].text, WIRE_FIELD_VALUE_MAX_BYTES) } };
	if (spool_add(&endpoint->spool, 0, type, now, fields, count, NULL) == 0 && actor->noted != NULL)
		actor->noted(actor->context, type, now, fields, count);
}

static void note_damage(struct endpoint *endpoint, const char *name, const struct record_damage *damage)
{
	char bytes[24], places[16];
	const struct text_field fields[] = { { "log", name }, { "bytes", bytes }, { "places", places } };

	if (damage->places == 0)
		return;
	snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)damage->bytes);
	snprintf(places, sizeof(places), "%u", damage->places);
	endpoint_note(endpoint, EVENT_LOG_DAMAGED, fields, COUNT_OF(fields));
}

static int copy_options(struct endpoint *endpoint, const struct endpoint_options *options)
{
	endpoint->options = *options;
	endpoint->storage = options->storage;
	endpoint->direction = options->direction;
	endpoint->proven = true;
	if (options->heartbeat_us <= 0)
		endpoint->options.heartbeat_us = ENDPOINT_HEARTBEAT_DEFAULT_US;
	if (options->spool_events == 0)
		endpoint->options.spool_events = ENDPOINT_SPOOL_EVENTS;
	if (options->spool_bytes == 0)
		endpoint->options.spool_bytes = ENDPOINT_SPOOL_BYTES;
	endpoint->keys = calloc(options->key_count + 1, sizeof(*endpoint->keys));
	endpoint->key_count = options->key_count;
	if (endpoint->keys == NULL)
		return ERR_MEMORY;
	if (options->key_count > 0)
		memcpy(endpoint->keys, options->keys, options->key_count * sizeof(*endpoint->keys));
	return 0;
}

static void start_talking(struct endpoint *endpoint)
{
	const struct env *env = endpoint->options.env;
	time_us now = endpoint_now(endpoint);

	while (endpoint->session == 0)
		env->random(env->context, &endpoint->session, sizeof(endpoint->session));
	endpoint->full_wanted = true;
	for (size_t i = 0; i < ENDPOINT_LANES; i++) {
		endpoint->lanes[i].next_at = now;
		endpoint->lanes[i].sent_at = now - SECOND_US;
	}
}

static int open_logs(struct endpoint *endpoint, struct err *err)
{
	struct record_damage spool_damage, journal_damage;
	int rc = spool_open(&endpoint->spool, endpoint->options.env, &endpoint->storage, endpoint->options.spool_events,
			    endpoint->options.spool_bytes, &spool_damage, err);

	if (rc == 0)
		rc = journal_open(&endpoint->journal, &endpoint->storage, &endpoint->options.computer, &journal_damage,
				  err);
	if (rc != 0)
		return rc;
	note_damage(endpoint, "spool", &spool_damage);
	note_damage(endpoint, "journal", &journal_damage);
	return configuration_open(endpoint, err);
}

int endpoint_new(const struct endpoint_options *options, struct endpoint **ret_endpoint, struct err *err)
{
	struct endpoint *endpoint = calloc(1, sizeof(*endpoint));
	uint64_t seed;
	int rc;

	if (endpoint == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	options->env->random(options->env->context, &seed, sizeof(seed));
	endpoint->item_index = map_new(seed);
	rc = endpoint->item_index == NULL ? ERR_MEMORY : copy_options(endpoint, options);
	if (rc != 0)
		err_set(err, rc, "out of memory");
	else
		rc = open_logs(endpoint, err);
	if (rc != 0) {
		endpoint_free(endpoint);
		return rc;
	}
	direction_start(endpoint);
	start_talking(endpoint);
	configuration_start(endpoint);
	commands_resume(endpoint);
	*ret_endpoint = endpoint;
	return 0;
}

void endpoint_free(struct endpoint *endpoint)
{
	if (endpoint == NULL)
		return;
	spool_done(&endpoint->spool);
	journal_done(&endpoint->journal);
	state_done(endpoint);
	configuration_done(endpoint);
	free(endpoint->keys);
	free(endpoint);
}

/* --- events --- */

int endpoint_event(struct endpoint *endpoint, uint64_t source, uint32_t type, time_us time,
		   const struct event_field *fields, size_t count, struct err *err)
{
	return spool_add(&endpoint->spool, source, type, time, fields, count, err);
}

int endpoint_flush(struct endpoint *endpoint, struct err *err)
{
	return spool_flush(&endpoint->spool, err);
}

int endpoint_leave(struct endpoint *endpoint, struct err *err)
{
	return spool_compact(&endpoint->spool, err);
}

uint64_t endpoint_source(const struct endpoint *endpoint)
{
	return endpoint->spool.source;
}

/* --- time --- */

int endpoint_tick(struct endpoint *endpoint, struct err *err)
{
	int rc = commands_tick(endpoint);

	configuration_tick(endpoint);
	direction_tick(endpoint);
	return rc == 0 ? 0 : err_set(err, rc, "the command journal could not be kept");
}

time_us endpoint_due(const struct endpoint *endpoint)
{
	const time_us others[] = { configuration_due(endpoint), direction_due(endpoint) };
	time_us due = commands_due(endpoint);

	for (size_t i = 0; i < COUNT_OF(others); i++)
		due = others[i] < due ? others[i] : due;
	return due;
}

void endpoint_status(const struct endpoint *endpoint, struct endpoint_status *out)
{
	*out = endpoint->status;
	out->events_waiting = endpoint->spool.count;
	out->events_dropped = endpoint->spool.dropped;
	out->pace_us = endpoint->pace_us;
	out->pace_periodic = endpoint->pace_periodic;
}

uint64_t endpoint_session(const struct endpoint *endpoint)
{
	return endpoint->session;
}
