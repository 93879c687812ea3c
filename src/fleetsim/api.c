/* Calls of the REST API; see api.h. Input: the manager's answers. */
#include "fleetsim/api.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "agent/problem.h"
#include "net/client.h"

#define ANSWER_MAX_BYTES (8 * 1024 * 1024)
#define ORDER_MAX_BYTES  (1024 * 1024)
#define TIMEOUT_US       (60 * SECOND_US)
#define AGENTS_AT_ONCE   20000 /* in one order */

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

/* --- one command for all --- */

struct fan_out {
	const struct api *api;
	const struct env *env;
	const struct identities *identities;
	struct http_client *client;
	size_t next; /* agent */
	uint64_t issued;
	time_us began, began_wall, answered;
	bool ended;
	struct err err;
};

static void order_next(struct fan_out *fan_out);

static size_t count_issued(const struct http_answer *answer)
{
	json_t *json = json_loadb((const char *)answer->body, answer->size, 0, NULL);
	size_t count = json_array_size(json_object_get(json, "items"));

	json_decref(json);
	return count;
}

static void on_order(void *argument, const struct http_answer *answer)
{
	struct fan_out *fan_out = argument;

	fan_out->answered = env_monotonic(fan_out->env);
	if (answer->status == 201) {
		fan_out->issued += count_issued(answer);
		order_next(fan_out);
		return;
	}
	fan_out->ended = true;
	if (answer->status == 0)
		fan_out->err = *answer->err;
	else
		problem_error("the commands were refused", answer->status, answer->content_type, answer->body,
			      answer->size, &fan_out->err);
}

/* {"kind":"heartbeat","computers":[…]} */
static void describe_order(struct fan_out *fan_out, struct buf *out)
{
	size_t end = fan_out->next + AGENTS_AT_ONCE;
	char id[UUID_TEXT_BYTES];

	if (end > fan_out->api->options->agents)
		end = fan_out->api->options->agents;
	buf_append_text(out, "{\"kind\":\"heartbeat\",\"computers\":[");
	for (size_t first = fan_out->next; fan_out->next < end; fan_out->next++) {
		uuid_format(&fan_out->identities->slots[fan_out->next].computer, id);
		buf_printf(out, "%s\"%s\"", fan_out->next > first ? "," : "", id);
	}
	buf_append_text(out, "]}");
}

static void order_next(struct fan_out *fan_out)
{
	struct buf order;

	if (fan_out->next >= fan_out->api->options->agents) {
		fan_out->ended = true;
		return;
	}
	buf_init(&order, ORDER_MAX_BYTES);
	describe_order(fan_out, &order);
	fan_out->ended = order.status != 0 || ask(fan_out->api, fan_out->client, "/api/v1/commands", buf_text(&order),
						  on_order, fan_out, &fan_out->err) != 0;
	buf_done(&order);
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
	fan_out->client = new_client(api, err);
	if (fan_out->client == NULL) {
		free(fan_out);
		return NULL;
	}
	fan_out->began = env_monotonic(env);
	fan_out->began_wall = env_wall(env);
	order_next(fan_out);
	return fan_out;
}

void fan_out_free(struct fan_out *fan_out)
{
	if (fan_out == NULL)
		return;
	http_client_free(fan_out->client);
	free(fan_out);
}

void fan_out_state(const struct fan_out *fan_out, struct fan_out_state *ret_state)
{
	*ret_state = (struct fan_out_state){ .ended = fan_out->ended,
					     .issued = fan_out->issued,
					     .began = fan_out->began_wall,
					     .ordered = fan_out->answered - fan_out->began,
					     .err = fan_out->err };
}
