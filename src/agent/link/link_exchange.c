/* Reports and replies on the wire (agent/link/link_exchange.h). Input: the manager's answers, untrusted until the
 * endpoint has checked them. */
#include "agent/link/link_exchange.h"

#include <stdlib.h>

#include "agent/link/link_renewal.h"
#include "agent/problem.h"
#include "base/log.h"
#include "net/client.h"
#include "wire/limits.h"

#define ANSWER_MARGIN_US  (30 * SECOND_US)
#define HTTP_UNAUTHORIZED 401
#define DISK_RETRY_US     (5 * SECOND_US) /* a report needs the spool synced */

struct lane {
	struct link *link;
	enum endpoint_lane which;
	struct http_client *client;
	enum exchange_denial denial;
	bool shows_old;     /* its request under way shows the certificate before the present one */
	time_us not_before; /* after being denied, or when a report could not even be made */
};

struct link_exchange {
	struct link *link;
	struct lane lanes[ENDPOINT_LANES];
	uint64_t worked;
	bool old_answer; /* what is acted on now answers a request that showed the certificate before */
};

static int make_client(struct lane *lane, struct err *err)
{
	struct http_client_options options = { .host = lane->link->manager.host,
					       .port = lane->link->manager.port,
					       .tls = lane->link->tls,
					       .reply_max_bytes = WIRE_REPLY_MAX_BYTES };

	lane->client = http_client_new(lane->link->loop, &options, err);
	return lane->client ? 0 : err->code;
}

struct link_exchange *link_exchange_new(struct link *link, struct err *err)
{
	struct link_exchange *exchange = calloc(1, sizeof(*exchange));

	if (exchange == NULL) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	exchange->link = link;
	for (int i = 0; i < ENDPOINT_LANES; i++) {
		exchange->lanes[i] = (struct lane){ .link = link, .which = (enum endpoint_lane)i };
		if (make_client(&exchange->lanes[i], err)) {
			link_exchange_free(exchange);
			return NULL;
		}
	}
	return exchange;
}

void link_exchange_free(struct link_exchange *exchange)
{
	if (exchange == NULL)
		return;
	for (int i = 0; i < ENDPOINT_LANES; i++)
		http_client_free(exchange->lanes[i].client);
	free(exchange);
}

static void failed(struct lane *lane, const struct err *err, span_us retry_after)
{
	LOG(LOG_WARNING, "exchange.failed", log_number("lane", lane->which), log_err(err));
	endpoint_failed(lane->link->endpoint, lane->which, err->code, err->text, retry_after);
}

static enum exchange_denial denial_of(const struct http_answer *answer)
{
	static const struct {
		const char *type;
		enum exchange_denial denial;
	} types[] = {
		{ PROBLEM_DEACTIVATED, EXCHANGE_DENIED_DEACTIVATED },
		{ PROBLEM_NOT_ON_RECORD, EXCHANGE_DENIED_NOT_ON_RECORD },
	};

	for (size_t i = 0; i < COUNT_OF(types); i++) {
		if (problem_is(types[i].type, answer->content_type, answer->body, answer->size))
			return types[i].denial;
	}
	return EXCHANGE_DENIED;
}

static void refused(struct lane *lane, const struct http_answer *answer, bool showed_old)
{
	struct err err;
	int rc = problem_error("the manager refused", answer->status, answer->content_type, answer->body, answer->size,
			       &err);

	struct env const *env = lane->link->env;

	lane->denial = rc == ERR_DENIED && !showed_old ? denial_of(answer) : EXCHANGE_NOT_DENIED;
	if (answer->status == HTTP_UNAUTHORIZED && !showed_old) /* ours has ended, as the manager sees it */
		link_renewal_want(lane->link->renewal);
	http_client_disconnect(lane->client);    /* another certificate may be shown the next time */
	if (lane->denial != EXCHANGE_NOT_DENIED) /* its events are kept; it may be let in again */
		lane->not_before =
		    env_monotonic(env) + problem_pause(lane->denial != EXCHANGE_DENIED ? answer->retry_after : 0, env);
	failed(lane, &err, lane->denial != EXCHANGE_NOT_DENIED ? 0 : answer->retry_after);
}

static void on_answer(void *argument, const struct http_answer *answer)
{
	struct lane *lane = argument;
	struct err err = { 0 };
	bool showed_old = lane->shows_old;

	lane->shows_old = false;
	if (showed_old)
		http_client_disconnect(lane->client);

	if (answer->status == 0) {
		failed(lane, answer->err, 0);
	} else if (answer->status != 200) {
		refused(lane, answer, showed_old);
	} else {
		lane->denial = EXCHANGE_NOT_DENIED;
		lane->link->exchange->old_answer = showed_old;
		if (endpoint_reply(lane->link->endpoint, lane->which, answer->body, answer->size, &err))
			LOG(LOG_WARNING, "exchange.reply_refused", log_err(&err));
		else
			lane->link->exchange->worked++;
		lane->link->exchange->old_answer = false;
	}
	link_wake(lane->link);
}

