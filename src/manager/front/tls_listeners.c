/* TLS of the listeners: contexts, and the certificates that they show. */
#include "manager/front/tls_listeners.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "manager/front/authorities.h"
#include "manager/front/certificates.h"
#include "manager/front/front_state.h"
#include "manager/layout.h"
#include "net/server.h"
#include "trust/certificate.h"

#define CHAIN_MAX_BYTES ((size_t)256 * 1024) /* an administrator's, and our authority's */

/* A context that a new certificate is given to on its loop's thread. */
struct place {
	struct tls_listeners *listeners;
	struct loop *loop;
	struct tls_server *tls;
	bool console; /* shows its own certificate, and asks nobody for one */
};

struct tls_listeners {
	const struct front *front;
	struct listening plan;
	struct tls_server **of[LISTENING_MAX]; /* listeners with the same profiles and certificate share them */
	_Atomic bool held[LISTENING_MAX];
	struct place *places;
	size_t place_count;
};

/* --- contexts --- */

/* What is shown: the leaf first, the authority last. Behind a certificate of another authority ours is of no use, and
 * does no harm. */
static int chain_of(const struct front *front, const struct certified_key *pair, struct buf *chain, struct err *err)
{
	buf_append(chain, pair->chain.data, pair->chain.size);
	buf_append_text(chain, authorities_now(front)->chain);
	return chain->status == 0 ? 0 : err_set(err, chain->status, "no room for the chain of certificates");
}

static int make_context(struct tls_listeners *listeners, struct tls_server **place, size_t index,
			const struct certified_key *pair, const uint8_t ticket_key[TLS_TICKET_KEY_BYTES],
			struct err *err)
{
	struct buf chain;
	int rc;

	buf_init(&chain, CHAIN_MAX_BYTES);
	rc = chain_of(listeners->front, pair, &chain, err);
	if (rc == 0) {
		*place = tls_server_with(
		    listeners->plan.items[index].profiles, buf_text(&chain), buf_text(&pair->key),
		    listeners->plan.items[index].console ? NULL : authorities_now(listeners->front)->roots, ticket_key,
		    err);
		rc = *place != NULL ? 0 : err->code;
	}
	buf_done(&chain);
	return rc;
}

/* A context of a loop with these profiles; tickets of other profiles are not for it. */
static int make_set(struct tls_listeners *listeners, size_t index, const struct certified_key *pair, struct err *err)
{
	const struct front *front = listeners->front;
	uint8_t ticket_key[TLS_TICKET_KEY_BYTES];
	struct tls_server **made = calloc(front->loop_count, sizeof(struct tls_server *));
	int rc = 0;

	if (made == NULL)
		return err_set(err, ERR_MEMORY, "no memory for TLS");
	listeners->of[index] = made;
	front->env->random(front->env->context, ticket_key, sizeof(ticket_key));
	for (unsigned i = 0; rc == 0 && i < front->loop_count; i++) {
		rc = make_context(listeners, &made[i], index, pair, ticket_key, err);
		if (rc == 0)
			listeners->places[listeners->place_count++] =
			    (struct place){ listeners, front->loops[i], made[i], listeners->plan.items[index].console };
	}
	OPENSSL_cleanse(ticket_key, sizeof(ticket_key));
	return rc;
}

/* The one before it with the same profiles and certificate; itself, if there is none. */
static size_t first_like(const struct listening *plan, size_t index)
{
	size_t first = 0;

	while (plan->items[first].profiles != plan->items[index].profiles ||
	       plan->items[first].console != plan->items[index].console)
		first++;
	return first;
}

static int make_sets(struct tls_listeners *listeners, bool console, const struct certified_key *pair, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < listeners->plan.count; i++) {
		size_t first = first_like(&listeners->plan, i);

		if (listeners->plan.items[i].console != console)
			continue;
		if (first == i)
			rc = make_set(listeners, i, pair, err);
		else
			listeners->of[i] = listeners->of[first];
	}
	return rc;
}

static int make_agents_sets(void *argument, const struct certified_key *pair, struct err *err)
{
	return make_sets(argument, false, pair, err);
}

