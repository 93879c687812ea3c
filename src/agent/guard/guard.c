/* The guard role: set-up, the loop, and who is told what. */
#include "agent/guard/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/guard/guard_items.h"
#include "agent/guard/guard_settings.h"
#include "agent/guard/notices.h"
#include "base/log.h"
#include "fleet/event_types.h"
#include "os/env.h"
#include "os/files.h"

#define LINK_BACK_OFF_MIN_US (250 * MILLISECOND_US)
#define LINK_BACK_OFF_MAX_US (60 * SECOND_US)
#define LINK_STEADY_US       (60 * SECOND_US) /* after running this long its failures are forgotten */
#define LOCK_WAIT_US         (3 * SECOND_US)
#define STOP_WAIT_US         (5 * SECOND_US)
#define SETTLE_AGAIN_US      (2 * SECOND_US)
#define HOLD_BACK_US         (5 * MINUTE_US) /* then events that may come twice are better than none */

#define CAPABILITY(name) (1ULL << (name))

/* ---- directories, socket, key ---- */

static const struct {
	const char *name;
	mode_t mode;
	enum { OWNER_SELF, OWNER_LINK, OWNER_SCAN } owner;
} folders[] = {
	{ "identity", 0700, OWNER_LINK },   { "link", 0700, OWNER_LINK },     { "guard", 0700, OWNER_SELF },
	{ "guard/jobs", 0700, OWNER_SELF }, { "vault", 0700, OWNER_SELF },    { "signatures", 0755, OWNER_SELF },
	{ "run", 0755, OWNER_SELF },        { "run/scan", 0700, OWNER_SCAN },
};

static int make_folders(struct guard *guard, const struct guard_options *options, struct err *err)
{
	int code = 0;

	for (size_t i = 0; i < COUNT_OF(folders) && code == 0; i++) {
		uid_t uid = folders[i].owner == OWNER_LINK   ? options->link_uid
			    : folders[i].owner == OWNER_SCAN ? options->scan_uid
							     : geteuid();
		gid_t gid = folders[i].owner == OWNER_LINK   ? options->link_gid
			    : folders[i].owner == OWNER_SCAN ? options->scan_gid
							     : getegid();

		code = files_make_directory(guard->data, folders[i].name, folders[i].mode, uid, gid, NULL, err);
	}
	return code;
}

