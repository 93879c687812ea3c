/* The table of manager.ini. */
#include "manager/settings.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "manager/layout.h"

#define ROW(section_, key_, type_, field_)                                                                             \
	.section = section_, .key = key_, .type = type_, .offset = offsetof(struct settings, field_)

static const struct conf_row rows[] = {
	{ ROW("manager", "name", CONF_TEXT, name), .min = 1, .max = 253, .flags = CONF_REQUIRED,
	  .help = "The name under which agents and people reach this manager. It stands in the TLS certificate that "
		  "`muster-manager init` made." },
	{ ROW("network", "listen", CONF_LISTEN, listen), .initial = "",
	  .help = "Addresses and ports for the console, the API and the agents' exchange (HTTPS). [::] is every "
		  "IPv6 address and no IPv4 one: name 0.0.0.0 besides. Empty: every address, on https_port." },
	{ ROW("network", "console_listen", CONF_LISTEN, console_listen), .initial = "",
	  .help = "Further addresses and ports, for people and programs (console, API) alone, which may have a "
		  "certificate of another authority: front/console.key and front/console.pem of the data directory, "
		  "put there by an administrator and taken up within seconds; one of Muster's own until then. Agents "
		  "and computers that are being installed keep to listen, where the certificate is always one that "
		  "they trust. Empty: none." },
	{ ROW("network", "https_port", CONF_NUMBER, https_port), .aliases = "INI_SERVER_SECTION.Master_SSLPort",
	  .min = 0, .max = 65535, .initial = "0",
	  .help = "The port for console, API and agents on every address, where listen is empty. 0: 4343. Where listen "
		  "is not empty it must name this port." },
	{ ROW("network", "http_port", CONF_NUMBER, http_port), .aliases = "INI_SERVER_SECTION.Master_DomainPort",
	  .min = 1, .max = 65535, .initial = "8059",
	  .help = "The port of the HTTP listener, which is off: nothing is served in clear." },
	{ ROW("network", "tls_profiles", CONF_TEXT, tls_profiles), .min = 1, .max = 1000, .initial = "modern",
	  .help = "Which TLS versions and suites are accepted: names of profiles (`muster tls profiles` lists them). "
		  "Names behind PORT: hold for the listeners on that port instead, as in "
		  "modern, 4345: strong-12 legacy-9.6 - a port of their own, with a firewall in front, is the better "
		  "place for agents that need old ones." },
	{ ROW("network", "rsa_certificate", CONF_BOOLEAN, rsa_certificate), .initial = "no",
	  .help = "Serve a second certificate, with an RSA key, to clients that take no other. It is made and served "
		  "anyway when a profile needs it." },
	{ ROW("network", "legacy_tls", CONF_CHOICE, legacy_tls), .choices = "refused accept-risk", .initial = "refused",
	  .help = "Profiles named legacy- are served with accept-risk alone: connections made with them can be read "
		  "later by whoever records them and gets the key, and TLS 1.0 has weaknesses of its own. An alert is "
		  "open while one is on." },
	{ ROW("network", "agent_port", CONF_NUMBER, agent_port),
	  .aliases = "Client_LocalServer_Port INI_CLIENT_SECTION.Client_LocalServer_Port "
		     "INI_CLIENT_SECTION.Cliernt_LocalServer_Port", /* as the originals' manual spells it */
	  .min = 1, .max = 65535, .initial = "21112",
	  .help = "The port on which agents listen for this manager. `init` draws a random five-digit one." },
	{ ROW("network", "connections", CONF_NUMBER, connections), .min = 16, .max = 1000000, .initial = "100000",
	  .help =
	      "The most connections at a time. The open-files limit may allow fewer; the log says what it allows." },
	{ ROW("process", "loops", CONF_NUMBER, loops), .min = 0, .max = 256, .initial = "0",
	  .help = "Threads that serve connections; 0 is one a processor core." },
	{ ROW("process", "workers", CONF_NUMBER, workers), .min = 1, .max = 64, .initial = "16",
	  .help = "Threads that handle API requests, enrolments and quarantined files. Each waits for its own commit: "
		  "more of them share one." },
	{ ROW("process", "front_user", CONF_TEXT, front_user), .max = 64, .initial = "",
	  .help = "User, by name or number, of the process that talks to the network, when started as root. Empty: the "
		  "user that started it." },
	{ ROW("process", "keys_user", CONF_TEXT, keys_user), .max = 64, .initial = "",
	  .help = "User of the process that holds the private keys, when started as root." },
	{ ROW("process", "courier_user", CONF_TEXT, courier_user), .max = 64, .initial = "nobody",
	  .help = "User of the process that sends syslog, mail and webhooks, when started as root." },
	{ ROW("process", "hypervisor_user", CONF_TEXT, hypervisor_user), .max = 64, .initial = "nobody",
	  .help = "User of the process that asks hypervisors which virtual machines run, when started as root. It asks "
		  "read-only: a local libvirt needs no more." },
	{ ROW("process", "stop_grace", CONF_SPAN, stop_grace), .min = 0, .max = 5 * MINUTE_US, .initial = "10s",
	  .help = "How long requests under way may take to finish when the manager is told to stop." },
	{ ROW("exchange", "hold", CONF_SPAN, hold), .min = 0, .max = HOUR_US, .initial = "15m",
	  .help =
	      "The longest time that an agent's poll is held open. Networks that cut idle connections sooner need a "
	      "smaller value; 0 answers every poll at once." },
	{ ROW("exchange", "return_rate", CONF_NUMBER, return_rate), .min = 10, .max = 100000, .initial = "250",
	  .help = "About how many agents a second come back when all have lost the manager: with 250, of 15,000 agents "
		  "each "
		  "draws its moment from one minute. More is sooner, and keeps the manager busier meanwhile." },
	{ ROW("exchange", "clone_settle", CONF_SPAN, clone_settle), .min = SECOND_US, .max = HOUR_US, .initial = "2m",
	  .help = "How long after an agent was started again what it said before may still arrive. An older run that "
		  "speaks later than this, beside the newer one, means that two agents have one identity." },
	{ ROW("dial", "concurrency", CONF_NUMBER, dial_concurrency), .min = 1, .max = 4096, .initial = "64",
	  .help = "How many agents the manager dials at a time (directions bidirectional and manager-initiated)." },
	{ ROW("dial", "timeout", CONF_SPAN, dial_timeout), .min = SECOND_US, .max = 2 * MINUTE_US, .initial = "15s",
	  .help = "How long it waits for a name, a connection and the TLS handshake before it tries the agent's next "
		  "address." },
	{ ROW("store", "readers", CONF_NUMBER, readers), .min = 1, .max = 16, .initial = "4",
	  .help = "Database connections for reading." },
	{ ROW("store", "group_span", CONF_SPAN, group_span), .min = 0, .max = SECOND_US, .initial = "2ms",
	  .help = "How long a write waits for others to share its commit." },
	{ ROW("store", "group_count", CONF_NUMBER, group_count), .min = 1, .max = 100000, .initial = "2000",
	  .help = "The most writes in one commit." },
	{ ROW("store", "queue_count", CONF_NUMBER, queue_count), .min = 16, .max = 1000000, .initial = "20000",
	  .help = "The most writes that wait; past it agents are asked to come back later and keep their events." },
	{ ROW("INI_SERVER_SECTION", "Master_EnableSSL", CONF_CHOICE, enable_ssl), .choices = "1 2", .initial = "1",
	  .help = "As in the originals: 1 is TLS, 2 is none. 2 is refused, since nothing is served in clear." },
	{ ROW("log", "level", CONF_CHOICE, log_level), .choices = "error warning info debug", .initial = "info",
	  .help = "The least severe lines that are logged." },
};

