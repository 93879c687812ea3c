/* One change of a row with its audit entry and its event, in one write. */
#ifndef MUSTER_MANAGER_API_CHANGES_H
#define MUSTER_MANAGER_API_CHANGES_H

#include "manager/api/call.h"

struct change {
	struct api_call *call;
	const char *action; /* "token.revoke" */
	const char *object; /* for the audit log: id or name */
	const char *detail; /* JSON or "" */
	/* The change itself, inside the write; may set object and detail. */
	int (*apply)(struct store_session *session, struct change *change, struct err *err);
	void *argument;
	uint32_t event_type; /* 0: none */
	struct front_field fields[4];
	size_t field_count;
};

/* Does it and waits for the commit. Blocks. */
int change_do(struct change *change, struct err *err);

#endif
