/* The manager's certificates: read, made, renewed and lent, each as its row of the table says. Files are our own or an
 * administrator's; what keys signs is checked like outside input. */
#include "manager/front/certificates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "manager/front/authorities.h"
#include "manager/front/certificate_watch.h"
#include "manager/front/certificates_parts.h"
#include "manager/front/front_state.h"
#include "manager/front/tls_listeners.h"
#include "manager/layout.h"
#include "trust/identity.h"
#include "trust/renewal.h"
#include "trust/secret_file.h"

static const struct front_actor by_itself = { .kind = "system", .name = "manager", .peer = "" };

struct certificate_life certificate_held_life(const struct certificate_held *held)
{
	return (struct certificate_life){ held->about.not_before, held->about.not_after, !held->own };
}

/* --- reading --- */

static void file_look(const struct front *front, const char *name, struct certificate_file_state *state)
{
	char path[LAYOUT_PATH_BYTES];
	struct stat facts;

	*state = (struct certificate_file_state){ 0 };
	snprintf(path, sizeof(path), "%s/%s", front->data_directory, name);
	if (lstat(path, &facts) == 0)
		*state = (struct certificate_file_state){ facts.st_ino, facts.st_size, facts.st_mtim };
}

static void files_look(const struct front *front, const struct certificate_row *use,
		       struct certificate_file_state files[2])
{
	file_look(front, use->files.key, &files[0]);
	file_look(front, use->files.certificate, &files[1]);
}

static bool file_is(const struct certificate_file_state *a, const struct certificate_file_state *b)
{
	return a->inode == b->inode && a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
	       a->changed.tv_nsec == b->changed.tv_nsec;
}

static bool agents_look_at(const struct certificate_row *use)
{
	return use == &certificate_uses[CERTIFICATE_SERVER] || use == &certificate_uses[CERTIFICATE_SERVER_RSA];
}

/* Why it is not taken: whoever put it there meant well, and would lock all agents out. */
static int refuse_own(const struct certificate_row *use, const struct certificate_held *held, const struct err *why,
		      struct err *err)
{
	if (!agents_look_at(use))
		return err_set(err, why->code, "%s", why->text);
	return err_set(err, ERR_UNTRUSTED,
		       "%s is of another authority (%.60s), which this manager's agents do not trust: they would be "
		       "locked out. Move it and its key to " LAYOUT_CONSOLE_CERTIFICATE " and " LAYOUT_CONSOLE_KEY
		       " and say in manager.ini where they are shown ([network] console_listen = 0.0.0.0:443); then "
		       "`muster-manager certificate`, or `muster cert renew server` while the manager runs, makes the "
		       "agents' one anew",
		       use->files.certificate, held->about.issuer);
}

static bool is_rsa(const struct certificate_held *held)
{
	return strcmp(held->about.key_type, "RSA") == 0;
}

/* Nobody could connect to a listener whose profiles have suites for another kind of key alone. */
static int check_kind(const struct front *front, const struct certificate_row *use, const struct certificate_held *held,
		      struct err *err)
{
	struct listening plan;
	int rc = listening_plan(&front->settings, &plan, err);

	for (size_t i = 0; rc == 0 && i < plan.count; i++) {
		if (plan.items[i].console && plan.items[i].rsa_only && !is_rsa(held))
			rc = err_set(err, ERR_UNTRUSTED,
				     "%s has a key of kind %s, and the TLS profiles of port %u are for RSA keys alone: "
				     "bring a certificate with an RSA key, or name modern for that port in manager.ini "
				     "([network] tls_profiles)",
				     use->files.certificate, held->about.key_type,
				     (unsigned)plan.items[i].address->port);
	}
	return rc;
}

/* What a pair is that belongs together. */
static int complete(const struct front *front, const struct certificate_row *use, struct certificate_held *held,
		    struct err *err)
{
	struct err why = { 0 };
	int rc = certificate_about(held->pair.chain.data, held->pair.chain.size, &held->about, err);

	if (rc != 0)
		return rc;
	held->own = certificate_signed_by(buf_text(&held->pair.chain), authorities_now(front)->roots, &why) != 0;
	if (held->own && !use->may_be_own)
		return refuse_own(use, held, &why, err);
	if (held->own && (rc = check_kind(front, use, held, err)) != 0)
		return rc;
	held->there = true;
	return 0;
}

