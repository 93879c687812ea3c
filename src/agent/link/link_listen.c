/* Directions on the agent's side (agent/link/link_listen.h). Input: settings; the listener has its own. */
#include "agent/link/link_listen.h"

#include "agent/link/link_exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/link/link_fetch.h"
#include "agent/link/link_items.h"
#include "agent/link/link_renewal.h"
#include "agent/link/link_upload.h"
#include "agent/listener.h"
#include "base/log.h"
#include "os/files.h"
#include "trust/random.h"

#define FILE_NAME      "direction"
#define FILE_MAX_BYTES 64
#define CLOSE_WAIT_US  SECOND_US /* a report that is on its way is let out */

struct link_listen {
	struct link *link;
	int directory;
	struct tls_server *tls; /* NULL until it first listens */
	struct listener *listener;
	enum link_direction before; /* to go back to */
	enum link_direction tried;  /* agent.ini's */
	enum link_direction told;   /* to the manager, with told_port */
	uint16_t told_port;
	bool trying;
	time_us trial_at; /* monotonic, when it began */
	time_us open_at;  /* monotonic, when to try the port */
	time_us close_at;
	char problem[ERR_TEXT_BYTES]; /* why it does not listen; "": it does, or need not */
};

/* --- what was proven --- */

enum link_direction link_listen_proven(const struct link *link, int directory)
{
	enum link_direction wanted = (enum link_direction)link->settings.direction;
	struct buf text;
	bool same = false;

	if (link_direction_agent_dials(wanted))
		return wanted;
	buf_init(&text, FILE_MAX_BYTES + 1);
	if (files_read(directory, FILE_NAME, FILE_MAX_BYTES, &text, NULL) == 0)
		same = strcmp(buf_text(&text), link_direction_name(wanted)) == 0;
	buf_done(&text);
	return same ? wanted : LINK_BIDIRECTIONAL;
}

int link_listen_forget(int directory, struct err *err)
{
	return files_remove(directory, FILE_NAME, err);
}

static void save(struct link_listen *listen)
{
	const char *name = link_direction_name(endpoint_direction(listen->link->endpoint));
	struct err err;

	/* Without it the next start tries again. */
	if (files_write(listen->directory, FILE_NAME, name, strlen(name), 0600, &err) != 0)
		LOG(LOG_WARNING, "listen.direction_not_kept", log_err(&err));
}

/* --- the listener --- */

static void on_spoken(void *argument)
{
	link_wake(argument);
}

static void on_heard(void *argument)
{
	const struct link *link = argument;

	link_exchange_heard(link->exchange);
}

static void on_refused(void *argument, const char *peer, const struct err *cause)
{
	struct link *link = argument;
	char text[ERR_TEXT_BYTES];

	snprintf(text, sizeof(text), "%.60s dialled this agent: %.400s", peer, cause->text);
	LOG(LOG_WARNING, "listen.refused", log_text("peer", peer), log_err(cause));
	endpoint_refused(link->endpoint, cause->code, text);
	link_wake(link);
}

bool link_listen_wants_turn(const struct link *link)
{
	return link_renewal_needs(link->renewal) || link_fetch_needs(link_items_fetch(link->items)) ||
	       link_uploads_need(link->uploads);
}

/* Without its certificate there is nothing else; then, a person waits for what is fetched. A turn that was not asked
 * for is given to one whose certificate has ended. */
static void on_turned(void *argument, struct bufferevent *connection)
{
	struct link *link = argument;
	bool renewal_first = link_renewal_needs(link->renewal);

	if (!renewal_first && link_fetch_needs(link_items_fetch(link->items)))
		link_fetch_adopt(link_items_fetch(link->items), connection);
	else if (!renewal_first && link_uploads_need(link->uploads))
		link_uploads_adopt(link->uploads, connection);
	else
		link_renewal_adopt(link->renewal, connection);
}

static void make_chain(const struct agent_identity *identity, struct buf *chain)
{
	buf_init(chain, (size_t)2 * WIRE_AUTHORITY_MAX_BYTES);
	buf_append(chain, identity->certificate_pem.data, identity->certificate_pem.size);
	buf_append(chain, identity->authority_pem.data, identity->authority_pem.size);
}

static int make_tls(struct link_listen *listen, struct err *err)
{
	const struct agent_identity *identity = &listen->link->identity;
	uint8_t ticket_key[TLS_TICKET_KEY_BYTES];
	struct buf chain;

	if (listen->tls != NULL)
		return 0;
	random_fill(NULL, ticket_key, sizeof(ticket_key));
	make_chain(identity, &chain);
	listen->tls = tls_server_new(buf_text(&chain), buf_text(&identity->key_pem), buf_text(&identity->authority_pem),
				     ticket_key, err);
	buf_done(&chain);
	explicit_bzero(ticket_key, sizeof(ticket_key));
	if (listen->tls == NULL)
		return err->code;
	tls_server_require(listen->tls, LISTENER_MANAGER_URI, identity_proven(identity));
	return 0;
}

