/* Enrolment decided. */
#include "manager/front/enrolment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "manager/front/front_policy.h"
#include "manager/front/records_json.h"
#include "manager/queries.h"
#include "trust/token.h"

#define POLICY_DEFAULT  "base"
#define NAME_NUMBER_MAX 10000

/* --- the token's row --- */

static void copy_text(char *out, size_t capacity, const char *text)
{
	snprintf(out, capacity, "%s", text);
}

/* What the token fixes holds; what it leaves open the agent may choose. */
static int settle(const char *what, const char *fixed, const char *asked, const char *otherwise, char *out,
		  struct err *err)
{
	const char *chosen = fixed[0] != '\0' ? fixed : asked[0] != '\0' ? asked : otherwise;

	if (fixed[0] != '\0' && asked[0] != '\0' && strcasecmp(fixed, asked) != 0)
		return err_set(err, ERR_RANGE, "the token is for another %s than the one asked for", what);
	if (chosen[0] != '\0' && !text_is_name(chosen, WIRE_LABEL_MAX_BYTES))
		return err_set(err, ERR_RANGE, "the %s asked for is not a name", what);
	copy_text(out, WIRE_LABEL_MAX_BYTES + 1, chosen);
	return 0;
}

static int check_token_row(struct cursor *cursor, time_us now, bool again, struct err *err)
{
	if (!cursor_is_null(cursor, "revoked"))
		return err_set(err, ERR_DENIED, "the enrolment token was revoked");
	if (cursor_number(cursor, "expires") <= now)
		return err_set(err, ERR_EXPIRED, "the enrolment token has expired; ask for a new one");
	if (!again && !cursor_is_null(cursor, "uses_left") && cursor_number(cursor, "uses_left") <= 0)
		return err_set(err, ERR_EXPIRED,
			       "the enrolment token was used as often as it may be; ask for a new one");
	return 0;
}

static int read_token(struct enrolment *enrolment, struct store_session *session, struct err *err)
{
	const Muster__Wire__EnrolRequest *request = enrolment->request;
	struct cursor *cursor = cursor_open(session, &QUERY_ENROLMENT_TOKEN_BY_SECRET);
	int rc = 0, end;

	cursor_bind_bytes(cursor, "secret_sha256", enrolment->token_hash, SHA256_BYTES);
	if (cursor_next(cursor)) {
		rc = check_token_row(cursor, env_wall(enrolment->front->env), enrolment->again, err);
		if (rc == 0)
			rc = settle("policy", cursor_text(cursor, "policy"), request->policy, POLICY_DEFAULT,
				    enrolment->policy, err);
		if (rc == 0)
			rc = settle("group", cursor_text(cursor, "group_name"), request->group, "", enrolment->group,
				    err);
		enrolment->appliance = cursor_number(cursor, "appliance") != 0;
	} else {
		rc = ERR_DENIED;
	}
	end = cursor_end(cursor, rc == 0 || (rc == ERR_DENIED && err->code == 0) ? err : NULL);
	if (end != 0)
		return end;
	return rc == ERR_DENIED && err->code == 0 ? err_set(err, ERR_DENIED, "the enrolment token is not known") : rc;
}

static int read_attempt(struct enrolment *enrolment, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_COMPUTER_BY_ATTEMPT);
	bool deleted = false;
	int rc;

	cursor_bind_bytes(cursor, "enrolment_attempt", enrolment->request->attempt.data,
			  enrolment->request->attempt.len);
	enrolment->again = cursor_next(cursor);
	if (enrolment->again) {
		struct bytes fingerprint = cursor_bytes(cursor, "certificate_fingerprint");

		cursor_uuid(cursor, "id", &enrolment->computer);
		copy_text(enrolment->name, sizeof(enrolment->name), cursor_text(cursor, "name"));
		deleted = !cursor_is_null(cursor, "deleted");
		if (fingerprint.size == SHA256_BYTES)
			memcpy(enrolment->replaced, fingerprint.data, SHA256_BYTES);
	}
	rc = cursor_end(cursor, err);
	if (rc == 0 && deleted)
		rc = err_set(err, ERR_WRONG_STATE, "this attempt's computer was deleted meanwhile; enrol anew");
	return rc;
}

