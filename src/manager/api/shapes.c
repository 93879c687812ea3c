/* Tables only: the shapes of the API's input and output. */
#include "manager/api/shapes.h"

#include "manager/api/accounts.h"
#include "manager/api/page.h"
#include "manager/front/front_network.h"

/* clang-format off */
#define SHAPE(symbol, name_, help_, ...)                                                                     \
	static const struct shape_field symbol##_fields[] = { __VA_ARGS__ };                                  \
	const struct shape symbol = { name_, help_, symbol##_fields, COUNT_OF(symbol##_fields), false }
#define SHAPE_STATIC(symbol, name_, help_, ...)                                                              \
	static const struct shape_field symbol##_fields[] = { __VA_ARGS__ };                                  \
	static const struct shape symbol = { name_, help_, symbol##_fields, COUNT_OF(symbol##_fields), false }
#define EMPTY(symbol, name_, help_) const struct shape symbol = { name_, help_, NULL, 0, false }
#define LIST(symbol, name_, entry)                                                                           \
	SHAPE(symbol, name_, "One page of a list.",                                                           \
		{ "items", SHAPE_OBJECTS, SHAPE_REQUIRED, .of = &entry, .help = "The entries of this page." },  \
		{ "next", SHAPE_TEXT, SHAPE_REQUIRED | SHAPE_NULLABLE,                                          \
		  .help = "Give it as `cursor` for the next page; null: this was the last one." })

#define REQUIRED SHAPE_REQUIRED
#define NULLABLE (SHAPE_REQUIRED | SHAPE_NULLABLE)
#define NOTHING_OR_MORE 0, INT64_MAX

const char *const shape_roles[] = { "viewer", "operator", "administrator", "auditor", NULL };
_Static_assert(COUNT_OF(shape_roles) == ROLE_COUNT_ + 1, "a word for each role");
const char *const shape_severities[] = { "info", "warning", "error", NULL };
const char *const shape_command_kinds[] = { "scan", "pause", "resume", "cancel", "heartbeat", "restore", "delete", "move", NULL };
const char *const shape_command_states[] = { "pending", "sent", "running", "succeeded", "failed", "cancelled",
					     "timed_out", NULL };
static const char *const shape_command_kinds_for_many[] = { "scan", "heartbeat", "move", NULL };
static const char *const quarantine_states[] = { "held", "restored", "deleted", "too_large", NULL };
static const char *const setting_types[] = { "size", "duration", "number", "choice", "text", "boolean", NULL };
static const char *const verification_outcomes[] = { "answered", "silent", "away", NULL };
static const char *const alert_states[] = { "open", "resolved", "dismissed", NULL };
static const char *const alert_severities[] = { "warning", "critical", NULL };
static const char *const alert_changes[] = { "raised", "resolved", "dismissed", NULL };
static const char *const event_origins[] = { "agent", "manager", NULL };
static const char *const destination_kinds[] = { "syslog", "email", "webhook", NULL };
static const char *const destination_contents[] = { "events", "alerts", NULL };
static const char *const hypervisor_states[] = { "disabled", "connecting", "connected", "failed", NULL };
static const char *const machine_states[] = { "running", "paused", "suspended", "shutting_down", "shut_off", "crashed", "unknown", NULL };
static const char *const destination_formats[] = { "cef", "json", NULL };
static const char *const actor_kinds[] = { "user", "token", "system", NULL };

static const char *const override_kinds[] = { "policy", "computer", NULL };
static const char *const origin_kinds[] = { "default", "policy", "computer", "network", "appliance", NULL };
static const char *const policy_setting_types[] = { "duration", "size", "number", "boolean", "choice", "paths", "text", NULL };

/* --- query strings --- */

#define PAGING                                                                                               \
	{ "limit", SHAPE_NUMBER, 0, 1, 1000, .help = "Entries of a page; 100 if not given." },                \
	{ "cursor", SHAPE_CURSOR, 0, 1, PAGE_TEXT_BYTES, .help = "`next` of the page before." }

EMPTY(shape_no_query, "NoQuery", "No parameters.");

SHAPE(shape_page_query, "PageQuery", "Paging.", PAGING);

SHAPE(shape_computers_query, "ComputersQuery", "Which computers.",
	{ "state", SHAPE_TEXT, 0, 1, 64, .help = "Only those of this status (`online`, `offline`, …)." },
	{ "name", SHAPE_NAME, .max = 255, .help = "Only those of this name, in any case; `*` and `?` stand for any text and any character." },
	{ "group", SHAPE_NAME, .max = 255, .help = "Only those of this group." },
	{ "policy", SHAPE_NAME, .max = 255, .help = "Only those with this policy." },
	PAGING);

SHAPE(shape_commands_query, "CommandsQuery", "Which commands; newest first.",
	{ "computer", SHAPE_UUID, .help = "Only those for this computer." },
	{ "state", SHAPE_CHOICE, .choices = shape_command_states, .help = "Only those in this state." },
	{ "kind", SHAPE_CHOICE, .choices = shape_command_kinds, .help = "Only those of this kind." },
	{ "since", SHAPE_TIME, .help = "Only those issued at or after this moment." },
	PAGING);

SHAPE(shape_events_query, "EventsQuery", "Which events; newest first.",
	{ "computer", SHAPE_UUID, .help = "Only those of this computer." },
	{ "type", SHAPE_NUMBER, 0, 1, 99999, .help = "Only those of this type (a number)." },
	{ "severity", SHAPE_CHOICE, .choices = shape_severities, .help = "Only those of this severity." },
	{ "since", SHAPE_TIME, .help = "Only those that happened at or after this moment." },
	{ "until", SHAPE_TIME, .help = "Only those that happened before this moment." },
	PAGING);

SHAPE(shape_stream_query, "StreamQuery", "Which events are sent.",
	{ "computer", SHAPE_UUID, .help = "Only those of this computer." },
	{ "type", SHAPE_NUMBER, 0, 1, 99999, .help = "Only those of this type (a number)." },
	{ "severity", SHAPE_CHOICE, .choices = shape_severities, .help = "Only those of this severity." },
	{ "after", SHAPE_UUID, .help = "Begin after this event; the header Last-Event-ID goes before it. Neither: only what comes from now on." });

SHAPE(shape_quarantine_query, "QuarantineQuery", "Which items; newest first.",
	{ "computer", SHAPE_UUID, .help = "Only those of this computer." },
	{ "state", SHAPE_CHOICE, .choices = quarantine_states, .help = "Only those in this state." },
	{ "since", SHAPE_TIME, .help = "Only those quarantined at or after this moment." },
	PAGING);

SHAPE(shape_file_query, "FileQuery", "How the file is wrapped.",
	{ "password", SHAPE_SECRET, 0, 1, 128, .help = "Password of the archive; `infected` if not given." });

SHAPE(shape_audit_query, "AuditQuery", "Which entries; newest first.",
	{ "since", SHAPE_TIME, .help = "Only those made at or after this moment." },
	{ "action", SHAPE_TEXT, 0, 1, 64, .help = "Only this action, such as `token.create`." },
	{ "actor", SHAPE_NAME, .max = 255, .help = "Only what this user or token did." },
	PAGING);

SHAPE(shape_alerts_query, "AlertsQuery", "Which alerts; newest first.",
	{ "state", SHAPE_CHOICE, .choices = alert_states, .help = "Only those in this state." },
	{ "type", SHAPE_TEXT, 0, 1, 64, .help = "Only those of this type." },
	{ "severity", SHAPE_CHOICE, .choices = alert_severities, .help = "Only those of this severity." },
	{ "computer", SHAPE_UUID, .help = "Only those of this computer." },
	{ "since", SHAPE_TIME, .help = "Only those raised at or after this moment." },
	PAGING);

SHAPE(shape_alert_stream_query, "AlertStreamQuery", "From where on.",
	{ "after", SHAPE_UUID, .help = "Changes behind the one with this id; else those from now on. The header Last-Event-ID goes before it." });

SHAPE(shape_overrides_query, "OverridesQuery", "Which overrides; by setting.",
	{ "setting", SHAPE_TEXT, 0, 1, 64, .help = "Only those of this setting." },
	{ "kind", SHAPE_CHOICE, .choices = override_kinds, .help = "Only those of policies, or of computers." },
	PAGING);

SHAPE(shape_difference_query, "DifferenceQuery", "What is compared: ids of policies or computers, or names of policies.",
	{ "a", SHAPE_NAME, REQUIRED, .max = 255, .help = "One." },
	{ "b", SHAPE_NAME, REQUIRED, .max = 255, .help = "The other." });

SHAPE(shape_verification_results_query, "VerificationResultsQuery", "Which results; by the computer's name.",
	{ "outcome", SHAPE_CHOICE, .choices = verification_outcomes, .help = "Only those with this outcome." },
	PAGING);

/* --- requests --- */

EMPTY(shape_nothing, "Nothing", "An empty object, or no body at all.");

SHAPE(shape_sign_in, "SignIn", "A user's name and password.",
	{ "user", SHAPE_TEXT, REQUIRED, 1, ACCOUNT_NAME_MAX_BYTES, .help = "Name of the user." },
	{ "password", SHAPE_SECRET, REQUIRED, 1, 256, .help = "The password." });

SHAPE(shape_computer_request, "ComputerRequest", "A computer that is known and has no agent yet.",
	{ "name", SHAPE_NAME, REQUIRED, .max = 255, .help = "The name under which its agent activates." },
	{ "policy", SHAPE_NAME, .max = 255, .help = "Its policy; that of the setting enrolment.policy if not given." },
	{ "group", SHAPE_NAME, .max = 255, .help = "Its group." },
	{ "dial_address", SHAPE_TEXT, 0, 0, 253, .help = "Where its agent may be dialled." });
SHAPE(shape_dial_address_request, "DialAddressRequest", "Where the manager dials a computer.",
	{ "dial_address", SHAPE_NAME, REQUIRED | SHAPE_NULLABLE, .max = 253, .help = "Host name or address to dial; null: as the agent reports." });

#define MOVE_MEMBERS                                                                                         \
	{ "manager", SHAPE_TEXT, 0, 1, 255, .help = "move: https://HOST:PORT of the other manager. Administrators alone may move computers." }, \
	{ "token", SHAPE_SECRET, 0, 1, 128, .help = "move: an enrolment token of the other manager." },        \
	{ "ca_fingerprint", SHAPE_TEXT, 0, 64, 95, .help = "move: SHA-256 of the other manager's CA certificate." }
SHAPE(shape_command_request, "CommandRequest", "What a computer is to do.",
	{ "kind", SHAPE_CHOICE, REQUIRED, .choices = shape_command_kinds, .help = "What to do." },
	{ "paths", SHAPE_PATHS, .max = 1000, .help = "scan: absolute paths; none: the configured ones. Bytes that are not printable are written \\xNN, as in every answer." },
	{ "exclude", SHAPE_PATHS, .max = 1000, .help = "scan: paths to leave out." },
	{ "item", SHAPE_UUID, .help = "restore, delete: the quarantine item." },
	{ "command", SHAPE_UUID, .help = "pause, resume, cancel: the command aimed at." },
	{ "overwrite", SHAPE_BOOLEAN, .help = "restore: replace a file that is at the path again." },
	MOVE_MEMBERS,
	{ "timeout", SHAPE_SPAN, 0, 0, 31 * 24 * 3600, .help = "Ends as timed_out after this; 0 or absent: the kind's default." });

SHAPE(shape_commands_request, "CommandsRequest", "What several computers are to do.",
	{ "kind", SHAPE_CHOICE, REQUIRED, .choices = shape_command_kinds_for_many, .help = "What to do." },
	{ "computers", SHAPE_UUIDS, REQUIRED, 1, FRONT_COMMANDS_MAX, .help = "Who is to do it; an id that is given twice counts once." },
	{ "paths", SHAPE_PATHS, .max = 1000, .help = "scan: absolute paths; none: the configured ones." },
	{ "exclude", SHAPE_PATHS, .max = 1000, .help = "scan: paths to leave out." },
	MOVE_MEMBERS,
	{ "timeout", SHAPE_SPAN, 0, 0, 31 * 24 * 3600, .help = "Each ends as timed_out after this; 0 or absent: the kind's default." });

SHAPE(shape_restore_request, "RestoreRequest", "How to restore.",
	{ "overwrite", SHAPE_BOOLEAN, .help = "Replace a file that is at the path again." },
	{ "timeout", SHAPE_SPAN, 0, 0, 31 * 24 * 3600, .help = "Ends as timed_out after this." });

SHAPE(shape_token_request, "TokenRequest", "A new API token.",
	{ "name", SHAPE_NAME, REQUIRED, .max = ACCOUNT_NAME_MAX_BYTES, .help = "What it is for; shown in the audit log." },
	{ "role", SHAPE_CHOICE, REQUIRED, .choices = shape_roles, .help = "What it may do." },
	{ "expires", SHAPE_WHEN, .help = "When it ends; 90 days from now if not given." });

SHAPE(shape_enrolment_token_request, "EnrolmentTokenRequest", "A new enrolment token.",
	{ "name", SHAPE_NAME, .max = ACCOUNT_NAME_MAX_BYTES, .help = "What it is for." },
	{ "policy", SHAPE_NAME, .max = 255, .help = "Policy of computers that enrol with it." },
	{ "group", SHAPE_NAME, .max = 255, .help = "Group of computers that enrol with it." },
	{ "appliance", SHAPE_BOOLEAN, .help = "Are those that enrol with it appliances, which are only bidirectional? false if not given." },
	{ "uses", SHAPE_NUMBER, SHAPE_NULLABLE, 1, 1000000, .help = "How many computers may enrol; null or absent: any number." },
	{ "expires", SHAPE_WHEN, .help = "When it ends; 24 hours from now if not given." });

const char *const shape_deployment_forms[] = { "once", "login", "cron", NULL };
SHAPE(shape_deployment_request, "DeploymentRequest", "A line that installs agents.",
	{ "name", SHAPE_NAME, .max = ACCOUNT_NAME_MAX_BYTES, .help = "What it is for." },
	{ "policy", SHAPE_NAME, .max = 255, .help = "Policy of computers that are installed with it." },
	{ "group", SHAPE_NAME, .max = 255, .help = "Group of computers that are installed with it." },
	{ "appliance", SHAPE_BOOLEAN, .help = "Are they appliances, which are only bidirectional? false if not given." },
	{ "uses", SHAPE_NUMBER, 0, 1, 1000000, .help = "How many computers may enrol with it; 1 if not given." },
	{ "expires", SHAPE_WHEN, .help = "When no more may enrol with it; 24 hours from now if not given. Updates go on." },
	{ "platform", SHAPE_TEXT, 0, 1, 63, .help = "What the manager must have a package for: `linux-x86_64` if not given." },
	{ "form", SHAPE_CHOICE, .choices = shape_deployment_forms, .help = "`once`: to paste into a root shell. `login`: for a script that root runs at each boot or login; quiet, in the background. `cron`: a file for /etc/cron.d. The latter two install where the agent is missing and update it otherwise. `once` if not given." },
	{ "url", SHAPE_TEXT, 0, 1, 300, .help = "https://HOST:PORT by which new computers reach the manager, where that is not the manager's own; a name that its certificate has." });

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

SHAPE(shape_user_request, "UserRequest", "A new user.",
	{ "name", SHAPE_NAME, REQUIRED, .max = ACCOUNT_NAME_MAX_BYTES, .help = "Name to sign in with." },
	{ "role", SHAPE_CHOICE, REQUIRED, .choices = shape_roles, .help = "What the user may do." },
	{ "password", SHAPE_SECRET, 0, 1, 256, .help = "The password; one is made and given in the answer if absent." });

SHAPE(shape_password_request, "PasswordRequest", "A new password.",
	{ "password", SHAPE_SECRET, REQUIRED, 1, 256, .help = "The new password." },
	{ "current", SHAPE_SECRET, 0, 1, 256, .help = "The present one; needed for one's own." });

const struct shape shape_settings_request = {
	"SettingsRequest", "Names of settings with their new values as text; null goes back to the default. All or none.",
	NULL, 0, .open = true
};

SHAPE(shape_event_type_request, "EventTypeRequest", "What is to be done with events of a type; what is not given stays.",
	{ "record", SHAPE_BOOLEAN, .help = "Store them. An event that is not stored is acknowledged all the same, and raises its alerts." },
	{ "forward", SHAPE_BOOLEAN, .help = "Hand them on (syslog)." },
	{ "severity", SHAPE_CHOICE, .choices = shape_severities, .help = "How severe they are." },
	{ "reset", SHAPE_BOOLEAN, .help = "First back to the defaults." });

SHAPE(shape_alert_type_request, "AlertTypeRequest", "What is to change; what is not given stays.",
	{ "enabled", SHAPE_BOOLEAN, .help = "Raise alerts of this type. Switched off, open ones are resolved." },
	{ "severity", SHAPE_CHOICE, .choices = alert_severities, .help = "How severe they are; open ones change too." });

#define SETTINGS_HELP "Names of settings with their new values as text, number, boolean or list of paths; null inherits again."
SHAPE(shape_policy_request, "PolicyRequest", "A policy.",
	{ "name", SHAPE_NAME, REQUIRED, .max = 255, .help = "Its name; no other policy has it in any case of letters." },
	{ "parent", SHAPE_NAME, .max = 255, .help = "Id or name of the policy above it; for a new one the base policy if not given." },
	{ "settings", SHAPE_ANY, .help = SETTINGS_HELP });
SHAPE(shape_policy_change_request, "PolicyChangeRequest", "What changes; the rest stays.",
	{ "name", SHAPE_NAME, .max = 255, .help = "Its new name." },
	{ "parent", SHAPE_NAME, .max = 255, .help = "Id or name of the policy that it moves below." },
	{ "settings", SHAPE_ANY, .help = SETTINGS_HELP });
SHAPE(shape_policy_restore_request, "PolicyRestoreRequest", "What is to be other than when it was deleted.",
	{ "name", SHAPE_NAME, .max = 255, .help = "Its name, when another policy has that by now." },
	{ "parent", SHAPE_NAME, .max = 255, .help = "Id or name of the policy above it, when that is gone." });
SHAPE(shape_policy_apply_request, "PolicyApplyRequest", "Policies as they shall be; policies that are not named stay.",
	{ "policies", SHAPE_OBJECTS, REQUIRED, 1, 1000, .of = &shape_policy_request, .help = "Each with its settings; what they do not name is inherited. Those above stand before those below." },
	{ "dry_run", SHAPE_BOOLEAN, .help = "Only say what would change." });
SHAPE(shape_computer_change_request, "ComputerChangeRequest", "What changes of a computer; the rest stays.",
	{ "policy", SHAPE_NAME, .max = 255, .help = "Id or name of the policy to assign." },
	{ "appliance", SHAPE_BOOLEAN, .help = "Is it an appliance? Appliances are only bidirectional; 409 while it overrides `link.direction` with another." },
	{ "settings", SHAPE_ANY, .help = SETTINGS_HELP });
SHAPE(shape_revert_request, "RevertRequest", "How far back.",
	{ "version", SHAPE_NUMBER, REQUIRED, 1, INT64_MAX, .help = "The version to go back to, as its history lists them." });
SHAPE(shape_verification_request, "VerificationRequest", "Whose connection is to be verified: either of the two.",
	{ "computers", SHAPE_UUIDS, 0, 1, FRONT_COMMANDS_MAX, .help = "These; an id that is given twice counts once." },
	{ "all", SHAPE_BOOLEAN, .help = "All computers." });

/* --- answers --- */

SHAPE(shape_session, "Session", "A session that began.",
	{ "token", SHAPE_SECRET, REQUIRED, .help = "Bearer token; shown this once." },
	{ "expires", SHAPE_TIME, REQUIRED, .help = "When the session ends." },
	{ "role", SHAPE_CHOICE, REQUIRED, .choices = shape_roles, .help = "What the user may do." });

SHAPE(shape_principal, "Principal", "Who calls.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "Id of the user or token." },
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Name of the user or token." },
	{ "kind", SHAPE_CHOICE, REQUIRED, .choices = actor_kinds, .help = "A user's session, or a token." },
	{ "role", SHAPE_CHOICE, REQUIRED, .choices = shape_roles, .help = "What the caller may do." },
	{ "expires", SHAPE_TIME, REQUIRED, .help = "When the token ends." });

SHAPE_STATIC(shape_component, "Component", "State of one protection component.",
	{ "name", SHAPE_TEXT, REQUIRED, .help = "`link`, `guard`, `scan`." },
	{ "state", SHAPE_TEXT, REQUIRED, .help = "`working`, `idle`, `degraded` or `failed`." },
	{ "version", SHAPE_TEXT, REQUIRED, .help = "Its version." },
	{ "detail", SHAPE_TEXT, REQUIRED, .help = "In words, when it does not work." },
	{ "facts", SHAPE_TEXT_MAP, REQUIRED, .help = "What it tells of itself." });

SHAPE_STATIC(shape_computer_machine, "ComputerMachine", "A virtual machine as its hypervisor tells it.",
	{ "hypervisor", SHAPE_UUID, REQUIRED, .help = "The hypervisor's id." },
	{ "hypervisor_name", SHAPE_TEXT, REQUIRED, .help = "Its name." },
	{ "name", SHAPE_TEXT, REQUIRED, .help = "The machine's name there." },
	{ "state", SHAPE_CHOICE, REQUIRED, .choices = machine_states, .help = "Its state." },
	{ "since", SHAPE_TIME, NULLABLE, .help = "Since when, as far as was seen." });

SHAPE(shape_computer, "Computer", "A computer with an agent.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "Its id." },
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Its name." },
	{ "status", SHAPE_TEXT, REQUIRED, .help = "`online`, `offline`, `vm_stopped`, `unknown`; of one that is not managed `unmanaged`, `activation_required`, `reactivation_required`, `deactivation_required`." },
	{ "status_cause", SHAPE_TEXT, REQUIRED, .help = "Why, in words." },
	{ "status_since", SHAPE_TIME, NULLABLE, .help = "Since when." },
	{ "direction", SHAPE_TEXT, REQUIRED, .help = "Who dials: `bidirectional`, `manager-initiated`, `agent-initiated`." },
	{ "direction_in_force", SHAPE_TEXT, REQUIRED, .help = "The one its agent reports: another one than wanted until it was tried." },
	{ "dial_address", SHAPE_TEXT, REQUIRED, .help = "Where the manager dials it; empty: as it reports." },
	{ "listen_port", SHAPE_NUMBER, REQUIRED, 0, 65535, .help = "The port on which it listens for the manager; 0: it does not." },
	{ "link_error", SHAPE_TEXT, REQUIRED, .help = "Why the manager cannot dial it, empty: it can, or need not." },
	{ "policy", SHAPE_TEXT, REQUIRED, .help = "Its policy." },
	{ "group", SHAPE_TEXT, REQUIRED, .help = "Its group, empty for none." },
	{ "appliance", SHAPE_BOOLEAN, REQUIRED, .help = "Is it an appliance, whose direction is always `bidirectional`?" },
	{ "last_heard", SHAPE_TIME, NULLABLE, .help = "Last authenticated sign of life." },
	{ "clock_offset_s", SHAPE_NUMBER, REQUIRED, .help = "Its clock minus the manager's, in seconds." },
	{ "agent_version", SHAPE_TEXT, REQUIRED, .help = "Version of the agent." },
	{ "config_state", SHAPE_TEXT, REQUIRED, .help = "Of its configuration: `pending`, `sent`, `applied` or `failed`." },
	{ "config_error", SHAPE_TEXT, REQUIRED, .help = "Why it could not be applied, else empty." },
	{ "config_fingerprint", SHAPE_TEXT, NULLABLE, .help = "SHA-256 of the configuration in force." },
	{ "trusted_key_fingerprint", SHAPE_TEXT, NULLABLE, .help = "SHA-256 of the server authentication key it trusts." },
	{ "certificate_match", SHAPE_BOOLEAN, NULLABLE, .help = "Is that the manager's present key? null: not reported yet." },
	{ "patterns", SHAPE_TEXT, NULLABLE, .help = "Version of its signatures." },
	{ "components", SHAPE_OBJECTS, REQUIRED, .of = &shape_component, .help = "Its protection components." },
	{ "open_alerts", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Alerts that are not resolved." },
	{ "host_name", SHAPE_TEXT, REQUIRED, .help = "Its own host name." },
	{ "os", SHAPE_TEXT, REQUIRED, .help = "Its operating system." },
	{ "kernel", SHAPE_TEXT, REQUIRED, .help = "Its kernel." },
	{ "architecture", SHAPE_TEXT, REQUIRED, .help = "Its architecture." },
	{ "addresses", SHAPE_TEXTS, REQUIRED, .help = "Its addresses." },
	{ "machine_uuid", SHAPE_UUID, NULLABLE, .help = "UUID of the machine, as its firmware gives it; null: not known." },
	{ "machine", SHAPE_OBJECT, NULLABLE, .of = &shape_computer_machine, .help = "The virtual machine it is, as a hypervisor tells; null: none does." },
	{ "seen_from", SHAPE_TEXT, NULLABLE, .help = "The address that its connections come from; null: not known yet." },
	{ "network", SHAPE_TEXT, NULLABLE, .help = "The network that it is in and that the manager cannot reach; null: none." },
	{ "connected", SHAPE_BOOLEAN, REQUIRED, .help = "A held connection is open now: commands arrive at once." },
	{ "enrolled", SHAPE_TIME, REQUIRED, .help = "When it was activated." });
LIST(shape_computers, "Computers", shape_computer);

SHAPE(shape_verification, "Verification", "A question to computers whether they are there.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "Its id." },
	{ "started", SHAPE_TIME, REQUIRED, .help = "When it began." },
	{ "started_by", SHAPE_TEXT, REQUIRED, .help = "Who asked." },
	{ "scheduled", SHAPE_BOOLEAN, REQUIRED, .help = "By the clock (setting computers.verify_interval)?" },
	{ "ended", SHAPE_TIME, NULLABLE, .help = "When it ended; null: it is under way." },
	{ "total", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "How many computers." },
	{ "answered", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Of them, so far, reported after the question." },
	{ "silent", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Were asked over a held connection and did not." },
	{ "away", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Hold no connection to ask over, and did not." });
LIST(shape_verifications, "Verifications", shape_verification);

SHAPE(shape_verification_result, "VerificationResult", "What came of a computer.",
	{ "computer", SHAPE_UUID, REQUIRED, .help = "Which." },
	{ "computer_name", SHAPE_TEXT, REQUIRED, .help = "Its name." },
	{ "outcome", SHAPE_CHOICE, REQUIRED, .choices = verification_outcomes, .help = "What came of it." },
	{ "elapsed_ms", SHAPE_NUMBER, NULLABLE, NOTHING_OR_MORE, .help = "How long its answer took; null: none came." },
	{ "silent_s", SHAPE_NUMBER, NULLABLE, NOTHING_OR_MORE, .help = "For how long nothing was heard of it; null: it answered, or was never heard." },
	{ "cause", SHAPE_TEXT, REQUIRED, .help = "Why, in words; empty if it answered." });
LIST(shape_verification_results, "VerificationResults", shape_verification_result);

SHAPE(shape_command, "Command", "Something a computer was told to do.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "Its id." },
	{ "kind", SHAPE_CHOICE, REQUIRED, .choices = shape_command_kinds, .help = "What to do." },
	{ "computer", SHAPE_UUID, REQUIRED, .help = "Who is to do it." },
	{ "computer_name", SHAPE_TEXT, REQUIRED, .help = "That computer's name." },
	{ "issued_by", SHAPE_TEXT, REQUIRED, .help = "Name of the user or token." },
	{ "issued", SHAPE_TIME, REQUIRED, .help = "When." },
	{ "changed", SHAPE_TIME, REQUIRED, .help = "When its state or progress was last heard of." },
	{ "timeout", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Seconds until it ends as timed_out; 0: never." },
	{ "arguments", SHAPE_ANY, REQUIRED, .help = "What was asked for, by kind." },
	{ "state", SHAPE_CHOICE, REQUIRED, .choices = shape_command_states, .help = "How far it is." },
	{ "progress", SHAPE_ANY, REQUIRED, .help = "How far a scan is: files and bytes done and in all, detections, the present file." },
	{ "result", SHAPE_ANY, REQUIRED, .help = "What came of it; with `code` and `text` when it failed." });
LIST(shape_commands, "Commands", shape_command);

SHAPE_STATIC(shape_issued, "Issued", "A command and whose it is.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "The command's id." },
	{ "computer", SHAPE_UUID, REQUIRED, .help = "Who is to do it." });
SHAPE(shape_issued_commands, "IssuedCommands", "What became of one command for several computers.",
	{ "items", SHAPE_OBJECTS, REQUIRED, .of = &shape_issued, .help = "The commands, in the order in which computers were named." },
	{ "left_out", SHAPE_UUIDS, REQUIRED, .help = "Computers that are not there, or have too many commands open." });

SHAPE(shape_event, "Event", "Something that happened.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "Its id." },
	{ "computer", SHAPE_UUID, NULLABLE, .help = "Whose; null: the manager's own." },
	{ "computer_name", SHAPE_TEXT, NULLABLE, .help = "That computer's name." },
	{ "time", SHAPE_TIME, REQUIRED, .help = "When it happened, by the clock of where it did." },
	{ "received", SHAPE_TIME, REQUIRED, .help = "When the manager had it." },
	{ "type_id", SHAPE_NUMBER, REQUIRED, 1, 99999, .help = "Number of its type." },
	{ "type", SHAPE_TEXT, REQUIRED, .help = "Name of its type." },
	{ "severity", SHAPE_CHOICE, REQUIRED, .choices = shape_severities, .help = "How bad." },
	{ "text", SHAPE_TEXT, REQUIRED, .help = "The sentence for people." },
	{ "fields", SHAPE_TEXT_MAP, REQUIRED, .help = "What belongs to it, by the type." });
LIST(shape_events, "Events", shape_event);

SHAPE(shape_quarantine_item, "QuarantineItem", "A file taken from its place.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "Its id." },
	{ "computer", SHAPE_UUID, REQUIRED, .help = "Where it was." },
	{ "computer_name", SHAPE_TEXT, REQUIRED, .help = "That computer's name." },
	{ "path", SHAPE_TEXT, REQUIRED, .help = "Its path; bytes that are not printable as \\xNN." },
	{ "sha256", SHAPE_TEXT, REQUIRED, .help = "Of its content." },
	{ "size", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Bytes." },
	{ "detection", SHAPE_TEXT, REQUIRED, .help = "What was found in it." },
	{ "quarantined_at", SHAPE_TIME, REQUIRED, .help = "When." },
	{ "state", SHAPE_TEXT, REQUIRED, .help = "`held`, `restored`, `deleted`, or `too_large` to be sent to the manager." },
	{ "uploaded", SHAPE_TIME, NULLABLE, .help = "When the manager's copy was complete; null: it has none." },
	{ "stored_bytes", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Of the sealed file, how much the manager has." },
	{ "sealed_bytes", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Size of the sealed file, 0 until known." });
LIST(shape_quarantine_items, "QuarantineItems", shape_quarantine_item);

#define TOKEN_FIELDS                                                                                         \
	{ "id", SHAPE_UUID, REQUIRED, .help = "Its id." },                                                     \
	{ "name", SHAPE_TEXT, REQUIRED, .help = "What it is for." },                                           \
	{ "role", SHAPE_CHOICE, REQUIRED, .choices = shape_roles, .help = "What it may do." },                 \
	{ "created", SHAPE_TIME, REQUIRED, .help = "When it was made." },                                      \
	{ "created_by", SHAPE_TEXT, REQUIRED, .help = "By whom." },                                            \
	{ "expires", SHAPE_TIME, REQUIRED, .help = "When it ends." },                                          \
	{ "revoked", SHAPE_TIME, NULLABLE, .help = "When it was revoked." },                                   \
	{ "last_used", SHAPE_TIME, NULLABLE, .help = "When it was last used, to about a minute." }
SHAPE(shape_token, "Token", "An API token, without its secret.", TOKEN_FIELDS);
SHAPE(shape_new_token, "NewToken", "An API token just made.", TOKEN_FIELDS,
	{ "token", SHAPE_SECRET, REQUIRED, .help = "The bearer token; shown this once." });
LIST(shape_tokens, "Tokens", shape_token);

#define ENROLMENT_TOKEN_FIELDS                                                                               \
	{ "id", SHAPE_UUID, REQUIRED, .help = "Its id." },                                                     \
	{ "name", SHAPE_TEXT, REQUIRED, .help = "What it is for." },                                           \
	{ "policy", SHAPE_TEXT, REQUIRED, .help = "Policy of computers that enrol with it, empty: the default." }, \
	{ "group", SHAPE_TEXT, REQUIRED, .help = "Group of computers that enrol with it." },                   \
	{ "appliance", SHAPE_BOOLEAN, REQUIRED, .help = "Are those that enrol with it appliances?" },          \
	{ "uses_left", SHAPE_NUMBER, NULLABLE, NOTHING_OR_MORE, .help = "How many more may enrol; null: any number." }, \
	{ "created", SHAPE_TIME, REQUIRED, .help = "When it was made." },                                      \
	{ "created_by", SHAPE_TEXT, REQUIRED, .help = "By whom." },                                            \
	{ "expires", SHAPE_TIME, REQUIRED, .help = "When it ends." },                                          \
	{ "revoked", SHAPE_TIME, NULLABLE, .help = "When it was revoked." },                                   \
	{ "last_used", SHAPE_TIME, NULLABLE, .help = "When a computer last enrolled with it." }
SHAPE(shape_enrolment_token, "EnrolmentToken", "An enrolment token, without its secret.", ENROLMENT_TOKEN_FIELDS);
SHAPE(shape_new_enrolment_token, "NewEnrolmentToken", "An enrolment token just made.", ENROLMENT_TOKEN_FIELDS,
	{ "token", SHAPE_SECRET, REQUIRED, .help = "What agents enrol with; shown this once." },
	{ "ca_fingerprint", SHAPE_TEXT, REQUIRED, .help = "What agents check the manager by." });
SHAPE(shape_deployment, "Deployment", "A line that installs agents, just made.", ENROLMENT_TOKEN_FIELDS,
	{ "token", SHAPE_SECRET, REQUIRED, .help = "The enrolment token in it; shown this once." },
	{ "ca_fingerprint", SHAPE_TEXT, REQUIRED, .help = "What the line checks the manager by." },
	{ "platform", SHAPE_TEXT, REQUIRED, .help = "What there is a package for." },
	{ "agent_version", SHAPE_TEXT, REQUIRED, .help = "Which version of the agent the manager gives out now." },
	{ "form", SHAPE_CHOICE, REQUIRED, .choices = shape_deployment_forms, .help = "What it is for." },
	{ "script", SHAPE_SECRET, REQUIRED, .help = "The line, or the file's content. Holds the token." });
LIST(shape_enrolment_tokens, "EnrolmentTokens", shape_enrolment_token);

SHAPE(shape_user, "User", "A person who may sign in.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "The id." },
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Name to sign in with." },
	{ "role", SHAPE_CHOICE, REQUIRED, .choices = shape_roles, .help = "What the user may do." },
	{ "created", SHAPE_TIME, REQUIRED, .help = "When the user was made." },
	{ "last_sign_in", SHAPE_TIME, NULLABLE, .help = "Last sign-in." },
	{ "locked_until", SHAPE_TIME, NULLABLE, .help = "Locked out until then, after too many refusals." },
	{ "password", SHAPE_SECRET, 0, .help = "The password that was made; shown this once." });
LIST(shape_users, "Users", shape_user);

SHAPE(shape_setting, "Setting", "A setting kept in the database.",
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Its name." },
	{ "value", SHAPE_TEXT, REQUIRED, .help = "Its value." },
	{ "default", SHAPE_TEXT, REQUIRED, .help = "Its default." },
	{ "is_default", SHAPE_BOOLEAN, REQUIRED, .help = "Is the default in force?" },
	{ "type", SHAPE_CHOICE, REQUIRED, .choices = setting_types, .help = "What values it takes." },
	{ "help", SHAPE_TEXT, REQUIRED, .help = "What it does." });
LIST(shape_settings, "Settings", shape_setting);

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
SHAPE_STATIC(shape_machine_computer, "MachineComputer", "A computer by its name.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "Its id." },
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Its name." });
SHAPE(shape_hypervisor_machine, "HypervisorMachine", "A virtual machine.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "Its UUID." },
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Its name at the hypervisor." },
	{ "state", SHAPE_CHOICE, REQUIRED, .choices = machine_states, .help = "Its state; `shut_off` and `crashed` count as stopped." },
	{ "since", SHAPE_TIME, NULLABLE, .help = "Since when, as far as was seen." },
	{ "computers", SHAPE_OBJECTS, REQUIRED, .of = &shape_machine_computer, .help = "The computers whose agents report this UUID; several: machines that were copied with it." });
LIST(shape_hypervisor_machines, "HypervisorMachines", shape_hypervisor_machine);
SHAPE(shape_hypervisor_test, "HypervisorTest", "What came of a test.",
	{ "connected", SHAPE_BOOLEAN, REQUIRED, .help = "Did it tell its machines?" },
	{ "machines", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "How many." },
	{ "failure", SHAPE_TEXT, REQUIRED, .help = "Why not, in words." });

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

SHAPE(shape_tls_profile, "TlsProfile", "Which versions and suites of TLS go together, and for whom.",
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Its name." },
	{ "agents", SHAPE_TEXT, REQUIRED, .help = "Whom it is for." },
	{ "versions", SHAPE_TEXTS, REQUIRED, .help = "Of TLS." },
	{ "suites", SHAPE_TEXTS, REQUIRED, .help = "Of TLS 1.2 and before, best first; TLS 1.3 has its own." },
	{ "legacy", SHAPE_BOOLEAN, REQUIRED, .help = "Does it let go of what keeps connections secret?" },
	{ "fips", SHAPE_BOOLEAN, REQUIRED, .help = "Is it served by OpenSSL's FIPS provider alone?" },
	{ "enabled", SHAPE_BOOLEAN, REQUIRED, .help = "Does any of this manager's listeners accept it?" },
	{ "listeners", SHAPE_TEXTS, REQUIRED, .help = "Addresses and ports of those." },
	{ "served", SHAPE_BOOLEAN, REQUIRED, .help = "Could it: does its OpenSSL have all of it?" },
	{ "cause", SHAPE_TEXT, REQUIRED, .help = "Why not; empty if it could." });
LIST(shape_tls_profiles, "TlsProfiles", shape_tls_profile);

SHAPE(shape_server_key_request, "ServerKeyRequest", "Another server authentication key.",
	{ "roll_over", SHAPE_BOOLEAN, 0, .help = "The present key signs the next one, so that every agent follows: true if not given." },
	{ "force", SHAPE_BOOLEAN, 0, .help = "Needed without a roll-over: every agent is lost until it is repaired on its machine." });
SHAPE(shape_server_key_import, "ServerKeyImport", "A private key from elsewhere.",
	{ "key", SHAPE_SECRET, SHAPE_REQUIRED, 1, 4096, .help = "An Ed25519 key, PKCS#8 in PEM." },
	{ "force", SHAPE_BOOLEAN, 0, .help = "Over another key that is present, which then signs this one." });
SHAPE(shape_key_backup_request, "KeyBackupRequest", "A backup of the manager's keys.",
	{ "password", SHAPE_SECRET, SHAPE_REQUIRED, 8, 256, .help = "Without it nobody opens the file." });
SHAPE(shape_key_backup, "KeyBackup", "A backup of the manager's keys.",
	{ "file", SHAPE_TEXT, REQUIRED, .help = "The file, as base64." });
SHAPE(shape_key_restore_request, "KeyRestoreRequest", "A backup of the manager's keys, to be restored.",
	{ "file", SHAPE_TEXT, SHAPE_REQUIRED, 1, 100000, .help = "The file, as base64." },
	{ "password", SHAPE_SECRET, SHAPE_REQUIRED, 1, 256, .help = "With which it was made." },
	{ "force", SHAPE_BOOLEAN, 0, .help = "Over another key that is present: agents that trust that one are lost." });
SHAPE_STATIC(shape_known_key, "KnownKey", "A server authentication key that this manager has had.",
	{ "fingerprint", SHAPE_TEXT, REQUIRED, .help = "SHA-256 of the public key." },
	{ "standing", SHAPE_TEXT, REQUIRED, .help = "present; before: it leads to the present one, agents follow; mismatched: it does not." },
	{ "origin", SHAPE_TEXT, REQUIRED, .help = "created, rolled_over, imported or restored." },
	{ "created", SHAPE_TIME, REQUIRED, .help = "When this manager first had it." },
	{ "since", SHAPE_TIME, REQUIRED, .help = "When it last became the present one." },
	{ "until", SHAPE_TIME, NULLABLE, .help = "When another one did." },
	{ "backed_up", SHAPE_TIME, NULLABLE, .help = "When it was last backed up." },
	{ "made_by", SHAPE_TEXT, REQUIRED, .help = "By whom." },
	{ "agents", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Agents that said last that they trust it." });
SHAPE(shape_server_key, "ServerKey", "The key by which agents know this manager's orders.",
	{ "present", SHAPE_BOOLEAN, REQUIRED, .help = "Is it there? false: no order can be signed; restore it from its backup." },
	{ "fingerprint", SHAPE_TEXT, REQUIRED, .help = "SHA-256 of the public key." },
	{ "public_key", SHAPE_TEXT, REQUIRED, .help = "The public key in PEM, as agents take it." },
	{ "agents", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Agents that trust it." },
	{ "following", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Agents that trust one before it, and follow with their next report." },
	{ "mismatched", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Agents that trust another: they take no orders." },
	{ "keys", SHAPE_OBJECTS, REQUIRED, .of = &shape_known_key, .help = "All that there were, the latest first." });
SHAPE_STATIC(shape_mismatched_agent, "MismatchedAgent", "An agent without a valid server certificate.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "The computer." },
	{ "computer", SHAPE_TEXT, REQUIRED, .help = "Its name." },
	{ "address", SHAPE_TEXT, REQUIRED, .help = "Where it was last heard from." },
	{ "policy", SHAPE_TEXT, REQUIRED, .help = "Its policy." },
	{ "group", SHAPE_TEXT, REQUIRED, .help = "Its group." },
	{ "trusted_key_fingerprint", SHAPE_TEXT, REQUIRED, .help = "The key that it trusts." },
	{ "since", SHAPE_TIME, NULLABLE, .help = "Since when it trusts that one; null: since before it was noted." },
	{ "last_contact", SHAPE_TIME, NULLABLE, .help = "When it last reported." });
LIST(shape_mismatched_agents, "MismatchedAgents", shape_mismatched_agent);

static const char *const port_states[] = { "not tried", "off", "listening", "not listening", "reachable", "unreachable", NULL };
SHAPE(shape_port, "Port", "A port on which somebody listens for somebody.",
	{ "from", SHAPE_TEXT, REQUIRED, .help = "Who connects." },
	{ "to", SHAPE_TEXT, REQUIRED, .help = "To whom." },
	{ "name", SHAPE_TEXT, NULLABLE, .help = "Of the destination or hypervisor." },
	{ "protocol", SHAPE_TEXT, REQUIRED, .help = "What is spoken." },
	{ "address", SHAPE_TEXT, NULLABLE, .help = "Where; null: at each agent's own address, or nowhere." },
	{ "port", SHAPE_NUMBER, NULLABLE, 1, 65535, .help = "Its number." },
	{ "purpose", SHAPE_TEXT, REQUIRED, .help = "What for." },
	{ "setting", SHAPE_TEXT, REQUIRED, .help = "Which setting, or which command, decides it." },
	{ "state", SHAPE_CHOICE, REQUIRED, .choices = port_states, .help = "How it stands; `off`: by the settings." },
	{ "detail", SHAPE_TEXT, REQUIRED, .help = "Why it is not reachable, or what else there is to know; may be empty." });
LIST(shape_ports, "Ports", shape_port);

SHAPE(shape_policy_setting, "PolicySetting", "A setting that policies and computers may hold.",
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Its name." },
	{ "type", SHAPE_CHOICE, REQUIRED, .choices = policy_setting_types, .help = "What values it takes." },
	{ "default", SHAPE_TEXT, REQUIRED, .help = "Its value where nobody sets it." },
	{ "allowed", SHAPE_TEXT, REQUIRED, .help = "What is allowed, in words." },
	{ "choices", SHAPE_TEXTS, REQUIRED, .help = "The words of a choice, or values to offer; empty for none." },
	{ "unit", SHAPE_TEXT, REQUIRED, .help = "Unit of plain numbers, empty for none." },
	{ "applied_by", SHAPE_TEXT, REQUIRED, .help = "Which parts apply it." },
	{ "restart", SHAPE_BOOLEAN, REQUIRED, .help = "Does it take effect when that part starts again; else at once." },
	{ "help", SHAPE_TEXT, REQUIRED, .help = "What it does, in English." },
	{ "help_ja", SHAPE_TEXT, REQUIRED, .help = "What it does, in Japanese." });
LIST(shape_policy_settings, "PolicySettings", shape_policy_setting);

SHAPE_STATIC(shape_effective_setting, "EffectiveSetting", "A setting's value and where it comes from.",
	{ "name", SHAPE_TEXT, REQUIRED, .help = "The setting." },
	{ "value", SHAPE_TEXT, REQUIRED, .help = "Its value." },
	{ "origin", SHAPE_TEXT, REQUIRED, .help = "Name of the policy that sets it, `computer`, `default`, `appliance` (what an appliance is bound to), or `network` and the name of the network that it is in." },
	{ "origin_kind", SHAPE_CHOICE, REQUIRED, .choices = origin_kinds, .help = "What the origin is." },
	{ "own", SHAPE_BOOLEAN, REQUIRED, .help = "Is it set right here? Else it is inherited." },
	{ "inherited", SHAPE_TEXT, REQUIRED, .help = "The value that it would have if it were not set here." });
SHAPE(shape_effective_settings, "EffectiveSettings", "A computer's settings.",
	{ "computer", SHAPE_UUID, REQUIRED, .help = "The computer." },
	{ "policy", SHAPE_TEXT, REQUIRED, .help = "Its policy." },
	{ "version", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Grows with each change of its own settings or policy; also the ETag." },
	{ "fingerprint", SHAPE_TEXT, REQUIRED, .help = "SHA-256 of what its agent should have." },
	{ "items", SHAPE_OBJECTS, REQUIRED, .of = &shape_effective_setting, .help = "Every setting; in a network that the manager cannot reach also `network.offline_after`, which counts in place of lost heartbeats." });

SHAPE(shape_policy, "Policy", "A policy.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "Its id." },
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Its name." },
	{ "parent", SHAPE_TEXT, NULLABLE, .help = "Name of the policy above it; null: the base policy." },
	{ "parent_id", SHAPE_UUID, NULLABLE, .help = "That policy's id." },
	{ "depth", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Levels below the base policy." },
	{ "children", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Policies right below it." },
	{ "overrides", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Settings that it sets itself." },
	{ "computers", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Computers right below it." },
	{ "pending", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Of them those not told of their configuration yet." },
	{ "sent", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Of them those told, not confirmed yet." },
	{ "applied", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Of them those that have it in force." },
	{ "failed", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Of them those that could not apply it." },
	{ "version", SHAPE_NUMBER, 0, NOTHING_OR_MORE, .help = "Grows with each change of the policy itself; also the ETag. Not in lists." },
	{ "settings", SHAPE_OBJECTS, 0, .of = &shape_effective_setting, .help = "Every setting. Not in lists." });
LIST(shape_policies, "Policies", shape_policy);

SHAPE(shape_override, "Override", "A value that a policy or computer sets itself.",
	{ "kind", SHAPE_CHOICE, REQUIRED, .choices = override_kinds, .help = "Who sets it." },
	{ "id", SHAPE_UUID, REQUIRED, .help = "Id of the policy or computer." },
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Its name." },
	{ "setting", SHAPE_TEXT, REQUIRED, .help = "The setting." },
	{ "value", SHAPE_TEXT, REQUIRED, .help = "The value." });
LIST(shape_overrides, "Overrides", shape_override);

SHAPE_STATIC(shape_difference, "Difference", "A setting that two come to differently.",
	{ "name", SHAPE_TEXT, REQUIRED, .help = "The setting." },
	{ "a", SHAPE_TEXT, REQUIRED, .help = "One's value." },
	{ "a_origin", SHAPE_TEXT, REQUIRED, .help = "Where it comes from." },
	{ "b", SHAPE_TEXT, REQUIRED, .help = "The other's value." },
	{ "b_origin", SHAPE_TEXT, REQUIRED, .help = "Where it comes from." });
LIST(shape_differences, "Differences", shape_difference);

SHAPE_STATIC(shape_value_change, "ValueChange", "One thing that changed.",
	{ "name", SHAPE_TEXT, REQUIRED, .help = "A setting, `name`, `parent` or `policy`." },
	{ "old", SHAPE_TEXT, NULLABLE, .help = "What it was; null: inherited, or not there." },
	{ "new", SHAPE_TEXT, NULLABLE, .help = "What it is; null: inherited, or not there any more." });
SHAPE_STATIC(shape_policy_changed, "PolicyChanged", "What changes of one policy.",
	{ "subject", SHAPE_UUID, REQUIRED, .help = "The policy's id." },
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Its name." },
	{ "action", SHAPE_TEXT, REQUIRED, .help = "`create` or `change`." },
	{ "changes", SHAPE_OBJECTS, REQUIRED, .of = &shape_value_change, .help = "What." });
SHAPE(shape_policy_result, "PolicyResult", "What changes, and for how many.",
	{ "dry_run", SHAPE_BOOLEAN, REQUIRED, .help = "Nothing was done: this is what would be." },
	{ "affected", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Computers for which something changes." },
	{ "contacted", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Of them those whose agent gets another configuration." },
	{ "changes", SHAPE_OBJECTS, REQUIRED, .of = &shape_policy_changed, .help = "What changes; empty: nothing." });

SHAPE_STATIC(shape_policy_history_entry, "PolicyHistoryEntry", "A change of before.",
	{ "version", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "The version that came of it." },
	{ "time", SHAPE_TIME, REQUIRED, .help = "When." },
	{ "actor", SHAPE_TEXT, REQUIRED, .help = "Who." },
	{ "actor_kind", SHAPE_TEXT, REQUIRED, .help = "`user`, `token` or `system`." },
	{ "action", SHAPE_TEXT, REQUIRED, .help = "`create`, `change`, `delete`, `revert` or `restore`." },
	{ "name", SHAPE_TEXT, REQUIRED, .help = "The name it had then." },
	{ "changes", SHAPE_OBJECTS, REQUIRED, .of = &shape_value_change, .help = "What changed." });
LIST(shape_policy_history, "PolicyHistory", shape_policy_history_entry);

SHAPE_STATIC(shape_policy_deleted_entry, "DeletedPolicy", "A policy that was deleted and can be restored.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "Its id." },
	{ "name", SHAPE_TEXT, REQUIRED, .help = "The name it had." },
	{ "parent", SHAPE_TEXT, NULLABLE, .help = "The policy that it stood below." },
	{ "overrides", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "How many settings it set itself." },
	{ "version", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "That of its deletion." },
	{ "deleted", SHAPE_TIME, REQUIRED, .help = "When." },
	{ "deleted_by", SHAPE_TEXT, REQUIRED, .help = "By whom." });
LIST(shape_policies_deleted, "DeletedPolicies", shape_policy_deleted_entry);

SHAPE(shape_audit_entry, "AuditEntry", "Who did what.",
	{ "number", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "1, 2, … without gaps." },
	{ "time", SHAPE_TIME, REQUIRED, .help = "When." },
	{ "actor_kind", SHAPE_TEXT, REQUIRED, .help = "`user`, `token` or `system`." },
	{ "actor", SHAPE_TEXT, REQUIRED, .help = "Who." },
	{ "actor_id", SHAPE_UUID, NULLABLE, .help = "The user's or token's id." },
	{ "source", SHAPE_TEXT, REQUIRED, .help = "Address it came from, empty for none." },
	{ "action", SHAPE_TEXT, REQUIRED, .help = "What, such as `token.create`." },
	{ "object", SHAPE_TEXT, REQUIRED, .help = "To what: an id or a name." },
	{ "detail", SHAPE_TEXT, REQUIRED, .help = "More, as JSON or empty." },
	{ "outcome", SHAPE_TEXT, REQUIRED, .help = "`done`, or the name of an error." },
	{ "chain", SHAPE_TEXT, REQUIRED, .help = "SHA-256 over the entry before and this one." });
LIST(shape_audit, "Audit", shape_audit_entry);

SHAPE(shape_event_type, "EventType", "A type of events, and what is done with them.",
	{ "type_id", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Its number; never reused." },
	{ "type", SHAPE_TEXT, REQUIRED, .help = "Its name." },
	{ "origin", SHAPE_CHOICE, REQUIRED, .choices = event_origins, .help = "Who makes them." },
	{ "severity", SHAPE_CHOICE, REQUIRED, .choices = shape_severities, .help = "How severe they are." },
	{ "record", SHAPE_BOOLEAN, REQUIRED, .help = "Are they stored?" },
	{ "forward", SHAPE_BOOLEAN, REQUIRED, .help = "Are they handed on (syslog)?" },
	{ "is_default", SHAPE_BOOLEAN, REQUIRED, .help = "Is all of that as it comes?" },
	{ "text", SHAPE_TEXT, REQUIRED, .help = "The sentence; {field} stands for a field's value." },
	{ "text_ja", SHAPE_TEXT, REQUIRED, .help = "The sentence in Japanese." },
	{ "fields", SHAPE_TEXTS, REQUIRED, .help = "Names of the fields." });
LIST(shape_event_types, "EventTypes", shape_event_type);

SHAPE_STATIC(shape_alert_computer, "AlertComputer", "A computer that an alert is about.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "Its id." },
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Its name." });

SHAPE_STATIC(shape_alert_change, "AlertChange", "A change of an alert.",
	{ "change", SHAPE_CHOICE, REQUIRED, .choices = alert_changes, .help = "What changed." },
	{ "time", SHAPE_TIME, REQUIRED, .help = "When." },
	{ "by", SHAPE_TEXT, REQUIRED, .help = "By whom: a user, a token or the manager." },
	{ "reason", SHAPE_TEXT, REQUIRED, .help = "Why, where there is a reason of its own." });

#define ALERT_FIELDS                                                                                         \
	{ "id", SHAPE_UUID, REQUIRED, .help = "Its id." },                                                     \
	{ "type", SHAPE_TEXT, REQUIRED, .help = "Its type, such as `computer_offline`." },                     \
	{ "computer", SHAPE_UUID, NULLABLE, .help = "The computer it is about; null: the manager itself." },   \
	{ "computer_name", SHAPE_TEXT, NULLABLE, .help = "That computer's name." },                            \
	{ "subject", SHAPE_TEXT, REQUIRED, .help = "What of it, by type: a component, a file, a user." },      \
	{ "detail", SHAPE_TEXT, REQUIRED, .help = "The cause." },                                              \
	{ "severity", SHAPE_CHOICE, REQUIRED, .choices = alert_severities, .help = "How severe." },            \
	{ "state", SHAPE_CHOICE, REQUIRED, .choices = alert_states, .help = "Open, or how it ended." },        \
	{ "raised", SHAPE_TIME, REQUIRED, .help = "When it first was so." },                                   \
	{ "resolved", SHAPE_TIME, NULLABLE, .help = "When it ended; null: it is open." },                      \
	{ "dismissed_by", SHAPE_TEXT, NULLABLE, .help = "Who ended it; null: nobody." },                       \
	{ "dismissible", SHAPE_BOOLEAN, REQUIRED, .help = "May a person end it?" },                            \
	{ "title", SHAPE_TEXT, REQUIRED, .help = "Its type in words." },                                       \
	{ "title_ja", SHAPE_TEXT, REQUIRED, .help = "The same in Japanese." },                                 \
	{ "text", SHAPE_TEXT, REQUIRED, .help = "The sentence." },                                             \
	{ "text_ja", SHAPE_TEXT, REQUIRED, .help = "The same in Japanese." }
SHAPE(shape_alert, "Alert", "Something that deserves a person's attention.", ALERT_FIELDS);
LIST(shape_alerts, "Alerts", shape_alert);
SHAPE(shape_alert_shown, "AlertShown", "An alert with its history.", ALERT_FIELDS,
	{ "computers", SHAPE_OBJECTS, REQUIRED, .of = &shape_alert_computer, .help = "Computers with an open alert of this type, the first five." },
	{ "computers_more", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "How many more there are." },
	{ "history", SHAPE_OBJECTS, REQUIRED, .of = &shape_alert_change, .help = "Its changes, newest first." });

SHAPE(shape_alert_line, "AlertLine", "All open alerts of a type.",
	{ "type", SHAPE_TEXT, REQUIRED, .help = "The type." },
	{ "severity", SHAPE_CHOICE, REQUIRED, .choices = alert_severities, .help = "How severe." },
	{ "alerts", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "How many are open." },
	{ "raised", SHAPE_TIME, REQUIRED, .help = "When the first of them was raised." },
	{ "computers", SHAPE_OBJECTS, REQUIRED, .of = &shape_alert_computer, .help = "Whom they are about, the first five." },
	{ "computers_more", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "How many more computers." },
	{ "text", SHAPE_TEXT, REQUIRED, .help = "All that in words." },
	{ "text_ja", SHAPE_TEXT, REQUIRED, .help = "The same in Japanese." });
LIST(shape_alert_lines, "AlertLines", shape_alert_line);

SHAPE(shape_alert_type, "AlertType", "A type of alerts.",
	{ "type", SHAPE_TEXT, REQUIRED, .help = "Its name." },
	{ "title", SHAPE_TEXT, REQUIRED, .help = "What it is." },
	{ "title_ja", SHAPE_TEXT, REQUIRED, .help = "The same in Japanese." },
	{ "text", SHAPE_TEXT, REQUIRED, .help = "Its sentence; {computer}, {subject} and {detail} stand for values." },
	{ "text_ja", SHAPE_TEXT, REQUIRED, .help = "The same in Japanese." },
	{ "enabled", SHAPE_BOOLEAN, REQUIRED, .help = "Are alerts of this type raised?" },
	{ "severity", SHAPE_CHOICE, REQUIRED, .choices = alert_severities, .help = "How severe they are." },
	{ "default_severity", SHAPE_CHOICE, REQUIRED, .choices = alert_severities, .help = "Unless somebody sets it." },
	{ "is_default", SHAPE_BOOLEAN, REQUIRED, .help = "Is all of that as it comes?" },
	{ "dismissible", SHAPE_BOOLEAN, REQUIRED, .help = "May a person end them?" },
	{ "resolves", SHAPE_BOOLEAN, REQUIRED, .help = "Do they end by themselves?" },
	{ "subject", SHAPE_TEXT, NULLABLE, .help = "What tells several of one computer apart; null: one at a time." });
LIST(shape_alert_types, "AlertTypes", shape_alert_type);

SHAPE(shape_system, "System", "The manager itself.",
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Its name." },
	{ "version", SHAPE_TEXT, REQUIRED, .help = "Its version." },
	{ "url", SHAPE_TEXT, REQUIRED, .help = "Where agents and people reach it." },
	{ "ca_fingerprint", SHAPE_TEXT, REQUIRED, .help = "SHA-256 of its CA certificate." },
	{ "server_authentication_fingerprint", SHAPE_TEXT, REQUIRED, .help = "SHA-256 of its server authentication key." },
	{ "server_authentication_present", SHAPE_BOOLEAN, REQUIRED, .help = "Is that key there? false: no order can be signed." },
	{ "agents_without_valid_certificate", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Agents that trust another key (GET /server-key/mismatched)." },
	{ "agent_port", SHAPE_NUMBER, REQUIRED, 0, 65535, .help = "Where agents listen unless told otherwise." },
	{ "tls_profiles", SHAPE_TEXTS, REQUIRED, .help = "TLS profiles that any of its listeners accepts." },
	{ "legacy_tls", SHAPE_BOOLEAN, REQUIRED, .help = "Is a legacy one among them?" },
	{ "started", SHAPE_TIME, REQUIRED, .help = "When it started." },
	{ "time", SHAPE_TIME, REQUIRED, .help = "Its clock." },
	{ "computers", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Computers known." },
	{ "online", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Of them online." },
	{ "offline", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Of them offline." },
	{ "vm_stopped", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Of them virtual machines that are shut off." },
	{ "unknown", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Of them not heard yet, since they were added or the manager started." },
	{ "connected", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Held connections of agents." },
	{ "connections_max", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Connections it takes at most." },
	{ "open_files_limit", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Descriptors the system lets it have." },
	{ "commands_open", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Commands that have not ended." },
	{ "quarantine_bytes", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Bytes of quarantined files here." },
	{ "quarantine_capacity_bytes", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Room for them." });

SHAPE(shape_health, "Health", "Able to serve?",
	{ "status", SHAPE_TEXT, REQUIRED, .help = "`ok`, or the reason." });

SHAPE_STATIC(shape_fault, "Fault", "One thing that was wrong.",
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Which parameter or member, such as `paths[2]`." },
	{ "reason", SHAPE_TEXT, REQUIRED, .help = "What is wrong with it." });

SHAPE(shape_problem, "Problem", "What went wrong (RFC 9457).",
	{ "type", SHAPE_TEXT, REQUIRED, .help = "`about:blank`, or `urn:muster:problem:` and a stable name." },
	{ "title", SHAPE_TEXT, REQUIRED, .help = "In few words." },
	{ "status", SHAPE_NUMBER, REQUIRED, 400, 599, .help = "The HTTP status." },
	{ "detail", SHAPE_TEXT, 0, .help = "What was wrong here, and what to do." },
	{ "errors", SHAPE_OBJECTS, 0, .of = &shape_fault, .help = "Each fault." });
/* clang-format on */

const struct shape *const shapes_documented[] = {
	&shape_sign_in,
	&shape_command_request,
	&shape_commands_request,
	&shape_restore_request,
	&shape_token_request,
	&shape_enrolment_token_request,
	&shape_deployment_request,
	&shape_user_request,
	&shape_password_request,
	&shape_settings_request,
	&shape_event_type_request,
	&shape_verification_request,
	&shape_alert_type_request,
	&shape_destination_request,
	&shape_destination_change,
	&shape_hypervisor_request,
	&shape_hypervisor_change,
	&shape_nothing,
	&shape_session,
	&shape_principal,
	&shape_component,
	&shape_computer_machine,
	&shape_computer,
	&shape_computers,
	&shape_verification,
	&shape_verifications,
	&shape_verification_result,
	&shape_verification_results,
	&shape_command,
	&shape_commands,
	&shape_issued,
	&shape_issued_commands,
	&shape_event,
	&shape_events,
	&shape_event_type,
	&shape_event_types,
	&shape_alert_computer,
	&shape_alert_change,
	&shape_alert,
	&shape_alerts,
	&shape_alert_shown,
	&shape_alert_line,
	&shape_alert_lines,
	&shape_alert_type,
	&shape_alert_types,
	&shape_quarantine_item,
	&shape_quarantine_items,
	&shape_token,
	&shape_tokens,
	&shape_new_token,
	&shape_enrolment_token,
	&shape_enrolment_tokens,
	&shape_new_enrolment_token,
	&shape_deployment,
	&shape_user,
	&shape_users,
	&shape_setting,
	&shape_settings,
	&shape_destination,
	&shape_destinations,
	&shape_destination_test,
	&shape_hypervisor,
	&shape_hypervisors,
	&shape_machine_computer,
	&shape_hypervisor_machine,
	&shape_hypervisor_machines,
	&shape_hypervisor_test,

	&shape_network_request,
	&shape_network_change,
	&shape_network,
	&shape_networks,
	&shape_tls_profile,
	&shape_tls_profiles,
	&shape_server_key_request,
	&shape_server_key_import,
	&shape_key_backup_request,
	&shape_key_backup,
	&shape_key_restore_request,
	&shape_known_key,
	&shape_server_key,
	&shape_mismatched_agent,
	&shape_mismatched_agents,
	&shape_port,
	&shape_ports,
	&shape_policy_request,
	&shape_policy_change_request,
	&shape_policy_restore_request,
	&shape_policy_apply_request,
	&shape_computer_request,
	&shape_dial_address_request,
	&shape_computer_change_request,
	&shape_revert_request,
	&shape_policy_setting,
	&shape_policy_settings,
	&shape_effective_setting,
	&shape_effective_settings,
	&shape_policy,
	&shape_policies,
	&shape_override,
	&shape_overrides,
	&shape_difference,
	&shape_differences,
	&shape_value_change,
	&shape_policy_changed,
	&shape_policy_result,
	&shape_policy_history_entry,
	&shape_policy_history,
	&shape_policy_deleted_entry,
	&shape_policies_deleted,
	&shape_audit_entry,
	&shape_audit,
	&shape_system,
	&shape_health,
	&shape_fault,
	&shape_problem,
	NULL,
};
