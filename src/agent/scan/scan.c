/* muster-agent-scan: the scan role, an executable of its own because libclamav
 * is GPL-2.0, and so that its memory goes away with it.
 *
 *   muster-agent-scan SIGNATURES-DIRECTORY TEMPORARY-DIRECTORY UID GID
 *
 * Started by the agent with its channel as ROLE_CHANNEL_FD. Opens its two
 * directories, gives up its rights, says which signatures there are, loads
 * them when told to, and forks workers. It opens no file that it scans.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/scan/scan_engine.h"
#include "agent/scan/scan_worker.h"
#include "base/log.h"
#include "os/env.h"
#include "os/files.h"
#include "os/role.h"

#define DESCRIPTOR_PATH_BYTES 32
#define SCAN_NICE             10 /* people's programs go first */

struct scan {
	struct channel guard;
	struct scan_engine *engine; /* NULL until loaded */
	int signatures, temporary, signals;
	pid_t workers[SCAN_WORKERS_MAX]; /* 0: none */
};

/* By descriptor: the way to a directory may be closed to this user. */
static void descriptor_path(int fd, char path[DESCRIPTOR_PATH_BYTES])
{
	snprintf(path, DESCRIPTOR_PATH_BYTES, "/proc/self/fd/%d", fd);
}

static int send_to_guard(struct scan *scan, uint16_t type, uint32_t request, const struct buf *out, int fd,
			 struct err *err)
{
	if (out->status != 0)
		return err_set(err, out->status, "message to guard");
	return channel_send_wait(&scan->guard, type, request, out->data, out->size, fd, -1, err);
}

static int open_directory(const char *path, const char *what, int *ret_fd, struct err *err)
{
	*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd >= 0 ? 0 : err_errno(err, errno, "%s %s", what, path);
}

static int tell_version(struct scan *scan, struct err *err)
{
	struct scan_version version = { 0 };
	struct buf out;
	int code;

	/* Without any database the version is zero and LOAD will say why. */
	if (scan_engine_version(scan->signatures, &version, NULL) != 0)
		version = (struct scan_version){ 0 };
	buf_init(&out, CHANNEL_PAYLOAD_MAX_BYTES);
	scan_pack_version(&out, &version);
	code = send_to_guard(scan, SCAN_VERSION, 0, &out, -1, err);
	buf_done(&out);
	return code;
}

static int load(struct scan *scan, uint32_t request, struct err *err)
{
	char temporary[DESCRIPTOR_PATH_BYTES];
	struct scan_loaded loaded;
	struct buf out;
	int code;

	if (scan->engine != NULL)
		return err_set(err, ERR_WRONG_STATE, "the signatures are loaded already");
	descriptor_path(scan->temporary, temporary);
	if (scan_engine_load(temporary, &scan->engine, &loaded, NULL) != 0)
		LOG(LOG_ERROR, "scan.load_failed", log_text("error", loaded.text));
	buf_init(&out, CHANNEL_PAYLOAD_MAX_BYTES);
	scan_pack_loaded(&out, &loaded);
	code = send_to_guard(scan, SCAN_LOADED, request, &out, -1, err);
	buf_done(&out);
	return code;
}

/* In the child: nothing of the parent's stays but the engine. */
static void become_worker(struct scan *scan, uint32_t number, int channel_fd, const struct message_limits *limits)
{
	sigset_t none;

	close(scan->guard.fd);
	close(scan->signals);
	close(scan->signatures);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	scan_worker_run(scan->engine, number, channel_fd, scan->temporary, limits);
}

static int start_worker(struct scan *scan, const struct channel_message *message, struct err *err)
{
	struct message_limits limits;
	uint32_t number = 0;
	struct buf out;
	int fds[2];
	int code = scan_unpack_worker(message->payload, message->size, &number, &limits);

	if (code != 0 || number >= SCAN_WORKERS_MAX || scan->workers[number] != 0 || scan->engine == NULL)
		return err_set(err, ERR_WRONG_STATE, "worker %u cannot be started", number);
	code = channel_pair(fds, err);
	if (code != 0)
		return code;
	scan->workers[number] = fork();
	if (scan->workers[number] == 0) {
		close(fds[0]);
		become_worker(scan, number, fds[1], &limits);
	}
	close(fds[1]);
	if (scan->workers[number] < 0) {
		scan->workers[number] = 0;
		close(fds[0]);
		return err_errno(err, errno, "start worker %u", number);
	}
	buf_init(&out, CHANNEL_PAYLOAD_MAX_BYTES);
	scan_pack_worker(&out, number, NULL);
	code = send_to_guard(scan, SCAN_WORKER, message->request, &out, fds[0], err);
	buf_done(&out);
	close(fds[0]);
	return code;
}

static int kill_worker(struct scan *scan, const struct channel_message *message, struct err *err)
{
	uint32_t number = 0;

	if (scan_unpack_worker(message->payload, message->size, &number, NULL) != 0 || number >= SCAN_WORKERS_MAX)
		return err_set(err, ERR_FORMAT, "which worker to end");
	if (scan->workers[number] > 0)
		kill(scan->workers[number], SIGKILL);
	return 0;
}

