/* The exchange over HTTP. Reports are untrusted; the certificate is verified. */
#include "manager/front/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "manager/front/agent_http.h"
#include "manager/front/configuration.h"
#include "manager/front/hypervisors.h"
#include "manager/front/membership.h"
#include "manager/front/parked.h"
#include "manager/front/policies.h"
#include "manager/front/progress.h"
#include "manager/front/records.h"
#include "manager/front/renewal.h"
#include "manager/front/server_keys.h"

#define STOP_RETURN_MS 3000 /* agents come back this long after an orderly stop, and a part of the announced window */
#define RETRY_BUSY_S   5

struct exchange {
	struct parked parked; /* first: the list holds this */
	struct front *front;
	struct agent_request *request;
	struct uuid computer; /* for the worker that signs */
	uint64_t session;     /* the same */
	struct loop *loop;
	struct shard *shard;
	struct fleet_exchange *fleet;
	Muster__Wire__Report *report;
	struct arena *arena; /* of the report; NULL once it was answered or parked */
	struct records *records;
	struct loop_timer *timer;
	_Atomic unsigned references; /* one of its own, one a wake that is on its way */
	bool writing;
	bool is_parked;
	bool ended;
	int written;
	struct uuid *wanted; /* quarantined files to ask for */
	size_t wanted_count;
	uint64_t largest_file;                      /* to ask for */
	struct signed_configuration *configuration; /* made ready for the reply */
	bool due;                                   /* it is wanted */
	bool signing;                               /* a worker makes it, or signs orders anew */
	bool renew;                                 /* its certificate, at the moment of the reply */
	span_us held_back;                          /* what it brought stays with it, for so long; 0: it was taken */
};

static void unref(struct exchange *exchange)
{
	if (--exchange->references == 0)
		free(exchange);
}

/* --- ending --- */

static void unpark(struct exchange *exchange)
{
	if (!exchange->is_parked)
		return;
	exchange->is_parked = false;
	parked_remove(&exchange->front->parked, &exchange->parked);
}

/* Frees everything but the struct, which a wake may still point to. */
static void end(struct exchange *exchange)
{
	exchange->ended = true;
	unpark(exchange);
	loop_timer_free(exchange->timer);
	if (exchange->fleet != NULL) {
		pthread_mutex_lock(&exchange->shard->lock);
		fleet_exchange_free(exchange->shard->fleet, exchange->fleet);
		pthread_mutex_unlock(&exchange->shard->lock);
	}
	records_free(exchange->records);
	arena_free(exchange->arena);
	free(exchange->wanted);
	if (!exchange->signing)
		signed_configuration_free(exchange->configuration);
	agent_request_free(exchange->request);
	unref(exchange);
}

static void refuse(struct exchange *exchange, const struct err *err)
{
	exchange->front->numbers.exchanges_refused++;
	agent_refuse(exchange->request, "The report was not taken", err);
	end(exchange);
}

/* --- the reply --- */

/* What a reply carries that is not the fleet's; whoever dialled, it is the same. */
struct extras {
	const struct signed_configuration *configuration; /* signed for the computer, or NULL */
	const struct uuid *wanted;                        /* quarantined files to ask for */
	size_t wanted_count;
	span_us held_back; /* of the report: nothing of it is acknowledged, and it is to come back later */
};

/* Packs the fleet's reply with the extras in it for as long as that takes: both have owners of their own. */
static int pack_with(const struct fleet *fleet, Muster__Wire__Reply *reply, const struct extras *extras,
		     bool configuration, struct buf *out, bool *ret_sent, struct err *err)
{
	ProtobufCBinaryData wanted[RECORDS_WANTED_MAX];
	int rc;

	for (size_t i = 0; i < extras->wanted_count; i++)
		wanted[i] = exchange_bytes(extras->wanted[i].bytes, UUID_BYTES);
	reply->n_upload_quarantine = extras->wanted_count;
	reply->upload_quarantine = extras->wanted_count > 0 ? wanted : NULL;
	if (configuration && extras->configuration != NULL &&
	    fleet_key_is_present(fleet, extras->configuration->envelope->key.data))
		reply->configuration = extras->configuration->envelope;
	if (extras->held_back > 0) {
		reply->acknowledged_event = 0;
		reply->return_after_ms = (uint32_t)((extras->held_back + MILLISECOND_US - 1) / MILLISECOND_US);
	}
	rc = exchange_reply_encode(reply, out, err);
	*ret_sent = rc == 0 && reply->configuration != NULL;
	reply->n_upload_quarantine = 0;
	reply->upload_quarantine = NULL;
	reply->configuration = NULL;
	return rc;
}

