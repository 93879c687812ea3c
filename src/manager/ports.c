/* The manager's table of ports. Addresses are the administrators' own. */
#include "manager/ports.h"

#include <stdio.h>
#include <string.h>

#include "manager/layout.h"
#include "net/server.h"

static struct port_row *add(struct manager_ports *ports, const struct port_row *row)
{
	if (ports->count == MANAGER_PORTS_MAX)
		return NULL;
	ports->rows[ports->count] = *row;
	return &ports->rows[ports->count++];
}

static const struct port_row listener = {
	.from = "console, API, agents",
	.to = "this manager",
	.protocol = "HTTPS",
	.purpose = "console, API, agents' exchange, quarantined files",
	.setting = "[network] listen",
	.here = true,
};
static const struct port_row console_listener = {
	.from = "console, API",
	.to = "this manager",
	.protocol = "HTTPS",
	.purpose = "console, API, with a certificate of its own",
	.setting = "[network] console_listen",
	.here = true,
};
static const struct port_row clear_listener = {
	.from = "agents",
	.to = "this manager",
	.protocol = "HTTP",
	.purpose = "nothing: it is off, and never carries credentials",
	.setting = "[network] http_port",
	.here = true,
	.state = PORT_OFF,
};
static const struct port_row agents = {
	.from = "this manager",
	.to = "agents",
	.protocol = "HTTPS",
	.purpose = "dialling agents that listen (directions bidirectional and manager-initiated)",
	.setting = "[network] agent_port",
	.detail = "muster computer verify tries them",
};

static const struct port_row installation = {
	.from = "where muster is run",
	.to = "new computers",
	.protocol = "SSH",
	.purpose = "installing agents there (muster computer install)",
	.setting = "muster computer install --port",
	.port = 22,
};

static void add_listeners(struct manager_ports *ports, const struct port_row *as,
			  const struct conf_addresses *addresses)
{
	for (size_t i = 0; i < addresses->count; i++) {
		struct port_row *row = add(ports, as);

		if (row == NULL)
			return;
		snprintf(row->host, sizeof(row->host), "%s", addresses->items[i].host);
		row->port = addresses->items[i].port;
	}
}

void manager_ports_of_settings(const struct settings *settings, struct manager_ports *ports)
{
	struct port_row *row;

	ports->count = 0;
	add_listeners(ports, &listener, &settings->listen);
	add_listeners(ports, &console_listener, &settings->console_listen);
	row = add(ports, &clear_listener);
	if (row != NULL)
		row->port = (uint16_t)settings->http_port;
	row = add(ports, &agents);
	if (row != NULL)
		row->port = (uint16_t)settings->agent_port;
	(void)add(ports, &installation);
}

void manager_ports_agents(struct manager_ports *ports, uint64_t listening, uint64_t failing)
{
	for (size_t i = 0; i < ports->count; i++) {
		struct port_row *row = &ports->rows[i];

		if (row->to == agents.to)
			snprintf(row->detail, sizeof(row->detail),
				 "agents that listen: %llu, not dialled when last tried: %llu; %s",
				 (unsigned long long)listening, (unsigned long long)failing, agents.detail);
	}
}

/* By the scheme; the port is the one that is taken where none stands. */
static const struct {
	const char *scheme;
	uint16_t port;
	struct port_row row;
} outward[] = {
#define EVENTS .from = "this manager", .purpose = "events and alerts", .setting = "muster destination"
	{ "udp", 514, { .to = "syslog server", .protocol = "syslog (UDP)", EVENTS, .datagrams = true } },
	{ "tcp", 514, { .to = "syslog server", .protocol = "syslog", EVENTS } },
	{ "tls", 6514, { .to = "syslog server", .protocol = "syslog (TLS)", EVENTS } },
	{ "smtp", 25, { .to = "mail server", .protocol = "SMTP, STARTTLS", EVENTS } },
	{ "smtps", 465, { .to = "mail server", .protocol = "SMTPS", EVENTS } },
	{ "smtp-plain", 25, { .to = "mail server", .protocol = "SMTP", EVENTS } },
	{ "https", 443, { .to = "webhook", .protocol = "HTTPS", EVENTS } },
	{ "http", 80, { .to = "webhook", .protocol = "HTTP", EVENTS } },
#define MACHINES                                                                                                       \
	.from = "this manager", .to = "hypervisor", .purpose = "which virtual machines run",                           \
	.setting = "muster hypervisor"
	{ "+tls", 16514, { .protocol = "libvirt (TLS)", MACHINES } }, /* qemu+tls, xen+tls, ... */
	{ "+ssh", 22, { .protocol = "SSH", MACHINES } },
};

/* pattern: a scheme, or its end from a '+' on. */
static bool scheme_fits(const char *url, const char *pattern)
{
	size_t scheme = strcspn(url, ":"), size = strlen(pattern);

	if (strncmp(url + scheme, "://", 3) != 0)
		return false;
	if (pattern[0] == '+' && scheme > size)
		return strncmp(url + scheme - size, pattern, size) == 0;
	return scheme == size && strncmp(url, pattern, size) == 0;
}

void manager_ports_add(struct manager_ports *ports, const char *name, const char *url, bool enabled)
{
	for (size_t i = 0; i < COUNT_OF(outward); i++) {
		struct port_row row = outward[i].row;

		if (!scheme_fits(url, outward[i].scheme))
			continue;
		if (!ports_of_url(url, outward[i].port, row.host, &row.port))
			return;
		snprintf(row.name, sizeof(row.name), "%s", name);
		row.state = enabled ? PORT_NOT_TRIED : PORT_OFF;
		(void)add(ports, &row);
		return;
	}
}

/* How many of them cannot be had. */
static size_t check_listeners(const struct port_row *as, const struct conf_addresses *addresses, struct buf *problems)
{
	size_t count = 0;

	for (size_t i = 0; i < addresses->count; i++) {
		const struct conf_address *address = &addresses->items[i];
		bool bracket = strchr(address->host, ':') != NULL;
		char text[CONF_ADDRESS_BYTES + 16];
		struct err why = { 0 };

		(void)snprintf(text, sizeof(text), "%s%s%s:%u", bracket ? "[" : "", address->host, bracket ? "]" : "",
			       (unsigned)address->port);
		if (http_server_may_listen(text, &why) == 0)
			continue;
		count++;
		buf_printf(problems, "%s: port %u for %s (setting %s): %s\n", LAYOUT_SETTINGS, (unsigned)address->port,
			   as->purpose, as->setting, why.text);
	}
	return count;
}

int manager_ports_check(const struct settings *settings, struct buf *problems, struct err *err)
{
	size_t count = check_listeners(&listener, &settings->listen, problems) +
		       check_listeners(&console_listener, &settings->console_listen, problems);

	return count == 0 ? 0
			  : err_set(err, ERR_REFUSED, "%zu of %zu ports cannot be listened on", count,
				    settings->listen.count + settings->console_listen.count);
}