static int dispatch(struct scan *scan, const struct channel_message *message, struct err *err)
{
	switch (message->type) {
	case SCAN_LOAD:
		return load(scan, message->request, err);
	case SCAN_WORKER_START:
		return start_worker(scan, message, err);
	default:
		return kill_worker(scan, message, err);
	}
}

static int tell_gone(struct scan *scan, uint32_t number, int status, struct err *err)
{
	struct scan_gone gone = { .number = number };
	struct buf out;
	int code;

	if (WIFSIGNALED(status))
		gone.signal = (uint32_t)WTERMSIG(status);
	else
		gone.exit_code = (uint32_t)WEXITSTATUS(status);
	buf_init(&out, CHANNEL_PAYLOAD_MAX_BYTES);
	scan_pack_gone(&out, &gone);
	code = send_to_guard(scan, SCAN_WORKER_GONE, 0, &out, -1, err);
	buf_done(&out);
	return code;
}

static int reap(struct scan *scan, struct err *err)
{
	struct signalfd_siginfo info;
	int code = 0;

	(void)!read(scan->signals, &info, sizeof(info));
	for (uint32_t i = 0; i < SCAN_WORKERS_MAX && code == 0; i++) {
		int status;

		if (scan->workers[i] > 0 && waitpid(scan->workers[i], &status, WNOHANG) == scan->workers[i]) {
			scan->workers[i] = 0;
			code = tell_gone(scan, i, status, err);
		}
	}
	return code;
}

static int serve(struct scan *scan, struct err *err)
{
	int code = tell_version(scan, err);

	while (code == 0) {
		struct pollfd watches[2] = { { .fd = scan->guard.fd, .events = POLLIN },
					     { .fd = scan->signals, .events = POLLIN } };
		struct channel_message message;

		if (poll(watches, 2, -1) < 0 && errno != EINTR)
			return err_errno(err, errno, "poll");
		if (watches[1].revents != 0)
			code = reap(scan, err);
		if (code != 0 || watches[0].revents == 0)
			continue;
		code = channel_receive(&scan->guard, &message, err);
		code = code == ERR_BUSY ? 0 : code == 0 ? dispatch(scan, &message, err) : code;
	}
	return code == ERR_CLOSED ? 0 : code;
}

/* After this the process has its directories as descriptors and little else. */
static int confine(const struct scan *scan, uid_t uid, gid_t gid, struct err *err)
{
	char temporary[DESCRIPTOR_PATH_BYTES];
	static const char *const here[] = { ".", NULL };
	const char *const writable[] = { temporary, NULL };
	const struct role_confinement confinement = {
		.name = "scan",
		.uid = uid,
		.gid = gid,
		.needs = ROLE_FILES | ROLE_FORK,
		.read_paths = here,
		.write_paths = writable,
	};
	char missing[256];
	int code;

	descriptor_path(scan->temporary, temporary);
	code = role_confine(&confinement, missing, sizeof(missing), err);

	if (code == 0 && missing[0] != '\0')
		LOG(LOG_WARNING, "scan.confinement", log_text("missing", missing));
	return code;
}

static int watch_children(int *ret_fd, struct err *err)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0)
		return err_errno(err, errno, "signals");
	*ret_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return *ret_fd >= 0 ? 0 : err_errno(err, errno, "signals");
}

static int run(char **arguments, struct err *err)
{
	struct scan scan = { .signatures = -1, .temporary = -1, .signals = -1 };
	uint64_t uid = 0, gid = 0;
	int code = number_parse(arguments[2], 0, UINT32_MAX - 1, &uid, err);

	if (code == 0)
		code = number_parse(arguments[3], 0, UINT32_MAX - 1, &gid, err);
	if (code == 0)
		code = open_directory(arguments[0], "signature directory", &scan.signatures, err);
	if (code == 0)
		code = open_directory(arguments[1], "temporary directory", &scan.temporary, err);
	if (code == 0)
		code = watch_children(&scan.signals, err);
	if (code == 0)
		code = channel_init(&scan.guard, ROLE_CHANNEL_FD, scan_permits_scan, scan_permits_scan_count, err);
	if (code == 0)
		code = scan_engine_init(err);
	if (code == 0 && fchdir(scan.signatures) != 0)
		code = err_errno(err, errno, "signature directory");
	(void)setpriority(PRIO_PROCESS, 0, SCAN_NICE);
	if (code == 0)
		code = confine(&scan, (uid_t)uid, (gid_t)gid, err);
	return code == 0 ? serve(&scan, err) : code;
}

int main(int argc, char **argv)
{
	struct err err = { 0 };
	int code;

	log_setup("muster-agent-scan", "scan", 2, LOG_INFO, env_system_wall);
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("muster-agent-scan " MUSTER_VERSION "\n");
		return 0;
	}
	if (argc != 5) {
		fprintf(stderr, "muster-agent-scan is started by muster-agent; it has no use of its own.\n");
		return 2;
	}
	code = run(argv + 1, &err);
	if (code != 0)
		LOG(LOG_ERROR, "scan.failed", log_err(&err));
	return code == 0 ? 0 : 1;
}
