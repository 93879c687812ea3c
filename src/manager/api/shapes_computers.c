/* Tables only. Computers, what they are told to do, and whether they are there. */
#include "manager/api/shapes.h"

#include "manager/api/shape_rows.h"
#include "manager/front/front_network.h"

/* clang-format off */
/* --- computers --- */

SHAPE(shape_computers_query, "ComputersQuery", "Which computers.",
	{ "state", SHAPE_TEXT, 0, 1, 64, .help = "Only those of this status (`online`, `offline`, …)." },
	{ "name", SHAPE_NAME, .max = 255, .help = "Only those of this name, in any case; `*` and `?` stand for any text and any character." },
	{ "group", SHAPE_NAME, .max = 255, .help = "Only those of this group." },
	{ "policy", SHAPE_NAME, .max = 255, .help = "Only those with this policy." },
	PAGING);

SHAPE(shape_computer_request, "ComputerRequest", "A computer that is known and has no agent yet.",
	{ "name", SHAPE_NAME, REQUIRED, .max = 255, .help = "The name under which its agent activates." },
	{ "policy", SHAPE_NAME, .max = 255, .help = "Its policy; that of the setting enrolment.policy if not given." },
	{ "group", SHAPE_NAME, .max = 255, .help = "Its group." },
	{ "dial_address", SHAPE_TEXT, 0, 0, 253, .help = "Where its agent may be dialled." });

SHAPE(shape_activation_request, "ActivationRequest", "An agent that waits to be activated (`muster-agent prepare`).",
	{ "host", SHAPE_NAME, REQUIRED, .max = 253, .help = "Host name or address where it listens." },
	{ "port", SHAPE_NUMBER, 0, 1, 65535, .help = "Its port; that of the manager's agents if not given." },
	{ "name", SHAPE_NAME, .max = 255, .help = "The computer's name; its host name if not given." },
	{ "policy", SHAPE_NAME, .max = 255, .help = "Its policy; that of the setting enrolment.policy if not given." },
	{ "group", SHAPE_NAME, .max = 255, .help = "Its group." },
	{ "url", SHAPE_TEXT, 0, 1, 300, .help = "https://HOST:PORT by which the agent reaches the manager, where that is not the manager's own; a name that its certificate has." });
SHAPE(shape_dial_address_request, "DialAddressRequest", "Where the manager dials a computer.",
	{ "dial_address", SHAPE_NAME, REQUIRED | SHAPE_NULLABLE, .max = 253, .help = "Host name or address to dial; null: as the agent reports." });

SHAPE(shape_component, "Component", "State of one protection component.",
	{ "name", SHAPE_TEXT, REQUIRED, .help = "`link`, `guard`, `scan`." },
	{ "state", SHAPE_TEXT, REQUIRED, .help = "`working`, `idle`, `degraded` or `failed`." },
	{ "version", SHAPE_TEXT, REQUIRED, .help = "Its version." },
	{ "detail", SHAPE_TEXT, REQUIRED, .help = "In words, when it does not work." },
	{ "facts", SHAPE_TEXT_MAP, REQUIRED, .help = "What it tells of itself." });

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
	{ "enrolled", SHAPE_TIME, REQUIRED, .help = "When it was activated." },
	{ "back_within_s", SHAPE_NUMBER, 0, NOTHING_OR_MORE, .help = "Only in the answer to `reactivate`: its agent, which keeps away after it was refused, asks again within so many seconds; where it can be dialled it is, at once." });
LIST(shape_computers, "Computers", shape_computer);

/* --- verifications --- */

static const char *const verification_outcomes[] = { "answered", "silent", "away", NULL };

SHAPE(shape_verification_request, "VerificationRequest", "Whose connection is to be verified: either of the two.",
	{ "computers", SHAPE_UUIDS, 0, 1, FRONT_COMMANDS_MAX, .help = "These; an id that is given twice counts once." },
	{ "all", SHAPE_BOOLEAN, .help = "All computers." });

SHAPE(shape_verification_results_query, "VerificationResultsQuery", "Which results; by the computer's name.",
	{ "outcome", SHAPE_CHOICE, .choices = verification_outcomes, .help = "Only those with this outcome." },
	PAGING);

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

/* --- commands --- */

const char *const shape_command_kinds[] = { "scan", "pause", "resume", "cancel", "heartbeat", "restore", "delete", "move", NULL };
const char *const shape_command_states[] = { "pending", "sent", "running", "succeeded", "failed", "cancelled",
					     "timed_out", NULL };
static const char *const shape_command_kinds_for_many[] = { "scan", "heartbeat", "move", NULL };

SHAPE(shape_commands_query, "CommandsQuery", "Which commands; newest first.",
	{ "computer", SHAPE_UUID, .help = "Only those for this computer." },
	{ "state", SHAPE_CHOICE, .choices = shape_command_states, .help = "Only those in this state." },
	{ "kind", SHAPE_CHOICE, .choices = shape_command_kinds, .help = "Only those of this kind." },
	{ "since", SHAPE_TIME, .help = "Only those issued at or after this moment." },
	PAGING);

#define MOVE_MEMBERS                                                                                         \
	{ "manager", SHAPE_TEXT, 0, 1, 255, .help = "move: https://HOST:PORT of the other manager. Administrators alone may move computers." }, \
	{ "token", SHAPE_SECRET, 0, 1, 128, .help = "move: an enrolment token of the other manager; absent: none, and its setting enrolment.without_token says whether it lets the computer in." },        \
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

SHAPE(shape_issued, "Issued", "A command and whose it is.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "The command's id." },
	{ "computer", SHAPE_UUID, REQUIRED, .help = "Who is to do it." });

SHAPE(shape_issued_commands, "IssuedCommands", "What became of one command for several computers.",
	{ "items", SHAPE_OBJECTS, REQUIRED, .of = &shape_issued, .help = "The commands, in the order in which computers were named." },
	{ "left_out", SHAPE_UUIDS, REQUIRED, .help = "Computers that are not there, or have too many commands open." });
/* clang-format on */
