/* Uploads of quarantined files that are under way: which item, whose, how far.
 *
 * An upload lives from its announcement until it is whole or replaced by a new
 * announcement; a request takes it while it writes. Thread-safe.
 */
#ifndef MUSTER_MANAGER_FRONT_UPLOADS_H
#define MUSTER_MANAGER_FRONT_UPLOADS_H

#include "base/env.h"
#include "manager/front/quarantine.h"

#define UPLOADS_MAX 1024

struct uploads;
struct upload;

int uploads_new(const struct env *env, struct uploads **ret_uploads, struct err *err);
void uploads_free(struct uploads *uploads); /* accepts NULL */
/* Takes over fd. The key is copied. ERR_BUSY: a request is writing it, or too many; fd stays the caller's then. */
int uploads_open(struct uploads *uploads, const struct uuid *item, const struct uuid *computer, int fd, uint64_t offset,
		 const struct quarantine_metadata *metadata, struct err *err);
/* For one request. ERR_NOT_FOUND: not announced (by this computer); ERR_BUSY: another request has it; ERR_RANGE: total
 * is not what was announced; ERR_CONFLICT: not where it stands. ret_offset: where it stands, on ERR_CONFLICT too. */
int uploads_take(struct uploads *uploads, const struct uuid *item, const struct uuid *computer, uint64_t first,
		 uint64_t total, struct upload **ret_upload, uint64_t *ret_offset, struct err *err);
/* done: it is whole and forgotten. */
void uploads_release(struct uploads *uploads, struct upload *upload, uint64_t offset, bool done);
/* Of one that is taken. */
int uploads_fd(const struct upload *upload);
const struct quarantine_metadata *uploads_metadata(const struct upload *upload);
/* Closes the one that stood still for longest, if for `idle`; for when there are too many. True if one was. */
bool uploads_drop_idle(struct uploads *uploads, span_us idle);
/* Closes this one, if it is there. False: a request is writing it. */
bool uploads_drop(struct uploads *uploads, const struct uuid *item);

#endif