static int make_console_sets(void *argument, const struct certified_key *pair, struct err *err)
{
	return make_sets(argument, true, pair, err);
}

/* The first time its own certificate is a moment away, as keys signs it; that of the others stands in for it. */
static int make_console(struct tls_listeners *listeners, struct err *err)
{
	struct certificates *certificates = listeners->front->certificates;
	int rc = certificates_lend(certificates, CERTIFICATE_CONSOLE, make_console_sets, listeners, err);

	if (rc == ERR_NOT_FOUND)
		rc = certificates_lend(certificates, CERTIFICATE_SERVER, make_console_sets, listeners, err);
	return rc == 0
		   ? 0
		   : err_add(err, rc, "console's certificate (" LAYOUT_CONSOLE_CERTIFICATE ", " LAYOUT_CONSOLE_KEY ")");
}

/* --- certificates --- */

/* Of any kind of key, and no other beside it, on the console's listeners; else one of each kind. */
static int certify(void *argument, const struct certified_key *pair, struct err *err)
{
	const struct place *place = argument;
	struct buf chain;
	int rc;

	buf_init(&chain, CHAIN_MAX_BYTES);
	rc = chain_of(place->listeners->front, pair, &chain, err);
	if (rc == 0)
		rc = (place->console ? tls_server_show : tls_server_certify)(place->tls, buf_text(&chain),
									     buf_text(&pair->key), err);
	buf_done(&chain);
	return rc;
}

int tls_listeners_try_console(struct tls_listeners *listeners, const struct certified_key *pair, struct err *err)
{
	static const uint8_t no_tickets[TLS_TICKET_KEY_BYTES];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < listeners->plan.count; i++) {
		struct tls_server *tried = NULL;

		if (!listeners->plan.items[i].console || first_like(&listeners->plan, i) != i)
			continue;
		rc = make_context(listeners, &tried, i, pair, no_tickets, err);
		tls_server_free(tried);
	}
	return rc;
}

static int is_rsa(void *argument, const struct certified_key *pair, struct err *err)
{
	struct certificate_about about;
	int rc = certificate_about(pair->chain.data, pair->chain.size, &about, err);

	(void)argument;
	return rc == 0 && strcmp(about.key_type, "RSA") != 0 ? err_set(err, ERR_NOT_FOUND, "another kind of key") : rc;
}

static bool has_rsa(const struct tls_listeners *listeners, size_t index)
{
	enum certificate_use use = listeners->plan.items[index].console ? CERTIFICATE_CONSOLE : CERTIFICATE_SERVER_RSA;

	return certificates_lend(listeners->front->certificates, use, is_rsa, NULL, NULL) == 0;
}

bool tls_listeners_held(const struct tls_listeners *listeners, size_t index)
{
	return listeners->held[index];
}

static void open_held(struct tls_listeners *listeners, bool with_some)
{
	for (size_t i = 0; i < listeners->plan.count; i++) {
		bool rsa = listeners->held[i] && has_rsa(listeners, i);

		if (!listeners->held[i] || (!rsa && (!with_some || listeners->plan.items[i].rsa_only)))
			continue;
		listeners->held[i] = false;
		http_server_admit(listeners->front->server, listeners->of[i]);
		LOG(LOG_INFO, "front.listener_opened", log_number("port", listeners->plan.items[i].address->port),
		    log_text("rsa_certificate", rsa ? "yes" : "no"));
	}
}

static void open_those_with_all(void *argument)
{
	open_held(argument, false);
}

static void open_those_with_some(void *argument)
{
	open_held(argument, true);
}