static int open_folder(struct guard *guard, const char *name, int *ret_fd, struct err *err)
{
	*ret_fd = openat(guard->data, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *ret_fd >= 0 ? 0 : err_errno(err, errno, "%s", name);
}

/* Bound by way of /proc/self/fd: a data directory's path may be longer than a socket address. */
static int make_socket(struct guard *guard, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int run = -1, fd = -1;
	int code = open_folder(guard, "run", &run, err);

	if (code != 0)
		return code;
	(void)unlinkat(run, "agent.sock", 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/agent.sock", run);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    fchmodat(run, "agent.sock", 0600, 0) != 0 || listen(fd, 16) != 0)
		code = err_errno(err, errno, "control socket");
	close(run);
	if (code == 0)
		guard->control = fd;
	else if (fd >= 0)
		close(fd);
	return code;
}

static int read_key(int directory, const struct env *env, uint8_t key[VAULT_KEY_BYTES], struct err *err)
{
	struct buf bytes;
	int code;

	buf_init(&bytes, VAULT_KEY_BYTES + 1);
	code = files_read(directory, "vault.key", VAULT_KEY_BYTES, &bytes, err);
	if (code == ERR_NOT_FOUND) {
		env->random(env->context, key, VAULT_KEY_BYTES);
		code = files_write(directory, "vault.key", key, VAULT_KEY_BYTES, 0600, err);
	} else if (code == 0 && bytes.size == VAULT_KEY_BYTES) {
		memcpy(key, bytes.data, VAULT_KEY_BYTES);
	} else if (code == 0) {
		code = err_set(err, ERR_FORMAT,
			       "guard/vault.key is cut short; restore it, or quarantined files stay closed");
	}
	buf_wipe(&bytes);
	return code;
}

/* Two agents on one directory would undo each other's work. */
static int lock_data(struct guard *guard, struct err *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	time_us give_up = env_monotonic(guard->env) + LOCK_WAIT_US;

	guard->lock = openat(guard->guard, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (guard->lock < 0)
		return err_errno(err, errno, "guard/lock");
	/* The starter of a guard that was killed holds it for a moment longer. */
	while (fcntl(guard->lock, F_OFD_SETLK, &lock) != 0) {
		if (env_monotonic(guard->env) >= give_up)
			return err_set(err, ERR_BUSY, "an agent runs already on this data directory");
		(void)poll(NULL, 0, 50);
	}
	return 0;
}

static void event_damaged(struct guard *guard, const struct outbox_damage *damage)
{
	struct notice_draft draft;
	struct err err = { 0 };

	LOG(LOG_ERROR, "guard.outbox_damaged", log_number("bytes", (int64_t)damage->bytes),
	    log_number("places", (int64_t)damage->places));
	notice_begin(&draft, EVENT_LOG_DAMAGED, env_wall(guard->env));
	notice_text(&draft, "log", "guard/outbox.log");
	notice_number(&draft, "bytes", damage->bytes);
	notice_number(&draft, "places", damage->places);
	if (notice_send(&draft, guard->outbox, &err) != 0)
		LOG(LOG_ERROR, "guard.event_lost", log_number("type", EVENT_LOG_DAMAGED), log_err(&err));
}

/* A file that is begun anew, after somebody removed guard/, goes on above all numbers that link knows. */
static int open_outbox(struct guard *guard, struct err *err)
{
	struct outbox_damage damage;
	int code =
	    outbox_open(guard->guard, "outbox.log", (uint64_t)env_wall(guard->env), &guard->outbox, &damage, err);

	if (code == 0 && damage.places > 0)
		event_damaged(guard, &damage);
	return code;
}

static int open_state(struct guard *guard, struct err *err)
{
	uint8_t key[VAULT_KEY_BYTES];
	int code = open_folder(guard, "guard/jobs", &guard->jobs_directory, err);

	if (code == 0)
		code = open_folder(guard, "vault", &guard->vault_directory, err);
	if (code == 0)
		code = open_outbox(guard, err);
	if (code == 0)
		code = read_key(guard->guard, guard->env, key, err);
	if (code == 0)
		code = vault_open(guard->vault_directory, key, guard->env, &guard->vault, err);
	guard->items = guard_items_new();
	if (code == 0 && guard->items == NULL)
		code = err_set(err, ERR_MEMORY, "no memory");
	OPENSSL_cleanse(key, sizeof(key));
	return code;
}

/* ---- processes ---- */

static int make_starter(struct guard *guard, const struct guard_options *options, struct err *err)
{
	char scan_program[4096], temporary[4096], uid[16], gid[16];
	const char *scan_arguments[] = { guard->signatures, temporary, uid, gid, NULL };
	struct starter_program programs[STARTER_ROLES] = {
		[STARTER_LINK] = { .program = options->link_program,
				   .arguments = options->link_arguments,
				   .extra_fd = guard->control },
		[STARTER_SCAN] = { .program = scan_program, .arguments = scan_arguments, .extra_fd = -1 },
	};
	int code = 0;

	if (options->scan_program != NULL)
		snprintf(scan_program, sizeof(scan_program), "%s", options->scan_program);
	else
		code = role_sibling("muster-agent-scan", scan_program, sizeof(scan_program), err);
	snprintf(temporary, sizeof(temporary), "%s/run/scan", options->data);
	snprintf(uid, sizeof(uid), "%u", geteuid() == 0 ? options->scan_uid : geteuid());
	snprintf(gid, sizeof(gid), "%u", geteuid() == 0 ? options->scan_gid : getegid());
	return code == 0 ? starter_new(programs, &guard->starter, err) : code;
}

static int confine(struct guard *guard, struct err *err)
{
	const struct role_confinement confinement = {
		.name = "guard",
		.uid = geteuid(),
		.gid = getegid(),
		.capabilities = CAPABILITY(CAP_DAC_READ_SEARCH) | CAPABILITY(CAP_DAC_OVERRIDE) |
				CAPABILITY(CAP_FOWNER) | CAPABILITY(CAP_CHOWN) | CAPABILITY(CAP_FSETID) |
				CAPABILITY(CAP_SETFCAP),
		.needs = ROLE_FILES,
	};
	int code = role_confine(&confinement, guard->missing, sizeof(guard->missing), err);

	if (code == 0 && geteuid() != 0)
		snprintf(guard->missing + strlen(guard->missing), sizeof(guard->missing) - strlen(guard->missing),
			 "%sroot: only files of user %u are protected", guard->missing[0] != '\0' ? ", " : "",
			 geteuid());
	if (code == 0 && guard->missing[0] != '\0')
		LOG(LOG_WARNING, "guard.confinement", log_text("missing", guard->missing));
	return code;
}

static int watch_signals(struct guard *guard, struct err *err)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &signals, &guard->signals_before) != 0)
		return err_errno(err, errno, "signals");
	guard->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return guard->signals >= 0 ? 0 : err_errno(err, errno, "signals");
}

