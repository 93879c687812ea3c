/* Memberships end and begin again (manager/front/membership.h). Who may ask was checked by the API. */
#include "manager/front/membership.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "manager/front/dialler.h"
#include "manager/front/front_load.h"
#include "manager/front/policies.h"
#include "manager/queries.h"

#define NAME_BYTES 512
/* An agent that is told has something under way still: its next words are no request to come back. */
#define KNOCK_SETTLE_US MINUTE_US

enum roster_standing standing_of_row(struct cursor *row)
{
	enum standing standing = standing_parse(cursor_text(row, "standing"));
	bool waits = strcmp(cursor_text(row, "status"), "reactivation_required") == 0;

	if (standing == STANDING_REVOKED)
		return ROSTER_REVOKED;
	if (!cursor_is_null(row, "deleted"))
		return ROSTER_DELETED;
	if (standing == STANDING_MANAGED)
		return ROSTER_ACTIVE;
	if (standing == STANDING_MOVED)
		return ROSTER_MOVED;
	return waits ? ROSTER_WAITING : ROSTER_DEACTIVATED;
}

/* --- one computer and what is asked of it --- */

struct step {
	struct front *front;
	const struct uuid *computer;
	const struct front_actor *actor;
	const struct ending *ending;
	const char *manager;  /* the one that it moved to, as its agent says */
	const uint8_t *shown; /* fingerprint of the certificate with which its agent says so; NULL: a person asks */
	time_us last_heard;   /* newer than its row; 0: not known */
	/* Read from its row: */
	char name[NAME_BYTES];
	char address[80];
	char fingerprint[SHA256_TEXT_BYTES];
	uint8_t certificates[2][SHA256_BYTES]; /* the present one, and the one that is to follow */
	enum standing standing;
};

static int read_row(struct step *step, struct store_session *session, struct err *err)
{
	struct cursor *row = cursor_open(session, &QUERY_COMPUTER_BY_ID);
	bool found = false;
	int rc;

	cursor_bind_uuid(row, "id", step->computer);
	if (cursor_next(row)) {
		struct bytes fingerprint = cursor_bytes(row, "certificate_fingerprint");

		found = cursor_is_null(row, "deleted");
		snprintf(step->name, sizeof(step->name), "%s", cursor_text(row, "name"));
		snprintf(step->address, sizeof(step->address), "%s", cursor_text(row, "seen_from"));
		if (fingerprint.size == SHA256_BYTES) {
			hex_format(fingerprint.data, SHA256_BYTES, step->fingerprint);
			memcpy(step->certificates[0], fingerprint.data, SHA256_BYTES);
		}
		fingerprint = cursor_bytes(row, "next_fingerprint");
		if (fingerprint.size == SHA256_BYTES)
			memcpy(step->certificates[1], fingerprint.data, SHA256_BYTES);
		step->standing = standing_parse(cursor_text(row, "standing"));
	}
	rc = cursor_end(row, err);
	return rc == 0 && !found ? err_set(err, ERR_NOT_FOUND, "there is no such computer") : rc;
}

static int note(const struct step *step, struct store_session *session, uint32_t event, const char *action,
		struct err *err)
{
	const struct front_field fields[] = { { "name", step->name },
					      { "user", step->actor->name },
					      { "address", step->address },
					      { "fingerprint", step->fingerprint },
					      { "manager", step->manager != NULL ? step->manager : "" } };
	const struct event_type *type = event_type_find(event);
	struct front_field known[COUNT_OF(fields)];
	char id[UUID_TEXT_BYTES];
	size_t count = 0;
	int rc;

	for (size_t i = 0; i < COUNT_OF(fields); i++) {
		for (size_t j = 0; type != NULL && type->fields[j] != NULL; j++) {
			if (strcmp(type->fields[j], fields[i].name) == 0)
				known[count++] = fields[i];
		}
	}
	uuid_format(step->computer, id);
	rc = front_event(step->front, session, event, step->computer, known, count, err);
	return rc == 0 && action != NULL ? front_audit(step->front, session, step->actor, action, id, "", "done", err)
					 : rc;
}

