/* Asking the running agent (agent/local/control_ask.h). The agent's answers are trusted as far as its socket is. */
#include "agent/local/control_ask.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_failed(int problem, const char *data_directory, struct err *err)
{
	if (problem == ENOENT || problem == ECONNREFUSED)
		return err_set(err, ERR_NOT_FOUND, "no agent runs on %s; start it: muster-agent run --data %s",
			       data_directory, data_directory);
	if (problem == EACCES || problem == EPERM)
		return err_set(err, ERR_DENIED,
			       "%s/run/agent.sock belongs to another user: ask as root or as its owner",
			       data_directory);
	return err_errno(err, problem, "%s/run/agent.sock", data_directory);
}

/* Through a descriptor of the directory, since sun_path is shorter than paths may be. */
static int open_socket(const char *data_directory, int *ret_fd, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char *run = NULL;
	int directory = -1, fd = -1, rc = 0;

	if (asprintf(&run, "%s/run", data_directory) < 0)
		return err_set(err, ERR_MEMORY, "out of memory");
	directory = open(run, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0) {
		rc = connect_failed(errno, data_directory, err);
		goto out;
	}
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/agent.sock", directory);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		rc = connect_failed(errno, data_directory, err);
		if (fd >= 0)
			close(fd);
		goto out;
	}
	*ret_fd = fd;
out:
	if (directory >= 0)
		close(directory);
	free(run);
	return rc;
}

static int write_all(int fd, const char *text, struct err *err)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t written = send(fd, text, left, MSG_NOSIGNAL);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return err_errno(err, errno, "asking the agent");
		text += written;
		left -= (size_t)written;
	}
	return 0;
}

static int code_of(const char *name)
{
	for (int code = -1; name != NULL && code >= ERR_LAST_; code--) {
		if (strcmp(err_name(code), name) == 0)
			return code;
	}
	return ERR_REFUSED;
}

static int take_end(json_t *line, json_t **ret_end, struct err *err)
{
	const char *text = json_string_value(json_object_get(line, "error"));

	if (!json_is_true(json_object_get(line, "ok")))
		return err_set(err, code_of(json_string_value(json_object_get(line, "code"))), "%s",
			       text ? text : "the agent refused without saying why");
	if (ret_end != NULL)
		*ret_end = json_incref(line);
	return 0;
}

/* Handles the lines received so far; *ret_done when the end was among them. */
static int take_lines(struct buf *in, int (*on_line)(void *, const json_t *), void *argument, json_t **ret_end,
		      bool *ret_done, struct err *err)
{
	size_t size;
	int rc;

	while (control_line(in, CONTROL_LINE_MAX_BYTES, &size, &rc)) {
		json_t *line = json_loadb((const char *)in->data, size, 0, NULL);
		const char *type = json_string_value(json_object_get(line, "type"));

		buf_consume(in, size + 1);
		if (type == NULL) {
			rc = err_set(err, ERR_FORMAT, "the agent's answer is not understood");
		} else if (strcmp(type, "end") == 0) {
			*ret_done = true;
			rc = take_end(line, ret_end, err);
		} else {
			rc = on_line ? on_line(argument, line) : 0;
		}
		json_decref(line);
		if (rc || *ret_done)
			return rc;
	}
	return rc ? err_set(err, rc, "the agent's answer has a line that is too long") : 0;
}

static int receive_some(int fd, struct buf *in, int (*on_line)(void *, const json_t *), void *argument, struct err *err)
{
	uint8_t *room = buf_room(in, 16 * 1024);
	ssize_t got;

	if (room == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	got = recv(fd, room, 16 * 1024, 0);
	if (got < 0 && errno == EINTR)
		return on_line ? on_line(argument, NULL) : 0;
	if (got < 0)
		return err_errno(err, errno, "the agent's answer");
	if (got == 0)
		return err_set(err, ERR_CLOSED,
			       "the agent ended the connection: it is stopping, or is busy with others");
	buf_grow(in, (size_t)got);
	return 0;
}

int control_ask(const char *data_directory, const struct control_request *request,
		int (*on_line)(void *argument, const json_t *line), void *argument, json_t **ret_end, struct err *err)
{
	char *text = control_request_format(request);
	struct buf in;
	bool done = false;
	int fd = -1, rc;

	buf_init(&in, CONTROL_LINE_MAX_BYTES + 32 * 1024);
	rc = text ? open_socket(data_directory, &fd, err) : err_set(err, ERR_MEMORY, "out of memory");
	if (rc == 0)
		rc = write_all(fd, text, err);
	while (rc == 0 && !done) {
		rc = receive_some(fd, &in, on_line, argument, err);
		if (rc == 0)
			rc = take_lines(&in, on_line, argument, ret_end, &done, err);
	}
	if (fd >= 0)
		close(fd);
	buf_done(&in);
	free(text);
	return rc;
}

int control_reachable(const char *data_directory, struct err *err)
{
	int fd, rc = open_socket(data_directory, &fd, err);

	if (rc == 0)
		close(fd);
	return rc;
}

/* Guard made the socket and listens on it, whoever answers. */
pid_t control_guard(const char *data_directory)
{
	struct ucred peer = { .pid = 0 };
	socklen_t size = sizeof(peer);
	int fd;

	if (open_socket(data_directory, &fd, NULL) != 0)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		peer.pid = 0;
	close(fd);
	return peer.pid;
}