static void start_link(struct guard *guard)
{
	struct err err = { 0 };
	int fds[2];
	int code = channel_pair(fds, &err);

	if (code == 0)
		code = channel_init(&guard->link, fds[0], message_permits_guard, message_permits_guard_count, &err);
	if (code == 0)
		code = starter_start(guard->starter, STARTER_LINK, fds[1], &err);
	if (code != 0) {
		LOG(LOG_ERROR, "guard.link_not_started", log_err(&err));
		channel_done(&guard->link);
		guard->link_due = env_monotonic(guard->env) + LINK_BACK_OFF_MAX_US;
		return;
	}
	guard->link_running = true;
	guard->link_starts_anew = false;
	guard->link_since = env_monotonic(guard->env);
	guard->link_due = INT64_MAX;
	guard_link_started(guard);
}

static void link_ended(struct guard *guard, const char *cause)
{
	time_us now = env_monotonic(guard->env);

	channel_done(&guard->link);
	guard->link_running = false;
	if (guard->stopping)
		return;
	if (now - guard->link_since > LINK_STEADY_US)
		guard->link_back_off = 0;
	guard->link_back_off = guard->link_back_off == 0 ? LINK_BACK_OFF_MIN_US : guard->link_back_off * 2;
	if (guard->link_back_off > LINK_BACK_OFF_MAX_US)
		guard->link_back_off = LINK_BACK_OFF_MAX_US;
	guard->link_due = now + guard->link_back_off;
	LOG(guard->link_starts_anew ? LOG_INFO : LOG_WARNING, "guard.link_ended", log_text("cause", cause),
	    log_number("again_in_ms", guard->link_back_off / MILLISECOND_US));
	if (!guard->link_starts_anew)
		guard_link_restarted(guard, "link", cause);
}

static void serve_starter(struct guard *guard)
{
	struct starter_report report;
	int code;

	while ((code = starter_receive(guard->starter, &report, NULL)) == 0) {
		if (report.role == STARTER_LINK)
			link_ended(guard, report.cause);
		else
			scanner_ended(guard->scanner, report.cause);
	}
	if (code != ERR_BUSY && !guard->stopping) {
		err_set(&guard->failure, ERR_CLOSED, "the starter process is gone");
		guard->stopping = guard->stopped = true;
	}
}

/* ---- the loop ---- */

static void stop(struct guard *guard)
{
	if (guard->stopping)
		return;
	guard->stopping = true;
	guard->stop_by = env_monotonic(guard->env) + STOP_WAIT_US;
	/* Link sees the end of its channel, tells the manager and ends. */
	channel_done(&guard->link);
}

