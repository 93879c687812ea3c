/* Rows and files of the quarantine store, for its request handlers. On worker
 * threads: everything blocks. */
#ifndef MUSTER_MANAGER_FRONT_QUARANTINE_STORE_H
#define MUSTER_MANAGER_FRONT_QUARANTINE_STORE_H

#include "manager/front/quarantine.h"

/* What the database knows of an item. Wipe the key. */
struct quarantine_row {
	struct uuid computer;
	bool held;     /* on the endpoint */
	bool uploaded; /* its file is here */
	bool begun;    /* an upload was begun, with this key and size */
	uint64_t size;
	uint64_t sealed_size;
	uint8_t key[32];
	uint8_t sha256[SHA256_BYTES];
};
/* ERR_NOT_FOUND. */
int quarantine_row_read(struct front *front, const struct uuid *item, struct quarantine_row *ret_row, struct err *err);
/* Announced: size and key are kept, room is promised. ERR_LIMIT over the largest file; ERR_SPACE when full (event
 * 1300). */
int quarantine_begin(struct front *front, const struct uuid *item, const struct uuid *computer,
		     const struct quarantine_metadata *metadata, struct err *err);
/* The upload is whole and on disk under its name. */
int quarantine_complete(struct front *front, const struct uuid *item, struct err *err);

#endif