/* Under the shard's lock: the reply lives until the fleet's next call. */
static int pack_reply(struct exchange *exchange, struct buf *out, bool *ret_sent, struct err *err)
{
	const struct extras extras = { exchange->configuration, exchange->wanted, exchange->wanted_count,
				       exchange->held_back };
	Muster__Wire__Reply *reply;
	bool configuration;
	int rc = fleet_reply(exchange->shard->fleet, exchange->fleet, &reply, &configuration, err);

	if (rc != 0)
		return rc;
	if (exchange->front->stopping)
		reply->return_after_ms = STOP_RETURN_MS;
	reply->renew = exchange->renew;
	return pack_with(exchange->shard->fleet, reply, &extras, configuration, out, ret_sent, err);
}

int exchange_pack_dialled(struct shard *shard, struct fleet_exchange *fleet,
			  const struct signed_configuration *configuration, const struct records *records, bool renew,
			  span_us held_back, bool *ret_more, bool *ret_sent, struct buf *out, struct err *err)
{
	struct extras extras = { .configuration = configuration, .held_back = held_back };
	Muster__Wire__Reply *reply;
	bool due;
	int rc = fleet_reply(shard->fleet, fleet, &reply, &due, err);

	if (rc != 0)
		return rc;
	if (records != NULL)
		extras.wanted = records_wanted(records, &extras.wanted_count);
	fleet_reply_answers(fleet, reply);
	reply->renew = renew;
	*ret_more = fleet_more(fleet) || extras.wanted_count > 0 || renew;
	return pack_with(shard->fleet, reply, &extras, due, out, ret_sent, err);
}

/* Is its certificate to be followed by another? Asked now: a request may have been held for long. */
static bool renews(const struct exchange *exchange)
{
	struct front *front = exchange->front;
	struct uuid computer;

	return roster_find(front->roster, exchange->request->fingerprint, &computer) == ROSTER_ACTIVE &&
	       renewal_wanted(front, exchange->request->fingerprint);
}

static void reply_now(struct exchange *exchange)
{
	struct err err = { 0 };
	bool sent = false;
	struct buf out;
	int rc;

	buf_init(&out, WIRE_REPLY_MAX_BYTES);
	exchange->renew = renews(exchange);
	pthread_mutex_lock(&exchange->shard->lock);
	rc = pack_reply(exchange, &out, &sent, &err);
	pthread_mutex_unlock(&exchange->shard->lock);
	if (sent)
		signed_configuration_sent(exchange->front, exchange->configuration);
	if (rc == 0) {
		agent_reply(exchange->request, 200, AGENT_PROTOBUF, out.data, out.size);
		end(exchange);
	} else if (rc == ERR_DENIED) {
		membership_clone_waits(exchange->front, &exchange->request->computer);
		agent_refuse_status(exchange->request, 403, "Activation required",
				    "Another running agent has this identity (a cloned machine?). This one has to be "
				    "activated anew: muster-agent reset, then muster-agent activate with a token.",
				    0);
		end(exchange);
	} else if (rc == ERR_NOT_FOUND) {
		agent_refuse_standing(exchange->request);
		end(exchange);
	} else {
		refuse(exchange, &err);
	}
	buf_done(&out);
}

/* --- the configuration: signed on a worker, then the reply --- */

static void signed_or_not(void *argument)
{
	struct exchange *exchange = argument;

	exchange->signing = false;
	if (exchange->ended) {
		signed_configuration_free(exchange->configuration);
		exchange->configuration = NULL;
	} else {
		reply_now(exchange);
	}
	unref(exchange);
}

