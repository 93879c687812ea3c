/* Managers: the shell around the real fleet, their requests, orders and keys,
 * connections that they dial, memberships and networks.
 */
#ifndef MUSTER_SIM_MANAGER_H
#define MUSTER_SIM_MANAGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fleet/fleet.h"
#include "manager/front/enrolment_rules.h"
#include "store.h"

#define SIM_TICK_US       SECOND_US
#define SIM_WRITE_MOST_US (50 * MILLISECOND_US) /* that a commit takes, */
#define SIM_STALL_MOST_US (59 * SECOND_US)      /* and what a disk that stalls adds */
#define TICK_LATE_US      (15 * SECOND_US)      /* a tick later than this: the manager did not listen meanwhile */

/* --- keys.c: a manager's server authentication keys --- */
#define SIM_KEYS_MAX 200
struct sim_keys {
	unsigned present; /* in the keys role's file: the number of the key, and of the steps to it */
	unsigned stored;  /* of them in the database */
	struct succession steps[SIM_KEYS_MAX];
	struct key_chain *chain;
};

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

/* --- requests.c: what it is asked, and writes --- */
void requests_arrive(struct sim *sim, struct sim_event *event);
void requests_heard(struct sim_manager *manager, const struct uuid *computer, const Muster__Wire__Report *report);
/* Takes the exchange: its rows are committed later. The same is fleet_tick()'s sink. */
void requests_write(void *manager, struct fleet_exchange *exchange);
/* Stores an exchange's rows, then talk_stored(). */
void requests_store_talk(struct sim_manager *manager, struct fleet_exchange *exchange, struct arena *arena,
			 uint64_t talk);
/* When a write that is given to the store now is committed. */
time_us requests_commit_at(struct sim_manager *manager);
/* Signs and adds the configuration if wanted, for that run of the agent, and packs. */
void requests_pack_reply(struct sim_manager *manager, Muster__Wire__Reply *reply, bool configuration,
			 const struct uuid *id, uint64_t session, struct buf *out);
void requests_wake(void *manager, void *parked); /* fleet_options.wake */
void requests_answer_woken(struct sim_manager *manager);
void requests_drop(struct sim_machine *machine); /* its connections broke */
void requests_end(struct sim_manager *manager);  /* the manager ends */
void requests_done(struct sim_manager *manager); /* for good */

/* --- orders.c: policies and commands, signed --- */
/* Signs with the present key: a packed envelope, to free(). */
uint8_t *orders_sign(struct sim_manager *manager, const Muster__Wire__Signed *content, size_t *ret_size);
/* The same of the configuration that the computer should have, for that run of its agent. */
uint8_t *orders_configuration(struct sim_manager *manager, struct sim_stored_computer *computer, uint64_t session,
			      size_t *ret_size);
void orders_fingerprint(const struct sim *sim, unsigned version, uint8_t out[SHA256_BYTES]);
/* A new policy for a site, or for all (-1). */
void orders_new_policy(struct sim_manager *manager, int site);
/* It should have the policy as it is now. */
void orders_give_policy(struct sim_manager *manager, struct sim_stored_computer *computer);
void orders_issue(struct sim_machine *machine, enum command_kind kind, const struct uuid *target);
void orders_cancel(struct sim_machine *machine);
/* To a fleet that has just begun, in the order of their issue. */
void orders_hand_over_open(struct sim_manager *manager);

/* --- keys.c --- */
struct envelope_key keys_of_machine(struct sim_machine *machine);
void keys_manager_started(struct sim_manager *manager);
void keys_manager_ended(struct sim_manager *manager);
void keys_roll_over(struct sim_manager *manager);
/* The number of its present key, of all managers' keys. */
unsigned keys_present(const struct sim_manager *manager);
void keys_renew_orders(struct sim_manager *manager, const struct uuid *computer, uint64_t session);
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

#endif
