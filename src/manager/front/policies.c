/* The tree of policies in memory. Names in the database may be those of an
 * older version, when they were free text; values there were checked once and
 * are checked again. */
#include "manager/front/policies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "manager/queries.h"
#include "trust/fingerprint.h"

#define RATE_SLACK_US SECOND_US /* as many as a second's may be woken at once */

int policies_new(struct front *front, struct policies **ret_policies, struct err *err)
{
	struct policies *policies = calloc(1, sizeof(*policies));
	uint64_t seed;
	int rc;

	if (policies == NULL)
		return err_set(err, ERR_MEMORY, "policies: no memory");
	front->env->random(front->env->context, &seed, sizeof(seed));
	policies->front = front;
	pthread_mutex_init(&policies->editing, NULL);
	pthread_mutex_init(&policies->lock, NULL);
	rc = policy_tree_new(seed, fingerprint_of, &policies->tree, err);
	if (rc != 0)
		policies_free(policies);
	else
		*ret_policies = policies;
	return rc;
}

void policies_free(struct policies *policies)
{
	if (policies == NULL)
		return;
	policy_tree_free(policies->tree);
	pthread_mutex_destroy(&policies->lock);
	pthread_mutex_destroy(&policies->editing);
	free(policies);
}

/* --- loading --- */

struct policy_row {
	struct uuid id, parent;
	char *name;
	bool has_parent, placed;
};

struct policy_rows {
	struct policy_row *rows;
	size_t count, capacity;
};

static int keep_row(struct policy_rows *rows, struct cursor *cursor)
{
	struct policy_row *row;

	if (rows->count == rows->capacity) {
		size_t capacity = rows->capacity == 0 ? 64 : rows->capacity * 2;
		struct policy_row *more = reallocarray(rows->rows, capacity, sizeof(*more));

		if (more == NULL)
			return ERR_MEMORY;
		rows->rows = more;
		rows->capacity = capacity;
	}
	row = &rows->rows[rows->count];
	*row = (struct policy_row){ .has_parent = !cursor_is_null(cursor, "parent") };
	cursor_uuid(cursor, "id", &row->id);
	if (row->has_parent)
		cursor_uuid(cursor, "parent", &row->parent);
	row->name = strdup(cursor_text(cursor, "name"));
	if (row->name == NULL)
		return ERR_MEMORY;
	rows->count++;
	return 0;
}

static int read_rows(struct store_session *session, void *argument, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_POLICY_ALL);
	int rc = 0, end;

	while (rc == 0 && cursor_next(cursor))
		rc = keep_row(argument, cursor);
	end = cursor_end(cursor, rc == 0 ? err : NULL);
	return rc != 0 ? err_set(err, rc, "out of memory") : end;
}

/* Those whose parent is placed; true if there were any. */
static int place_some(struct policies *policies, struct policy_rows *rows, bool *ret_some, struct err *err)
{
	int rc = 0;

	*ret_some = false;
	for (size_t i = 0; rc == 0 && i < rows->count; i++) {
		struct policy_row *row = &rows->rows[i];
		struct policy_node *parent = row->has_parent ? policy_find(policies->tree, &row->parent) : NULL,
				   *policy;

		if (row->placed || (row->has_parent && parent == NULL))
			continue;
		rc = policy_create(policies->tree, &row->id, row->name, parent, &policy, err);
		if (rc != 0)
			err_add(err, rc, "policy '%.100s'", row->name);
		row->placed = *ret_some = true;
	}
	return rc;
}

static int load_tree(struct policies *policies, struct err *err)
{
	struct policy_rows rows = { 0 };
	bool some = true;
	int rc = store_read(policies->front->store, read_rows, &rows, err);

	while (rc == 0 && some)
		rc = place_some(policies, &rows, &some, err);
	if (rc == 0 && (policy_base(policies->tree) == NULL || policy_tree_policies(policies->tree) != rows.count))
		rc = err_set(err, ERR_FORMAT, "policies in the database do not form a tree; restore a backup");
	for (size_t i = 0; i < rows.count; i++)
		free(rows.rows[i].name);
	free(rows.rows);
	return rc;
}

