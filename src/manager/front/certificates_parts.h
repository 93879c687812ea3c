/* Inside the manager's certificates: certificates.c, certificate_uses.c, certificates_shown.c. */
#ifndef MUSTER_MANAGER_FRONT_CERTIFICATES_PARTS_H
#define MUSTER_MANAGER_FRONT_CERTIFICATES_PARTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "manager/front/certificates.h"

/* One kind of certificate, as a row of the table; names of files are below the data directory. */
struct certificate_row {
	const char *name, *purpose;
	struct certified_files files;
	bool may_be_own;
	bool (*wanted)(const struct front *front); /* NULL: always */
	bool (*rsa)(const struct front *front);    /* of what kind its key has to be; NULL: of no matter which */
	int (*sign)(struct front *front, const struct buf *request, char *pem, struct err *err);
	void (*give)(struct front *front);
};
extern const struct certificate_row certificate_uses[CERTIFICATE_USES];
/* Does it have to have an RSA key, by the settings? Any thread. */
bool certificate_wants_rsa(const struct front *front, enum certificate_use use);
/* Is it in use, by the settings? Any thread. */
bool certificate_is_wanted(const struct front *front, enum certificate_use use);

/* What tells that somebody has put another file there. */
struct certificate_file_state {
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct certificate_held {
	bool there, own, copied;
	struct certified_key pair;
	struct certificate_about about;
	char problem[ERR_TEXT_BYTES + 64];      /* "": none; for people */
	struct certificate_file_state files[2]; /* as they were when last looked at: key, certificate */
	unsigned failures;
	time_us again; /* monotonic; not before this after a failure */
};

struct certificates {
	struct front *front;
	pthread_mutex_t turn; /* whoever makes or reads one anew; files, failures, again */
	pthread_mutex_t lock; /* of the rest of held, for a moment */
	struct certificate_held held[CERTIFICATE_USES];
	_Atomic bool retry; /* nothing waits any more after its failure */
};
/* When it is good, and whether it renews itself. */
struct certificate_life certificate_held_life(const struct certificate_held *held);

#endif
