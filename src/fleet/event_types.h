/* The event table (specification 15): one row a type, numbers never reused.
 *
 * Agent and manager share it: the spool takes from it which events to drop
 * first, the manager what to record and forward, everybody the sentence that
 * people read. Constant data; nothing here allocates but event_text() into
 * the caller's buffer. Field values are untrusted bytes and are escaped.
 */
#ifndef MUSTER_FLEET_EVENT_TYPES_H
#define MUSTER_FLEET_EVENT_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/pack.h"

enum event_origin { EVENT_AGENT, EVENT_MANAGER };

enum event_severity { EVENT_INFO, EVENT_WARNING, EVENT_ERROR };

/* What a full spool drops, lowest first: routine news, then changes of the
 * machine's protection, last what an attack or a detection left behind. */
enum event_class { EVENT_ROUTINE, EVENT_STATUS, EVENT_SECURITY, EVENT_CLASSES };

#define EVENT_FIELDS_MAX 10

struct event_field {
	const char *name;
	struct bytes value; /* text; file names may be any bytes */
};

struct event_type {
	uint32_t number;
	const char *name; /* stable word: "malware_detected" */
	enum event_origin origin;
	enum event_severity severity;
	enum event_class spool_class;
	bool record;                              /* by default */
	bool forward;                             /* by default, to central and syslog */
	const char *text;                         /* English, "{field}" stands for a field's value */
	const char *fields[EVENT_FIELDS_MAX + 1]; /* NULL-terminated */
};

enum event_number {
	EVENT_ENGINE_NOT_LOADED = 1000,
	EVENT_ENGINE_LOADED = 1010,
	EVENT_ENGINE_SELF_TEST_FAILED = 1011,
	EVENT_MALWARE_DETECTED = 2000,
	EVENT_NOT_FULLY_SCANNED = 2001,
	EVENT_SCAN_STARTED = 2002,
	EVENT_SCAN_FINISHED = 2003,
	EVENT_SCAN_CANCELLED = 2004,
	EVENT_SCAN_FAILED = 2005,
	EVENT_SCAN_WORKER_FAILED = 2006,
	EVENT_REAL_TIME_ON = 2010,
	EVENT_REAL_TIME_OFF = 2011,
	EVENT_REAL_TIME_LOST = 2012,
	EVENT_QUARANTINED = 2020,
	EVENT_RESTORED = 2021,
	EVENT_QUARANTINE_DELETED = 2022,
	EVENT_QUARANTINE_NOT_SENT = 2023,
	EVENT_FIREWALL_RULE = 3000,
	EVENT_COMMAND_SESSION = 4002,
	EVENT_CONFIGURATION_SESSION = 4003,
	EVENT_COMMAND_RECEIVED = 4004,
	EVENT_MANAGER_UNREACHABLE = 4011,
	EVENT_HEARTBEAT_FAILED = 4012,
	EVENT_LISTENER_FAILED = 4013,
	EVENT_CONFIGURATION_APPLIED = 4020,
	EVENT_CONFIGURATION_REFUSED = 4021,
	EVENT_COMMUNICATION_UNVERIFIED = 4030,
	EVENT_IDENTITY_CHANGED = 4040,
	EVENT_TRUSTED_KEY_REPLACED = 4031,
	EVENT_AGENT_STARTED = 5000,
	EVENT_AGENT_STOPPED = 5003,
	EVENT_CLOCK_CHANGED = 5004,
	EVENT_ROLE_RESTARTED = 5010,
	EVENT_UNLOAD_PASSWORD_REFUSED = 5020,
	EVENT_EVENTS_DROPPED = 6009,
	EVENT_LOG_DAMAGED = 6010,
	EVENT_LOW_DISK = 6012,
	EVENT_DISK_ENOUGH = 6013,

