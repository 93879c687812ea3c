/* TLS of the listeners. Certificates and keys are files of our own. */
#include "manager/front/tls_listeners.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "manager/front/front_state.h"
#include "manager/layout.h"
#include "trust/identity.h"
#include "trust/secret_file.h"

#define RENEW_BEFORE_US (30 * DAY_US)

struct pair {
	struct buf key, chain; /* PEM; the chain ends with the CA's */
};

/* A context that a new certificate is given to on its loop's thread. */
struct place {
	struct tls_listeners *listeners;
	struct loop *loop;
	struct tls_server *tls;
};

struct tls_listeners {
	const struct front *front;
	struct listening plan;
	struct tls_server **of[CONF_ADDRESSES]; /* listeners with the same profiles share them */
	struct place *places;
	size_t place_count;
	pthread_mutex_t lock; /* of rsa */
	struct pair rsa;
	_Atomic time_us rsa_ends;
	atomic_flag renewing;
};

/* --- files --- */

static void pair_init(struct pair *pair)
{
	buf_init(&pair->key, SECRET_FILE_MAX_BYTES);
	buf_init(&pair->chain, SECRET_FILE_MAX_BYTES);
}

static void pair_done(struct pair *pair)
{
	buf_wipe(&pair->key);
	buf_done(&pair->key);
	buf_done(&pair->chain);
}

static int path_of(const struct front *front, const char *name, char path[LAYOUT_PATH_BYTES], struct err *err)
{
	if ((size_t)snprintf(path, LAYOUT_PATH_BYTES, "%s/%s", front->data_directory, name) >= LAYOUT_PATH_BYTES)
		return err_set(err, ERR_LIMIT, "the data directory's path is too long");
	return 0;
}

static int pair_read(const struct front *front, const char *key_name, const char *certificate_name, struct pair *pair,
		     struct err *err)
{
	char path[LAYOUT_PATH_BYTES];
	int rc = path_of(front, key_name, path, err);

	if (rc == 0)
		rc = secret_file_read(path, true, &pair->key, err);
	if (rc == 0)
		rc = path_of(front, certificate_name, path, err);
	if (rc == 0)
		rc = secret_file_read(path, false, &pair->chain, err);
	return rc;
}

static int pair_write(const struct front *front, const struct pair *pair, struct err *err)
{
	char path[LAYOUT_PATH_BYTES];
	int rc = path_of(front, LAYOUT_TLS_RSA_KEY, path, err);

	if (rc == 0)
		rc = secret_file_write(path, pair->key.data, pair->key.size, 0600, err);
	if (rc == 0)
		rc = path_of(front, LAYOUT_TLS_RSA_CERTIFICATE, path, err);
	if (rc == 0)
		rc = secret_file_write(path, pair->chain.data, pair->chain.size, 0644, err);
	return rc;
}

/* --- contexts --- */

static int make_context(struct tls_listeners *listeners, struct tls_server **place, tls_profile_set profiles,
			const struct pair *pair, const uint8_t ticket_key[TLS_TICKET_KEY_BYTES], struct err *err)
{
	*place = tls_server_with(profiles, buf_text(&pair->chain), buf_text(&pair->key), listeners->front->ca_pem,
				 ticket_key, err);
	return *place != NULL ? 0 : err->code;
}

/* A context of a loop with these profiles; tickets of other profiles are not for it. */
static int make_set(struct tls_listeners *listeners, size_t index, const struct pair *pair, struct err *err)
{
	const struct front *front = listeners->front;
	uint8_t ticket_key[TLS_TICKET_KEY_BYTES];
	struct tls_server **made = calloc(front->loop_count, sizeof(struct tls_server *));
	int rc = made != NULL ? 0 : err_set(err, ERR_MEMORY, "no memory for TLS");

	listeners->of[index] = made;
	front->env->random(front->env->context, ticket_key, sizeof(ticket_key));
	for (unsigned i = 0; rc == 0 && i < front->loop_count; i++) {
		rc = make_context(listeners, &made[i], listeners->plan.items[index].profiles, pair, ticket_key, err);
		if (rc == 0)
			listeners->places[listeners->place_count++] =
			    (struct place){ listeners, front->loops[i], made[i] };
	}
	OPENSSL_cleanse(ticket_key, sizeof(ticket_key));
	return rc;
}

/* The one before it with the same profiles; itself, if there is none. */
static size_t first_like(const struct listening *plan, size_t index)
{
	size_t first = 0;

	while (plan->items[first].profiles != plan->items[index].profiles)
		first++;
	return first;
}

static int make_sets(struct tls_listeners *listeners, const struct pair *pair, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < listeners->plan.count; i++) {
		size_t first = first_like(&listeners->plan, i);

		if (first == i)
			rc = make_set(listeners, i, pair, err);
		else
			listeners->of[i] = listeners->of[first];
	}
	return rc;
}

/* --- the certificate with an RSA key --- */

/* Of this authority, with its key, and not about to end. */
static int rsa_check(const struct front *front, const struct pair *pair, time_us *ret_ends, struct err *err)
{
	struct certificate_facts facts;
	int rc = certificate_read(pair->chain.data, pair->chain.size, &facts, err);

	if (rc == 0)
		rc = certificate_matches_key(buf_text(&pair->chain), buf_text(&pair->key), err);
	if (rc == 0)
		rc = certificate_signed_by(buf_text(&pair->chain), front->ca_pem, err);
	if (rc == 0 && facts.not_after - env_wall(front->env) < RENEW_BEFORE_US)
		rc = err_set(err, ERR_EXPIRED, "the certificate with an RSA key ends soon");
	if (rc == 0)
		*ret_ends = facts.not_after;
	return rc;
}

