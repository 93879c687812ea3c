/* One talk over a connection that the manager dialled.
 *
 *   worker thread  where to dial
 *   loop thread    connect; check the peer; post; decode; shard's lock: fleet_heard(); make records
 *   writer thread  rows committed with others
 *   loop thread    shard's lock: fleet_stored(), fleet_reply(); post it, or end
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "manager/front/configuration.h"
#include "manager/front/dialler_parts.h"
#include "manager/front/exchange.h"
#include "manager/front/progress.h"
#include "manager/front/records.h"
#include "manager/front/renewal.h"
#include "manager/front/server_keys.h"
#include "net/client.h"

#define DIAL_PATH      "/manager/v1/exchange"
#define TURN_PATH      "/manager/v1/turn"
#define TURN_HEADERS   "Connection: Upgrade\r\nUpgrade: muster-agent\r\n"
#define ANSWER_WAIT_US (30 * SECOND_US)
#define ROUNDS_MAX     64 /* what is left then goes with the next dial */
#define PROBLEM_BYTES  300

struct talk {
	struct talk *next, **previous;
	struct dialler *dialler;
	struct shard *shard;
	struct uuid computer;
	struct dial_targets targets;
	size_t target;          /* the one being tried */
	struct tls_client *tls; /* the dialler's when it began to connect */
	struct tls_session *session;
	struct http_client *client;
	struct fleet_exchange *fleet;
	uint64_t run; /* of the agent, for the worker that signs */
	Muster__Wire__Report *report;
	struct arena *arena;
	struct records *records;
	struct signed_configuration *configuration; /* signed for the reply, or NULL */
	bool due;                                   /* it is wanted */
	uint64_t largest_file;                      /* of quarantine, to ask for */
	unsigned rounds;
	span_us held_back; /* of the last report (exchange_hold_back()) */
	bool resumed;      /* its TLS session */
	bool wants_turn;   /* the agent has requests of its own, by its last report */
	bool renew;        /* it is to be told that its certificate is to be followed by another */
	bool ended;        /* its certificate has ended: it gets its turn for another one, and nothing else */
	bool elsewhere;    /* with a worker or the writer */
	bool aborted;
	int written;
	struct err err;
};

struct talk *dial_talk_next(const struct talk *talk)
{
	return talk->next;
}

const struct uuid *dial_talk_computer(const struct talk *talk)
{
	return &talk->computer;
}

bool dial_talk_uses(const struct talk *talk, const struct tls_client *tls)
{
	return talk->tls == tls;
}

/* --- the end --- */

static void drop_exchange(struct talk *talk)
{
	records_free(talk->records);
	talk->records = NULL;
	signed_configuration_free(talk->configuration);
	talk->configuration = NULL;
	if (talk->fleet != NULL) {
		pthread_mutex_lock(&talk->shard->lock);
		fleet_exchange_free(talk->shard->fleet, talk->fleet);
		pthread_mutex_unlock(&talk->shard->lock);
		talk->fleet = NULL;
	}
	arena_free(talk->arena);
	talk->arena = NULL;
	talk->report = NULL;
}

/* It is the next dial's if all went well, and what the peer gave is of the certificate that we show now. */
static void end_session(struct talk *talk, int rc)
{
	struct dialler *dialler = talk->dialler;

	if (rc == 0 && talk->tls == dialler->tls)
		dial_sessions_keep(dialler->sessions, &talk->computer, talk->session);
	else
		tls_session_free(talk->session);
	talk->session = NULL;
	dialler->session_count = dial_sessions_count(dialler->sessions);
}