/* One value that is stored of a policy or computer; what no longer fits is left out, and logged. */
static int take_setting(struct policies *policies, struct cursor *cursor, const char *column, struct err *err)
{
	const struct policy_change change = { cursor_text(cursor, "name"), cursor_text(cursor, "value") };
	struct policy_node *node;
	struct uuid id;
	int rc;

	cursor_uuid(cursor, column, &id);
	node = policy_find(policies->tree, &id);
	if (node == NULL)
		return 0;
	rc = policy_set(policies->tree, node, &change, 1, NULL, NULL, err);
	if (rc != ERR_RANGE && rc != ERR_WRONG_STATE)
		return rc;
	LOG(LOG_WARNING, "policy.stored_value_refused", log_text(column, policy_name(node)), log_uuid("id", &id),
	    log_text("setting", change.name), log_err(err));
	*err = (struct err){ 0 };
	return 0;
}

static int read_settings(struct store_session *session, void *argument, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_POLICY_SETTING_ALL);
	int rc = 0, end;

	while (rc == 0 && cursor_next(cursor))
		rc = take_setting(argument, cursor, "policy", err);
	end = cursor_end(cursor, rc == 0 ? err : NULL);
	if (rc != 0 || end != 0)
		return rc != 0 ? rc : end;
	cursor = cursor_open(session, &QUERY_COMPUTER_SETTING_ALL);
	while (rc == 0 && cursor_next(cursor))
		rc = take_setting(argument, cursor, "computer", err);
	end = cursor_end(cursor, rc == 0 ? err : NULL);
	return rc != 0 ? rc : end;
}

static int read_computers(struct store_session *session, void *argument, struct err *err)
{
	struct policies *policies = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_POLICY_COMPUTERS);
	struct policy_node *policy = NULL, *computer;
	int rc = 0, end;

	while (rc == 0 && cursor_next(cursor)) {
		const char *name = cursor_text(cursor, "policy");
		struct uuid id;

		/* They come ordered by policy. */
		if (policy == NULL || strcmp(policy_name(policy), name) != 0)
			policy = policy_find_name(policies->tree, name);
		if (policy == NULL)
			policy = policy_base(policies->tree);
		cursor_uuid(cursor, "id", &id);
		rc = policy_computer_add(policies->tree, &id, policy, &computer, err);
		if (rc == 0)
			rc = policy_set_appliance(policies->tree, computer, cursor_number(cursor, "appliance") != 0,
						  err);
	}
	end = cursor_end(cursor, rc == 0 ? err : NULL);
	return rc != 0 ? rc : end;
}

static int read_revision(struct store_session *session, void *argument, struct err *err)
{
	struct policies *policies = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_POLICY_COUNTER);

	if (cursor_next(cursor))
		policies->revision = (uint64_t)cursor_number(cursor, "value");
	return cursor_end(cursor, err);
}

static int settle(struct policies *policies, struct err *err)
{
	int rc = policy_settle(policies->tree, err);

	if (rc == 0)
		policy_commit(policies->tree, NULL, NULL);
	return rc;
}

/* --- names of before there were policies --- */

struct free_names {
	time_us now;
	char **names;
	size_t count;
};

static int read_free_names(struct store_session *session, void *argument, struct err *err)
{
	struct free_names *found = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_POLICY_NAMES);
	int rc = 0, end;

	cursor_bind_number(cursor, "now", found->now);
	while (rc == 0 && cursor_next(cursor)) {
		char **more = reallocarray(found->names, found->count + 1, sizeof(char *));

		if (more != NULL) {
			found->names = more;
			more[found->count] = strdup(cursor_text(cursor, "policy"));
		}
		if (more == NULL || more[found->count] == NULL)
			rc = ERR_MEMORY;
		else
			found->count++;
	}
	end = cursor_end(cursor, rc == 0 ? err : NULL);
	return rc != 0 ? err_set(err, rc, "out of memory") : end;
}

struct renaming {
	const char *name, *before;
};

static int write_renaming(struct store_session *session, void *argument, struct err *err)
{
	const struct renaming *renaming = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_POLICY_RENAMED);
	int rc;

	cursor_bind_text(cursor, "name", renaming->name);
	cursor_bind_text(cursor, "before", renaming->before);
	rc = cursor_run(cursor, err);
	if (rc != 0)
		return rc;
	cursor = cursor_open(session, &QUERY_POLICY_RENAMED_TOKENS);
	cursor_bind_text(cursor, "name", renaming->name);
	cursor_bind_text(cursor, "before", renaming->before);
	return cursor_run(cursor, err);
}

