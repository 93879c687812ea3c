/* muster-agent: the endpoint's daemon and its local commands. */
#include <stdio.h>
#include <string.h>

#include "agent/local/local.h"
#include "agent/local/local_password.h"

static const char about[] =
    "The agent of Muster on this computer: keeps in touch with the manager, scans, quarantines.";

#define DATA                                                                                                           \
	{                                                                                                              \
		"--data", "DIR", "data directory (default " LOCAL_DATA_DEFAULT ")", false                              \
	}
#define OUTPUT                                                                                                         \
	{                                                                                                              \
		"-o", "FORMAT", "text (default) or json", false                                                        \
	}
#define END                                                                                                            \
	{                                                                                                              \
		NULL, NULL, NULL, false                                                                                \
	}

static const struct arguments_option activate_options[] = {
	{ "--token", "T",
	  "enrolment token from the manager (muster token create --enrolment); -: from standard input. Not needed "
	  "where "
	  "the manager's setting enrolment.without_token lets this computer in",
	  false },
	{ "--ca-fingerprint", "SHA256",
	  "fingerprint of the manager's certificate authority (not needed where the agent was prepared)", false },
	DATA,
	{ "--name", "N", "name of this computer (default: its host name)", false },
	{ "--policy", "P", "policy to ask for", false },
	{ "--group", "G", "group to ask for", false },
	OUTPUT,
	END,
};
static const struct arguments_option prepare_options[] = {
	{ "--trust", "FILE", "the manager's public key (muster cert export FILE)", true },
	{ "--listen-port", "N", "where to wait: the port of this manager's agents (muster ports)", false },
	DATA,
	OUTPUT,
	END,
};
static const struct arguments_option run_options[] = {
	DATA, { "--check-config", NULL, "read agent.ini, print every setting, and end", false }, END
};
static const struct arguments_option plain_options[] = { DATA, OUTPUT, END };
static const struct arguments_option scan_options[] = {
	DATA, { "--exclude", "PATH", "leave out this file or directory", false }, OUTPUT, END
};
static const struct arguments_option events_options[] = {
	DATA, { "--limit", "N", "how many (default 50)", false }, OUTPUT, END
};
static const struct arguments_option restore_options[] = {
	DATA, { "--overwrite", NULL, "replace a file that stands at the path now", false }, OUTPUT, END
};
static const struct arguments_option reset_options[] = {
	DATA, { "--yes", NULL, "yes, remove the identity", false }, LOCAL_PASSWORD_OPTIONS, OUTPUT, END
};
static const struct arguments_option uninstall_options[] = {
	DATA,
	{ "--yes", NULL, "yes, remove it", false },
	{ "--keep-quarantine", NULL,
	  "leave quarantined files where they are, for an agent that is installed there again", false },
	{ "--delete-quarantine", NULL, "delete quarantined files for good", false },
	LOCAL_PASSWORD_OPTIONS,
	OUTPUT,
	END,
};
static const struct arguments_option guarded_options[] = { DATA, LOCAL_PASSWORD_OPTIONS, OUTPUT, END };
static const struct arguments_option ports_options[] = {
	DATA, { "--check", NULL, "connect to each; exit status 1 unless all answer", false }, OUTPUT, END
};
static const struct arguments_option move_options[] = {
	{ "--manager", "HOST:PORT", "the other manager", true },
	{ "--token", "T",
	  "enrolment token of the other manager (muster token create --enrolment there); not needed where its setting "
	  "enrolment.without_token lets this computer in",
	  false },
	{ "--ca-fingerprint", "SHA256", "fingerprint of the other manager's certificate authority", false },
	{ "--trust", "FILE", "the other manager's public key (muster cert export), which it has to prove", false },
	{ "--listen-port", "N", "where to listen then (default: as the other manager says)", false },
	LOCAL_PASSWORD_OPTIONS,
	DATA,
	OUTPUT,
	END,
};
static const struct arguments_option role_options[] = { { "--data", "DIR", "data directory", true }, END };

