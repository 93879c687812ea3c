/* The simulated world: managers, their machines, a network, disks, clocks.
 *
 * Everything happens in one thread, in the order of simulated time, from one
 * seed. The cores under test are the real ones; their shells are small copies
 * of what the daemons do (machine.c, manager.c). check.c, alerts.c and
 * liveness.c hold what must be true whatever happens. The first violation ends
 * the run.
 *
 * Two forms: a few machines among which something happens every few seconds,
 * everything checked after each step; and a fleet of thousands over weeks, with
 * nights and weekends (fleet_life.c), where a step checks whom it touched, the
 * predicted moments are exact (liveness.c), and everything is gone through
 * every few minutes of simulated time.
 */
#ifndef MUSTER_SIM_WORLD_H
#define MUSTER_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "check.h"
#include "machine.h"
#include "manager.h"
#include "store.h"

#define SIM_SMALL_MAX    6 /* machines of the small form, clones among them */
#define SIM_MANAGERS_MAX 3
#define SIM_START_WALL   ((time_us)1790035200 * SECOND_US) /* a Tuesday, midnight UTC */

/* Rules broken on purpose, to see that the checks notice. */
enum sim_break {
	BREAK_NOTHING,
	BREAK_ACKNOWLEDGE_EARLY, /* the manager acknowledges before the commit */
	BREAK_NO_SYNC,           /* the agent's disk says "synced" and is not */
	BREAK_JOURNAL_LOST,      /* the agent's journal is not kept over a restart */
	BREAK_FLOOR_UNCHECKED,   /* the store takes events whatever its floor */
	BREAK_DEAF_LIVENESS,     /* the manager is not told of most reports */
	BREAK_NOT_RESTORED,      /* a component keeps what the other one refused */
	BREAK_ALERT_LOST,        /* offline is stored, its alert is not */
	BREAK_ALERT_KEPT,        /* online is stored, the alert stays */
	BREAK_CHAIN_CUT,         /* of the way from key to key the last step alone is kept */
	BREAK_LEFT_FIRST,        /* the old manager is told before the new one has taken the agent */
	BREAK_FORMER_FORGOTTEN,  /* a manager that was left is not told */
	BREAK_NUMBER_TRUSTED,    /* an event whose number is not above the floor is taken for known */
	BREAK_LEAVES_TALKING,    /* a copy tells events as the computer that it is about to leave */
	BREAK_TOLD_KEPT,         /* what was told as one computer lies on as the agent becomes another */
	BREAK_STRANDED,          /* who is left by its own identity is refused, and told nothing */
	BREAK_PLACE_STALE,       /* where a machine was taken is not seen */
	BREAKS
};

struct sim_options {
	uint64_t seed;
	unsigned steps;    /* of the part with faults, in the small form */
	unsigned machines; /* 0: one to four, the small form */
	unsigned managers; /* 0: one or two, by the seed */
	unsigned days;     /* of the large form */
	enum sim_break broken;
	bool faults;
	bool copies; /* in every small world; else in every second one, by the seed */
	bool verbose, progress;
};

/* How often things fail, in a million. */
struct sim_weather {
	unsigned lost, late, twice;                     /* messages */
	unsigned write_fails, write_stalls, write_last; /* commits; last: the manager dies right after */
	unsigned disk_fails;                            /* an operation of an agent's disk */
	unsigned nobody_answers;                        /* a component that is given a configuration */
};

struct sim_event {
	time_us at;
	uint64_t order;
	void (*run)(struct sim *sim, struct sim_event *event);
	struct sim_manager *manager;
	unsigned machine;
	uint64_t generation;
	unsigned lane;
	uint64_t token;
	uint64_t number;
	void *object;
	uint8_t *bytes; /* freed with the event */
	size_t size;
};

/* --- queue.c --- */
struct sim_queue {
	struct sim_slot *slots;
	size_t count, capacity;
	uint64_t order;
	struct sim_event *spare;
	struct sim_block *blocks;
};
struct sim_event *sim_after(struct sim *sim, span_us delay, void (*run)(struct sim *sim, struct sim_event *event));
/* Is there one before `end`? */
bool queue_waits(const struct sim_queue *queue, time_us end);
struct sim_event *queue_take(struct sim_queue *queue);
void queue_free_event(struct sim_queue *queue, struct sim_event *event);
void queue_done(struct sim_queue *queue);

/* --- world.c --- */
#define SIM_SITES_MAX 64
struct sim_counts {
	uint64_t steps, exchanges, crashes, commands, events, alerts;
	uint64_t declared, stored, excused; /* offline, by the arithmetic; told; come back or crashed before it was */
	uint64_t faults, talks, set_back;
	uint64_t roll_overs, succession_signatures, orders_renewed;
	uint64_t moves_ordered, moves_refused, moves_lost, moves, farewells;
	uint64_t events_at_both; /* that a manager which was left took, and could not confirm any more */
	span_us simulated;
};
struct sim {
	struct sim_options options;
	struct sim_weather weather;
	uint64_t random;
	time_us now;
	uint64_t token;
	struct sim_queue queue;
	struct sim_machine *machines;
	size_t machine_count, machine_capacity;
	time_us machines_walked; /* when all of them were last gone through */
	time_us site_cut_until[SIM_SITES_MAX];
	unsigned sites;
	struct sim_manager managers[SIM_MANAGERS_MAX];
	unsigned manager_count;
	double began_s; /* processor time of this process */
	bool large;
	bool chaos;     /* faults are being made */
	bool clones;    /* may there be any */
	bool networked; /* networks have settings of their own */
	bool failed;
	char failure[512];
	struct sim_counts counts;
};
uint64_t sim_random(struct sim *sim);
uint64_t sim_below(struct sim *sim, uint64_t bound);
void sim_random_bytes(struct sim *sim, void *out, size_t size);
bool sim_chance(struct sim *sim, unsigned permille); /* only while faults are made */
bool sim_rare(struct sim *sim, unsigned ppm);        /* the same in a million */
void sim_fail(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_log(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* One seed from start to end; false: a violation, described in text. */
bool sim_run(const struct sim_options *options, char *text, size_t capacity, struct sim_counts *counts);
/* Network. */
span_us network_delay(struct sim *sim);
bool network_lost(struct sim *sim, unsigned machine);
void network_request(struct sim_machine *machine, unsigned lane, uint64_t token, const struct buf *report);
void network_reply(struct sim *sim, unsigned machine, uint64_t generation, unsigned lane, uint64_t token,
		   const void *bytes, size_t size);
void network_error(struct sim *sim, unsigned machine, uint64_t generation, unsigned lane, uint64_t token);
/* Signatures and digests of the simulation: not secure, and alike in kind. */
void sim_digest(const void *data, size_t size, uint8_t out[SHA256_BYTES]);
void sim_sign(unsigned key, const void *message, size_t size, uint8_t signature[ENVELOPE_SIGNATURE_BYTES]);
bool sim_verify(void *context, const uint8_t key[ENVELOPE_KEY_BYTES], const void *message, size_t size,
		const uint8_t signature[ENVELOPE_SIGNATURE_BYTES]);
struct envelope_key sim_key(unsigned number); /* keys.c */

/* --- main.c --- */
double sim_cpu_seconds(void);
bool needs_copies(enum sim_break broken);
void progress_day(const struct sim *sim, unsigned day);

/* --- happenings.c: what people and misfortune do --- */
void happenings_begin(struct sim *sim);

#endif