/* A name that no policy has becomes a policy that overrides nothing; one that cannot be a name, base. */
static int settle_name(struct policies *policies, const char *name, struct err *err)
{
	static const struct front_actor actor = { .kind = "system", .name = "upgrade", .peer = "" };
	const struct policy_node *policy = policy_find_name(policies->tree, name);
	struct front_policy_edit edit = { .kind = FRONT_POLICY_CREATE, .name = name };
	struct renaming renaming = { policy != NULL ? policy_name(policy) : POLICY_BASE, name };
	struct front_policy_result result = { 0 };
	struct err why = { 0 };
	int rc;

	if (policy != NULL && strcmp(policy_name(policy), name) == 0)
		return 0;
	if (policy == NULL) {
		rc = front_policy_edit(policies->front, &edit, 1, false, &actor, NULL, NULL, &result, &why);
		free(result.changes);
		if (rc == 0)
			LOG(LOG_WARNING, "policy.created_at_upgrade", log_text("policy", name),
			    log_text("reason", "computers or enrolment tokens named it, and no policy of this name "
					       "existed; it inherits everything"));
		if (rc != ERR_RANGE)
			return rc == 0 ? 0 : err_set(err, rc, "%s", why.text);
	}
	LOG(LOG_WARNING, "policy.renamed_at_upgrade", log_text("policy", renaming.name), log_text("before", name),
	    log_text("reason", policy != NULL ? "the policy is written otherwise" : why.text));
	return store_write_wait(policies->front->store, write_renaming, &renaming, err);
}

static int settle_names(struct policies *policies, struct err *err)
{
	struct free_names found = { .now = env_wall(policies->front->env) };
	int rc = store_read(policies->front->store, read_free_names, &found, err);

	for (size_t i = 0; i < found.count; i++) {
		if (rc == 0)
			rc = settle_name(policies, found.names[i], err);
		free(found.names[i]);
	}
	free(found.names);
	return rc;
}

int policies_load(struct front *front, struct err *err)
{
	struct policies *policies = front->policies;
	int64_t now = env_wall(front->env);
	int rc = load_tree(policies, err);

	if (rc == 0)
		rc = settle(policies, err);
	if (rc == 0)
		rc = settle_names(policies, err);
	if (rc == 0)
		rc = store_read(front->store, read_revision, policies, err);
	if (rc == 0)
		rc = store_read(front->store, read_computers, policies, err);
	if (rc == 0)
		rc = store_read(front->store, read_settings, policies, err);
	if (rc == 0)
		rc = settle(policies, err);
	if (now > 0 && policies->revision < (uint64_t)now)
		policies->revision = (uint64_t)now;
	return rc == 0 ? 0 : err_add(err, rc, "policies");
}

/* --- asked by the rest of the role --- */

static uint32_t missed_of(const struct effective *effective)
{
	return effective->missed_heartbeats == CONF_UNLIMITED ? FLEET_UNLIMITED
							      : (uint32_t)effective->missed_heartbeats;
}

static span_us clock_limit_of(const struct effective *effective)
{
	return effective->clock_change_us == CONF_UNLIMITED ? 0 : effective->clock_change_us;
}

void policies_fill(struct front *front, const struct uuid *computer, struct fleet_computer *record)
{
	const struct policy_node *node;

	pthread_mutex_lock(&front->policies->lock);
	node = policy_find(front->policies->tree, computer);
	if (node != NULL && policy_outcome(node) != NULL) {
		const struct outcome *outcome = policy_outcome(node);

		if (policy_parent(node) != NULL)
			record->group = *policy_id(policy_parent(node));
		record->interval_us = outcome->effective.heartbeat_interval_us;
		record->missed = missed_of(&outcome->effective);
		record->clock_limit_us = clock_limit_of(&outcome->effective);
		record->inactive_error = outcome->effective.offline_error_inactive_vm;
		record->direction_wanted = (enum link_direction)outcome->effective.direction;
		memcpy(record->wanted_configuration, outcome->fingerprint, SHA256_BYTES);
	}
	pthread_mutex_unlock(&front->policies->lock);
}

