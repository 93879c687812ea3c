/* Inside the dialler: the loop that begins talks, and one talk. */
#ifndef MUSTER_MANAGER_FRONT_DIALLER_PARTS_H
#define MUSTER_MANAGER_FRONT_DIALLER_PARTS_H

#include "manager/front/dial_sessions.h"
#include "manager/front/dialler.h"

struct talk;

struct dialler {
	struct front *front;
	struct loop *loop;
	pthread_t thread;
	struct loop_timer *timer;    /* the next dial */
	struct loop_timer *identity; /* the certificate that is wanted is tried again; sessions that ended go */
	bool making, wanted;         /* a worker reads the certificate; there is another one to be read */
	struct tls_client *tls;      /* NULL until there is a certificate */
	struct tls_client *made;     /* by a worker, on its way to the loop */
	struct tls_client *retired;  /* the one before, which connections still use */
	struct dial_sessions *sessions;
	struct talk *talks;
	struct http_server *turned; /* serves agents over connections that were turned */
	unsigned active, most;
	size_t first_shard; /* where the next round begins: no shard waits for ever */
	_Atomic bool poked, stopping;
	_Atomic uint64_t dialled, failed, rounds, under_way, highest, resumed, session_count;
};

/* dial_talk.c */
/* Dials one computer that fleet_dial_due() named; dial_talk_ended() follows, inside this call if it could not begin. */
void dial_talk_begin(struct dialler *dialler, struct shard *shard, const struct uuid *computer, uint16_t port);
/* Ends it now unless something of it is under way elsewhere: then when that comes back. */
void dial_talk_abort(struct talk *talk);
/* The same because its computer is not managed any more: the connection ends now in any case. */
void dial_talk_cut(struct talk *talk);
struct talk *dial_talk_next(const struct talk *talk);
const struct uuid *dial_talk_computer(const struct talk *talk);
bool dial_talk_uses(const struct talk *talk, const struct tls_client *tls);

/* dialler.c, loop thread */
/* Takes a connection whose agent makes the requests from now on. */
int dialler_serve(struct dialler *dialler, struct bufferevent *connection, const char *peer, struct err *err);
void dial_talk_ended(struct dialler *dialler);

/* dial_identity.c, worker thread: a client with the certificate and key of front/dial.*, which are made if they are
 * missing; for one other thread. any_peer: for agents that have no certificate of ours yet. */
int dial_identity(struct front *front, bool any_peer, struct tls_client **ret_tls, struct err *err);

/* dial_target.c, worker thread: where a computer may be reached, best first. */
#define DIAL_TARGETS_MAX 4
struct dial_targets {
	char hosts[DIAL_TARGETS_MAX][256];
	size_t count;
	uint16_t port;
};
int dial_targets_read(struct front *front, const struct uuid *computer, struct dial_targets *ret_targets,
		      struct err *err);

#endif
