/* Programs run beside each other. What they print is untrusted: kept within a line's bound, handed on as bytes. */
#include "cli/children.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS   200 /* for Ctrl-C and time-outs */
#define GRACE_US  (5 * SECOND_US)
#define CODE_NONE (-1)

static void close_both(int pair[2])
{
	for (int i = 0; i < 2; i++) {
		if (pair[i] >= 0)
			close(pair[i]);
		pair[i] = -1;
	}
}

/* A pipe with the input in it, its writing end closed. */
static int input_pipe(const struct child *child, int pair[2], struct err *err)
{
	if (child->input_size > CHILDREN_INPUT_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "the input is longer than %d bytes", CHILDREN_INPUT_MAX_BYTES);
	if (pipe2(pair, O_CLOEXEC) != 0)
		return err_errno(err, errno, "pipe");
	if (write(pair[1], child->input, child->input_size) != (ssize_t)child->input_size)
		return err_set(err, ERR_IO, "the input could not be handed over");
	close(pair[1]);
	pair[1] = -1;
	return 0;
}

static int spawn(struct child *child, int in, int out, struct err *err)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t defaults;
	int rc = posix_spawn_file_actions_init(&actions);

	if (rc != 0)
		return err_errno(err, rc, "start %s", child->arguments[0]);
	rc = posix_spawnattr_init(&attributes);
	if (rc != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return err_errno(err, rc, "start %s", child->arguments[0]);
	}
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	/* A group of its own: Ctrl-C comes to us, who end it; and what it starts ends with it. */
	(void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
	(void)posix_spawnattr_setpgroup(&attributes, 0);
	(void)posix_spawnattr_setsigdefault(&attributes, &defaults);
	rc = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
	if (rc == 0)
		rc = posix_spawnp(&child->pid, child->arguments[0], &actions, &attributes,
				  (char *const *)(uintptr_t)child->arguments,
				  (char *const *)(uintptr_t)child->environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return rc == 0 ? 0 : err_errno(err, rc, "start %s", child->arguments[0]);
}

static int begin(const struct children *children, struct child *child, struct err *err)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 };
	int rc = input_pipe(child, in, err);

	child->output = -1;
	child->pid = 0;
	child->size = 0;
	child->begun = env_monotonic(children->env);
	child->ended_by = 0;
	if (rc == 0 && pipe2(out, O_CLOEXEC) != 0)
		rc = err_errno(err, errno, "pipe");
	if (rc == 0)
		rc = spawn(child, in[0], out[1], err);
	if (rc == 0) {
		child->output = out[0];
		out[0] = -1;
	}
	close_both(in);
	close_both(out);
	return rc;
}

/* --- what it says --- */

static void give_line(const struct children *children, struct child *child)
{
	child->line[child->size] = '\0';
	child->size = 0;
	children->on_line(child, child->line);
}

static void take_byte(const struct children *children, struct child *child, char byte)
{
	if (byte == '\n')
		give_line(children, child);
	else if (byte != '\0' && byte != '\r' && child->size < CHILDREN_LINE_MAX_BYTES)
		child->line[child->size++] = byte;
}

/* False: it has closed its outputs. */
static bool hear(const struct children *children, struct child *child)
{
	char bytes[4096];
	ssize_t count = read(child->output, bytes, sizeof(bytes));

	if (count < 0)
		return errno == EINTR || errno == EAGAIN;
	for (ssize_t i = 0; i < count; i++)
		take_byte(children, child, bytes[i]);
	if (count == 0 && child->size > 0)
		give_line(children, child);
	return count > 0;
}

static void finish(const struct children *children, struct child *child)
{
	int status = 0;

	close(child->output);
	child->output = -1;
	/* Whatever it left behind would keep what it knows. */
	if (child->timed_out || child->interrupted)
		(void)kill(-child->pid, SIGKILL);
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	child->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	child->pid = 0;
	if (children->on_end != NULL)
		children->on_end(child);
}

/* Asked to end first, then made to. */
static void look_at_time(const struct children *children, struct child *child)
{
	time_us now = env_monotonic(children->env);

	if (child->ended_by != 0) {
		if (now > child->ended_by)
			(void)kill(-child->pid, SIGKILL);
		return;
	}
	child->interrupted = children->cancelled();
	child->timed_out = !child->interrupted && now - child->begun > children->timeout;
	if (!child->interrupted && !child->timed_out)
		return;
	child->ended_by = now + GRACE_US;
	(void)kill(-child->pid, SIGTERM);
}

/* --- all of them --- */

static size_t begin_some(struct children *children, size_t next, size_t *running)
{
	while (next < children->count && *running < children->at_once) {
		struct child *child = &children->items[next++];
		struct err err = { 0 };

		child->code = CODE_NONE;
		child->output = -1;
		child->interrupted = children->cancelled();
		if (!child->interrupted && children->on_begin != NULL)
			children->on_begin(child);
		if (!child->interrupted && begin(children, child, &err) == 0) {
			++*running;
			continue;
		}
		if (!child->interrupted)
			children->on_line(child, err.text);
		if (children->on_end != NULL)
			children->on_end(child);
	}
	return next;
}

static void hear_all(struct children *children, size_t count, struct pollfd *polls, struct child **heard,
		     size_t *running)
{
	nfds_t waiting = 0;

	for (size_t i = 0; i < count; i++) {
		if (children->items[i].output < 0)
			continue;
		look_at_time(children, &children->items[i]);
		polls[waiting] = (struct pollfd){ .fd = children->items[i].output, .events = POLLIN };
		heard[waiting++] = &children->items[i];
	}
	if (poll(polls, waiting, LOOK_MS) <= 0)
		return;
	for (nfds_t i = 0; i < waiting; i++) {
		if (polls[i].revents == 0 || hear(children, heard[i]))
			continue;
		finish(children, heard[i]);
		--*running;
	}
}

int children_run(struct children *children, struct err *err)
{
	struct pollfd *polls = calloc(children->at_once, sizeof(*polls));
	struct child **heard = calloc(children->at_once, sizeof(struct child *));
	size_t next = 0, running = 0;
	int rc = 0;

	if (polls == NULL || heard == NULL)
		rc = err_set(err, ERR_MEMORY, "out of memory");
	for (size_t i = 0; rc == 0 && i < children->count; i++)
		children->items[i].output = -1;
	while (rc == 0 && (next < children->count || running > 0)) {
		next = begin_some(children, next, &running);
		if (running > 0)
			hear_all(children, next, polls, heard, &running);
	}
	free(polls);
	free((void *)heard);
	return rc;
}
