/* Starting and confining roles.
 *
 * A role is this program (or a sibling executable) started again with a role
 * name; a row says as whom it runs and what it may do. role_spawn() gives the
 * child one end of a channel as descriptor ROLE_CHANNEL_FD and nothing else
 * but 0, 1, 2 and the listed descriptors from 4 on. role_confine() is called
 * by the child when it has opened what it needs; whatever the kernel or the
 * lack of root does not allow is reported, never silently left out.
 */
#ifndef MUSTER_OS_ROLE_H
#define MUSTER_OS_ROLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define ROLE_CHANNEL_FD 3

struct role_spawn {
	const char *program;          /* path of the executable; NULL: /proc/self/exe */
	const char *const *arguments; /* argv[1]…, NULL-terminated; argv[0] is the program's base name */
	int channel_fd;               /* becomes ROLE_CHANNEL_FD in the child; closed in the parent */
	const int *fds;               /* become 4, 5, … in the child */
	size_t fd_count;
};
int role_spawn(const struct role_spawn *spawn, pid_t *ret_pid, struct err *err);

/* The program's own directory, for finding sibling executables. */
int role_sibling(const char *name, char *path, size_t capacity, struct err *err);

enum role_need {
	ROLE_NETWORK = 1, /* keep the network namespace; may make internet sockets */
	ROLE_FILES = 2,   /* may open files below read_paths and write_paths (Landlock) */
	ROLE_FORK = 4,    /* may fork and signal its children */
	ROLE_EXECUTE = 8, /* may start programs (supervisors) */
	ROLE_THREADS = 16,
};

struct role_confinement {
	const char *name;
	uid_t uid; /* 0 with keep_capabilities, else dropped to; ignored without root */
	gid_t gid;
	uint64_t capabilities;         /* bits of CAP_*, kept when uid is 0 */
	unsigned needs;                /* enum role_need */
	const char *const *read_paths; /* NULL-terminated, or NULL */
	const char *const *write_paths;
	uint64_t memory_max_bytes; /* RLIMIT_AS, 0: none */
};
/* Drops user, capabilities, namespaces; sets no_new_privs, not dumpable, rlimits, Landlock, seccomp.
 * ret_missing (capacity bytes) lists what could not be had, "" if nothing. */
int role_confine(const struct role_confinement *confinement, char *ret_missing, size_t capacity, struct err *err);

/* A user by name or number from settings; ERR_NOT_FOUND for a name nobody has. */
int role_user(const char *text, uid_t *ret_uid, gid_t *ret_gid, struct err *err);

#endif
