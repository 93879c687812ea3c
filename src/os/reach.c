/* Private bind mounts for roles whose directory lies below a closed one. */
#include "os/reach.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* Covered by a small file system of our own in the private namespace only. */
#define REACH_PLACE "/mnt"

static bool may_search(const struct stat *st, uid_t uid, gid_t gid)
{
	if (uid == 0)
		return true;
	if (st->st_uid == uid)
		return (st->st_mode & S_IXUSR) != 0;
	if (st->st_gid == gid)
		return (st->st_mode & S_IXGRP) != 0;
	return (st->st_mode & S_IXOTH) != 0;
}

static int absolute(const char *path, char resolved[PATH_MAX], struct err *err)
{
	if (realpath(path, resolved) == NULL)
		return err_errno(err, errno, "%s", path);
	return 0;
}

int reach_allowed(const char *path, uid_t uid, gid_t gid, bool *ret_allowed, struct err *err)
{
	char resolved[PATH_MAX];
	int rc = absolute(path, resolved, err);

	if (rc != 0)
		return rc;
	for (char *slash = resolved; slash != NULL; slash = strchr(slash + 1, '/')) {
		struct stat st;
		char kept = slash[1];

		/* "/" itself first, then each longer prefix without its last slash. */
		if (slash == resolved)
			slash[1] = '\0';
		else
			*slash = '\0';
		if (stat(resolved, &st) != 0)
			return err_errno(err, errno, "%s", resolved);
		if (slash == resolved)
			slash[1] = kept;
		else
			*slash = '/';
		if (!may_search(&st, uid, gid)) {
			*ret_allowed = false;
			return 0;
		}
	}
	*ret_allowed = true;
	return 0;
}

static int make_place(struct err *err)
{
	static bool made;

	if (made)
		return 0;
	if (unshare(CLONE_NEWNS) != 0)
		return err_errno(err, errno, "private mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return err_errno(err, errno, "private mounts");
	if (mount("muster", REACH_PLACE, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0711,size=64k") != 0)
		return err_errno(err, errno, "mount on %s", REACH_PLACE);
	made = true;
	return 0;
}

static int mount_again(const char *directory, char *ret_path, size_t capacity, struct err *err)
{
	static unsigned count;
	char place[sizeof(REACH_PLACE) + 16];
	int rc = make_place(err);

	if (rc != 0)
		return rc;
	snprintf(place, sizeof(place), "%s/%u", REACH_PLACE, ++count);
	if (sizeof(place) > capacity)
		return err_set(err, ERR_LIMIT, "%s: no room for the path", place);
	if (mkdir(place, 0711) != 0)
		return err_errno(err, errno, "%s", place);
	if (mount(directory, place, NULL, MS_BIND | MS_REC, NULL) != 0)
		return err_errno(err, errno, "mount %s on %s", directory, place);
	memcpy(ret_path, place, strlen(place) + 1);
	return 0;
}

/* The directory's own mode: mounting it elsewhere would not change it. */
static int check_itself(const char *resolved, uid_t uid, gid_t gid, struct err *err)
{
	struct stat st;

	if (stat(resolved, &st) != 0)
		return err_errno(err, errno, "%s", resolved);
	if (geteuid() == 0 && !may_search(&st, uid, gid))
		return err_set(err, ERR_DENIED, "%s is closed to user %u, who keeps files below it (chmod o+x %s)",
			       resolved, (unsigned)uid, resolved);
	return 0;
}

int reach_directory(const char *directory, uid_t uid, gid_t gid, char *ret_path, size_t capacity, struct err *err)
{
	char resolved[PATH_MAX];
	bool allowed = true;
	int rc = absolute(directory, resolved, err);

	if (rc == 0)
		rc = check_itself(resolved, uid, gid, err);
	if (rc == 0 && geteuid() == 0)
		rc = reach_allowed(resolved, uid, gid, &allowed, err);
	if (rc != 0)
		return rc;
	if (!allowed) {
		struct err cause;

		if (mount_again(resolved, ret_path, capacity, &cause) == 0)
			return 0;
		return err_set(err, ERR_DENIED,
			       "%s cannot be reached by user %u: a directory above it is closed to others (%s); "
			       "use another directory, or make those above it searchable (chmod o+x)",
			       directory, (unsigned)uid, cause.text);
	}
	if (strlen(resolved) >= capacity)
		return err_set(err, ERR_LIMIT, "%s: the path is too long", directory);
	memcpy(ret_path, resolved, strlen(resolved) + 1);
	return 0;
}
