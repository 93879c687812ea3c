/* The front role: connections, exchange, API, storage. */
#ifndef MUSTER_MANAGER_FRONT_FRONT_ROLE_H
#define MUSTER_MANAGER_FRONT_FRONT_ROLE_H

/* The role's main function: runs until the supervisor says stop, or is gone. Returns an exit code. */
int front_main(const char *data_directory);

#endif
