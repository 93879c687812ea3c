/* Trying ports. Names and addresses come from settings, answers from the network: none of them is read. */
#include "net/ports.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TRIED_MAX       128       /* rows that are tried at a time */
#define REFUSAL_WAIT_US SECOND_US /* for the word that nobody takes a datagram */

static const char *const state_names[PORT_STATES] = { "not tried",     "off",       "listening",
						      "not listening", "reachable", "unreachable" };

const char *port_state_name(enum port_state state)
{
	return state_names[state];
}

/* --- one row --- */

static void settle(struct port_row *row, int error, const char *words)
{
	if (error == 0)
		row->state = row->here ? PORT_LISTENING : PORT_REACHABLE;
	else
		row->state = row->here ? PORT_SILENT : PORT_UNREACHABLE;
	snprintf(row->detail, sizeof(row->detail), "%s", error == 0 ? "" : words != NULL ? words : strerror(error));
}

/* Whom to call for an address that stands for all of this computer's. */
static const char *called(const char *host)
{
	if (strcmp(host, "0.0.0.0") == 0)
		return "127.0.0.1";
	return strcmp(host, "::") == 0 ? "::1" : host;
}

static struct addrinfo *resolve(struct port_row *row)
{
	const struct addrinfo hints = { .ai_socktype = row->datagrams ? SOCK_DGRAM : SOCK_STREAM,
					.ai_flags = AI_NUMERICSERV };
	struct addrinfo *found = NULL;
	char port[8];
	int r;

	snprintf(port, sizeof(port), "%u", (unsigned)row->port);
	r = getaddrinfo(called(row->host), port, &hints, &found);
	if (r == 0)
		return found;
	settle(row, EHOSTUNREACH, gai_strerror(r));
	return NULL;
}

/* Begins to connect; an empty datagram is sent, which servers of syslog pass over. -1: the row is settled. */
static int begin(struct port_row *row)
{
	struct addrinfo *found = resolve(row);
	int fd = -1;
	bool begun;

	if (found == NULL)
		return -1;
	fd = socket(found->ai_family, found->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	begun = fd >= 0 && (connect(fd, found->ai_addr, found->ai_addrlen) == 0 || errno == EINPROGRESS) &&
		(!row->datagrams || send(fd, "", 0, MSG_NOSIGNAL) == 0);
	if (!begun)
		settle(row, errno, NULL);
	freeaddrinfo(found);
	if (begun)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static void end(struct port_row *row, int fd)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
		error = errno;
	settle(row, error, NULL);
	close(fd);
}

/* --- all of them --- */

static bool to_be_tried(const struct port_row *row)
{
	return row->state != PORT_OFF && row->host[0] != '\0' && row->port != 0;
}

static time_us now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (time_us)now.tv_sec * SECOND_US + now.tv_nsec / 1000;
}

/* Waits until something happens to one of them; false: the time is over. */
static bool wait_some(struct pollfd *fds, size_t count, time_us until)
{
	span_us left = until - now_us();

	return left > 0 && (poll(fds, (nfds_t)count, (int)(left / MILLISECOND_US) + 1) > 0 || errno == EINTR);
}

static void give_up(struct port_row *row, int fd)
{
	settle(row, ETIMEDOUT, "no answer in time");
	if (row->datagrams) {
		row->state = PORT_NOT_TRIED;
		snprintf(row->detail, sizeof(row->detail), "no refusal came; whether somebody listens cannot be known");
	}
	close(fd);
}

static bool any_waits(const struct port_row *rows, const struct pollfd *fds, size_t count, bool datagrams)
{
	for (size_t i = 0; i < count; i++) {
		if (fds[i].fd >= 0 && rows[i].datagrams == datagrams)
			return true;
	}
	return false;
}

/* Datagrams have no good answer: they are waited for less long. */
static void await(struct port_row *rows, struct pollfd *fds, size_t count, bool datagrams, time_us until)
{
	while (any_waits(rows, fds, count, datagrams) && wait_some(fds, count, until)) {
		for (size_t i = 0; i < count; i++) {
			if (fds[i].fd < 0 || fds[i].revents == 0)
				continue;
			end(&rows[i], fds[i].fd);
			fds[i].fd = -1;
		}
	}
	for (size_t i = 0; i < count; i++) {
		if (fds[i].fd < 0 || rows[i].datagrams != datagrams)
			continue;
		give_up(&rows[i], fds[i].fd);
		fds[i].fd = -1;
	}
}

void ports_try(struct port_row *rows, size_t count, span_us patience)
{
	struct pollfd fds[TRIED_MAX] = { 0 };
	size_t some = count < TRIED_MAX ? count : TRIED_MAX;
	time_us began;

	for (size_t i = 0; i < some; i++)
		fds[i] = (struct pollfd){ .fd = to_be_tried(&rows[i]) ? begin(&rows[i]) : -1,
					  .events = rows[i].datagrams ? POLLIN : POLLOUT };
	began = now_us();
	await(rows, fds, some, true, began + (patience < REFUSAL_WAIT_US ? patience : REFUSAL_WAIT_US));
	await(rows, fds, some, false, began + patience);
	if (some < count)
		ports_try(rows + some, count - some, patience);
}

/* --- addresses --- */

bool ports_of_url(const char *url, uint16_t usual, char host[PORT_HOST_BYTES], uint16_t *ret_port)
{
	const char *start = strstr(url, "://"), *at, *colon;
	uint64_t port = usual;
	size_t size;

	if (start == NULL)
		return false;
	start += 3;
	size = strcspn(start, "/?#");
	at = memchr(start, '@', size);
	if (at != NULL) {
		size -= (size_t)(at + 1 - start);
		start = at + 1;
	}
	at = size > 0 && start[0] == '[' ? memchr(start, ']', size) : NULL;
	colon = memchr(at != NULL ? at : start, ':', size - (size_t)((at != NULL ? at : start) - start));
	if (colon != NULL) {
		char text[8] = "";
		size_t digits = size - (size_t)(colon + 1 - start);

		if (digits == 0 || digits >= sizeof(text))
			return false;
		memcpy(text, colon + 1, digits);
		if (number_parse(text, 1, UINT16_MAX, &port, NULL) != 0)
			return false;
		size = (size_t)(colon - start);
	}
	if (at != NULL) {
		start++;
		size = (size_t)(at - start);
	}
	if (size == 0 || size >= PORT_HOST_BYTES)
		return false;
	memcpy(host, start, size);
	host[size] = '\0';
	*ret_port = (uint16_t)port;
	return true;
}
