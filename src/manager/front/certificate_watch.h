/* The end of the manager's certificates (front/certificates.h): an event for each
 * stage that one reaches, an alert that is open while one was not renewed.
 *
 * Which stage was told is stored with the event, so that each is told once, over
 * restarts as well. The alert is what is so now: raised, amended and resolved
 * by it, also after its type was switched off for a while.
 */
#ifndef MUSTER_MANAGER_FRONT_CERTIFICATE_WATCH_H
#define MUSTER_MANAGER_FRONT_CERTIFICATE_WATCH_H

/* Periodic and after changes, on a worker thread; argument: the front. Writes only what changes. Blocks. */
void certificate_watch(void *argument);

#endif
