/* What people do to the agent on its own machine, and whether they may: the one
 * place that asks. Stopping, trusting another manager's key, moving, resetting
 * and uninstalling need the unload password where the policy sets one
 * (agent.unload_password; specification 30 "Self-protection"); whoever can write
 * the data directory is let through by the system, not by us.
 *
 * The running link asks for what it is told over the control socket; commands
 * that find no agent running ask by themselves, by the last good configuration
 * in DIR/link. Wrong passwords are counted in DIR/link/unload_tries
 * (agent/unload_tries.h) and become events 5020 once link tells of them.
 */
#ifndef MUSTER_AGENT_LOCAL_ACTION_H
#define MUSTER_AGENT_LOCAL_ACTION_H

#include <sys/types.h>

#include "agent/unload_tries.h"
#include "base/env.h"
#include "base/err.h"
#include "wire/exchange.h"

enum local_action {
	LOCAL_ACTION_TRUST,
	LOCAL_ACTION_MOVE,
	LOCAL_ACTION_STOP,
	LOCAL_ACTION_UNINSTALL,
	LOCAL_ACTION_RESET,
	LOCAL_ACTIONS
};

#define LOCAL_ACTION_HASH_BYTES 128 /* of a hash with its NUL */

struct local_action_request {
	const struct env *env;
	int store;        /* DIR/link, open */
	const char *hash; /* local_action_hash(); "": no password is set */
	enum local_action action;
	uid_t uid;            /* who asks */
	const char *password; /* as given, NULL for none; not kept */
};

/* 0, or with what to do: ERR_DENIED none or a wrong one was given, ERR_BUSY there were too many wrong ones just now;
 * ERR_IO when a try cannot be noted. Takes as long as hashing a password does; blocks on the disk. */
int local_action_allowed(const struct local_action_request *request, struct err *err);
/* "stop the agent": what the event says of an action; never NULL. */
const char *local_action_words(unsigned action);

/* The hash in a configuration; "" without one (configuration NULL: none is in force). */
void local_action_hash(const Muster__Wire__Configuration *configuration, char hash[LOCAL_ACTION_HASH_BYTES]);
/* The same of the last good configuration that an agent left which does not run. data: DIR, open. "" also where there
 * is no identity. A file that cannot be read is an error: then nobody knows whether there is a password. */
int local_action_stored_hash(int data, char hash[LOCAL_ACTION_HASH_BYTES], struct err *err);
/* An action on an agent that does not run: the two together, as whoever runs the program. data: DIR, open. */
int local_action_offline(int data, enum local_action action, const char *password, struct err *err);

/* What the manager is still to be told of; all zero where nothing can be read. */
void local_action_tries(int store, struct unload_tries *ret_tries);
/* They are told: forgets them, not the count. */
int local_action_told(int store, struct err *err);

#endif
