/* The test's side of a guard. */
#include "scan_harness.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/guard/guard.h"
#include "base/log.h"
#include "os/env.h"

#define RELAY_MODE "relay-link"

/* ---- link's mode: give the channel away, end with the test's wish ---- */

static void send_descriptor(int socket, int fd)
{
	char byte = 'c';
	struct iovec part = { &byte, 1 };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	if (sendmsg(socket, &message, 0) != 1)
		_exit(4);
}

static int receive_descriptor(int socket)
{
	char byte;
	struct iovec part = { &byte, 1 };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)
	};
	const struct cmsghdr *header;
	int fd;

	assert_int_equal(recvmsg(socket, &message, MSG_CMSG_CLOEXEC), 1);
	header = CMSG_FIRSTHDR(&message);
	assert_non_null(header);
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	assert_true(strlen(path) < sizeof(address.sun_path));
	memcpy(address.sun_path, path, strlen(path) + 1);
	return address;
}

void harness_relay(int argc, char **argv)
{
	struct sockaddr_un address;
	char byte;
	int fd;

	if (argc != 3 || strcmp(argv[1], RELAY_MODE) != 0)
		return;
	address = address_of(argv[2]);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		_exit(3);
	send_descriptor(fd, ROLE_CHANNEL_FD);
	close(ROLE_CHANNEL_FD);
	(void)!read(fd, &byte, 1);
	_exit(0);
}

/* ---- life ---- */

static void fail_errno(const char *what)
{
	fail_msg("%s: %s", what, strerror(errno));
}