static bool is_ours(const struct front *front, const char *name)
{
	char path[LAYOUT_PATH_BYTES];
	struct buf pem;
	bool ours;

	buf_init(&pem, SECRET_FILE_MAX_BYTES);
	snprintf(path, sizeof(path), "%s/%s", front->data_directory, name);
	ours = secret_file_read(path, false, &pem, NULL) == 0 &&
	       certificate_signed_by(buf_text(&pem), authorities_now(front)->roots, NULL) == 0;
	buf_done(&pem);
	return ours;
}

/* One file of two is not there. What an administrator has put there is not written over: the other one may follow. */
static int refuse_half(const struct front *front, const struct certificate_row *use,
		       const struct certificate_held *held, struct err *err)
{
	static const char advice[] = "; it is not written over: put the missing one beside it, or take it away";

	if (held->files[0].inode != 0)
		return err_set(err, ERR_UNTRUSTED, "%s is there without its certificate, %s%s", use->files.key,
			       use->files.certificate, advice);
	if (held->files[1].inode != 0 && !is_ours(front, use->files.certificate))
		return err_set(err, ERR_UNTRUSTED, "%s is there without its key, %s%s", use->files.certificate,
			       use->files.key, advice);
	return ERR_NOT_FOUND;
}

static int read_held(const struct front *front, const struct certificate_row *use, struct certificate_held *held,
		     struct err *err)
{
	int rc;

	certified_key_init(&held->pair);
	files_look(front, use, held->files);
	rc = certified_key_read(front->data_directory, &use->files, &held->pair, &held->copied, err);
	if (rc == ERR_NOT_FOUND && use->may_be_own)
		rc = refuse_half(front, use, held, err);
	return rc == 0 ? complete(front, use, held, err) : rc;
}

/* --- taking one up --- */

/* Takes what made holds over; failures stay. */
static void take(struct certificates *certificates, enum certificate_use use, struct certificate_held *made)
{
	struct certificate_held *held = &certificates->held[use];
	struct certified_key before;

	pthread_mutex_lock(&certificates->lock);
	before = held->pair;
	held->pair = made->pair;
	held->about = made->about;
	held->there = made->there;
	held->own = made->own;
	pthread_mutex_unlock(&certificates->lock);
	held->copied = made->copied;
	memcpy(held->files, made->files, sizeof(held->files));
	certified_key_done(&before);
	certified_key_init(&made->pair);
	certificate_uses[use].give(certificates->front);
	(void)front_work(certificates->front, certificate_watch, certificates->front); /* else within a minute */
	LOG(LOG_INFO, "certificate.taken", log_text("name", certificate_uses[use].name),
	    log_text("subject", held->about.subject), log_text("own", held->own ? "yes" : "no"));
}

/* --- what is said of it --- */

struct noting {
	struct front *front;
	const struct certificate_row *use;
	const struct front_actor *actor;
	time_us ends;
};

static int write_note(struct store_session *session, void *argument, struct err *err)
{
	const struct noting *noting = argument;
	char what[64], expires[TIME_TEXT_BYTES];
	const struct front_field fields[] = { { "what", what }, { "expires", expires } };
	int rc;

	snprintf(what, sizeof(what), "the manager (%s)", noting->use->name);
	time_format(noting->ends, expires);
	rc = front_event(noting->front, session, EVENT_CERTIFICATE_RENEWED, NULL, fields, COUNT_OF(fields), err);
	if (rc == 0)
		rc = front_audit(noting->front, session, noting->actor, "certificate.renew", noting->use->name, "",
				 "done", err);
	return rc;
}

/* It is in use already: what cannot be noted is logged. */
static void note_renewed(struct certificates *certificates, enum certificate_use number,
			 const struct front_actor *actor)
{
	struct noting noting = { certificates->front, &certificate_uses[number], actor,
				 certificates->held[number].about.not_after };
	struct err err = { 0 };

	if (store_write_wait(certificates->front->store, write_note, &noting, &err) != 0)
		LOG(LOG_ERROR, "certificate.not_noted", log_err(&err));
}

/* --- making one --- */