static void give_place(void *argument)
{
	const struct place *place = argument;
	struct tls_listeners *listeners = place->listeners;
	struct err err = { 0 };
	int rc;

	pthread_mutex_lock(&listeners->lock);
	rc = tls_server_certify(place->tls, buf_text(&listeners->rsa.chain), buf_text(&listeners->rsa.key), &err);
	pthread_mutex_unlock(&listeners->lock);
	if (rc != 0)
		LOG(LOG_ERROR, "tls.not_certified", log_err(&err));
}

/* Takes the pair: every context gets it on its own thread. */
static void rsa_give(struct tls_listeners *listeners, struct pair *pair, time_us ends)
{
	pthread_mutex_lock(&listeners->lock);
	pair_done(&listeners->rsa);
	listeners->rsa = *pair;
	pthread_mutex_unlock(&listeners->lock);
	pair_init(pair);
	for (size_t i = 0; i < listeners->place_count; i++) {
		if (loop_post(listeners->places[i].loop, give_place, &listeners->places[i]) != 0)
			LOG(LOG_ERROR, "tls.not_certified", log_text("error", "no memory"));
	}
	listeners->rsa_ends = ends;
}

static int rsa_make(struct front *front, struct pair *pair, struct err *err)
{
	char pem[MESSAGE_CERTIFICATE_MAX_BYTES];
	struct pair usual;
	struct buf request;
	int rc;

	pair_init(&usual);
	buf_init(&request, SECRET_FILE_MAX_BYTES);
	rc = pair_read(front, LAYOUT_TLS_KEY, LAYOUT_TLS_CERTIFICATE, &usual, err);
	if (rc == 0)
		rc = identity_make_rsa(&pair->key, &request, err);
	if (rc == 0)
		rc = signer_certify_server(front->signer, (struct bytes){ request.data, request.size },
					   buf_text(&usual.chain), pem, err);
	if (rc == 0)
		rc = buf_append_text(&pair->chain, pem);
	if (rc == 0)
		rc = pair_write(front, pair, err);
	pair_done(&usual);
	buf_done(&request);
	return rc;
}

void tls_listeners_renew(void *argument)
{
	struct front *front = argument;
	struct tls_listeners *listeners = front->listeners;
	struct err err = { 0 };
	struct pair pair;
	time_us ends = 0;
	int rc;

	if (!listeners->plan.rsa || listeners->rsa_ends - env_wall(front->env) >= RENEW_BEFORE_US ||
	    atomic_flag_test_and_set(&listeners->renewing))
		return;
	pair_init(&pair);
	rc = rsa_make(front, &pair, &err);
	if (rc == 0)
		rc = rsa_check(front, &pair, &ends, &err);
	if (rc == 0)
		rc = buf_append_text(&pair.chain, front->ca_pem);
	if (rc == 0) {
		rsa_give(listeners, &pair, ends);
		LOG(LOG_INFO, "tls.certified", log_text("file", LAYOUT_TLS_RSA_CERTIFICATE));
	} else {
		LOG(LOG_ERROR, "tls.no_rsa_certificate", log_err(&err));
	}
	pair_done(&pair);
	atomic_flag_clear(&listeners->renewing);
}

/* What the last start left behind, if it is good. Loops do not run yet: it is there from the first connection on. */
static void rsa_load(struct tls_listeners *listeners)
{
	const struct front *front = listeners->front;
	struct err why = { 0 };
	struct pair pair;
	time_us ends = 0;
	int rc;

	pair_init(&pair);
	rc = pair_read(front, LAYOUT_TLS_RSA_KEY, LAYOUT_TLS_RSA_CERTIFICATE, &pair, &why);
	if (rc == 0)
		rc = rsa_check(front, &pair, &ends, &why);
	if (rc == 0)
		rc = buf_append_text(&pair.chain, front->ca_pem);
	if (rc == 0)
		rsa_give(listeners, &pair, ends);
	else if (rc != ERR_NOT_FOUND)
		LOG(LOG_WARNING, "tls.certificate_replaced", log_err(&why));
	pair_done(&pair);
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
	struct pair pair;
	int rc = listening_plan(&front->settings, &listeners->plan, err);

	if (rc != 0)
		return rc;
	listeners->places = calloc(listeners->plan.count * front->loop_count, sizeof(*listeners->places));
	if (listeners->places == NULL)
		return err_set(err, ERR_MEMORY, "no memory for TLS");
	pair_init(&pair);
	rc = pair_read(front, LAYOUT_TLS_KEY, LAYOUT_TLS_CERTIFICATE, &pair, err);
	if (rc == 0)
		rc = buf_append_text(&pair.chain, front->ca_pem);
	if (rc == 0)
		rc = make_sets(listeners, &pair, err);
	pair_done(&pair);
	return rc == 0 ? 0 : err_add(err, rc, "TLS certificate (" LAYOUT_TLS_CERTIFICATE ", " LAYOUT_TLS_KEY ")");
}

int tls_listeners_new(struct front *front, struct tls_listeners **ret_listeners, struct err *err)
{
	struct tls_listeners *listeners = calloc(1, sizeof(*listeners));
	int rc;

	if (listeners == NULL)
		return err_set(err, ERR_MEMORY, "no memory for TLS");
	listeners->front = front;
	pthread_mutex_init(&listeners->lock, NULL);
	pair_init(&listeners->rsa);
	rc = make(listeners, err);
	if (rc != 0) {
		tls_listeners_free(listeners);
		return rc;
	}
	if (listeners->plan.rsa)
		rsa_load(listeners);
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
	pair_done(&listeners->rsa);
	pthread_mutex_destroy(&listeners->lock);
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

time_us tls_listeners_rsa_ends(const struct tls_listeners *listeners)
{
	return listeners->rsa_ends;
}