/* A worker's thread: only what is constant, and `configuration`. */
static void sign(void *argument)
{
	struct exchange *exchange = argument;

	server_keys_renew(exchange->front, exchange->shard, &exchange->computer, exchange->session);
	if (exchange->due)
		exchange->configuration =
		    signed_configuration_new(exchange->front, &exchange->computer, exchange->session);
	if (loop_post(exchange->loop, signed_or_not, exchange) != 0)
		LOG(LOG_ERROR, "exchange.lost", log_uuid("computer", &exchange->computer),
		    log_text("error", "no memory"));
}

/* Answers; a configuration that is due is signed before, and orders whose key has been followed by another,
 * or that were signed for another run of the agent. */
static void finish(struct exchange *exchange)
{
	struct fleet_order outdated;
	bool due;

	unpark(exchange);
	loop_timer_free(exchange->timer);
	exchange->timer = NULL;
	pthread_mutex_lock(&exchange->shard->lock);
	exchange->due = fleet_configuration_due(exchange->shard->fleet, exchange->fleet);
	exchange->session = fleet_exchange_session(exchange->fleet);
	due = exchange->due ||
	      fleet_outdated(exchange->shard->fleet, &exchange->request->computer, exchange->session, &outdated, 1) > 0;
	pthread_mutex_unlock(&exchange->shard->lock);
	if (due) {
		exchange->computer = exchange->request->computer;
		exchange->loop = exchange->request->loop;
		exchange->signing = true;
		exchange->references++;
		if (front_work(exchange->front, sign, exchange) == 0)
			return;
		exchange->signing = false; /* too much to do: it is due again in a moment */
		exchange->references--;
	}
	reply_now(exchange);
}

/* --- parking --- */

static void deadline(void *argument)
{
	struct exchange *exchange = argument;
	time_us until;

	pthread_mutex_lock(&exchange->shard->lock);
	fleet_answer(exchange->shard->fleet, exchange->fleet, false, exchange, &until);
	pthread_mutex_unlock(&exchange->shard->lock);
	finish(exchange);
}

static void woken(void *argument)
{
	struct exchange *exchange = argument;

	if (!exchange->ended && exchange->is_parked)
		finish(exchange);
	unref(exchange);
}

/* Called with the shard's lock held, on any thread; the exchange is parked and so alive. */
void exchange_wake(void *context, void *parked)
{
	struct exchange *exchange = parked;

	(void)context;
	exchange->references++;
	if (loop_post(exchange->request->loop, woken, exchange) != 0)
		exchange->references--; /* its deadline will answer it */
}

static void park(struct exchange *exchange, time_us until)
{
	time_us now = env_monotonic(exchange->front->env);
	time_us latest = now + exchange->front->settings.hold;

	exchange->timer = loop_timer_new(exchange->request->loop, deadline, exchange);
	if (exchange->timer == NULL) {
		finish(exchange);
		return;
	}
	loop_timer_set(exchange->timer, (until < latest ? until : latest) - now);
	exchange->is_parked = true;
	if (exchange->request->http != NULL)
		http_park(exchange->request->http);
	parked_add(&exchange->front->parked, &exchange->parked);
	/* Stopping may have begun after fleet_answer() was asked; whoever releases may have missed this one. */
	if (exchange->front->stopping)
		finish(exchange);
}

void exchange_release_all(struct front *front)
{
	struct parked_list *list = &front->parked;

	pthread_mutex_lock(&list->lock);
	for (struct parked *one = list->head.next; one != &list->head; one = one->next)
		exchange_wake(NULL, one);
	pthread_mutex_unlock(&list->lock);
}

static void answer(struct exchange *exchange)
{
	const struct front *front = exchange->front;
	bool may_hold =
	    exchange->report->hold_s > 0 && front->settings.hold > 0 && !front->stopping && exchange->wanted_count == 0;
	time_us until = 0;
	bool now;

	pthread_mutex_lock(&exchange->shard->lock);
	now = fleet_answer(exchange->shard->fleet, exchange->fleet, may_hold, exchange, &until);
	pthread_mutex_unlock(&exchange->shard->lock);
	records_free(exchange->records);
	exchange->records = NULL;
	arena_free(exchange->arena);
	exchange->arena = NULL;
	exchange->report = NULL;
	buf_done(&exchange->request->body);
	if (now)
		finish(exchange);
	else
		park(exchange, until);
}

