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

#include "alerts/alerts.h"
#include "base/map.h"
#include "endpoint/configuration.h"
#include "endpoint/endpoint.h"
#include "endpoint/move.h"
#include "fleet/fleet.h"
#include "manager/front/enrolment_rules.h"
#include "manager/front/membership_rules.h"

#define SIM_SMALL_MAX      6 /* machines of the small form, clones among them */
#define SIM_MANAGERS_MAX   3
#define SIM_NAME_BYTES     24
#define SIM_FORMERS_MAX    8
#define SIM_RENEWALS_MAX   16
#define SIM_JOBS_MAX       512
#define SIM_ITEMS_MAX      32
#define SIM_FILES          4
#define SIM_FILE_MAX_BYTES (64 * MIB)
#define SIM_PAYLOADS       1000000                           /* of one machine, at most */
#define SIM_COMPONENTS     2                                 /* that a configuration is for, beside the link */
#define SIM_START_WALL     ((time_us)1790035200 * SECOND_US) /* a Tuesday, midnight UTC */
#define SIM_TICK_US        SECOND_US
#define SIM_WRITE_MOST_US  (50 * MILLISECOND_US) /* that a commit takes, */
#define SIM_STALL_MOST_US  (59 * SECOND_US)      /* and what a disk that stalls adds */
#define TICK_LATE_US       (15 * SECOND_US)      /* a tick later than this: the manager did not listen meanwhile */

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

struct sim;
struct sim_manager;
struct sim_stored_computer;
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

/* --- disk.c --- */
struct sim_file {
	const char *name;
	struct buf durable, pending; /* pending: appended, not synced */
};
struct sim_disk {
	struct sim_file files[SIM_FILES];
	int crash_after; /* operations until the process dies inside one; 0: not */
	bool dead;       /* it died: nothing has an effect any more */
	unsigned error_ppm;
	bool lies; /* BREAK_NO_SYNC */
	struct sim *sim;
};
void disk_init(struct sim_disk *disk, struct sim *sim);
void disk_done(struct sim_disk *disk);
struct endpoint_storage disk_storage(struct sim_disk *disk);
void disk_process_died(struct sim_disk *disk);
void disk_power_lost(struct sim_disk *disk);
void disk_damage(struct sim_disk *disk);
void disk_damage_end(struct sim_disk *disk);
/* True: something of the agent's own on the disk is done; false: the process died before it. */
bool disk_step(struct sim_disk *disk);
void disk_copy(struct sim_disk *to, const struct sim_disk *from);

/* --- keys.c: a manager's server authentication keys --- */
#define SIM_KEYS_MAX 200
struct sim_keys {
	unsigned present; /* in the keys role's file: the number of the key, and of the steps to it */
	unsigned stored;  /* of them in the database */
	struct succession steps[SIM_KEYS_MAX];
	struct key_chain *chain;
};

