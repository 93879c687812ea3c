/* Machines: their disks, the link's shell with the real endpoint in it, the
 * guard beside it, copies and snapshots, configurations, moves and nights.
 */
#ifndef MUSTER_SIM_MACHINE_H
#define MUSTER_SIM_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/env.h"
#include "base/hex.h"
#include "endpoint/configuration.h"
#include "endpoint/endpoint.h"
#include "endpoint/move.h"

#define SIM_NAME_BYTES     24
#define SIM_ITEMS_MAX      32
#define SIM_FILES          4
#define SIM_FILE_MAX_BYTES (64 * MIB)
#define SIM_PAYLOADS       1000000 /* of one machine, at most */
#define SIM_COMPONENTS     2       /* that a configuration is for, beside the link */

struct sim;
struct sim_event;
struct sim_manager;
struct sim_stored_computer;

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
void machine_new_state(struct sim_machine *machine);
void machine_new_item(struct sim_machine *machine);
/* What the network brings. */
void machine_reply(struct sim *sim, struct sim_event *event);
void machine_no_reply(struct sim *sim, struct sim_event *event);

/* --- guard.c --- */
/* The endpoint's commands go to the guard of this machine. */
void guard_act(struct sim_machine *machine, struct endpoint_actor *actor);
/* Its outbox goes to the link, as the daemons do it: hand over, make durable, forget what the link has. */
void guard_pump(struct sim_machine *machine);
void guard_detect(struct sim_machine *machine); /* an event from guard */
void guard_unpause(struct sim_machine *machine, struct sim_job *job);

/* --- copies.c --- */
/* The endpoint's wish for another identity is carried out. */
void copies_act(struct endpoint_actor *actor);
/* The whole disk is copied and the copy started beside the original. */
/* Just before it ends to go on as another computer. */
void copies_end_telling(struct sim_machine *machine);
bool copies_share(const struct sim_machine *machine);
/* It has taken another one in the place of this, which a second one may have had too. */
void copies_left(struct sim *sim, struct sim_stored_computer *computer);
/* The identity that it has taken may be another one's already. */
void copies_took(struct sim_machine *machine);
void copies_make(struct sim_machine *from, struct sim_machine *to);

/* --- setting_back.c --- */
void snapshot_take(struct sim_machine *machine);
void snapshot_restore(struct sim_machine *machine);
void snapshot_free(struct sim_snapshot *snapshot);
/* What it recorded and nobody has stored is gone, and nobody's fault. */
void excuse_unstored(struct sim_machine *machine);

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

/* --- fleet_life.c: nights, weekends, shifts --- */
void presence_init(struct sim_machine *machine);
/* It is on: when does it go? */
void presence_begin(struct sim_machine *machine);

#endif