static void send_report(struct lane *lane)
{
	struct err err = { 0 };
	struct buf report;
	uint32_t hold_s = 0;
	int rc;

	buf_init(&report, WIRE_REPORT_MAX_BYTES);
	if (lane->which == ENDPOINT_MAIN && host_refresh(&lane->link->host))
		link_tell_self(lane->link); /* a laptop that moved: where it is now decides what holds for it */
	rc = endpoint_report(lane->link->endpoint, lane->which, &report, &hold_s, &err);
	if (rc) {
		LOG(LOG_ERROR, "exchange.no_report", log_err(&err));
		lane->not_before = env_monotonic(lane->link->env) + DISK_RETRY_US;
	} else {
		struct http_body body = { .bytes = report.data, .fd = -1, .size = report.size };

		rc = http_client_send(lane->client, "POST", "/agent/v1/exchange",
				      "Content-Type: application/x-protobuf\r\n", &body,
				      (span_us)hold_s * SECOND_US + ANSWER_MARGIN_US, on_answer, lane, &err);
		if (rc)
			failed(lane, &err, 0);
	}
	buf_done(&report);
}

/* When this lane wants to send; INT64_MAX while it is busy. */
static time_us lane_due(const struct lane *lane)
{
	time_us next = endpoint_next(lane->link->endpoint, lane->which);

	if (http_client_busy(lane->client))
		return INT64_MAX;
	return next > lane->not_before ? next : lane->not_before;
}

void link_exchange_step(struct link_exchange *exchange)
{
	time_us now = env_monotonic(exchange->link->env);

	for (int i = 0; i < ENDPOINT_LANES; i++) {
		if (lane_due(&exchange->lanes[i]) <= now)
			send_report(&exchange->lanes[i]);
	}
}

time_us link_exchange_due(const struct link_exchange *exchange)
{
	time_us due = INT64_MAX;

	for (int i = 0; i < ENDPOINT_LANES; i++) {
		time_us next = lane_due(&exchange->lanes[i]);

		if (next < due)
			due = next;
	}
	return due;
}

void link_exchange_hurry(struct link_exchange *exchange)
{
	for (int i = 0; i < ENDPOINT_LANES; i++)
		exchange->lanes[i].not_before = 0;
	endpoint_hurry(exchange->link->endpoint);
	link_wake(exchange->link);
}

void link_exchange_heard(struct link_exchange *exchange)
{
	if (link_exchange_denial(exchange) == EXCHANGE_NOT_DENIED)
		return;
	for (int i = 0; i < ENDPOINT_LANES; i++)
		exchange->lanes[i].denial = EXCHANGE_NOT_DENIED; /* the answer to the next report may be held */
	link_exchange_hurry(exchange);
}

void link_exchange_renewed(struct link_exchange *exchange)
{
	for (int i = 0; i < ENDPOINT_LANES; i++) {
		struct lane *lane = &exchange->lanes[i];

		lane->denial = EXCHANGE_NOT_DENIED;
		lane->shows_old = http_client_busy(lane->client);
		if (!lane->shows_old)
			http_client_disconnect(lane->client);
	}
	link_exchange_hurry(exchange); /* the one before counts until this one was used */
}

void link_exchange_redial(struct link_exchange *exchange)
{
	struct err err = { 0 };

	for (int i = 0; i < ENDPOINT_LANES; i++) {
		struct lane *lane = &exchange->lanes[i];
		struct http_client *before = lane->client;

		lane->not_before = 0;
		if (!http_client_busy(before)) {
			http_client_disconnect(before); /* what is proven is the way that is made anew */
			continue;
		}
		if (make_client(lane, &err)) {
			LOG(LOG_ERROR, "exchange.not_redialled", log_err(&err));
			lane->client = before; /* its answer will not be understood, and counts as a failure */
		} else {
			http_client_free(before);
		}
	}
}

uint64_t link_exchange_count(const struct link_exchange *exchange)
{
	return exchange->worked;
}

enum exchange_denial link_exchange_denial(const struct link_exchange *exchange)
{
	enum exchange_denial denial = EXCHANGE_NOT_DENIED;

	for (int i = 0; i < ENDPOINT_LANES; i++) {
		if (exchange->lanes[i].denial > denial)
			denial = exchange->lanes[i].denial;
	}
	return denial;
}

bool link_exchange_answer_is_old(const struct link_exchange *exchange)
{
	return exchange->old_answer;
}
