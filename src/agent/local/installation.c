/* Taking back what the installation script did (agent/local/installation.h). Input: files that root wrote; they are
 * compared before anything is removed. */
#include "agent/local/installation.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/units.h"
#include "os/files.h"

#define PROGRAM        "muster-agent"
#define SERVICE        "muster-agent.service"
#define UNIT_DEFAULT   "/etc/systemd/system/muster-agent.service"
#define CRON_FILE      "/etc/cron.d/muster-agent"
#define TEXT_MAX_BYTES ((size_t)64 * 1024)

extern char **environ;

/* --- finding it --- */

/* PREFIX/versions/NAME/bin/muster-agent. */
static bool take_apart(const char *program, struct installation *installation)
{
	static const char *const parts[] = { "/" PROGRAM, "/bin", NULL, "/versions" };
	char path[INSTALLATION_PATH_BYTES];

	snprintf(path, sizeof(path), "%s", program);
	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		char *slash = strrchr(path, '/');

		if (slash == NULL || (parts[i] != NULL && strcmp(slash, parts[i]) != 0))
			return false;
		if (parts[i] == NULL && snprintf(installation->version, sizeof(installation->version), "%s",
						 slash + 1) >= (int)sizeof(installation->version))
			return false;
		*slash = '\0';
	}
	snprintf(installation->prefix, sizeof(installation->prefix), "%s", path);
	return path[0] == '/';
}

/* The value of "NAME VALUE" in text; the default where it is not given. */
static void take_value(const char *text, const char *name, const char *otherwise, char value[INSTALLATION_PATH_BYTES])
{
	size_t size = strlen(name);

	snprintf(value, INSTALLATION_PATH_BYTES, "%s", otherwise);
	for (const char *line = text; line != NULL && *line != '\0';) {
		const char *end = strchr(line, '\n');
		size_t length = end != NULL ? (size_t)(end - line) : strlen(line);

		if (length > size && strncmp(line, name, size) == 0 && line[size] == ' ')
			snprintf(value, INSTALLATION_PATH_BYTES, "%.*s", (int)(length - size - 1), line + size + 1);
		line = end != NULL ? end + 1 : NULL;
	}
}

static void read_record(struct installation *installation)
{
	char path[INSTALLATION_PATH_BYTES + 16];
	struct buf text;

	buf_init(&text, TEXT_MAX_BYTES);
	snprintf(path, sizeof(path), "%s/installation", installation->prefix);
	if (files_read(AT_FDCWD, path, TEXT_MAX_BYTES, &text, NULL) != 0)
		buf_reset(&text); /* of an installation from before there was one: as it is by default */
	take_value(buf_text(&text), "data", "/var/lib/muster-agent", installation->data);
	take_value(buf_text(&text), "bin", "/usr/local/bin", installation->bin);
	take_value(buf_text(&text), "unit", UNIT_DEFAULT, installation->unit);
	buf_done(&text);
}

int installation_find(struct installation *installation, struct err *err)
{
	char program[INSTALLATION_PATH_BYTES], path[INSTALLATION_PATH_BYTES + 16];
	ssize_t size = readlink("/proc/self/exe", program, sizeof(program) - 1);

	*installation = (struct installation){ .lock = -1 };
	if (size <= 0)
		return err_errno(err, errno, "the program's own path");
	program[size] = '\0';
	if (!take_apart(program, installation))
		return 0;
	snprintf(path, sizeof(path), "%s/.lock", installation->prefix);
	installation->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (installation->lock < 0)
		return err_errno(err, errno, "%s", path);
	if (flock(installation->lock, LOCK_EX | LOCK_NB) != 0) {
		installation_done(installation);
		return err_set(err, ERR_BUSY,
			       "an installation or an update of the agent is under way: try again when it is done");
	}
	read_record(installation);
	installation->there = true;
	return 0;
}

void installation_done(struct installation *installation)
{
	if (installation->lock >= 0)
		close(installation->lock);
	installation->lock = -1;
}

/* --- the service --- */

