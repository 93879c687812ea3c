/* Before link gives up its rights (link_opened.h). Input: files of the data directory, some written by link itself. */
#include "agent/link/link_opened.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/identity_switch.h"
#include "agent/link/link_farewell.h"
#include "agent/link/link_listen.h"
#include "agent/prepared_file.h"
#include "agent/users.h"
#include "base/log.h"
#include "os/reach.h"
#include "os/role.h"

#define MEMORY_MAX_BYTES ((uint64_t)1 << 30)

static int open_directories(const char *data_directory, const struct agent_users *users, struct link_opened *opened,
			    struct err *err)
{
	struct stat st;
	int data, rc = reach_directory(data_directory, users->link_uid, users->link_gid, opened->data,
				       sizeof(opened->data), err);

	if (rc)
		return rc;
	data = open(opened->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (data < 0 || fstat(data, &st) != 0)
		return err_errno(err, errno, "%s", data_directory);
	opened->owner = st.st_uid;
	opened->identity = openat(data, "identity", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	opened->store = openat(data, "link", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (opened->identity < 0 || opened->store < 0)
		rc = err_errno(err, errno, "%s: identity and link directories", data_directory);
	close(data);
	return rc;
}

static int confine(struct link *link, const struct agent_users *users, const struct link_opened *opened,
		   struct err *err)
{
	char store[4300], identity[4300];
	const char *const reads[] = {
		"/etc", "/run/systemd/resolve", "/usr/share/zoneinfo", "/usr/lib", "/lib", "/usr/lib64", NULL
	};
	const char *const writes[] = { store, identity, NULL };
	struct role_confinement confinement = { .name = "link",
						.uid = users->link_uid,
						.gid = users->link_gid,
						.needs = ROLE_NETWORK | ROLE_FILES | ROLE_THREADS,
						.read_paths = reads,
						.write_paths = writes,
						.memory_max_bytes = MEMORY_MAX_BYTES };
	int rc;

	snprintf(store, sizeof(store), "%s/link", opened->data);
	snprintf(identity, sizeof(identity), "%s/identity", opened->data); /* the manager's key follows its successor */
	tzset();
	rc = role_confine(&confinement, link->missing, sizeof(link->missing), err);
	if (rc == 0 && link->missing[0] != '\0')
		LOG(LOG_WARNING, "role.limited", log_text("missing", link->missing));
	return rc;
}

static int forget_direction(const char *data_directory, struct err *err)
{
	char path[4200];
	int store, rc;

	snprintf(path, sizeof(path), "%s/link", data_directory);
	store = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (store < 0)
		return err_errno(err, errno, "%s", path);
	rc = link_listen_forget(store, err);
	close(store);
	return rc;
}

/* A new identity whose files are whole takes the place of the one before: as root, or as whoever started us. */
static int follow_switch(void *argument, const struct identity_switched *switched, struct err *err)
{
	const char *data_directory = argument;
	struct settings settings;
	struct buf problems;
	char path[4200];
	char *url;
	int rc;

	rc = forget_direction(data_directory, err);
	if (rc != 0 || switched->manager[0] == '\0')
		return rc;
	buf_init(&problems, CONF_PROBLEMS_BYTES);
	rc = settings_load(data_directory, &settings, &problems, err);
	buf_done(&problems);
	if (rc)
		return rc;
	url = strdup(switched->manager);
	if (url == NULL) {
		settings_done(&settings);
		return err_set(err, ERR_MEMORY, "out of memory");
	}
	free(settings.manager_url);
	settings.manager_url = url;
	if (switched->listen_port != 0)
		settings.listen_port = switched->listen_port;
	snprintf(path, sizeof(path), "%s/%s", data_directory, SETTINGS_FILE);
	rc = conf_write(&settings_table, &settings, path, 0644, err);
	settings_done(&settings);
	return rc;
}

static int take_candidate(struct link *link, const char *data_directory, struct err *err)
{
	struct identity_switched switched = { .done = false };
	int data = open(data_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = data >= 0
		     ? identity_switch_recover(data, &switched, follow_switch, (void *)(uintptr_t)data_directory, err)
		     : err_errno(err, errno, "%s", data_directory);

	if (data >= 0)
		close(data);
	link->switched = switched.done;
	link->first_identity = switched.first;
	return rc;
}

/* Or the key of the manager that it waits for. */
static int load_identity(struct link *link, int directory, struct err *err)
{
	int rc;

	identity_files_sweep(directory);
	rc = identity_files_load(directory, &link->identity, err);
	link->prepared = rc == ERR_NOT_FOUND && prepared_file_load(directory, link->accepted, NULL) == 0;
	if (link->prepared)
		return 0;
	return rc == 0 ? manager_url_parse(link->identity.manager, &link->manager, err) : rc;
}

/* Its manager goes by another address, says agent.ini. Who is there still has to be the one that this agent knows. */
static int follow_settings(struct link *link, int directory, const struct agent_users *users, struct err *err)
{
	const char *url = link->settings.manager_url;
	int rc;

	if (link->prepared || url[0] == '\0' || strcmp(url, link->identity.manager) == 0)
		return 0;
	rc = manager_url_parse(url, &link->manager, err);
	if (rc != 0)
		return err_add(err, rc, SETTINGS_FILE ": [manager] url");
	LOG(LOG_INFO, "link.manager_readdressed", log_text("before", link->identity.manager), log_text("now", url));
	snprintf(link->identity.manager, sizeof(link->identity.manager), "%s", url);
	return identity_files_who_store(directory, &link->identity, users->link_uid, users->link_gid, err);
}

int link_opened_prepare(struct link *link, const char *data_directory, struct link_opened *opened, struct err *err)
{
	struct agent_users users;
	struct buf problems;
	int rc;

	rc = take_candidate(link, data_directory, err);
	if (rc)
		return rc;
	buf_init(&problems, CONF_PROBLEMS_BYTES);
	rc = settings_load(data_directory, &link->settings, &problems, err);
	if (rc && problems.size)
		LOG(LOG_ERROR, "settings.refused", log_text("problems", buf_text(&problems)));
	buf_done(&problems);
	if (rc)
		return rc;
	log_set_level((enum log_level)link->settings.log_level);
	rc = users_resolve(&link->settings, &users, err);
	if (rc == 0)
		rc = open_directories(data_directory, &users, opened, err);
	if (rc == 0)
		rc = load_identity(link, opened->identity, err);
	if (rc == 0)
		rc = follow_settings(link, opened->identity, &users, err);
	host_read(&link->host, link->settings.machine_uuid);
	if (rc == 0 && !link->prepared)
		link->farewell = link_farewell_new(link, opened->store, err);
	if (rc == 0)
		rc = confine(link, &users, opened, err);
	return rc;
}

void link_opened_close(struct link_opened *opened)
{
	if (opened->identity >= 0)
		close(opened->identity);
	if (opened->store >= 0)
		close(opened->store);
}
