/* Enrolment written, in one transaction (manager/front/enrolment.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/front/authorities.h"
#include "manager/front/enrolment.h"
#include "manager/front/records_json.h"
#include "manager/queries.h"

#define NAME_NUMBER_MAX 10000

static void copy_text(char *out, size_t capacity, const char *text)
{
	snprintf(out, capacity, "%s", text);
}

/* --- the name --- */

/* ret_holder: one of those that have it. */
static int name_taken(struct store_session *session, const char *name, bool *ret_taken, struct uuid *ret_holder,
		      struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_COMPUTER_BY_NAME);

	cursor_bind_text(cursor, "name", name);
	*ret_taken = cursor_next(cursor);
	if (*ret_taken)
		cursor_uuid(cursor, "id", ret_holder);
	return cursor_end(cursor, err);
}

/* Told of the computer that has the name: it is the one that a person looks at first. */
static int note_duplicate(struct enrolment *enrolment, struct store_session *session, const struct uuid *holder,
			  struct err *err)
{
	const struct front_field fields[] = { { "name", enrolment->name }, { "address", enrolment->address } };

	return front_event(enrolment->front, session, EVENT_DUPLICATE_COMPUTER, holder, fields, COUNT_OF(fields), err);
}

/* The name as it is, or with the first number that is free. */
static int settle_name(struct enrolment *enrolment, struct store_session *session, struct err *err)
{
	char name[sizeof(enrolment->name)];
	struct uuid holder = { 0 }, other;
	bool taken;
	int rc = name_taken(session, enrolment->name, &taken, &holder, err);

	if (rc != 0 || !taken)
		return rc;
	if (enrolment->way == ENROLMENT_NEW) /* it was free a moment ago */
		return err_set(err, ERR_EXISTS, "another computer took this name just now");
	if (!enrolment->facts.by_certificate)
		rc = note_duplicate(enrolment, session, &holder, err);
	for (unsigned number = 2; rc == 0 && taken && number < NAME_NUMBER_MAX; number++) {
		snprintf(name, sizeof(name), "%.*s-%u", WIRE_LABEL_MAX_BYTES - 6, enrolment->name, number);
		rc = name_taken(session, name, &taken, &other, err);
	}
	if (rc == 0 && taken)
		rc = err_set(err, ERR_WRONG_STATE, "too many computers have this name");
	if (rc == 0)
		copy_text(enrolment->name, sizeof(enrolment->name), name);
	return rc;
}

static int use_token(struct enrolment *enrolment, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_ENROLMENT_TOKEN_BY_SECRET);
	struct uuid id = { 0 };
	int rc;

	cursor_bind_bytes(cursor, "secret_sha256", enrolment->token_hash, SHA256_BYTES);
	if (cursor_next(cursor))
		cursor_uuid(cursor, "id", &id);
	rc = cursor_end(cursor, err);
	if (rc != 0)
		return rc;
	cursor = cursor_open(session, &QUERY_ENROLMENT_TOKEN_USE);
	cursor_bind_uuid(cursor, "id", &id);
	cursor_bind_number(cursor, "now", env_wall(enrolment->front->env));
	rc = cursor_run(cursor, err);
	if (rc == 0 && store_changes(session) != 1)
		rc =
		    err_set(err, ERR_EXPIRED, "the enrolment token was used up or revoked just now; ask for a new one");
	return rc;
}

/* --- the computer's row --- */

/* What both a new row and one that is taken hold of the agent that enrols. */
static int bind_agent(const struct enrolment *enrolment, struct cursor *cursor, time_us now, struct err *err)
{
	static Muster__Wire__Host none = MUSTER__WIRE__HOST__INIT;
	const Muster__Wire__Host *host = enrolment->request->host != NULL ? enrolment->request->host : &none;
	char *addresses = json_of_addresses(host->addresses, host->n_addresses);

	if (addresses == NULL)
		return err_set(err, ERR_MEMORY, "no memory for the computer's addresses");
	cursor_bind_uuid(cursor, "id", &enrolment->computer);
	cursor_bind_bytes(cursor, "certificate_fingerprint", enrolment->facts_made.fingerprint, SHA256_BYTES);
	cursor_bind_number(cursor, "certificate_not_after", enrolment->facts_made.not_after);
	cursor_bind_text(cursor, "certificate_pem", enrolment->certificate);
	cursor_bind_number(cursor, "certificate_roots", enrolment->authorities->newest);
	cursor_bind_number(cursor, "enrolled", now);
	cursor_bind_bytes(cursor, "enrolment_attempt", enrolment->attempt_hash, SHA256_BYTES);
	cursor_bind_text(cursor, "host_name", host->name);
	cursor_bind_text(cursor, "os", host->os);
	cursor_bind_text(cursor, "kernel", host->kernel);
	cursor_bind_text(cursor, "architecture", host->architecture);
	cursor_bind_text(cursor, "agent_version", host->agent_version);
	cursor_bind_text(cursor, "addresses", addresses);
	cursor_bind_number(cursor, "listen_port", host->listen_port);
	cursor_bind_text(cursor, "direction", link_direction_name((enum link_direction)host->direction));
	cursor_bind_text(cursor, "status", "unknown");
	cursor_bind_text(cursor, "status_cause", "activated, not heard yet");
	cursor_bind_number(cursor, "status_since", now);
	free(addresses);
	return 0;
}