static void talk_end(struct talk *talk, int rc)
{
	struct dialler *dialler = talk->dialler;

	if (rc == 0) {
		dialler->dialled++;
		dialler->resumed += talk->resumed;
		LOG(LOG_DEBUG, "dial.done", log_uuid("computer", &talk->computer), log_number("rounds", talk->rounds));
	} else {
		dialler->failed++;
		LOG(LOG_INFO, "dial.failed", log_uuid("computer", &talk->computer), log_err(&talk->err));
	}
	http_client_free(talk->client);
	end_session(talk, rc);
	drop_exchange(talk);
	pthread_mutex_lock(&talk->shard->lock);
	fleet_dialled(talk->shard->fleet, &talk->computer, rc, talk->err.text);
	pthread_mutex_unlock(&talk->shard->lock);
	*talk->previous = talk->next;
	if (talk->next != NULL)
		talk->next->previous = talk->previous;
	free(talk);
	dial_talk_ended(dialler);
}

void dial_talk_abort(struct talk *talk)
{
	talk->aborted = true;
	if (talk->elsewhere)
		return;
	talk_end(talk,
		 err_set(&talk->err, ERR_CANCELLED, "%s",
			 talk->dialler->stopping ? "the manager is stopping" : "the computer is not managed any more"));
}

void dial_talk_cut(struct talk *talk)
{
	if (talk->elsewhere) {
		http_client_free(talk->client);
		talk->client = NULL;
	}
	dial_talk_abort(talk);
}

/* --- posting --- */

static void on_answer(void *argument, const struct http_answer *answer);

static int post(struct talk *talk, const struct buf *message)
{
	const struct http_body body = { .bytes = message->data, .fd = -1, .size = message->size };

	return http_client_send(talk->client, "POST", DIAL_PATH, "Content-Type: application/x-protobuf\r\n", &body,
				ANSWER_WAIT_US, on_answer, talk, &talk->err);
}

static bool is_computers(const struct talk *talk, const uint8_t fingerprint[SHA256_BYTES])
{
	struct uuid who;

	return renewal_standing(talk->dialler->front, fingerprint, &who) == ROSTER_ACTIVE &&
	       uuid_equal(&who, &talk->computer);
}

/* The sentence is the computer's link error, for people. */
static int is_another(const struct talk *talk, const uint8_t fingerprint[SHA256_BYTES], struct err *err)
{
	const char *host = talk->targets.hosts[talk->target];
	unsigned port = (unsigned)talk->targets.port;
	struct uuid who;

	if (roster_find(talk->dialler->front->roster, fingerprint, &who) == ROSTER_REPLACED &&
	    uuid_equal(&who, &talk->computer))
		return err_set(err, ERR_UNTRUSTED,
			       "the agent at %s port %u shows an earlier certificate of this computer: it was set "
			       "back, or is a copy; activate it anew (muster-agent reset, muster-agent activate)",
			       host, port);
	return err_set(err, ERR_UNTRUSTED, "another computer's agent answers at %s port %u", host, port);
}

/* Whoever answers must be the computer that is meant: another one may have its address now. */
static int on_peer(void *argument, const uint8_t fingerprint[SHA256_BYTES], struct err *err)
{
	struct talk *talk = argument;
	struct front *front = talk->dialler->front;
	bool ended, may_renew;

	if (!is_computers(talk, fingerprint))
		return is_another(talk, fingerprint, err);
	talk->renew = renewal_wanted(front, fingerprint);
	ended = renewal_ended(front, fingerprint, &may_renew);
	if (!ended || (talk->ended && may_renew))
		return 0;
	talk->ended = may_renew;
	return err_set(err, ERR_EXPIRED, "the agent's certificate has ended%s",
		       may_renew ? "" : " too long ago to be renewed (setting certificates.renewal_grace)");
}

static void on_turned(void *argument, const struct http_answer *answer);

/* What was to be said is, or it may not be said: the agent has the word. */
static int give_turn(struct talk *talk)
{
	http_client_turn(talk->client);
	return http_client_send(talk->client, "POST", TURN_PATH, TURN_HEADERS, NULL, ANSWER_WAIT_US, on_turned, talk,
				&talk->err);
}

/* A session that was made with a certificate which is the computer's no more proves nothing: it is met anew. */
static void find_session(struct talk *talk)
{
	struct dialler *dialler = talk->dialler;

	tls_session_free(talk->session); /* of an address that was tried before */
	talk->session = dial_sessions_take(dialler->sessions, &talk->computer);
	if (talk->session == NULL || is_computers(talk, tls_session_peer(talk->session)))
		return;
	tls_session_free(talk->session);
	talk->session = NULL;
}

