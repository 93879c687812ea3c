/* The control socket's server (agent/link/control_server.h). Input: local users that SO_PEERCRED lets through. */
#include "agent/link/control_server.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#define REQUEST_WAIT_S 10
#define DRAIN_WAIT_S   10

struct control_client {
	struct control_server *server;
	struct bufferevent *stream;
	uid_t uid;
	bool asked;  /* its request was handed on */
	bool ending; /* the end line is written; closes when flushed */
	bool cut;    /* lines were left out: the end says so */
	struct control_client *next;
};

struct control_server {
	struct loop *loop;
	int listen_fd;
	uid_t owner;
	struct loop_watch *watch;
	struct control_handlers handlers;
	struct control_client *clients;
	size_t count;
};

static void client_free(struct control_client *client)
{
	struct control_server *server = client->server;
	struct control_client **at = &server->clients;

	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	server->count--;
	bufferevent_free(client->stream);
	free(client);
}

static void client_lost(struct control_client *client)
{
	struct control_server *server = client->server;

	if (client->asked && !client->ending)
		server->handlers.gone(server->handlers.context, client);
	client_free(client);
}

static void on_event(struct bufferevent *stream, short what, void *argument)
{
	(void)stream;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT))
		client_lost(argument);
}

static void on_written(struct bufferevent *stream, void *argument)
{
	struct control_client *client = argument;

	if (client->ending && evbuffer_get_length(bufferevent_get_output(stream)) == 0)
		client_free(client);
}

static void handle_line(struct control_client *client, const void *line, size_t size)
{
	struct control_server *server = client->server;
	struct control_request request;
	struct err err = { 0 };
	int rc = control_request_parse(line, size, &request, &err);

	client->asked = true;
	if (rc) {
		control_client_end(client, rc, &err);
		return;
	}
	/* From here on it may take as long as it takes. */
	bufferevent_set_timeouts(client->stream, NULL, &(struct timeval){ .tv_sec = DRAIN_WAIT_S });
	server->handlers.request(server->handlers.context, client, &request);
	control_request_done(&request);
}

static void on_readable(struct bufferevent *stream, void *argument)
{
	struct control_client *client = argument;
	struct evbuffer *in = bufferevent_get_input(stream);
	struct err err;
	size_t size;
	char *line;

	if (client->asked) { /* one request a connection; anything more is noise */
		evbuffer_drain(in, evbuffer_get_length(in));
		return;
	}
	line = evbuffer_readln(in, &size, EVBUFFER_EOL_LF);
	if (line != NULL) {
		handle_line(client, line, size);
		explicit_bzero(line, size); /* it may hold a password */
		free(line);
	} else if (evbuffer_get_length(in) > CONTROL_REQUEST_MAX_BYTES) {
		client->asked = true;
		control_client_end(
		    client, err_set(&err, ERR_LIMIT, "a request is larger than %zu bytes", CONTROL_REQUEST_MAX_BYTES),
		    &err);
	}
}

static int check_peer(const struct control_server *server, int fd, uid_t *ret_uid)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		return ERR_IO;
	*ret_uid = peer.uid;
	return peer.uid == 0 || peer.uid == server->owner ? 0 : ERR_DENIED;
}

static void client_add(struct control_server *server, int fd, uid_t uid)
{
	struct control_client *client = calloc(1, sizeof(*client));
	struct bufferevent *stream = bufferevent_socket_new(loop_base(server->loop), fd, BEV_OPT_CLOSE_ON_FREE);

	if (client == NULL || stream == NULL) {
		free(client);
		if (stream)
			bufferevent_free(stream);
		else
			close(fd);
		return;
	}
	*client = (struct control_client){ .server = server, .stream = stream, .uid = uid, .next = server->clients };
	server->clients = client;
	server->count++;
	bufferevent_setcb(stream, on_readable, on_written, on_event, client);
	bufferevent_setwatermark(stream, EV_READ, 0, CONTROL_REQUEST_MAX_BYTES + 1);
	bufferevent_set_timeouts(stream, &(struct timeval){ .tv_sec = REQUEST_WAIT_S },
				 &(struct timeval){ .tv_sec = DRAIN_WAIT_S });
	bufferevent_enable(stream, EV_READ | EV_WRITE);
}

static void on_connection(void *argument)
{
	struct control_server *server = argument;
	int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	uid_t uid = (uid_t)-1;

	if (fd < 0)
		return;
	if (server->count >= CONTROL_CLIENTS_MAX || check_peer(server, fd, &uid)) {
		LOG(LOG_WARNING, "control.refused", log_number("clients", (int64_t)server->count));
		close(fd);
		return;
	}
	client_add(server, fd, uid);
}

struct control_server *control_server_new(struct loop *loop, int listen_fd, uid_t owner,
					  const struct control_handlers *handlers, struct err *err)
{
	struct control_server *server = calloc(1, sizeof(*server));

	if (server == NULL) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	*server =
	    (struct control_server){ .loop = loop, .listen_fd = listen_fd, .owner = owner, .handlers = *handlers };
	fcntl(listen_fd, F_SETFL, fcntl(listen_fd, F_GETFL) | O_NONBLOCK);
	server->watch = loop_watch_new(loop, listen_fd, on_connection, server);
	if (server->watch == NULL) {
		err_set(err, ERR_MEMORY, "out of memory");
		free(server);
		return NULL;
	}
	return server;
}

void control_server_free(struct control_server *server)
{
	if (server == NULL)
		return;
	loop_watch_free(server->watch);
	while (server->clients)
		client_free(server->clients);
	close(server->listen_fd);
	free(server);
}

static void write_line(struct control_client *client, json_t *line)
{
	char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;

	if (text != NULL) {
		bufferevent_write(client->stream, text, strlen(text));
		bufferevent_write(client->stream, "\n", 1);
	}
	free(text);
	json_decref(line);
}

uid_t control_client_uid(const struct control_client *client)
{
	return client->uid;
}

static size_t waiting(const struct control_client *client)
{
	return evbuffer_get_length(bufferevent_get_output(client->stream));
}

void control_client_line(struct control_client *client, json_t *line)
{
	if (client->cut || waiting(client) > CONTROL_OUT_MAX_BYTES) {
		client->cut = true;
		json_decref(line);
	} else {
		write_line(client, line);
	}
}

void control_client_progress(struct control_client *client, json_t *line)
{
	if (waiting(client) > CONTROL_PROGRESS_MAX_BYTES)
		json_decref(line);
	else
		write_line(client, line);
}

void control_client_end_line(struct control_client *client, json_t *line)
{
	struct err err;

	client->ending = true;
	if (client->cut) {
		json_decref(line);
		err_set(&err, ERR_LIMIT, "the answer was longer than %zu bytes and is cut; ask for less",
			CONTROL_OUT_MAX_BYTES);
		line = control_end_line(ERR_LIMIT, &err);
	}
	write_line(client, line);
}

void control_client_end(struct control_client *client, int rc, const struct err *err)
{
	control_client_end_line(client, control_end_line(rc, err));
}
