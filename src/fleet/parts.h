/* Inside src/fleet: the computers, commands and exchanges of one shard.
 *
 * Trusted state; what a report brings in has passed wire/exchange.h (shape and
 * limits), its meaning is checked here.
 */
#ifndef MUSTER_FLEET_PARTS_H
#define MUSTER_FLEET_PARTS_H

#include "base/map.h"
#include "fleet/fleet.h"
#include "fleet/networks.h"

#define FLEET_INTERVAL_DEFAULT_US  (10 * MINUTE_US)
#define FLEET_MISSED_DEFAULT       2
#define FLEET_COMMANDS_MAX         256             /* open ones per computer */
#define FLEET_ROW_SPAN_US          (5 * MINUTE_US) /* how old a stored last_heard may get */
#define FLEET_AGAIN_US             (10 * SECOND_US)
#define FLEET_TICK_LATE_US         (15 * SECOND_US) /* a tick later than this means we were not listening */
#define FLEET_CLONE_SETTLE_US      (2 * MINUTE_US)  /* a dead agent's last words arrive within this */
#define FLEET_LAST_WORDS_US        (30 * SECOND_US) /* a stopped machine's last words arrive within this */
#define FLEET_ERROR_UNKNOWN        UINT64_MAX       /* no text's hash: an error's, or none, that was not compared yet */
#define FLEET_RESEND_MIN_US        SECOND_US
#define FLEET_RESEND_MAX_US        MINUTE_US
#define FLEET_TIMEOUT_GRACE_US     (5 * SECOND_US)  /* the agent ends it first, and says so */
#define FLEET_RETRY_US             (10 * SECOND_US) /* after a commit that failed */
#define FLEET_REFUSED_RETRY_US     HOUR_US          /* a configuration that was refused is offered again */
#define FLEET_RETURN_WINDOW_MAX_US HOUR_US
#define FLEET_KEY_TAG_BYTES        16
#define FLEET_NEVER                INT64_MAX

struct open_command {
	struct open_command *next;
	struct uuid id;
	struct uuid target;
	enum command_kind kind;
	enum command_state state;
	enum command_state saved;  /* the state the store has */
	enum command_state ending; /* the end being stored; COMMAND_PENDING: none */
	bool maybe_sent;           /* before this manager started, or by us */
	unsigned sent_count;
	span_us timeout_us;
	time_us deadline;                 /* monotonic */
	time_us next_send;                /* monotonic */
	uint8_t key[FLEET_KEY_TAG_BYTES]; /* the beginning of the fingerprint of the key that signed it */
	uint64_t session;                 /* the run of the agent that it was signed for; 0: none was known */
	uint8_t *envelope;
	size_t envelope_size;
	Muster__Wire__Progress *progress; /* own memory, path behind it; NULL: none */
};

/* Two heaps: who needs the tick, and who is to be dialled. */
enum due_kind { DUE_TICK, DUE_DIAL, DUE_KINDS };
struct due {
	time_us at;
	size_t index;
};
struct due_heap {
	struct computer **items;
	size_t count, capacity;
};