static const struct arguments_command commands[] = {
	{ "activate", "URL", 1, 1, "Makes this computer one of a manager's.",
	  "URL is https://HOST:PORT. The key is made here and never leaves. The manager is believed\n"
	  "only if its authority has the given fingerprint. May be repeated after any failure: the\n"
	  "computer stays the same one. Writes agent.ini and identity/ in the data directory.",
	  activate_options, false, local_activate },
	{ "prepare", "", 0, 0, "Makes this agent wait for one manager, which activates it.",
	  "From now on it accepts no other manager. Once it runs it listens, and the manager dials it:\n"
	  "muster computer activate HOST. Writes agent.ini and identity/ in the data directory.",
	  prepare_options, false, local_prepare },
	{ "run", "", 0, 0, "Runs the agent until it is stopped.",
	  "Stays in the foreground and logs JSON lines to standard error. Start it as root for full\n"
	  "protection; otherwise it scans what its user can read, and says what is limited.",
	  run_options, false, local_run },
	{ "status", "", 0, 0, "Tells how the agent is: connected, protected, busy.",
	  "Exit status 1 when no agent runs on the data directory.", plain_options, false, local_status },
	{ "scan", "PATH...", 1, 256, "Scans files and directories now and shows what it finds.",
	  "Detected files go into quarantine. Ctrl-C cancels the scan.\n"
	  "Exit status: 0 scanned without detections, 1 something was detected, or the scan failed.",
	  scan_options, false, local_scan },
	{ "heartbeat", "", 0, 0, "Reports to the manager now and tells whether it answered.", "", plain_options, false,
	  local_heartbeat },
	{ "events", "", 0, 0, "Lists what happened lately on this computer.", "", events_options, false, local_events },
	{ "settings", "", 0, 0, "Lists the settings in force, and where each comes from.",
	  "ORIGIN is policy (the manager's: locked, agent.ini does not count), network (the manager's, for "
	  "the\nnetwork that this computer is in), agent.ini, or default.",
	  plain_options, false, local_settings },
	{ "ports", "", 0, 0, "Lists ports: where this agent listens, where it finds its manager.",
	  "STATE is how it stands: as the running agent says, or with --check as trying it says;\n"
	  "off where the direction in force leaves that way unused.",
	  ports_options, false, local_ports },
	{ "quarantine list", "", 0, 0, "Lists files in quarantine.", "", plain_options, false, local_quarantine_list },
	{ "quarantine restore", "ID", 1, 1, "Puts a file back with its owner, mode and times.",
	  "Fetches the manager's copy when the one on this computer is lost.", restore_options, false,
	  local_quarantine_restore },
	{ "quarantine delete", "ID", 1, 1, "Deletes a file from quarantine for good.", "", plain_options, false,
	  local_quarantine_delete },
	{ "move", "", 0, 0, "Moves this computer to another manager.",
	  "--ca-fingerprint or --trust says which manager is meant. Enrols there first, and leaves the present manager "
	  "when that has worked; if the other one cannot be\n"
	  "reached or verified, or refuses, everything stays as it is. The agent must be running.",
	  move_options, false, local_move },
	{ "reset", "", 0, 0, "Removes this agent's identity, so that it can be activated again.",
	  "Keeps quarantined files, signatures and settings. The agent must not be running.", reset_options, false,
	  local_reset },
	{ "trust", "FILE", 1, 1, "Trusts another server authentication key of the manager.",
	  "FILE is what `muster cert export FILE` wrote. For an agent that does not have a valid server\n"
	  "certificate and therefore takes no orders. Needs no network; the agent may run or not.",
	  guarded_options, false, local_trust },
	{ "stop", "", 0, 0, "Stops the running agent.",
	  "Asks for the unload password where the policy of this computer sets one.", guarded_options, false,
	  local_stop },
	{ "uninstall", "", 0, 0, "Removes the agent from this computer and tells its manager.",
	  "Stops the agent, removes its data directory, its service, the cron file that would install it again,\n"
	  "and the programs, where the installation script brought them. A login script that installs has to be\n"
	  "changed by hand. Asks what is to become of quarantined files. May be repeated after any failure.",
	  uninstall_options, false, local_uninstall },
	{ "role link", "", 0, 0, "Started by the agent itself.", "", role_options, true, local_link },
	{ 0 },
};

int main(int argc, char **argv)
{
	struct arguments arguments;
	struct err err = { 0 };
	struct buf text;
	int rc = arguments_parse(commands, argc, argv, &arguments, &err);

	if (rc) {
		fprintf(stderr, "muster-agent: %s\n", err.text);
		return 2;
	}
	if (arguments.version) {
		puts("muster-agent " MUSTER_VERSION);
		return 0;
	}
	if (arguments.help) {
		buf_init(&text, 64 * 1024);
		arguments_help(&arguments, commands, about, &text);
		fputs(buf_text(&text), stdout);
		buf_done(&text);
		return 0;
	}
	return arguments.command->run(&arguments);
}
