/* Tables only. Places beyond the agents that the manager is told of: destinations, hypervisors, networks. */
#include "manager/api/shapes.h"

#include "manager/api/shape_rows.h"
#include "manager/front/front_network.h"

/* clang-format off */
/* --- destinations --- */

static const char *const destination_kinds[] = { "syslog", "email", "webhook", NULL };
static const char *const destination_contents[] = { "events", "alerts", NULL };
static const char *const destination_formats[] = { "cef", "json", NULL };

#define DESTINATION_MEMBERS                                                                                  \
	{ "content", SHAPE_CHOICE, .choices = destination_contents, .help = "What is sent: `events` of the types that are forwarded, or changes of `alerts`. Not given: events to syslog, alerts to the others." }, \
	{ "least_severity", SHAPE_CHOICE, .choices = shape_severities, .help = "events: nothing less severe is sent; `info` if not given." }, \
	{ "format", SHAPE_CHOICE, .choices = destination_formats, .help = "syslog: how an event is written; `cef` if not given." }, \
	{ "facility", SHAPE_TEXT, 0, 1, 16, .help = "syslog: user, daemon, auth, authpriv or local0 to local7; `local0` if not given." }, \
	{ "from", SHAPE_TEXT, 0, 0, 254, .help = "mail: the sender's address." },                              \
	{ "to", SHAPE_TEXTS, .max = 16, .help = "mail: the addresses." },                                      \
	{ "user", SHAPE_TEXT, 0, 0, 255, .help = "mail: name to sign in with at the mail server; empty: without." }, \
	{ "password", SHAPE_SECRET, 0, 0, 255, .help = "mail: password to sign in with." },                    \
	{ "secret", SHAPE_SECRET, 0, 0, 255, .help = "webhook: what its content is signed with (HMAC-SHA256, header Muster-Signature)." }, \
	{ "ca", SHAPE_TEXT, 0, 0, 8192, .help = "PEM of the authority to trust instead of the system's; empty: the system's." }, \
	{ "enabled", SHAPE_BOOLEAN, .help = "Is anything sent? True if not given." }
SHAPE(shape_destination_request, "DestinationRequest", "A new destination of events or alerts.",
	{ "name", SHAPE_NAME, REQUIRED, .max = 127, .help = "Its name." },
	{ "url", SHAPE_TEXT, REQUIRED, 1, 511, .help = "udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT (syslog); smtp://HOST (STARTTLS), smtps://HOST or smtp-plain://HOST (mail); https://… (webhook)." },
	DESTINATION_MEMBERS);

SHAPE(shape_destination_change, "DestinationChange", "What is to change; the rest stays.",
	{ "name", SHAPE_NAME, .max = 127, .help = "Its name." },
	{ "url", SHAPE_TEXT, 0, 1, 511, .help = "Its URL." },
	DESTINATION_MEMBERS);

