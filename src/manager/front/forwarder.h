/* Tells destinations of events and alerts: reads what was committed, has the
 * courier deliver it, and notes how far each destination is only when it has
 * it. After a crash something may be delivered twice (with the same event id),
 * nothing is left out. What no destination takes for too long goes, and is told
 * (manager/front/retention.h).
 *
 * One thread of its own. A destination that fails is tried again after a pause
 * that grows to FORWARDER_PAUSE_MAX_US with full jitter, and holds up no other.
 */
#ifndef MUSTER_MANAGER_FRONT_FORWARDER_H
#define MUSTER_MANAGER_FRONT_FORWARDER_H

#include "manager/front/front.h"

#define FORWARDER_PAUSE_MAX_US (5 * MINUTE_US)

struct forwarder;

/* broken() is called when the courier sent what it may not. */
struct forwarder *forwarder_new(struct front *front, void (*broken)(void *argument), void *argument, struct err *err);
/* Ends the thread; a delivery under way is made again after the next start. Accepts NULL. */
void forwarder_free(struct forwarder *forwarder);
/* A new channel to the courier; fd is the forwarder's from now on. Any thread; does not wait. */
void forwarder_attach(struct forwarder *forwarder, int fd);
/* Destinations were made, changed or removed. Any thread. */
void forwarder_changed(struct forwarder *forwarder);
/* Delivers a test message there and waits for what came of it (at most about a minute). A worker's thread.
 * ERR_NOT_FOUND; ERR_BUSY: another test is under way; else why it could not be delivered. */
int forwarder_test(struct forwarder *forwarder, const struct uuid *destination, const char *user, struct err *err);

#endif