static int make_pair(struct front *front, enum certificate_use number, struct certified_key *pair, struct err *err)
{
	const struct certificate_row *use = &certificate_uses[number];
	char pem[MESSAGE_CERTIFICATE_MAX_BYTES];
	struct buf request;
	int rc;

	buf_init(&request, SECRET_FILE_MAX_BYTES);
	rc = (certificate_wants_rsa(front, number) ? identity_make_rsa : identity_make)(&pair->key, &request, err);
	if (rc == 0)
		rc = use->sign(front, &request, pem, err);
	if (rc == 0 && (rc = buf_append_text(&pair->chain, pem)) != 0)
		rc = err_set(err, rc, "no room for a certificate");
	buf_done(&request);
	return rc;
}

/* Files that cannot be used may be an administrator's key, of which there is no other copy. */
static int spare_own(const struct front *front, const struct certificate_row *use, struct err *err)
{
	struct certificate_held found = { .there = false };
	int rc = use->may_be_own ? read_held(front, use, &found, err) : 0;

	certified_key_done(&found.pair);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* Stored first, then in use: whatever is cut off, files and memory hold pairs that work. */
static int make(struct certificates *certificates, enum certificate_use number, const struct front_actor *actor,
		struct err *err)
{
	struct front *front = certificates->front;
	const struct certificate_row *use = &certificate_uses[number];
	struct certificate_held made = { .there = false };
	int rc;

	certified_key_init(&made.pair);
	rc = spare_own(front, use, err);
	if (rc == 0)
		rc = make_pair(front, number, &made.pair, err);
	if (rc == 0)
		rc = certificate_signed_by(buf_text(&made.pair.chain), authorities_now(front)->roots, err);
	if (rc == 0)
		rc = certificate_matches_key(buf_text(&made.pair.chain), buf_text(&made.pair.key), err);
	if (rc == 0)
		rc = complete(front, use, &made, err);
	if (rc == 0)
		rc = certified_key_write(front->data_directory, &use->files, &made.pair, err);
	if (rc == 0) {
		made.copied = certified_key_copy(front->data_directory, &use->files, &made.pair, NULL) == 0;
		files_look(front, use, made.files);
		take(certificates, number, &made);
		note_renewed(certificates, number, actor);
	}
	certified_key_done(&made.pair);
	return rc == 0 ? 0 : err_add(err, rc, "certificate %s", use->name);
}

/* --- looking after them; with the turn --- */

/* Shown with the certificate for as long as it is so. */
static void say_problem(struct certificates *certificates, struct certificate_held *held, const char *text)
{
	pthread_mutex_lock(&certificates->lock);
	snprintf(held->problem, sizeof(held->problem), "%s%s",
		 text[0] != '\0' ? "what is in its files now is not used: " : "", text);
	pthread_mutex_unlock(&certificates->lock);
}

/* Of ours, a file was not there at the last look, which may have been just after it was written. */
static bool is_gone(const struct certificate_held *held)
{
	return held->there && !held->own && (held->files[0].inode == 0 || held->files[1].inode == 0);
}

/* One of ours whose file is gone: at the next start there would be none. It is no key that anybody trusts by itself,
 * and is simply there again. */
static int write_again(struct certificates *certificates, enum certificate_use number, struct err *err)
{
	struct certificate_held *held = &certificates->held[number];
	const struct front *front = certificates->front;
	int rc = certified_key_write(front->data_directory, &certificate_uses[number].files, &held->pair, err);

	files_look(front, &certificate_uses[number], held->files);
	held->copied = false; /* it is made with it */
	if (rc == 0)
		LOG(LOG_WARNING, "certificate.written_again", log_text("name", certificate_uses[number].name),
		    log_text("file", certificate_uses[number].files.key), log_text("cause", "it was gone"));
	return rc;
}

/* Whatever an administrator has put there since, if it can be used. *ret_taken: it was. */
static int take_changed(struct certificates *certificates, enum certificate_use number, bool *ret_taken,
			struct err *err)
{
	struct certificate_held *held = &certificates->held[number], found = { .there = false };
	struct certificate_file_state now[2];
	int rc;

	files_look(certificates->front, &certificate_uses[number], now);
	*ret_taken = false;
	if (file_is(&now[0], &held->files[0]) && file_is(&now[1], &held->files[1]) && !is_gone(held))
		return 0;
	rc = read_held(certificates->front, &certificate_uses[number], &found, err);
	memcpy(held->files, found.files, sizeof(held->files)); /* told once, not at each look */
	if (rc == ERR_NOT_FOUND && held->there && !held->own) {
		rc = write_again(certificates, number, err);
		found.copied = false;
	} else if (rc == 0 && number == CERTIFICATE_CONSOLE) {
		rc = tls_listeners_try_console(certificates->front->listeners, &found.pair, err);
	}
	say_problem(certificates, held, rc == 0 ? "" : err->text);
	held->copied = held->copied && found.copied;
	if (rc == 0 && found.there && memcmp(found.about.fingerprint, held->about.fingerprint, SHA256_BYTES) != 0) {
		take(certificates, number, &found);
		*ret_taken = true;
	}
	certified_key_done(&found.pair);
	return rc == 0 ? 0
		       : err_add(err, rc, "certificate %s: what is in its files now is not used",
				 certificate_uses[number].name);
}

static bool is_due(const struct certificates *certificates, enum certificate_use number)
{
	const struct certificate_held *held = &certificates->held[number];
	const struct certificate_life life = certificate_held_life(held);
	const struct env *env = certificates->front->env;

	if (!certificate_is_wanted(certificates->front, number) || env_monotonic(env) < held->again)
		return false;
	if (!held->there || (!held->own && certificate_wants_rsa(certificates->front, number) && !is_rsa(held)))
		return true;
	return life.renews && env_wall(env) >= certificate_renew_at(&life);
}

/* A certificate that is due again at once, since its authority ends soon, waits like one that could not be made. */
static void put_off(struct certificates *certificates, enum certificate_use number, bool made)
{
	struct certificate_held *held = &certificates->held[number];
	const struct env *env = certificates->front->env;

	held->again = 0;
	held->failures = made && !is_due(certificates, number) ? 0 : held->failures + 1;
	if (held->failures > 0)
		held->again = env_monotonic(env) + renewal_retry(env, held->failures);
}

/* The copy for people, where a cut or a full disk kept it from being written. */
static void copy_again(struct certificates *certificates, enum certificate_use number)
{
	struct certificate_held *held = &certificates->held[number];
	const struct front *front = certificates->front;

	if (!held->there || held->own || held->copied)
		return;
	held->copied =
	    certified_key_copy(front->data_directory, &certificate_uses[number].files, &held->pair, NULL) == 0;
	files_look(front, &certificate_uses[number], held->files);
}

static void look_at(struct certificates *certificates, enum certificate_use number)
{
	struct err err = { 0 };
	bool taken;

	if (take_changed(certificates, number, &taken, &err) != 0)
		LOG(LOG_WARNING, "certificate.files_not_used", log_err(&err));
	copy_again(certificates, number);
	if (!is_due(certificates, number))
		return;
	if (make(certificates, number, &by_itself, &err) == 0) {
		put_off(certificates, number, true);
		return;
	}
	LOG(LOG_ERROR, "certificate.not_made", log_err(&err));
	put_off(certificates, number, false);
	if (certificate_wants_rsa(certificates->front, number))
		tls_listeners_not_certified(certificates->front->listeners);
}

void certificates_look(void *argument)
{
	struct certificates *certificates = ((struct front *)argument)->certificates;

	if (pthread_mutex_trylock(&certificates->turn) != 0)
		return; /* somebody is at it */
	if (atomic_exchange(&certificates->retry, false)) {
		for (size_t i = 0; i < CERTIFICATE_USES; i++)
			certificates->held[i].again = 0;
	}
	for (size_t i = 0; i < CERTIFICATE_USES; i++)
		look_at(certificates, (enum certificate_use)i);
	pthread_mutex_unlock(&certificates->turn);
}

static int renew(struct certificates *certificates, enum certificate_use use, const struct front_actor *actor,
		 struct err *err)
{
	bool taken;
	int rc = take_changed(certificates, use, &taken, err);

	if (rc != 0 || taken)
		return rc;
	if (!certificate_is_wanted(certificates->front, use))
		return err_set(err, ERR_WRONG_STATE, "The certificate %s is not in use.", certificate_uses[use].name);
	if (certificates->held[use].own)
		return err_set(err, ERR_WRONG_STATE,
			       "The certificate %s is of another authority: put another one and its key into %s and %s "
			       "of the data directory; they are taken up within seconds.",
			       certificate_uses[use].name, certificate_uses[use].files.certificate,
			       certificate_uses[use].files.key);
	return make(certificates, use, actor, err);
}

int certificates_ensure(struct front *front, enum certificate_use use, struct err *err)
{
	struct certificates *certificates = front->certificates;
	int rc = 0;

	pthread_mutex_lock(&certificates->turn);
	if (is_due(certificates, use)) {
		rc = make(certificates, use, &by_itself, err);
		put_off(certificates, use, rc == 0);
	}
	pthread_mutex_unlock(&certificates->turn);
	return rc;
}

int certificates_renew(struct front *front, enum certificate_use use, const struct front_actor *actor, struct err *err)
{
	int rc;

	pthread_mutex_lock(&front->certificates->turn);
	rc = renew(front->certificates, use, actor, err);
	if (rc == 0)
		put_off(front->certificates, use, true);
	pthread_mutex_unlock(&front->certificates->turn);
	return rc;
}

/* Not with the turn: whoever has it may wait for keys. */
void certificates_retry(struct front *front)
{
	front->certificates->retry = true;
}

/* --- who asks --- */

int certificates_lend(struct certificates *certificates, enum certificate_use use,
		      int (*function)(void *argument, const struct certified_key *pair, struct err *err),
		      void *argument, struct err *err)
{
	int rc;

	pthread_mutex_lock(&certificates->lock);
	rc = certificates->held[use].there
		 ? function(argument, &certificates->held[use].pair, err)
		 : err_set(err, ERR_NOT_FOUND, "there is no certificate %s yet", certificate_uses[use].name);
	pthread_mutex_unlock(&certificates->lock);
	return rc;
}

/* --- life --- */

/* Without the agents' one nothing is served; what an administrator has put there is not thrown away. */
static bool cannot_be_replaced(const struct certificates *certificates, size_t use, int rc)
{
	if (use == CERTIFICATE_CONSOLE)
		return rc != ERR_NOT_FOUND && certificates->front->settings.console_listen.count > 0;
	return use == CERTIFICATE_SERVER || (use == CERTIFICATE_SERVER_RSA && certificates->held[use].own);
}

/* An administrator's is not thrown away by whoever follows an advice. */
static const char *advice_on(const struct certificates *certificates, size_t use)
{
	if (use == CERTIFICATE_SERVER && !certificates->held[use].own)
		return "; `muster-manager certificate` makes both anew";
	return use == CERTIFICATE_CONSOLE ? "; where neither of the two files is, one of Muster's own is made" : "";
}

static int read_all(struct certificates *certificates, struct err *err)
{
	for (size_t i = 0; i < CERTIFICATE_USES; i++) {
		struct certificate_held *held = &certificates->held[i];
		struct err why = { 0 };
		int rc = read_held(certificates->front, &certificate_uses[i], held, &why);

		if (rc == 0)
			continue;
		if (cannot_be_replaced(certificates, i, rc))
			return err_set(err, rc, "TLS certificate (%s, %s): %s%s", certificate_uses[i].files.certificate,
				       certificate_uses[i].files.key, why.text, advice_on(certificates, i));
		if (rc != ERR_NOT_FOUND)
			LOG(LOG_WARNING, "certificate.replaced", log_text("name", certificate_uses[i].name),
			    log_err(&why));
		certified_key_done(&held->pair);
		certified_key_init(&held->pair);
	}
	return 0;
}

int certificates_new(struct front *front, struct certificates **ret_certificates, struct err *err)
{
	struct certificates *certificates = calloc(1, sizeof(*certificates));
	int rc;

	if (certificates == NULL)
		return err_set(err, ERR_MEMORY, "no memory for certificates");
	certificates->front = front;
	pthread_mutex_init(&certificates->turn, NULL);
	pthread_mutex_init(&certificates->lock, NULL);
	rc = read_all(certificates, err);
	if (rc == 0)
		*ret_certificates = certificates;
	else
		certificates_free(certificates);
	return rc;
}

void certificates_free(struct certificates *certificates)
{
	if (certificates == NULL)
		return;
	for (size_t i = 0; i < CERTIFICATE_USES; i++)
		certified_key_done(&certificates->held[i].pair);
	pthread_mutex_destroy(&certificates->lock);
	pthread_mutex_destroy(&certificates->turn);
	free(certificates);
}