void harness_new(struct harness *harness)
{
	struct sockaddr_un address;
	char path[320];

	*harness = (struct harness){ .listener = -1, .relay = -1, .link.fd = -1 };
	snprintf(harness->directory, sizeof(harness->directory), "/tmp/muster-scan-XXXXXX");
	if (mkdtemp(harness->directory) == NULL)
		fail_errno("temporary directory");
	snprintf(harness->data, sizeof(harness->data), "%s/data", harness->directory);
	snprintf(harness->files, sizeof(harness->files), "%s/files", harness->directory);
	snprintf(harness->signatures, sizeof(harness->signatures), "%s", TEST_SIGNATURES);
	if (mkdir(harness->data, 0755) != 0 || mkdir(harness->files, 0755) != 0)
		fail_errno("mkdir");
	snprintf(path, sizeof(path), "%s/link.sock", harness->directory);
	address = address_of(path);
	harness->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (harness->listener < 0 || bind(harness->listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(harness->listener, 4) != 0)
		fail_errno("socket");
	harness->notices = calloc(HARNESS_NOTICES_MAX, sizeof(*harness->notices));
	assert_non_null(harness->notices);
}

static void run_guard(const struct harness *harness)
{
	char path[320];
	const char *arguments[] = { RELAY_MODE, path, NULL };
	const struct guard_options options = {
		.data = harness->data,
		.link_arguments = arguments,
		.scan_program = TEST_SCAN_PROGRAM,
		.signatures = harness->signatures,
		.link_uid = geteuid() == 0 ? 61190 : geteuid(),
		.link_gid = geteuid() == 0 ? 61190 : getegid(),
		.scan_uid = geteuid() == 0 ? 61191 : geteuid(),
		.scan_gid = geteuid() == 0 ? 61191 : getegid(),
		.settings = harness->settings,
	};
	struct err err = { 0 };
	int log = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int code;

	if (getenv("MUSTER_TEST_LOG") == NULL)
		dup2(log, 2);
	log_setup("muster-agent", "guard", 2, LOG_DEBUG, env_system_wall);
	snprintf(path, sizeof(path), "%s/link.sock", harness->directory);
	code = guard_run(&options, &err);
	if (code != 0)
		LOG(LOG_ERROR, "guard.failed", log_err(&err));
	_exit(code == 0 ? 0 : 1);
}

void harness_accept(struct harness *harness)
{
	struct pollfd watch = { .fd = harness->listener, .events = POLLIN };

	if (harness->relay >= 0) {
		close(harness->relay);
		channel_done(&harness->link);
	}
	if (poll(&watch, 1, HARNESS_WAIT_MS) != 1)
		fail_msg("guard did not start link within %d ms", HARNESS_WAIT_MS);
	harness->relay = accept4(harness->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(harness->relay >= 0);
	assert_int_equal(channel_init(&harness->link, receive_descriptor(harness->relay), message_permits_link,
				      message_permits_link_count, NULL),
			 0);
}

void harness_start(struct harness *harness)
{
	harness->guard = fork();
	assert_true(harness->guard >= 0);
	if (harness->guard == 0)
		run_guard(harness);
	harness_accept(harness);
}

static int wait_guard(struct harness *harness)
{
	int status = 0;

	assert_int_equal(waitpid(harness->guard, &status, 0), harness->guard);
	harness->guard = 0;
	close(harness->relay);
	harness->relay = -1;
	channel_done(&harness->link);
	return status;
}

void harness_kill(struct harness *harness)
{
	struct channel_message message;

	kill(harness->guard, SIGKILL);
	/* The relay dies with guard's starter: the end of its socket says that all are gone. */
	while (channel_receive_wait(&harness->link, HARNESS_WAIT_MS, &message, NULL) == 0) {
		if (message.fd >= 0)
			close(message.fd);
	}
	wait_guard(harness);
}

void harness_stop(struct harness *harness)
{
	kill(harness->guard, SIGTERM);
	close(harness->relay); /* as link would end when its channel does */
	harness->relay = -1;
	assert_int_equal(wait_guard(harness), 0);
}

static void remove_tree(const char *directory)
{
	char command[512];

	snprintf(command, sizeof(command), "chattr -R -i '%s' 2>/dev/null; rm -rf '%s'", directory, directory);
	(void)!system(command);
}

void harness_free(struct harness *harness)
{
	if (harness->guard > 0) {
		kill(harness->guard, SIGKILL);
		wait_guard(harness);
	}
	for (size_t i = 0; i < harness->notice_count; i++)
		buf_done(&harness->notices[i].bytes);
	free(harness->notices);
	close(harness->listener);
	remove_tree(harness->directory);
}

int harness_set_up(void **state)
{
	static struct harness harness;

	harness_new(&harness);
	*state = &harness;
	return 0;
}

int harness_tear_down(void **state)
{
	harness_free(*state);
	return 0;
}

/* ---- talk ---- */

static void take_notice(struct harness *harness, const struct channel_message *message)
{
	struct harness_notice *kept = &harness->notices[harness->notice_count];
	struct buf out;

	assert_true(harness->notice_count < HARNESS_NOTICES_MAX);
	buf_init(&kept->bytes, CHANNEL_PAYLOAD_MAX_BYTES);
	assert_int_equal(buf_append(&kept->bytes, message->payload, message->size), 0);
	assert_int_equal(message_unpack_notice(kept->bytes.data, kept->bytes.size, &kept->notice), 0);
	if (kept->notice.number <= harness->stored) {
		buf_done(&kept->bytes); /* sent again */
		return;
	}
	harness->notice_count++;
	if (harness->withhold)
		return;
	harness->stored = kept->notice.number;
	buf_init(&out, 16);
	message_pack_number(&out, harness->stored);
	assert_int_equal(
	    channel_send_wait(&harness->link, MESSAGE_NOTICE_STORED, 0, out.data, out.size, -1, HARNESS_WAIT_MS, NULL),
	    0);
	buf_done(&out);
}

static void take_component(struct harness *harness, const struct channel_message *message)
{
	struct message_component component;

	assert_int_equal(message_unpack_component(message->payload, message->size, &component), 0);
	if (strcmp(component.name, "scan") == 0) {
		harness->scan_state = component.state;
		snprintf(harness->scan_engine, sizeof(harness->scan_engine), "%.*s", (int)component.version.size,
			 (const char *)component.version.data);
	}
}

/* True when the message was of guard's own accord. */
static bool take(struct harness *harness, const struct channel_message *message)
{
	switch (message->type) {
	case MESSAGE_NOTICE:
		take_notice(harness, message);
		return true;
	case MESSAGE_JOB_PROGRESS:
		assert_int_equal(message_unpack_progress(message->payload, message->size, &harness->progress), 0);
		harness->progress.path = (struct bytes){ NULL, 0 };
		harness->progress_count++;
		return true;
	case MESSAGE_COMPONENT:
		take_component(harness, message);
		return true;
	default:
		return false;
	}
}

static void receive(struct harness *harness, struct channel_message *message)
{
	struct err err = { 0 };
	int code = channel_receive_wait(&harness->link, HARNESS_WAIT_MS, message, &err);

	if (code != 0)
		fail_msg("from guard: %s", err.text);
}

void harness_receive(struct harness *harness)
{
	struct channel_message message;

	receive(harness, &message);
	assert_true(take(harness, &message));
}

int harness_ask(struct harness *harness, enum message_type type, const struct buf *payload, int fd, char *text)
{
	struct channel_message message;
	struct message_answer answer;
	uint32_t request = ++harness->request;
	struct err err = { 0 };

	if (channel_send_wait(&harness->link, (uint16_t)type, request, payload != NULL ? payload->data : NULL,
			      payload != NULL ? payload->size : 0, fd, HARNESS_WAIT_MS, &err) != 0)
		fail_msg("to guard: %s", err.text);
	do
		receive(harness, &message);
	while (take(harness, &message));
	assert_int_equal(message.type, MESSAGE_ANSWER);
	assert_int_equal(message.request, request);
	assert_int_equal(message_unpack_answer(message.payload, message.size, &answer), 0);
	if (text != NULL)
		snprintf(text, ERR_TEXT_BYTES, "%.*s", (int)answer.text.size, (const char *)answer.text.data);
	return answer.code;
}

struct uuid harness_scan_with(struct harness *harness, const char *path, const struct message_limits *limits,
			      const char *exclude)
{
	struct message_job_start start = { .job = env_uuid(env_system()) };
	struct buf out;

	start.paths.paths[0] = (struct bytes){ (const uint8_t *)path, strlen(path) };
	start.paths.count = 1;
	if (exclude != NULL)
		start.excludes.paths[start.excludes.count++] =
		    (struct bytes){ (const uint8_t *)exclude, strlen(exclude) };
	if (limits != NULL)
		start.limits = *limits;
	buf_init(&out, CHANNEL_PAYLOAD_MAX_BYTES);
	message_pack_job_start(&out, &start);
	assert_int_equal(harness_ask(harness, MESSAGE_JOB_START, &out, -1, NULL), 0);
	buf_done(&out);
	return start.job;
}

struct uuid harness_scan(struct harness *harness, const char *path)
{
	return harness_scan_with(harness, path, NULL, NULL);
}

int harness_target(struct harness *harness, enum message_type type, const struct uuid *id, bool overwrite, char *text)
{
	struct message_target target = { .id = *id, .overwrite = overwrite };
	struct buf out;
	int code;

	buf_init(&out, 64);
	message_pack_target(&out, &target);
	code = harness_ask(harness, type, &out, -1, text);
	buf_done(&out);
	return code;
}

static const struct message_job_ended *find_end(const struct harness *harness, const struct uuid *job)
{
	for (size_t i = 0; i < harness->notice_count; i++) {
		const struct message_notice *notice = &harness->notices[i].notice;

		if (notice->kind == NOTICE_JOB_ENDED && uuid_equal(&notice->body.ended.last.job, job))
			return &notice->body.ended;
	}
	return NULL;
}

struct message_job_ended harness_wait_end(struct harness *harness, const struct uuid *job)
{
	while (find_end(harness, job) == NULL)
		harness_receive(harness);
	return *find_end(harness, job);
}

const char *harness_field(const struct message_event *event, const char *name)
{
	static char texts[8][MESSAGE_VALUE_MAX_BYTES + 1];
	static unsigned next;
	char *text = texts[next++ % 8];

	text[0] = '\0';
	for (size_t i = 0; i < event->fields.count; i++) {
		const struct message_field *field = &event->fields.fields[i];

		if (strcmp(field->name, name) == 0)
			snprintf(text, MESSAGE_VALUE_MAX_BYTES + 1, "%.*s", (int)field->value.size,
				 (const char *)field->value.data);
	}
	return text;
}

static const struct message_event *find_event(const struct harness *harness, uint32_t type, const char *field,
					      const char *value)
{
	for (size_t i = 0; i < harness->notice_count; i++) {
		const struct message_notice *notice = &harness->notices[i].notice;

		if (notice->kind == NOTICE_EVENT && notice->body.event.type == type &&
		    (field == NULL || strcmp(harness_field(&notice->body.event, field), value) == 0))
			return &notice->body.event;
	}
	return NULL;
}

const struct message_event *harness_wait_event(struct harness *harness, uint32_t type, const char *field,
					       const char *value)
{
	const struct message_event *event;

	while ((event = find_event(harness, type, field, value)) == NULL)
		harness_receive(harness);
	return event;
}

size_t harness_count(const struct harness *harness, uint32_t type)
{
	size_t count = 0;

	for (size_t i = 0; i < harness->notice_count; i++)
		count += harness->notices[i].notice.kind == NOTICE_EVENT &&
			 harness->notices[i].notice.body.event.type == type;
	return count;
}

size_t harness_items(const struct harness *harness, enum message_item_state state, struct message_item *ret_item)
{
	size_t count = 0;

	for (size_t i = 0; i < harness->notice_count; i++) {
		const struct message_notice *notice = &harness->notices[i].notice;

		if (notice->kind != NOTICE_ITEM || notice->body.item.state != state)
			continue;
		count++;
		if (ret_item != NULL)
			*ret_item = notice->body.item;
	}
	return count;
}

static pid_t parent_of(pid_t pid, char name[32])
{
	char path[64], line[256] = "";
	int parent = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	if (fgets(line, sizeof(line), file) == NULL ||
	    sscanf(line, "%*d (%31[^)]) %*c %d", name, &parent) != 2) /* NOLINT: our own kernel's text */
		parent = 0;
	fclose(file);
	return parent;
}

static bool is_below(pid_t pid, pid_t ancestor, int depth)
{
	char name[32];

	for (int i = 0; i < depth && pid > 1; i++)
		pid = parent_of(pid, name);
	return pid == ancestor;
}

static bool has_open(pid_t pid, const char *path)
{
	char directory[64];
	DIR *stream;
	bool found = false;

	snprintf(directory, sizeof(directory), "/proc/%d/fd", pid);
	stream = opendir(directory);
	for (const struct dirent *entry = stream != NULL ? readdir(stream) : NULL; entry != NULL && !found;
	     entry = readdir(stream)) {
		char target[4096];
		ssize_t length = readlinkat(dirfd(stream), entry->d_name, target, sizeof(target) - 1);

		found = length > 0 && (size_t)length == strlen(path) && memcmp(target, path, (size_t)length) == 0;
	}
	if (stream != NULL)
		closedir(stream);
	return found;
}

/* path NULL: whatever it has open. */
static pid_t find_process(const struct harness *harness, const char *wanted, int depth, const char *path)
{
	DIR *stream = opendir("/proc");
	pid_t found = 0;

	assert_non_null(stream);
	for (const struct dirent *entry = readdir(stream); entry != NULL && found == 0; entry = readdir(stream)) {
		char name[32] = "";
		uint64_t pid;

		if (number_parse(entry->d_name, 1, INT32_MAX, &pid, NULL) == 0 && parent_of((pid_t)pid, name) > 0 &&
		    strncmp(name, wanted, 15) == 0 && is_below((pid_t)pid, harness->guard, depth) &&
		    (path == NULL || has_open((pid_t)pid, path)))
			found = (pid_t)pid;
	}
	closedir(stream);
	return found;
}

pid_t harness_process(struct harness *harness, const char *name, int depth)
{
	pid_t found;

	while ((found = find_process(harness, name, depth, NULL)) == 0)
		harness_receive(harness); /* progress comes several times a second */
	return found;
}

pid_t harness_worker_at(struct harness *harness, const char *path)
{
	pid_t found;

	while ((found = find_process(harness, "muster-agent-scan", 3, path)) == 0)
		harness_receive(harness);
	return found;
}

/* ---- files ---- */

const char *harness_path(const struct harness *harness, const char *name)
{
	static char paths[8][4096];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", harness->files, name);
	return path;
}

void harness_write(const struct harness *harness, const char *name, const void *data, size_t size)
{
	int fd = open(harness_path(harness, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		fail_errno(name);
	close(fd);
}

bool harness_exists(const struct harness *harness, const char *name)
{
	struct stat st;

	return lstat(harness_path(harness, name), &st) == 0;
}

const char *harness_eicar(void)
{
	static char text[69];

	snprintf(text, sizeof(text), "%s%s", "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD",
		 "-ANTIVIRUS-TEST-FILE!$H+H*");
	return text;
}

void harness_shell(const struct harness *harness, const char *command)
{
	char line[8192];

	snprintf(line, sizeof(line), "cd '%s' && { %s ; } > /dev/null 2>&1", harness->files, command);
	if (system(line) != 0)
		fail_msg("%s", command);
}

void harness_archive(const struct harness *harness, const char *name, const char *member, const char *content)
{
	struct archive *archive = archive_write_new();
	struct archive_entry *entry = archive_entry_new();

	assert_true(archive_write_set_format_filter_by_ext(archive, name) == ARCHIVE_OK);
	assert_int_equal(archive_write_open_filename(archive, harness_path(harness, name)), ARCHIVE_OK);
	archive_entry_set_pathname(entry, member);
	archive_entry_set_size(entry, (int64_t)strlen(content));
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0644);
	assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
	assert_int_equal(archive_write_data(archive, content, strlen(content)), (long)strlen(content));
	archive_entry_free(entry);
	assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
	archive_write_free(archive);
}
