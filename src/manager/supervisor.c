/* The supervisor of the manager's roles. Messages from roles are untrusted. */
#include "manager/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "manager/layout.h"
#include "manager/messages.h"
#include "manager/role_start.h"
#include "os/env.h"
#include "os/files.h"
#include "os/role.h"
#include "trust/roots.h"
#include "trust/secret_file.h"
#include "trust/signing_key.h"

#define PAUSE_FIRST_US     (100 * MILLISECOND_US)
#define PAUSE_MAX_US       (30 * SECOND_US)
#define LIVED_WELL_US      (60 * SECOND_US) /* after this long the pause starts small again */
#define HYPERVISOR_PROGRAM "muster-manager-hypervisor"
#define STOP_PATIENCE_US   (6 * MINUTE_US) /* over the largest [process] stop_grace */

enum { KEYS, FRONT, COURIER, HYPERVISOR, ROLES };

/* Who is connected with whom, and what tells each end of it. */
static const struct connection {
	int first, second;
	uint16_t to_first, to_second;
} connections[] = {
	{ KEYS, FRONT, MESSAGE_ATTACH, MESSAGE_ATTACH },
	{ COURIER, FRONT, MESSAGE_ATTACH, MESSAGE_ATTACH_COURIER },
	{ HYPERVISOR, FRONT, MESSAGE_ATTACH, MESSAGE_ATTACH_HYPERVISOR },
};

/* Who may accuse whom of breaking the rules. */
static const struct accusation {
	int by;
	uint16_t message;
	int of;
} accusations[] = {
	{ KEYS, MESSAGE_BROKEN, FRONT },
	{ COURIER, MESSAGE_BROKEN, FRONT },
	{ HYPERVISOR, MESSAGE_BROKEN, FRONT },
	{ FRONT, MESSAGE_BROKEN, KEYS },
	{ FRONT, MESSAGE_BROKEN_COURIER, COURIER },
	{ FRONT, MESSAGE_BROKEN_HYPERVISOR, HYPERVISOR },
};

struct role {
	const char *name;
	const char *sibling; /* an executable of its own beside this one; NULL: this one */
	bool spared;         /* the manager runs without it */
	bool keeps_lock;     /* of the data directory: it writes there, and holds nothing else that says so */
	const struct message_table *from;
	pid_t pid; /* 0: not running */
	struct channel channel;
	time_us started;
	time_us start_at; /* when not running */
	span_us pause;
	bool came_up; /* once since the supervisor began */
	bool told;    /* to stop */
};

struct supervisor {
	const struct env *env;
	const char *data_directory;
	struct role roles[ROLES];
	int signals;
	int lock; /* of the data directory */
	bool stopping;
	time_us kill_at;
	int exit_code;
};

/* --- starting --- */

static int spawn(struct supervisor *supervisor, struct role *role, struct err *err)
{
	const char *const arguments[] = { "role", role->name, "--data", supervisor->data_directory, NULL };
	struct role_spawn row = { .arguments = arguments };
	char program[LAYOUT_PATH_BYTES];
	int pair[2];
	int rc = role->sibling != NULL ? role_sibling(role->sibling, program, sizeof(program), err) : 0;

	if (rc == 0)
		rc = channel_pair(pair, err);
	if (rc != 0)
		return rc;
	row.program = role->sibling != NULL ? program : NULL;
	row.channel_fd = pair[1];
	row.fds = &supervisor->lock;
	row.fd_count = role->keeps_lock ? 1 : 0;
	rc = channel_init(&role->channel, pair[0], role->from->permits, role->from->count, err);
	if (rc != 0) {
		close(pair[0]);
		close(pair[1]);
		return rc;
	}
	rc = role_spawn(&row, &role->pid, err);
	if (rc != 0) {
		role->pid = 0;
		close(pair[1]);
		channel_done(&role->channel);
	}
	return rc;
}

static int hand_over(struct role *role, uint16_t message, int fd, struct err *err)
{
	int rc = channel_send(&role->channel, message, 0, NULL, 0, fd, err);

	close(fd);
	return rc == 0 ? 0 : err_add(err, rc, "connect the %s role", role->name);
}

/* Both roles run: each gets an end of a new channel between them. */
static void connect_roles(struct supervisor *supervisor, const struct connection *connection)
{
	struct role *first = &supervisor->roles[connection->first];
	struct role *second = &supervisor->roles[connection->second];
	struct err err = { 0 };
	int pair[2];
	int rc;

	if (first->pid == 0 || second->pid == 0)
		return;
	rc = channel_pair(pair, &err);
	if (rc == 0) {
		rc = hand_over(first, connection->to_first, pair[0], &err);
		if (hand_over(second, connection->to_second, pair[1], &err) != 0 || rc != 0)
			rc = ERR_CLOSED;
	}
	if (rc != 0)
		LOG(LOG_WARNING, "supervisor.connect_failed", log_err(&err));
}

