/* Landlock: which part of the file system a role may reach. */
#ifndef MUSTER_OS_LANDLOCK_H
#define MUSTER_OS_LANDLOCK_H

#include "os/role.h"

/* Applies confinement's paths for good (also to children). A listed path that
 * does not exist is left out. ROLE_FILES without any path: everything but
 * executing and making devices; ROLE_EXECUTE: nothing is taken away, since the
 * roles to be started inherit it. ERR_VERSION when the kernel has no Landlock. */
int landlock_restrict(const struct role_confinement *confinement, struct err *err);

#endif
