/* Networks in the front role: from rows to the table that the shards use, and
 * how an edit comes into force. Rows were checked once and are checked again. */
#include "manager/front/networks.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "manager/queries.h"

struct front_networks {
	struct front *front;
	pthread_mutex_t editing;
	pthread_mutex_t lock;
	struct networks *table;
};

/* --- a list being made: what networks_new() takes --- */

struct listing {
	struct network *networks;
	struct address_range *ranges; /* NETWORK_RANGES_MAX for each */
	char (*names)[NETWORK_NAME_MAX_BYTES + 1];
	size_t count, capacity;
};

static void listing_done(struct listing *listing)
{
	free(listing->networks);
	free(listing->ranges);
	free(listing->names);
}

static int listing_init(struct listing *listing, size_t capacity, struct err *err)
{
	*listing = (struct listing){ .capacity = capacity };
	listing->networks = calloc(capacity, sizeof(*listing->networks));
	listing->ranges = calloc(capacity * NETWORK_RANGES_MAX, sizeof(*listing->ranges));
	listing->names = calloc(capacity, sizeof(*listing->names));
	if (listing->networks != NULL && listing->ranges != NULL && listing->names != NULL)
		return 0;
	listing_done(listing);
	return err_set(err, ERR_MEMORY, "no memory for the networks");
}

/* --- loading --- */

static int read_ranges(const char *text, struct address_range *ranges, size_t *ret_count, struct err *err)
{
	json_t *list = json_loads(text, 0, NULL);
	int rc = 0;

	*ret_count = json_array_size(list);
	if (*ret_count > NETWORK_RANGES_MAX)
		rc = err_set(err, ERR_LIMIT, "it has more than %d ranges", NETWORK_RANGES_MAX);
	for (size_t i = 0; rc == 0 && i < *ret_count; i++) {
		const char *range = json_string_value(json_array_get(list, i));

		rc = address_range_parse(range != NULL ? range : "", &ranges[i], err);
	}
	json_decref(list);
	return rc;
}

static int read_row(struct cursor *cursor, struct listing *listing, struct err *err)
{
	struct network *network = &listing->networks[listing->count];
	struct address_range *ranges = listing->ranges + listing->count * NETWORK_RANGES_MAX;
	char *name = listing->names[listing->count];
	const char *member;
	int rc = read_ranges(cursor_text(cursor, "ranges"), ranges, &network->range_count, err);

	snprintf(name, sizeof(listing->names[0]), "%s", cursor_text(cursor, "name"));
	cursor_uuid(cursor, "id", &network->id);
	network->name = name;
	network->ranges = ranges;
	network->rules = (struct network_rules){
		.heartbeat = cursor_number(cursor, "heartbeat") != 0,
		.heartbeat_min = (uint32_t)cursor_number(cursor, "heartbeat_minutes"),
		.offline_min = (uint32_t)cursor_number(cursor, "offline_minutes"),
		.poll_min = (uint32_t)cursor_number(cursor, "poll_minutes"),
	};
	return rc == 0 ? network_rules_check(&network->rules, &member, err) : rc;
}

static int read_rows(struct store_session *session, void *argument, struct err *err)
{
	struct listing *listing = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_NETWORK_ALL);

	while (listing->count < listing->capacity && cursor_next(cursor)) {
		struct err why = { 0 };

		if (read_row(cursor, listing, &why) == 0)
			listing->count++;
		else
			LOG(LOG_ERROR, "network.not_taken", log_text("name", cursor_text(cursor, "name")),
			    log_err(&why));
	}
	return cursor_end(cursor, err);
}

static void give_to_shards(struct front *front, const struct networks *table)
{
	for (size_t i = 0; i < SHARD_COUNT; i++) {
		struct shard *shard = shards_at(front->shards, i);

		pthread_mutex_lock(&shard->lock);
		fleet_set_networks(shard->fleet, table);
		pthread_mutex_unlock(&shard->lock);
	}
}

int front_networks_open(struct front *front, struct front_networks **ret_networks, struct err *err)
{
	struct front_networks *networks = calloc(1, sizeof(*networks));
	struct listing listing;
	int rc;

	if (networks == NULL)
		return err_set(err, ERR_MEMORY, "no memory for the networks");
	networks->front = front;
	pthread_mutex_init(&networks->editing, NULL);
	pthread_mutex_init(&networks->lock, NULL);
	rc = listing_init(&listing, NETWORKS_MAX, err);
	if (rc == 0) {
		rc = store_read(front->store, read_rows, &listing, err);
		if (rc == 0)
			rc = networks_new(listing.networks, listing.count, &networks->table, err);
		listing_done(&listing);
	}
	if (rc != 0) {
		front_networks_free(networks);
		return err_add(err, rc, "networks");
	}
	give_to_shards(front, networks->table);
	*ret_networks = networks;
	return 0;
}

void front_networks_free(struct front_networks *networks)
{
	if (networks == NULL)
		return;
	networks_free(networks->table);
	pthread_mutex_destroy(&networks->lock);
	pthread_mutex_destroy(&networks->editing);
	free(networks);
}

