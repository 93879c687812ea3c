/* Every limit of messages from outside, in one place.
 *
 * The bytes of a message are compared with its size limit before anything is
 * decoded; decoding draws on an arena with the given maximum; the counts and
 * lengths below are checked afterwards (src/wire/rules.c holds which limit
 * belongs to which field). A sender is held to the same limits when it encodes.
 */
#ifndef MUSTER_WIRE_LIMITS_H
#define MUSTER_WIRE_LIMITS_H

#include <stdint.h>

#define WIRE_PROTOCOL         1 /* of Report, Reply, EnrolRequest, EnrolReply */
#define WIRE_ENVELOPE_VERSION 1 /* of Signed */

/* Whole messages, as bytes on the wire. */
#define WIRE_REPORT_MAX_BYTES        (512 * 1024)
#define WIRE_REPLY_MAX_BYTES         (1024 * 1024)
#define WIRE_ENROL_REQUEST_MAX_BYTES (32 * 1024)
#define WIRE_ENROL_REPLY_MAX_BYTES   (96 * 1024)
#define WIRE_MANAGER_PROOF_MAX_BYTES (16 * 1024)
#define WIRE_RENEW_REQUEST_MAX_BYTES (8 * 1024)
#define WIRE_RENEW_REPLY_MAX_BYTES   (96 * 1024)
#define WIRE_SIGNED_MAX_BYTES        (48 * 1024) /* fits a message between roles (os/channel.h) */
#define WIRE_ENVELOPE_MAX_BYTES      (WIRE_SIGNED_MAX_BYTES + 512)

/* Memory that decoding one message may take: many tiny parts grow on decoding.
 * Honest messages stay below 8 times their size; two bytes can ask for 72. */
#define WIRE_ARENA_FACTOR      16
#define WIRE_ARENA_FIRST_BYTES (64 * 1024)

/* A sender stops adding events to a report at this many bytes of events; the
 * rest of WIRE_REPORT_MAX_BYTES is left for everything else. */
#define WIRE_REPORT_EVENTS_BYTES (256 * 1024)

/* Counts. */
#define WIRE_EVENTS_MAX             1000 /* per report */
#define WIRE_FIELDS_MAX             32   /* per event or command result */
#define WIRE_COMPONENTS_MAX         16
#define WIRE_FACTS_MAX              32 /* per component */
#define WIRE_ADDRESSES_MAX          32
#define WIRE_TRUSTED_KEYS_MAX       16
#define WIRE_REPORT_COMMANDS_MAX    256
#define WIRE_REPORT_QUARANTINE_MAX  500
#define WIRE_REPLY_COMMANDS_MAX     32
#define WIRE_BATCH_MAX              256  /* payloads signed together */
#define WIRE_BATCH_PATH_MAX         8    /* hashes from one of them to the root: log2 */
#define WIRE_REPLY_ACKNOWLEDGED_MAX 1000 /* ids of each kind per reply */
#define WIRE_REPLY_SUCCESSIONS_MAX  16   /* steps from one key to the next per reply; a longer way takes several */
#define WIRE_PROOF_SUCCESSIONS_MAX  64   /* the last ones, to an agent whose key is not known */
#define WIRE_SCAN_PATHS_MAX         256
#define WIRE_SETTINGS_MAX           512

/* Lengths in bytes, without a closing NUL. */
#define WIRE_NAME_MAX_BYTES        64   /* names of fields, components, facts, states */
#define WIRE_LABEL_MAX_BYTES       255  /* names that people give: computer, policy, group, host, version, detection */
#define WIRE_TEXT_MAX_BYTES        1024 /* sentences */
#define WIRE_ADDRESS_MAX_BYTES     64
#define WIRE_PATH_MAX_BYTES        4096
#define WIRE_FIELD_VALUE_MAX_BYTES 8192 /* of an event, a result or a setting */
#define WIRE_TOKEN_MAX_BYTES       128
#define WIRE_REQUEST_MAX_BYTES     4096  /* PKCS#10, DER */
#define WIRE_CERTIFICATE_MAX_BYTES 16384 /* PEM, one or a few */
#define WIRE_AUTHORITY_MAX_BYTES   49152 /* PEM: roots, and how each follows from the one before */

/* Numbers. */
#define WIRE_HOLD_MAX_S             3600
#define WIRE_PACE_MAX_S             (90 * 24 * 3600) /* a network's 129,600 minutes */
#define WIRE_HEARTBEAT_MAX_S        86400
#define WIRE_COMMAND_TIMEOUT_MAX_US (30 * INT64_C(86400000000))
#define WIRE_TIME_MAX_US            INT64_C(253402300799999999) /* end of the year 9999: sums do not overflow */
#define WIRE_RETURN_AFTER_MAX_MS    (24u * 3600u * 1000u)

#endif
