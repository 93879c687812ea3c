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
	STORED_SAME_NAME,             /* enum same_name (enrolment_rules.h) */
	STORED_ENROLMENT_ALLOWED,     /* enum enrolment_allowed */
	STORED_ENROLMENT_ADDRESSES,   /* text: ranges (enrolment_ranges_parse()) */
	STORED_WITHOUT_TOKEN,         /* enum enrolment_without_token */
	STORED_ENROLMENT_POLICY,      /* text: a policy's name */
	STORED_OWN_NAME,              /* boolean */
	STORED_REACTIVATE_CLONED,     /* boolean */
	STORED_REACTIVATE_UNKNOWN,    /* boolean */
	STORED_ROLLOUT_RATE,          /* agents a second */
	STORED_VERIFY_INTERVAL,       /* span */
	STORED_ALERT_RETENTION,       /* span */
	STORED_DISK_FREE,             /* bytes */
	STORED_DATABASE_SIZE,         /* bytes */
	STORED_RENEWAL_GRACE,         /* span */
	STORED_CERTIFICATE_SOON,      /* span */
	STORED_CERTIFICATE_CRITICAL,  /* span */
	STORED_COUNT
};

#define STORED_TEXT_BYTES 1025 /* longest text of a value, with its NUL */

struct stored_settings;

/* Reads all from the database; a value there that no longer fits is logged and the default is used. Blocks. */
int stored_settings_open(struct store *store, struct stored_settings **ret_settings, struct err *err);
void stored_settings_free(struct stored_settings *settings); /* accepts NULL */
/* Booleans as 0 or 1. */
int64_t stored_setting_number(struct stored_settings *settings, enum stored_setting which);
/* text: at most STORED_TEXT_BYTES. */
void stored_setting_text(struct stored_settings *settings, enum stored_setting which, char *text, size_t capacity);

#endif
