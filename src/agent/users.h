/* As whom the roles run. */
#ifndef MUSTER_AGENT_USERS_H
#define MUSTER_AGENT_USERS_H

#include <sys/types.h>

#include "agent/settings.h"

/* Numbers that neither Debian nor systemd gives to anybody. */
#define USERS_FREE_FIRST 61184u
#define USERS_FREE_LAST  65519u

struct agent_users {
	uid_t link_uid, scan_uid;
	gid_t link_gid, scan_gid;
};

/* From the settings; as root those that are empty are chosen and written into
 * the settings: "muster" and "muster-scan" when there are such users, else free
 * numbers at random. Without root: the caller for both. */
int users_choose(struct settings *settings, struct agent_users *ret_users, struct err *err);
/* From the settings as they are; empty ones are the caller. */
int users_resolve(const struct settings *settings, struct agent_users *ret_users, struct err *err);

#endif