static int open_talk(struct talk *talk)
{
	const struct http_client_options options = {
		.host = talk->targets.hosts[talk->target],
		.port = talk->targets.port,
		.tls = talk->dialler->tls,
		.session = &talk->session,
		.connect_timeout = talk->dialler->front->settings.dial_timeout,
		.reply_max_bytes = WIRE_REPORT_MAX_BYTES,
		.on_peer = on_peer,
		.peer_argument = talk,
	};
	Muster__Wire__Reply opening = MUSTER__WIRE__REPLY__INIT;
	struct buf message;
	int rc;

	http_client_free(talk->client);
	talk->tls = options.tls;
	find_session(talk);
	talk->client = http_client_new(talk->dialler->loop, &options, &talk->err);
	if (talk->client == NULL)
		return talk->err.code;
	if (talk->ended)
		return give_turn(talk);
	opening.protocol = WIRE_PROTOCOL;
	buf_init(&message, 64);
	rc = exchange_reply_encode(&opening, &message, &talk->err);
	if (rc == 0)
		rc = post(talk, &message);
	buf_done(&message);
	return rc;
}

/* Which failures speak of the address rather than of the computer. */
static bool address_failed(int code)
{
	return code == ERR_RESOLVE || code == ERR_CONNECT || code == ERR_TIMEOUT || code == ERR_UNTRUSTED ||
	       code == ERR_TLS || code == ERR_CLOSED;
}

static void not_reached(struct talk *talk)
{
	if (talk->err.code == ERR_EXPIRED && talk->ended) { /* it is the right one: once more, for that alone */
		if (open_talk(talk) == 0)
			return;
	}
	if (talk->rounds == 0 && address_failed(talk->err.code) && talk->target + 1 < talk->targets.count) {
		talk->target++;
		if (open_talk(talk) == 0)
			return;
	}
	talk_end(talk, talk->err.code);
}

/* --- the agent's turn: all is said, and it has requests of its own --- */

static void on_turned(void *argument, const struct http_answer *answer)
{
	struct talk *talk = argument;
	struct bufferevent *connection = http_client_take(talk->client);
	char peer[280];

	snprintf(peer, sizeof(peer), "%.255s:%u", talk->targets.hosts[talk->target], (unsigned)talk->targets.port);
	if (connection == NULL)
		LOG(LOG_INFO, "dial.not_turned", log_uuid("computer", &talk->computer),
		    log_number("status", answer->status));
	else if (dialler_serve(talk->dialler, connection, peer, &talk->err) != 0)
		LOG(LOG_WARNING, "dial.not_served", log_uuid("computer", &talk->computer), log_err(&talk->err));
	/* What was to be exchanged has been, unless nothing could be. */
	if (connection == NULL && talk->ended)
		talk_end(talk, answer->status == 0 ? err_set(&talk->err, answer->err->code, "%s", answer->err->text)
						   : err_set(&talk->err, ERR_REFUSED,
							     "the agent's certificate has ended, and it does not ask "
							     "for another"));
	else
		talk_end(talk, 0);
}

static void end_or_turn(struct talk *talk)
{
	if (talk->wants_turn && give_turn(talk) == 0)
		return;
	talk_end(talk, 0);
}

/* --- what the agent reports --- */

static void answer_now(struct talk *talk)
{
	struct buf out;
	bool more = false, sent = false;
	int rc;

	buf_init(&out, WIRE_REPLY_MAX_BYTES);
	pthread_mutex_lock(&talk->shard->lock);
	rc = exchange_pack_dialled(talk->shard, talk->fleet, talk->configuration, talk->records, talk->renew,
				   talk->held_back, &more, &sent, &out, &talk->err);
	talk->renew = false; /* once a talk */
	pthread_mutex_unlock(&talk->shard->lock);
	if (sent)
		signed_configuration_sent(talk->dialler->front, talk->configuration);
	drop_exchange(talk);
	if (rc == 0 && more && talk->rounds < (talk->held_back > 0 ? 2 : ROUNDS_MAX)) {
		rc = post(talk, &out);
		more = rc == 0;
	} else {
		more = false;
	}
	buf_done(&out);
	if (rc != 0)
		talk_end(talk, rc);
	else if (!more)
		end_or_turn(talk);
}