/* --- machine.c: a computer with guard and link --- */
/* An agent's own, as in the directory of an identity. */
struct sim_identity {
	struct sim_manager *manager;
	struct uuid computer;
	uint64_t certificate;
	unsigned key; /* the manager's, when it enrolled */
	char name[SIM_NAME_BYTES];
};
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
enum sim_presence { PRESENCE_ALWAYS, PRESENCE_OFFICE, PRESENCE_SHIFT, PRESENCE_LAPTOP, PRESENCES };
struct sim_machine {
	struct sim *sim;
	unsigned index;
	/* Its identity: */
	struct sim_manager *manager; /* to which it belongs */
	struct uuid computer;
	uint64_t certificate;
	char name[SIM_NAME_BYTES];
	unsigned place; /* where it is, by its address (networks.c) */
	bool roamed;
	struct sim_moving *moving; /* moves.c; NULL: there is one manager alone */
	unsigned site;
	enum sim_presence presence;
	unsigned shift;
	uint64_t stay; /* since its people switched it on */
	time_us stay_until;
	bool up, removed;
	uint64_t generation;
	struct env env;
	span_us clock_offset;
	time_us clock_changed; /* when it last was; 0: never */
	time_us clock_told;    /* when the last event 734 that is stored was made */
	time_us clock_telling; /* when one was last made */
	time_us booted;
	struct endpoint *endpoint;
	struct sim_disk disk;
	uint64_t lane_token[ENDPOINT_LANES];
	time_us paced_since;
	unsigned paced; /* replies since then, which is a minute ago at most */
	time_us wake_at;
	time_us cut_until;
	uint64_t heartbeat_s;
	struct sim_job *jobs;
	size_t job_count, job_capacity;
	struct sim_notice *outbox;
	size_t outbox_count, outbox_capacity;
	uint64_t next_source;
	uint64_t made;    /* payloads made, all of them */
	uint8_t *stored;  /* a bit for each of them: the manager has it */
	uint8_t *excused; /* the same: it was recorded after the snapshot that the machine was set back to */
	size_t stored_size;
	bool small_spool;
	uint64_t told_drops; /* sum of what stored 6009 events say, by the store */
	unsigned component_state;
	unsigned item_count;
	struct uuid items[SIM_ITEMS_MAX];
	unsigned item_states[SIM_ITEMS_MAX];
	bool rekey_asked;
	bool has_clone;                    /* or is one */
	unsigned twin;                     /* the other one */
	uint64_t between_from, between_to; /* payloads that guard had not given away for good when a copy was made */
	bool was_set_back;
	struct sim_snapshot *snapshot; /* NULL: none */
	bool checked;                  /* at the end */
	bool damaged;
	unsigned configured[SIM_COMPONENTS]; /* the version in force in each; 0: none */
	bool delicate;                       /* it cannot have every configuration; nor can a copy of it */
	bool dark;                           /* it goes a way on which the manager is not reached */
	struct sim_request *requests;        /* at its manager */
	uint64_t talk;                       /* the connection that the manager dialled last; 0: closed */
	enum link_direction direction;       /* as it told the manager */
	unsigned enrolled_key;               /* its manager's, when it enrolled */
};
void machine_init(struct sim *sim, unsigned index);
void machine_done(struct sim_machine *machine);
void machine_start(struct sim_machine *machine);
/* It has another address: its connections are gone. */
void machine_new_address(struct sim_machine *machine);
/* The link ends by itself and is started again. */
void machine_start_anew(struct sim_machine *machine);
void machine_kill(struct sim_machine *machine, bool power);
/* Switched off by its people, until then. */
void machine_leave(struct sim_machine *machine, time_us until);
void machine_come_back(struct sim_machine *machine);
bool machine_is_cut(const struct sim_machine *machine);
void machine_poll(struct sim_machine *machine);
void machine_detect(struct sim_machine *machine); /* an event from guard */
void machine_new_state(struct sim_machine *machine);
void machine_new_item(struct sim_machine *machine);
/* Just before it ends to go on as another computer. */
void machine_leaves_identity(struct sim_machine *machine);
bool shares_identity(const struct sim_machine *machine);
/* It has taken another one in the place of this, which a second one may have had too. */
void machine_left(struct sim *sim, struct sim_stored_computer *computer);
/* The identity that it has taken may be another one's already. */
void machine_took(struct sim_machine *machine);
void machine_clone(struct sim_machine *from, struct sim_machine *to);
void machine_unpause(struct sim_machine *machine, struct sim_job *job);
/* --- setting_back.c --- */
void snapshot_take(struct sim_machine *machine);
void snapshot_restore(struct sim_machine *machine);
void snapshot_free(struct sim_snapshot *snapshot);
/* What it recorded and nobody has stored is gone, and nobody's fault. */
void excuse_unstored(struct sim_machine *machine);
void machine_reply(struct sim *sim, struct sim_event *event);
void machine_no_reply(struct sim *sim, struct sim_event *event);

/* --- configuring.c: configurations, good and bad --- */
#define SIM_SETTINGS 5
struct sim_configuration { /* as a message, in place */
	Muster__Wire__Configuration message;
	Muster__Wire__Field fields[SIM_SETTINGS], *pointers[SIM_SETTINGS];
	char values[SIM_SETTINGS][16];
};
void configuring_make(const struct sim *sim, unsigned version, struct sim_configuration *configuration);
/* What a policy of this version says to the manager; interval 0: what the computer has. */
void configuring_heartbeat(const struct sim *sim, unsigned version, span_us *ret_interval_us, uint32_t *ret_missed);
struct endpoint_configurer configuring_shell(void);
/* Can a machine have it in force? */
bool configuring_fits(const struct sim_machine *machine, unsigned version);

