/* The places for downloads of packages, which anybody may ask for.
 *
 * There are few of them, since each costs memory and a computer that is being
 * installed wants its package whole and soon. When all are taken, whoever comes
 * takes the place of one that has brought less than 16 KiB a second since its
 * first minute; else of one of the address (an IPv6 one by its /64) that has the
 * most places, two more at least than the newcomer's; else it comes back later.
 * So one host cannot take them all, however slowly or quickly it reads, and a
 * whole site behind one address can as long as nobody else comes. Thread-safe.
 */
#ifndef MUSTER_MANAGER_FRONT_DOWNLOADS_H
#define MUSTER_MANAGER_FRONT_DOWNLOADS_H

#include "base/env.h"

#define DOWNLOADS_MAX        64
#define DOWNLOADS_LEAST_RATE (16 * KIB) /* a second */
#define DOWNLOADS_GRACE_US   MINUTE_US  /* buffers fill in one go, and then say nothing for long */

struct downloads;
struct download; /* a place */

int downloads_new(const struct env *env, struct downloads **ret_downloads, struct err *err);
void downloads_free(struct downloads *downloads); /* accepts NULL; all places are given back */
/* A place for that peer ("127.0.0.1:50000"); NULL: none is free, nor to be taken. */
struct download *downloads_begin(struct downloads *downloads, const char *peer);
/* From now on it can be taken: cut(argument) is called once at most, under the lock and by any thread, and has
 * downloads_end() called soon; the place is somebody else's already. */
void downloads_cuttable(struct download *download, void (*cut)(void *argument), void *argument);
/* So many bytes have been handed over to the connection, in all. Accepts NULL. */
void downloads_sent(struct download *download, uint64_t bytes);
/* After this cut() is not called any more. Accepts NULL. */
void downloads_end(struct download *download);

#endif