/* --- storing --- */

uint64_t exchange_largest_file(struct front *front, const struct uuid *computer)
{
	uint64_t of_computer = (uint64_t)policies_largest_file(front, computer);
	int64_t capacity = stored_setting_number(front->stored, STORED_QUARANTINE_CAPACITY);
	int64_t largest = stored_setting_number(front->stored, STORED_QUARANTINE_LARGEST);
	int64_t left = capacity - (int64_t)front->numbers.quarantine_bytes;

	if (left < largest)
		largest = left;
	return largest <= 0 ? 0 : of_computer < (uint64_t)largest ? of_computer : (uint64_t)largest;
}

static int write_rows(struct store_session *session, void *argument, struct err *err)
{
	struct exchange *exchange = argument;

	return records_write(exchange->records, exchange->front, session, exchange->largest_file, err);
}

void exchange_publish(struct front *front, const struct records *records)
{
	const struct uuid *computer, *machine = records_machine(records, &computer);
	const struct records_count counted = records_count(records);
	size_t count;
	const struct front_news *news = records_news(records, &count);

	if (count > 0)
		feed_publish(front->feed, news, count);
	front->numbers.events_stored += counted.stored;
	front->numbers.events_repeated += counted.repeated;
	front->numbers.events_beside += counted.beside;
	if (counted.beside > 0)
		LOG(LOG_INFO, "exchange.numbered_twice", log_uuid("computer", computer),
		    log_number("events", (int64_t)counted.beside)); /* a copy, or one that was set back */
	if (machine != NULL)
		hypervisors_reported(front, computer, machine);
}

static int keep_wanted(struct exchange *exchange)
{
	size_t count;
	const struct uuid *wanted = records_wanted(exchange->records, &count);

	if (count == 0)
		return 0;
	exchange->wanted = malloc(count * sizeof(*wanted));
	if (exchange->wanted == NULL)
		return ERR_MEMORY;
	for (size_t i = 0; i < count; i++)
		exchange->wanted[i] = wanted[i];
	exchange->wanted_count = count;
	return 0;
}

/* The loop's thread again, after the commit or its failure. */
static void stored(void *argument)
{
	struct exchange *exchange = argument;
	int rc = exchange->written;

	exchange->writing = false;
	pthread_mutex_lock(&exchange->shard->lock);
	fleet_stored(exchange->shard->fleet, exchange->fleet, rc);
	pthread_mutex_unlock(&exchange->shard->lock);
	if (exchange->request->http == NULL) {
		end(exchange);
		return;
	}
	if (rc == 0)
		(void)keep_wanted(exchange); /* without memory they are asked for another time */
	answer(exchange);
}

/* The writer's thread. */
static void written(void *argument, int rc, const struct err *err)
{
	struct exchange *exchange = argument;

	exchange->written = rc;
	if (rc == 0)
		exchange_publish(exchange->front, exchange->records);
	else
		LOG(LOG_ERROR, "exchange.not_stored", log_uuid("computer", &exchange->request->computer), log_err(err));
	if (loop_post(exchange->request->loop, stored, exchange) != 0)
		LOG(LOG_ERROR, "exchange.lost", log_uuid("computer", &exchange->request->computer),
		    log_text("error", "no memory"));
}

static void store_rows(struct exchange *exchange, const struct fleet_rows *rows)
{
	struct err err = { 0 };
	int rc = records_make(rows, exchange->report->full, exchange->front->env, &exchange->records, &err);

	if (rows->quarantine_count > 0)
		exchange->largest_file = exchange_largest_file(exchange->front, &exchange->request->computer);
	if (rc == 0) {
		exchange->writing = true;
		rc =
		    store_write_of(exchange->front->store, &exchange->request->computer, write_rows, written, exchange);
	}
	if (rc == 0)
		return;
	exchange->writing = false;
	if (err.code == 0)
		err_set(&err, rc, "the manager stores more than it can keep up with; nothing was taken");
	pthread_mutex_lock(&exchange->shard->lock);
	fleet_stored(exchange->shard->fleet, exchange->fleet, rc);
	pthread_mutex_unlock(&exchange->shard->lock);
	refuse(exchange, &err);
}

/* --- what is too much --- */

