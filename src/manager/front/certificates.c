/* The manager's certificates, by a table of what they are for. Files are our own or an administrator's; what keys signs
 * is checked like outside input. */
#include "manager/front/certificates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "manager/front/authorities.h"
#include "manager/front/certificate_watch.h"
#include "manager/front/dialler.h"
#include "manager/front/front_state.h"
#include "manager/front/tls_listeners.h"
#include "manager/layout.h"
#include "trust/identity.h"
#include "trust/renewal.h"
#include "trust/secret_file.h"

/* What tells that somebody has put another file there. */
struct file_state {
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct held {
	bool there, own, copied;
	struct certified_key pair;
	struct certificate_about about;
	char problem[ERR_TEXT_BYTES + 64]; /* "": none; for people */
	struct file_state files[2];        /* as they were when last looked at: key, certificate */
	unsigned failures;
	time_us again; /* monotonic; not before this after a failure */
};

struct certificates {
	struct front *front;
	pthread_mutex_t turn; /* whoever makes or reads one anew; files, failures, again */
	pthread_mutex_t lock; /* of the rest of held, for a moment */
	struct held held[CERTIFICATE_USES];
	_Atomic bool retry; /* nothing waits any more after its failure */
};

static bool rsa_is_wanted(const struct front *front)
{
	return tls_listeners_plan(front->listeners)->rsa;
}

static int sign_as_server(struct front *front, const struct buf *request, char *pem, struct err *err);
static int sign_as_dialler(struct front *front, const struct buf *request, char *pem, struct err *err);

static bool console_is_wanted(const struct front *front)
{
	return tls_listeners_plan(front->listeners)->console;
}

static void give_to_listeners(struct front *front)
{
	tls_listeners_certified(front->listeners);
}

static void give_to_dialler(struct front *front)
{
	dialler_certified(front->dialler);
}

static const struct use {
	const char *name, *purpose;
	struct certified_files files;
	bool may_be_own;
	bool (*wanted)(const struct front *front); /* NULL: always */
	int (*make_key)(struct buf *key, struct buf *request, struct err *err);
	int (*sign)(struct front *front, const struct buf *request, char *pem, struct err *err);
	void (*give)(struct front *front);
} uses[CERTIFICATE_USES] = {
	[CERTIFICATE_SERVER] = { "server",
				 "shown to agents, browsers and programs that connect",
				 { LAYOUT_TLS_KEY, LAYOUT_TLS_CERTIFICATE },
				 false,
				 NULL,
				 identity_make,
				 sign_as_server,
				 give_to_listeners },
	[CERTIFICATE_SERVER_RSA] = { "server-rsa",
				     "the same, for those that need an RSA key",
				     { LAYOUT_TLS_RSA_KEY, LAYOUT_TLS_RSA_CERTIFICATE },
				     false,
				     rsa_is_wanted,
				     identity_make_rsa,
				     sign_as_server,
				     give_to_listeners },
	[CERTIFICATE_CONSOLE] = { "console",
				  "shown to browsers and programs that connect where no agent does",
				  { LAYOUT_CONSOLE_KEY, LAYOUT_CONSOLE_CERTIFICATE },
				  true,
				  console_is_wanted,
				  identity_make,
				  sign_as_server,
				  give_to_listeners },
	[CERTIFICATE_DIALLING] = { "dialling",
				   "shown to agents that the manager dials",
				   { LAYOUT_DIAL_KEY, LAYOUT_DIAL_CERTIFICATE },
				   false,
				   NULL,
				   identity_make,
				   sign_as_dialler,
				   give_to_dialler },
};

enum certificate_use certificates_use(const char *name)
{
	size_t use = 0;

