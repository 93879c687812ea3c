/* `muster-manager init` as people and programs see it: a manager made (manager/init.h), and what to do next printed.
 */
#ifndef MUSTER_MANAGER_INIT_COMMAND_H
#define MUSTER_MANAGER_INIT_COMMAND_H

#include "manager/init.h"

struct init_wish {
	const char *restore;       /* a backup of the keys, NULL: none */
	const char *password_file; /* its password in the first line; "-": standard input. ERR_USAGE without */
	bool json;                 /* for programs */
};

/* Prints the new password once. Errors as of init_make(); of a backup ERR_FORMAT, ERR_VERSION, ERR_DENIED: a wrong
 * password, or it was altered. Blocks. */
int init_command(const struct init_options *options, const struct init_wish *wish, struct err *err);

#endif
