/* How roles begin and are confined. */
#include "manager/role_start.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "manager/layout.h"
#include "manager/messages.h"
#include "manager/settings.h"
#include "os/env.h"
#include "os/files.h"
#include "os/reach.h"
#include "os/role.h"

struct role_row {
	const char *name;
	size_t user_offset; /* of its user's name in struct settings */
	unsigned needs;
	const char *write_path; /* below the data directory, NULL: none */
	const char *const
	    *read_paths;       /* besides the data directory, if there is a write_path; NULL: none of all that */
	const char *own_path;  /* below the data directory, read besides read_paths; NULL: none */
	const char *made_path; /* below the data directory, made where it is missing; NULL: none */
	uint64_t memory_max_bytes;
};

/* What resolving names and checking certificates reads. */
static const char *const courier_reads[] = { "/etc",
					     "/run/systemd/resolve",
					     "/usr/share/ca-certificates",
					     "/usr/local/share/ca-certificates",
					     "/usr/lib",
					     "/lib",
					     "/usr/lib64",
					     NULL };

/* And what libvirt brings along. */
static const char *const hypervisor_reads[] = { "/etc", "/run/systemd/resolve", "/usr/share", "/usr/lib",
						"/lib", "/usr/lib64",           NULL };

/* Resolving the names of agents as the system is configured to. */
static const char *const front_reads[] = { "/etc", "/run/systemd/resolve", "/usr/lib", "/lib", "/usr/lib64", NULL };

static const struct role_row role_rows[] = {
	{ ROLE_NAME_KEYS, offsetof(struct settings, keys_user), ROLE_FILES, LAYOUT_KEYS, NULL, NULL, LAYOUT_KEYS,
	  256 * MIB },
	{ ROLE_NAME_FRONT, offsetof(struct settings, front_user), ROLE_NETWORK | ROLE_FILES | ROLE_THREADS,
	  LAYOUT_FRONT, front_reads, NULL, NULL, 0 },
	{ ROLE_NAME_COURIER, offsetof(struct settings, courier_user), ROLE_NETWORK | ROLE_FILES | ROLE_THREADS, NULL,
	  courier_reads, NULL, NULL, 0 },
	{ ROLE_NAME_HYPERVISOR, offsetof(struct settings, hypervisor_user), ROLE_NETWORK | ROLE_FILES | ROLE_THREADS,
	  NULL, hypervisor_reads, LAYOUT_HYPERVISOR, LAYOUT_HYPERVISOR, 0 },
};

/* name: one of the table's. */
static const struct role_row *find_role(const char *name)
{
	size_t i = 0;

	while (i < COUNT_OF(role_rows) - 1 && strcmp(role_rows[i].name, name) != 0)
		i++;
	return &role_rows[i];
}

int role_start(const char *name, const char *data_directory, struct channel *ret_supervisor, struct err *err)
{
	struct stat facts;

	(void)data_directory;
	log_setup("muster-manager", find_role(name)->name, STDERR_FILENO, LOG_INFO, env_system_wall);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	if (fstat(ROLE_CHANNEL_FD, &facts) != 0 || !S_ISSOCK(facts.st_mode))
		return err_set(err, ERR_USAGE, "the %s role is started by `muster-manager run`, not by hand", name);
	return channel_init(ret_supervisor, ROLE_CHANNEL_FD, messages_from_supervisor.permits,
			    messages_from_supervisor.count, err);
}

static int find_user(const struct settings *settings, const struct role_row *row, uid_t *uid, gid_t *gid,
		     struct err *err)
{
	const char *user = *(char *const *)((const char *)settings + row->user_offset);
	int rc;

	*uid = geteuid();
	*gid = getegid();
	if (user == NULL || user[0] == '\0' || geteuid() != 0)
		return 0;
	rc = role_user(user, uid, gid, err);
	return rc == 0 ? 0 : err_add(err, rc, "[process] %s_user", row->name);
}

#define READ_PATHS_MAX 16