static void signed_or_not(void *argument)
{
	struct talk *talk = argument;

	talk->elsewhere = false;
	if (talk->aborted)
		dial_talk_abort(talk);
	else
		answer_now(talk);
}

/* A worker's thread. */
static void sign(void *argument)
{
	struct talk *talk = argument;

	server_keys_renew(talk->dialler->front, talk->shard, &talk->computer, talk->run);
	if (talk->due)
		talk->configuration = signed_configuration_new(talk->dialler->front, &talk->computer, talk->run);
	if (loop_post(talk->dialler->loop, signed_or_not, talk) != 0)
		LOG(LOG_ERROR, "dial.lost", log_uuid("computer", &talk->computer), log_text("error", "no memory"));
}

/* Answers; a configuration that is due is signed before, and orders whose key has been followed by another. */
static void go_on(struct talk *talk)
{
	struct fleet *fleet = talk->shard->fleet;
	struct fleet_order outdated;
	time_us until;
	bool due;

	pthread_mutex_lock(&talk->shard->lock);
	fleet_answer(fleet, talk->fleet, false, NULL, &until);
	talk->due = fleet_configuration_due(fleet, talk->fleet);
	talk->run = fleet_exchange_session(talk->fleet);
	due = talk->due || fleet_outdated(fleet, &talk->computer, talk->run, &outdated, 1) > 0;
	pthread_mutex_unlock(&talk->shard->lock);
	talk->elsewhere = due && front_work(talk->dialler->front, sign, talk) == 0;
	if (!talk->elsewhere)
		answer_now(talk);
}

static void stored(void *argument)
{
	struct talk *talk = argument;

	talk->elsewhere = false;
	pthread_mutex_lock(&talk->shard->lock);
	fleet_stored(talk->shard->fleet, talk->fleet, talk->written);
	pthread_mutex_unlock(&talk->shard->lock);
	if (talk->aborted)
		dial_talk_abort(talk);
	else
		go_on(talk);
}

/* The writer's thread. */
static void written(void *argument, int rc, const struct err *err)
{
	struct talk *talk = argument;

	talk->written = rc;
	if (rc == 0)
		exchange_publish(talk->dialler->front, talk->records);
	else
		LOG(LOG_ERROR, "dial.not_stored", log_uuid("computer", &talk->computer), log_err(err));
	if (loop_post(talk->dialler->loop, stored, talk) != 0)
		LOG(LOG_ERROR, "dial.lost", log_uuid("computer", &talk->computer), log_text("error", "no memory"));
}

static int write_rows(struct store_session *session, void *argument, struct err *err)
{
	const struct talk *talk = argument;

	return records_write(talk->records, talk->dialler->front, session, talk->largest_file, err);
}

static int store_rows(struct talk *talk, const struct fleet_rows *rows)
{
	struct front *front = talk->dialler->front;
	int rc = records_make(rows, talk->report->full, front->env, &talk->records, &talk->err);

	talk->largest_file = rows->quarantine_count > 0 ? exchange_largest_file(front, &talk->computer) : 0;
	talk->elsewhere = true;
	if (rc == 0)
		rc = store_write_of(front->store, &talk->computer, write_rows, written, talk);
	if (rc == 0)
		return 0;
	talk->elsewhere = false;
	if (talk->err.code == 0)
		err_set(&talk->err, rc, "the manager stores more than it can keep up with");
	pthread_mutex_lock(&talk->shard->lock);
	fleet_stored(talk->shard->fleet, talk->fleet, rc);
	pthread_mutex_unlock(&talk->shard->lock);
	return rc;
}

