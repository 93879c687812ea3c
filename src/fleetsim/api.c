/* Calls of the REST API; see api.h. Input: the manager's answers. */
#include "fleetsim/api.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "agent/problem.h"
#include "net/client.h"

#define ANSWER_MAX_BYTES (64 * 1024)
#define TIMEOUT_US       (30 * SECOND_US)
#define AT_A_TIME        16

int api_init(struct api *api, struct loop *loop, const struct options *options, const char *ca_pem, struct err *err)
{
	const struct tls_client_options tls = { .ca_pem = ca_pem, .any_host_name = true };

	*api = (struct api){ .loop = loop, .options = options };
	api->tls = tls_client_new(&tls, err);
	if (api->tls == NULL)
		return err->code;
	snprintf(api->headers, sizeof(api->headers), "Content-Type: application/json\r\nAuthorization: Bearer %s\r\n",
		 options->token);
	return 0;
}

void api_done(struct api *api)
{
	tls_client_free(api->tls);
	OPENSSL_cleanse(api->headers, sizeof(api->headers));
}

static struct http_client *new_client(const struct api *api, struct err *err)
{
	const struct http_client_options options = { .host = api->options->server.host,
						     .port = api->options->server.port,
						     .tls = api->tls,
						     .reply_max_bytes = ANSWER_MAX_BYTES };

	return http_client_new(api->loop, &options, err);
}

static int ask(const struct api *api, struct http_client *client, const char *path, const char *text,
	       void (*answer)(void *argument, const struct http_answer *answer), void *argument, struct err *err)
{
	const struct http_body body = { .bytes = text, .fd = -1, .size = strlen(text) };

	return http_client_send(client, "POST", path, api->headers, &body, TIMEOUT_US, answer, argument, err);
}

/* --- the enrolment token --- */

struct asking {
	struct loop *loop;
	char *token;
	int rc;
	struct err *err;
};

static int take_token(const struct http_answer *answer, char *token, struct err *err)
{
	json_t *json = json_loadb((const char *)answer->body, answer->size, 0, NULL);
	const char *text = json_string_value(json_object_get(json, "token"));
	int rc = 0;

	if (text == NULL || token_check(text, TOKEN_ENROLMENT, err) != 0)
		rc = err_set(err, ERR_FORMAT, "the manager's answer holds no enrolment token");
	else
		memcpy(token, text, TOKEN_TEXT_BYTES);
	json_decref(json);
	return rc;
}

static void on_token(void *argument, const struct http_answer *answer)
{
	struct asking *asking = argument;

	if (answer->status == 0)
		asking->rc = err_set(asking->err, answer->err->code, "%s", answer->err->text);
	else if (answer->status != 201)
		asking->rc = problem_error("the manager gives no enrolment token", answer->status, answer->content_type,
					   answer->body, answer->size, asking->err);
	else
		asking->rc = take_token(answer, asking->token, asking->err);
	loop_stop(asking->loop);
}

int api_enrolment_token(struct api *api, unsigned uses, char token[TOKEN_TEXT_BYTES], struct err *err)
{
	struct asking asking = { .loop = api->loop, .token = token, .err = err };
	struct http_client *client = new_client(api, err);
	char text[128];
	int rc;

	if (client == NULL)
		return err->code;
	snprintf(text, sizeof(text), "{\"name\":\"muster-fleet-sim\",\"uses\":%u,\"expires\":\"24h\"}", uses);
	rc = ask(api, client, "/api/v1/enrolment-tokens", text, on_token, &asking, err);
	if (rc == 0) {
		loop_run(api->loop);
		rc = asking.rc;
	}
	http_client_free(client);
	return rc;
}

/* --- one command for each --- */

struct order {
	struct fan_out *fan_out;
	struct http_client *client;
	time_us sent_at;
};

struct fan_out {
	const struct api *api;
	const struct env *env;
	const struct identities *identities;
	size_t next, answered;
	uint64_t issued, refused;
	time_us began, began_wall, ended;
	struct figures figures; /* the requests, as exchanges */
	struct order orders[AT_A_TIME];
};

static void next_order(struct order *order);

static void on_order(void *argument, const struct http_answer *answer)
{
	struct order *order = argument;
	struct fan_out *fan_out = order->fan_out;

	fan_out->ended = env_monotonic(fan_out->env);
	fan_out->answered++;
	if (answer->status == 201)
		fan_out->issued++;
	else
		fan_out->refused++;
	figures_latency(&fan_out->figures, LATENCY_EXCHANGE, fan_out->ended - order->sent_at);
	next_order(order);
}

static void next_order(struct order *order)
{
	struct fan_out *fan_out = order->fan_out;
	char path[96], id[UUID_TEXT_BYTES];
	int rc = ERR_WRONG_STATE;

	while (rc != 0 && fan_out->next < fan_out->api->options->agents) {
		const struct identity *identity = &fan_out->identities->slots[fan_out->next++];

		uuid_format(&identity->computer, id);
		snprintf(path, sizeof(path), "/api/v1/computers/%s/commands", id);
		order->sent_at = env_monotonic(fan_out->env);
		rc = ask(fan_out->api, order->client, path, "{\"kind\":\"heartbeat\"}", on_order, order, NULL);
		if (rc != 0) {
			fan_out->answered++;
			fan_out->refused++;
		}
	}
}

struct fan_out *fan_out_start(struct api *api, const struct env *env, const struct identities *identities,
			      struct err *err)
{
	struct fan_out *fan_out = calloc(1, sizeof(*fan_out));

	if (fan_out == NULL) {
		err_set(err, ERR_MEMORY, "no memory for the commands");
		return NULL;
	}
	fan_out->api = api;
	fan_out->env = env;
	fan_out->identities = identities;
	figures_init(&fan_out->figures);
	for (size_t i = 0; i < AT_A_TIME; i++) {
		fan_out->orders[i] = (struct order){ .fan_out = fan_out, .client = new_client(api, err) };
		if (fan_out->orders[i].client == NULL) {
			fan_out_free(fan_out);
			return NULL;
		}
	}
	fan_out->began = env_monotonic(env);
	fan_out->began_wall = env_wall(env);
	for (size_t i = 0; i < AT_A_TIME; i++)
		next_order(&fan_out->orders[i]);
	return fan_out;
}

void fan_out_free(struct fan_out *fan_out)
{
	if (fan_out == NULL)
		return;
	for (size_t i = 0; i < AT_A_TIME; i++)
		http_client_free(fan_out->orders[i].client);
	free(fan_out);
}

void fan_out_state(const struct fan_out *fan_out, struct fan_out_state *ret_state)
{
	const struct histogram *requests = &fan_out->figures.latencies[LATENCY_EXCHANGE];

	*ret_state = (struct fan_out_state){ .ended = fan_out->answered >= fan_out->api->options->agents,
					     .issued = fan_out->issued,
					     .refused = fan_out->refused,
					     .began = fan_out->began_wall,
					     .ordered = fan_out->ended - fan_out->began,
					     .request_p50 = histogram_percentile(requests, 50),
					     .request_p99 = histogram_percentile(requests, 99) };
}