/* All that the role may read. own: room for the path of its own directory. */
static const char *const *reads_of(const struct role_row *row, const char *data_directory, char *own, const char **list)
{
	size_t count = 0;

	if (row->read_paths == NULL && row->own_path == NULL)
		return NULL;
	for (size_t i = 0; row->read_paths != NULL && row->read_paths[i] != NULL && count < READ_PATHS_MAX; i++)
		list[count++] = row->read_paths[i];
	if (row->write_path != NULL && row->read_paths != NULL)
		list[count++] = data_directory;
	if (row->own_path != NULL) {
		snprintf(own, LAYOUT_PATH_BYTES, "%s/%s", data_directory, row->own_path);
		list[count++] = own;
	}
	list[count] = NULL;
	return list;
}

static int confine(const struct role_row *row, const char *data_directory, uid_t uid, gid_t gid, struct err *err)
{
	char write_path[LAYOUT_PATH_BYTES], own_path[LAYOUT_PATH_BYTES], missing[256] = "";
	const char *const write_paths[] = { write_path, NULL };
	const char *read_paths[READ_PATHS_MAX + 2];
	const struct role_confinement confinement = {
		.name = row->name,
		.uid = uid,
		.gid = gid,
		.needs = row->needs,
		.read_paths = reads_of(row, data_directory, own_path, read_paths),
		.write_paths = row->write_path != NULL ? write_paths : NULL,
		.memory_max_bytes = row->memory_max_bytes,
	};
	int rc;

	snprintf(write_path, sizeof(write_path), "%s/%s", data_directory,
		 row->write_path != NULL ? row->write_path : "");
	rc = role_confine(&confinement, missing, sizeof(missing), err);
	if (rc == 0 && missing[0] != '\0')
		LOG(LOG_WARNING, "role.less_confined", log_text("missing", missing));
	return rc;
}

/* Data directories that are older than the role do not have it; that of the keys may have been lost with them. */
static int make_own_directory(const struct role_row *row, const char *data_directory, uid_t uid, gid_t gid,
			      struct err *err)
{
	char path[LAYOUT_PATH_BYTES];

	if (row->made_path == NULL)
		return 0;
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", data_directory, row->made_path) >= sizeof(path))
		return err_set(err, ERR_LIMIT, "the data directory's path is too long");
	return files_make_directory(AT_FDCWD, path, 0700, uid, gid, NULL, err);
}

/* The database is the role's, also where an administrator has just put a copy there: made by root, or with the owner
 * that it had on another machine, the role could not open it. Only a plain file that has no other name is given away:
 * what a role that was broken into may have linked there is not. */
static int give_database(const struct role_row *row, const char *data_directory, uid_t uid, gid_t gid, struct err *err)
{
	static const char *const names[] = { LAYOUT_DATABASE, LAYOUT_DATABASE "-wal", LAYOUT_DATABASE "-shm" };
	char path[LAYOUT_PATH_BYTES];
	int rc = 0;

	if (strcmp(row->name, ROLE_NAME_FRONT) != 0 || geteuid() != 0)
		return 0;
	for (size_t i = 0; rc == 0 && i < COUNT_OF(names); i++) {
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", data_directory, names[i]) >= sizeof(path))
			return err_set(err, ERR_LIMIT, "the data directory's path is too long");
		rc = files_give(AT_FDCWD, path, 0600, uid, gid, err);
		rc = rc == ERR_NOT_FOUND || rc == ERR_DENIED ? 0 : rc; /* opening it then says what is wrong */
	}
	return rc;
}

int role_enclose(const char *name, const char *data_directory, char *ret_directory, size_t capacity, struct err *err)
{
	const struct role_row *row = find_role(name);
	struct settings settings;
	struct buf problems;
	uid_t uid;
	gid_t gid;
	int rc;

	buf_init(&problems, CONF_PROBLEMS_BYTES);
	rc = settings_load(data_directory, &settings, &problems, err);
	buf_done(&problems);
	if (rc != 0)
		return rc;
	log_set_level((enum log_level)settings.log_level);
	rc = find_user(&settings, row, &uid, &gid, err);
	conf_done(&settings_table, &settings);
	if (rc == 0)
		rc = make_own_directory(row, data_directory, uid, gid, err);
	if (rc == 0)
		rc = give_database(row, data_directory, uid, gid, err);
	if (rc == 0 && ret_directory != NULL) {
		rc = reach_directory(data_directory, uid, gid, ret_directory, capacity, err);
		data_directory = ret_directory;
	}
	return rc == 0 ? confine(row, data_directory, uid, gid, err) : rc;
}
