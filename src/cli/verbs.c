/* Rows only: nouns, verbs, their arguments and options, and what help says of them. */
#include "cli/verbs.h"

#include "base/units.h"

#define SEVERITIES "info warning error"
#define ROLES      "viewer operator administrator auditor"
#define STATES     "pending sent running succeeded failed cancelled timed_out"
#define MANY       CLI_ARGUMENTS_MAX

/* clang-format off */
#define OPTIONS(symbol, ...) static const struct cli_option symbol[] = { __VA_ARGS__, { 0 } }
#define LIMIT    { "limit", "N", "Show at most N entries; all if not given.", NULL }
#define SINCE    { "since", "T", "Only since T: a moment such as 2026-11-21T08:00:00Z, or a duration back from now such as 2h.", NULL }
#define COMPUTER { "computer", "COMPUTER", "Only of this computer (its id, or its name if no other has it).", NULL }
#define WATCH    { "watch", NULL, "Follow it to its end and exit by its result.", NULL }
#define YES      { "yes", NULL, "Do not ask.", NULL }
#define ENROLMENT { "enrolment", NULL, "Enrolment tokens, which agents activate with, in place of API tokens.", NULL }

OPTIONS(global_options,
	{ "server", "URL", "The manager, https://HOST:PORT. Also MUSTER_SERVER, or as signed in.", NULL },
	{ "ca", "FILE", "The manager's CA certificate (PEM). Also MUSTER_CA, or as signed in.", NULL },
	{ "token", "T", "API token. Also MUSTER_TOKEN, or as signed in. Others on this machine can see arguments: the variable is safer.", NULL },
	{ "o", "FORMAT", "Output: table, json or csv.", "table json csv" },
	{ "help", NULL, "Help on the program, a noun or a verb.", NULL },
	{ "version", NULL, "The version.", NULL });
OPTIONS(login_options,
	{ "ca-fingerprint", "SHA256", "Fetch the manager's CA certificate from it, believe it only if it has this fingerprint (muster-manager init printed it), and keep it. In place of --ca.", NULL },
	{ "user", "NAME", "Who signs in; asked for if not given.", NULL },
	{ "password-file", "FILE", "Read the password from a file's first line, - for standard input; asked for if not given.", NULL });
OPTIONS(computer_list_options,
	{ "state", "S", "Only those of this status, such as online.", "online offline vm_stopped unknown" },
	{ "name", "PATTERN", "Only those whose name fits; * and ? stand for any text and any character.", NULL },
	{ "group", "G", "Only those of this group.", NULL },
	{ "policy", "P", "Only those with this policy.", NULL },
	LIMIT);
OPTIONS(scan_options,
	{ "exclude", "PATH", "Leave this path out; may be given several times.", NULL },
	{ "timeout", "D", "End as timed out after this, such as 2h.", NULL },
	WATCH);
OPTIONS(watch_options, WATCH);
OPTIONS(verify_options,
	{ "all", NULL, "All computers.", NULL },
	{ "outcome", "O", "Show only those with this outcome.", "answered silent away" });
OPTIONS(ports_options,
	{ "check", NULL, "Have the manager connect to each.", NULL });
OPTIONS(delete_options, YES);
OPTIONS(force_options, { "force", NULL, "Over a file that is there.", NULL });
OPTIONS(cert_import_options, { "force", NULL, "Over another key that is present, which signs this one: agents follow.", NULL });
OPTIONS(cert_create_options,
	{ "no-roll-over", NULL, "No succession: no agent follows. With --force.", NULL },
	{ "force", NULL, "Yes, every agent is to be lost until it is repaired on its machine.", NULL });
OPTIONS(cert_backup_options,
	{ "password-file", "FILE", "Read the password from a file's first line, - for standard input; asked for if not given.", NULL },
	{ "force", NULL, "Over a file that is there.", NULL });
OPTIONS(cert_restore_options,
	{ "password-file", "FILE", "Read the password from a file's first line, - for standard input; asked for if not given.", NULL },
	{ "force", NULL, "Over another key that is present; from before the CA that issued last.", NULL });
OPTIONS(cert_rewrite_options,
	{ "force", NULL, "Also where somebody has put another file, which is kept as NAME.replaced.", NULL });
OPTIONS(cert_list_options,
	{ "l", "FILE", "Write all of them as CSV to a file; - is standard output.", NULL },
	LIMIT);
OPTIONS(command_list_options, COMPUTER,
	{ "state", "S", "Only those in this state.", STATES },
	{ "kind", "K", "Only those of this kind.", "scan pause resume cancel heartbeat restore delete move" },
	SINCE, LIMIT);
