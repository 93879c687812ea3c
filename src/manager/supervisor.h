/* `muster-manager run`: starts the roles, connects them, starts again what dies.
 *
 * Knows no key and no network. A role that ends is started again at once, then
 * with a doubling pause up to 30 s while it keeps ending early. A role that
 * cannot even start the first time ends the program with its reason on stderr,
 * but for one that the manager can do without (hypervisor).
 */
#ifndef MUSTER_MANAGER_SUPERVISOR_H
#define MUSTER_MANAGER_SUPERVISOR_H

/* Runs until SIGTERM or SIGINT. lock: of the directory (manager/run_lock.h); the keys role has it too. 0 after an
 * orderly stop, else 1. */
int supervisor_run(const char *data_directory, int lock);

#endif
