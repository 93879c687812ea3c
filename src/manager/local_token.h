/* `muster-manager token`: an API token written straight into the database, for
 * scripts on the same machine. Beside a running manager, too (WAL). */
#ifndef MUSTER_MANAGER_LOCAL_TOKEN_H
#define MUSTER_MANAGER_LOCAL_TOKEN_H

#include "base/units.h"
#include "manager/api/accounts.h"

/* ERR_NOT_FOUND: no manager was set up there; ERR_DENIED: not this user's. Wipe the secret. */
int local_token_make(const char *data_directory, enum account_role role, span_us valid,
		     struct account_secret *ret_secret, struct err *err);

#endif
