/* The agent's listener (agent/listener.h). Input: whoever can reach the port. */
#include "agent/listener.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/posted.h"
#include "net/server.h"
#include "wire/limits.h"

#define EACH_US      (SECOND_US / 2)  /* a source earns one connection in this */
#define EACH_ALL_US  (SECOND_US / 20) /* all sources together */
#define TALK_IDLE_US (10 * SECOND_US) /* after a report without a word: the talk is over */

static const struct http_limits limits = {
	.header_bytes = 2 * KIB,
	.header_count = 24,
	.connections = 8,
	.handshake = 10 * SECOND_US,
	.header = 5 * SECOND_US,
	.body_idle = 10 * SECOND_US,
	.idle = 15 * SECOND_US,
	.write_idle = 15 * SECOND_US,
};

struct listener {
	struct listener_options options;
	struct http_server *server;
	struct loop_timer *idle;
	struct gate gate;
	time_us refused_at; /* monotonic, last told */
	struct listener_counters counters;
};

/* --- rate --- */

static struct gate_source *find_source(struct gate *gate, const char *address, size_t length)
{
	struct gate_source *longest = &gate->sources[0];

	for (size_t i = 0; i < GATE_SOURCES; i++) {
		struct gate_source *source = &gate->sources[i];

		if (strlen(source->address) == length && memcmp(source->address, address, length) == 0)
			return source;
		if (source->full_at < longest->full_at)
			longest = source;
	}
	/* The one that has been quiet for longest makes room. */
	memcpy(longest->address, address, length);
	longest->address[length] = '\0';
	longest->full_at = 0;
	return longest;
}

static bool take_one(time_us *full_at, span_us each, unsigned burst, time_us now)
{
	if (*full_at < now)
		*full_at = now;
	if (*full_at - now > each * (span_us)(burst - 1))
		return false;
	*full_at += each;
	return true;
}

static size_t address_size(const struct gate *gate, const char *peer)
{
	const char *colon = strrchr(peer, ':');
	size_t length = colon != NULL ? (size_t)(colon - peer) : strlen(peer);

	return length < sizeof(gate->proven) ? length : sizeof(gate->proven) - 1;
}

bool gate_pass(struct gate *gate, const char *peer, time_us now)
{
	size_t length = address_size(gate, peer);
	bool proven = length > 0 && strlen(gate->proven) == length && memcmp(gate->proven, peer, length) == 0;

	return take_one(&find_source(gate, peer, length)->full_at, EACH_US, GATE_BURST, now) &&
	       (proven || take_one(&gate->all_full_at, EACH_ALL_US, GATE_ALL, now));
}

void gate_prove(struct gate *gate, const char *peer)
{
	size_t length = address_size(gate, peer);

	memcpy(gate->proven, peer, length);
	gate->proven[length] = '\0';
}

/* --- the request --- */

static void spoken(struct listener *listener)
{
	if (listener->options.spoken != NULL)
		listener->options.spoken(listener->options.argument);
}

static void hung_up(void *argument)
{
	struct listener *listener = argument;

	endpoint_hung_up(listener->options.endpoint);
	spoken(listener);
}

static void refuse(struct http_request *request, const struct err *why)
{
	int status = why->code == ERR_WRONG_STATE ? 409 : why->code == ERR_MEMORY || why->code == ERR_IO ? 503 : 400;

	http_problem(request, status, "The message was not taken", why->text);
}

static void turned(void *argument, struct bufferevent *connection)
{
	struct listener *listener = argument;

	listener->options.turned(listener->options.argument, connection);
}

/* Whatever was exchanged over it before has been: the talk is over. */
static void on_turn(void *owner, struct http_request *request, const struct buf *body)
{
	struct listener *listener = owner;

	(void)body;
	loop_timer_clear(listener->idle);
	hung_up(listener);
	if (listener->options.turned == NULL)
		http_problem(request, 409, "Nothing to ask", "This agent has no requests of its own.");
	else
		http_switch(request, LISTENER_TURN_PROTOCOL, turned, listener);
}

/* A reply of the manager's, by which it asks for the next report. */
static void on_reply(void *owner, struct http_request *request, const struct buf *body)
{
	struct listener *listener = owner;
	struct err why = { 0 };
	struct buf report;
	int rc;

	buf_init(&report, WIRE_REPORT_MAX_BYTES);
	rc = body->status != 0 ? err_set(&why, body->status, "out of memory")
			       : endpoint_dialled(listener->options.endpoint, body->data, body->size, &report, &why);
	if (rc == 0)
		http_reply(request, 200, "application/x-protobuf", NULL, report.data, report.size);
	else
		refuse(request, &why);
	buf_done(&report);
	if (rc == 0) {
		listener->counters.talks++;
		loop_timer_set(listener->idle, TALK_IDLE_US);
		if (listener->options.heard != NULL)
			listener->options.heard(listener->options.argument);
	}
	spoken(listener);
}

