/* Fetching sealed copies (agent/link/link_fetch.h). Input: bytes from the manager; guard checks the seal. */
#include "agent/link/link_fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/problem.h"
#include "net/client.h"
#include "os/files.h"

#define WAITING_MAX      32
#define FETCH_TIMEOUT_US (10 * MINUTE_US)
#define TURN_WAIT_US     (30 * MINUTE_US) /* of an agent that may not dial, for the manager to do so */
#define ERROR_MAX_BYTES  ((size_t)64 * 1024)
#define PIECE_BYTES      (4 * MIB) /* between two calls to write back */
#define NAME             "fetched.tmp"

struct fetch {
	struct uuid item;
	time_us expires; /* monotonic */
	bool again;      /* begun before on a connection that had ended */
	link_fetch_done done;
	void *argument;
	struct fetch *next;
};

struct link_fetch {
	struct link *link;
	struct http_client *client;
	struct loop_timer *kick; /* the next one, outside of the client's callback */
	struct fetch *first;     /* the one under way, then those that wait */
	size_t count;
	bool begun; /* the first one */
	int directory, fd;
	uint64_t received;
	struct err err; /* of writing what came */
};

static void begin(void *argument);

static void finish(struct link_fetch *fetch, int fd, const struct err *err)
{
	struct fetch *first = fetch->first;
	struct message_put put = { .item = { .id = first->item } };

	fetch->first = first->next;
	fetch->begun = false;
	fetch->count--;
	if (fd >= 0) {
		put.item.sealed_bytes = fetch->received;
		put.item.path = (struct bytes){ .data = (const uint8_t *)"/", .size = 1 };
	}
	first->done(first->argument, fd, &put, err);
	free(first);
	if (fetch->fd >= 0)
		close(fetch->fd);
	fetch->fd = -1;
	if (fetch->first)
		loop_timer_set(fetch->kick, 0);
}

static int on_body(void *argument, const uint8_t *bytes, size_t size)
{
	struct link_fetch *fetch = argument;

	if (fetch->received + size > LINK_FETCH_MAX_BYTES)
		return err_set(&fetch->err, ERR_LIMIT, "the manager's copy is larger than %llu bytes",
			       (unsigned long long)LINK_FETCH_MAX_BYTES);
	if (files_write_all(fetch->fd, bytes, size, &fetch->err))
		return fetch->err.code;
	fetch->received += size;
	if (fetch->received / PIECE_BYTES > (fetch->received - size) / PIECE_BYTES)
		files_write_behind(fetch->fd, fetch->received - PIECE_BYTES, fetch->received);
	return 0;
}

/* The connection that the manager made was about to end when it was used: the next one may do. */
static bool ended_before(const struct link_fetch *fetch, const struct http_answer *answer)
{
	return answer->status == 0 && answer->err->code == ERR_CLOSED && fetch->received == 0 &&
	       !endpoint_dials(fetch->link->endpoint) && !fetch->first->again;
}

static void wait_again(struct link_fetch *fetch)
{
	fetch->begun = false;
	fetch->first->again = true;
	close(fetch->fd);
	fetch->fd = -1;
	loop_timer_set(fetch->kick, 0);
}

static void on_answer(void *argument, const struct http_answer *answer)
{
	struct link_fetch *fetch = argument;
	struct err err = { 0 };

	if (fetch->err.code == 0 && ended_before(fetch, answer)) {
		wait_again(fetch);
		return;
	}

	if (fetch->err.code)
		err = fetch->err;
	else if (answer->status == 0)
		err = *answer->err;
	else if (answer->status != 200 &&
		 problem_error("the manager gave no copy", answer->status, answer->content_type, answer->body,
			       answer->size, &err) == ERR_DENIED)
		http_client_disconnect(fetch->client); /* it may be of the certificate before the present one */
	finish(fetch, err.code ? -1 : fetch->fd, &err);
}

/* It has no name for longer than it takes to open it: whatever happens, its room comes back. */
static int open_file(struct link_fetch *fetch, struct err *err)
{
	(void)unlinkat(fetch->directory, NAME, 0);
	fetch->fd = openat(fetch->directory, NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fetch->fd < 0 || unlinkat(fetch->directory, NAME, 0) != 0)
		return err_errno(err, errno, "a file for the manager's copy");
	return 0;
}