struct computer {
	struct uuid id;
	uint64_t session, sequence; /* 0: not heard since we started */
	uint64_t other_session, other_sequence;
	time_us session_since; /* monotonic, when `session` was first heard */
	uint64_t suspect;      /* spoke, then the older one did: a clone if it speaks again */
	uint64_t clone;        /* told to take an identity of its own */
	time_us rekey_told;    /* monotonic, when it last was in a reply that it would else not have had; 0: never */
	time_us withheld_answered; /* the same, for a report without any of the events that wait */
	uint64_t stale_last;
	uint64_t taken;  /* highest event number handed out to be stored */
	uint64_t stored; /* highest known to be stored */
	uint64_t events_waiting;
	span_us interval_us, agent_interval_us;
	time_us heard;        /* monotonic, last sign of life */
	time_us counted_from; /* monotonic; silence before this is forgiven: its machine was stopped */
	time_us stopped_at;   /* monotonic, when its machine was first said to be stopped */
	time_us last_heard, status_since;
	time_us row_heard; /* last_heard as stored */
	span_us clock_offset_us, clock_limit_us;
	span_us clock_base_us;                           /* the offset that a change is measured from */
	span_us clock_steady_us;                         /* the same against our steady clock */
	time_us clock_told;                              /* monotonic, when a change was last told */
	uint64_t host_hash, components_hash, error_hash; /* of what is stored */
	uint32_t state_writes;                           /* under way: until they end, nobody knows what is stored */
	uint32_t missed;
	uint32_t silent_s; /* before it came back */
	uint8_t status;
	uint8_t stale_run;
	bool row_dirty;      /* the stored row differs in more than last_heard */
	bool commands_dirty; /* a state is not stored yet */
	bool need_full;
	bool offline_told;   /* the last event stored about it was "offline" */
	bool stopped_told;   /* the same of "its machine is shut off" */
	bool allowed;        /* its error ended by its settings */
	bool status_writing; /* such an event is being stored, */
	bool error_writing;  /* and with it that it is offline */
	bool inactive_error; /* setting: a stopped machine counts as offline too */
	bool overdue;        /* its machine is stopped, and by the arithmetic it is offline */
	uint8_t machine;     /* enum machine_state, as hypervisors say */
	bool clock_doubted;  /* looked changed once, and may have been late */
	bool clock_unknown;  /* measured on another boot: the next report says from where */
	struct group *group; /* NULL: none */
	uint8_t counted_as;  /* there: its configuration_state() as of the last group_count() */
	uint8_t configuration_sent_count;
	uint8_t key_sent_count;
	bool configuration_refused; /* the wanted one, by the agent's last word */
	bool tells_refusal;         /* by its last word it refused one: the wanted one or any other */
	const char *cause;          /* constant text */
	uint8_t configuration[SHA256_BYTES], wanted_configuration[SHA256_BYTES], trusted_key[SHA256_BYTES];
	time_us configuration_next;       /* monotonic */
	time_us key_next;                 /* monotonic: when it is told (again) which key follows its own */
	time_us configuration_offered;    /* monotonic; one that was refused, for another try; 0: never */
	struct computer *next, *previous; /* of all, for placing them anew */
	struct address seen_from;         /* where its connections come from; family 0: not known */
	struct address *addresses;        /* that it reports; own memory */
	size_t address_count;
	struct uuid network;   /* that it is in; zeroes: none */
	uint32_t counted_in;   /* its place among fleet->inside, from 1; 0: none */
	uint32_t counted_when; /* the fleet's `table` then */
	span_us offline_us;    /* how long it may be silent there; 0: as interval and missed say */
	struct network_pace pace, told;
	uint64_t told_session; /* the run of the agent that was told */
	time_us pace_next;     /* monotonic: when a parked request is woken to be told */
	time_us reply_wanted;  /* monotonic: when it is to be told what is not the fleet's; FLEET_NEVER: nothing */
	struct due due[DUE_KINDS];
	/* Dialling, by dialling.c alone. */
	uint8_t direction, direction_wanted; /* enum link_direction */
	uint16_t listen_port;
	uint8_t dial_failures; /* in a row */
	uint8_t dial_follow;   /* how often it was dialled again because a command ran */
	bool dialling, dial_asked, dial_scheduled, dial_again;
	bool dial_searched; /* it is offline, and dialled now and then to see whether it is there: */
	bool dial_searches; /* that is what the dial under way is for */
	bool wants_turn;    /* by its last report */
	bool link_told;     /* the last event stored about it was 742 */
	bool link_writing;  /* such an event is being stored */
	time_us dial_at;    /* by schedule */
	time_us dial_not_before;
	char *link_error; /* NULL: none */
	struct fleet_exchange *parked;
	struct open_command *commands;
	unsigned command_count;
};

