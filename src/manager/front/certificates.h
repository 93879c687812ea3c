/* The manager's certificates: what each is for, until when it is good, and its renewal.
 *
 * A table of uses (certificates.c). Each has a key and a certificate below front/
 * (front/certified_key.h), read at the start. One of our own authority renews
 * itself in time (trust/certificate_life.h): a new key, signed by the keys role,
 * stored, then given to whoever shows it; connections under way stay. One of
 * another authority is an administrator's: served, never replaced, and read anew
 * when its files change. It is taken on the console's listeners alone: agents trust
 * Muster's own authority, and one that agents do not trust is refused on theirs,
 * at the start as while running. The authority's own root is not renewed here.
 */
#ifndef MUSTER_MANAGER_FRONT_CERTIFICATES_H
#define MUSTER_MANAGER_FRONT_CERTIFICATES_H

#include "base/env.h"
#include "manager/front/certified_key.h"
#include "trust/certificate.h"
#include "trust/certificate_life.h"

struct front;
struct front_actor;
struct certificates;

enum certificate_use {
	CERTIFICATE_SERVER,
	CERTIFICATE_CONSOLE,
	CERTIFICATE_DIALLING,
	CERTIFICATE_SERVER_RSA, /* last: its key takes a second or more to make */
	CERTIFICATE_USES
};

/* Reads what there is, before the role gives up its rights. Without a server's certificate nothing can be served: the
 * error says why. Blocks. */
int certificates_new(struct front *front, struct certificates **ret_certificates, struct err *err);
void certificates_free(struct certificates *certificates); /* accepts NULL */

/* The pair that is in use, for as long as the call takes; the authority is not in its chain. ERR_NOT_FOUND: there is
 * none. Else what function() returns. Any thread. */
int certificates_lend(struct certificates *certificates, enum certificate_use use,
		      int (*function)(void *argument, const struct certified_key *pair, struct err *err),
		      void *argument, struct err *err);

/* Periodic, on a worker thread; argument: the front. Makes what is missing, renews what is due, takes up what an
 * administrator has put there. What fails is tried again later. Blocks for keys. */
void certificates_look(void *argument);
/* The same for one that is needed now; one that failed just now is not tried again. */
int certificates_ensure(struct front *front, enum certificate_use use, struct err *err);
/* The same for one, however long it is good. ERR_WRONG_STATE: it is an administrator's and nothing new is there,
 * or it is not in use. Blocks for keys; any worker thread. */
int certificates_renew(struct front *front, enum certificate_use use, const struct front_actor *actor, struct err *err);

/* What failed is tried again at the next look: its cause is gone. Any thread. */
void certificates_retry(struct front *front);

struct front_certificate {
	const char *name;    /* "server": stable, for commands; several former authorities have one */
	const char *purpose; /* for people */
	const char *file;    /* below the data directory */
	struct certificate_about about;
	struct certificate_life life;
	bool own; /* an administrator's, of another authority */
	int64_t
	    waits_for;    /* connected agents that its turn waits for; -1: it is none that is to follow, or not known */
	time_us turns_by; /* when it waits for none of them any more; 0: likewise */
	const char *problem; /* for people: what keeps it from doing its work; NULL: nothing */
	bool needed; /* if it ends something does not work; not so of authorities that another one has followed */
};
/* Calls each() for every certificate that is in use, until it returns another value than 0, which is returned. Any
 * thread. */
int front_certificates(struct front *front, int (*each)(void *argument, const struct front_certificate *certificate),
		       void *argument, struct err *err);
/* CERTIFICATE_USES for a name of none. */
enum certificate_use certificates_use(const char *name);

#endif