static void tell(struct front *front, const struct uuid *computer)
{
	const struct front_news news = { .topic = FRONT_TOPIC_COMPUTER, .id = *computer, .computer = *computer };

	feed_publish(front->feed, &news, 1);
}

/* --- ending --- */

/* An order to move is fulfilled by going. */
static int end_commands(const struct step *step, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_EXCHANGE_COMMANDS_ORPHANED);
	char result[64];

	snprintf(result, sizeof(result), "{\"text\":\"the computer %s\"}", step->ending->done);
	cursor_bind_uuid(cursor, "computer", step->computer);
	cursor_bind_number(cursor, "changed", env_wall(step->front->env));
	cursor_bind_text(cursor, "fulfilled",
			 step->ending->standing == STANDING_MOVED ? command_kind_name(COMMAND_MOVE) : "");
	cursor_bind_text(cursor, "result", result);
	return cursor_run(cursor, err);
}

static int forget_alerts(const struct step *step, struct store_session *session, struct err *err)
{
	char why[64];

	snprintf(why, sizeof(why), "the computer %s", step->ending->done);
	return alerting_forget(step->front, session, step->computer, why, err);
}

static int write_standing(const struct step *step, struct store_session *session, struct err *err)
{
	const struct ending *ending = step->ending;
	time_us now = env_wall(step->front->env);
	char cause[NAME_BYTES];
	struct cursor *cursor;

	if (ending->deletes) {
		cursor = cursor_open(session, &QUERY_COMPUTER_DELETE);
		cursor_bind_uuid(cursor, "id", step->computer);
		cursor_bind_number(cursor, "now", now);
		return cursor_run(cursor, err);
	}
	snprintf(cause, sizeof(cause), "%s %s", ending->cause,
		 ending->by != NULL      ? ending->by
		 : step->manager != NULL ? step->manager
					 : step->actor->name);
	cursor = cursor_open(session, &QUERY_COMPUTER_END);
	cursor_bind_uuid(cursor, "id", step->computer);
	cursor_bind_text(cursor, "standing", standing_name(ending->standing));
	cursor_bind_text(cursor, "status", ending->status);
	cursor_bind_text(cursor, "status_cause", cause);
	cursor_bind_number(cursor, "now", now);
	if (step->last_heard != 0)
		cursor_bind_number(cursor, "last_heard", step->last_heard);
	else
		cursor_bind_null(cursor, "last_heard");
	return cursor_run(cursor, err);
}

/* Another agent may have taken the computer since this one showed its certificate. */
static bool is_its_own(const struct step *step)
{
	return step->shown == NULL || memcmp(step->shown, step->certificates[0], SHA256_BYTES) == 0 ||
	       memcmp(step->shown, step->certificates[1], SHA256_BYTES) == 0;
}

static int write_ending(struct store_session *session, void *argument, struct err *err)
{
	struct step *step = argument;
	const struct ending *ending = step->ending;
	int rc = read_row(step, session, err);

	if (rc == 0)
		rc = ending_check(ending, step->standing, is_its_own(step), err);
	if (rc == 0)
		rc = write_standing(step, session, err);
	if (rc == 0)
		rc = end_commands(step, session, err);
	if (rc == 0)
		rc = forget_alerts(step, session, err);
	if (rc == 0)
		rc = note(step, session, ending->event, ending->action, err);
	if (rc == 0 && ending->second_event != 0)
		rc = note(step, session, ending->second_event, NULL, err);
	return rc;
}

static void cut(void *argument, const uint8_t fingerprint[SHA256_BYTES])
{
	struct front *front = argument;
	struct err err = { 0 };

	if (http_server_drop(front->server, fingerprint, &err) != 0)
		LOG(LOG_ERROR, "membership.connections_not_cut", log_err(&err));
	dialler_drop(front->dialler, fingerprint);
}