	while (use < CERTIFICATE_USES && strcmp(uses[use].name, name) != 0)
		use++;
	return (enum certificate_use)use;
}

static bool is_wanted(const struct front *front, const struct use *use)
{
	return use->wanted == NULL || use->wanted(front);
}

static struct certificate_life life_of(const struct held *held)
{
	return (struct certificate_life){ held->about.not_before, held->about.not_after, !held->own };
}

static const struct front_actor by_itself = { .kind = "system", .name = "manager", .peer = "" };

/* --- reading --- */

static void file_look(const struct front *front, const char *name, struct file_state *state)
{
	char path[LAYOUT_PATH_BYTES];
	struct stat facts;

	*state = (struct file_state){ 0 };
	snprintf(path, sizeof(path), "%s/%s", front->data_directory, name);
	if (lstat(path, &facts) == 0)
		*state = (struct file_state){ facts.st_ino, facts.st_size, facts.st_mtim };
}

static void files_look(const struct front *front, const struct use *use, struct file_state files[2])
{
	file_look(front, use->files.key, &files[0]);
	file_look(front, use->files.certificate, &files[1]);
}

static bool file_is(const struct file_state *a, const struct file_state *b)
{
	return a->inode == b->inode && a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
	       a->changed.tv_nsec == b->changed.tv_nsec;
}

static bool agents_look_at(const struct use *use)
{
	return use == &uses[CERTIFICATE_SERVER] || use == &uses[CERTIFICATE_SERVER_RSA];
}

/* Why it is not taken: whoever put it there meant well, and would lock all agents out. */
static int refuse_own(const struct use *use, const struct held *held, const struct err *why, struct err *err)
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

/* What a pair is that belongs together. */
static int complete(const struct front *front, const struct use *use, struct held *held, struct err *err)
{
	struct err why = { 0 };
	int rc = certificate_about(held->pair.chain.data, held->pair.chain.size, &held->about, err);

	if (rc != 0)
		return rc;
	held->own = certificate_signed_by(buf_text(&held->pair.chain), authorities_now(front)->roots, &why) != 0;
	if (held->own && !use->may_be_own)
		return refuse_own(use, held, &why, err);
	held->there = true;
	return 0;
}

static int read_held(const struct front *front, const struct use *use, struct held *held, struct err *err)
{
	int rc;

	certified_key_init(&held->pair);
	files_look(front, use, held->files);
	rc = certified_key_read(front->data_directory, &use->files, &held->pair, &held->copied, err);
	return rc == 0 ? complete(front, use, held, err) : rc;
}

/* --- taking one up --- */

/* Takes what made holds over; failures stay. */
static void take(struct certificates *certificates, enum certificate_use use, struct held *made)
{
	struct held *held = &certificates->held[use];
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
	uses[use].give(certificates->front);
	(void)front_work(certificates->front, certificate_watch, certificates->front); /* else within a minute */
	LOG(LOG_INFO, "certificate.taken", log_text("name", uses[use].name), log_text("subject", held->about.subject),
	    log_text("own", held->own ? "yes" : "no"));
}

/* --- what is said of it --- */

struct noting {
	struct front *front;
	const struct use *use;
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
	struct noting noting = { certificates->front, &uses[number], actor,
				 certificates->held[number].about.not_after };
	struct err err = { 0 };

	if (store_write_wait(certificates->front->store, write_note, &noting, &err) != 0)
		LOG(LOG_ERROR, "certificate.not_noted", log_err(&err));
}

/* --- making one --- */

static int copy_chain(void *argument, const struct certified_key *pair, struct err *err)
{
	(void)err;
	return buf_append(argument, pair->chain.data, pair->chain.size);
}

/* With the names of the one that is served now. */
static int sign_as_server(struct front *front, const struct buf *request, char *pem, struct err *err)
{
	struct buf like;
	int rc;

	buf_init(&like, SECRET_FILE_MAX_BYTES);
	rc = certificates_lend(front->certificates, CERTIFICATE_SERVER, copy_chain, &like, err);
	if (rc == 0)
		rc = signer_certify_server(front->signer, (struct bytes){ request->data, request->size },
					   buf_text(&like), pem, err);
	buf_done(&like);
	return rc;
}

static int sign_as_dialler(struct front *front, const struct buf *request, char *pem, struct err *err)
{
	return signer_certify_manager(front->signer, request->data, request->size, pem, err);
}

static int make_pair(struct front *front, const struct use *use, struct certified_key *pair, struct err *err)
{
	char pem[MESSAGE_CERTIFICATE_MAX_BYTES];
	struct buf request;
	int rc;

	buf_init(&request, SECRET_FILE_MAX_BYTES);
	rc = use->make_key(&pair->key, &request, err);
	if (rc == 0)
		rc = use->sign(front, &request, pem, err);
	if (rc == 0 && (rc = buf_append_text(&pair->chain, pem)) != 0)
		rc = err_set(err, rc, "no room for a certificate");
	buf_done(&request);
	return rc;
}

/* Stored first, then in use: whatever is cut off, files and memory hold pairs that work. */
static int make(struct certificates *certificates, enum certificate_use number, const struct front_actor *actor,
		struct err *err)
{
	struct front *front = certificates->front;
	const struct use *use = &uses[number];
	struct held made = { .there = false };
	int rc;

