/* The manager's certificates: what each is for, and until when it is good.
 *
 * They are found by the table of uses in certificates.c. The authority's root is
 * ca.pem; the others are files below front/, each with its key.
 */
#ifndef MUSTER_MANAGER_FRONT_CERTIFICATES_H
#define MUSTER_MANAGER_FRONT_CERTIFICATES_H

#include "trust/certificate.h"
#include "trust/certificate_life.h"

struct front;

struct front_certificate {
	const char *name;    /* "server": stable, for commands */
	const char *purpose; /* for people */
	const char *file;    /* below the data directory */
	struct certificate_about about;
	bool renews; /* by itself */
	bool own;    /* an administrator's, of another authority */
};

/* Calls each() for every certificate that is there, until it returns another value than 0, which is returned. Blocks on
 * the disk; any worker thread. */
int front_certificates(struct front *front, int (*each)(void *argument, const struct front_certificate *certificate),
		       void *argument, struct err *err);

#endif