void link_listen_renewed(struct link_listen *listen)
{
	const struct agent_identity *identity = &listen->link->identity;
	uint8_t ticket_key[TLS_TICKET_KEY_BYTES];
	struct err err = { 0 };
	struct buf chain;
	int rc;

	if (listen->tls == NULL)
		return;
	random_fill(NULL, ticket_key, sizeof(ticket_key));
	make_chain(identity, &chain);
	rc = tls_server_certify(listen->tls, buf_text(&chain), buf_text(&identity->key_pem), &err);
	if (rc == 0)
		rc = tls_server_trust(listen->tls, buf_text(&identity->authority_pem), &err);
	if (rc == 0) /* a manager that resumed would go on seeing the certificate before */
		rc = tls_server_forget(listen->tls, ticket_key, &err);
	explicit_bzero(ticket_key, sizeof(ticket_key));
	if (rc == 0)
		tls_server_require(listen->tls, LISTENER_MANAGER_URI, identity_proven(identity));
	else
		LOG(LOG_ERROR, "listen.identity_not_used", log_err(&err));
	buf_done(&chain);
}

static int make_listener(struct link_listen *listen, struct err *err)
{
	struct link *link = listen->link;
	int rc = make_tls(listen, err);
	const struct listener_options options = { .env = link->env,
						  .loop = link->loop,
						  .tls = listen->tls,
						  .endpoint = link->endpoint,
						  .address = link->settings.listen_address,
						  .port = (uint16_t)link->settings.listen_port,
						  .spoken = on_spoken,
						  .heard = on_heard,
						  .turned = on_turned,
						  .refused = on_refused,
						  .argument = link };

	if (rc != 0)
		return rc;
	listen->listener = listener_new(&options, err);
	return listen->listener != NULL
		   ? 0
		   : err_add(err, err->code,
			     "port %u, on which the manager dials this agent (setting [link] listen_port in agent.ini; "
			     "one for all agents: [network] agent_port in the manager's manager.ini)",
			     (unsigned)options.port);
}

static void not_listening(struct link_listen *listen, const struct err *err)
{
	struct event_field fields[3];
	char port[16];

	if (strcmp(listen->problem, err->text) == 0)
		return;
	snprintf(listen->problem, sizeof(listen->problem), "%s", err->text);
	LOG(LOG_ERROR, "listen.failed", log_err(err));
	snprintf(port, sizeof(port), "%u", (unsigned)listen->link->settings.listen_port);
	fields[0] = link_field("cause", err->text);
	fields[1] = link_field("port", port);
	fields[2] = link_field("code", err_name(err->code));
	link_event(listen->link, EVENT_LISTENER_FAILED, fields, COUNT_OF(fields));
	link_tell_self(listen->link);
}

static void open_port(struct link_listen *listen, time_us now)
{
	struct link *link = listen->link;
	struct err err = { 0 };

	listen->close_at = 0;
	if (listen->listener != NULL || link->settings.listen_port == 0 || now < listen->open_at)
		return;
	if (make_listener(listen, &err) != 0) {
		listen->open_at = now + LINK_LISTEN_RETRY_US + (span_us)env_below(link->env, LINK_LISTEN_RETRY_US / 2);
		not_listening(listen, &err);
		return;
	}
	LOG(LOG_INFO, "listen.opened", log_number("port", link->settings.listen_port),
	    log_text("direction", link_direction_name(endpoint_direction(link->endpoint))));
	if (listen->problem[0] != '\0') {
		listen->problem[0] = '\0';
		link_tell_self(link);
	}
}

static void close_port(struct link_listen *listen, time_us now)
{
	listen->problem[0] = '\0';
	listen->open_at = 0;
	if (listen->listener == NULL)
		return;
	if (listen->close_at == 0)
		listen->close_at = now + CLOSE_WAIT_US;
	if (now < listen->close_at)
		return;
	listener_free(listen->listener);
	listen->listener = NULL;
	listen->close_at = 0;
	LOG(LOG_INFO, "listen.closed", log_number("port", listen->link->settings.listen_port));
}

/* --- directions --- */