/* A file whose text has a line with this beginning and this end. */
static bool file_says(const char *path, const char *beginning, const char *end)
{
	struct buf text;
	bool says = false;

	buf_init(&text, TEXT_MAX_BYTES);
	if (files_read(AT_FDCWD, path, TEXT_MAX_BYTES, &text, NULL) == 0) {
		for (const char *line = buf_text(&text); !says && *line != '\0';
		     line += strcspn(line, "\n"), line += *line == '\n') {
			size_t length = strcspn(line, "\n");

			says = length >= strlen(beginning) + strlen(end) &&
			       strncmp(line, beginning, strlen(beginning)) == 0 &&
			       strncmp(line + length - strlen(end), end, strlen(end)) == 0;
		}
	}
	buf_done(&text);
	return says;
}

/* Whether systemd runs here at all shows in what it answers. */
static void systemctl(const char *const words[])
{
	int status;
	pid_t pid;

	if (access("/run/systemd/system", F_OK) != 0)
		return;
	if (posix_spawnp(&pid, "systemctl", NULL, NULL, (char *const *)(uintptr_t)words, environ) == 0)
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
}

static int remove_unit(const struct installation *installation, struct err *err)
{
	static const char *const disable[] = { "systemctl", "--quiet", "disable", "--now", SERVICE, NULL };
	static const char *const reload[] = { "systemctl", "daemon-reload", NULL };
	char ending[INSTALLATION_PATH_BYTES + 16];
	int rc;

	snprintf(ending, sizeof(ending), " run --data %s", installation->data);
	if (!file_says(installation->unit, "ExecStart=", ending))
		return 0;
	if (strcmp(installation->unit, UNIT_DEFAULT) == 0)
		systemctl(disable);
	rc = files_remove(AT_FDCWD, installation->unit, err);
	if (rc == 0 && strcmp(installation->unit, UNIT_DEFAULT) == 0)
		systemctl(reload);
	return rc;
}

int installation_remove_service(const struct installation *installation, const char *manager, struct err *err)
{
	int rc = installation->there ? remove_unit(installation, err) : 0;

	if (rc != 0 || !installation->there || manager == NULL || *manager == '\0')
		return rc;
	return file_says(CRON_FILE, "MUSTER_MANAGER=", manager) ? files_remove(AT_FDCWD, CRON_FILE, err) : 0;
}

/* --- the programs --- */

/* Everything in the directory but the entry `keep`. *ret_fd: the directory, open. */
static int empty_but(int parent, const char *name, const char *keep, int *ret_fd, struct err *err)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return err_errno(err, errno, "%s", name);
	files_empty_but(fd, keep);
	*ret_fd = fd;
	return 0;
}

static int remove_link(const struct installation *installation, struct err *err)
{
	char link[INSTALLATION_PATH_BYTES + 16], target[INSTALLATION_PATH_BYTES + 32], points[sizeof(target)];
	ssize_t size;

	snprintf(link, sizeof(link), "%s/" PROGRAM, installation->bin);
	snprintf(target, sizeof(target), "%s/current/bin/" PROGRAM, installation->prefix);
	size = readlink(link, points, sizeof(points) - 1);
	if (size <= 0)
		return 0;
	points[size] = '\0';
	return strcmp(points, target) == 0 ? files_remove(AT_FDCWD, link, err) : 0;
}

/* The program that runs goes last, so that it can be run again until then. */
int installation_remove_programs(const struct installation *installation, struct err *err)
{
	const char *const path[] = { installation->prefix, "versions", installation->version, "bin", PROGRAM };
	int fds[COUNT_OF(path) - 1] = { -1, -1, -1, -1 };
	int rc = 0;

	if (!installation->there)
		return 0;
	for (size_t i = 0; rc == 0 && i < COUNT_OF(fds); i++)
		rc = empty_but(i == 0 ? AT_FDCWD : fds[i - 1], path[i], path[i + 1], &fds[i], err);
	if (rc == 0)
		rc = remove_link(installation, err);
	for (size_t i = COUNT_OF(fds); i-- > 0;) {
		if (rc == 0 && unlinkat(fds[i], path[i + 1], i + 1 == COUNT_OF(fds) ? 0 : AT_REMOVEDIR) != 0)
			rc = err_errno(err, errno, "%s", path[i + 1]);
		if (fds[i] >= 0)
			close(fds[i]);
	}
	if (rc == 0 && rmdir(installation->prefix) != 0)
		rc = err_errno(err, errno, "%s", installation->prefix);
	return rc;
}
