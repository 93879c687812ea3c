/* Both ends of the starter. */
#include "agent/guard/starter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/pack.h"
#include "base/units.h"
#include "os/channel.h"

enum starter_type { TYPE_START = 1, TYPE_KILL, TYPE_ENDED };

#define CAPABILITY(name) (1ULL << (name))

static const struct channel_permit permits_starter[] = {
	{ TYPE_START, "start", 1, true },
	{ TYPE_KILL, "kill", 1, false },
};
static const struct channel_permit permits_guard[] = { { TYPE_ENDED, "ended", 256, false } };

struct starter {
	struct channel channel;
	pid_t pid;
};

/* ---- the child ---- */

struct child {
	const struct starter_program *programs;
	struct channel channel;
	int signals;
	pid_t pids[STARTER_ROLES]; /* 0: not running */
};

static int report(struct child *child, enum starter_role role, const char *cause)
{
	struct buf out;
	int code;

	buf_init(&out, 256);
	pack_u8(&out, (uint8_t)role);
	pack_text(&out, cause);
	code = out.status != 0 ? out.status
			       : channel_send_wait(&child->channel, TYPE_ENDED, 0, out.data, out.size, -1, -1, NULL);
	buf_done(&out);
	return code;
}

static int start(struct child *child, enum starter_role role, int channel_fd)
{
	const struct starter_program *program = &child->programs[role];
	const struct role_spawn spawn = {
		.program = program->program,
		.arguments = program->arguments,
		.channel_fd = channel_fd,
		.fds = &program->extra_fd,
		.fd_count = program->extra_fd >= 0 ? 1 : 0,
	};
	struct err err = { 0 };
	int code;

	if (child->pids[role] != 0) {
		close(channel_fd);
		return 0;
	}
	code = role_spawn(&spawn, &child->pids[role], &err);
	if (code == 0)
		return 0;
	close(channel_fd);
	child->pids[role] = 0;
	err.text[120] = '\0';
	return report(child, role, err.text);
}

static int obey(struct child *child)
{
	struct channel_message message;
	int code = channel_receive(&child->channel, &message, NULL);

	if (code != 0)
		return code == ERR_BUSY ? 0 : code;
	if (message.size != 1 || message.payload[0] >= STARTER_ROLES) {
		if (message.fd >= 0)
			close(message.fd);
		return ERR_FORMAT;
	}
	if (message.type == TYPE_START)
		return start(child, (enum starter_role)message.payload[0], message.fd);
	if (child->pids[message.payload[0]] > 0)
		kill(child->pids[message.payload[0]], SIGKILL);
	return 0;
}

static int reap(struct child *child)
{
	struct signalfd_siginfo info;
	int code = 0;

	(void)!read(child->signals, &info, sizeof(info));
	for (unsigned role = 0; role < STARTER_ROLES && code == 0; role++) {
		char cause[64];
		int status;

		if (child->pids[role] <= 0 || waitpid(child->pids[role], &status, WNOHANG) != child->pids[role])
			continue;
		child->pids[role] = 0;
		if (WIFSIGNALED(status))
			snprintf(cause, sizeof(cause), "ended by signal %d", WTERMSIG(status));
		else
			snprintf(cause, sizeof(cause), "exit status %d", WEXITSTATUS(status));
		code = report(child, (enum starter_role)role, cause);
	}
	return code;
}

/* What the roles need to become their users and leave their namespaces. */
static int confine(void)
{
	const struct role_confinement confinement = {
		.name = "starter",
		.uid = geteuid(),
		.capabilities = CAPABILITY(CAP_SETUID) | CAPABILITY(CAP_SETGID) | CAPABILITY(CAP_SETPCAP) |
				CAPABILITY(CAP_SYS_ADMIN) | CAPABILITY(CAP_KILL) | CAPABILITY(CAP_CHOWN) |
				CAPABILITY(CAP_FOWNER) | CAPABILITY(CAP_DAC_OVERRIDE) |
				CAPABILITY(CAP_DAC_READ_SEARCH) | CAPABILITY(CAP_NET_BIND_SERVICE),
		.needs = ROLE_NETWORK | ROLE_FILES | ROLE_FORK | ROLE_EXECUTE,
	};
	char missing[256];

	return role_confine(&confinement, missing, sizeof(missing), NULL);
}