void link_listen_begin(struct link_listen *listen)
{
	struct link *link = listen->link;

	listen->before = endpoint_direction(link->endpoint);
	listen->tried = (enum link_direction)link->settings.direction;
	endpoint_set_direction(link->endpoint, listen->tried);
	if (endpoint_direction(link->endpoint) != listen->tried || endpoint_proven(link->endpoint))
		return; /* a policy's counts, or it is in force already */
	listen->trying = true;
	listen->trial_at = env_monotonic(link->env);
	link_wake(link);
}

static void go_back(struct link_listen *listen)
{
	struct link *link = listen->link;
	struct event_field fields[2];
	char cause[600];

	snprintf(cause, sizeof(cause),
		 "the manager did not dial this agent within %lld s, so that it goes on dialling by itself (%s instead "
		 "of %s); check the address and port %u by which the manager reaches it, and firewalls between%s%.150s",
		 (long long)(LINK_LISTEN_TRIAL_US / SECOND_US), link_direction_name(listen->before),
		 link_direction_name(endpoint_direction(link->endpoint)), (unsigned)link->settings.listen_port,
		 listen->problem[0] != '\0' ? "; " : "", listen->problem);
	fields[0] = link_field("cause", cause);
	fields[1] = link_field("fingerprint", "");
	LOG(LOG_ERROR, "listen.direction_refused", log_text("cause", cause));
	listen->trying = false;
	endpoint_set_direction(link->endpoint, listen->before);
	link_event(link, EVENT_CONFIGURATION_REFUSED, fields, COUNT_OF(fields));
}

static void step_trial(struct link_listen *listen, time_us now)
{
	struct link *link = listen->link;

	if (!listen->trying)
		return;
	if (endpoint_direction(link->endpoint) != listen->tried) {
		listen->trying = false; /* a policy's goes before it */
	} else if (endpoint_proven(link->endpoint)) {
		listen->trying = false;
		save(listen);
	} else if (!link_direction_agent_dials(listen->tried) && now >= listen->trial_at + LINK_LISTEN_TRIAL_US) {
		go_back(listen);
	}
}

static void tell_changes(struct link_listen *listen)
{
	enum link_direction direction = endpoint_direction(listen->link->endpoint);
	uint16_t port = link_listen_port(listen);

	if (direction == listen->told && port == listen->told_port)
		return;
	listen->told = direction;
	listen->told_port = port;
	link_uploads_again(listen->link->uploads);
	link_fetch_again(link_items_fetch(listen->link->items));
	link_tell_self(listen->link);
}

void link_listen_step(struct link_listen *listen)
{
	time_us now = env_monotonic(listen->link->env);

	step_trial(listen, now);
	if (link_direction_agent_listens(endpoint_direction(listen->link->endpoint)))
		open_port(listen, now);
	else
		close_port(listen, now);
	tell_changes(listen);
}

time_us link_listen_due(const struct link_listen *listen)
{
	const struct link *link = listen->link;
	bool listens = link_direction_agent_listens(endpoint_direction(link->endpoint));
	time_us due = INT64_MAX;

	if (listen->trying && !endpoint_proven(link->endpoint))
		due = listen->trial_at + LINK_LISTEN_TRIAL_US;
	if (listens && listen->listener == NULL && link->settings.listen_port != 0 && listen->open_at < due)
		due = listen->open_at;
	if (!listens && listen->listener != NULL && listen->close_at < due)
		due = listen->close_at;
	return due;
}

/* --- showing --- */

json_t *link_listen_status(const struct link_listen *listen)
{
	const struct endpoint *endpoint = listen->link->endpoint;
	struct listener_counters counters = { 0 };

	if (listen->listener != NULL)
		listener_counters(listen->listener, &counters);
	return json_pack("{s:s,s:b,s:b,s:i,s:s,s:I,s:I}", "direction",
			 link_direction_name(endpoint_direction(endpoint)), "proven", endpoint_proven(endpoint),
			 "listening", listen->listener != NULL, "port", (int)listen->link->settings.listen_port,
			 "problem", listen->problem, "talks", (json_int_t)counters.talks, "refused",
			 (json_int_t)counters.refused);
}

uint16_t link_listen_port(const struct link_listen *listen)
{
	return listen->listener != NULL ? (uint16_t)listen->link->settings.listen_port : 0;
}

const char *link_listen_problem(const struct link_listen *listen)
{
	return listen->problem;
}

/* --- life --- */

struct link_listen *link_listen_new(struct link *link, int directory, struct err *err)
{
	struct link_listen *listen = calloc(1, sizeof(*listen));

	if (listen == NULL) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	listen->link = link;
	listen->directory = directory;
	listen->before = listen->told = endpoint_direction(link->endpoint);
	return listen;
}

void link_listen_free(struct link_listen *listen)
{
	if (listen == NULL)
		return;
	listener_free(listen->listener);
	tls_server_free(listen->tls);
	free(listen);
}