/* Whatever is in use now: of two changes the later one is found by both. */
static void give_place(void *argument)
{
	const struct place *place = argument;
	struct certificates *certificates = place->listeners->front->certificates;
	struct err err = { 0 };
	int rc =
	    place->console ? 0 : tls_server_trust(place->tls, authorities_now(place->listeners->front)->roots, &err);

	if (rc == 0)
		rc = certificates_lend(certificates, place->console ? CERTIFICATE_CONSOLE : CERTIFICATE_SERVER, certify,
				       argument, &err);
	if (rc == 0 && !place->console && place->listeners->plan.rsa)
		rc = certificates_lend(certificates, CERTIFICATE_SERVER_RSA, certify, argument, &err);
	if (rc != 0 && rc != ERR_NOT_FOUND) /* the second one is on its way */
		LOG(LOG_ERROR, "tls.not_certified", log_err(&err));
}

static void post(struct loop *loop, void (*function)(void *argument), void *argument)
{
	if (loop_post(loop, function, argument) != 0)
		LOG(LOG_ERROR, "tls.not_certified", log_text("error", "no memory"));
}

/* Opens listeners after every loop was given what they show: they accept on the first loop, and what they hand to
 * another one comes behind it there. */
void tls_listeners_certified(struct tls_listeners *listeners)
{
	for (size_t i = 0; i < listeners->place_count; i++)
		post(listeners->places[i].loop, give_place, &listeners->places[i]);
	post(listeners->front->loops[0], open_those_with_all, listeners);
}

void tls_listeners_not_certified(struct tls_listeners *listeners)
{
	post(listeners->front->loops[0], open_those_with_some, listeners);
}

/* --- life --- */

static void warn_legacy(const struct listening *plan)
{
	struct buf names;

	if (tls_profiles_legacy(plan->all) == 0)
		return;
	buf_init(&names, CONF_VALUE_BYTES);
	tls_profiles_format(tls_profiles_legacy(plan->all), &names);
	LOG(LOG_WARNING, "tls.legacy_profiles", log_text("profiles", buf_text(&names)),
	    log_text("risk", "connections made with them can be read and altered by others on the network"));
	buf_done(&names);
}

static int make(struct tls_listeners *listeners, struct err *err)
{
	const struct front *front = listeners->front;
	int rc = listening_plan(&front->settings, &listeners->plan, err);

	if (rc != 0)
		return rc;
	listeners->places = calloc(listeners->plan.count * front->loop_count, sizeof(*listeners->places));
	if (listeners->places == NULL)
		return err_set(err, ERR_MEMORY, "no memory for TLS");
	rc = certificates_lend(front->certificates, CERTIFICATE_SERVER, make_agents_sets, listeners, err);
	if (rc == 0)
		return make_console(listeners, err);
	return err_add(err, rc, "TLS certificate (" LAYOUT_TLS_CERTIFICATE ", " LAYOUT_TLS_KEY ")");
}

static void hold(struct tls_listeners *listeners)
{
	for (size_t i = 0; i < listeners->plan.count; i++)
		listeners->held[i] = listeners->plan.items[i].rsa && !has_rsa(listeners, i);
}

int tls_listeners_new(struct front *front, struct tls_listeners **ret_listeners, struct err *err)
{
	struct tls_listeners *listeners = calloc(1, sizeof(*listeners));
	int rc;

	if (listeners == NULL)
		return err_set(err, ERR_MEMORY, "no memory for TLS");
	listeners->front = front;
	rc = make(listeners, err);
	if (rc != 0) {
		tls_listeners_free(listeners);
		return rc;
	}
	hold(listeners);
	tls_listeners_certified(listeners); /* loops do not run yet: it is there from the first connection on */
	warn_legacy(&listeners->plan);
	*ret_listeners = listeners;
	return 0;
}

void tls_listeners_free(struct tls_listeners *listeners)
{
	if (listeners == NULL)
		return;
	for (size_t i = 0; i < listeners->place_count; i++)
		tls_server_free(listeners->places[i].tls);
	for (size_t i = 0; i < listeners->plan.count; i++) {
		if (first_like(&listeners->plan, i) == i)
			free(listeners->of[i]);
	}
	free(listeners->places);
	free(listeners);
}

const struct listening *tls_listeners_plan(const struct tls_listeners *listeners)
{
	return &listeners->plan;
}

struct tls_server *const *tls_listeners_of(const struct tls_listeners *listeners, size_t index)
{
	return listeners->of[index];
}