/* --- store.c: committed data --- */
struct sim_stored_command {
	struct uuid id, computer;
	enum command_kind kind;
	struct uuid target;
	enum command_state state;
	time_us issued, expires;
	time_us issued_mono;  /* simulated time */
	time_us write_failed; /* the last one of its end; 0: none */
	unsigned machine;
	size_t open_at; /* its place among the open ones */
	span_us timeout_us;
	uint8_t *envelope;
	size_t envelope_size;
	bool reported_end;
	bool cut_off; /* it ended with its computer's membership */
};
/* What the specification's arithmetic says of a computer, from what was heard of it alone (liveness.c). */
struct sim_life {
	span_us interval_us;
	span_us agent_us; /* by which its agent goes, as it said last */
	bool in_force;    /* the configuration that it should have, as its agent said last */
	uint32_t missed;
	time_us heard;     /* simulated time of the last sign of life */
	time_us policy_at; /* when the policy last changed */
	time_us watch_at;  /* when it is looked at next; INT64_MAX: not */
	bool out;          /* not managed: it may be silent for ever */
	bool offline;
	bool known;         /* it was heard since the manager started */
	bool overdue;       /* among those that the next tick must declare */
	bool owed;          /* declared, and not stored yet */
	bool told;          /* the last event stored about it is "offline" */
	bool shared;        /* two hold its identity, and nobody can say who was heard */
	time_us alone_from; /* simulated time since when one of them is left */
	unsigned declared, stored, excused;
};
/* --- events.c --- */
struct sim_kept_event {
	uint64_t number, mark;
};
struct sim_kept_events {
	struct sim_kept_event *list; /* ascending */
	size_t count, capacity;
};
bool events_known(const struct sim_kept_events *events, uint64_t number, uint64_t mark);
bool events_number_taken(const struct sim_kept_events *events, uint64_t number);
void events_keep(struct sim_kept_events *events, uint64_t number, uint64_t mark);

struct sim_stored_computer {
	struct fleet_computer record;
	enum standing standing;
	uint64_t certificate;
	uint64_t formers[SIM_RENEWALS_MAX]; /* certificates that were renewed */
	unsigned former_count;
	bool left_behind; /* it was made for an agent whose identity had gone on without it */
	/* The last agent that had it was set back to a former certificate, and is another computer now, here or
	 * elsewhere. */
	bool abandoned;
	char name[SIM_NAME_BYTES];
	struct uuid attempt;  /* by which it enrolled */
	bool used;            /* its agent has reported with the identity that it was given last */
	bool let_back;        /* by a person, while its agent was elsewhere */
	unsigned times_taken; /* by an agent that enrolled under its name: its events have no numbers any more */
	unsigned times_left;  /* told by its agent that it had moved */
	unsigned moved_events;
	struct sim_life life;
	unsigned machine; /* that holds the identity, the last one that took it */
	unsigned holders;
	bool was_shared;
	span_us own_interval_us; /* as its agent's own file has it */
	unsigned version;        /* of the configuration it should have */
	time_us online_from;
	uint64_t serial;
	uint64_t event_count;
	struct sim_kept_events events;
	struct sim_alert *alerts, *offline_alert;
	unsigned component_state;
	struct uuid items[SIM_ITEMS_MAX];
	unsigned item_states[SIM_ITEMS_MAX], item_count;
	unsigned offline_events, online_events, problem_events, resolved_events;
	char *configuration_error; /* NULL: none */
	uint64_t told_drops;
	bool touched; /* something of it changed in this step */
};
struct sim_alert {
	struct sim_alert *next;
	enum alert_kind kind;
	char *subject;
	char detail[ALERT_DETAIL_MAX_BYTES + 1];
	bool open;
	unsigned raised, resolved;
};
struct sim_store {
	struct sim_stored_computer *computers;
	size_t computer_count, computer_capacity;
	struct map *computer_index; /* id -> place + 1 */
	struct sim_stored_command *commands;
	size_t command_count, command_capacity;
	struct map *command_index;
	size_t *open; /* places of commands that have not ended */
	size_t open_count, open_capacity;
	uint64_t alerts_raised, event_count;
};
struct sim_stored_computer *store_computer(const struct sim_manager *manager, const struct uuid *id);
/* Has the computer an agent? */
bool store_has_agent(const struct sim_manager *manager, const struct sim_stored_computer *computer);
/* As its manager has it. */
struct sim_stored_computer *store_machine(const struct sim_machine *machine);
struct sim_stored_command *store_command(const struct sim_manager *manager, const struct uuid *id);
/* Of a machine that has this identity, or is given it now. */
struct sim_stored_computer *store_add_computer(const struct sim_machine *machine, const struct sim_identity *identity);
/* All that is open ends with the computer's membership. */
void store_cut_commands(struct sim_manager *manager, const struct uuid *computer, bool fulfils_move);
struct sim_stored_command *store_add_command(struct sim_manager *manager, const struct sim_stored_command *given);
/* One write: all or nothing. */
int store_apply(struct sim_manager *manager, const struct fleet_rows *rows);
void store_init(struct sim_manager *manager, size_t computers);
void store_done(struct sim_manager *manager);