/* --- an edit: what will be --- */

static void copy_network(struct listing *listing, const struct network *from)
{
	size_t at = listing->count++;
	struct address_range *ranges = listing->ranges + at * NETWORK_RANGES_MAX;

	memcpy(ranges, from->ranges, from->range_count * sizeof(*ranges));
	snprintf(listing->names[at], sizeof(listing->names[at]), "%s", from->name);
	listing->networks[at] = *from;
	listing->networks[at].name = listing->names[at];
	listing->networks[at].ranges = ranges;
}

static uint32_t minutes(int64_t given, uint32_t former)
{
	return given < 0 ? former : given > UINT32_MAX ? UINT32_MAX : (uint32_t)given;
}

static void apply(const struct front_network_edit *edit, struct network *network)
{
	struct network_rules *rules = &network->rules;

	if (edit->name != NULL)
		network->name = edit->name;
	if (edit->ranges != NULL) {
		network->ranges = edit->ranges;
		network->range_count = edit->range_count;
	}
	if (edit->heartbeat >= 0)
		rules->heartbeat = edit->heartbeat != 0;
	rules->heartbeat_min = minutes(edit->heartbeat_minutes, rules->heartbeat_min);
	rules->offline_min = minutes(edit->offline_minutes, rules->offline_min);
	rules->poll_min = minutes(edit->poll_minutes, rules->poll_min);
}

/* *ret_network: the one edited, in the listing; NULL: deleted. */
static int list_what_will_be(const struct networks *table, const struct front_network_edit *edit,
			     struct listing *listing, const struct network **ret_network, const char **ret_member,
			     struct err *err)
{
	struct network *edited = NULL;
	bool found = edit->kind == FRONT_NETWORK_CREATE;

	for (size_t i = 0; i < networks_count(table); i++) {
		const struct network *network = networks_at(table, i);
		bool is_it = uuid_equal(&network->id, &edit->id);

		found = found || is_it;
		if (is_it && edit->kind == FRONT_NETWORK_DELETE)
			continue;
		copy_network(listing, network);
		if (is_it)
			edited = &listing->networks[listing->count - 1];
	}
	if (!found)
		return err_set(err, ERR_NOT_FOUND, "There is no network with this id.");
	if (edit->kind == FRONT_NETWORK_CREATE) {
		edited = &listing->networks[listing->count++];
		*edited = (struct network){ .id = edit->id, .name = "", .rules = FRONT_NETWORK_RULES };
	}
	*ret_network = edited;
	if (edited == NULL)
		return 0;
	apply(edit, edited);
	return network_rules_check(&edited->rules, ret_member, err);
}

/* --- storing it --- */

struct writing {
	struct front *front;
	const struct front_network_edit *edit;
	const struct front_actor *actor;
	const struct network *network; /* NULL: deleted */
};

static const char *const actions[] = {
	[FRONT_NETWORK_CREATE] = "network.create",
	[FRONT_NETWORK_CHANGE] = "network.change",
	[FRONT_NETWORK_DELETE] = "network.delete",
};

static int check_version(const struct writing *writing, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_NETWORK_BY_ID);
	uint64_t version = 0;
	int rc;

	cursor_bind_uuid(cursor, "id", &writing->edit->id);
	if (cursor_next(cursor))
		version = (uint64_t)cursor_number(cursor, "version");
	rc = cursor_end(cursor, err);
	if (rc == 0 && writing->edit->version != 0 && writing->edit->version != version)
		rc = err_set(err, ERR_CONFLICT, "it was changed meanwhile: its version is %" PRIu64 ", not %" PRIu64,
			     version, writing->edit->version);
	return rc;
}

static char *ranges_text(const struct network *network)
{
	json_t *list = json_array();
	char *text;

	for (size_t i = 0; i < network->range_count; i++) {
		char range[ADDRESS_RANGE_TEXT_BYTES];

		address_range_format(&network->ranges[i], range);
		json_array_append_new(list, json_string(range));
	}
	text = json_dumps(list, JSON_COMPACT);
	json_decref(list);
	return text;
}

static void bind_rules(struct cursor *cursor, const struct network_rules *rules)
{
	cursor_bind_number(cursor, "heartbeat", rules->heartbeat);
	cursor_bind_number(cursor, "heartbeat_minutes", rules->heartbeat_min);
	cursor_bind_number(cursor, "offline_minutes", rules->offline_min);
	if (rules->poll_min != 0)
		cursor_bind_number(cursor, "poll_minutes", rules->poll_min);
	else
		cursor_bind_null(cursor, "poll_minutes");
}

