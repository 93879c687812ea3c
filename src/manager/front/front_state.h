/* The front role from inside: what its modules share (manager/front/front.h is what
 * API handlers see). Made and ended by front_role.c; set up before the threads
 * start and constant from then on, but for what is marked atomic.
 */
#ifndef MUSTER_MANAGER_FRONT_FRONT_STATE_H
#define MUSTER_MANAGER_FRONT_FRONT_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "manager/api/api.h"
#include "manager/front/alerting.h"
#include "manager/front/cooldown.h"
#include "manager/front/downloads.h"
#include "manager/front/event_switches.h"
#include "manager/front/feed.h"
#include "manager/front/forwarder.h"
#include "manager/front/front.h"
#include "manager/front/intake.h"
#include "manager/front/parked.h"
#include "manager/front/request_key.h"
#include "manager/front/roster.h"
#include "manager/front/shards.h"
#include "manager/front/signer.h"
#include "manager/front/stored_settings.h"
#include "manager/front/workers.h"
#include "manager/settings.h"
#include "net/tls.h"

struct front_numbers {
	_Atomic uint64_t exchanges, exchanges_refused, events_stored, events_repeated, events_beside;
	_Atomic uint64_t enrolments, enrolments_refused;
	_Atomic uint64_t proofs;           /* of the server authentication key, under way */
	_Atomic uint64_t quarantine_bytes; /* on disk and promised to uploads under way */
};

struct front_authorities;
struct hypervisors;
struct key_files;
struct front_networks;
struct certificates;
struct tls_listeners;
struct policies;
struct activations;
struct server_keys;
struct uploads;
struct verifier;

/* Connections, as last told in the log. */
struct front_turned_away {
	uint64_t refused, evicted, accept_paused;
};
struct dialler;

struct front {
	const struct env *env;
	const char *data_directory;
	struct settings settings;
	struct front_identity identity; /* but for the authorities, which change: front_identity() has both */
	char *url;
	_Atomic(struct front_authorities *) authorities;
	pthread_mutex_t authorities_turn;     /* over a whole change of them */
	_Atomic span_us authorities_spread;   /* over which agents are told of the newest root */
	_Atomic int64_t authorities_waited;   /* connected agents that the next one's turn waits for; -1: not known */
	_Atomic time_us authorities_turns_by; /* when it waits no more */
	time_us authorities_again;            /* monotonic: nothing of it is tried before */
	const struct front_authorities *authorities_noted; /* that were told as news last; NULL: none yet */
	const struct front_authorities *authorities_told;  /* whose problem was told last; NULL: none yet */
	time_us started;
	struct uuid boot; /* of this machine; zeroes: not known */
	struct front_turned_away turned_away;
	uint64_t open_files;
	uint64_t connections_max;

	struct store *store;
	struct signer *signer;
	struct forwarder *forwarder;
	struct workers *workers;
	struct feed *feed;
	struct roster *roster;
	struct shards *shards;
	struct downloads *downloads; /* of packages, under way */
	struct cooldown *cooldown;   /* of wrong enrolment tokens */
	struct cooldown *refusals;   /* how often what is refused becomes events */
	struct cooldown *renewals;   /* of computers that renew their certificates time and again */
	struct cooldown *copies;     /* of certificates by which one new computer after the other is made */
	struct intake *intake;
	struct parked_list parked;
	struct stored_settings *stored;
	struct event_switches *switches;
	struct alerting *alerting;
	struct policies *policies;
	struct server_keys *server_keys;
	struct key_files *key_files;
	struct front_networks *networks;
	struct verifier *verifier;
	struct activations *activations;
	struct hypervisors *hypervisors;
	struct uploads *uploads;
	uint8_t request_key[REQUEST_KEY_BYTES];
	int quarantine_fd; /* directory of sealed files */
	int incoming_fd;   /* directory of uploads under way */

	struct loop **loops;
	struct certificates *certificates;
	struct tls_listeners *listeners;
	pthread_t *threads;
	unsigned loop_count;
	struct http_server *server;
	size_t room_for;     /* computers; maintenance.c */
	uint64_t trimmed_at; /* connections, and calls, when memory was last given back; maintenance.c */
	int64_t trimmed_calls;
	struct api *api;
	struct dialler *dialler;

	_Atomic bool stopping;
	_Atomic uint64_t command_serial; /* the last one given */
	struct front_numbers numbers;
};

#endif
