/* agent.ini: where the manager is, how scans run, as whom the roles run.
 *
 * Written by `activate`, read by every role at its start. Its owner may edit
 * it; what it says is checked against the rows in settings.c.
 */
#ifndef MUSTER_AGENT_SETTINGS_H
#define MUSTER_AGENT_SETTINGS_H

#include "conf/conf.h"
#include "wire/directions.h"

#define SETTINGS_FILE "agent.ini"

enum settings_poll { SETTINGS_POLL_HELD, SETTINGS_POLL_PERIODIC };

struct settings {
	char *manager_url; /* https://HOST:PORT; "" before activation */

	span_us heartbeat_interval;
	int poll; /* enum settings_poll */
	span_us poll_interval;
	int direction;        /* enum link_direction */
	int64_t listen_port;  /* 0: none is known, and the agent does not listen */
	char *listen_address; /* numeric; "": every address of this computer */
	int64_t spool_bytes;
	int64_t upload_rate_bytes; /* a second; CONF_UNLIMITED */

	char *signatures;    /* directory */
	char *schedule;      /* agent/schedule.h */
	span_us spread;      /* scheduled scans start at random within this after their time */
	char *scan_paths;    /* separated by ':', for scans that name none */
	char *exclude_paths; /* separated by ':' */
	int64_t max_file_bytes;
	int64_t max_unpacked_bytes;
	span_us max_file_time;
	int64_t workers; /* 0: as many as processors, at most 4 */
	int64_t cpu_limit_percent;
	span_us engine_idle;

	char *machine_uuid; /* "": the firmware's */

	char *never_delete; /* separated by ':'; not for the manager to change */
	char *never_exclude;
	int64_t disk_free_bytes; /* less is told */

	char *link_user; /* name or number; "": the caller's */
	char *scan_user;
	int log_level; /* enum log_level */
};

extern const struct conf_table settings_table;

/* Reads DIR/agent.ini over the defaults; a missing file is ERR_NOT_FOUND and
 * says to activate. Every problem is in `problems`, one a line. Blocks. */
int settings_load(const char *data_directory, struct settings *ret_settings, struct buf *problems, struct err *err);
void settings_done(struct settings *settings);

#endif