const struct conf_table settings_table = {
	.program = "manager",
	.file = LAYOUT_SETTINGS,
	.rows = rows,
	.count = COUNT_OF(rows),
	.size = sizeof(struct settings),
};

_Static_assert(LEGACY_TLS_ACCEPT_RISK == 1, "choices of [network] legacy_tls are in the order of enum legacy_tls");
_Static_assert(LOG_ERROR == 0 && LOG_DEBUG == 3, "choices of [log] level are in the order of enum log_level");

/* --- what rows say together --- */

static void add_problem(struct buf *problems, size_t *count, const char *what)
{
	++*count;
	buf_printf(problems, "%s: %s\n", LAYOUT_SETTINGS, what);
}

static bool listens_on(const struct conf_addresses *listen, int64_t port)
{
	for (size_t i = 0; i < listen->count; i++) {
		if (listen->items[i].port == port)
			return true;
	}
	return false;
}

struct listener {
	const char *key; /* of [network] */
	const struct conf_address *address;
	struct in6_addr numeric; /* of IPv4: its first bytes */
	bool ipv6;
};

static bool is_every_one(const struct listener *listener)
{
	static const struct in6_addr zero;

	return memcmp(&listener->numeric, &zero, listener->ipv6 ? 16 : 4) == 0;
}

/* One would keep the other from listening. An IPv6 listener takes no IPv4. */
static bool collide(const struct listener *one, const struct listener *other)
{
	if (one->address->port != other->address->port || one->address->port == 0 || one->ipv6 != other->ipv6)
		return false;
	return is_every_one(one) || is_every_one(other) ||
	       memcmp(&one->numeric, &other->numeric, one->ipv6 ? 16 : 4) == 0;
}