/* Committed: from here on its agent is out. What it waits for is answered first, and then its connections end. */
static void shut_out(struct front *front, const struct uuid *computer, enum roster_standing standing)
{
	struct shard *shard = shards_of(front->shards, computer);

	roster_set(front->roster, computer, standing);
	pthread_mutex_lock(&shard->lock);
	fleet_remove(shard->fleet, computer);
	pthread_mutex_unlock(&shard->lock);
	roster_each(front->roster, computer, cut, front);
	dialler_forget(front->dialler, computer);
}

static int end_membership(struct front *front, const struct uuid *computer, const struct ending *ending,
			  const struct front_actor *actor, const struct leaving *leaving, struct err *err)
{
	struct step step = { .front = front, .computer = computer, .actor = actor, .ending = ending };
	struct front_live live;
	int rc;

	if (front_computer_live(front, computer, &live, NULL) == 0)
		step.last_heard = live.last_heard;
	if (leaving != NULL) {
		step.manager = leaving->manager;
		step.shown = leaving->shown;
	}
	rc = store_write_wait(front->store, write_ending, &step, err);
	if (rc != 0)
		return rc;
	if (ending->deletes)
		policies_leave(front, computer);
	shut_out(front, computer, ending->roster);
	LOG(LOG_INFO, "membership.ended", log_uuid("computer", computer), log_text("action", ending->action));
	tell(front, computer);
	return 0;
}

int front_computer_deactivate(struct front *front, const struct uuid *computer, const struct front_actor *actor,
			      struct err *err)
{
	return end_membership(front, computer, &membership_endings[ENDING_DEACTIVATE], actor, NULL, err);
}

int front_computer_revoke(struct front *front, const struct uuid *computer, const struct front_actor *actor,
			  struct err *err)
{
	return end_membership(front, computer, &membership_endings[ENDING_REVOKE], actor, NULL, err);
}

int front_computer_delete(struct front *front, const struct uuid *computer, const struct front_actor *actor,
			  struct err *err)
{
	return end_membership(front, computer, &membership_endings[ENDING_DELETE], actor, NULL, err);
}

static const struct front_actor its_agent = { .kind = "system", .name = "its agent", .peer = "" };

int membership_left(struct front *front, const struct uuid *computer, const struct leaving *leaving, struct err *err)
{
	const enum ending_kind kind = leaving->manager != NULL ? ENDING_MOVE : ENDING_UNINSTALL;

	return end_membership(front, computer, &membership_endings[kind], &its_agent, leaving, err);
}

/* --- beginning again --- */

static int write_return(struct store_session *session, void *argument, struct err *err)
{
	struct step *step = argument;
	struct cursor *cursor;
	int rc = read_row(step, session, err);

	if (rc == 0)
		rc = standing_may_return(step->standing, step->name, err);
	if (rc != 0)
		return rc;
	cursor = cursor_open(session, &QUERY_COMPUTER_RETURN);
	cursor_bind_uuid(cursor, "id", step->computer);
	cursor_bind_number(cursor, "now", env_wall(step->front->env));
	rc = cursor_run(cursor, err);
	if (rc == 0)
		rc = note(step, session, EVENT_ACTIVATED, "computer.reactivate", err);
	return rc == 0 ? note(step, session, EVENT_CERTIFICATE_ACCEPTED, NULL, err) : rc;
}

int front_computer_reactivate(struct front *front, const struct uuid *computer, const struct front_actor *actor,
			      struct err *err)
{
	struct step step = { .front = front, .computer = computer, .actor = actor };
	struct shard *shard = shards_of(front->shards, computer);
	int rc = store_write_wait(front->store, write_return, &step, err);

	if (rc == 0)
		rc = front_load_computer(front, computer, err);
	if (rc != 0)
		return rc;
	roster_set(front->roster, computer, ROSTER_ACTIVE);
	/* Its agent keeps away after having been refused: whoever can reach it tells it. */
	pthread_mutex_lock(&shard->lock);
	(void)fleet_dial_now(shard->fleet, computer, NULL);
	pthread_mutex_unlock(&shard->lock);
	LOG(LOG_INFO, "membership.returned", log_uuid("computer", computer));
	tell(front, computer);
	return 0;
}