static int read_all(struct store_session *session, void *argument, struct err *err)
{
	struct enrolment *enrolment = argument;
	int rc = read_attempt(enrolment, session, err);

	return rc == 0 ? read_token(enrolment, session, err) : rc;
}

static int check_name(struct enrolment *enrolment, struct err *err)
{
	const Muster__Wire__EnrolRequest *request = enrolment->request;
	const char *name = request->name;

	if (enrolment->again)
		return 0;
	if (name[0] == '\0' && request->host != NULL)
		name = request->host->name;
	if (!text_is_name(name, WIRE_LABEL_MAX_BYTES))
		return err_set(err, ERR_RANGE,
			       "the computer's name must be 1 to %d bytes of printable text; give one with --name",
			       WIRE_LABEL_MAX_BYTES);
	copy_text(enrolment->name, sizeof(enrolment->name), name);
	return 0;
}

/* The policy as it is written; the name may come in any case, from the token or the agent. */
static int check_policy(struct enrolment *enrolment, struct err *err)
{
	char name[sizeof(enrolment->policy)];

	copy_text(name, sizeof(name), enrolment->policy);
	if (front_policy_name(enrolment->front, name, enrolment->policy, NULL) == 0)
		return 0;
	return err_set(err, ERR_RANGE,
		       "there is no policy '%.100s'; create it (muster policy create) or choose another with --policy",
		       name);
}

int enrolment_prepare(struct enrolment *enrolment, struct err *err)
{
	struct err form = { 0 };
	int rc;

	if (token_check(enrolment->request->token, TOKEN_ENROLMENT, &form) != 0)
		return err_set(err, ERR_DENIED, "the enrolment token is not one: %s", form.text);
	token_hash(enrolment->request->token, enrolment->token_hash);
	rc = store_read(enrolment->front->store, read_all, enrolment, err);
	if (rc == 0)
		rc = check_name(enrolment, err);
	if (rc == 0 && !enrolment->again)
		rc = check_policy(enrolment, err);
	if (rc == 0 && !enrolment->again)
		enrolment->computer = env_uuid(enrolment->front->env);
	return rc;
}

/* --- the write --- */

static int name_taken(struct store_session *session, const char *name, bool *ret_taken, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_COMPUTER_BY_NAME);

	cursor_bind_text(cursor, "name", name);
	*ret_taken = cursor_next(cursor);
	return cursor_end(cursor, err);
}

static int note_duplicate(struct enrolment *enrolment, struct store_session *session, struct err *err)
{
	const struct front_field fields[] = { { "name", enrolment->name }, { "address", enrolment->address } };

	return front_event(enrolment->front, session, EVENT_DUPLICATE_COMPUTER, NULL, fields, COUNT_OF(fields), err);
}

