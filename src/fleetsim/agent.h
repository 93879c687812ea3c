/* One simulated agent: enrols if it must, then talks as the link role does.
 *
 * Lives on its crowd's thread. The decisions are those of src/endpoint; the
 * agent brings its messages to the manager over its own connections, and acts
 * out what commands ask for. Ends with its crowd.
 */
#ifndef MUSTER_FLEETSIM_AGENT_H
#define MUSTER_FLEETSIM_AGENT_H

#include <stdbool.h>

#include "endpoint/endpoint.h"
#include "fleetsim/crowd.h"
#include "net/client.h"

#define AGENT_WAITING_MAX 2000 /* events; more are not made until some are acknowledged */
#define AGENT_SCANS_MAX   4

struct agent;

struct agent_lane {
	struct agent *agent;
	enum endpoint_lane which;
	struct http_client *client; /* the urgent lane's is made when first needed */
	time_us sent_at;
	bool at_once; /* the report under way asks for an answer at once */
	/* A reply that came and waits in the crowd's inbox: */
	struct buf reply;
	time_us received_at, received_wall;
	struct agent_lane *next;
};

/* A scan that is acted out. */
struct agent_scan {
	struct uuid id;
	time_us began; /* 0: no scan here */
	time_us told;
	bool cancelled;
};

struct enrolment;

struct agent {
	struct crowd *crowd;
	uint32_t number;
	bool enrolling; /* an enrolment is under way that the crowd counts */
	bool connected;
	unsigned tries;
	struct uuid attempt;
	struct enrolment *enrolment;
	struct tls_client *tls;
	struct tls_server *tls_server;
	struct listener *listener;
	uint64_t talks;    /* as the figures know them */
	uint64_t accepted; /* of connections, when it was last dialled */
	time_us dialled_at;
	struct endpoint *endpoint;
	struct loop_timer *timer;
	struct agent_lane lanes[ENDPOINT_LANES];
	uint64_t waiting, dropped; /* events, as the figures know them */
	uint64_t noted;            /* events that the endpoint added for commands */
	time_us received_wall;     /* of the reply that is being taken */
	struct agent_scan scans[AGENT_SCANS_MAX];
};

/* NULL: no memory. */
struct agent *agent_new(struct crowd *crowd, uint32_t number);
void agent_free(struct agent *agent);
/* Enrols, or begins to talk when its identity is known. */
void agent_start(struct agent *agent);
/* Takes a reply out of the inbox. */
void agent_take_reply(struct agent_lane *lane);
/* For the endpoint's actor; context is the agent. */
int agent_check(void *context, const Muster__Wire__Configuration *configuration, struct endpoint_connection *connection,
		struct buf *why);
void agent_redial(void *context, const struct endpoint_connection *connection);
void agent_noted(void *context, uint32_t type, time_us time, const struct event_field *fields, size_t count);
/* Something is to be told. */
void agent_wake(struct agent *agent);
/* Makes events unless too many wait; how many were made. */
unsigned agent_make_events(struct agent *agent, unsigned count);
/* When the fleet ends: how long nobody has dialled it, if that is longer than any time between dials. */
void agent_count_silence(struct agent *agent);
/* A failure of this agent, counted by its cause. */
void agent_failed(struct agent *agent, int code, const char *text);
/* A client that speaks to the manager from this agent's address; NULL: no memory. */
struct http_client *agent_client(struct agent *agent, struct tls_client *tls);

/* Name, system and address that the agent tells; host points into facts. */
struct agent_host {
	char name[64];
	char address[16]; /* "" when it has none of its own */
	char *addresses[1];
};
void agent_describe(const struct agent *agent, struct agent_host *facts, Muster__Wire__Host *ret_host);

/* enrol.c: asks for a certificate; agent_enrolled() when the identity is there. */
void enrol_start(struct agent *agent);
void enrol_stop(struct agent *agent);
void agent_enrolled(struct agent *agent);

/* scans.c: what commands ask for, acted out. */
struct endpoint_actor scans_actor(struct agent *agent);
/* Progress and ends that are due; when to be called again, INT64_MAX: nothing runs. */
time_us scans_step(struct agent *agent, time_us now);

#endif
