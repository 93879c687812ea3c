/* Inside src/endpoint: the agent's end as one struct of parts. */
#ifndef MUSTER_ENDPOINT_PARTS_H
#define MUSTER_ENDPOINT_PARTS_H

#include "base/map.h"
#include "endpoint/configuration.h"
#include "endpoint/endpoint.h"
#include "endpoint/journal.h"
#include "endpoint/revision.h"
#include "endpoint/spool.h"
#include "wire/succession.h"

#define ENDPOINT_HEARTBEAT_DEFAULT_US (10 * MINUTE_US)
#define ENDPOINT_SPOOL_EVENTS         20000
#define ENDPOINT_SPOOL_BYTES          (32 * MIB)
#define ENDPOINT_ITEMS_MAX            100000
#define ENDPOINT_PROGRESS_US          (2 * SECOND_US)
#define ENDPOINT_URGENT_GAP_US        (100 * MILLISECOND_US) /* events that come together go together */
#define ENDPOINT_BACKOFF_FIRST_US     (2 * SECOND_US)
#define ENDPOINT_BACKOFF_MAX_US       (5 * MINUTE_US)
#define ENDPOINT_RETRY_AFTER_MAX_US   HOUR_US
#define ENDPOINT_OUTAGE_FAILURES      2
#define ENDPOINT_STOP_WAIT_US         (30 * SECOND_US) /* for the actor to stop what timed out */
#define ENDPOINT_NEVER                INT64_MAX

struct kept_component {
	Muster__Wire__Component *component; /* own memory */
	struct revision revision;
};

struct kept_item {
	Muster__Wire__QuarantineItem *item; /* own memory */
	struct revision revision;
};

struct lane {
	bool under_way;
	bool full;
	uint32_t hold_s;
	bool told_something; /* the report under way waits for acknowledgements */
	time_us sent_at;
	time_us next_at;      /* monotonic */
	uint64_t last_id;     /* highest spool id carried */
	uint64_t last_number; /* highest event number carried, 0: none */
	uint64_t sequence;    /* of the report under way */
	uint32_t keys;        /* key_changes when it was made */
	unsigned failures;
};

struct known_configuration {
	Muster__Wire__Configuration *content; /* own memory; NULL: none */
	uint8_t fingerprint[SHA256_BYTES];
	struct endpoint_connection connection;
};

enum configuration_step {
	CONFIGURATION_STILL,
	CONFIGURATION_APPLYING,  /* the candidate, in the components */
	CONFIGURATION_TRYING,    /* it is in force, the manager is to be reached with it */
	CONFIGURATION_RESTORING, /* the last good one, or the agent's own file */
};

struct configuring {
	enum configuration_step state;
	time_us due; /* monotonic: of the state; STILL: none */
	struct known_configuration kept, candidate;
	struct endpoint_connection own, used;
	uint64_t order; /* the last one given to the shell */
	bool lost;      /* the kept one could not be put in force again */
	bool has_refused;
	uint8_t failures;  /* of the refused one, in force */
	uint8_t attempts;  /* to put `attempted` in force, not ended yet */
	bool listens_only; /* in the file: see configuration_listens_only() */
	uint8_t refused[SHA256_BYTES], attempted[SHA256_BYTES];
	time_us again_at; /* monotonic: the refused one is not tried before */
	char reason[ENDPOINT_REASON_MAX_BYTES + 1];
};

struct endpoint {
	struct endpoint_options options;
	struct endpoint_storage storage;
	struct envelope_key *keys;
	size_t key_count;
	uint32_t key_changes; /* in this run */
	struct spool spool;
	struct journal journal;
	uint64_t session, sequence;
	struct lane lanes[REVISION_LANES];
	uint64_t carried_id;   /* highest spool id that any report carried in this run */
	unsigned rekey_waited; /* replies that told us to take another identity before that was acknowledged */
	enum link_direction direction;
	bool proven;              /* the direction has worked */
	bool alone;               /* it only listens, was dialled by nobody for long, and asks by itself */
	time_us alone_at;         /* monotonic: when it does, if it only listens */
	time_us not_before;       /* asked by the manager */
	span_us return_window_us; /* announced by it: when it is lost, the next call is at a moment drawn from this */
	time_us return_by;        /* monotonic: the end of that window; past: the manager was there */
	span_us pace_us;          /* of the network we are in, as the last reply said; 0: as the configuration says */
	bool pace_periodic;       /* nothing is held open there */
	bool full_wanted;
	bool hurried;
	bool outage_told;
	struct kept_component components[WIRE_COMPONENTS_MAX];
	size_t component_count;
	Muster__Wire__Host *host;
	struct revision host_revision, configuration_revision;
	struct configuring configuring;
	struct kept_item *items;
	size_t item_count, item_capacity;
	struct map *item_index; /* id -> index + 1 */
	int refusal_code;       /* of the last envelope refused, told once an hour */
	time_us refusal_at;
	uint64_t refusals_told;
	struct endpoint_status status;
};

