/* The link role: what its parts share.
 *
 * Life: `muster-agent role link` opens what it needs, confines itself, then
 * runs one loop until guard's channel closes, a STOP, or SIGTERM. Each part
 * stands in a file of its own (link_*.c) and is given the struct below; only
 * link.c makes and frees it. Everything happens on the loop's thread.
 *
 *   link_opened     what is read and opened before link gives up its rights
 *   link_tls        what the agent shows and offers its manager
 *   link_guard      the channel to guard
 *   link_notices    what guard tells
 *   link_actor      what the endpoint asks for, and who serves it
 *   link_exchange   reports and replies over two connections
 *   link_jobs       scans: commanded, local, scheduled
 *   link_items      quarantine: state, restore, delete
 *   link_upload     sealed files to the manager
 *   link_history    what happened lately, for `muster-agent events`
 *   link_components state of link, guard and scan
 *   link_configuration  settings in force: the manager's, agent.ini's
 *   link_watch      the computer's clock and disk
 *   link_local      the control socket's requests
 *   link_unload     the unload password that some of them need
 *   link_listen     which side dials; the listener
 *   link_candidate  another identity, of the same manager or of another
 *   link_farewell   the manager that was left is told so
 *   link_renewal    the next certificate
 *   link_prepared   in place of all the others: nobody has activated this agent yet
 */
#ifndef MUSTER_AGENT_LINK_LINK_H
#define MUSTER_AGENT_LINK_LINK_H

#include "agent/host.h"
#include "agent/identity_files.h"
#include "agent/link/control_server.h"
#include "agent/link/link_guard.h"
#include "agent/link/link_storage.h"
#include "agent/manager_url.h"
#include "agent/settings.h"
#include "base/env.h"
#include "endpoint/endpoint.h"
#include "net/tls.h"

struct link_candidate;
struct link_exchange;
struct link_farewell;
struct link_jobs;
struct link_items;
struct link_uploads;
struct link_history;
struct link_local;
struct link_components;
struct link_configuration;
struct link_watch;
struct link_listen;
struct link_renewal;

struct link {
	const struct env *env;
	struct loop *loop;
	struct loop_timer *timer; /* the next thing that is due */
	struct loop_timer *stop_timer;
	struct settings settings;
	struct agent_identity identity;
	struct manager_url manager;
	struct host host;
	int store; /* DIR/link, open */
	struct tls_client *tls;
	tls_profile_set profiles; /* of tls; 0: modern */
	struct link_storage *storage;
	struct endpoint *endpoint;
	struct link_guard *guard;
	struct link_exchange *exchange;
	struct link_jobs *jobs;
	struct link_items *items;
	struct link_uploads *uploads;
	struct link_history *history;
	struct link_components *components;
	struct link_local *local;
	struct link_configuration *configuration;
	struct link_watch *watch;
	struct link_listen *listen;
	struct link_candidate *candidate;
	struct link_farewell *farewell;
	bool prepared; /* not activated: it waits for the manager with this key */
	uint8_t accepted[ENVELOPE_KEY_BYTES];
	bool switched;        /* this identity took another's place, and the order for it is not forgotten yet */
	bool first_identity;  /* there was none before */
	bool switch_reported; /* the event is in the spool */
	int identity_directory;
	struct link_renewal *renewal;
	char missing[512]; /* parts of the confinement that could not be had */
	bool stopping;
	int exit_status;
};

/* Looks at everything that may be due, soon; cheap, call it after any change. */
void link_wake(struct link *link);
/* Records an event of link's own; durable with the next flush. */
void link_event(struct link *link, uint32_t type, const struct event_field *fields, size_t count);
/* Tells the event of another identity, and forgets the order to take it once that is durable; 0 when there is none. */
int link_tell_switch(struct link *link, struct err *err);
/* A field of text. */
struct event_field link_field(const char *name, const char *text);
/* Tells the endpoint what link is and how it is reached, as it is now. */
void link_tell_self(struct link *link);
/* Ends the agent in good order: event 5003, then STOP to guard. */
void link_stop(struct link *link, const char *cause);

/* `muster-agent role link --data DIR`. Returns the exit status. */
int link_main(const char *data_directory);

#endif
