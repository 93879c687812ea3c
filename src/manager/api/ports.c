/* /ports: where the manager listens and whom it connects to. Addresses are administrators'. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/api/call_state.h"
#include "manager/api/handlers.h"
#include "manager/listening.h"
#include "manager/ports_show.h"
#include "manager/queries.h"

#define PATIENCE_US (5 * SECOND_US)

static int add_rows(struct store_session *session, const struct store_statement *statement, const char *address,
		    struct manager_ports *ports, struct err *err)
{
	struct cursor *cursor = cursor_open(session, statement);

	while (cursor_next(cursor))
		manager_ports_add(ports, cursor_text(cursor, "name"), cursor_text(cursor, address),
				  cursor_number(cursor, "enabled") != 0);
	return cursor_end(cursor, err);
}

static int count_agents(struct store_session *session, struct manager_ports *ports, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_COMPUTER_LISTENING);

	if (cursor_next(cursor))
		manager_ports_agents(ports, (uint64_t)cursor_number(cursor, "listening"),
				     (uint64_t)cursor_number(cursor, "failing"));
	return cursor_end(cursor, err);
}

static int add_stored(struct store_session *session, void *argument, struct err *err)
{
	struct manager_ports *ports = argument;
	int rc = add_rows(session, &QUERY_DESTINATION_ALL, "url", ports, err);

	if (rc == 0)
		rc = count_agents(session, ports, err);
	return rc == 0 ? add_rows(session, &QUERY_HYPERVISOR_ALL, "uri", ports, err) : rc;
}

static bool takes_nobody_yet(const struct front *front, const struct port_row *row)
{
	const struct listening *plan = front_listening(front);

	for (size_t i = 0; row->here && i < plan->count; i++) {
		if (front_holds(front, i) && plan->items[i].address->port == row->port &&
		    strcmp(plan->items[i].address->host, row->host) == 0)
			return true;
	}
	return false;
}

/* The call came over one of the listeners, and they were opened together or not at all; one may take nobody yet. */
static void mark_listening(const struct front *front, struct manager_ports *ports)
{
	for (size_t i = 0; i < ports->count; i++) {
		if (ports->rows[i].here && ports->rows[i].state == PORT_NOT_TRIED)
			ports->rows[i].state = PORT_LISTENING;
		if (takes_nobody_yet(front, &ports->rows[i]))
			snprintf(ports->rows[i].detail, sizeof(ports->rows[i].detail),
				 "takes nobody before its certificate with an RSA key is made");
	}
}

static int answer(struct api_call *call, bool check, struct err *err)
{
	struct front *front = api_call_front(call);
	struct manager_ports *ports = malloc(sizeof(*ports));
	json_t *json = NULL;
	int rc;

	if (ports == NULL)
		return err_set(err, ERR_MEMORY, "no memory for the table of ports");
	manager_ports_of_settings(front_settings(front), ports);
	rc = store_read(api_call_store(call), add_stored, ports, err);
	if (rc == 0 && check)
		ports_try(ports->rows, ports->count, PATIENCE_US);
	if (rc == 0) {
		mark_listening(front, ports);
		json = json_pack("{so, sn}", "items", manager_ports_json(ports), "next");
	}
	free(ports);
	return rc == 0 ? api_reply_json(call, 200, json) : rc;
}

int port_list(struct api_call *call, struct err *err)
{
	return answer(call, false, err);
}

int port_check(struct api_call *call, struct err *err)
{
	return answer(call, true, err);
}