static int hear(struct talk *talk, const struct http_answer *answer)
{
	struct front *front = talk->dialler->front;
	const struct fleet_rows *rows;
	int rc;

	talk->err = (struct err){ 0 }; /* of an address that was tried before */
	rc = exchange_report_decode(answer->body, answer->size, &talk->report, &talk->arena, &talk->err);

	if (rc == 0) {
		talk->held_back = exchange_hold_back(front, &talk->computer, talk->report, answer->size);
		pthread_mutex_lock(&talk->shard->lock);
		rc = fleet_heard(talk->shard->fleet, &talk->computer, talk->report, &talk->fleet, &talk->err);
		pthread_mutex_unlock(&talk->shard->lock);
	}
	if (rc != 0)
		return err_add(&talk->err, rc, "the agent's report");
	talk->rounds++;
	talk->resumed = answer->resumed;
	talk->wants_turn = talk->report->wants_turn;
	talk->dialler->rounds++;
	front->numbers.exchanges++;
	progress_note(front, &talk->computer, talk->report);
	rows = fleet_exchange_rows(talk->fleet);
	if (!fleet_rows_empty(rows))
		return store_rows(talk, rows);
	go_on(talk);
	return 0;
}

/* What it refused with, in its words; text from outside is escaped where it is shown. */
static int refused(struct talk *talk, const struct http_answer *answer)
{
	json_t *problem = json_loadb((const char *)answer->body, answer->size, 0, NULL);
	const char *detail = json_string_value(json_object_get(problem, "detail"));

	err_set(&talk->err, ERR_REFUSED, "the agent refused the message (%d)%s%.*s", answer->status,
		detail != NULL ? ": " : "", PROBLEM_BYTES, detail != NULL ? detail : "");
	json_decref(problem);
	return talk->err.code;
}

static void on_answer(void *argument, const struct http_answer *answer)
{
	struct talk *talk = argument;
	int rc;

	if (answer->status == 0) {
		talk->err = *answer->err;
		not_reached(talk);
		return;
	}
	rc = answer->status == 200 ? hear(talk, answer) : refused(talk, answer);
	if (rc != 0)
		talk_end(talk, rc);
}

/* --- the beginning --- */

static void targeted(void *argument)
{
	struct talk *talk = argument;

	talk->elsewhere = false;
	if (talk->aborted)
		dial_talk_abort(talk);
	else if (talk->err.code != 0 || open_talk(talk) != 0)
		talk_end(talk, talk->err.code);
}

static void find_targets(void *argument)
{
	struct talk *talk = argument;

	dial_targets_read(talk->dialler->front, &talk->computer, &talk->targets, &talk->err);
	if (loop_post(talk->dialler->loop, targeted, talk) != 0)
		LOG(LOG_ERROR, "dial.lost", log_uuid("computer", &talk->computer), log_text("error", "no memory"));
}

static void could_not_begin(struct dialler *dialler, struct shard *shard, const struct uuid *computer, const char *text)
{
	dialler->failed++;
	pthread_mutex_lock(&shard->lock);
	fleet_dialled(shard->fleet, computer, ERR_BUSY, text);
	pthread_mutex_unlock(&shard->lock);
	dial_talk_ended(dialler);
}

void dial_talk_begin(struct dialler *dialler, struct shard *shard, const struct uuid *computer, uint16_t port)
{
	struct talk *talk = calloc(1, sizeof(*talk));

	(void)port; /* the row has it, with the addresses */
	if (talk == NULL) {
		could_not_begin(dialler, shard, computer, "the manager is out of memory");
		return;
	}
	*talk = (struct talk){ .dialler = dialler, .shard = shard, .computer = *computer, .elsewhere = true };
	if (front_work(dialler->front, find_targets, talk) != 0) {
		free(talk);
		could_not_begin(dialler, shard, computer, "the manager has too much to do");
		return;
	}
	talk->next = dialler->talks;
	talk->previous = &dialler->talks;
	if (talk->next != NULL)
		talk->next->previous = &talk->next;
	dialler->talks = talk;
}