int policies_join(struct front *front, const struct uuid *computer, const char *policy, bool appliance, struct err *err)
{
	struct policies *policies = front->policies;
	struct policy_node *above, *node;
	int rc;

	pthread_mutex_lock(&policies->editing);
	pthread_mutex_lock(&policies->lock);
	above = policy_find_name(policies->tree, policy);
	rc = above == NULL ? err_set(err, ERR_NOT_FOUND, "the policy %s was deleted just now", policy)
			   : policy_computer_add(policies->tree, computer, above, &node, err);
	if (rc == 0)
		rc = policy_set_appliance(policies->tree, node, appliance, err);
	if (rc == 0)
		rc = settle(policies, err);
	if (rc != 0)
		policy_rollback(policies->tree);
	pthread_mutex_unlock(&policies->lock);
	pthread_mutex_unlock(&policies->editing);
	return rc;
}

void policies_regroup(struct policies *policies, const struct uuid *computer)
{
	struct shard *shard = shards_of(policies->front->shards, computer);
	const struct policy_node *node = policy_find(policies->tree, computer);
	struct err err = { 0 };
	int rc = 0;

	if (node == NULL || policy_parent(node) == NULL)
		return;
	pthread_mutex_lock(&shard->lock);
	rc = fleet_set_group(shard->fleet, computer, policy_id(policy_parent(node)), &err);
	pthread_mutex_unlock(&shard->lock);
	/* One that is not managed is in no shard. */
	if (rc != 0 && rc != ERR_NOT_FOUND)
		LOG(LOG_ERROR, "policy.not_counted", log_uuid("computer", computer), log_err(&err));
}

void policies_leave(struct front *front, const struct uuid *computer)
{
	struct policies *policies = front->policies;
	struct policy_node *node;

	pthread_mutex_lock(&policies->editing);
	pthread_mutex_lock(&policies->lock);
	node = policy_find(policies->tree, computer);
	if (node != NULL && policy_is_computer(node))
		policy_computer_remove(policies->tree, node);
	pthread_mutex_unlock(&policies->lock);
	pthread_mutex_unlock(&policies->editing);
}

int policies_configuration(struct front *front, const struct uuid *computer, struct buf *out, uint64_t *ret_serial,
			   struct err *err)
{
	struct policies *policies = front->policies;
	const struct policy_node *node;
	int rc = 0;

	pthread_mutex_lock(&policies->lock);
	node = policy_find(policies->tree, computer);
	if (node == NULL || policy_outcome(node) == NULL) {
		rc = err_set(err, ERR_NOT_FOUND, "there is no such computer");
	} else {
		rc = buf_append(out, policy_outcome(node)->packed, policy_outcome(node)->packed_size);
		*ret_serial = policies->revision;
	}
	pthread_mutex_unlock(&policies->lock);
	return rc;
}

int64_t policies_largest_file(struct front *front, const struct uuid *computer)
{
	const struct policy_node *node;
	int64_t largest = 0;

	pthread_mutex_lock(&front->policies->lock);
	node = policy_find(front->policies->tree, computer);
	if (node != NULL && policy_outcome(node) != NULL)
		largest = policy_outcome(node)->effective.quarantine_max_file_bytes;
	pthread_mutex_unlock(&front->policies->lock);
	return largest;
}

const char *policies_direction(struct front *front, const struct uuid *computer)
{
	static const char *const words[] = { [LINK_BIDIRECTIONAL] = "bidirectional",
					     [LINK_MANAGER_INITIATED] = "manager-initiated",
					     [LINK_AGENT_INITIATED] = "agent-initiated" };
	const struct policy_node *node;
	int direction = LINK_BIDIRECTIONAL;

	pthread_mutex_lock(&front->policies->lock);
	node = policy_find(front->policies->tree, computer);
	if (node != NULL && policy_outcome(node) != NULL)
		direction = policy_outcome(node)->effective.direction;
	pthread_mutex_unlock(&front->policies->lock);
	return words[direction];
}