OPTIONS(event_list_options, COMPUTER,
	{ "type", "NUMBER", "Only events of this type.", NULL },
	{ "severity", "S", "Only events of this severity.", SEVERITIES },
	SINCE,
	{ "until", "T", "Only before T, as with --since.", NULL },
	LIMIT);
OPTIONS(event_tail_options, COMPUTER,
	{ "type", "NUMBER", "Only events of this type.", NULL },
	{ "severity", "S", "Only events of this severity.", SEVERITIES },
	{ "limit", "N", "End after N events.", NULL });
OPTIONS(alert_list_options,
	{ "state", "S", "Only those in this state.", "open resolved dismissed" },
	{ "type", "TYPE", "Only those of this type, such as computer_offline.", NULL },
	{ "severity", "S", "Only those of this severity.", "warning critical" },
	COMPUTER, SINCE, LIMIT);
OPTIONS(quarantine_list_options, COMPUTER,
	{ "state", "S", "Only those in this state.", "held restored deleted too_large" },
	SINCE, LIMIT);
#define DESTINATION_OPTIONS                                                                                  \
	{ "content", "WHAT", "What is sent: events of the types that are forwarded, or changes of alerts. If not given events to syslog, alerts to the others.", "events alerts" }, \
	{ "severity", "S", "events: nothing less severe is sent.", SEVERITIES },                                       \
	{ "format", "F", "syslog: how an event is written; cef if not given.", "cef json" },                   \
	{ "facility", "F", "syslog: the facility; local0 if not given.", "user daemon auth authpriv local0 local1 local2 local3 local4 local5 local6 local7" }, \
	{ "from", "ADDRESS", "mail: the sender.", NULL },                                                       \
	{ "to", "ADDRESS", "mail: an address; may be given several times.", NULL },                            \
	{ "user", "NAME", "mail: whom to sign in as at the mail server.", NULL },                              \
	{ "password-file", "FILE", "mail: read the password from a file's first line, - for standard input.", NULL }, \
	{ "secret-file", "FILE", "webhook: read from a file's first line what the content is signed with (HMAC-SHA256, header Muster-Signature).", NULL }, \
	{ "authority", "FILE", "PEM of the authority to trust instead of the system's.", NULL }
OPTIONS(destination_list_options, LIMIT);
OPTIONS(destination_create_options, DESTINATION_OPTIONS);
OPTIONS(destination_set_options,
	{ "name", "NAME", "A new name.", NULL },
	{ "url", "URL", "A new URL.", NULL },
	{ "enable", NULL, "Send again.", NULL },
	{ "disable", NULL, "Send nothing for now; what happens meanwhile is sent when enabled again, as far as it is kept.", NULL },
	DESTINATION_OPTIONS);
OPTIONS(hypervisor_list_options, LIMIT);
OPTIONS(hypervisor_set_options,
	{ "name", "NAME", "A new name.", NULL },
	{ "uri", "URI", "A new URI.", NULL },
	{ "enable", NULL, "Ask it again.", NULL },
	{ "disable", NULL, "Do not ask it for now: nothing is known of its machines.", NULL });
OPTIONS(hypervisor_machines_options,
	{ "unmatched", NULL, "Only those that are no computer of ours.", NULL });
OPTIONS(restore_options,
	{ "overwrite", NULL, "Replace a file that is at the path again.", NULL },
	WATCH);
OPTIONS(quarantine_delete_options, YES, WATCH);
OPTIONS(download_options,
	{ "file", "FILE", "Where to write; ITEM.zip if not given, - for standard output.", NULL },
	{ "password", "P", "Password of the archive; infected if not given.", NULL },
	{ "force", NULL, "Replace an existing file.", NULL });
OPTIONS(token_create_options, ENROLMENT,
	{ "name", "NAME", "What it is for; appears in the audit log.", NULL },
	{ "role", "R", "What it may do (API tokens).", ROLES },
	{ "policy", "P", "Policy of computers that enrol with it.", NULL },
	{ "group", "G", "Group of computers that enrol with it.", NULL },
	{ "appliance", NULL, "Computers that enrol with it are appliances, which are only bidirectional.", NULL },
	{ "uses", "N", "How many computers may enrol with it; any number if not given.", NULL },
	{ "expires", "D", "When it ends: a duration such as 7d, or a moment; 24h if not given.", NULL });
OPTIONS(computer_move_options,
	{ "group", "G", "All computers of this group.", NULL },
	{ "manager", "HOST:PORT", "The other manager.", NULL },
	{ "enrolment-token", "T", "An enrolment token of the other manager (muster token create --enrolment there); not needed where its setting enrolment.without_token lets the computer in.", NULL },
	{ "ca-fingerprint", "SHA256", "Fingerprint of the other manager's certificate authority.", NULL },
	{ "watch", NULL, "Follow each to its end, and exit by the result; not for a group or a pattern.", NULL });