static int insert_computer(const struct enrolment *enrolment, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_COMPUTER_INSERT);
	int rc = bind_agent(enrolment, cursor, env_wall(enrolment->front->env), err);

	cursor_bind_text(cursor, "name", enrolment->name);
	cursor_bind_text(cursor, "group_name", enrolment->group);
	cursor_bind_text(cursor, "policy", enrolment->policy);
	cursor_bind_number(cursor, "appliance", enrolment->appliance);
	cursor_bind_uuid(cursor, "origin", uuid_is_zero(&enrolment->origin) ? NULL : &enrolment->origin);
	if (rc != 0) {
		(void)cursor_end(cursor, NULL);
		return rc;
	}
	return cursor_run(cursor, err);
}

/* The agent counts its events from one again: those of before keep no number, or they would be taken for these. */
static int forget_event_numbers(const struct enrolment *enrolment, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_COMPUTER_FORGET_EVENT_NUMBERS);

	cursor_bind_uuid(cursor, "computer", &enrolment->computer);
	return cursor_run(cursor, err);
}

static int cancel_commands(const struct enrolment *enrolment, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_EXCHANGE_COMMANDS_ORPHANED);

	cursor_bind_uuid(cursor, "computer", &enrolment->computer);
	cursor_bind_number(cursor, "changed", env_wall(enrolment->front->env));
	cursor_bind_text(cursor, "fulfilled", "");
	cursor_bind_text(cursor, "result", "{\"text\":\"the computer was activated anew\"}");
	return cursor_run(cursor, err);
}

/* What the agent before had opens nothing any more, nor after our next start. */
static int revoke_certificates(const struct enrolment *enrolment, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_RENEWAL_REVOKE_PRESENT);
	int rc;

	cursor_bind_uuid(cursor, "id", &enrolment->computer);
	cursor_bind_number(cursor, "now", env_wall(enrolment->front->env));
	rc = cursor_run(cursor, err);
	if (rc != 0)
		return rc;
	cursor = cursor_open(session, &QUERY_RENEWAL_REVOKE_FORMERS);
	cursor_bind_uuid(cursor, "computer", &enrolment->computer);
	cursor_bind_number(cursor, "now", env_wall(enrolment->front->env));
	return cursor_run(cursor, err);
}

/* The computer that is there gets another agent, and keeps its name, policy, group and history. */
static int take_computer(const struct enrolment *enrolment, struct store_session *session, struct err *err)
{
	int rc = revoke_certificates(enrolment, session, err);
	struct cursor *cursor;

	if (rc != 0)
		return rc;
	cursor = cursor_open(session, &QUERY_COMPUTER_TAKE);
	rc = bind_agent(enrolment, cursor, env_wall(enrolment->front->env), err);
	cursor_bind_bytes(cursor, "replaced", enrolment->replaced, SHA256_BYTES);
	if (rc != 0) {
		(void)cursor_end(cursor, NULL);
		return rc;
	}
	rc = cursor_run(cursor, err);
	if (rc == 0 && store_changes(session) != 1)
		return err_set(err, ERR_EXISTS, "the computer of this name was changed just now");
	if (rc == 0)
		rc = forget_event_numbers(enrolment, session, err);
	if (rc == 0)
		rc = cancel_commands(enrolment, session, err);
	return rc == 0 ? alerting_forget(enrolment->front, session, &enrolment->computer,
					 "the computer was activated anew", err)
		       : rc;
}

/* --- what is told of it --- */

/* Event 717: one identity was in use twice. With the session it is an alert: of the computer that goes on with the
 * identity, or of the one that is new, if the other has left. */
static int insert_copy(const struct enrolment *enrolment, struct store_session *session, struct err *err)
{
	const Muster__Wire__Host *host = enrolment->request->host;
	const bool moved = enrolment->facts.standing == ROSTER_MOVED;
	char run[24];
	const struct front_field fields[] = { { "host", host != NULL ? host->name : "" }, { "session", run } };
	int rc = 0;

	snprintf(run, sizeof(run), "%llu", (unsigned long long)enrolment->request->session);
	if (enrolment->facts.standing == ROSTER_REPLACED)
		rc = front_event(enrolment->front, session, EVENT_CLONE_REKEYED, &enrolment->origin, fields,
				 COUNT_OF(fields), err);
	return rc == 0 ? front_event(enrolment->front, session, EVENT_CLONE_REKEYED, &enrolment->computer, fields,
				     moved ? COUNT_OF(fields) : 1, err)
		       : rc;
}