SHAPE(shape_destination, "Destination", "Where events or alerts are sent to.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "Its id." },
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Its name." },
	{ "kind", SHAPE_CHOICE, REQUIRED, .choices = destination_kinds, .help = "By the URL's scheme." },
	{ "url", SHAPE_TEXT, REQUIRED, .help = "Its URL." },
	{ "content", SHAPE_CHOICE, REQUIRED, .choices = destination_contents, .help = "What is sent." },
	{ "least_severity", SHAPE_CHOICE, REQUIRED, .choices = shape_severities, .help = "Nothing less severe is sent." },
	{ "format", SHAPE_CHOICE, REQUIRED, .choices = destination_formats, .help = "syslog: how an event is written." },
	{ "facility", SHAPE_TEXT, REQUIRED, .help = "syslog: facility." },
	{ "from", SHAPE_TEXT, REQUIRED, .help = "mail: the sender." },
	{ "to", SHAPE_TEXTS, REQUIRED, .help = "mail: the addresses." },
	{ "user", SHAPE_TEXT, REQUIRED, .help = "mail: name to sign in with." },
	{ "has_password", SHAPE_BOOLEAN, REQUIRED, .help = "Is a password set?" },
	{ "has_secret", SHAPE_BOOLEAN, REQUIRED, .help = "Is the content signed?" },
	{ "has_ca", SHAPE_BOOLEAN, REQUIRED, .help = "Is an authority of its own trusted?" },
	{ "enabled", SHAPE_BOOLEAN, REQUIRED, .help = "Is anything sent?" },
	{ "created", SHAPE_TIME, REQUIRED, .help = "When it was added." },
	{ "created_by", SHAPE_TEXT, REQUIRED, .help = "By whom." },
	{ "delivered", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Events delivered since then." },
	{ "last_delivery", SHAPE_TIME, NULLABLE, .help = "When something was last delivered." },
	{ "failing_since", SHAPE_TIME, NULLABLE, .help = "Since when deliveries fail; null: they do not." },
	{ "failure", SHAPE_TEXT, REQUIRED, .help = "Why the last delivery failed, empty if it did not." });
LIST(shape_destinations, "Destinations", shape_destination);

SHAPE(shape_destination_test, "DestinationTest", "What came of a test message.",
	{ "delivered", SHAPE_BOOLEAN, REQUIRED, .help = "Was it taken?" },
	{ "failure", SHAPE_TEXT, REQUIRED, .help = "Why not." });

/* --- hypervisors and their machines --- */

static const char *const hypervisor_states[] = { "disabled", "connecting", "connected", "failed", NULL };
static const char *const machine_states[] = { "running", "paused", "suspended", "shutting_down", "shut_off", "crashed", "unknown", NULL };

SHAPE(shape_hypervisor_request, "HypervisorRequest", "A new hypervisor.",
	{ "name", SHAPE_NAME, REQUIRED, .max = 127, .help = "Its name." },
	{ "uri", SHAPE_TEXT, REQUIRED, 1, 511, .help = "qemu:///system (also xen, lxc, vz, ch), qemu+tls://HOST/system, qemu+ssh://USER@HOST/system, or test:///default. Keys and certificates lie in the manager's directory hypervisor/." },
	{ "enabled", SHAPE_BOOLEAN, .help = "Is it asked? True if not given." });

SHAPE(shape_hypervisor_change, "HypervisorChange", "What is to change; the rest stays.",
	{ "name", SHAPE_NAME, .max = 127, .help = "Its name." },
	{ "uri", SHAPE_TEXT, 0, 1, 511, .help = "Its libvirt URI." },
	{ "enabled", SHAPE_BOOLEAN, .help = "Is it asked?" });

SHAPE(shape_hypervisor_machines_query, "HypervisorMachinesQuery", "Which machines.",
	{ "unmatched", SHAPE_BOOLEAN, .help = "true: only those that are no computer of ours." });

SHAPE(shape_hypervisor, "Hypervisor", "Who is asked which virtual machines run.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "Its id." },
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Its name." },
	{ "uri", SHAPE_TEXT, REQUIRED, .help = "Its libvirt URI." },
	{ "enabled", SHAPE_BOOLEAN, REQUIRED, .help = "Is it asked?" },
	{ "state", SHAPE_CHOICE, REQUIRED, .choices = hypervisor_states, .help = "How the connection is." },
	{ "since", SHAPE_TIME, NULLABLE, .help = "Since when." },
	{ "failure", SHAPE_TEXT, REQUIRED, .help = "Why it failed, in words; empty if it did not." },
	{ "listed", SHAPE_TIME, NULLABLE, .help = "When it last told all its machines; what it told counts for ten minutes from then." },
	{ "machines", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "How many it told." },
	{ "created", SHAPE_TIME, REQUIRED, .help = "When it was added." },
	{ "created_by", SHAPE_TEXT, REQUIRED, .help = "By whom." });
LIST(shape_hypervisors, "Hypervisors", shape_hypervisor);

SHAPE(shape_machine_computer, "MachineComputer", "A computer by its name.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "Its id." },
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Its name." });

SHAPE(shape_hypervisor_machine, "HypervisorMachine", "A virtual machine.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "Its UUID." },
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Its name at the hypervisor." },
	{ "state", SHAPE_CHOICE, REQUIRED, .choices = machine_states, .help = "Its state; `shut_off` and `crashed` count as stopped." },
	{ "since", SHAPE_TIME, NULLABLE, .help = "Since when, as far as was seen." },
	{ "computers", SHAPE_OBJECTS, REQUIRED, .of = &shape_machine_computer, .help = "The computers whose agents report this UUID; several: machines that were copied with it." });
LIST(shape_hypervisor_machines, "HypervisorMachines", shape_hypervisor_machine);

SHAPE(shape_computer_machine, "ComputerMachine", "A virtual machine as its hypervisor tells it.",
	{ "hypervisor", SHAPE_UUID, REQUIRED, .help = "The hypervisor's id." },
	{ "hypervisor_name", SHAPE_TEXT, REQUIRED, .help = "Its name." },
	{ "name", SHAPE_TEXT, REQUIRED, .help = "The machine's name there." },
	{ "state", SHAPE_CHOICE, REQUIRED, .choices = machine_states, .help = "Its state." },
	{ "since", SHAPE_TIME, NULLABLE, .help = "Since when, as far as was seen." });

SHAPE(shape_hypervisor_test, "HypervisorTest", "What came of a test.",
	{ "connected", SHAPE_BOOLEAN, REQUIRED, .help = "Did it tell its machines?" },
	{ "machines", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "How many." },
	{ "failure", SHAPE_TEXT, REQUIRED, .help = "Why not, in words." });

/* --- networks --- */

#define NETWORK_MEMBERS(required)                                                                            \
	{ "name", SHAPE_NAME, required, .max = NETWORK_NAME_MAX_BYTES, .help = "Its name; no other network has it in any case of letters." }, \
	{ "ranges", SHAPE_TEXTS, required, 1, NETWORK_RANGES_MAX, .help = "Ranges of addresses: `192.0.2.0/24`, `2001:db8::/32`, `192.0.2.10-192.0.2.20`, or one address. Where ranges overlap the smallest holds." }, \
	{ "heartbeat", SHAPE_BOOLEAN, .help = "Do agents there report when there is nothing new? Off: they only poll. On if not given." }, \
	{ "heartbeat_minutes", SHAPE_NUMBER, 0, 1, NETWORK_MINUTES_MAX, .help = "How often they do; 10 if not given." }, \
	{ "offline_minutes", SHAPE_NUMBER, 0, 1, NETWORK_MINUTES_MAX, .help = "How long one may be silent before it is offline; 60 if not given. At least as long as they may be silent by the two others." }, \
	{ "poll_minutes", SHAPE_NUMBER, SHAPE_NULLABLE, 1, NETWORK_MINUTES_MAX, .help = "How often they ask; nothing is held open then. null: as their policy says (`link.poll`)." }
SHAPE(shape_network_request, "NetworkRequest", "A network that the manager cannot reach.", NETWORK_MEMBERS(REQUIRED));

SHAPE(shape_network_change, "NetworkChange", "What is to change of a network.", NETWORK_MEMBERS(0));

SHAPE(shape_network, "Network", "A network that the manager cannot reach.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "Its id." },
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Its name." },
	{ "ranges", SHAPE_TEXTS, REQUIRED, .help = "Its ranges of addresses." },
	{ "heartbeat", SHAPE_BOOLEAN, REQUIRED, .help = "Do agents there report when there is nothing new?" },
	{ "heartbeat_minutes", SHAPE_NUMBER, REQUIRED, 1, NETWORK_MINUTES_MAX, .help = "How often, if they do." },
	{ "offline_minutes", SHAPE_NUMBER, REQUIRED, 1, NETWORK_MINUTES_MAX, .help = "How long one may be silent before it is offline." },
	{ "poll_minutes", SHAPE_NUMBER, NULLABLE, 1, NETWORK_MINUTES_MAX, .help = "How often they ask, nothing being held open; null: as their policy says." },
	{ "computers", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Computers inside, by the address that they come from." },
	{ "version", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Grows with each change; also the ETag." },
	{ "created", SHAPE_TIME, REQUIRED, .help = "When." },
	{ "created_by", SHAPE_TEXT, REQUIRED, .help = "By whom." });
LIST(shape_networks, "Networks", shape_network);
/* clang-format on */
