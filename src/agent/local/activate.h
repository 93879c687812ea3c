/* `muster-agent activate`: makes this computer one of a manager's.
 *
 * The key is made here and never leaves. The manager is believed only when its
 * chain ends in the authority whose SHA-256 fingerprint was given. A retry
 * after any failure carries the same attempt id, so that the manager answers
 * with the same computer. Blocks.
 */
#ifndef MUSTER_AGENT_LOCAL_ACTIVATE_H
#define MUSTER_AGENT_LOCAL_ACTIVATE_H

#include <stdbool.h>

#include "agent/identity_files.h"

struct activation {
	const char *url;
	const char *token;       /* NULL: none; whether that will do the manager says */
	const char *fingerprint; /* of the authority, hex with or without colons */
	const char *data;        /* data directory, made if missing */
	const char *name;        /* NULL: the host's */
	const char *policy;      /* NULL or a policy's name */
	const char *group;
};

/* Errors: ERR_USAGE for bad values; ERR_EXISTS when activated with another
 * manager already; ERR_RESOLVE, ERR_CONNECT, ERR_UNTRUSTED, ERR_CLOCK,
 * ERR_TLS, ERR_TIMEOUT, ERR_REFUSED, each with what to do next in the text.
 * *ret_already: nothing was done, this computer belongs to that manager already. */
int activate(const struct activation *activation, struct agent_identity *ret_identity, bool *ret_already,
	     struct err *err);

/* --- for prepare too --- */
/* Makes DIR, identity/ and link/ with their owners. *ret_identity is identity/, open. */
int activation_directories(const char *data, uid_t uid, gid_t gid, int *ret_identity, struct err *err);
/* agent.ini, or the defaults where there is none. */
struct settings;
int activation_settings(const char *data, struct settings *settings, struct err *err);

#endif
