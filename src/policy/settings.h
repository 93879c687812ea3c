/* The one table of settings that policies and computers may hold.
 *
 * A row says everything of a setting: its name, what values it takes, its
 * default, who applies it, and what it is for. Checking of input, the API, the
 * CLI, doc/settings.md and the agent's own checks come from the rows; adding a
 * setting is adding a row (and a member of struct effective, policy/effective.h).
 *
 * A value travels and is kept as text in its canonical form: the shortest that
 * reads back (10m, 5MB, held, yes, unlimited; lists of paths: conf/value.h).
 * Equal values have equal texts, so that equal configurations have equal
 * fingerprints. Input is untrusted. Pure.
 */
#ifndef MUSTER_POLICY_SETTINGS_H
#define MUSTER_POLICY_SETTINGS_H

#include "conf/value.h"

/* In the order of their names (strcmp), which is the order of a configuration. */
enum setting_id {
	SETTING_AGENT_UNLOAD_PASSWORD,
	SETTING_LINK_CLOCK_CHANGE,
	SETTING_LINK_DIRECTION,
	SETTING_LINK_HEARTBEAT_INTERVAL,
	SETTING_LINK_MISSED_HEARTBEATS,
	SETTING_LINK_OFFLINE_ERROR_INACTIVE_VM,
	SETTING_LINK_POLL,
	SETTING_LINK_POLL_INTERVAL,
	SETTING_LINK_TLS_PROFILE,
	SETTING_QUARANTINE_MAX_FILE_SIZE,
	SETTING_SCAN_CPU_LIMIT,
	SETTING_SCAN_EXCLUDE_PATHS,
	SETTING_SCAN_MAX_FILE_SIZE,
	SETTINGS_COUNT /* none; no setting */
};

/* Who applies it. What the manager alone applies is not sent to agents. */
enum setting_component {
	SETTING_BY_MANAGER = 1,
	SETTING_BY_LINK = 2,
	SETTING_BY_GUARD = 4,
	SETTING_BY_SCAN = 8,
	SETTING_BY_AGENT = SETTING_BY_LINK | SETTING_BY_GUARD | SETTING_BY_SCAN,
};

struct setting {
	struct conf_row value;    /* key: the whole name; offset: in struct effective */
	const char *unit;         /* "bytes", "per cent", "heartbeats"; "" if the type says it */
	const char *offered;      /* values that a form offers, separated by spaces, or NULL: as the type says */
	unsigned components;      /* bits of enum setting_component */
	bool restart;             /* takes effect when the component starts again; else at once */
	const char *help_english; /* sentences */
	const char *help_japanese;
};

#define SETTING_NAME_MAX_BYTES 63

extern const struct setting policy_settings[SETTINGS_COUNT];

/* The setting's name, its place in the table; SETTINGS_COUNT: unknown. */
const char *setting_name(enum setting_id id);
enum setting_id setting_find(const char *name);
/* The known name most like an unknown one; NULL when none is near. */
const char *setting_nearest(const char *name);
/* "duration", "size", "number", "boolean", "choice", "paths", "password", "text": names of the API. */
const char *setting_type_name(enum setting_id id);
/* "link, manager" */
void setting_components_text(enum setting_id id, struct buf *out);

/* Checks text and appends its canonical form. ERR_FORMAT, ERR_RANGE, ERR_LIMIT,
 * ERR_MEMORY; the sentence says what is allowed, not which setting it was. */
int setting_canonical(enum setting_id id, const char *text, struct buf *out, struct err *err);
/* The default in canonical form; lives for ever. Any thread. */
const char *setting_default(enum setting_id id);
/* Its value is never shown: people and programs see whether there is one. */
bool setting_is_secret(enum setting_id id);
#define SETTING_SHOWN_SECRET "set"
/* What is shown of a value: itself; of a secret SETTING_SHOWN_SECRET, or "" when there is none. */
const char *setting_shown(enum setting_id id, const char *value);
/* The section of doc/settings.md on policies, as Markdown. */
void settings_reference(struct buf *out);

#endif
