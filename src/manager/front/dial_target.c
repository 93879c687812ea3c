/* Where to dial a computer: what an administrator set, or else what it reports.
 * Its addresses and names are the agent's word: whoever answers there must show
 * the computer's certificate. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "manager/front/dialler_parts.h"
#include "manager/queries.h"

struct reading {
	struct front *front;
	const struct uuid *computer;
	struct dial_targets *targets;
	bool found;
};

static void add(struct dial_targets *targets, const char *host)
{
	size_t length = strlen(host);

	if (targets->count == DIAL_TARGETS_MAX || length == 0 || length >= sizeof(targets->hosts[0]))
		return;
	memcpy(targets->hosts[targets->count++], host, length + 1);
}

static void add_reported(struct dial_targets *targets, const char *addresses, const char *host_name)
{
	json_t *list = json_loads(addresses, 0, NULL), *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		const char *text = json_string_value(one);

		/* Link-local ones mean nothing without an interface. */
		if (text != NULL && strncmp(text, "fe80:", 5) != 0)
			add(targets, text);
	}
	json_decref(list);
	if (targets->count == 0)
		add(targets, host_name);
}

static int read_row(struct store_session *session, void *argument, struct err *err)
{
	struct reading *reading = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_COMPUTER_BY_ID);

	cursor_bind_uuid(cursor, "id", reading->computer);
	if (cursor_next(cursor)) {
		int64_t port = cursor_number(cursor, "listen_port");

		reading->found = cursor_is_null(cursor, "deleted");
		reading->targets->port = (uint16_t)(port > 0 ? port : reading->front->identity.agent_port);
		add(reading->targets, cursor_text(cursor, "dial_address"));
		if (reading->targets->count == 0)
			add_reported(reading->targets, cursor_text(cursor, "addresses"),
				     cursor_text(cursor, "host_name"));
	}
	return cursor_end(cursor, err);
}

int dial_targets_read(struct front *front, const struct uuid *computer, struct dial_targets *ret_targets,
		      struct err *err)
{
	struct reading reading = { front, computer, ret_targets, false };
	int rc;

	*ret_targets = (struct dial_targets){ 0 };
	rc = store_read(front->store, read_row, &reading, err);
	if (rc == 0 && !reading.found)
		rc = err_set(err, ERR_NOT_FOUND, "the computer was deleted");
	if (rc == 0 && ret_targets->count == 0)
		rc = err_set(err, ERR_RESOLVE,
			     "nobody knows where to dial it: it reports no address; set one (dial_address)");
	return rc;
}
