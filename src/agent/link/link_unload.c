/* Asking for the unload password (agent/link/link_unload.h). Input: what a local user typed. */
#include "agent/link/link_unload.h"

#include <stdio.h>

#include "agent/link/link_history.h"
#include "base/log.h"

/* The one that is kept, not the one that is in force: it is there from the first moment on. */
static void present_hash(const struct link *link, char hash[LOCAL_ACTION_HASH_BYTES])
{
	struct endpoint_configuration_state state;

	endpoint_configuration_state(link->endpoint, &state);
	local_action_hash(state.kept, hash);
}

bool link_unload_asks(const struct link *link)
{
	char hash[LOCAL_ACTION_HASH_BYTES];

	present_hash(link, hash);
	return hash[0] != '\0';
}

static void tell_one(struct link *link, const struct unload_refusal *refusal)
{
	char user[32];
	struct event_field fields[2];
	struct err err = { 0 };

	if (refusal->uid == 0)
		snprintf(user, sizeof(user), "root");
	else
		snprintf(user, sizeof(user), "user %u", (unsigned)refusal->uid);
	fields[0] = link_field("action", local_action_words(refusal->action));
	fields[1] = link_field("user", user);
	LOG(LOG_WARNING, "unload.password_refused", log_text("action", local_action_words(refusal->action)),
	    log_text("user", user));
	if (endpoint_event(link->endpoint, 0, EVENT_UNLOAD_PASSWORD_REFUSED, refusal->time, fields, COUNT_OF(fields),
			   &err))
		LOG(LOG_ERROR, "link.event_not_kept", log_number("type", EVENT_UNLOAD_PASSWORD_REFUSED), log_err(&err));
	link_history_add(link->history, EVENT_UNLOAD_PASSWORD_REFUSED, refusal->time, fields, COUNT_OF(fields));
}

/* Killed before they are forgotten they are told once more: better than never. */
void link_unload_tell(struct link *link)
{
	struct unload_tries tries;
	struct err err = { 0 };

	local_action_tries(link->store, &tries);
	if (tries.untold_count == 0)
		return;
	for (size_t i = 0; i < tries.untold_count; i++)
		tell_one(link, &tries.untold[i]);
	if (endpoint_flush(link->endpoint, &err) != 0 || local_action_told(link->store, &err) != 0)
		LOG(LOG_ERROR, "unload.not_told", log_err(&err));
	link_wake(link);
}

int link_unload_allowed(struct link *link, enum local_action action, const char *password, uid_t uid, struct err *err)
{
	char hash[LOCAL_ACTION_HASH_BYTES];
	const struct local_action_request request = {
		.env = link->env, .store = link->store, .hash = hash, .action = action, .uid = uid, .password = password
	};
	int rc;

	present_hash(link, hash);
	rc = local_action_allowed(&request, err);
	if (rc != 0)
		link_unload_tell(link);
	return rc;
}