/* The name as it is, or with the first number that is free. */
static int settle_name(struct enrolment *enrolment, struct store_session *session, struct err *err)
{
	char name[sizeof(enrolment->name)];
	bool taken;
	int rc = name_taken(session, enrolment->name, &taken, err);

	if (rc != 0 || !taken)
		return rc;
	if (stored_setting_number(enrolment->front->stored, STORED_SAME_NAME) == SAME_NAME_REFUSE)
		return err_set(err, ERR_WRONG_STATE,
			       "a computer with this name is enrolled already; choose another with --name");
	rc = note_duplicate(enrolment, session, err);
	for (unsigned number = 2; rc == 0 && taken && number < NAME_NUMBER_MAX; number++) {
		snprintf(name, sizeof(name), "%.*s-%u", WIRE_LABEL_MAX_BYTES - 6, enrolment->name, number);
		rc = name_taken(session, name, &taken, err);
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

static int insert_computer(struct enrolment *enrolment, struct store_session *session, struct err *err)
{
	static Muster__Wire__Host none = MUSTER__WIRE__HOST__INIT;
	const Muster__Wire__Host *host = enrolment->request->host != NULL ? enrolment->request->host : &none;
	time_us now = env_wall(enrolment->front->env);
	char *addresses = json_of_addresses(host->addresses, host->n_addresses);
	struct cursor *cursor;
	int rc;

	if (addresses == NULL)
		return err_set(err, ERR_MEMORY, "no memory for the computer's addresses");
	cursor = cursor_open(session, &QUERY_COMPUTER_INSERT);
	cursor_bind_uuid(cursor, "id", &enrolment->computer);
	cursor_bind_text(cursor, "name", enrolment->name);
	cursor_bind_text(cursor, "group_name", enrolment->group);
	cursor_bind_text(cursor, "policy", enrolment->policy);
	cursor_bind_number(cursor, "appliance", enrolment->appliance);
	cursor_bind_bytes(cursor, "certificate_fingerprint", enrolment->facts.fingerprint, SHA256_BYTES);
	cursor_bind_number(cursor, "certificate_not_after", enrolment->facts.not_after);
	cursor_bind_text(cursor, "certificate_pem", enrolment->certificate);
	cursor_bind_number(cursor, "enrolled", now);
	cursor_bind_bytes(cursor, "enrolment_attempt", enrolment->request->attempt.data,
			  enrolment->request->attempt.len);
	cursor_bind_text(cursor, "host_name", host->name);
	cursor_bind_text(cursor, "os", host->os);
	cursor_bind_text(cursor, "kernel", host->kernel);
	cursor_bind_text(cursor, "architecture", host->architecture);
	cursor_bind_text(cursor, "agent_version", host->agent_version);
	cursor_bind_text(cursor, "addresses", addresses);
	cursor_bind_number(cursor, "listen_port", host->listen_port);
	cursor_bind_text(cursor, "direction", link_direction_name((enum link_direction)host->direction));
	cursor_bind_text(cursor, "status", "unknown");
	cursor_bind_text(cursor, "status_cause", "enrolled, not heard yet");
	cursor_bind_number(cursor, "status_since", now);
	rc = cursor_run(cursor, err);
	free(addresses);
	return rc;
}

static int insert_events(struct enrolment *enrolment, struct store_session *session, struct err *err)
{
	static const struct front_actor actor = { .kind = "system", .name = "enrolment", .peer = "" };
	const struct front_field created[] = { { "name", enrolment->name }, { "user", "enrolment" } };
	const struct front_field activated[] = { { "name", enrolment->name }, { "address", enrolment->address } };
	struct front_actor from = actor;
	char id[UUID_TEXT_BYTES];
	int rc;

	uuid_format(&enrolment->computer, id);
	from.peer = enrolment->address;
	rc = front_event(enrolment->front, session, EVENT_COMPUTER_CREATED, &enrolment->computer, created,
			 COUNT_OF(created), err);
	if (rc == 0)
		rc = front_event(enrolment->front, session, EVENT_ACTIVATED, &enrolment->computer, activated,
				 COUNT_OF(activated), err);
	if (rc == 0)
		rc = front_audit(enrolment->front, session, &from, "computer.enrol", id, "", "done", err);
	return rc;
}

static int renew_certificate(struct enrolment *enrolment, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_EXCHANGE_RENEWED);
	int rc;

	cursor_bind_uuid(cursor, "id", &enrolment->computer);
	cursor_bind_bytes(cursor, "certificate_fingerprint", enrolment->facts.fingerprint, SHA256_BYTES);
	cursor_bind_number(cursor, "certificate_not_after", enrolment->facts.not_after);
	cursor_bind_text(cursor, "certificate_pem", enrolment->certificate);
	rc = cursor_run(cursor, err);
	if (rc == 0 && store_changes(session) != 1)
		rc = err_set(err, ERR_WRONG_STATE, "this attempt's computer was deleted meanwhile; enrol anew");
	return rc;
}

static int write_all(struct store_session *session, void *argument, struct err *err)
{
	struct enrolment *enrolment = argument;
	int rc;

	if (enrolment->again)
		return renew_certificate(enrolment, session, err);
	rc = use_token(enrolment, session, err);
	if (rc == 0)
		rc = settle_name(enrolment, session, err);
	if (rc == 0)
		rc = insert_computer(enrolment, session, err);
	if (rc == 0)
		rc = insert_events(enrolment, session, err);
	return rc;
}

int enrolment_commit(struct enrolment *enrolment, struct err *err)
{
	return store_write_wait(enrolment->front->store, write_all, enrolment, err);
}
