/* The simulated world: one manager, a few machines, a network, disks, clocks.
 *
 * Everything happens in one thread, in the order of simulated time, from one
 * seed. The cores under test are the real ones; their shells are small copies
 * of what the daemons do (machine.c, manager.c). check.c holds what must be
 * true whatever happens. The first violation ends the run.
 */
#ifndef MUSTER_SIM_WORLD_H
#define MUSTER_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "alerts/alerts.h"
#include "endpoint/endpoint.h"
#include "fleet/fleet.h"

#define SIM_MACHINES_MAX 6
#define SIM_JOBS_MAX     512
#define SIM_FILES        3
#define SIM_COMPONENTS   2 /* that a configuration is for, beside the link */
#define SIM_START_WALL   ((time_us)1790000000 * SECOND_US)

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
	BREAKS
};

struct sim_options {
	uint64_t seed;
	unsigned steps; /* of the part with faults */
	enum sim_break broken;
	bool faults;
	bool verbose;
};

struct sim;
struct sim_event {
	time_us at;
	uint64_t order;
	void (*run)(struct sim *sim, struct sim_event *event);
	unsigned machine;
	uint64_t generation;
	unsigned lane;
	uint64_t token;
	uint64_t number;
	void *object;
	uint8_t *bytes; /* freed with the event */
	size_t size;
};

/* --- disk.c --- */
struct sim_file {
	const char *name;
	struct buf durable, pending; /* pending: appended, not synced */
};
struct sim_disk {
	struct sim_file files[SIM_FILES];
	int crash_after; /* operations until the process dies inside one; 0: not */
	bool dead;       /* it died: nothing has an effect any more */
	unsigned error_permille;
	bool lies; /* BREAK_NO_SYNC */
	struct sim *sim;
};
void disk_init(struct sim_disk *disk, struct sim *sim);
void disk_done(struct sim_disk *disk);
struct endpoint_storage disk_storage(struct sim_disk *disk);
void disk_process_died(struct sim_disk *disk);
void disk_power_lost(struct sim_disk *disk);
void disk_damage(struct sim_disk *disk);
void disk_copy(struct sim_disk *to, const struct sim_disk *from);

/* --- machine.c: a computer with guard and link --- */
struct sim_job {
	struct uuid id;
	unsigned begun; /* how often its work was begun */
	enum command_state state;
	time_us ends_at, left;
	bool told;
	enum command_state outcome;
	bool paused;
};
struct sim_notice {
	uint64_t source;
	uint64_t payload;
	uint32_t type;
};
struct sim_machine {
	struct sim *sim;
	unsigned index;
	struct uuid computer;
	bool up, removed;
	uint64_t generation;
	struct env env;
	span_us clock_offset;
	time_us clock_changed; /* when it last was, or the manager could not see it */
	time_us clock_told;    /* when the last event 734 that is stored was made */
	time_us clock_telling; /* when one was last made */
	time_us booted;
	struct endpoint *endpoint;
	struct sim_disk disk;
	uint64_t lane_token[ENDPOINT_LANES];
	time_us wake_at;
	time_us cut_until;
	uint64_t heartbeat_s;
	struct sim_job jobs[SIM_JOBS_MAX];
	size_t job_count;
	struct sim_notice *outbox;
	size_t outbox_count, outbox_capacity;
	uint64_t next_source;
	uint64_t made; /* payloads made, all of them */
	bool small_spool;
	uint64_t told_drops; /* sum of what stored 6009 events say, by the store */
	unsigned component_state;
	unsigned item_count;
	struct uuid items[64];
	unsigned item_states[64];
	bool rekey_asked;
	bool has_clone; /* or is one */
	bool damaged;
	unsigned configured[SIM_COMPONENTS]; /* the version in force in each; 0: none */
	bool dark;                           /* it goes a way on which the manager is not reached */
};
void machine_init(struct sim *sim, unsigned index);
void machine_done(struct sim_machine *machine);
void machine_start(struct sim_machine *machine);
void machine_kill(struct sim_machine *machine, bool power);
void machine_poll(struct sim_machine *machine);
void machine_detect(struct sim_machine *machine); /* an event from guard */
void machine_new_state(struct sim_machine *machine);
void machine_new_item(struct sim_machine *machine);
bool shares_identity(const struct sim_machine *machine);
void machine_clone(struct sim_machine *from, struct sim_machine *to);
void machine_unpause(struct sim_machine *machine, struct sim_job *job);
void machine_reply(struct sim *sim, struct sim_event *event);
void machine_no_reply(struct sim *sim, struct sim_event *event);

/* --- configuring.c: configurations, good and bad --- */
struct sim_configuration { /* as a message, in place */
	Muster__Wire__Configuration message;
	Muster__Wire__Field fields[4], *pointers[4];
	char values[4][16];
};
void configuring_make(unsigned version, struct sim_configuration *configuration);
struct endpoint_configurer configuring_shell(void);
/* Can a machine have it in force? */
bool configuring_fits(const struct sim_machine *machine, unsigned version);