/* What was found out about the agent before may have been written behind the enrolment. */
static int write_settled(struct store_session *session, void *argument, struct err *err)
{
	const struct step *step = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_COMPUTER_SETTLE);
	int rc;

	cursor_bind_uuid(cursor, "id", step->computer);
	rc = cursor_run(cursor, err);
	return rc == 0 ? alerting_forget(step->front, session, step->computer, "the computer was activated anew", err)
		       : rc;
}

int membership_taken(struct front *front, const struct uuid *computer, const uint8_t replaced[SHA256_BYTES],
		     const uint8_t fingerprint[SHA256_BYTES], struct err *err)
{
	struct step step = { .front = front, .computer = computer };
	int rc = roster_put(front->roster, replaced, computer, ROSTER_REVOKED, err);

	if (rc != 0)
		return rc;
	shut_out(front, computer, ROSTER_REVOKED);
	rc = store_write_wait(front->store, write_settled, &step, err);
	if (rc == 0)
		rc = front_load_computer(front, computer, err);
	return rc == 0 ? roster_put(front->roster, fingerprint, computer, ROSTER_ACTIVE, err) : rc;
}

/* --- known, and not activated yet --- */

struct addition {
	struct front *front;
	const struct front_actor *actor;
	struct uuid computer, origin;
	char name[WIRE_LABEL_MAX_BYTES + 16];
	char policy[POLICY_NAME_MAX_BYTES + 1];
	char group[WIRE_LABEL_MAX_BYTES + 1];
	const char *address, *cause;
	bool added;
};

static int check_name_free(const struct addition *addition, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_COMPUTER_BY_NAME);
	bool taken;
	int rc;

	cursor_bind_text(cursor, "name", addition->name);
	taken = cursor_next(cursor);
	rc = cursor_end(cursor, err);
	return rc == 0 && taken ? err_set(err, ERR_EXISTS, "there is a computer of this name already") : rc;
}

static int write_addition(struct store_session *session, void *argument, struct err *err)
{
	struct addition *addition = argument;
	const struct front_field fields[] = { { "name", addition->name }, { "user", addition->actor->name } };
	struct cursor *cursor;
	uint8_t fingerprint[SHA256_BYTES];
	char id[UUID_TEXT_BYTES];
	int rc = check_name_free(addition, session, err);

	if (rc != 0)
		return rc;
	memcpy(fingerprint, addition->computer.bytes, UUID_BYTES);
	memcpy(fingerprint + UUID_BYTES, addition->computer.bytes, UUID_BYTES);
	uuid_format(&addition->computer, id);
	cursor = cursor_open(session, &QUERY_COMPUTER_ADD);
	cursor_bind_uuid(cursor, "id", &addition->computer);
	cursor_bind_text(cursor, "name", addition->name);
	cursor_bind_text(cursor, "group_name", addition->group);
	cursor_bind_text(cursor, "policy", addition->policy);
	cursor_bind_bytes(cursor, "fingerprint", fingerprint, sizeof(fingerprint));
	cursor_bind_uuid(cursor, "origin", uuid_is_zero(&addition->origin) ? NULL : &addition->origin);
	cursor_bind_text(cursor, "dial_address", addition->address);
	cursor_bind_text(cursor, "cause", addition->cause);
	cursor_bind_number(cursor, "now", env_wall(addition->front->env));
	rc = cursor_run(cursor, err);
	addition->added = rc == 0 && store_changes(session) == 1;
	if (rc != 0 || !addition->added)
		return rc;
	rc = front_event(addition->front, session, EVENT_COMPUTER_CREATED, &addition->computer, fields,
			 COUNT_OF(fields), err);
	return rc == 0 ? front_audit(addition->front, session, addition->actor, "computer.add", id, "", "done", err)
		       : rc;
}

static int add(struct addition *addition, struct err *err)
{
	int rc;

	addition->computer = env_uuid(addition->front->env);
	rc = policies_join(addition->front, &addition->computer, addition->policy, false, err);
	if (rc != 0)
		return rc;
	rc = store_write_wait(addition->front->store, write_addition, addition, err);
	if (rc != 0 || !addition->added)
		policies_leave(addition->front, &addition->computer);
	else
		tell(addition->front, &addition->computer);
	return rc;
}