OPTIONS(computer_add_options,
	{ "policy", "P", "Its policy; that of the setting enrolment.policy if not given.", NULL },
	{ "group", "G", "Its group.", NULL },
	{ "address", "HOST", "Where its agent may be dialled, and may come from without a token (setting enrolment.without_token).", NULL });
OPTIONS(computer_activate_options,
	{ "name", "NAME", "The computer's name; its host name if not given.", NULL },
	{ "policy", "P", "Its policy; that of the setting enrolment.policy if not given.", NULL },
	{ "group", "G", "Its group.", NULL },
	{ "url", "URL", "https://HOST:PORT by which the agent reaches the manager, where that is not its own; a name that its certificate has.", NULL });
#define DEPLOYMENT_OPTIONS \
	{ "policy", "P", "Policy of the computers that are installed.", NULL }, \
	{ "group", "G", "Their group.", NULL }, \
	{ "expires", "D", "When no more may enrol: a moment, or a duration from now such as 7d; 24h if not given.", NULL }, \
	{ "platform", "NAME", "linux-x86_64 (default) or another that the manager has a package for.", NULL }, \
	{ "url", "URL", "https://HOST:PORT by which they reach the manager, where that is not its own; a name that its certificate has.", NULL }, \
	{ "name", "TEXT", "What it is for, as lists of enrolment tokens show it.", NULL }
OPTIONS(deployment_options, DEPLOYMENT_OPTIONS,
	{ "uses", "N", "How many computers may enrol with it; 1 if not given.", NULL },
	{ "login", NULL, "For a script that root runs at each boot or login: installs where the agent is missing, updates otherwise; quiet, in the background, after a pause by chance.", NULL },
	{ "cron", NULL, "The same as a file for /etc/cron.d.", NULL });
OPTIONS(install_options, DEPLOYMENT_OPTIONS,
	{ "user", "U", "Who signs in there; USER@HOST goes before it.", NULL },
	{ "port", "N", "The port of SSH there.", NULL },
	{ "identity-file", "FILE", "Sign in with this private key; ssh's own keys and agent if neither it nor a password is given.", NULL },
	{ "password-file", "FILE", "Sign in with the password in a file's first line, - for standard input.", NULL },
	{ "known-hosts", "FILE", "Host keys that are believed, in place of ssh's own files.", NULL },
	{ "host-key-fingerprint", "SHA256:F", "Believe the one host's key by its fingerprint, as ssh-keygen -lf prints it.", NULL },
	{ "sudo", NULL, "Who signs in is not root: use sudo, with the password that was given if it wants one.", NULL },
	{ "sudo-password-file", "FILE", "Password for sudo, where it is another or sign-in is by key.", NULL },
	{ "parallel", "N", "How many at a time, 1 to 64; 8 if not given.", NULL },
	{ "timeout", "D", "The longest that one may take; 15m if not given.", NULL });
OPTIONS(token_list_options, ENROLMENT, LIMIT);
OPTIONS(token_revoke_options, ENROLMENT);
OPTIONS(user_list_options, LIMIT);
OPTIONS(user_create_options,
	{ "role", "R", "What the user may do.", ROLES },
	{ "password-file", "FILE", "Read the password from a file's first line, - for standard input. If not given the manager makes one and it is shown once.", NULL });
OPTIONS(user_password_options,
	{ "password-file", "FILE", "Read the new password from a file's first line, - for standard input.", NULL },
	{ "current-file", "FILE", "Read the present password (needed for one's own) from a file's first line.", NULL });
OPTIONS(audit_list_options,
	{ "actor", "NAME", "Only what this user or token did.", NULL },
	{ "action", "A", "Only this action, such as token.create.", NULL },
	SINCE, LIMIT);

#define NETWORK_OPTIONS                                                                                      \
	{ "heartbeat", "M", "How often agents there report when there is nothing new, in minutes (10, 10m, 2h), or off, on. 10 if not given.", NULL }, \
	{ "offline", "M", "How long one may be silent before it is offline, in minutes. 60 if not given.", NULL }, \
	{ "poll", "M", "How often they ask, in minutes, nothing being held open in between; policy: as their policy says, which is so if not given.", NULL }
OPTIONS(network_add_options, NETWORK_OPTIONS);
OPTIONS(network_set_options, NETWORK_OPTIONS,
	{ "name", "NAME", "Its new name.", NULL });
OPTIONS(settings_options,
	{ "password-file", "FILE", "Of the one NAME that is given without a value: read its password from a file's first line, - for standard input; asked for if not given.", NULL });
OPTIONS(policy_hash_options,
	{ "password-file", "FILE", "Read the password from a file's first line, - for standard input; asked for if not given.", NULL });