static void serve_signals(struct guard *guard)
{
	struct signalfd_siginfo info;

	while (read(guard->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			stop(guard);
	}
}

static time_us earliest(time_us a, time_us b)
{
	return a < b ? a : b;
}

static int wait_ms(struct guard *guard, bool more)
{
	time_us now = env_monotonic(guard->env);
	time_us next = earliest(scanner_tick(guard->scanner), guard->stopping ? guard->stop_by : guard->link_due);

	next = earliest(next, guard->stopping ? INT64_MAX : earliest(jobs_next(guard->jobs), guard->settle_due));
	if (more || next <= now)
		return 0;
	return next == INT64_MAX ? -1 : (int)earliest((next - now + 999) / MILLISECOND_US, 60000);
}

static void wait(struct guard *guard, bool more)
{
	struct pollfd watches[3 + SCANNER_FDS_MAX] = {
		{ .fd = starter_fd(guard->starter), .events = POLLIN },
		{ .fd = guard->signals, .events = POLLIN },
		{ .fd = guard->link.fd, .events = POLLIN },
	};
	size_t count = 3 + scanner_fds(guard->scanner, watches + 3);

	if (guard->link.fd >= 0 && guard_link_waits(guard))
		watches[2].events |= POLLOUT;
	(void)poll(watches, count, wait_ms(guard, more));
}

/* Items whose notices could not be written (a full disk): told once that is possible. */
static void settle(struct guard *guard)
{
	time_us now = env_monotonic(guard->env);

	if (!vault_unsettled(guard->vault)) {
		guard->settle_due = INT64_MAX;
	} else if (guard->settle_due == INT64_MAX) {
		guard->settle_due = now + SETTLE_AGAIN_US;
		guard->hold_back_until = now + HOLD_BACK_US;
	} else if (now >= guard->settle_due) {
		guard->settle_due = now + SETTLE_AGAIN_US;
		(void)guard_link_recover(guard, NULL);
	}
}

static void loop(struct guard *guard)
{
	bool more = false;

	while (!guard->stopped) {
		wait(guard, more);
		serve_signals(guard);
		serve_starter(guard);
		if (guard->link.fd >= 0 && guard_link_serve(guard) == ERR_WRONG_STATE)
			stop(guard);
		scanner_serve(guard->scanner);
		if (guard->stopping) {
			guard->stopped |= !guard->link_running || env_monotonic(guard->env) >= guard->stop_by;
			more = false;
			continue;
		}
		more = jobs_step(guard->jobs);
		more |= guard_items_step(guard);
		if (!guard->link_running && env_monotonic(guard->env) >= guard->link_due)
			start_link(guard);
		settle(guard);
		/* What is told only in part stays in the outbox: that is how it is known to have been told. */
		if (guard->settle_due == INT64_MAX || env_monotonic(guard->env) >= guard->hold_back_until)
			guard_link_flush(guard);
	}
}

static int take_local_limits(struct guard *guard, const struct guard_options *options, struct err *err)
{
	const struct message_paths *paths = &options->never_delete;
	int code = 0;

	guard->never_exclude = &options->never_exclude;
	guard->never_delete = exclusions_new();
	if (guard->never_delete == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < paths->count && code == 0; i++)
		code =
		    exclusions_add(guard->never_delete, (const char *)paths->paths[i].data, paths->paths[i].size, err);
	return code;
}

/* As link had them before guard stopped; agent.ini's, the first time. */
static int settings_at_start(struct guard *guard, const struct guard_options *options, struct err *err)
{
	struct message_settings kept;
	struct err problem = { 0 };
	struct buf bytes;
	int code = guard_settings_load(guard->guard, &bytes, &kept, &problem);

	if (code != 0 && code != ERR_NOT_FOUND)
		LOG(LOG_WARNING, "guard.settings_not_read", log_err(&problem));
	code = jobs_configure(guard->jobs, code == 0 ? &kept : &options->settings, err);
	buf_done(&bytes);
	return code;
}

static int make_jobs(struct guard *guard, const struct guard_options *options, struct err *err)
{
	struct jobs_world world = {
		.env = guard->env,
		.directory = guard->jobs_directory,
		.cache_directory = guard->guard,
		.signatures = guard->signatures,
		.outbox = guard->outbox,
		.vault = guard->vault,
		.progress = guard_link_progress,
		.context = guard,
	};
	static const struct scanner_hooks hooks = {
		.verdict = guard_link_verdict,
		.lost = guard_link_lost,
		.again = guard_link_again,
		.changed = guard_link_scanner_changed,
	};
	struct stat st;
	int code;

	if (fstat(guard->data, &st) != 0)
		return err_errno(err, errno, "data directory");
	world.data_device = st.st_dev;
	world.data_inode = st.st_ino;
	code = scanner_new(guard->env, guard->starter, &hooks, guard, &guard->scanner, err);
	world.scanner = guard->scanner;
	world.never_delete = guard->never_delete;
	if (code == 0)
		code = jobs_new(&world, &guard->jobs, err);
	if (code == 0)
		code = settings_at_start(guard, options, err);
	return code == 0 ? guard_link_recover(guard, err) : code;
}

static int set_up(struct guard *guard, const struct guard_options *options, struct err *err)
{
	struct rlimit files;
	int code;

	snprintf(guard->signatures, sizeof(guard->signatures), "%s%s",
		 options->signatures != NULL ? options->signatures : options->data,
		 options->signatures != NULL ? "" : "/signatures");
	guard->data = open(options->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (guard->data < 0)
		return err_errno(err, errno, "data directory %s", options->data);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : 4096; /* a walk holds one a level */
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	code = make_folders(guard, options, err);
	if (code == 0)
		code = open_folder(guard, "guard", &guard->guard, err);
	if (code == 0)
		code = lock_data(guard, err);
	if (code == 0)
		code = make_socket(guard, err);
	if (code == 0)
		code = watch_signals(guard, err);
	if (code == 0)
		code = make_starter(guard, options, err);
	if (code == 0)
		code = confine(guard, err);
	if (code == 0)
		code = open_state(guard, err);
	if (code == 0)
		code = take_local_limits(guard, options, err);
	return code == 0 ? make_jobs(guard, options, err) : code;
}

static void tear_down(struct guard *guard)
{
	int fds[] = { guard->data,    guard->guard,  guard->lock, guard->jobs_directory, guard->vault_directory,
		      guard->control, guard->signals };

	guard_items_free(guard->items);
	jobs_free(guard->jobs);
	scanner_free(guard->scanner);
	channel_done(&guard->link);
	starter_free(guard->starter);
	vault_close(guard->vault);
	outbox_close(guard->outbox);
	exclusions_free(guard->never_delete);
	for (size_t i = 0; i < COUNT_OF(fds); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

int guard_run(const struct guard_options *options, struct err *err)
{
	struct guard guard = { .env = env_system(),
			       .data = -1,
			       .guard = -1,
			       .lock = -1,
			       .jobs_directory = -1,
			       .vault_directory = -1,
			       .control = -1,
			       .signals = -1,
			       .link = { .fd = -1 },
			       .settle_due = INT64_MAX };
	int code;

	if (options->data[0] != '/')
		return err_set(err, ERR_USAGE, "the data directory must be an absolute path");
	code = set_up(&guard, options, err);
	if (code == 0) {
		LOG(LOG_INFO, "guard.started", log_text("data", options->data));
		loop(&guard);
		LOG(LOG_INFO, "guard.stopped");
		code = guard.failure.code != 0 ? err_set(err, guard.failure.code, "%s", guard.failure.text) : 0;
	}
	tear_down(&guard);
	return code;
}
