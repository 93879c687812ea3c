/* The rows of agent.ini (agent/settings.h). Input: a file of the administrator's. */
#include "agent/settings.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"

#define AT(field) offsetof(struct settings, field)

/* Of what policies set too (policy/settings.h). */
#define UNTIL_POLICY " Used until the manager sends its first configuration; from then on the policy counts."

static const struct conf_row rows[] = {
	{ "manager", "url", NULL, CONF_TEXT, 0, AT(manager_url), 0, 1024, NULL, "",
	  "The manager that this computer belongs to, https://HOST:PORT. Written by muster-agent activate and move. "
	  "Change it when that manager goes by another address; to another manager: muster-agent move." },

	{ "link", "heartbeat_interval", NULL, CONF_SPAN, 0, AT(heartbeat_interval), 10 * SECOND_US, 24 * HOUR_US, NULL,
	  "10m", "How often the agent reports when there is nothing new." UNTIL_POLICY },
	{ "link", "poll", NULL, CONF_CHOICE, 0, AT(poll), 0, 0, "held periodic", "held",
	  "held: the manager holds each exchange open, so that commands arrive at once. periodic: the agent asks "
	  "every poll_interval, for networks that cut idle connections." UNTIL_POLICY },
	{ "link", "poll_interval", NULL, CONF_SPAN, 0, AT(poll_interval), SECOND_US, 24 * HOUR_US, NULL, "1m",
	  "How often to ask when poll is periodic." UNTIL_POLICY },
	{ "link", "direction", NULL, CONF_CHOICE, 0, AT(direction), 0, 0, LINK_DIRECTION_CHOICES, "bidirectional",
	  "Who opens connections. bidirectional: the agent reports, and the manager also dials it to act at once. "
	  "manager-initiated: only the manager dials; tried before it is kept. agent-initiated: only the agent dials "
	  "and has no open port." UNTIL_POLICY },
	{ "link", "listen_port", NULL, CONF_NUMBER, 0, AT(listen_port), 0, 65535, NULL, "0",
	  "The port on which the agent listens for its manager, written by muster-agent activate; one for all agents "
	  "of a manager. 0: it does not listen." },
	{ "link", "listen_address", NULL, CONF_TEXT, 0, AT(listen_address), 0, 45, NULL, "",
	  "The one address to listen on, numeric. Empty: every address of this computer." },
	{ "link", "spool_size", NULL, CONF_SIZE, 0, AT(spool_bytes), 1 << 16, (int64_t)1 << 32, NULL, "64MB",
	  "Most disk space for events that the manager has not stored yet. Past it the least important go first, "
	  "and the loss is itself an event." },
	{ "link", "upload_rate", NULL, CONF_SIZE, CONF_MAY_BE_UNLIMITED, AT(upload_rate_bytes), 1024, (int64_t)1 << 34,
	  NULL, "unlimited", "Most bytes a second when quarantined files are sent to the manager." },

	{ "link", "machine_uuid", NULL, CONF_TEXT, 0, AT(machine_uuid), 0, 36, NULL, "",
	  "The UUID by which a hypervisor knows this machine, where its firmware does not tell: in containers, and "
	  "for agents that are not started as root. Empty: the firmware's." },

	{ "scan", "signatures", NULL, CONF_PATH, 0, AT(signatures), 0, 4095, NULL, "signatures",
	  "Directory of the signature files, for example /var/lib/clamav." },
	{ "scan", "schedule", NULL, CONF_TEXT, 0, AT(schedule), 0, 256, NULL, "off",
	  "When the computer is scanned by itself: off, daily HH:MM, or weekly DAY[,DAY...] HH:MM, in local time." },
	{ "scan", "spread", NULL, CONF_SPAN, 0, AT(spread), 0, 12 * HOUR_US, NULL, "10m",
	  "A scheduled scan starts at a random moment within this span after its time, so that virtual machines on "
	  "one host do not all start together." },
	{ "scan", "paths", NULL, CONF_TEXT, 0, AT(scan_paths), 0, 4000, NULL, "/",
	  "What a scan covers that names no path; separated by ':'." },
	{ "scan", "exclude_paths", NULL, CONF_TEXT, 0, AT(exclude_paths), 0, 4000, NULL, "",
	  "Files and directories that are never scanned; separated by ':'." UNTIL_POLICY },
	{ "scan", "max_file_size", NULL, CONF_SIZE, 0, AT(max_file_bytes), 1024, (int64_t)1 << 31, NULL, "100MB",
	  "Larger files are reported as not fully scanned." UNTIL_POLICY },
	{ "scan", "max_unpacked_size", NULL, CONF_SIZE, 0, AT(max_unpacked_bytes), 1024, (int64_t)1 << 33, NULL,
	  "400MB", "Most bytes that are looked at inside one archive." },
	{ "scan", "max_file_time", NULL, CONF_SPAN, 0, AT(max_file_time), SECOND_US, HOUR_US, NULL, "2m",
	  "Longest time for one file; past it the file is reported as not fully scanned." },
	{ "scan", "workers", NULL, CONF_NUMBER, 0, AT(workers), 0, 64, NULL, "0",
	  "How many files are scanned at once; 0: one a processor, at most 4." },
	{ "scan", "cpu_limit", NULL, CONF_NUMBER, 0, AT(cpu_limit_percent), 1, 100, NULL, "100",
	  "Per cent of its time that each scan worker may work." UNTIL_POLICY },
	{ "scan", "engine_idle", NULL, CONF_SPAN, 0, AT(engine_idle), SECOND_US, 24 * HOUR_US, NULL, "5m",
	  "The scan engine leaves memory when it had nothing to do for this long." },

	{ "local", "never_delete", NULL, CONF_TEXT, 0, AT(never_delete), 0, 4000, NULL, "",
	  "Files and directories that the agent never moves into quarantine, never replaces by a restored file, and "
	  "whose quarantined files it does not delete; separated by ':'. A detection there is reported alone. The "
	  "manager cannot change this." },
	{ "local", "never_exclude", NULL, CONF_TEXT, 0, AT(never_exclude), 0, 4000, NULL, "",
	  "Files and directories that are always scanned; separated by ':'. A configuration of the manager's, or a "
	  "scan, that would leave out any of them is refused. The manager cannot change this." },

	{ "local", "disk_free", NULL, CONF_SIZE, 0, AT(disk_free_bytes), 0, (int64_t)1 << 40, NULL, "256MB",
	  "Less room than this on the disk of the agent's data is told to the manager, and that there is a tenth more "
	  "again. 0: never." },

	{ "process", "link_user", NULL, CONF_TEXT, 0, AT(link_user), 0, 64, NULL, "",
	  "User, by name or number, that talks to the network. Empty: whoever starts the agent." },
	{ "process", "scan_user", NULL, CONF_TEXT, 0, AT(scan_user), 0, 64, NULL, "",
	  "User, by name or number, that looks into files. Empty: whoever starts the agent." },
	{ "log", "level", NULL, CONF_CHOICE, 0, AT(log_level), 0, 0, "error warning info debug", "info",
	  "How much the agent says on its standard error." },
};