OPTIONS(policy_create_options,
	{ "parent", "POLICY", "The policy above it; base if not given.", NULL });
OPTIONS(policy_restore_options,
	{ "name", "NAME", "Its name, when another policy has the one it had.", NULL },
	{ "parent", "POLICY", "The policy above it, when the one it had is gone.", NULL });
OPTIONS(policy_overrides_options,
	{ "setting", "NAME", "Only those of this setting.", NULL },
	{ "kind", "KIND", "Only those of policies, or of computers.", "policy computer" },
	LIMIT);
OPTIONS(policy_apply_options,
	{ "f", "FILE", "What policies shall be (JSON), - for standard input.", NULL },
	{ "dry-run", NULL, "Only show what would change.", NULL },
	YES);

static const struct cli_verb verbs[] = {
	{ "login", NULL, "", 0, 0, login_options, "Sign in and remember the session",
	  "Writes ~/.config/muster/session.json, readable by you alone, with the server, its CA file and the session's token. The password itself is not kept. The first time, give --ca-fingerprint or --ca.", verb_login },
	{ "logout", NULL, "", 0, 0, NULL, "Sign out: end the session and forget it", NULL, verb_logout },

	{ "computer", "list", "", 0, 0, computer_list_options, "List computers", NULL, verb_computer_list },
	{ "computer", "show", "COMPUTER", 1, 1, NULL, "Show a computer", NULL, verb_computer_show },
	{ "computer", "scan", "COMPUTER [PATH...]", 1, MANY, scan_options, "Scan paths of a computer now",
	  "PATHs are absolute paths on that computer; without any, those that it is configured to scan. A COMPUTER with * or ? in it stands for all whose names fit: '*' is all of them, in one order.", verb_computer_scan },
	{ "computer", "heartbeat", "COMPUTER", 1, 1, watch_options, "Have a computer report now",
	  "A COMPUTER with * or ? in it stands for all whose names fit.", verb_computer_heartbeat },
	{ "computer", "verify", "[COMPUTER...]", 0, MANY, verify_options, "Verify now whether computers are there",
	  "Each computer that holds a connection is asked, and answers at once or is silent; only a sign of life after the question counts. Exits 0 if all answered. Without computers and --all, lists the verifications so far.", verb_computer_verify },
	{ "computer", "add", "NAME", 1, 1, computer_add_options, "Make a computer known before its agent is activated",
	  "Whoever activates under its name becomes it. With the setting enrolment.allowed=known nobody else may.", verb_computer_add },
	{ "computer", "address", "COMPUTER [HOST]", 1, 2, NULL, "Say where a computer's agent is dialled, and may come from without a token",
	  "Without HOST it is dialled where its agent says that it is. The setting enrolment.without_token=expected lets an agent in that comes from this address, under the name of a computer that waits for it.", verb_computer_address },
	{ "computer", "activate", "HOST[:PORT]", 1, 1, computer_activate_options, "Dial an agent that waits for this manager, and make its computer one of ours",
	  "For agents that were prepared with the manager's public key (`muster cert export FILE`, then on the computer `muster-agent prepare --trust FILE`). The manager proves its key to the agent; PORT is that of the fleet's agents if not given. May be repeated after any failure: the computer stays the same one.", verb_computer_activate },
	{ "computer", "move", "[COMPUTER...]", 0, MANY, computer_move_options, "Move computers to another manager",
	  "Each agent enrols there first and leaves here when that has worked; else it stays, and the command says why. A COMPUTER with * or ? in it stands for all whose names fit.", verb_computer_move },
	{ "computer", "deactivate", "COMPUTER...", 1, MANY, NULL, "End computers' memberships at once; they can be let in again",
	  "Their agents are out within a second and keep their identities, the computers keep their policies and history. `muster computer reactivate` lets them in again.", verb_computer_deactivate },
	{ "computer", "reactivate", "COMPUTER...", 1, MANY, NULL, "Let the agents of deactivated computers in again", NULL, verb_computer_reactivate },
	{ "computer", "revoke", "COMPUTER...", 1, MANY, delete_options, "Revoke computers' certificates at once and for good",
	  "For keys that somebody else may have: the agents are out within a second and have to be activated anew. The computers stay in the list.", verb_computer_revoke },
	{ "computer", "install", "HOST...", 1, MANY, install_options, "Install agents on computers that are reached over SSH from here",
	  "Runs the line of `muster deployment script` there, with this machine's ssh. Host keys are always checked and nobody is asked: a host whose key is not known is left alone. Passwords go from file to ssh and sudo, never into arguments, and not to the manager. An agent that is there is updated. Exits 1 if any failed; -o json says of each what and why.", verb_computer_install },
	{ "computer", "delete", "COMPUTER", 1, 1, delete_options, "Delete a computer and revoke its certificate", NULL, verb_computer_delete },

	{ "computer", "effective", "COMPUTER", 1, 1, NULL, "Show the settings that hold for a computer, and where each comes from", NULL, verb_computer_effective },
	{ "computer", "assign", "COMPUTER POLICY", 2, 2, NULL, "Assign a policy to a computer", NULL, verb_computer_assign },
	{ "computer", "set", "COMPUTER NAME=VALUE...", 2, MANY, settings_options, "Override settings for one computer, all or none",
	  "`muster policy settings` lists the names and what each allows. Of a password give the NAME alone: it is asked for, or read from --password-file.", verb_computer_set },
	{ "computer", "unset", "COMPUTER NAME...", 2, MANY, NULL, "Have a computer inherit settings again", NULL, verb_computer_unset },
	{ "computer", "appliance", "COMPUTER yes|no", 2, 2, NULL, "Say whether a computer is an appliance",
	  "The direction (link.direction) of an appliance is bidirectional, whatever its policy says.", verb_computer_appliance },
	{ "computer", "history", "COMPUTER", 1, 1, NULL, "Show who changed a computer's settings or policy, newest first", NULL, verb_computer_history },
	{ "computer", "revert", "COMPUTER VERSION", 2, 2, NULL, "Take a computer's settings and policy back to a version of before", NULL, verb_computer_revert },

	{ "policy", "tree", "", 0, 0, NULL, "Show the tree of policies", NULL, verb_policy_tree },
	{ "policy", "list", "", 0, 0, NULL, "List policies with how far their computers are", NULL, verb_policy_list },
	{ "policy", "show", "POLICY", 1, 1, NULL, "Show a policy's settings, inherited ones marked", NULL, verb_policy_show },
	{ "policy", "settings", "", 0, 0, NULL, "List the settings that policies and computers may hold", NULL, verb_policy_settings },
	{ "policy", "create", "NAME", 1, 1, policy_create_options, "Make a policy", NULL, verb_policy_create },
	{ "policy", "delete", "POLICY", 1, 1, delete_options, "Delete a policy that nothing hangs under", NULL, verb_policy_delete },
	{ "policy", "rename", "POLICY NAME", 2, 2, NULL, "Give a policy another name", NULL, verb_policy_rename },
	{ "policy", "move", "POLICY PARENT", 2, 2, NULL, "Move a policy below another one", NULL, verb_policy_move },
	{ "policy", "set", "POLICY NAME=VALUE...", 2, MANY, settings_options, "Set settings of a policy, all or none",
	  "Computers below that do not override them get the new values. `muster policy settings` lists the names and what each allows. Of a password give the NAME alone (`muster policy set base agent.unload_password`): it is asked for, or read from --password-file.", verb_policy_set },
	{ "policy", "unset", "POLICY NAME...", 2, MANY, NULL, "Have a policy inherit settings again", NULL, verb_policy_unset },
	{ "policy", "diff", "FIRST SECOND", 2, 2, NULL, "Show what two policies or computers come to differently", NULL, verb_policy_diff },
	{ "policy", "overrides", "", 0, 0, policy_overrides_options, "List what policies and computers set themselves", NULL, verb_policy_overrides },
	{ "policy", "history", "POLICY", 1, 1, NULL, "Show who changed a policy, newest first", NULL, verb_policy_history },
	{ "policy", "revert", "POLICY VERSION", 2, 2, NULL, "Take a policy back to a version of before", NULL, verb_policy_revert },
	{ "policy", "deleted", "", 0, 0, NULL, "List policies that were deleted and can be restored", NULL, verb_policy_deleted },
	{ "policy", "restore", "POLICY", 1, 1, policy_restore_options, "Make a deleted policy be there again, as it was",
	  "Of several deleted ones with this name it is the one that was deleted last; `muster policy deleted` lists their ids.", verb_policy_restore },
	{ "policy", "apply", "", 0, 0, policy_apply_options, "Make policies be as a file describes, all or none",
	  "Shows first what would change and asks. The file holds {\"policies\": [{\"name\": …, \"parent\": …, \"settings\": {NAME: VALUE, …}}, …]}; settings that it does not name are inherited, policies that it does not name stay. A password stands there as its hash (`muster policy hash-password`), or as \"set\", as exports have it: the one that is there stays.", verb_policy_apply },
	{ "policy", "export", "", 0, 0, NULL, "Write all policies down as `muster policy apply` takes them",
	  "JSON to standard output, with what each policy sets itself. Passwords are not in it: \"set\" stands where there is one.", verb_policy_export },
	{ "policy", "hash-password", "", 0, 0, policy_hash_options, "Make the hash of a password, for files that `muster policy apply` takes",
	  "Argon2id, made here; the manager is not asked.", verb_policy_hash_password },

	{ "command", "list", "", 0, 0, command_list_options, "List commands, newest first", NULL, verb_command_list },
	{ "command", "show", "COMMAND", 1, 1, NULL, "Show a command with its progress and result", NULL, verb_command_show },
	{ "command", "watch", "COMMAND", 1, 1, NULL, "Follow a command to its end and exit by its result",
	  "Interrupting the watch does not interrupt the command.", verb_command_watch },
	{ "command", "cancel", "COMMAND", 1, 1, watch_options, "Cancel a command that has not ended", NULL, verb_command_cancel },
	{ "command", "pause", "COMMAND", 1, 1, watch_options, "Pause a scan", NULL, verb_command_pause },
	{ "command", "resume", "COMMAND", 1, 1, watch_options, "Resume a paused scan", NULL, verb_command_resume },

	{ "event", "list", "", 0, 0, event_list_options, "List events, newest first", NULL, verb_event_list },
	{ "event", "show", "EVENT", 1, 1, NULL, "Show an event", NULL, verb_event_show },
	{ "event", "tail", "", 0, 0, event_tail_options, "Follow events as they arrive",
	  "With -o json each event is one line. Ends with Ctrl-C.", verb_event_tail },

	{ "event", "types", "", 0, 0, NULL, "List types of events, and what is done with each", NULL, verb_event_types },
	{ "event", "set", "NUMBER NAME=VALUE...", 2, MANY, NULL, "Change what is done with events of a type",
	  "record=on|off, forward=on|off, severity=info|warning|error; reset=on goes back to the defaults. An event that is not recorded is acknowledged all the same, and raises its alerts.", verb_event_set },

	{ "alert", "list", "", 0, 0, alert_list_options, "List alerts, newest first", NULL, verb_alert_list },
	{ "alert", "summary", "", 0, 0, NULL, "What is open, a line a type, with the computers it is about", NULL, verb_alert_summary },
	{ "alert", "show", "ALERT", 1, 1, NULL, "Show an alert with its history", NULL, verb_alert_show },
	{ "alert", "dismiss", "ALERT...", 1, MANY, NULL, "End alerts that a person may end",
	  "One that ends by itself when its cause ends is refused.", verb_alert_dismiss },
	{ "alert", "types", "", 0, 0, NULL, "List types of alerts", NULL, verb_alert_types },
	{ "alert", "set", "TYPE NAME=VALUE...", 2, MANY, NULL, "Switch alerts of a type on or off, set their severity",
	  "enabled=on|off, severity=warning|critical. Switched off, open ones are resolved; on again, what is so now is raised.", verb_alert_set },

	{ "quarantine", "list", "", 0, 0, quarantine_list_options, "List quarantined files, newest first", NULL, verb_quarantine_list },
	{ "quarantine", "show", "ITEM", 1, 1, NULL, "Show a quarantined file", NULL, verb_quarantine_show },
	{ "quarantine", "restore", "ITEM", 1, 1, restore_options, "Put a file back in its place",
	  "With its owner, mode, times and content as they were. Refused if a file is at the path again, unless --overwrite is given.", verb_quarantine_restore },
	{ "quarantine", "delete", "ITEM", 1, 1, quarantine_delete_options, "Delete a file for good, here and on the computer", NULL, verb_quarantine_delete },
	{ "quarantine", "download", "ITEM", 1, 1, download_options, "Download a file in a zip with a password", NULL, verb_quarantine_download },

	{ "token", "create", "", 0, 0, token_create_options, "Make a token; it is shown this once", NULL, verb_token_create },
	{ "token", "list", "", 0, 0, token_list_options, "List tokens, without their secrets", NULL, verb_token_list },
	{ "token", "revoke", "TOKEN-ID", 1, 1, token_revoke_options, "Revoke a token", NULL, verb_token_revoke },

	{ "deployment", "script", "", 0, 0, deployment_options, "Print a line that installs and activates the agent on new computers",
	  "The line holds the fingerprint of the manager's CA and a token; it executes nothing before the fingerprint was compared. It may be run again: an agent that is there keeps its identity, and is updated when the manager has another version. The manager needs a package of the agent (scripts/package-agent).", verb_deployment_script },

	{ "user", "list", "", 0, 0, user_list_options, "List users", NULL, verb_user_list },
	{ "user", "create", "NAME", 1, 1, user_create_options, "Make a user", NULL, verb_user_create },
	{ "user", "delete", "USER", 1, 1, delete_options, "Delete a user and end the user's sessions", NULL, verb_user_delete },
	{ "user", "password", "USER", 1, 1, user_password_options, "Set a password: your own, or as administrator anybody's", NULL, verb_user_password },

	{ "audit", "list", "", 0, 0, audit_list_options, "List who did what, newest first", NULL, verb_audit_list },

	{ "network", "list", "", 0, 0, destination_list_options, "List networks that the manager cannot reach", NULL, verb_network_list },
	{ "network", "show", "NETWORK", 1, 1, NULL, "Show a network, and how many computers are inside", NULL, verb_network_show },
	{ "network", "add", "NAME RANGE...", 2, MANY, network_add_options, "Add a network that the manager cannot reach",
	  "RANGE is 192.0.2.0/24, 2001:db8::/32, 192.0.2.10-192.0.2.20 or one address; where ranges overlap the smallest holds. "
	  "The manager does not dial agents there. They are counted by the address that their connections come from, and behind a NAT by their own.", verb_network_add },
	{ "network", "set", "NETWORK [RANGE...]", 1, MANY, network_set_options, "Change a network; what is not given stays",
	  "Takes effect at once for all agents inside. RANGE, if given, takes the place of all its ranges.", verb_network_set },
	{ "network", "remove", "NETWORK", 1, 1, delete_options, "Remove a network: agents there follow their policies again", NULL, verb_network_remove },
	{ "destination", "list", "", 0, 0, destination_list_options, "List where events and alerts are sent to, and whether they arrive", NULL, verb_destination_list },
	{ "destination", "show", "DESTINATION", 1, 1, NULL, "Show a destination", NULL, verb_destination_show },
	{ "destination", "create", "NAME URL", 2, 2, destination_create_options, "Send events or alerts to syslog, mail or a webhook",
	  "URL says which: udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT is syslog (RFC 5424); smtp://HOST (STARTTLS), smtps://HOST or "
	  "smtp-plain://HOST is mail; https://... is a webhook. Then try it: muster destination test NAME.", verb_destination_create },
	{ "destination", "set", "DESTINATION", 1, 1, destination_set_options, "Change a destination; what is not given stays", NULL, verb_destination_set },
	{ "destination", "delete", "DESTINATION", 1, 1, delete_options, "Remove a destination", NULL, verb_destination_delete },
	{ "destination", "test", "DESTINATION", 1, 1, NULL, "Deliver a test message now and say what came of it", NULL, verb_destination_test },

	{ "tls", "profiles", "", 0, 0, NULL, "List TLS profiles, and which of them the manager's machine can serve",
	  "A profile is a set of versions and suites that certain generations of agents need. One that cannot be served says what its OpenSSL lacks.", verb_tls_profiles },
	{ "cert", "list", "", 0, 0, NULL, "List the manager's certificates: what each is for, and until when it is good",
	  "Those that renew themselves are made anew when a third of their life is left. The server authentication key is no certificate and has no end: muster cert show.", verb_cert_list },
	{ "cert", "renew", "[CERTIFICATE]", 0, 1, NULL, "Make a certificate of the manager anew now: server (if none is named), server-rsa, dialling or authority",
	  "It gets another key. Connections from then on are shown the new one, those under way stay. One that an administrator brought, of another authority, is read from its files again. An authority gets a successor: agents are given its root first, and it issues once all that are connected have it (muster event list --type 938). Back the keys up again then.", verb_cert_renew },
	{ "cert", "show", "", 0, 0, NULL, "Show the server authentication key, those before it, and how many agents trust each", NULL, verb_cert_show },
	{ "cert", "create", "", 0, 0, cert_create_options, "Roll the server authentication key over to a new one",
	  "The present key signs the next one and is destroyed; agents follow with their next report, after any absence. "
	  "Back the new key up: if it is lost, no agent takes orders any more.", verb_cert_create },
	{ "cert", "export", "FILE", 1, 1, force_options, "Write the public key file that agents take (muster-agent trust FILE); - is standard output", NULL, verb_cert_export },
	{ "cert", "import", "FILE", 1, 1, cert_import_options, "Take up a private key (Ed25519, PKCS#8 in PEM) from elsewhere",
	  "Over a key that is present only with --force; that one then signs the new one, and agents follow.", verb_cert_import },
	{ "cert", "backup", "FILE", 1, 1, cert_backup_options, "Back up the server authentication key, the CA and what agents know of this manager, under a password",
	  "With this file and its password a manager on another machine takes the fleet over: muster-manager init --data DIR --restore FILE. "
	  "Keep both in safe places, apart from each other and from the manager.", verb_cert_backup },
	{ "cert", "restore", "FILE", 1, 1, cert_restore_options, "Restore the server authentication key and the CA of this manager from a backup",
	  "A CA that is there stays. Over another server authentication key that is present only with --force: agents that trust that one are lost then. "
	  "A backup of before the CA that issued last needs --force, too: computers that were activated since have to be activated anew.", verb_cert_restore },
	{ "cert", "rewrite", "", 0, 0, cert_rewrite_options, "Write the files of the manager's keys anew that vanished or were damaged while it runs",
	  "Out of its memory: before it is stopped, or the keys are gone. Back them up first (muster cert backup FILE): a disk that loses one file may lose others.", verb_cert_rewrite },
	{ "cert", "list-mismatched", "", 0, 0, cert_list_options, "List agents without a valid server certificate",
	  "They trust another key and take no orders. Repair each on its machine: muster cert export FILE, there muster-agent trust FILE.", verb_cert_list_mismatched },
	{ "hypervisor", "list", "", 0, 0, hypervisor_list_options, "List hypervisors, and whether they answer", NULL, verb_hypervisor_list },
	{ "hypervisor", "show", "HYPERVISOR", 1, 1, NULL, "Show a hypervisor", NULL, verb_hypervisor_show },
	{ "hypervisor", "add", "NAME URI", 2, 2, NULL, "Have a hypervisor asked which virtual machines run",
	  "URI is libvirt's: qemu:///system is this manager's own machine (also xen, lxc, vz, ch), qemu+tls://HOST/system and "
	  "qemu+ssh://USER@HOST/system are others. Keys and certificates lie in the manager's directory hypervisor/: id and known_hosts "
	  "for SSH, cacert.pem, clientcert.pem and clientkey.pem for TLS. Then try it: muster hypervisor test NAME.", verb_hypervisor_add },
	{ "hypervisor", "set", "HYPERVISOR", 1, 1, hypervisor_set_options, "Change a hypervisor; what is not given stays", NULL, verb_hypervisor_set },
	{ "hypervisor", "remove", "HYPERVISOR", 1, 1, delete_options, "Ask it no more", NULL, verb_hypervisor_remove },
	{ "hypervisor", "machines", "HYPERVISOR", 1, 1, hypervisor_machines_options, "List its virtual machines, and the computers they are", NULL, verb_hypervisor_machines },
	{ "hypervisor", "test", "HYPERVISOR", 1, 1, NULL, "Connect anew now and say what came of it", NULL, verb_hypervisor_test },

	{ "settings", "list", "", 0, 0, NULL, "List the manager's settings", NULL, verb_settings_list },
	{ "settings", "set", "NAME=VALUE...", 1, MANY, NULL, "Change settings, all or none", NULL, verb_settings_set },
	{ "settings", "unset", "NAME...", 1, MANY, NULL, "Go back to the default", NULL, verb_settings_unset },

	{ "ports", NULL, "", 0, 0, ports_options, "List the manager's ports: where it listens, whom it connects to, what for",
	  "Without --check, listeners are shown as they are, and others as not tried. With it, exits 1 unless all could be reached; of a UDP destination only a refusal can be seen. On the manager's machine, muster-manager ports works without a running manager; muster-agent ports shows an agent's.", verb_ports },
	{ "system", "show", "", 0, 0, NULL, "Show the manager's version, identity, limits and counts", NULL, verb_system_show },

	{ "completion", NULL, "bash", 1, 1, NULL, "Print completion for a shell",
	  "Load it with: source <(muster completion bash)", verb_completion },
	{ "manual", NULL, "", 0, 0, NULL, "Print the manual page (roff)",
	  "Read it with: muster manual | man -l -", verb_manual },
};