/* --- manager.c --- */
struct sim_request;
struct sim_talk;
struct sim_manager {
	struct sim *sim;
	unsigned index;
	struct sim_store store;
	struct sim_keys keys;
	struct enrolment_rules rules;
	struct sim_networks *networks;
	struct sim_enrolment_token *tokens;
	size_t token_count, token_capacity;
	bool up;
	uint64_t generation;
	struct fleet *fleet;
	struct env env;
	span_us clock_offset;
	time_us booted, started;
	uint32_t boot;      /* which one of its machine this is, from 1 */
	uint32_t zero_boot; /* on which clock_zero was taken */
	span_us clock_zero; /* its wall clock less its monotonic one, at its first start on this boot */
	time_us stalled_until;
	time_us last_commit;
	struct sim_request *requests;
	struct sim_request *spare; /* memory of earlier ones */
	struct sim_request *woken;
	struct sim_talk *talks;
	struct map *talk_index; /* by id; NULL: there was none yet */
	time_us dials_at;       /* simulated time of the event that dials next */
	bool dies_at_commit;
	unsigned configuration_version;
	/* what the checks compare with */
	time_us listening_since;
	time_us forgiven; /* silence before this does not count */
	time_us last_tick;
	size_t *touched; /* computers that this step changed */
	size_t touched_count;
	size_t *overdue; /* to be declared offline by the next tick (liveness.c) */
	size_t overdue_count;
	time_us walked; /* when everything was last gone through */
};
void manager_init(struct sim *sim, size_t computers);
void manager_start(struct sim_manager *manager);
void manager_kill(struct sim_manager *manager);
void manager_done(struct sim_manager *manager);
/* An event that ends with this run of the manager. */
struct sim_event *manager_after(struct sim_manager *manager, span_us delay,
				void (*run)(struct sim *sim, struct sim_event *event));
/* NULL: that run has ended. */
struct sim_manager *manager_of(const struct sim_event *event);
void manager_request(struct sim *sim, struct sim_event *event);
void manager_issue(struct sim_machine *machine, enum command_kind kind, const struct uuid *target);
void manager_cancel(struct sim_machine *machine);
/* A new policy for a site, or for all (-1). */
void manager_new_configuration(struct sim_manager *manager, int site);
/* It should have the policy as it is now. */
void manager_give_policy(struct sim_manager *manager, struct sim_stored_computer *computer);
/* When a write that is given to the store now is committed. */
time_us manager_commit_at(struct sim_manager *manager);
void manager_fingerprint(const struct sim *sim, unsigned version, uint8_t out[SHA256_BYTES]);
void manager_drop_machine(struct sim_machine *machine); /* its connections broke */
void manager_heard(struct sim_manager *manager, const struct uuid *computer, const Muster__Wire__Report *report);
/* Stores an exchange's rows, then talk_stored(). */
void manager_store_talk(struct sim_manager *manager, struct fleet_exchange *exchange, struct arena *arena,
			uint64_t talk);
/* Signs and adds the configuration if wanted, and packs. */
void manager_pack_reply(struct sim_manager *manager, Muster__Wire__Reply *reply, bool configuration,
			const struct uuid *id, struct buf *out);

/* Signs a packed Signed with the present key: a packed envelope, to free(). */
uint8_t *manager_sign_payload(struct sim_manager *manager, const void *payload, size_t size, size_t *ret_size);
void manager_answer_woken(struct sim_manager *manager);

