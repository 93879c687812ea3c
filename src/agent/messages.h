/* What guard and link say to each other (doc/architecture.md, "Channels").
 *
 * Link asks, guard answers each request with exactly one ANSWER (or
 * ANSWER_FILE) that carries the same request id; ITEM_LIST is answered by any
 * number of ITEM, then ANSWER. Of its own accord guard sends NOTICE (kept in
 * its outbox on disk and sent again after every restart, ascending numbers,
 * until link has said NOTICE_STORED), JOB_PROGRESS and COMPONENT (both: only
 * the newest counts, may be lost).
 *
 * Encoding is pure. A decoder copies nothing: `struct bytes` point into the
 * message, which lives until the next channel_receive(). A decoder answers
 * ERR_FORMAT or ERR_LIMIT: end that peer. The other end may have been taken
 * over, so every count and length has a limit here.
 */
#ifndef MUSTER_AGENT_MESSAGES_H
#define MUSTER_AGENT_MESSAGES_H

#include "base/hex.h"
#include "base/pack.h"
#include "base/units.h"
#include "os/channel.h"

#define MESSAGE_PATH_MAX_BYTES  4096
#define MESSAGE_PATHS_MAX       255
#define MESSAGE_FIELDS_MAX      24
#define MESSAGE_NAME_BYTES      32  /* of a field, a component; with NUL */
#define MESSAGE_DETECTION_BYTES 256 /* with NUL */
#define MESSAGE_VALUE_MAX_BYTES 8192
#define MESSAGE_ITEM_KEY_BYTES  32

enum message_type {
	/* guard to link */
	MESSAGE_NOTICE = 1,
	MESSAGE_JOB_PROGRESS,
	MESSAGE_COMPONENT,
	MESSAGE_ITEM,        /* one of a list: struct message_item */
	MESSAGE_ANSWER,      /* struct message_answer */
	MESSAGE_ANSWER_FILE, /* to ITEM_OPEN: the same, with a descriptor open for reading at 0 */
	/* link to guard */
	MESSAGE_JOB_START = 64,
	MESSAGE_JOB_PAUSE, /* struct message_target: a job */
	MESSAGE_JOB_RESUME,
	MESSAGE_JOB_CANCEL,
	MESSAGE_ITEM_RESTORE, /* struct message_target: an item */
	MESSAGE_ITEM_DELETE,
	MESSAGE_ITEM_LIST, /* empty */
	MESSAGE_ITEM_OPEN,
	MESSAGE_ITEM_PUT,      /* struct message_put, with a descriptor of the sealed bytes */
	MESSAGE_NOTICE_STORED, /* u64: every notice up to this number is durable at link's; not answered */
	MESSAGE_SETTINGS,      /* struct message_settings */
	MESSAGE_STOP,          /* empty: end the whole agent in good order */
	MESSAGE_STARTS_ANEW,   /* empty: link ends because it is another computer's from now on; not answered */
};

/* Channel tables: what link may receive, and what guard may. */
extern const struct channel_permit message_permits_link[];
extern const size_t message_permits_link_count;
extern const struct channel_permit message_permits_guard[];
extern const size_t message_permits_guard_count;

struct message_field {
	char name[MESSAGE_NAME_BYTES];
	struct bytes value; /* text; file names may be any bytes */
};

struct message_fields {
	struct message_field fields[MESSAGE_FIELDS_MAX];
	size_t count;
};
/* ERR_LIMIT when full or too long. The value is not copied. */
int message_fields_add(struct message_fields *fields, const char *name, const void *value, size_t size);

struct message_event {
	uint32_t type; /* number from spec 15-events-alerts.md */
	time_us time;
	struct message_fields fields;
};

struct message_progress {
	struct uuid job;
	bool counting;
	bool paused;
	uint64_t files_total, files_done, bytes_total, bytes_done;
	uint64_t detections, not_fully_scanned, errors;
	uint64_t skipped_unchanged; /* of files_done: verdict cache */
	uint64_t elapsed_ms;        /* running time, pauses left out */
	struct bytes path;          /* current file */
};

enum message_outcome { OUTCOME_SUCCEEDED = 1, OUTCOME_FAILED, OUTCOME_CANCELLED };

struct message_job_ended {
	enum message_outcome outcome;
	int code;                     /* err_code when failed */
	struct bytes text;            /* why it failed, or what was wrong with the first path that could not be read */
	struct bytes path;            /* that path; empty: text is about the whole */
	struct message_progress last; /* .job says which */
};

enum message_item_state { ITEM_HELD = 0, ITEM_RESTORED, ITEM_DELETED };

