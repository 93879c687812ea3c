/* /sessions: a name and a password for a bearer token that ends by itself. */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "fleet/event_types.h"
#include "manager/api/call_state.h"
#include "manager/api/handlers.h"
#include "manager/api/rows.h"
#include "manager/api/sign_in.h"
#include "manager/queries.h"

#define SESSION_US (12 * HOUR_US)

struct beginning {
	struct api_call *call;
	struct signed_in who;
	time_us now, expires;
	struct account_secret secret;
};

static int store_session_row(struct store_session *session, void *argument, struct err *err)
{
	struct beginning *begin = argument;
	struct front *front = api_call_front(begin->call);
	const char *source = api_call_source(begin->call);
	const struct front_actor actor = { "user", begin->who.name, begin->who.user, source };
	const struct front_field event[] = { { "user", begin->who.name }, { "address", source } };
	struct cursor *cursor;
	int rc = account_session_create(session, front_env(front), &begin->who.user, begin->who.name, begin->who.role,
					begin->expires, &begin->secret, err);

	if (rc != 0)
		return rc;
	cursor = cursor_open(session, &QUERY_USER_SIGNED_IN);
	cursor_bind_uuid(cursor, "id", &begin->who.user);
	cursor_bind_number(cursor, "last_login", begin->now);
	rc = cursor_run(cursor, err);
	if (rc == 0)
		rc = sign_in_note(begin->call, session, &begin->who.user, begin->now, err);
	if (rc == 0)
		rc = front_audit(front, session, &actor, "session.create", begin->who.name, "", "done", err);
	if (rc == 0)
		rc = front_event(front, session, EVENT_SIGNED_IN, NULL, event, COUNT_OF(event), err);
	return rc;
}

static int locked_out(struct api_call *call, span_us wait)
{
	char seconds[24];

	snprintf(seconds, sizeof(seconds), "%lld", (long long)(wait / SECOND_US + 1));
	api_header(call, "Retry-After", seconds);
	return api_problem(call, 429, "Locked out",
			   "There were too many refused sign-ins. Try again in %s seconds, or make a token on the "
			   "manager's machine with `muster-manager token`.",
			   seconds);
}

int session_begin(struct api_call *call, struct err *err)
{
	const json_t *body = api_body(call);
	struct beginning begin = { .call = call, .now = env_wall(api_call_env(call)) };
	span_us wait = 0;
	int rc = sign_in_check(call, call->api->sign_ins, json_string_value(json_object_get(body, "user")),
			       json_string_value(json_object_get(body, "password")), &begin.who, &wait, err);

	if (rc == ERR_BUSY && wait > 0)
		return locked_out(call, wait);
	if (rc == ERR_LIMIT)
		return sign_in_busy(call);
	if (rc == ERR_DENIED)
		return api_problem(call, 401, "Not signed in", "%s", err->text);
	if (rc != 0)
		return rc;
	begin.expires = begin.now + SESSION_US;
	rc = store_write_wait(api_call_store(call), store_session_row, &begin, err);
	if (rc == 0)
		rc = api_reply_json(call, 201,
				    json_pack("{ss, so, ss}", "token", begin.secret.text, "expires",
					      json_time(begin.expires), "role", account_role_name(begin.who.role)));
	OPENSSL_cleanse(&begin.secret, sizeof(begin.secret));
	return rc;
}

int session_show(struct api_call *call, struct err *err)
{
	const struct api_principal *principal = api_call_principal(call);

	(void)err;
	return api_reply_json(call, 200,
			      json_pack("{so, so, ss, ss, so}", "id", json_uuid(&call->actor.id), "name",
					json_shown(principal->name, strlen(principal->name)), "kind", call->actor.kind,
					"role", account_role_name(principal->role), "expires",
					json_time(call->token_expires)));
}

static int end_session(struct store_session *session, void *argument, struct err *err)
{
	struct api_call *call = argument;
	const struct api_principal *principal = api_call_principal(call);
	struct cursor *cursor = cursor_open(session, &QUERY_API_TOKEN_REVOKE);
	int rc;

	cursor_bind_uuid(cursor, "id", &principal->token);
	cursor_bind_number(cursor, "revoked", env_wall(api_call_env(call)));
	rc = cursor_run(cursor, err);
	if (rc != 0)
		return rc;
	return front_audit(api_call_front(call), session, api_call_actor(call), "session.delete", principal->name, "",
			   "done", err);
}

int session_end(struct api_call *call, struct err *err)
{
	int rc = store_write_wait(api_call_store(call), end_session, call, err);

	return rc != 0 ? rc : api_reply_empty(call);
}