struct fleet {
	struct fleet_options options;
	struct map *computers, *groups;
	struct computer *first, *unplaced; /* of all; the next to be placed anew, NULL: none */
	struct computer *untold;           /* the next to be told of a new key, NULL: none */
	const struct key_chain *keys;      /* NULL: nothing is known of keys */
	const struct networks *networks;
	uint32_t table;   /* how often `networks` took another's place */
	uint32_t *inside; /* computers in each of the networks; NULL: no memory to count */
	struct due_heap heaps[DUE_KINDS];
	size_t with_status[FLEET_STATUSES];
	time_us started;
	time_us listening_since; /* silence before this is forgiven */
	time_us last_tick;
	span_us deaf_us;    /* how long we last did not listen, */
	time_us deaf_until; /* and until when */
	span_us clock_zero; /* our wall clock minus our monotonic one, at the first start on this boot */
};

struct fleet_exchange {
	struct uuid computer;
	const Muster__Wire__Report *report; /* NULL: of a tick, or read to its end */
	struct arena *arena;                /* NULL until needed */
	struct fleet_rows rows;
	struct fleet_event_row *manager_events;
	struct fleet_command_row *commands;
	size_t command_capacity;
	uint64_t session, sequence;
	uint64_t acknowledged; /* of the events that the report carried, what is stored */
	uint64_t host_hash, components_hash, error_hash;
	time_us heard;
	uint32_t hold_s;
	span_us away; /* it is not to speak again before this long; 0: as it likes */
	bool writing, failed, must_answer, send_full;
	bool clone;                        /* another has this identity: its events are taken, and nothing else */
	bool silent;                       /* it brought no events */
	bool withheld;                     /* the same, and some wait */
	bool rekey;                        /* of a clone: it has told all that it had */
	bool writes_state;                 /* counts among the computer's state_writes */
	bool confirms;                     /* the report told what its reply confirms */
	bool tells_status;                 /* carries event 730 to 733, 735: */
	bool tells_offline, tells_stopped; /* what was told once it is stored */
	bool tells_clock;                  /* carries event 734 */
	span_us clock_before_us;
	bool tells_link, tells_problem; /* carries event 742 or 743 */
	struct uuid *command_acks;      /* those of ends known already */
	size_t command_ack_count;
	struct uuid *item_acks;
	size_t item_ack_count;
	struct fleet_exchange *next, *previous; /* among the computer's parked ones */
	bool is_parked;
	void *parked;
	Muster__Wire__Reply *reply;
};

static inline time_us fleet_now(const struct fleet *fleet)
{
	return env_monotonic(fleet->options.env);
}

/* fleet.c */
/* What agents are told: to come back at a moment drawn from this when they lose the manager. */
span_us fleet_return_window(const struct fleet *fleet);

/* groups.c */
/* Joins another group, or stays where it is for zeroes. ERR_MEMORY: as before. */
int group_join(struct fleet *fleet, struct computer *computer, const struct uuid *id, struct err *err);
void group_leave(struct fleet *fleet, struct computer *computer);
/* After whatever configuration_state() is made of. */
void group_count(struct computer *computer);

/* computers.c */
struct computer *computer_find(const struct fleet *fleet, const struct uuid *id);
void computer_facts(const struct fleet *fleet, const struct computer *computer, struct fleet_computer *out);
enum fleet_configuration_state configuration_state(const struct computer *computer);
void computer_trace(const struct fleet *fleet, const struct uuid *id, const char *what, const char *from,
		    const char *to);

/* fleet.c: when a computer next needs the tick. */
time_us computer_due(const struct fleet *fleet, const struct computer *computer);

/* due.c: when a computer next needs the tick, and when it is to be dialled. */
int due_reserve(struct fleet *fleet); /* room for one more in each */
void due_insert(struct fleet *fleet, struct computer *computer, time_us due);
void due_remove(struct fleet *fleet, struct computer *computer);
void due_dial_insert(struct fleet *fleet, struct computer *computer);
void due_dial_remove(struct fleet *fleet, struct computer *computer);
void due_dial_set(struct fleet *fleet, struct computer *computer, time_us due);
struct computer *due_dial_first(const struct fleet *fleet); /* NULL: none */
/* Not later than `due` from now on. */
void due_by(struct fleet *fleet, struct computer *computer, time_us due);
/* The first one due at `now`, taken out; NULL: none. */
struct computer *due_take(struct fleet *fleet, time_us now);