struct message_item {
	struct uuid id;
	enum message_item_state state;
	struct bytes path; /* absolute, where it was */
	uint8_t sha256[SHA256_BYTES];
	uint64_t size;         /* of the file */
	uint64_t sealed_bytes; /* of the sealed file; 0 when not held */
	char detection[MESSAGE_DETECTION_BYTES];
	time_us quarantined, modified;
	uint32_t uid, gid, mode;
};

enum message_notice_kind { NOTICE_EVENT = 1, NOTICE_JOB_ENDED, NOTICE_ITEM };

struct message_notice {
	uint64_t number; /* ascending from 1, never reused by this guard directory */
	enum message_notice_kind kind;
	union {
		struct message_event event;
		struct message_job_ended ended;
		struct message_item item;
	} body;
};

enum message_component_state { COMPONENT_WORKING = 1, COMPONENT_IDLE, COMPONENT_DEGRADED, COMPONENT_FAILED };

struct message_component {
	char name[MESSAGE_NAME_BYTES]; /* guard, scan */
	enum message_component_state state;
	struct bytes version, detail;
	struct message_fields facts;
};

struct message_answer {
	int code; /* 0 or err_code */
	struct bytes text;
	bool has_item; /* ITEM_OPEN: the item and its key */
	struct message_item item;
	uint8_t key[MESSAGE_ITEM_KEY_BYTES]; /* secret: wipe after use */
};

struct message_limits {
	uint64_t file_bytes_max;     /* larger files are "not fully scanned"; 0: the default */
	uint64_t expanded_bytes_max; /* of an archive, all together */
	uint32_t archive_files_max, archive_depth_max;
	uint32_t file_ms_max; /* time for one file */
};

struct message_paths {
	struct bytes paths[MESSAGE_PATHS_MAX];
	size_t count;
};

/* Answered when the job is durable; again with a known id: answered 0, nothing done. */
struct message_job_start {
	struct uuid job;
	struct message_paths paths, excludes; /* absolute; paths not empty */
	struct message_limits limits;         /* 0: from the settings */
};

struct message_target {
	struct uuid id;
	bool overwrite; /* ITEM_RESTORE alone */
};

/* A sealed copy fetched from the manager for an item whose own was lost; checked before it is kept. A key of
 * zeroes: the copy's header has it, wrapped by the vault's own key. */
struct message_put {
	uint8_t key[MESSAGE_ITEM_KEY_BYTES];
	struct message_item item;
};

struct message_settings {
	struct message_limits limits;
	struct message_paths excludes;
	uint32_t workers;     /* 0: one a processor */
	uint32_t idle_exit_s; /* the engine leaves memory after this; 0: the default */
	uint32_t cpu_percent; /* 0 or 100: no limit */
};

/* Encoders append to out (sticky error there); decoders want all of the payload. */
void message_pack_notice(struct buf *out, const struct message_notice *notice);
int message_unpack_notice(const void *data, size_t size, struct message_notice *ret_notice);
void message_pack_progress(struct buf *out, const struct message_progress *progress);
int message_unpack_progress(const void *data, size_t size, struct message_progress *ret_progress);
void message_pack_component(struct buf *out, const struct message_component *component);
int message_unpack_component(const void *data, size_t size, struct message_component *ret_component);
void message_pack_item(struct buf *out, const struct message_item *item);
int message_unpack_item(const void *data, size_t size, struct message_item *ret_item);
void message_pack_answer(struct buf *out, const struct message_answer *answer);
int message_unpack_answer(const void *data, size_t size, struct message_answer *ret_answer);
void message_pack_job_start(struct buf *out, const struct message_job_start *start);
int message_unpack_job_start(const void *data, size_t size, struct message_job_start *ret_start);
void message_pack_target(struct buf *out, const struct message_target *target);
int message_unpack_target(const void *data, size_t size, struct message_target *ret_target);
void message_pack_put(struct buf *out, const struct message_put *put);
int message_unpack_put(const void *data, size_t size, struct message_put *ret_put);
void message_pack_settings(struct buf *out, const struct message_settings *settings);
int message_unpack_settings(const void *data, size_t size, struct message_settings *ret_settings);
/* A part of other messages. */
void message_pack_limits(struct buf *out, const struct message_limits *limits);
void message_unpack_limits(struct unpack *in, struct message_limits *limits);
void message_pack_number(struct buf *out, uint64_t number); /* NOTICE_STORED */
int message_unpack_number(const void *data, size_t size, uint64_t *ret_number);

#endif
