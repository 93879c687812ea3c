/* Settings that people change while the manager runs: rows of a table, values
 * in the database, a copy in memory. Thread-safe.
 */
#ifndef MUSTER_MANAGER_FRONT_STORED_SETTINGS_H
#define MUSTER_MANAGER_FRONT_STORED_SETTINGS_H

#include "manager/front/front.h"

enum stored_setting {
	STORED_QUARANTINE_CAPACITY,   /* bytes */
	STORED_QUARANTINE_LARGEST,    /* bytes */
	STORED_EVENT_RETENTION,       /* span */
	STORED_UNDELIVERED_RETENTION, /* span */
	STORED_COMMAND_TIMEOUT,       /* span */
	STORED_SAME_NAME,             /* enum same_name */
	STORED_ROLLOUT_RATE,          /* agents a second */
	STORED_VERIFY_INTERVAL,       /* span */
	STORED_ALERT_RETENTION,       /* span */
	STORED_DISK_FREE,             /* bytes */
	STORED_DATABASE_SIZE,         /* bytes */
	STORED_COUNT
};

enum same_name { SAME_NAME_NUMBER, SAME_NAME_REFUSE };

struct stored_settings;

/* Reads all from the database; a value there that no longer fits is logged and the default is used. Blocks. */
int stored_settings_open(struct store *store, struct stored_settings **ret_settings, struct err *err);
void stored_settings_free(struct stored_settings *settings); /* accepts NULL */
int64_t stored_setting_number(struct stored_settings *settings, enum stored_setting which);

#endif