/* --- keys.c --- */
struct envelope_key keys_of_machine(struct sim_machine *machine);
void keys_manager_started(struct sim_manager *manager);
void keys_manager_ended(struct sim_manager *manager);
void keys_roll_over(struct sim_manager *manager);
/* The number of its present key, of all managers' keys. */
unsigned keys_present(const struct sim_manager *manager);
void keys_renew_orders(struct sim_manager *manager, const struct uuid *computer);
void keys_check(const struct sim_machine *machine);
void keys_end(struct sim_manager *manager);

/* --- talk.c: a manager dials --- */
void talk_dial(void *manager); /* fleet_options.dial */
/* The rows are stored (or there were none); takes exchange and arena. */
void talk_stored(struct sim_manager *manager, uint64_t talk, struct fleet_exchange *exchange, struct arena *arena);
/* The computer is not managed any more: what is open to it is cut. */
void talk_drop(struct sim_manager *manager, const struct uuid *computer);
void talk_begin_all(struct sim_manager *manager); /* the manager starts */
void talk_end_all(struct sim_manager *manager);   /* the manager ends */

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

/* --- fleet_life.c: nights, weekends, shifts --- */
void presence_init(struct sim_machine *machine);
/* It is on: when does it go? */
void presence_begin(struct sim_machine *machine);

/* --- liveness.c: who is offline by the specification's arithmetic --- */
void life_init(struct sim_manager *manager, struct sim_stored_computer *computer, span_us interval_us, uint32_t missed);
void life_policy(struct sim_manager *manager, struct sim_stored_computer *computer, span_us interval_us,
		 uint32_t missed);
void life_heard(struct sim_manager *manager, struct sim_stored_computer *computer, const Muster__Wire__Report *report);
/* The fleet declares it offline, or sees it come back. */
void life_trace(void *manager, const struct uuid *computer, const char *what, const char *from, const char *to);
void life_ticked(struct sim_manager *manager);
/* Event 730 or 731 was stored. */
void life_stored(struct sim_manager *manager, struct sim_stored_computer *computer, uint32_t type);
void life_manager_started(struct sim_manager *manager);
/* Its membership ended; it began again, by another agent or the same. */
void life_leave(struct sim_stored_computer *computer);
void life_return(struct sim_manager *manager, struct sim_stored_computer *computer);
void life_share(struct sim_stored_computer *computer);
void life_end(struct sim_manager *manager, struct sim_stored_computer *computer);
/* Silence counts from the last sign of life, and only while the manager listens. */
time_us life_silent_from(const struct sim_manager *manager, const struct sim_stored_computer *computer);
span_us life_allowed(const struct sim_stored_computer *computer);

/* --- joining.c: memberships begin and end at a manager --- */
struct sim_leaving {
	struct uuid computer;
	uint64_t certificate, generation;
};
struct sim_enrolment { /* as an agent asks for it */
	unsigned machine;
	uint64_t machine_generation, asked;
	struct uuid attempt;
	uint64_t token;
	char name[SIM_NAME_BYTES];
	enum link_direction direction;
};
void joining_init(struct sim_manager *manager);
/* A token for one computer; now and then one that is good for nothing. */
uint64_t joining_token(struct sim_manager *manager);
/* At the manager: an agent asks to be enrolled; one says that it has left. */
void joining_asked(struct sim *sim, struct sim_event *event);
void joining_left(struct sim *sim, struct sim_event *event);
/* Is the computer managed, and by this certificate? */
bool joining_admits(const struct sim_stored_computer *computer, uint64_t certificate);
/* What the manager's roster says of it. */
enum roster_standing joining_standing(const struct sim_stored_computer *computer, uint64_t certificate);
/* Is an agent that shows it told to take another identity? */
bool joining_rekeys(const struct sim_manager *manager, const struct sim_stored_computer *computer,
		    uint64_t certificate);
/* It asks for another identity by the one that it has. */
bool joining_may_rekey(const struct sim_machine *machine);
/* Its certificate is followed by another, which it has used. */
void joining_renew(struct sim_machine *machine);
/* A person ends a membership, and begins it again some time later. */
void joining_deactivate(struct sim_machine *machine);
/* Its certificate is good for nothing any more; after a while people activate it anew. */
void joining_revoke(struct sim_machine *machine);

