/* The certificate of the agents' listeners, made on the manager's machine while nothing of the manager need run: by
 * `init`, and by `muster-manager certificate` where it was lost or the manager has other names.
 *
 * A running manager renews it by itself, through its keys role (front/certificates.h). Blocks.
 */
#ifndef MUSTER_MANAGER_SERVER_CERTIFICATE_H
#define MUSTER_MANAGER_SERVER_CERTIFICATE_H

#include "base/env.h"
#include "manager/settings.h"
#include "trust/authority.h"

/* A new key and its certificate, for every name by which this manager may be called: `name`, this machine's, and the
 * addresses where it listens. Written below directory, replacing what is there. */
int server_certificate_make(const char *directory, const char *name, const struct settings *settings,
			    const struct authority *authority, const struct env *env, struct err *err);
/* The same in a data directory that is set up, for the names in its manager.ini, signed by its authority; the files
 * belong to whom front/ belongs to. */
int server_certificate_again(const char *directory, const struct env *env, struct err *err);

#endif
