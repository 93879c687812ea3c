/* The system calls a role may make: a table of groups, one a need. */
#ifndef MUSTER_OS_SYSCALLS_H
#define MUSTER_OS_SYSCALLS_H

#include "base/err.h"

/* Installs the filter for good (also for children). needs: enum role_need.
 * A call outside the list answers EPERM; one that nobody here ever makes ends
 * the process. With ROLE_EXECUTE only the latter are forbidden, because the
 * roles to be started inherit the filter. */
int syscalls_restrict(unsigned needs, struct err *err);

#endif