/* liveness.c */
time_us liveness_deadline(const struct fleet *fleet, const struct computer *computer);
/* begun: the first words of an agent just started. */
void liveness_heard(struct fleet *fleet, struct computer *computer, bool begun);
void liveness_inactive_error(struct computer *computer, bool error);
void liveness_machine(struct fleet *fleet, struct computer *computer, enum machine_state state);
void liveness_tick(struct fleet *fleet, struct computer *computer, time_us now);
bool liveness_is_error(const struct computer *computer);
/* After its heartbeat was set: an offline error stays only if it still is one by that. */
void liveness_allowed(struct fleet *fleet, struct computer *computer);
/* Events 730 to 733 and 735, each until it is stored. */
bool liveness_untold(const struct computer *computer);
int liveness_tell(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange);
void liveness_stored(struct computer *computer, const struct fleet_exchange *exchange, int rc);
void liveness_restore(struct fleet *fleet, struct computer *computer, const struct fleet_computer *record);

/* placement.c: which network an agent is in, and what it is told of it. */
void placement_restore(struct fleet *fleet, struct computer *computer, const struct fleet_computer *record);
void placement_done(struct fleet *fleet, struct computer *computer);
/* From where and with which addresses it reports now; before liveness_heard(). */
void placement_heard(struct fleet *fleet, struct computer *computer, const Muster__Wire__Report *report);
/* It does not know yet how often it is to report. */
bool pace_differs(const struct computer *computer);
/* When a parked request is to be woken for it; FLEET_NEVER. */
time_us pace_wake_at(const struct computer *computer);
/* Puts it into the reply. ERR_MEMORY. */
int pace_tell(struct computer *computer, struct fleet_exchange *exchange, Muster__Wire__Reply *reply);
/* How long it may be silent at most; FLEET_NEVER: for ever. */
span_us silence_allowed(const struct computer *computer);

/* clock.c: event 734. */
void clock_restore(const struct fleet *fleet, struct computer *computer, const struct fleet_computer *record);
int clock_heard(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange);
/* What is to be stored of its clock: clock_base_us and clock_boot. */
void clock_facts(const struct fleet *fleet, const struct computer *computer, struct fleet_computer *out);
void clock_stored(const struct fleet *fleet, struct computer *computer, const struct fleet_exchange *exchange, int rc);

/* dialling.c */
/* After anything that may change when it is to be dialled. */
void dialling_update(struct fleet *fleet, struct computer *computer);
void dialling_placed(struct fleet *fleet, struct computer *computer);
void dialling_restore(struct fleet *fleet, struct computer *computer, const struct fleet_computer *record);
void dialling_host(struct fleet *fleet, struct computer *computer, const Muster__Wire__Host *host);
/* A parked request was woken: it will carry what waits. */
void dialling_woken(const struct fleet *fleet, struct computer *computer);
/* Events 742 and 743, each until it is stored. */
bool dialling_untold(const struct computer *computer);
int dialling_tell(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange);
void dialling_stored(struct computer *computer, const struct fleet_exchange *exchange, int rc);

/* sessions.c */
bool fleet_rekeys(const struct fleet *fleet);
/* SESSION_OLDER: the run before the present one, which has just begun: last words, or it is alive beside it. */
enum session_verdict {
	SESSION_NEXT,
	SESSION_FIRST,
	SESSION_GAP,
	SESSION_STALE,
	SESSION_OLDER,
	SESSION_CLONE_FOUND,
	SESSION_CLONE
};
enum session_verdict session_heard(struct fleet *fleet, struct computer *computer, uint64_t session, uint64_t sequence);
/* SESSION_OLDER: how long until it would be known for alive, at least 1 s. */
span_us session_settles_in(const struct fleet *fleet, const struct computer *computer);