/* --- store.c: committed data --- */
struct sim_stored_event {
	uint64_t number, payload;
	uint32_t type;
};
struct sim_stored_command {
	struct uuid id, computer;
	enum command_kind kind;
	struct uuid target;
	enum command_state state;
	time_us issued, expires;
	time_us issued_mono; /* simulated time */
	span_us timeout_us;
	uint8_t *envelope;
	size_t envelope_size;
	bool reported_end;
};
struct sim_stored_computer {
	struct fleet_computer record;
	uint64_t serial;
	struct sim_stored_event *events;
	size_t event_count, event_capacity;
	unsigned component_state;
	char host[64];
	struct uuid items[64];
	unsigned item_states[64], item_count;
	unsigned offline_events, online_events;
	char configuration_error[ENDPOINT_REASON_MAX_BYTES + 1];
	uint64_t told_drops;
};
struct sim_alert {
	enum alert_kind kind;
	struct uuid computer;
	char *subject;
	char detail[ALERT_DETAIL_MAX_BYTES + 1];
	bool open;
	unsigned raised, resolved;
};
struct sim_store {
	struct sim_alert *alerts;
	size_t alert_count, alert_capacity;
	struct sim_stored_computer computers[SIM_MACHINES_MAX * 2];
	size_t computer_count;
	struct sim_stored_command *commands;
	size_t command_count, command_capacity;
	unsigned clones;
};
struct sim_stored_computer *store_computer(struct sim *sim, const struct uuid *id);
struct sim_stored_command *store_command(struct sim *sim, const struct uuid *id);
struct sim_stored_computer *store_add_computer(struct sim *sim, const struct uuid *id, uint64_t heartbeat_s);
/* One write: all or nothing. */
int store_apply(struct sim *sim, const struct fleet_rows *rows);
void store_done(struct sim *sim);

/* --- manager.c --- */
struct sim_request;
struct sim_manager {
	bool up;
	uint64_t generation;
	struct fleet *fleet;
	struct env env;
	span_us clock_offset;
	time_us booted, started;
	time_us stalled_until;
	time_us last_commit;
	struct sim_request *requests;
	struct sim_request *woken;
	uint8_t wanted[SHA256_BYTES];
	unsigned configuration_version;
	/* what the checks compare with */
	time_us heard[SIM_MACHINES_MAX * 2]; /* simulated time of the last sign of life, by store index */
	time_us listening_since;
	time_us forgiven; /* silence before this does not count */
	time_us last_tick;
	time_us online_from[SIM_MACHINES_MAX * 2];
};
void manager_start(struct sim *sim);
void manager_kill(struct sim *sim);
void manager_done(struct sim *sim);
void manager_request(struct sim *sim, struct sim_event *event);
void manager_issue(struct sim *sim, struct sim_machine *machine, enum command_kind kind, const struct uuid *target);
void manager_cancel(struct sim *sim, struct sim_machine *machine);
void manager_new_configuration(struct sim *sim);
void manager_drop_machine(struct sim *sim, unsigned machine); /* its connections broke */

/* --- world.c --- */
struct sim {
	struct sim_options options;
	uint64_t random;
	time_us now;
	uint64_t order, token;
	struct sim_event **queue;
	size_t queue_count, queue_capacity;
	struct sim_machine machines[SIM_MACHINES_MAX];
	size_t machine_count;
	struct sim_manager manager;
	struct sim_store store;
	bool chaos;          /* faults are being made */
	bool clones, cloned; /* may there be any; was there one */
	bool failed;
	char failure[512];
	uint64_t steps, exchanges, crashes, commands;
};
uint64_t sim_random(struct sim *sim);
uint64_t sim_below(struct sim *sim, uint64_t bound);
bool sim_chance(struct sim *sim, unsigned permille); /* only while faults are made */
struct sim_event *sim_after(struct sim *sim, span_us delay, void (*run)(struct sim *sim, struct sim_event *event));
void sim_fail(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_log(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* One seed from start to end; false: a violation, described in text. */
struct sim_counts {
	uint64_t steps, exchanges, crashes, commands, events;
	span_us simulated;
};
bool sim_run(const struct sim_options *options, char *text, size_t capacity, struct sim_counts *counts);
/* Network. */
void network_request(struct sim_machine *machine, unsigned lane, uint64_t token, const struct buf *report);
void network_reply(struct sim *sim, unsigned machine, uint64_t generation, unsigned lane, uint64_t token,
		   const void *bytes, size_t size);
void network_error(struct sim *sim, unsigned machine, uint64_t generation, unsigned lane, uint64_t token);
/* Signatures and digests of the simulation: not secure, and alike in kind. */
void sim_digest(const void *data, size_t size, uint8_t out[SHA256_BYTES]);
void sim_sign(const void *message, size_t size, uint8_t signature[ENVELOPE_SIGNATURE_BYTES]);
bool sim_verify(void *context, const uint8_t key[ENVELOPE_KEY_BYTES], const void *message, size_t size,
		const uint8_t signature[ENVELOPE_SIGNATURE_BYTES]);
extern const struct envelope_key sim_key;

/* --- alerts.c --- */
void alerts_apply(struct sim *sim, const struct uuid *computer, const struct fleet_event_row *row);
void alerts_done(struct sim *sim);
void check_ticked(struct sim *sim, const struct fleet_rows *rows);
void check_reported(struct sim *sim, struct sim_machine *machine, const struct fleet_rows *rows);
void check_alerts(struct sim *sim);
void check_alerts_end(struct sim *sim);

/* --- check.c --- */
void check_step(struct sim *sim);
void check_reply(struct sim *sim, const struct uuid *computer, const Muster__Wire__Reply *reply);
void check_end(struct sim *sim);

#endif
