/* Changes and their traces are one: both are stored, or neither. */
#include "manager/api/changes.h"

static int apply(struct store_session *session, void *argument, struct err *err)
{
	struct change *change = argument;
	struct front *front = api_call_front(change->call);
	int rc = change->apply(session, change, err);

	if (rc == 0)
		rc = front_audit(front, session, api_call_actor(change->call), change->action, change->object,
				 change->detail, "done", err);
	if (rc == 0 && change->event_type != 0)
		rc = front_event(front, session, change->event_type, NULL, change->fields, change->field_count, err);
	return rc;
}

int change_do(struct change *change, struct err *err)
{
	if (change->detail == NULL)
		change->detail = "";
	return store_write_wait(api_call_store(change->call), apply, change, err);
}

struct revocation {
	const struct store_statement *statement;
	const char *what;
};

static int revoke(struct store_session *session, struct change *change, struct err *err)
{
	const struct revocation *revocation = change->argument;
	struct cursor *cursor = cursor_open(session, revocation->statement);
	int rc;

	cursor_bind_uuid(cursor, "id", api_path_id(change->call));
	cursor_bind_number(cursor, "revoked", env_wall(api_call_env(change->call)));
	rc = cursor_run(cursor, err);
	if (rc == 0 && store_changes(session) == 0)
		rc = err_set(err, ERR_NOT_FOUND, "There is no %s with this id that was not revoked before.",
			     revocation->what);
	return rc;
}

int change_revoke(struct api_call *call, const struct store_statement *statement, const char *action, const char *what,
		  struct err *err)
{
	struct revocation revocation = { statement, what };
	char id[UUID_TEXT_BYTES];
	struct change change = {
		.call = call, .action = action, .object = id, .apply = revoke, .argument = &revocation
	};
	int rc;

	uuid_format(api_path_id(call), id);
	rc = change_do(&change, err);
	return rc != 0 ? rc : api_reply_empty(call);
}