/* open_commands.c */
struct open_command *open_command_find(const struct computer *computer, const struct uuid *id);
void open_command_remove(struct computer *computer, struct open_command *command);
/* One that was never sent ends here: its row and event 1201. ERR_MEMORY. */
int open_command_cancel(struct fleet *fleet, struct fleet_exchange *exchange, struct open_command *command);
int open_commands_heard(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange, bool stale);
int open_commands_tick(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange, time_us now);
void open_commands_stored(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange, int rc);
time_us open_commands_due(const struct computer *computer);
/* One is there to be sent now; *ret_next: else when (FLEET_NEVER: none waits). */
bool open_commands_waiting(const struct computer *computer, time_us now, time_us *ret_next);
/* Not known to have arrived. */
bool open_command_unconfirmed(const struct open_command *command);
bool open_command_sendable(const struct open_command *command, time_us now);
void open_command_sent(struct fleet *fleet, struct computer *computer, struct open_command *command, time_us now);

/* rows.c: what an exchange asks to be stored. */
struct fleet_exchange *exchange_new(const struct uuid *computer);
void *exchange_memory(struct fleet_exchange *exchange, size_t size);
void exchange_drop_memory(struct fleet_exchange *exchange);
struct made_field {
	const char *name;
	const char *text; /* copied */
};
int exchange_manager_event(const struct fleet *fleet, struct fleet_exchange *exchange, uint32_t type,
			   const struct made_field *fields, size_t count);
struct fleet_command_row *exchange_command(const struct fleet *fleet, struct fleet_exchange *exchange,
					   const struct uuid *id, enum command_state state);
void exchange_computer_row(const struct fleet *fleet, struct fleet_exchange *exchange, struct computer *computer);

/* keys.c */
enum key_standing key_standing(const struct fleet *fleet, const struct computer *computer);
/* It follows orders that are signed with the present key, as far as it said. */
bool key_obeys(const struct fleet *fleet, const struct computer *computer);
/* The same, with what a reply that is made now tells it of keys. */
bool key_will_obey(const struct fleet *fleet, const struct computer *computer);
/* When it is told the way to the present key; FLEET_NEVER: it need not be, or there is none. */
time_us key_next(const struct fleet *fleet, const struct computer *computer);
/* When a parked request is to be woken for it; FLEET_NEVER. */
time_us reply_wake_at(const struct computer *computer);
/* When a parked request is to be woken for it; FLEET_NEVER. */
time_us key_wake_at(const struct fleet *fleet, const struct computer *computer);
void key_heard(struct computer *computer, const uint8_t trusted[SHA256_BYTES]);
/* Puts the way into the reply; *ret_orders: orders may go with it. ERR_MEMORY. */
int key_tell(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange,
	     Muster__Wire__Reply *reply, bool *ret_orders);
/* By the present key, or none is known; and for this run of the agent. */
bool key_signed(const struct fleet *fleet, const struct open_command *command, uint64_t session);
void key_of_envelope(const uint8_t *envelope, size_t size, uint8_t key[FLEET_KEY_TAG_BYTES]);

/* reply.c */
bool configuration_differs(const struct computer *computer);
/* Has it what is wanted, and still says that it refused one? That one is not wanted any more; told once again what is,
 * the agent knows that. */
bool configuration_refusal_is_over(const struct computer *computer);
/* When it is to be told; FLEET_NEVER: it has it, or would refuse it. */
time_us configuration_at(const struct fleet *fleet, const struct computer *computer);
/* When a parked request is to be woken for it; FLEET_NEVER. */
time_us configuration_wake_at(const struct fleet *fleet, const struct computer *computer);
/* An order is there to be sent now; *ret_next: else when (FLEET_NEVER: none waits that the agent would take). */
bool orders_waiting(const struct fleet *fleet, const struct computer *computer, time_us now, time_us *ret_next);
void fleet_wake(struct fleet *fleet, struct computer *computer, const uint64_t *session);
void exchange_unpark(struct fleet *fleet, struct fleet_exchange *exchange);

#endif