static inline time_us endpoint_now(const struct endpoint *endpoint)
{
	return env_monotonic(endpoint->options.env);
}

/* endpoint.c */
/* An event of the endpoint's own, fields as texts; a failure is not the caller's. */
struct text_field {
	const char *name;
	const char *text;
};
void endpoint_note(struct endpoint *endpoint, uint32_t type, const struct text_field *fields, size_t count);

/* dialled.c */
/* Another direction, not proven yet; the same one stays as it is. */
void direction_use(struct endpoint *endpoint, enum link_direction direction);
/* With which it starts, once the files are read: is it proven? */
void direction_start(struct endpoint *endpoint);
/* One that only listens and was dialled by nobody for a day, or three heartbeats if that is longer, asks by itself and
 * tells how it is to be reached: the manager may have been told otherwise by a copy of it, or by itself before it was
 * set back. Once an hour or two, until it is heard; then until it is dialled. */
time_us direction_due(const struct endpoint *endpoint);
void direction_tick(struct endpoint *endpoint);
void direction_failed(struct endpoint *endpoint); /* a report of its own */

/* reply.c: takes a decoded reply on a lane; true: it told or acknowledged something. */
bool reply_take(struct endpoint *endpoint, enum endpoint_lane lane, const Muster__Wire__Reply *reply);
void reply_act(struct endpoint *endpoint, enum endpoint_lane lane, const Muster__Wire__Reply *reply);
void reply_in_contact(struct endpoint *endpoint);

/* keys.c: follows the successions of a reply. late: it answers a report in which another key was told. */
void keys_arrived(struct endpoint *endpoint, const Muster__Wire__Reply *reply, bool late);

/* state.c */
void state_done(struct endpoint *endpoint);
void state_make_full(struct endpoint *endpoint);
void state_lane_ended(struct endpoint *endpoint, unsigned lane, bool told);
bool state_waits(const struct endpoint *endpoint);
bool items_wait(const struct endpoint *endpoint);
void item_acknowledged(struct endpoint *endpoint, unsigned lane, const struct uuid *id);

/* commands.c */
/* False: it could not be kept, and what came after it in the same reply may not overtake it. */
bool command_accept(struct endpoint *endpoint, const Muster__Wire__Signed *content);
void commands_resume(struct endpoint *endpoint);
int commands_tick(struct endpoint *endpoint);
time_us commands_due(const struct endpoint *endpoint);

/* configuration.c, configuration_way.c (the way to the manager) */
int configuration_open(struct endpoint *endpoint, struct err *err);
/* Puts the kept one in force again, after a start. */
void configuration_start(struct endpoint *endpoint);
void configuration_done(struct endpoint *endpoint);
/* A verified one: packed as it was signed, and its digest. */
void configuration_arrived(struct endpoint *endpoint, const void *packed, size_t size,
			   const uint8_t fingerprint[SHA256_BYTES]);
/* A genuine one whose dates envelope_check_dates() refuses: the manager is told, or it would send it for ever. */
void configuration_out_of_date(struct endpoint *endpoint, const uint8_t fingerprint[SHA256_BYTES], int dates);
/* The manager answered a report. */
void configuration_reached(struct endpoint *endpoint);
/* Reports are to be answered at once: the answer is what is waited for. */
bool configuration_on_trial(const struct endpoint *endpoint);
/* Keeps on disk that the manager has stored that it must dial this agent, or that it may not have: no other direction
 * is used, and told, while the file still says so. An agent that starts with a direction in which it only listens
 * relies on that. */
void configuration_listens_only(struct endpoint *endpoint, bool listens_only);
void configuration_own_direction(struct endpoint *endpoint, enum link_direction direction);
/* NULL: none. */
const uint8_t *configuration_in_force(const struct endpoint *endpoint);
time_us configuration_due(const struct endpoint *endpoint);
void configuration_tick(struct endpoint *endpoint);

/* timing.c */
/* No report is under way any more; the next one is due. */
void timing_redial(struct endpoint *endpoint);
void timing_begin(struct endpoint *endpoint, enum endpoint_lane lane, uint32_t hold_s);
void timing_replied(struct endpoint *endpoint, enum endpoint_lane lane, bool useful, uint32_t return_after_ms);
/* How often to report here; before timing_replied(). */
void timing_pace(struct endpoint *endpoint, const Muster__Wire__Pace *pace);
/* How long the manager may hold the next report of the lane. */
uint32_t timing_hold_s(const struct endpoint *endpoint, enum endpoint_lane lane);

#endif