	EVENT_HEARTBEAT_SERVICE_FAILED = 120,
	EVENT_CREDENTIALS_GENERATED = 130,
	EVENT_CREDENTIALS_FAILED = 131,
	EVENT_ALERT_CHANGED = 191,
	EVENT_COMPUTER_CREATED = 250,
	EVENT_COMPUTER_DELETED = 251,
	EVENT_COMPUTER_CHANGED = 252,
	EVENT_POLICY_ASSIGNED = 253,
	EVENT_DUPLICATE_COMPUTER = 275,
	EVENT_POLICY_CREATED = 350,
	EVENT_POLICY_DELETED = 351,
	EVENT_POLICY_CHANGED = 352,
	EVENT_POLICY_REVERTED = 353,
	EVENT_POLICY_RESTORED = 354,
	EVENT_USER_LOCKED_OUT = 603,
	EVENT_USER_CREATED = 650,
	EVENT_USER_DELETED = 651,
	EVENT_USER_CHANGED = 652,
	EVENT_SIGNED_IN = 660,
	EVENT_SIGN_IN_REFUSED = 664,
	EVENT_ACTIVATED = 704,
	EVENT_ACTIVATION_FAILED = 705,
	EVENT_DEACTIVATED = 708,
	EVENT_UNKNOWN_REACTIVATED = 716,
	EVENT_CLONE_REKEYED = 717,
	EVENT_COMPUTER_MOVED = 718,
	EVENT_COMPUTER_UNINSTALLED = 719,
	EVENT_POLICY_SENT = 720,
	EVENT_POLICY_SEND_FAILED = 721,
	EVENT_COMPUTER_OFFLINE = 730,
	EVENT_COMPUTER_ONLINE = 731,
	EVENT_VM_STOPPED = 732,
	EVENT_VM_NOT_STOPPED = 733,
	EVENT_COMPUTER_CLOCK_CHANGE = 734,
	EVENT_COMPUTER_NOT_WATCHED = 735,
	EVENT_COMMUNICATION_PROBLEM = 742,
	EVENT_COMMUNICATION_RESOLVED = 743,
	EVENT_VERSION_MISMATCH = 762,
	EVENT_HEARTBEAT_REJECTED = 770,
	EVENT_UNRECOGNISED_AGENT = 771,
	EVENT_CERTIFICATE_ACCEPTED = 930,
	EVENT_CERTIFICATE_DELETED = 931,
	EVENT_KEY_CREATED = 932,
	EVENT_KEY_ROLLED_OVER = 933,
	EVENT_KEY_RESTORED = 934,
	EVENT_CERTIFICATE_EXPIRES = 935,
	EVENT_CERTIFICATE_RENEWED = 936,
	EVENT_AUTHORITY_PREPARED = 937,
	EVENT_AUTHORITY_TURNED = 938,
	EVENT_AUTHORITY_MISSING = 939,
	EVENT_AUTHORITY_BACK = 940,
	EVENT_KEY_FILE_LOST = 941,
	EVENT_KEY_FILE_BACK = 942,
	EVENT_COMMAND_ISSUED = 1200,
	EVENT_COMMAND_FINISHED = 1201,
	EVENT_COMMAND_TIMED_OUT = 1202,
	EVENT_QUARANTINE_FULL = 1300,
	EVENT_DESTINATION_FAILING = 1310,
	EVENT_DESTINATION_WORKS = 1311,
	EVENT_DESTINATION_TEST = 1312,
	EVENT_EVENTS_UNDELIVERED = 1313,
	EVENT_HYPERVISOR_FAILING = 1320,
	EVENT_HYPERVISOR_WORKS = 1321,
};

/* The row, NULL for a number nobody knows. */
const struct event_type *event_type_find(uint32_t number);
/* All rows, ascending by number. */
const struct event_type *event_types(size_t *ret_count);
/* The type's sentence in Japanese, with the same fields in it as `text`. */
const char *event_text_japanese(const struct event_type *type);
/* "info", "warning", "error". */
const char *event_severity_name(enum event_severity severity);
/* The inverse; EVENT_INFO for any other word. */
enum event_severity event_severity_of(const char *name);
/* The type's sentence with the fields' values in it, escaped; a field that is
 * missing reads "-". Sticky errors in out. */
void event_text(const struct event_type *type, const struct event_field *fields, size_t count, struct buf *out);

#endif
