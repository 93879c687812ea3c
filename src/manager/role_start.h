/* What every role of the manager does at its start: log under its name, take
 * the channel to the supervisor, and later give up what it does not need. One
 * table says what each role may do.
 */
#ifndef MUSTER_MANAGER_ROLE_START_H
#define MUSTER_MANAGER_ROLE_START_H

#include "base/err.h"
#include "os/channel.h"

#define ROLE_NAME_KEYS       "keys"
#define ROLE_NAME_FRONT      "front"
#define ROLE_NAME_COURIER    "courier"
#define ROLE_NAME_HYPERVISOR "hypervisor"

/* First: log, signals (roles stop when the supervisor says so, not by Ctrl-C), the supervisor's channel. ERR_USAGE
 * when it was not started by a supervisor. */
int role_start(const char *name, const char *data_directory, struct channel *ret_supervisor, struct err *err);
/* Reads the role's user from manager.ini and confines this process; what could not be had is logged. Before any
 * thread is made. ret_directory (capacity bytes, or NULL for a role that opens no file any more): the data
 * directory as this role reaches it from now on (os/reach.h). */
int role_enclose(const char *name, const char *data_directory, char *ret_directory, size_t capacity, struct err *err);

#endif