static uint64_t on_request(void *context, struct http_request *request)
{
	bool turn = strcmp(http_path(request), LISTENER_TURN_PATH) == 0;
	uint8_t fingerprint[SHA256_BYTES];

	/* Whether it has ended the handshake has judged, by what is proven: this computer's clock may be wrong. */
	if (!http_client_certificate(request, fingerprint) && !http_client_certificate_ended(request, fingerprint)) {
		http_problem(request, 401, "Certificate needed", "The manager's certificate is needed.");
		return 0;
	}
	gate_prove(&((struct listener *)context)->gate, http_peer(request));
	if (strcmp(http_path(request), LISTENER_PATH) != 0 && !turn) {
		http_problem(request, 404, "Not found",
			     "An agent answers " LISTENER_PATH " and " LISTENER_TURN_PATH " alone.");
		return 0;
	}
	if (strcmp(http_method(request), "POST") != 0) {
		http_problem(request, 405, "Method not allowed", "An agent answers POST alone.");
		return 0;
	}
	return turn ? posted_begin(request, 0, on_turn, context)
		    : posted_begin(request, WIRE_REPLY_MAX_BYTES, on_reply, context);
}

static bool on_accept(void *context, const char *peer)
{
	struct listener *listener = context;

	listener->counters.accepted++;
	if (gate_pass(&listener->gate, peer, env_monotonic(listener->options.env)))
		return true;
	listener->counters.refused++;
	return false;
}

static void on_refused(void *context, const char *peer, const struct err *cause)
{
	struct listener *listener = context;
	time_us now = env_monotonic(listener->options.env);

	listener->counters.refused++;
	/* What does not even speak TLS is noise; who shows a wrong certificate is not. */
	if (cause->code != ERR_UNTRUSTED && cause->code != ERR_CLOCK)
		return;
	if (listener->options.refused == NULL || (listener->refused_at != 0 && now - listener->refused_at < SECOND_US))
		return;
	listener->refused_at = now;
	listener->options.refused(listener->options.argument, peer, cause);
}

/* --- life --- */

int listener_open_ports(struct http_server *server, const char *given, uint16_t port, struct err *err)
{
	char text[80];
	struct err six;
	int rc;

	if (given[0] != '\0') {
		bool bracket = strchr(given, ':') != NULL;

		snprintf(text, sizeof(text), "%s%.60s%s:%u", bracket ? "[" : "", given, bracket ? "]" : "",
			 (unsigned)port);
		return http_server_listen(server, text, NULL, err);
	}
	snprintf(text, sizeof(text), "0.0.0.0:%u", (unsigned)port);
	rc = http_server_listen(server, text, NULL, err);
	snprintf(text, sizeof(text), "[::]:%u", (unsigned)port);
	/* A computer without IPv6 listens by IPv4 alone. */
	if (rc == 0 && http_server_listen(server, text, NULL, &six) == ERR_BUSY)
		rc = err_set(err, ERR_BUSY, "%s", six.text);
	return rc;
}

struct listener *listener_new(const struct listener_options *options, struct err *err)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	const struct http_handlers handlers = { .on_request = on_request,
						.on_body = posted_body,
						.on_complete = posted_complete,
						.on_gone = posted_gone,
						.context = listener,
						.on_accept = on_accept,
						.on_refused = on_refused };

	if (listener != NULL) {
		listener->options = *options;
		listener->idle = loop_timer_new(options->loop, hung_up, listener);
	}
	if (listener == NULL || listener->idle == NULL) {
		listener_free(listener);
		err_set(err, ERR_MEMORY, "no memory to listen");
		return NULL;
	}
	listener->server = http_server_new(&options->loop, &options->tls, 1, &limits, &handlers, err);
	if (listener->server == NULL ||
	    listener_open_ports(listener->server, options->address, options->port, err) != 0) {
		listener_free(listener);
		return NULL;
	}
	return listener;
}

void listener_free(struct listener *listener)
{
	if (listener == NULL)
		return;
	http_server_free(listener->server);
	loop_timer_free(listener->idle);
	free(listener);
}

void listener_counters(const struct listener *listener, struct listener_counters *out)
{
	*out = listener->counters;
}
