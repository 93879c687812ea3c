/* As whom the roles run (agent/users.h). */
#include "agent/users.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/env.h"
#include "os/role.h"

static int choose(char **setting, const char *name, const char *other, struct err *err)
{
	char number[16];
	unsigned id;

	if (**setting != '\0')
		return 0;
	if (getpwnam(name) != NULL) {
		snprintf(number, sizeof(number), "%s", name);
	} else {
		do {
			id = USERS_FREE_FIRST +
			     (unsigned)env_below(env_system(), USERS_FREE_LAST - USERS_FREE_FIRST + 1);
			snprintf(number, sizeof(number), "%u", id);
		} while (getpwuid(id) != NULL || getgrgid(id) != NULL || strcmp(number, other) == 0);
	}
	free(*setting);
	*setting = strdup(number);
	return *setting ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

int users_choose(struct settings *settings, struct agent_users *ret_users, struct err *err)
{
	int rc = 0;

	if (geteuid() == 0) {
		rc = choose(&settings->link_user, "muster", "", err);
		if (rc == 0)
			rc = choose(&settings->scan_user, "muster-scan", settings->link_user, err);
	}
	return rc ? rc : users_resolve(settings, ret_users, err);
}

static int resolve(const char *setting, uid_t *ret_uid, gid_t *ret_gid, struct err *err)
{
	*ret_uid = geteuid();
	*ret_gid = getegid();
	return *setting == '\0' || geteuid() != 0 ? 0 : role_user(setting, ret_uid, ret_gid, err);
}

int users_resolve(const struct settings *settings, struct agent_users *ret_users, struct err *err)
{
	struct agent_users users;
	int rc = resolve(settings->link_user, &users.link_uid, &users.link_gid, err);

	if (rc)
		return err_add(err, rc, "agent.ini: [process] link_user");
	rc = resolve(settings->scan_user, &users.scan_uid, &users.scan_gid, err);
	if (rc)
		return err_add(err, rc, "agent.ini: [process] scan_user");
	*ret_users = users;
	return 0;
}