static int watch_children(struct child *child)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM); /* guard decides about the end */
	sigaddset(&signals, SIGINT);
	if (sigprocmask(SIG_SETMASK, &signals, NULL) != 0)
		return -1;
	child->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return child->signals >= 0 ? 0 : -1;
}

static void run_child(struct child *child, int channel_fd, pid_t guard)
{
	static const char name[] = "starter";
	int code = 0;

	(void)prctl(PR_SET_NAME, name);
	(void)setpgid(0, 0); /* Ctrl-C is guard's */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != guard || watch_children(child) != 0 ||
	    channel_init(&child->channel, channel_fd, permits_starter, COUNT_OF(permits_starter), NULL) != 0 ||
	    confine() != 0)
		_exit(1);
	while (code == 0) {
		struct pollfd watches[2] = { { .fd = child->channel.fd, .events = POLLIN },
					     { .fd = child->signals, .events = POLLIN } };

		if (poll(watches, 2, -1) < 0 && errno != EINTR)
			_exit(1);
		if (watches[1].revents != 0)
			code = reap(child);
		if (code == 0 && watches[0].revents != 0)
			code = obey(child);
	}
	for (unsigned role = 0; role < STARTER_ROLES; role++) {
		if (child->pids[role] > 0)
			kill(child->pids[role], SIGKILL);
	}
	_exit(0);
}

/* ---- guard's end ---- */

int starter_new(const struct starter_program programs[STARTER_ROLES], struct starter **ret_starter, struct err *err)
{
	struct child child = { .programs = programs };
	struct starter *starter = calloc(1, sizeof(*starter));
	pid_t guard = getpid();
	int fds[2];
	int code;

	if (starter == NULL)
		return err_set(err, ERR_MEMORY, "starter: no memory");
	code = channel_pair(fds, err);
	if (code != 0) {
		free(starter);
		return code;
	}
	starter->pid = fork();
	if (starter->pid == 0) {
		close(fds[0]);
		run_child(&child, fds[1], guard);
	}
	close(fds[1]);
	code = starter->pid < 0 ? err_errno(err, errno, "starter")
				: channel_init(&starter->channel, fds[0], permits_guard, COUNT_OF(permits_guard), err);
	if (code != 0) {
		close(fds[0]);
		free(starter);
		return code;
	}
	*ret_starter = starter;
	return 0;
}

void starter_free(struct starter *starter)
{
	if (starter == NULL)
		return;
	channel_done(&starter->channel);
	free(starter);
}

int starter_fd(const struct starter *starter)
{
	return starter->channel.fd;
}

int starter_start(struct starter *starter, enum starter_role role, int channel_fd, struct err *err)
{
	uint8_t which = (uint8_t)role;
	int code = channel_send_wait(&starter->channel, TYPE_START, 0, &which, 1, channel_fd, 1000, err);

	close(channel_fd);
	return code;
}

int starter_kill(struct starter *starter, enum starter_role role, struct err *err)
{
	uint8_t which = (uint8_t)role;

	return channel_send_wait(&starter->channel, TYPE_KILL, 0, &which, 1, -1, 1000, err);
}

int starter_receive(struct starter *starter, struct starter_report *ret_report, struct err *err)
{
	struct channel_message message;
	struct starter_report got = { 0 };
	struct unpack in;
	int code = channel_receive(&starter->channel, &message, err);
	unsigned role;

	if (code != 0)
		return code;
	unpack_init(&in, message.payload, message.size);
	role = unpack_u8(&in);
	unpack_text(&in, got.cause, sizeof(got.cause));
	if (unpack_end(&in) != 0 || role >= STARTER_ROLES)
		return err_set(err, ERR_FORMAT, "starter: a report that does not decode");
	got.role = (enum starter_role)role;
	*ret_report = got;
	return 0;
}