static bool may_send(const struct link_fetch *fetch)
{
	return endpoint_dials(fetch->link->endpoint) || http_client_connected(fetch->client);
}

bool link_fetch_needs(const struct link_fetch *fetch)
{
	return fetch->first != NULL && !fetch->begun && !may_send(fetch);
}

void link_fetch_again(struct link_fetch *fetch)
{
	if (fetch->first != NULL && !fetch->begun)
		loop_timer_set(fetch->kick, 0);
}

void link_fetch_adopt(struct link_fetch *fetch, struct bufferevent *connection)
{
	http_client_adopt(fetch->client, connection);
	link_fetch_again(fetch);
}

/* The manager is told that it is waited for, and makes a connection; or it does not. */
static void wait_for_turn(struct link_fetch *fetch)
{
	time_us now = env_monotonic(fetch->link->env);
	struct err err = { 0 };

	if (now < fetch->first->expires) {
		loop_timer_set(fetch->kick, fetch->first->expires - now);
		return;
	}
	err_set(&err, ERR_TIMEOUT, "the manager has the copy, but has not connected to this agent for %d minutes",
		(int)(TURN_WAIT_US / MINUTE_US));
	finish(fetch, -1, &err);
}

static void begin(void *argument)
{
	struct link_fetch *fetch = argument;
	struct http_body none = { .fd = -1 };
	char path[64 + UUID_TEXT_BYTES], id[UUID_TEXT_BYTES];
	struct err err = { 0 };
	int rc;

	if (fetch->first == NULL || fetch->begun)
		return;
	http_client_dials(fetch->client, endpoint_dials(fetch->link->endpoint));
	if (!may_send(fetch)) {
		wait_for_turn(fetch);
		return;
	}
	fetch->begun = true;
	fetch->received = 0;
	fetch->err = (struct err){ 0 };
	rc = open_file(fetch, &err);
	uuid_format(&fetch->first->item, id);
	snprintf(path, sizeof(path), "/agent/v1/quarantine/%s", id);
	http_client_stream(fetch->client, on_body);
	if (rc == 0)
		rc =
		    http_client_send(fetch->client, "GET", path, NULL, &none, FETCH_TIMEOUT_US, on_answer, fetch, &err);
	if (rc)
		finish(fetch, -1, &err);
}

int link_fetch_start(struct link_fetch *fetch, const struct uuid *item, link_fetch_done done, void *argument,
		     struct err *err)
{
	struct fetch **last = &fetch->first;
	struct fetch *added;

	if (fetch->count == WAITING_MAX)
		return err_set(err, ERR_BUSY, "%d files are being fetched from the manager already", WAITING_MAX);
	added = malloc(sizeof(*added));
	if (added == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	*added = (struct fetch){ .item = *item,
				 .expires = env_monotonic(fetch->link->env) + TURN_WAIT_US,
				 .done = done,
				 .argument = argument };
	while (*last != NULL)
		last = &(*last)->next;
	*last = added;
	if (++fetch->count == 1)
		loop_timer_set(fetch->kick, 0);
	return 0;
}

struct link_fetch *link_fetch_new(struct link *link, int directory, struct err *err)
{
	struct http_client_options options = { .host = link->manager.host,
					       .port = link->manager.port,
					       .tls = link->tls,
					       .reply_max_bytes = ERROR_MAX_BYTES };
	struct link_fetch *fetch = calloc(1, sizeof(*fetch));

	if (fetch == NULL) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	fetch->link = link;
	fetch->directory = directory;
	fetch->fd = -1;
	fetch->client = http_client_new(link->loop, &options, err);
	fetch->kick = loop_timer_new(link->loop, begin, fetch);
	if (fetch->client == NULL || fetch->kick == NULL) {
		if (fetch->client)
			err_set(err, ERR_MEMORY, "out of memory");
		link_fetch_free(fetch);
		return NULL;
	}
	return fetch;
}

void link_fetch_free(struct link_fetch *fetch)
{
	if (fetch == NULL)
		return;
	http_client_free(fetch->client);
	loop_timer_free(fetch->kick);
	if (fetch->fd >= 0)
		close(fetch->fd);
	while (fetch->first != NULL) {
		struct fetch *next = fetch->first->next;

		free(fetch->first);
		fetch->first = next;
	}
	free(fetch);
}