/* A new identity in place of one that two agents had, or that nobody knew any more. */
static int insert_renewed(const struct enrolment *enrolment, struct store_session *session, struct err *err)
{
	const enum roster_standing standing = enrolment->facts.standing;
	const struct front_field unknown[] = { { "name", enrolment->name }, { "address", enrolment->address } };

	if (!enrolment->facts.by_certificate)
		return 0;
	if (enrolment->facts.is_clone || standing == ROSTER_MOVED || standing == ROSTER_REPLACED)
		return insert_copy(enrolment, session, err);
	return front_event(enrolment->front, session, EVENT_UNKNOWN_REACTIVATED, &enrolment->computer, unknown,
			   COUNT_OF(unknown), err);
}

static int insert_events(struct enrolment *enrolment, struct store_session *session, struct err *err)
{
	static const struct front_actor actor = { .kind = "system", .name = "enrolment", .peer = "" };
	const struct front_actor *by = enrolment->dialled_by != NULL ? enrolment->dialled_by : &actor;
	const struct front_field created[] = { { "name", enrolment->name }, { "user", by->name } };
	const struct front_field activated[] = { { "name", enrolment->name }, { "address", enrolment->address } };
	struct front_actor from = *by;
	char id[UUID_TEXT_BYTES];
	int rc = 0;

	uuid_format(&enrolment->computer, id);
	if (enrolment->dialled_by == NULL)
		from.peer = enrolment->address;
	if (enrolment->way != ENROLMENT_TAKES)
		rc = front_event(enrolment->front, session, EVENT_COMPUTER_CREATED, &enrolment->computer, created,
				 COUNT_OF(created), err);
	if (rc == 0)
		rc = front_event(enrolment->front, session, EVENT_ACTIVATED, &enrolment->computer, activated,
				 COUNT_OF(activated), err);
	if (rc == 0)
		rc = insert_renewed(enrolment, session, err);
	if (rc == 0)
		rc = front_audit(enrolment->front, session, &from,
				 enrolment->dialled_by != NULL ? "computer.activate" : "computer.enrol", id,
				 enrolment->facts.without_token ? "{\"token\":false}" : "", "done", err);
	return rc;
}

static int renew_certificate(struct enrolment *enrolment, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_EXCHANGE_RENEWED);
	int rc;

	cursor_bind_uuid(cursor, "id", &enrolment->computer);
	cursor_bind_bytes(cursor, "certificate_fingerprint", enrolment->facts_made.fingerprint, SHA256_BYTES);
	cursor_bind_number(cursor, "certificate_not_after", enrolment->facts_made.not_after);
	cursor_bind_text(cursor, "certificate_pem", enrolment->certificate);
	cursor_bind_number(cursor, "certificate_roots", enrolment->authorities->newest);
	rc = cursor_run(cursor, err);
	if (rc == 0 && store_changes(session) != 1)
		rc = err_set(err, ERR_WRONG_STATE, "this attempt's computer was deleted meanwhile; enrol anew");
	return rc;
}

static int create_computer(struct enrolment *enrolment, struct store_session *session, struct err *err)
{
	int rc = settle_name(enrolment, session, err);

	return rc == 0 ? insert_computer(enrolment, session, err) : rc;
}

/* Where it answered is where it is dialled from now on: what it reports may be of another network. */
static int keep_address(const struct enrolment *enrolment, struct store_session *session, struct err *err)
{
	struct cursor *cursor;

	if (enrolment->dialled_by == NULL)
		return 0;
	cursor = cursor_open(session, &QUERY_COMPUTER_LINK);
	cursor_bind_uuid(cursor, "id", &enrolment->computer);
	cursor_bind_text(cursor, "dial_address", enrolment->dialled_at);
	return cursor_run(cursor, err);
}

static bool token_is_used(const struct enrolment *enrolment)
{
	const struct enrolment_facts *facts = &enrolment->facts;

	return !facts->by_certificate && !facts->by_manager && !facts->without_token;
}

static int write_all(struct store_session *session, void *argument, struct err *err)
{
	struct enrolment *enrolment = argument;
	int rc;

	if (enrolment->again)
		return renew_certificate(enrolment, session, err);
	rc = token_is_used(enrolment) ? use_token(enrolment, session, err) : 0;
	if (rc == 0 && enrolment->way == ENROLMENT_TAKES)
		rc = take_computer(enrolment, session, err);
	else if (rc == 0)
		rc = create_computer(enrolment, session, err);
	if (rc == 0)
		rc = keep_address(enrolment, session, err);
	return rc == 0 ? insert_events(enrolment, session, err) : rc;
}

int enrolment_commit(struct enrolment *enrolment, struct err *err)
{
	return store_write_wait(enrolment->front->store, write_all, enrolment, err);
}