static const struct cli_noun nouns[] = {
	{ "computer", "Computers with an agent. COMPUTER is an id, or a name that only one has." },
	{ "policy", "Settings for many computers: a tree, inherited from above. POLICY is an id or a name." },
	{ "command", "What computers were told to do, and what came of it." },
	{ "event", "What happened." },
	{ "alert", "What deserves attention, until it ends." },
	{ "quarantine", "Files taken from their place." },
	{ "token", "API tokens for programs, enrolment tokens for agents." },
	{ "deployment", "Installing agents on new computers." },
	{ "user", "People who may sign in. USER is an id or a name." },
	{ "audit", "Who did what." },
	{ "network", "Networks that the manager cannot reach. NETWORK is an id or a name." },
	{ "destination", "Where events and alerts are sent to. DESTINATION is an id or a name." },
	{ "tls", "How connections are encrypted." },
	{ "cert", "The manager's certificates, and the server authentication key, by which agents know its orders." },
	{ "hypervisor", "Who is asked which virtual machines run. HYPERVISOR is an id or a name." },
	{ "settings", "Settings that the manager keeps in its database." },
	{ "system", "The manager itself." },
};
/* clang-format on */

const struct cli_table cli_table = {
	"muster", verbs, COUNT_OF(verbs), nouns, COUNT_OF(nouns), global_options,
};