int front_policy_name(struct front *front, const char *given, char name[POLICY_NAME_MAX_BYTES + 1], struct err *err)
{
	struct policies *policies = front->policies;
	const struct policy_node *policy;
	struct uuid id;

	pthread_mutex_lock(&policies->lock);
	policy = uuid_parse(given, &id, NULL) == 0 ? policy_find(policies->tree, &id)
						   : policy_find_name(policies->tree, given);
	if (policy != NULL && policy_is_computer(policy))
		policy = NULL;
	if (policy != NULL)
		snprintf(name, POLICY_NAME_MAX_BYTES + 1, "%s", policy_name(policy));
	pthread_mutex_unlock(&policies->lock);
	return policy != NULL ? 0 : err_set(err, ERR_NOT_FOUND, "there is no policy '%.100s'", given);
}

int front_policy_look(struct front *front, int (*look)(const struct policy_tree *tree, void *argument, struct err *err),
		      void *argument, struct err *err)
{
	struct policies *policies = front->policies;
	int rc;

	pthread_mutex_lock(&policies->editing);
	pthread_mutex_lock(&policies->lock);
	rc = look(policies->tree, argument, err);
	pthread_mutex_unlock(&policies->lock);
	pthread_mutex_unlock(&policies->editing);
	return rc;
}

/* --- a change comes into force --- */

/* When this computer's agent may be told: as many a second as the setting says. */
static span_us next_slot(struct policies *policies)
{
	int64_t rate = stored_setting_number(policies->front->stored, STORED_ROLLOUT_RATE);
	time_us now = env_monotonic(policies->front->env);

	if (policies->slot < now - RATE_SLACK_US)
		policies->slot = now - RATE_SLACK_US;
	policies->slot += SECOND_US / rate;
	return policies->slot > now ? policies->slot - now : 0;
}

/* Agents that are not connected now come by themselves, each in its own time. */
static bool is_connected(const struct shard *shard, const struct uuid *computer)
{
	struct fleet_computer shown;

	return fleet_show(shard->fleet, computer, &shown, NULL) == 0 && shown.connected;
}

void policies_changed(void *context, const struct uuid *computer, const struct outcome *before,
		      const struct outcome *after)
{
	struct policies *policies = context;
	const struct effective *effective = &after->effective;
	struct shard *shard = shards_of(policies->front->shards, computer);

	pthread_mutex_lock(&shard->lock);
	(void)fleet_set_heartbeat(shard->fleet, computer, effective->heartbeat_interval_us, missed_of(effective), NULL);
	(void)fleet_set_clock_limit(shard->fleet, computer, clock_limit_of(effective), NULL);
	(void)fleet_set_inactive_error(shard->fleet, computer, effective->offline_error_inactive_vm, NULL);
	(void)fleet_set_direction(shard->fleet, computer, (enum link_direction)effective->direction, NULL);
	if (before == NULL || memcmp(before->fingerprint, after->fingerprint, SHA256_BYTES) != 0)
		(void)fleet_want_configuration(shard->fleet, computer, after->fingerprint,
					       is_connected(shard, computer) ? next_slot(policies) : 0, NULL);
	pthread_mutex_unlock(&shard->lock);
}

void front_policy_counts(struct front *front, const struct policy_node *policy,
			 struct front_configuration_counts *ret_counts)
{
	uint64_t others;

	*ret_counts = (struct front_configuration_counts){ .computers = policy_computer_count(policy) };
	for (size_t i = 0; i < SHARD_COUNT; i++) {
		struct shard *shard = shards_at(front->shards, i);
		size_t counts[FLEET_CONFIGURATION_STATES];

		pthread_mutex_lock(&shard->lock);
		fleet_count_group(shard->fleet, policy_id(policy), counts);
		pthread_mutex_unlock(&shard->lock);
		ret_counts->sent += counts[FLEET_CONFIGURATION_SENT];
		ret_counts->applied += counts[FLEET_CONFIGURATION_APPLIED];
		ret_counts->failed += counts[FLEET_CONFIGURATION_FAILED];
	}
	/* Those that are in no shard, because they are not managed, have nothing sent either. */
	others = ret_counts->sent + ret_counts->applied + ret_counts->failed;
	ret_counts->pending = ret_counts->computers > others ? ret_counts->computers - others : 0;
}
