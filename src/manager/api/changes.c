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
