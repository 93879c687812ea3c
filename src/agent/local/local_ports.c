/* `muster-agent ports`: who connects to whom here, and how it stands. Input: agent.ini, the running agent's answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/local/control_ask.h"
#include "agent/local/local.h"
#include "agent/manager_url.h"
#include "agent/settings.h"
#include "net/ports.h"

#define PATIENCE_US (5 * SECOND_US)

enum { TO_MANAGER, TO_AGENT, ROWS };

static const struct port_row rows_made[ROWS] = {
	[TO_MANAGER] = { .from = "this agent",
			 .to = "manager",
			 .protocol = "HTTPS",
			 .purpose = "reports, commands, settings, quarantined files",
			 .setting = "[manager] url" },
	[TO_AGENT] = { .from = "manager",
		       .to = "this agent",
		       .protocol = "HTTPS",
		       .purpose = "the manager dials this agent",
		       .setting = "[link] listen_port",
		       .here = true },
};

static int keep(void *argument, const json_t *line)
{
	json_t **status = argument;

	if (line == NULL)
		return 0;
	json_decref(*status);
	*status = json_deep_copy(line);
	return 0;
}

/* What agent.ini says. */
static void fill(struct port_row rows[ROWS], const struct settings *settings)
{
	struct manager_url url;

	memcpy(rows, rows_made, sizeof(rows_made));
	if (settings->manager_url[0] != '\0' && manager_url_parse(settings->manager_url, &url, NULL) == 0) {
		snprintf(rows[TO_MANAGER].host, PORT_HOST_BYTES, "%s", url.host);
		rows[TO_MANAGER].port = url.port;
	} else {
		rows[TO_MANAGER].state = PORT_OFF; /* it waits to be activated */
	}
	snprintf(rows[TO_AGENT].host, PORT_HOST_BYTES, "%s",
		 settings->listen_address[0] != '\0' ? settings->listen_address : "0.0.0.0");
	if (settings->listen_address[0] == '\0')
		rows[TO_AGENT].purpose =
		    "the manager dials this agent, at any of its addresses (IPv4; IPv6 where there is one)";
	rows[TO_AGENT].port = (uint16_t)settings->listen_port;
	if (settings->listen_port == 0)
		rows[TO_AGENT].state = PORT_OFF;
}

/* A direction closes one of the two ways. */
static void apply_direction(struct port_row rows[ROWS], enum link_direction direction)
{
	if (direction == LINK_MANAGER_INITIATED)
		rows[TO_MANAGER].state = PORT_OFF;
	if (direction == LINK_AGENT_INITIATED)
		rows[TO_AGENT].state = PORT_OFF;
}

/* The agent that runs knows without trying. */
static void apply_status(struct port_row rows[ROWS], const json_t *status)
{
	const json_t *link = json_object_get(status, "link");
	bool connected = json_is_true(json_object_get(status, "connected"));
	bool listening = json_is_true(json_object_get(link, "listening"));

	if (rows[TO_MANAGER].state == PORT_NOT_TRIED) {
		rows[TO_MANAGER].state = connected ? PORT_REACHABLE : PORT_UNREACHABLE;
		snprintf(rows[TO_MANAGER].detail, PORT_TEXT_BYTES, "%.470s",
			 connected ? "" : local_text(status, "cause"));
	}
	if (rows[TO_AGENT].state == PORT_NOT_TRIED) {
		rows[TO_AGENT].state = listening ? PORT_LISTENING : PORT_SILENT;
		snprintf(rows[TO_AGENT].detail, PORT_TEXT_BYTES, "%.470s", local_text(link, "problem"));
	}
}

static int load(const char *data, struct settings *settings, struct err *err)
{
	struct buf problems;
	int rc;

	buf_init(&problems, CONF_PROBLEMS_BYTES);
	rc = settings_load(data, settings, &problems, err);
	if (rc != 0 && problems.size > 0)
		fputs(buf_text(&problems), stderr);
	buf_done(&problems);
	return rc;
}

/* Settings, then what the running agent says, then trying. */
static int find(const char *data, bool check, struct port_row rows[ROWS], struct err *err)
{
	const struct control_request request = { .kind = CONTROL_STATUS };
	struct settings settings;
	json_t *status = NULL;
	enum link_direction direction;
	int rc = load(data, &settings, err);

	if (rc != 0)
		return rc;
	fill(rows, &settings);
	direction = (enum link_direction)settings.direction;
	rc = control_ask(data, &request, keep, &status, NULL, err);
	if (rc == 0)
		(void)link_direction_parse(local_text(json_object_get(status, "link"), "direction"), &direction);
	apply_direction(rows, direction);
	if (rc == 0)
		apply_status(rows, status);
	else if (rc == ERR_NOT_FOUND)
		rc = 0;
	if (rc == 0 && (check || status == NULL))
		ports_try(check ? rows : &rows[TO_AGENT], check ? ROWS : 1, PATIENCE_US);
	json_decref(status);
	settings_done(&settings);
	return rc;
}

static json_t *row_json(const struct port_row *row)
{
	json_t *json = json_pack("{ss, ss, ss, ss, ss, ss, ss}", "from", row->from, "to", row->to, "protocol",
				 row->protocol, "purpose", row->purpose, "setting", row->setting, "state",
				 port_state_name(row->state), "detail", row->detail);

	json_object_set_new(json, "address", row->host[0] != '\0' ? json_string(row->host) : json_null());
	json_object_set_new(json, "port", row->port != 0 ? json_integer(row->port) : json_null());
	return json;
}

static void print(const struct port_row rows[ROWS], bool json)
{
	json_t *list = json_array();

	for (size_t i = 0; json && i < ROWS; i++)
		json_array_append_new(list, row_json(&rows[i]));
	if (json) {
		local_print(list);
		return;
	}
	json_decref(list);
	printf("%-11s %-11s %-9s %-24s %5s  %-13s %s\n", "FROM", "TO", "PROTOCOL", "ADDRESS", "PORT", "STATE",
	       "PURPOSE (SETTING)");
	for (size_t i = 0; i < ROWS; i++) {
		const struct port_row *row = &rows[i];

		printf("%-11s %-11s %-9s %-24s %5u  %-13s %s (%s)%s%s\n", row->from, row->to, row->protocol,
		       row->host[0] != '\0' ? row->host : "-", (unsigned)row->port, port_state_name(row->state),
		       row->purpose, row->setting, row->detail[0] != '\0' ? "; " : "", row->detail);
	}
}

static bool fails(const struct port_row *row)
{
	return row->state == PORT_SILENT || row->state == PORT_UNREACHABLE;
}

int local_ports(const struct arguments *arguments)
{
	bool json = false, check = arguments_given(arguments, "--check");
	struct port_row rows[ROWS];
	struct err err = { 0 };
	char *data = NULL;
	int rc = local_output(arguments, &json, &err);

	if (rc == 0 && (data = local_data(arguments, &err)) == NULL)
		rc = err.code;
	if (rc == 0)
		rc = find(data, check, rows, &err);
	free(data);
	if (rc != 0)
		return local_failed(&err);
	print(rows, json);
	return check && (fails(&rows[TO_MANAGER]) || fails(&rows[TO_AGENT])) ? 1 : 0;
}