/* All that this role, just started, is to be connected with. */
static void connect_role(struct supervisor *supervisor, const struct role *role)
{
	int index = (int)(role - supervisor->roles);

	for (size_t i = 0; i < COUNT_OF(connections); i++) {
		if (connections[i].first == index || connections[i].second == index)
			connect_roles(supervisor, &connections[i]);
	}
}

static void plan_restart(struct supervisor *supervisor, struct role *role)
{
	time_us now = env_monotonic(supervisor->env);

	if (now - role->started > LIVED_WELL_US)
		role->pause = 0;
	role->start_at = now + role->pause;
	role->pause = role->pause == 0 ? PAUSE_FIRST_US : role->pause * 2;
	if (role->pause > PAUSE_MAX_US)
		role->pause = PAUSE_MAX_US;
}

static void start(struct supervisor *supervisor, struct role *role)
{
	struct err err = { 0 };

	role->started = env_monotonic(supervisor->env);
	if (spawn(supervisor, role, &err) != 0) {
		LOG(LOG_ERROR, "supervisor.start_failed", log_text("which", role->name), log_err(&err));
		plan_restart(supervisor, role);
		return;
	}
	LOG(LOG_INFO, "supervisor.role_started", log_text("which", role->name), log_number("pid", role->pid));
	connect_role(supervisor, role);
}

/* --- stopping --- */

static void begin_stop(struct supervisor *supervisor, int exit_code)
{
	if (supervisor->stopping)
		return;
	supervisor->stopping = true;
	supervisor->exit_code = exit_code;
	supervisor->kill_at = env_monotonic(supervisor->env) + STOP_PATIENCE_US;
	LOG(LOG_INFO, "supervisor.stopping", log_number("pid", getpid()));
}

static void tell_stop(struct role *role)
{
	if (role->pid != 0 && channel_send(&role->channel, MESSAGE_STOP, 0, NULL, 0, -1, NULL) != 0)
		kill(role->pid, SIGKILL);
}

/* Front first: what it finishes may need a signature. */
static void proceed_stop(struct supervisor *supervisor)
{
	static const int order[] = { FRONT, KEYS, COURIER, HYPERVISOR };

	for (size_t i = 0; i < COUNT_OF(order); i++) {
		struct role *role = &supervisor->roles[order[i]];

		if (role->pid == 0)
			continue;
		if (!role->told)
			tell_stop(role);
		role->told = true;
		return;
	}
}

/* --- what happens --- */

static void log_end(const struct role *role, int status, bool expected)
{
	enum log_level level = expected ? LOG_INFO : LOG_ERROR;

	if (WIFSIGNALED(status))
		LOG(level, "supervisor.role_ended", log_text("which", role->name), log_number("pid", role->pid),
		    log_number("signal", WTERMSIG(status)));
	else
		LOG(level, "supervisor.role_ended", log_text("which", role->name), log_number("pid", role->pid),
		    log_number("exit_code", WEXITSTATUS(status)));
}

/* What was wrong at the first start will be wrong at the next. */
static bool first_start_failed(const struct role *role, int status)
{
	return !role->spared && !role->came_up && WIFEXITED(status) && WEXITSTATUS(status) != 0;
}

static void role_ended(struct supervisor *supervisor, struct role *role, int status)
{
	log_end(role, status, supervisor->stopping);
	role->pid = 0;
	channel_done(&role->channel);
	if (first_start_failed(role, status)) {
		begin_stop(supervisor, 1);
		return;
	}
	if (!supervisor->stopping)
		plan_restart(supervisor, role);
}

static void reap(struct supervisor *supervisor)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < ROLES; i++) {
			if (supervisor->roles[i].pid == pid)
				role_ended(supervisor, &supervisor->roles[i], status);
		}
	}
}