	certified_key_init(&made.pair);
	rc = make_pair(front, use, &made.pair, err);
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
static void say_problem(struct certificates *certificates, struct held *held, const char *text)
{
	pthread_mutex_lock(&certificates->lock);
	snprintf(held->problem, sizeof(held->problem), "%s%s",
		 text[0] != '\0' ? "what is in its files now is not used: " : "", text);
	pthread_mutex_unlock(&certificates->lock);
}

/* Of ours, a file was not there at the last look, which may have been just after it was written. */
static bool is_gone(const struct held *held)
{
	return held->there && !held->own && (held->files[0].inode == 0 || held->files[1].inode == 0);
}

/* One of ours whose file is gone: at the next start there would be none. It is no key that anybody trusts by itself,
 * and is simply there again. */
static int write_again(struct certificates *certificates, enum certificate_use number, struct err *err)
{
	struct held *held = &certificates->held[number];
	const struct front *front = certificates->front;
	int rc = certified_key_write(front->data_directory, &uses[number].files, &held->pair, err);

	files_look(front, &uses[number], held->files);
	held->copied = false; /* it is made with it */
	if (rc == 0)
		LOG(LOG_WARNING, "certificate.written_again", log_text("name", uses[number].name),
		    log_text("file", uses[number].files.key), log_text("cause", "it was gone"));
	return rc;
}

/* Whatever an administrator has put there since, if it can be used. *ret_taken: it was. */
static int take_changed(struct certificates *certificates, enum certificate_use number, bool *ret_taken,
			struct err *err)
{
	struct held *held = &certificates->held[number], found = { .there = false };
	struct file_state now[2];
	int rc;