const struct conf_table settings_table = { .program = "agent",
					   .file = SETTINGS_FILE,
					   .rows = rows,
					   .count = sizeof(rows) / sizeof(rows[0]),
					   .size = sizeof(struct settings) };

static int check_machine(const char *text, const char *path, struct buf *problems, struct err *err)
{
	struct uuid machine;
	struct err fault = { 0 };

	if (text[0] == '\0' || uuid_parse(text, &machine, &fault) == 0)
		return 0;
	buf_printf(problems, "%s: [link] machine_uuid: %s\n", path, fault.text);
	return err_set(err, ERR_FORMAT, "%s: [link] machine_uuid: %s", path, fault.text);
}

int settings_load(const char *data_directory, struct settings *ret_settings, struct buf *problems, struct err *err)
{
	struct settings settings;
	char *path = NULL;
	int rc = conf_init(&settings_table, &settings, err);

	if (rc)
		return rc;
	if (asprintf(&path, "%s/%s", data_directory, SETTINGS_FILE) < 0)
		rc = err_set(err, ERR_MEMORY, "out of memory");
	else
		rc = conf_read(&settings_table, path, &settings, problems, err);
	if (rc == 0)
		rc = check_machine(settings.machine_uuid, path, problems, err);
	if (rc == ERR_NOT_FOUND)
		err_add(err, rc, "this agent is not activated (muster-agent activate --help)");
	free(path);
	if (rc)
		conf_done(&settings_table, &settings);
	else
		*ret_settings = settings;
	return rc;
}

void settings_done(struct settings *settings)
{
	conf_done(&settings_table, settings);
}
