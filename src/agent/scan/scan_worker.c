/* Scans what it is handed. Everything in here may be taken over by a file. */
#include "agent/scan/scan_worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "os/files.h"
#include "os/role.h"

#define WORKER_MEMORY_MAX_BYTES (8 * GIB)
#define WORKER_FILES_MAX        64
#define WORKER_WRITE_MAX_BYTES  (4 * GIB)

static void fail(const struct err *err)
{
	LOG(LOG_ERROR, "scan.worker_failed", log_err(err));
	_exit(1);
}

/* A directory of its own: workers share libclamav's idea of a random name,
 * and a predecessor that was killed left its files. */
static int enter_directory(int temporary, uint32_t number, struct err *err)
{
	char name[16];
	int fd = -1;
	int code;

	snprintf(name, sizeof(name), "%u", number);
	code = files_make_directory(temporary, name, 0700, (uid_t)-1, (gid_t)-1, &fd, err);
	if (code != 0)
		return code;
	files_empty_directory(fd);
	if (fchdir(fd) != 0)
		code = err_errno(err, errno, "temporary directory");
	close(fd);
	close(temporary);
	return code;
}

static void limit(void)
{
	struct rlimit files = { WORKER_FILES_MAX, WORKER_FILES_MAX };
	struct rlimit size = { WORKER_WRITE_MAX_BYTES, WORKER_WRITE_MAX_BYTES };

	(void)setrlimit(RLIMIT_NOFILE, &files);
	(void)setrlimit(RLIMIT_FSIZE, &size);
}

static void confine(void)
{
	static const char *const temporary[] = { ".", NULL };
	const struct role_confinement confinement = {
		.name = "scan worker",
		.uid = geteuid(),
		.needs = ROLE_FILES,
		.write_paths = temporary,
		.memory_max_bytes = WORKER_MEMORY_MAX_BYTES,
	};
	char missing[256];
	struct err err;

	if (role_confine(&confinement, missing, sizeof(missing), &err) != 0)
		fail(&err);
}

static int answer(struct channel *channel, uint32_t request, const struct scan_verdict *verdict, struct err *err)
{
	struct buf out;
	int code;

	buf_init(&out, CHANNEL_PAYLOAD_MAX_BYTES);
	scan_pack_verdict(&out, verdict);
	code = out.status;
	if (code == 0)
		code = channel_send_wait(channel, SCAN_VERDICT, request, out.data, out.size, -1, -1, err);
	buf_done(&out);
	return code;
}

void scan_worker_run(struct scan_engine *engine, uint32_t number, int channel_fd, int temporary,
		     const struct message_limits *limits)
{
	struct channel channel;
	struct err err = { 0 };

	/* The parent may be gone already; then the channel is too. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || enter_directory(temporary, number, &err) != 0)
		fail(&err);
	limit();
	if (scan_engine_limit(engine, limits, ".", &err) != 0 ||
	    channel_init(&channel, channel_fd, scan_permits_worker, scan_permits_worker_count, &err) != 0)
		fail(&err);
	confine();
	if (scan_engine_self_test(engine, &err) != 0)
		fail(&err);
	for (;;) {
		struct channel_message message;
		struct scan_verdict verdict;
		int code = channel_receive_wait(&channel, -1, &message, &err);

		if (code == ERR_CLOSED)
			_exit(0);
		if (code != 0)
			fail(&err);
		scan_engine_check(engine, message.fd, &verdict);
		close(message.fd);
		code = answer(&channel, message.request, &verdict, &err);
		if (code == ERR_CLOSED)
			_exit(0);
		if (code != 0)
			fail(&err);
	}
}
