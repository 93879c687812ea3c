/* libclamav, loaded, compiled and self-tested.
 *
 * Life: scan_engine_init() once before confinement (it loads what libclamav
 * keeps in shared objects); scan_engine_load() in the confined parent;
 * scan_engine_check() in workers forked from it, which share its memory.
 * Everything runs relative to the current directory given.
 */
#ifndef MUSTER_AGENT_SCAN_SCAN_ENGINE_H
#define MUSTER_AGENT_SCAN_SCAN_ENGINE_H

#include "agent/scan_messages.h"
#include "base/err.h"

struct scan_engine;

/* Keeps OpenSSL's configuration file and environment out of this process. */
int scan_engine_init(struct err *err);

/* A digest over name, size and time of each database in the directory and the
 * engine's version. ERR_NOT_FOUND when there is no database. */
int scan_engine_version(int directory, struct scan_version *ret_version, struct err *err);

/* Loads the current directory, with room for temporary files in `temporary`, compiles, finds EICAR or fails. ret_loaded
 * is always filled in (failure and text too). ret_engine only on success. */
int scan_engine_load(const char *temporary, struct scan_engine **ret_engine, struct scan_loaded *ret_loaded,
		     struct err *err);

/* Limits for the files that follow; temporary files go to `temporary`. */
int scan_engine_limit(struct scan_engine *engine, const struct message_limits *limits, const char *temporary,
		      struct err *err);

/* EICAR is detected, or ERR_WRONG_STATE. Workers ask again: their sandbox could be what breaks it. */
int scan_engine_self_test(struct scan_engine *engine, struct err *err);

/* One file from its start. Never fails: what cannot be scanned is a verdict. */
void scan_engine_check(struct scan_engine *engine, int fd, struct scan_verdict *ret_verdict);

#endif