	files_look(certificates->front, &uses[number], now);
	*ret_taken = false;
	if (file_is(&now[0], &held->files[0]) && file_is(&now[1], &held->files[1]) && !is_gone(held))
		return 0;
	rc = read_held(certificates->front, &uses[number], &found, err);
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
		       : err_add(err, rc, "certificate %s: what is in its files now is not used", uses[number].name);
}

static bool is_due(const struct certificates *certificates, enum certificate_use number)
{
	const struct held *held = &certificates->held[number];
	const struct certificate_life life = life_of(held);
	const struct env *env = certificates->front->env;

	if (!is_wanted(certificates->front, &uses[number]) || env_monotonic(env) < held->again)
		return false;
	return !held->there || (life.renews && env_wall(env) >= certificate_renew_at(&life));
}

/* A certificate that is due again at once, since its authority ends soon, waits like one that could not be made. */
static void put_off(struct certificates *certificates, enum certificate_use number, bool made)
{
	struct held *held = &certificates->held[number];
	const struct env *env = certificates->front->env;

	held->again = 0;
	held->failures = made && !is_due(certificates, number) ? 0 : held->failures + 1;
	if (held->failures > 0)
		held->again = env_monotonic(env) + renewal_retry(env, held->failures);
}

/* The copy for people, where a cut or a full disk kept it from being written. */
static void copy_again(struct certificates *certificates, enum certificate_use number)
{
	struct held *held = &certificates->held[number];
	const struct front *front = certificates->front;

	if (!held->there || held->own || held->copied)
		return;
	held->copied = certified_key_copy(front->data_directory, &uses[number].files, &held->pair, NULL) == 0;
	files_look(front, &uses[number], held->files);
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
	if (number == CERTIFICATE_SERVER_RSA)
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
	if (!is_wanted(certificates->front, &uses[use]))
		return err_set(err, ERR_WRONG_STATE, "The certificate %s is not in use.", uses[use].name);
	if (certificates->held[use].own)
		return err_set(err, ERR_WRONG_STATE,
			       "The certificate %s is of another authority: put another one and its key into %s and %s "
			       "of the data directory; they are taken up within seconds.",
			       uses[use].name, uses[use].files.certificate, uses[use].files.key);
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
		 : err_set(err, ERR_NOT_FOUND, "there is no certificate %s yet", uses[use].name);
	pthread_mutex_unlock(&certificates->lock);
	return rc;
}

struct telling {
	const struct front *front;
	int (*each)(void *argument, const struct front_certificate *certificate);
	void *argument;
};

/* By its place in time: one issues, one may be there to follow it, others did before. */
static int tell_root(void *argument, const struct certificate_about *about)
{
	static const struct {
		const char *name, *purpose;
	} places[] = { { "authority", "signs all others and those of agents" },
		       { "authority-next", "follows the one that signs now, once the agents have it" },
		       { "authority-former", "signed before; counts as long as something that it signed may" } };
	const struct telling *telling = argument;
	const struct front_authorities *now = authorities_now(telling->front);
	size_t place = 2;

	if (memcmp(about->fingerprint, now->identity.ca_fingerprint, SHA256_BYTES) == 0)
		place = 0;
	else if (now->has_next && memcmp(about->fingerprint, now->second, SHA256_BYTES) == 0)
		place = 1;
	/* It is followed in time by itself; one of before ends as it should. */
	struct front_certificate certificate = { .name = places[place].name,
						 .purpose = places[place].purpose,
						 .file = LAYOUT_CA,
						 .about = *about,
						 .life = { about->not_before, about->not_after, place == 0 },
						 .waits_for = -1,
						 .problem = place == 0 ? now->problem : NULL,
						 .needed = place == 0 };

	if (place == 1)
		(void)authorities_waiting(telling->front, &certificate.waits_for, &certificate.turns_by);
	return telling->each(telling->argument, &certificate);
}

static int tell_use(const struct telling *telling, enum certificate_use number)
{
	struct certificates *certificates = telling->front->certificates;
	const struct held *held = &certificates->held[number];
	struct front_certificate certificate = { .name = uses[number].name,
						 .purpose = uses[number].purpose,
						 .file = uses[number].files.certificate,
						 .waits_for = -1,
						 .needed = true };
	char problem[sizeof(held->problem)];
	bool there;

	pthread_mutex_lock(&certificates->lock);
	there = held->there;
	certificate.about = held->about;
	certificate.life = life_of(held);
	certificate.own = held->own;
	snprintf(problem, sizeof(problem), "%s", held->problem);
	pthread_mutex_unlock(&certificates->lock);
	certificate.problem = problem[0] != '\0' ? problem : NULL;
	return there && is_wanted(telling->front, &uses[number]) ? telling->each(telling->argument, &certificate) : 0;
}

int front_certificates(struct front *front, int (*each)(void *argument, const struct front_certificate *certificate),
		       void *argument, struct err *err)
{
	struct telling telling = { front, each, argument };
	const char *roots = authorities_now(front)->roots;
	int rc = certificate_each(roots, strlen(roots), tell_root, &telling, err);

	for (size_t i = 0; rc == 0 && i < CERTIFICATE_USES; i++)
		rc = tell_use(&telling, (enum certificate_use)i);
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

static int read_all(struct certificates *certificates, struct err *err)
{
	for (size_t i = 0; i < CERTIFICATE_USES; i++) {
		struct held *held = &certificates->held[i];
		struct err why = { 0 };
		int rc = read_held(certificates->front, &uses[i], held, &why);

		if (rc == 0)
			continue;
		if (cannot_be_replaced(certificates, i, rc))
			return err_set(err, rc, "TLS certificate (%s, %s): %s%s", uses[i].files.certificate,
				       uses[i].files.key, why.text,
				       rc == ERR_NOT_FOUND ? "; `muster-manager certificate` makes it anew" : "");
		if (rc != ERR_NOT_FOUND)
			LOG(LOG_WARNING, "certificate.replaced", log_text("name", uses[i].name), log_err(&why));
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
