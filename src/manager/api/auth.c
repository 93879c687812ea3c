/* Bearer tokens (RFC 6750) against the store. The header's value is untrusted;
 * it is hashed before anything compares it, and never logged. */
#include "manager/api/auth.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/queries.h"
#include "trust/token.h"

#define USED_EVERY_US (MINUTE_US) /* how exact last_used is */

struct found {
	uint8_t hash[SHA256_BYTES];
	bool there;
	bool session;
	struct uuid id;
	struct uuid user;
	char name[ACCOUNT_NAME_MAX_BYTES + 1];
	char role[32];
	time_us expires;
	time_us last_used;
	bool revoked;
};

static int find(struct store_session *session, void *argument, struct err *err)
{
	struct found *found = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_API_TOKEN_BY_SECRET);

	cursor_bind_bytes(cursor, "secret_sha256", found->hash, sizeof(found->hash));
	if (cursor_next(cursor)) {
		found->there = true;
		found->session = strcmp(cursor_text(cursor, "kind"), "session") == 0;
		cursor_uuid(cursor, "id", &found->id);
		if (!cursor_is_null(cursor, "user_id"))
			cursor_uuid(cursor, "user_id", &found->user);
		snprintf(found->name, sizeof(found->name), "%s",
			 cursor_text(cursor, found->session ? "user_name" : "name"));
		snprintf(found->role, sizeof(found->role), "%s", cursor_text(cursor, "role"));
		found->expires = cursor_number(cursor, "expires");
		found->last_used = cursor_is_null(cursor, "last_used") ? 0 : cursor_number(cursor, "last_used");
		found->revoked = !cursor_is_null(cursor, "revoked");
	}
	return cursor_end(cursor, err);
}

struct use {
	struct uuid id;
	time_us now;
};

static int note_use(struct store_session *session, void *argument, struct err *err)
{
	const struct use *use = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_API_TOKEN_USED);

	cursor_bind_uuid(cursor, "id", &use->id);
	cursor_bind_number(cursor, "last_used", use->now);
	return cursor_run(cursor, err);
}

static void note_done(void *argument, int rc, const struct err *err)
{
	(void)rc; /* a lost last_used is harmless */
	(void)err;
	free(argument);
}

static void remember_use(struct api_call *call, const struct found *found, time_us now)
{
	struct use *use = now - found->last_used > USED_EVERY_US ? malloc(sizeof(*use)) : NULL;

	if (use == NULL)
		return;
	*use = (struct use){ found->id, now };
	if (store_write(api_call_store(call), note_use, note_done, use) != 0)
		free(use);
}

static bool refuse(struct api_call *call, const char *detail)
{
	api_problem(call, 401, "Not signed in", "%s", detail);
	return false;
}

static void set_caller(struct api_call *call, const char *kind, const struct found *found, enum account_role role)
{
	struct api_principal *principal = &call->principal;

	snprintf(principal->name, sizeof(principal->name), "%s", found->name);
	principal->role = role;
	principal->token = found->id;
	principal->user = found->user;
	call->token_expires = found->expires;
	call->actor = (struct front_actor){ .kind = kind,
					    .name = principal->name,
					    .id = found->session ? found->user : found->id,
					    .peer = call->source };
}

static bool bearer_form(struct api_call *call)
{
	if (call->bearer_malformed)
		return refuse(call, "The Authorization header must be \"Bearer\" and a token.");
	if (call->bearer[0] == '\0')
		return refuse(call, "This request needs a token: send \"Authorization: Bearer …\". Sign in with POST "
				    "/api/v1/sessions, or make a token with `muster-manager token`.");
	if (token_check(call->bearer, TOKEN_API, NULL) != 0 && token_check(call->bearer, TOKEN_SESSION, NULL) != 0)
		return refuse(call, "That is not a token of this API: it was cut short or mistyped.");
	return true;
}

static bool authenticate(struct api_call *call, struct err *err)
{
	time_us now = env_wall(api_call_env(call));
	struct found found = { 0 };
	enum account_role role;
	int rc;

	if (!bearer_form(call))
		return false;
	token_hash(call->bearer, found.hash);
	rc = store_read(api_call_store(call), find, &found, err);
	if (rc != 0) {
		call_fail(call, rc, err);
		return false;
	}
	if (!found.there)
		return refuse(call, "This token is not known here: it may be of another manager, or was deleted.");
	if (found.revoked)
		return refuse(call,
			      found.session ? "This session was ended: sign in again." : "This token was revoked.");
	if (found.expires != 0 && found.expires <= now)
		return refuse(call,
			      found.session ? "This session has expired: sign in again." : "This token has expired.");
	if (account_role_parse(found.role, &role, NULL) != 0)
		return refuse(call, "This token has a role that this version does not know.");
	set_caller(call, found.session ? "user" : "token", &found, role);
	remember_use(call, &found, now);
	return true;
}

static bool from_this_machine(const struct api_call *call)
{
	return strncmp(call->source, "127.", 4) == 0 || strncmp(call->source, "::ffff:127.", 11) == 0 ||
	       strcmp(call->source, "::1") == 0;
}

bool auth_check(struct api_call *call, struct err *err)
{
	enum route_access access = call->route->access;
	bool known;

	if (access == ACCESS_ANYBODY)
		return true;
	if (access == ACCESS_METRICS && call->bearer[0] == '\0' && !call->bearer_malformed && from_this_machine(call))
		return true;
	known = authenticate(call, err);
	OPENSSL_cleanse(call->bearer, sizeof(call->bearer));
	if (!known)
		return false;
	if (!route_allows(access, call->principal.role)) {
		api_problem(call, 403, "Not allowed", "This needs the role %s; '%s' has the role %s.",
			    route_access_text(access), call->principal.name, account_role_name(call->principal.role));
		return false;
	}
	return true;
}