static void check_collision(const struct listener *one, const struct listener *other, struct buf *problems,
			    size_t *count)
{
	char what[2 * CONF_ADDRESS_BYTES + 256];
	const char *form = one->ipv6 ? "[network] %s [%s]:%u and %s [%s]:%u are the same port%s; take one of them out, "
				       "or give it another port"
				     : "[network] %s %s:%u and %s %s:%u are the same port%s; take one of them out, or "
				       "give it another port";

	if (!collide(one, other))
		return;
	(void)snprintf(what, sizeof(what), form, one->key, one->address->host, (unsigned)one->address->port, other->key,
		       other->address->host, (unsigned)other->address->port,
		       is_every_one(one) || is_every_one(other) ? ", since one of them is every address" : "");
	add_problem(problems, count, what);
}

/* False: it is a name, or none of the ways to write an address. */
static bool read_listener(struct listener *listener, struct buf *problems, size_t *count)
{
	char what[CONF_ADDRESS_BYTES + 256];

	listener->ipv6 = strchr(listener->address->host, ':') != NULL;
	memset(&listener->numeric, 0, sizeof(listener->numeric));
	if (inet_pton(listener->ipv6 ? AF_INET6 : AF_INET, listener->address->host, &listener->numeric) == 1)
		return true;
	(void)snprintf(
	    what, sizeof(what),
	    "[network] %s: %s is not a numeric address, and names are not looked up here; write the address of "
	    "this computer on which to listen (`ip address` lists them), or 0.0.0.0 and [::] for every one",
	    listener->key, listener->address->host);
	add_problem(problems, count, what);
	return false;
}

static void add_listeners(struct listener *listeners, size_t *so_far, const char *key,
			  const struct conf_addresses *addresses, struct buf *problems, size_t *count)
{
	for (size_t i = 0; i < addresses->count; i++) {
		listeners[*so_far] = (struct listener){ .key = key, .address = &addresses->items[i] };
		*so_far += read_listener(&listeners[*so_far], problems, count);
	}
}

static void check_listeners(const struct settings *settings, struct buf *problems, size_t *count)
{
	struct listener listeners[2 * CONF_ADDRESSES];
	size_t so_far = 0;

	add_listeners(listeners, &so_far, "listen", &settings->listen, problems, count);
	add_listeners(listeners, &so_far, "console_listen", &settings->console_listen, problems, count);
	for (size_t i = 0; i < so_far; i++) {
		for (size_t before = 0; before < i; before++)
			check_collision(&listeners[before], &listeners[i], problems, count);
	}
}

/* Listeners as [network] listen would have them. */
static void listen_everywhere(struct settings *settings)
{
	uint16_t port = settings->https_port != 0 ? (uint16_t)settings->https_port : SETTINGS_HTTPS_PORT;

	settings->listen.items[0] = (struct conf_address){ "0.0.0.0", port };
	settings->listen.items[1] = (struct conf_address){ "::", port };
	settings->listen.count = 2;
}

static int settle(struct settings *settings, struct buf *problems, struct err *err)
{
	size_t count = 0;

	if (settings->enable_ssl != 0)
		add_problem(
		    problems, &count,
		    "[INI_SERVER_SECTION] Master_EnableSSL = 2: nothing is served in clear; set it to 1 or take "
		    "it out");
	if (settings->listen.count == 0)
		listen_everywhere(settings);
	else if (settings->https_port != 0 && !listens_on(&settings->listen, settings->https_port))
		add_problem(
		    problems, &count,
		    "[network] https_port (also [INI_SERVER_SECTION] Master_SSLPort) contradicts [network] "
		    "listen, which does not name that port; take out one of the two, or put the port into listen");
	check_listeners(settings, problems, &count);
	return count == 0
		   ? 0
		   : err_set(err, ERR_FORMAT, "%s: %zu problem%s", LAYOUT_SETTINGS, count, count == 1 ? "" : "s");
}

int settings_load(const char *data_directory, struct settings *settings, struct buf *problems, struct err *err)
{
	char path[LAYOUT_PATH_BYTES];
	int rc = conf_init(&settings_table, settings, err);

	if (rc != 0)
		return rc;
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", data_directory, LAYOUT_SETTINGS) >= sizeof(path))
		rc = err_set(err, ERR_LIMIT, "the data directory's path is too long");
	else
		rc = conf_read(&settings_table, path, settings, problems, err);
	if (rc == 0)
		rc = settle(settings, problems, err);
	if (rc == ERR_NOT_FOUND)
		rc = err_set(err, rc, "%s is missing; was `muster-manager init` run on this data directory?", path);
	if (rc != 0)
		conf_done(&settings_table, settings);
	return rc;
}
