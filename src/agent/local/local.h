/* The commands of muster-agent that people type, one function a command.
 *
 * Each reads its arguments, asks the running agent over the control socket
 * (or works on the data directory where that is its task), prints to standard
 * output, errors to standard error, and returns the exit status: 0 done, 1
 * refused or failed, 2 wrong usage. Block.
 */
#ifndef MUSTER_AGENT_LOCAL_LOCAL_H
#define MUSTER_AGENT_LOCAL_LOCAL_H

#include <jansson.h>

#include "agent/control.h"
#include "agent/local/arguments.h"

#define LOCAL_DATA_DEFAULT "/var/lib/muster-agent"

int local_activate(const struct arguments *arguments);
int local_run(const struct arguments *arguments);
int local_link(const struct arguments *arguments); /* started by guard */
int local_status(const struct arguments *arguments);
int local_scan(const struct arguments *arguments);
int local_heartbeat(const struct arguments *arguments);
int local_settings(const struct arguments *arguments);
int local_ports(const struct arguments *arguments);
int local_events(const struct arguments *arguments);
int local_quarantine_list(const struct arguments *arguments);
int local_quarantine_restore(const struct arguments *arguments);
int local_quarantine_delete(const struct arguments *arguments);
int local_reset(const struct arguments *arguments);
int local_stop(const struct arguments *arguments);
int local_prepare(const struct arguments *arguments);
int local_uninstall(const struct arguments *arguments);
int local_trust(const struct arguments *arguments);
int local_move(const struct arguments *arguments);

/* --- what they share --- */

/* --data as an absolute path, or the default; NULL with err when it cannot be resolved. free() it. */
char *local_data(const struct arguments *arguments, struct err *err);
/* A request without an answer that needs the unload password, where there is one: asks for it, sends it, prints `done`
 * or what went wrong; the exit status. request->password is filled in and wiped. */
int local_guarded(const struct arguments *arguments, struct control_request *request, const char *done);
/* -o: true for json. ERR_USAGE for a form nobody knows. */
int local_output(const struct arguments *arguments, bool *ret_json, struct err *err);
/* Prints "muster-agent: sentence"; the exit status for the code. */
int local_failed(const struct err *err);
/* What a person can do where a manager that was named on the command line cannot be talked to, by the error's code; ""
 * where the sentence says it all. */
const char *local_dial_advice(int code);
/* The same of the manager that the computer belongs to. "" where the sentence says it all. code: by its name
 * (err_name). */
const char *local_link_advice(const char *code);
/* Prints one JSON document and a newline; takes over the reference. */
void local_print(json_t *root);
const char *local_text(const json_t *root, const char *name); /* "" when absent */
json_int_t local_number(const json_t *root, const char *name);

#endif