static void hear_signals(struct supervisor *supervisor)
{
	struct signalfd_siginfo info;

	while (read(supervisor->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			begin_stop(supervisor, 0);
	}
	reap(supervisor);
}

static struct role *accused(struct supervisor *supervisor, size_t by, uint16_t message)
{
	for (size_t i = 0; i < COUNT_OF(accusations); i++) {
		if (accusations[i].by == (int)by && accusations[i].message == message)
			return &supervisor->roles[accusations[i].of];
	}
	return NULL;
}

/* A file for people, which keys may not write itself: it is replaced when it holds something else. */
static int publish(const struct supervisor *supervisor, const char *name, const struct buf *content, struct err *err)
{
	char path[LAYOUT_PATH_BYTES];
	struct buf before;
	bool same;

	buf_init(&before, SECRET_FILE_MAX_BYTES);
	snprintf(path, sizeof(path), "%s/%s", supervisor->data_directory, name);
	same = files_read(AT_FDCWD, path, SECRET_FILE_MAX_BYTES, &before, NULL) == 0 && before.size == content->size &&
	       memcmp(before.data, content->data, content->size) == 0;
	buf_done(&before);
	if (same)
		return 0;
	LOG(LOG_INFO, "supervisor.file_written", log_text("file", name));
	return files_write(AT_FDCWD, path, content->data, content->size, 0644, err);
}

/* What people give to agents that lost their trust. */
static int publish_key(const struct supervisor *supervisor, const struct channel_message *message, struct err *err)
{
	struct buf pem;
	int rc = message->size == ENVELOPE_KEY_BYTES ? 0 : err_set(err, ERR_FORMAT, "not a key");

	buf_init(&pem, SECRET_FILE_MAX_BYTES);
	if (rc == 0)
		rc = signing_public_pem(message->payload, &pem, err);
	if (rc == 0)
		rc = publish(supervisor, LAYOUT_TRUST_KEY, &pem, err);
	buf_done(&pem);
	return rc;
}

/* By which people and programs know the manager: certificates of authorities, and nothing else. */
static int publish_roots(const struct supervisor *supervisor, const struct channel_message *message, struct err *err)
{
	struct buf text, first, all, links;
	int rc;

	buf_init(&text, AUTHORITIES_MAX_BYTES + 1);
	buf_init(&first, AUTHORITIES_MAX_BYTES);
	buf_init(&all, AUTHORITIES_MAX_BYTES);
	buf_init(&links, AUTHORITIES_MAX_BYTES);
	rc = buf_append(&text, message->payload, message->size);
	if (rc == 0)
		rc = roots_split(buf_text(&text), &first, &all, &links, err);
	if (rc == 0)
		rc = buf_append(&all, links.data, links.size);
	if (rc == 0)
		rc = publish(supervisor, LAYOUT_CA, &all, err);
	buf_done(&text);
	buf_done(&first);
	buf_done(&all);
	buf_done(&links);
	return rc;
}

static const struct publication {
	uint16_t message;
	int (*write)(const struct supervisor *supervisor, const struct channel_message *message, struct err *err);
} publications[] = {
	{ MESSAGE_PUBLIC_KEY, publish_key },
	{ MESSAGE_ROOTS, publish_roots },
};

/* False: it is none of these. */
static bool heard_publication(const struct supervisor *supervisor, const struct channel_message *message)
{
	struct err err = { 0 };

	for (size_t i = 0; i < COUNT_OF(publications); i++) {
		if (publications[i].message != message->type)
			continue;
		if (publications[i].write(supervisor, message, &err) != 0)
			LOG(LOG_WARNING, "supervisor.file_not_written", log_err(&err));
		return true;
	}
	return false;
}

/* What a person has put there is often root's alone to read. Nothing but a file of that name: the folder is the keys
 * role's, which may have been taken over. -1: none. */
static int open_key(const struct supervisor *supervisor, size_t number)
{
	char path[LAYOUT_PATH_BYTES];
	struct stat facts;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", supervisor->data_directory, kept_key_files[number]);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0 && (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode) || facts.st_nlink != 1)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* False: it is none of these. */
static bool heard_request(struct role *role, const struct supervisor *supervisor, const struct channel_message *message)
{
	uint8_t number = message->size == 1 ? message->payload[0] : KEPT_KEYS;
	struct err err = { 0 };
	int fd;

	if (message->type != MESSAGE_OPEN_KEY)
		return false;
	fd = number < KEPT_KEYS ? open_key(supervisor, number) : -1;
	if (fd < 0)
		return true;
	if (channel_send(&role->channel, MESSAGE_KEY_FILE, 0, &number, sizeof(number), fd, &err) != 0)
		LOG(LOG_WARNING, "supervisor.key_file_not_given", log_err(&err));
	close(fd);
	return true;
}

static void hear_role(struct supervisor *supervisor, size_t index)
{
	struct role *role = &supervisor->roles[index];
	const struct role *other = NULL;
	struct channel_message message;
	struct err err = { 0 };
	int rc = channel_receive(&role->channel, &message, &err);

	if (rc == ERR_BUSY)
		return;
	if (rc == 0)
		other = accused(supervisor, index, message.type);
	if (rc == 0 && message.type == MESSAGE_READY) {
		role->came_up = true;
	} else if (rc == 0 && (heard_publication(supervisor, &message) || heard_request(role, supervisor, &message))) {
		return;
	} else if (rc == 0 && other != NULL && other->pid != 0) {
		LOG(LOG_ERROR, "supervisor.role_broke_rules", log_text("which", other->name));
		kill(other->pid, SIGKILL);
	} else if (rc == ERR_DENIED) {
		LOG(LOG_ERROR, "supervisor.role_broke_rules", log_text("which", role->name), log_err(&err));
		kill(role->pid, SIGKILL);
	} else if (rc != 0) {
		channel_done(&role->channel); /* it is ending: its exit comes by signal */
	}
}

static int wait_ms(const struct supervisor *supervisor)
{
	time_us now = env_monotonic(supervisor->env);
	time_us until = supervisor->stopping ? supervisor->kill_at : now + HOUR_US;

	for (size_t i = 0; i < ROLES && !supervisor->stopping; i++) {
		if (supervisor->roles[i].pid == 0 && supervisor->roles[i].start_at < until)
			until = supervisor->roles[i].start_at;
	}
	return until <= now ? 0 : (int)((until - now) / MILLISECOND_US) + 1;
}

static void start_due(struct supervisor *supervisor)
{
	time_us now = env_monotonic(supervisor->env);

	for (size_t i = 0; i < ROLES; i++) {
		struct role *role = &supervisor->roles[i];

		if (supervisor->stopping && role->pid != 0 && now >= supervisor->kill_at)
			kill(role->pid, SIGKILL);
		else if (!supervisor->stopping && role->pid == 0 && role->start_at <= now)
			start(supervisor, role);
	}
}

static void watch(struct supervisor *supervisor)
{
	struct pollfd watched[1 + ROLES] = { { .fd = supervisor->signals, .events = POLLIN } };

	for (size_t i = 0; i < ROLES; i++) {
		const struct role *role = &supervisor->roles[i];

		watched[1 + i] = (struct pollfd){ .fd = role->pid != 0 ? role->channel.fd : -1, .events = POLLIN };
	}
	if (poll(watched, COUNT_OF(watched), wait_ms(supervisor)) < 0 && errno != EINTR)
		begin_stop(supervisor, 1);
	for (size_t i = 0; i < ROLES; i++) {
		if (watched[1 + i].revents != 0)
			hear_role(supervisor, i);
	}
	if (watched[0].revents != 0)
		hear_signals(supervisor);
}

static bool any_running(const struct supervisor *supervisor)
{
	for (size_t i = 0; i < ROLES; i++) {
		if (supervisor->roles[i].pid != 0)
			return true;
	}
	return false;
}

static int take_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int supervisor_run(const char *data_directory, int lock)
{
	struct supervisor supervisor = {
		.env = env_system(),
		.data_directory = data_directory,
		.lock = lock,
		.roles = {
			[KEYS] = { .name = ROLE_NAME_KEYS,
				   .keeps_lock = true,
				   .from = &messages_from_keys,
				   .channel.fd = -1 },
			[FRONT] = { .name = ROLE_NAME_FRONT, .from = &messages_from_front, .channel.fd = -1 },
			[COURIER] = { .name = ROLE_NAME_COURIER, .from = &messages_from_courier, .channel.fd = -1 },
			[HYPERVISOR] = { .name = ROLE_NAME_HYPERVISOR,
					 .sibling = HYPERVISOR_PROGRAM,
					 .spared = true,
					 .from = &messages_from_hypervisor,
					 .channel.fd = -1 },
		},
	};

	supervisor.signals = take_signals();
	if (supervisor.signals < 0) {
		LOG(LOG_ERROR, "supervisor.failed", log_text("error", strerror(errno)));
		return 1;
	}
	LOG(LOG_INFO, "supervisor.started", log_text("version", MUSTER_VERSION), log_number("pid", getpid()));
	while (!supervisor.stopping || any_running(&supervisor)) {
		start_due(&supervisor);
		if (supervisor.stopping)
			proceed_stop(&supervisor);
		watch(&supervisor);
	}
	close(supervisor.signals);
	LOG(LOG_INFO, "supervisor.stopped", log_number("pid", getpid()));
	return supervisor.exit_code;
}
