/* An API token written straight into the database. */
#include "manager/local_token.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "manager/front/journal.h"
#include "manager/layout.h"
#include "manager/queries.h"
#include "os/env.h"

struct wish {
	enum account_role role;
	time_us expires;
	struct account_secret secret;
};

/* As root, SQLite gives the side files that it makes to the database's owner. */
static int check_there(const char *path, struct err *err)
{
	struct stat facts;

	if (stat(path, &facts) != 0)
		return err_errno(err, errno, "%s (was `muster-manager init` run?)", path);
	return 0;
}

static int write_token(struct store_session *session, void *argument, struct err *err)
{
	struct wish *wish = argument;
	const struct env *env = env_system();
	char by[64], id[UUID_TEXT_BYTES];
	const struct front_actor actor = { .kind = "system", .name = by, .peer = "" };
	int rc;

	snprintf(by, sizeof(by), "local user %u", (unsigned)getuid());
	rc = account_token_create(session, env, "local", wish->role, wish->expires, by, &wish->secret, err);
	if (rc != 0)
		return rc;
	uuid_format(&wish->secret.id, id);
	return journal_audit(env, session, &actor, "token.create", id, "", "done", err);
}

int local_token_make(const char *data_directory, enum account_role role, span_us valid,
		     struct account_secret *ret_secret, struct err *err)
{
	struct wish wish = { .role = role, .expires = env_wall(env_system()) + valid };
	char path[LAYOUT_PATH_BYTES];
	const struct store_options options = {
		.path = path,
		.migrations = manager_migrations,
		.migration_count = manager_migration_count,
		.readers = 1,
		.group_count = 1,
		.queue_count = 4,
		.existing = true,
		.guest = true,
	};
	struct store *store = NULL;
	int rc;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", data_directory, LAYOUT_DATABASE) >= sizeof(path))
		return err_set(err, ERR_LIMIT, "the data directory's path is too long");
	rc = check_there(path, err);
	if (rc == 0)
		rc = store_open(&options, &store, err);
	if (rc == 0)
		rc = store_write_wait(store, write_token, &wish, err);
	store_close(store);
	if (rc == 0)
		*ret_secret = wish.secret;
	explicit_bzero(&wish.secret, sizeof(wish.secret));
	return rc;
}