/* --- moves.c: agents go from one manager to another --- */
/* At the machine: what the managers answered. */
void moves_enrolled(struct sim *sim, struct sim_event *event);
void moves_farewell_answered(struct sim *sim, struct sim_event *event);
void moves_init(struct sim_machine *machine);
void moves_done(struct sim_machine *machine);
struct sim_identity moves_identity(const struct sim_machine *machine);
/* At a start of the link, before anything else; false: it was killed in the midst of it. */
bool moves_begin(struct sim_machine *machine);
/* Again and again while its disk fails. */
void moves_tell_switch(struct sim_machine *machine);
/* After the endpoint was made. */
void moves_say_farewell(struct sim_machine *machine);
/* An order that was verified; ERR_EXISTS, ERR_BUSY. */
int moves_command(struct sim_machine *machine, const struct endpoint_command *command, struct err *err);
/* Orders it to another manager: by hand, or from the one that it belongs to. */
void moves_order(struct sim_machine *machine);
/* Is the link to start anew now? */
bool moves_leaves(struct sim_machine *machine);
time_us moves_due(const struct sim_machine *machine);
/* Under way, or a manager not told yet. */
bool moves_under_way(const struct sim_machine *machine);
/* What it had as an agent is removed, and it is activated. */
void moves_activated_anew(struct sim_machine *machine, const struct sim_identity *identity);
/* Whether another manager has an event of this mark. */
bool moves_has_another(const struct sim_manager *manager, uint64_t mark);
/* Another manager may have stored it and not been heard to say so, when the agent left it: then both have it, with the
 * same mark, by which it is known as one. */
bool moves_told_before(const struct sim_machine *machine, const struct sim_stored_computer *computer, uint64_t mark);
void moves_belong(struct sim *sim);
void moves_check(struct sim *sim);
/* What a Move says to the agents of this world. */
void moves_content(const struct uuid *target, Muster__Wire__Move *content);

/* --- networks.c --- */
void networks_begin(struct sim_manager *manager);
void networks_end(struct sim_manager *manager);
/* The fleet is new. */
void networks_use(struct sim_manager *manager);
void networks_edit(struct sim_manager *manager);
void networks_roam(struct sim_machine *machine);
void networks_tell(const struct sim_machine *machine, Muster__Wire__Host *host);
/* Before the fleet hears what its connection brings. */
void networks_seen(struct sim_manager *manager, const struct sim_machine *machine);
void networks_declared(struct sim_manager *manager, const struct sim_stored_computer *computer);
void networks_check(const struct sim_machine *machine);
void networks_end_check(struct sim_manager *manager);

/* --- alerts.c --- */
void alerts_forget(struct sim_stored_computer *computer);
void alerts_apply(struct sim_manager *manager, struct sim_stored_computer *computer, const struct fleet_event_row *row);
void alerts_done(struct sim_stored_computer *computer);
void check_reported(struct sim_machine *machine, const struct fleet_rows *rows);
void check_offline(struct sim_manager *manager, struct sim_stored_computer *computer,
		   const struct fleet_computer *shown);
void check_alerts_end(struct sim_manager *manager, struct sim_stored_computer *computer);

/* --- check.c --- */
/* Something of the computer changed. */
void check_touch(struct sim_manager *manager, struct sim_stored_computer *computer);
void check_step(struct sim *sim);
/* A reply has come. */
void check_pace(struct sim_machine *machine);
/* It is about to go on as another computer; what it told as this one is in no file any more. */
void check_left(struct sim_machine *machine);
/* A command ended, or is still open. */
void check_overdue(struct sim_manager *manager, const struct sim_stored_command *command);
void check_reply(struct sim_manager *manager, const struct uuid *computer, const Muster__Wire__Reply *reply);
/* At the end, when all is healed and quiet: every machine that was not looked at yet and is not in the midst of trying
 * a configuration or telling of it. How many are left. */
size_t check_machines(struct sim *sim);
/* Does one wait to be dialled by a manager that does not know of it? After a day it asks by itself. */
bool check_undialled(const struct sim *sim);
void check_restless(struct sim *sim, size_t left);
void check_end(struct sim *sim);

#endif
