/* The effective configuration of one computer: values in force, typed, and how
 * they travel.
 *
 * The manager resolves each setting to one canonical text and packs those that
 * an agent applies as a Configuration, ascending by name, each of them present;
 * SHA-256 of the packed bytes is the fingerprint. The agent reads it back with
 * effective_read(), which checks every value by the same table: a configuration
 * that does not fit is refused whole, with every problem listed.
 *
 *   struct effective wanted;
 *   rc = effective_init(&wanted, err);                          defaults
 *   rc = effective_read(configuration, &wanted, &problems, err);
 *   ... effective_done(&wanted);
 */
#ifndef MUSTER_POLICY_EFFECTIVE_H
#define MUSTER_POLICY_EFFECTIVE_H

#include "policy/settings.h"
#include "wire/directions.h"
#include "wire/exchange.h"

/* Rows of the table of TLS profiles (net/tls_profiles.h) that are not legacy and good for whoever dials. */
#define LINK_TLS_PROFILES "modern strong-12 fips-12"

enum link_poll { LINK_POLL_HELD, LINK_POLL_PERIODIC };

/* A member for each row of policy_settings. */
struct effective {
	char *unload_password;         /* its hash, or "": none is asked for */
	span_us clock_change_us;       /* CONF_UNLIMITED: no alert */
	int direction;                 /* enum link_direction */
	span_us heartbeat_interval_us; /* 10 s to 24 h */
	int64_t missed_heartbeats;     /* 0 to 100, or CONF_UNLIMITED */
	bool offline_error_inactive_vm;
	int poll;                 /* enum link_poll */
	span_us poll_interval_us; /* of periodic polls */
	int tls_profile;          /* of LINK_TLS_PROFILES */
	int64_t quarantine_max_file_bytes;
	int64_t cpu_limit_percent;
	char *exclude_paths; /* conf_paths_next() reads it */
	int64_t scan_max_file_bytes;
};

#define EFFECTIVE_PROBLEMS_BYTES 4096
#define EFFECTIVE_PACKED_BYTES   (WIRE_SIGNED_MAX_BYTES - 1024)

/* Every setting at its default. ERR_MEMORY. */
int effective_init(struct effective *effective, struct err *err);
void effective_done(struct effective *effective);

/* From values as texts, indexed by enum setting_id; NULL: the default. ERR_MEMORY,
 * or what setting_canonical() says, with the setting's name in front. */
int effective_parse(const char *const values[SETTINGS_COUNT], struct effective *effective, struct err *err);

/* The agent's side: puts a configuration's values over `effective`. On problems
 * ERR_FORMAT, effective is unchanged, err is the first problem and `problems`
 * holds them all, a line each: "scan.cpu_limit = 900: allowed: 1 to 100". A
 * setting that the table does not know is a problem; one that is missing keeps
 * the value effective had. */
int effective_read(const Muster__Wire__Configuration *configuration, struct effective *effective, struct buf *problems,
		   struct err *err);
/* The value of one setting in canonical form, for displays. Sticky errors in out. */
void effective_format(const struct effective *effective, enum setting_id id, struct buf *out);

/* The manager's side: the settings that agents apply, of canonical texts, as the
 * packed Configuration. Appends to out. ERR_LIMIT: larger than a message may be. */
int effective_pack(const char *const values[SETTINGS_COUNT], struct buf *out, struct err *err);

#endif