static void tell_held_back(struct front *front, const struct uuid *computer)
{
	char key[sizeof("intake ") + UUID_TEXT_BYTES] = "intake ", address[ADDRESS_TEXT_BYTES] = "";
	const struct front_field fields[] = {
		{ "cause", "it brings more events or files than one computer may have stored; what is too much waits" },
		{ "address", address },
	};

	uuid_format(computer, key + strlen(key));
	if (cooldown_left(front->refusals, key) != 0)
		return;
	cooldown_failed(front->refusals, key);
	LOG(LOG_WARNING, "exchange.held_back", log_uuid("computer", computer));
	front_event_later(front, EVENT_HEARTBEAT_REJECTED, computer, fields, COUNT_OF(fields));
}

span_us exchange_hold_back(struct front *front, const struct uuid *computer, Muster__Wire__Report *report, size_t size)
{
	size_t rows = report->n_events + report->n_quarantine;
	span_us wait = rows > 0 ? intake_take(front->intake, computer, size, rows) : 0;

	if (wait == 0)
		return 0;
	report->n_events = report->n_quarantine = 0;
	tell_held_back(front, computer);
	return wait;
}

/* --- the request --- */

static void refuse_report(struct exchange *exchange, const struct err *err)
{
	agent_note_refused(exchange->request, EVENT_HEARTBEAT_REJECTED, err->text);
	agent_refuse(exchange->request, "The report was not taken", err);
	end(exchange);
}

static void hear(struct exchange *exchange)
{
	struct agent_request *request = exchange->request;
	const struct fleet_rows *rows;
	struct address from;
	bool known = address_parse_peer(request->peer, &from, NULL) == 0;
	struct err err = { 0 };
	int rc =
	    exchange_report_decode(request->body.data, request->body.size, &exchange->report, &exchange->arena, &err);

	if (rc == 0) {
		exchange->held_back =
		    exchange_hold_back(exchange->front, &request->computer, exchange->report, request->body.size);
		pthread_mutex_lock(&exchange->shard->lock);
		if (known)
			fleet_seen_from(exchange->shard->fleet, &request->computer, &from);
		rc = fleet_heard(exchange->shard->fleet, &request->computer, exchange->report, &exchange->fleet, &err);
		pthread_mutex_unlock(&exchange->shard->lock);
	}
	if (rc != 0) {
		refuse_report(exchange, &err);
		return;
	}
	exchange->front->numbers.exchanges++;
	progress_note(exchange->front, &request->computer, exchange->report);
	rows = fleet_exchange_rows(exchange->fleet);
	if (fleet_rows_empty(rows))
		answer(exchange);
	else
		store_rows(exchange, rows);
}

/* By its certificate it is no computer of ours, and it may become one: it is told to enrol anew, by the certificate
 * that it has. */
static void rekey(struct agent_request *request)
{
	Muster__Wire__Reply reply = MUSTER__WIRE__REPLY__INIT;
	struct buf out;

	reply.protocol = WIRE_PROTOCOL;
	reply.rekey = true;
	buf_init(&out, WIRE_REPLY_MAX_BYTES);
	if (exchange_reply_encode(&reply, &out, NULL) == 0)
		agent_reply(request, 200, AGENT_PROTOBUF, out.data, out.size);
	else
		agent_refuse_status(request, 503, "Out of memory", "Come back later.", RETRY_BUSY_S);
	buf_done(&out);
	agent_request_free(request);
}

void exchange_complete(struct agent_request *request)
{
	struct exchange *exchange;

	if (request->outsider) {
		rekey(request);
		return;
	}
	exchange = calloc(1, sizeof(*exchange));

	if (exchange == NULL) {
		agent_refuse_status(request, 503, "Out of memory", "Come back later.", RETRY_BUSY_S);
		agent_request_free(request);
		return;
	}
	exchange->front = request->front;
	exchange->request = request;
	exchange->references = 1;
	exchange->shard = shards_of(request->front->shards, &request->computer);
	request->state = exchange;
	hear(exchange);
}

void exchange_gone(struct agent_request *request)
{
	struct exchange *exchange = request->state;

	if (exchange == NULL)
		agent_request_free(request);
	else if (!exchange->writing)
		end(exchange);
}