static int write_network(const struct writing *writing, struct store_session *session, struct err *err)
{
	bool fresh = writing->edit->kind == FRONT_NETWORK_CREATE;
	char *ranges = ranges_text(writing->network);
	struct cursor *cursor;

	if (ranges == NULL)
		return err_set(err, ERR_MEMORY, "no memory for the network");
	cursor = cursor_open(session, fresh ? &QUERY_NETWORK_INSERT : &QUERY_NETWORK_UPDATE);
	cursor_bind_uuid(cursor, "id", &writing->edit->id);
	cursor_bind_text(cursor, "name", writing->network->name);
	cursor_bind_text(cursor, "ranges", ranges);
	bind_rules(cursor, &writing->network->rules);
	if (fresh) {
		cursor_bind_number(cursor, "created", env_wall(writing->front->env));
		cursor_bind_text(cursor, "created_by", writing->actor->name);
	}
	free(ranges);
	return cursor_run(cursor, err);
}

static int delete_network(const struct writing *writing, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_NETWORK_DELETE);

	cursor_bind_uuid(cursor, "id", &writing->edit->id);
	return cursor_run(cursor, err);
}

static int write_edit(struct store_session *session, void *argument, struct err *err)
{
	const struct writing *writing = argument;
	char id[UUID_TEXT_BYTES];
	int rc = check_version(writing, session, err);

	if (rc == 0)
		rc = writing->network != NULL ? write_network(writing, session, err)
					      : delete_network(writing, session, err);
	if (rc == ERR_EXISTS)
		err_set(err, rc, "Another network has this name.");
	uuid_format(&writing->edit->id, id);
	return rc == 0 ? front_audit(writing->front, session, writing->actor, actions[writing->edit->kind], id,
				     writing->edit->detail, "done", err)
		       : rc;
}

/* --- in force --- */

static void place_all(struct front *front)
{
	shards_tell(front->shards, env_monotonic(front->env),
		    SECOND_US / stored_setting_number(front->stored, STORED_ROLLOUT_RATE), fleet_place_some);
}

/* The former one is freed once no shard has it any more. */
static void use(struct front_networks *networks, struct networks *table)
{
	struct networks *former;

	pthread_mutex_lock(&networks->lock);
	former = networks->table;
	networks->table = table;
	give_to_shards(networks->front, table);
	pthread_mutex_unlock(&networks->lock);
	networks_free(former);
}

static int edit_under_lock(struct front_networks *networks, const struct front_network_edit *edit,
			   const struct front_actor *actor, const char **ret_member, struct err *err)
{
	struct writing writing = { .front = networks->front, .edit = edit, .actor = actor };
	struct networks *table = NULL;
	struct listing listing;
	int rc = listing_init(&listing, networks_count(networks->table) + 1, err);

	if (rc != 0)
		return rc;
	rc = list_what_will_be(networks->table, edit, &listing, &writing.network, ret_member, err);
	if (rc == 0) {
		*ret_member = "";
		rc = networks_new(listing.networks, listing.count, &table, err);
	}
	if (rc == 0)
		rc = store_write_wait(networks->front->store, write_edit, &writing, err);
	if (rc == 0)
		use(networks, table);
	else
		networks_free(table);
	listing_done(&listing);
	return rc;
}

int front_network_edit(struct front *front, struct front_network_edit *edit, const struct front_actor *actor,
		       const char **ret_member, struct err *err)
{
	struct front_networks *networks = front->networks;
	int rc;

	*ret_member = "";
	if (edit->kind == FRONT_NETWORK_CREATE)
		edit->id = env_uuid(front->env);
	pthread_mutex_lock(&networks->editing);
	rc = edit_under_lock(networks, edit, actor, ret_member, err);
	if (rc == 0)
		place_all(front);
	pthread_mutex_unlock(&networks->editing);
	return rc;
}

/* --- looking --- */

bool front_networks_show(struct front_networks *networks, const struct uuid *id, struct front_network *ret_network)
{
	const struct network *network;

	pthread_mutex_lock(&networks->lock);
	network = networks_by_id(networks->table, id);
	if (network != NULL) {
		*ret_network = (struct front_network){ .id = network->id, .rules = network->rules };
		snprintf(ret_network->name, sizeof(ret_network->name), "%s", network->name);
	}
	pthread_mutex_unlock(&networks->lock);
	return network != NULL;
}

bool front_network_of(struct front *front, const struct uuid *computer, struct front_network *ret_network)
{
	struct shard *shard = shards_of(front->shards, computer);
	struct fleet_computer shown = { 0 };

	pthread_mutex_lock(&shard->lock);
	(void)fleet_show(shard->fleet, computer, &shown, NULL);
	pthread_mutex_unlock(&shard->lock);
	return !uuid_is_zero(&shown.network) && front_networks_show(front->networks, &shown.network, ret_network);
}

uint64_t front_network_computers(struct front *front, const struct uuid *network)
{
	uint64_t count = 0;

	for (size_t i = 0; i < SHARD_COUNT; i++) {
		struct shard *shard = shards_at(front->shards, i);

		pthread_mutex_lock(&shard->lock);
		count += fleet_count_in(shard->fleet, network);
		pthread_mutex_unlock(&shard->lock);
	}
	return count;
}
