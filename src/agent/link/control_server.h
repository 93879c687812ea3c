/* The agent's end of the control socket: accepts local users, hands each
 * request to the link role, writes answer lines.
 *
 * Loop thread only. Bounds: CONTROL_CLIENTS_MAX at once; a client that reads
 * too slowly loses progress lines first, other lines past CONTROL_OUT_MAX_BYTES
 * (its end line then says so); one that sends no request, or takes nothing,
 * for ten seconds is dropped.
 */
#ifndef MUSTER_AGENT_LINK_CONTROL_SERVER_H
#define MUSTER_AGENT_LINK_CONTROL_SERVER_H

#include <sys/types.h>

#include "agent/control.h"
#include "net/loop.h"

#define CONTROL_CLIENTS_MAX        16
#define CONTROL_OUT_MAX_BYTES      ((size_t)4 * 1024 * 1024)
#define CONTROL_PROGRESS_MAX_BYTES ((size_t)16 * 1024)

struct control_server;
struct control_client;

struct control_handlers {
	/* The request is dead after the call; answer now or later through the client, whose
	 * pointer lives until control_client_end() or gone(). */
	void (*request)(void *context, struct control_client *client, const struct control_request *request);
	/* The client went before its end line: forget it. */
	void (*gone)(void *context, struct control_client *client);
	void *context;
};

/* listen_fd: bound and listening, now the server's. owner: besides root, who may ask. */
struct control_server *control_server_new(struct loop *loop, int listen_fd, uid_t owner,
					  const struct control_handlers *handlers, struct err *err);
void control_server_free(struct control_server *server); /* gone() is not called */

/* Who it is, as the system says. */
uid_t control_client_uid(const struct control_client *client);
/* Sends one line; takes over the reference. */
void control_client_line(struct control_client *client, json_t *line);
/* The same for a line that may be left out when the client is slow. */
void control_client_progress(struct control_client *client, json_t *line);
/* Sends the end line, then closes; the pointer is dead. */
void control_client_end(struct control_client *client, int rc, const struct err *err);
/* The same with an end line made by the caller. */
void control_client_end_line(struct control_client *client, json_t *line);

#endif