int front_computer_add(struct front *front, const char *name, const char *policy, const char *group,
		       const char *address, const struct front_actor *actor, struct uuid *ret_id, struct err *err)
{
	struct addition addition = { .front = front,
				     .actor = actor,
				     .address = address,
				     .cause = "added here, and no agent has activated under its name yet" };
	int rc;

	snprintf(addition.name, sizeof(addition.name), "%.*s", WIRE_LABEL_MAX_BYTES, name);
	snprintf(addition.group, sizeof(addition.group), "%.*s", WIRE_LABEL_MAX_BYTES, group);
	rc = front_policy_name(front, policy, addition.policy, err);
	if (rc == 0)
		rc = add(&addition, err);
	if (rc == 0)
		*ret_id = addition.computer;
	return rc;
}

/* --- a clone that has to be activated by a person --- */

struct clone {
	struct front *front;
	struct uuid origin;
};

static int read_origin(struct store_session *session, void *argument, struct err *err)
{
	struct addition *addition = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_COMPUTER_BY_ID);

	cursor_bind_uuid(cursor, "id", &addition->origin);
	if (cursor_next(cursor)) {
		snprintf(addition->name, sizeof(addition->name), "%.*s-clone", WIRE_LABEL_MAX_BYTES - 6,
			 cursor_text(cursor, "name"));
		snprintf(addition->policy, sizeof(addition->policy), "%s", cursor_text(cursor, "policy"));
		snprintf(addition->group, sizeof(addition->group), "%s", cursor_text(cursor, "group_name"));
	}
	return cursor_end(cursor, err);
}

static void show_clone(void *argument)
{
	static const struct front_actor actor = { .kind = "system", .name = "enrolment", .peer = "" };
	struct clone *clone = argument;
	struct addition addition = { .front = clone->front,
				     .actor = &actor,
				     .origin = clone->origin,
				     .address = "",
				     .cause =
					 "a copy of another computer, or set back to an earlier state: activate it "
					 "with a token" };
	struct err err = { 0 };
	int rc = store_read(clone->front->store, read_origin, &addition, &err);

	if (rc == 0)
		rc = add(&addition, &err);
	if (rc != 0 && rc != ERR_EXISTS) /* it is shown already */
		LOG(LOG_ERROR, "membership.clone_not_shown", log_err(&err));
	free(clone);
}

void membership_clone_waits(struct front *front, const struct uuid *computer)
{
	struct clone *clone = malloc(sizeof(*clone));

	if (clone == NULL)
		return; /* it comes again */
	*clone = (struct clone){ front, *computer };
	if (front_work(front, show_clone, clone) != 0)
		free(clone);
}

/* --- an agent that would like to come back --- */

struct knock {
	struct front *front;
	struct uuid computer;
	bool changed;
};

static int write_knock(struct store_session *session, void *argument, struct err *err)
{
	struct knock *knock = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_COMPUTER_WAITS);
	time_us now = env_wall(knock->front->env);
	int rc;

	cursor_bind_uuid(cursor, "id", &knock->computer);
	cursor_bind_number(cursor, "now", now);
	cursor_bind_number(cursor, "settled", now - KNOCK_SETTLE_US);
	rc = cursor_run(cursor, err);
	knock->changed = rc == 0 && store_changes(session) == 1;
	return rc;
}

static void knocked(void *argument, int rc, const struct err *err)
{
	struct knock *knock = argument;

	if (rc != 0)
		LOG(LOG_ERROR, "membership.knock_not_stored", log_err(err));
	if (knock->changed) {
		struct uuid computer = knock->computer;

		roster_set(knock->front->roster, &computer, ROSTER_WAITING);
		tell(knock->front, &computer);
	}
	free(knock);
}

void membership_knocked(struct front *front, const struct uuid *computer)
{
	struct knock *knock = calloc(1, sizeof(*knock));

	if (knock == NULL)
		return; /* it knocks again */
	*knock = (struct knock){ .front = front, .computer = *computer };
	if (store_write(front->store, write_knock, knocked, knock) != 0)
		free(knock);
}
