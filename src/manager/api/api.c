/* From a request to its answer: route, read the body, hand to a worker, reply.
 *
 * on_… functions run on the loop's thread and never block; work() runs on a
 * worker. Everything of a request is untrusted until its row of the table has
 * been applied.
 */
#include "manager/api/api.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "manager/api/auth.h"
#include "manager/api/call_state.h"
#include "manager/api/handlers.h"
#include "manager/api/idempotency.h"
#include "manager/api/openapi.h"
#include "manager/api/sign_in.h"

struct api *api_new(struct front *front, struct err *err)
{
	struct api *api = calloc(1, sizeof(*api));
	uint64_t seed;

	if (api == NULL) {
		err_set(err, ERR_MEMORY, "no memory");
		return NULL;
	}
	front_env(front)->random(front_env(front)->context, &seed, sizeof(seed));
	api->front = front;
	api->document = openapi_document();
	api->sign_ins = sign_ins_new(seed);
	api->keys = map_new(seed);
	pthread_mutex_init(&api->keys_lock, NULL);
	if (api->document == NULL || api->sign_ins == NULL || api->keys == NULL) {
		err_set(err, ERR_MEMORY, "no memory");
		api_free(api);
		return NULL;
	}
	return api;
}

void api_free(struct api *api)
{
	if (api == NULL)
		return;
	sign_ins_free(api->sign_ins);
	map_free(api->keys);
	pthread_mutex_destroy(&api->keys_lock);
	free(api->document);
	free(api);
}

/* --- worker --- */

#define HANDLER(name) [OPERATION_##name] = name,
static int (*const handlers[])(struct api_call *call, struct err *err) = { API_OPERATIONS(HANDLER) };
_Static_assert(COUNT_OF(handlers) == OPERATION_COUNT_, "a handler for each operation");

static bool decode_input(struct api_call *call, struct err *err)
{
	int rc;

	if (strstr(call->route->pattern, "{id}") != NULL && uuid_parse(call->id_text, &call->id, NULL) != 0) {
		api_problem(call, 404, "Not found", "The path must hold an id (a UUID); \"%s\" is none.",
			    call->id_text);
		return false;
	}
	call->query = decode_query(call->route->query, call->query_text, &call->faults);
	if (call->query == NULL) {
		api_problem(call, 400, "Not valid", "The request's parameters are not valid: see errors.");
		return false;
	}
	if (call->route->request == NULL)
		return true;
	rc = decode_body(call->route->request, call->body_bytes.data, call->body_bytes.size, &call->faults, &call->body,
			 err);
	if (rc == 0)
		return true;
	if (call->faults.count > 0)
		api_problem(call, 400, "Not valid", "The request's body is not valid: see errors.");
	else
		api_problem(call, rc == ERR_LIMIT ? 413 : 400, "Malformed body", "The body is %s.", err->text);
	return false;
}

static void answer(struct api_call *call)
{
	struct err err = { 0 };
	int rc = 0;

	if (!auth_check(call, &err) || !decode_input(call, &err))
		return;
	if ((call->route->flags & ROUTE_IDEMPOTENT) != 0 && !idempotency_begin(call))
		return;
	rc = handlers[call->route->operation](call, &err);
	if (rc != 0)
		call_fail(call, rc, &err);
	else if (!call->answered && call->stream == NULL && call->take_over == NULL)
		api_problem(call, 500, "Internal error", "There is no answer.");
	if ((call->route->flags & ROUTE_IDEMPOTENT) != 0)
		idempotency_end(call);
}

static void measured(struct api_call *call)
{
	measure_add(&call->api->measure, call->route, call->status,
		    env_monotonic(front_env(call->api->front)) - call->started);
}

/* Back on the loop's thread, with the worker's reference. */
static void deliver(void *argument)
{
	struct api_call *call = argument;

	if (call->request != NULL) {
		if (call->take_over != NULL) {
			call->take_over(call);
		} else {
			call_send(call);
			call_unref(call); /* the loop's own */
		}
	}
	call_unref(call);
}

static void work(void *argument)
{
	struct api_call *call = argument;

	if (!atomic_load(&call->gone))
		answer(call);
	measured(call);
	if (call->stream != NULL) {
		answer_stream_finish(call);
		call_unref(call);
	} else if (loop_post(call->loop, deliver, call) != 0) {
		call_unref(call); /* no memory: the connection's own time-out ends the request */
	}
}

/* --- loop --- */

/* Replies and lets go of the loop's reference. */
static void send_now(struct api_call *call)
{
	measured(call);
	call_send(call);
	call_unref(call);
}

static bool json_body(const struct http_request *request)
{
	const char *type = http_header(request, "Content-Type");

	return type != NULL && strncasecmp(type, "application/json", 16) == 0 &&
	       (type[16] == '\0' || type[16] == ';' || type[16] == ' ');
}

/* What can be refused by the headers alone; true if it was. */
static bool refuse_early(struct api_call *call, enum route_result found, const char *allow)
{
	const struct http_request *request = call->request;
	uint64_t length = http_content_length(request);

	if (found == ROUTE_NO_PATH) {
		api_problem(call, 404, "Not found", "There is nothing at this path. See /api/v1/openapi.json.");
	} else if (found == ROUTE_NO_METHOD) {
		api_header(call, "Allow", allow);
		api_problem(call, 405, "Method not allowed", "This path takes %s.", allow);
	} else if (call->faults.count > 0) {
		api_problem(call, 400, "Not valid", "A header is not valid: see errors.");
	} else if (call->route->access >= ACCESS_OWN && call->bearer[0] == '\0') {
		struct err err = { 0 };

		auth_check(call, &err);
	} else if (length > 0 && call->route->request == NULL) {
		api_problem(call, 400, "Not valid", "This request takes no body.");
	} else if (length > 0 && !json_body(request)) {
		api_problem(call, 415, "Not JSON", "The body must be JSON, with Content-Type: application/json.");
	} else if (length != UINT64_MAX && length > DECODE_BODY_MAX_BYTES) {
		api_problem(call, 413, "Too large", "The body may be %d bytes at most.", DECODE_BODY_MAX_BYTES);
	} else {
		return false;
	}
	return true;
}

uint64_t api_on_request(struct api *api, struct http_request *request)
{
	struct api_call *call = call_new(api, request);
	enum route_result found;
	const char *method;
	char allow[64];

	if (call == NULL) {
		http_problem(request, 503, "Busy", "No memory.");
		return 0;
	}
	http_set_data(request, call);
	/* HEAD is GET whose body stays here (RFC 9110 section 9.3.2). */
	method = strcmp(http_method(request), "HEAD") == 0 ? "GET" : http_method(request);
	found = route_find(method, http_path(request), &call->route, call->id_text, allow, sizeof(allow));
	if (found == ROUTE_FOUND && (call->route->flags & ROUTE_STREAM) != 0 &&
	    strcmp(method, http_method(request)) != 0) {
		found = ROUTE_NO_METHOD; /* a stream without its bytes would only cost */
		snprintf(allow, sizeof(allow), "%s", method);
	}
	if (refuse_early(call, found, allow)) {
		send_now(call);
		return 0;
	}
	return call->route->request != NULL ? DECODE_BODY_MAX_BYTES : 0;
}

void api_on_body(struct http_request *request, const uint8_t *bytes, size_t size)
{
	struct api_call *call = http_data(request);

	if (call != NULL)
		buf_append(&call->body_bytes, bytes, size);
}

void api_on_complete(struct http_request *request)
{
	struct api_call *call = http_data(request);

	if (call == NULL)
		return;
	if (call->body_bytes.status != 0) {
		api_problem(call, call->body_bytes.status == ERR_LIMIT ? 413 : 503, "Too large",
			    "The body could not be taken: %s.", err_name(call->body_bytes.status));
		send_now(call);
		return;
	}
	call_ref(call);
	if (front_work(api_call_front(call), work, call) == 0)
		return;
	api_header(call, "Retry-After", "1");
	api_problem(call, 503, "Busy", "Too many requests wait for an answer. Try again in a second.");
	call_unref(call);
	send_now(call);
}

void api_on_gone(struct http_request *request)
{
	struct api_call *call = http_data(request);

	if (call == NULL)
		return;
	call->request = NULL;
	atomic_store(&call->gone, true);
	if (call->loop_stream != NULL)
		answer_stream_gone(call->loop_stream);
	if (call->taken_gone != NULL)
		call->taken_gone(call);
	call_unref(call);
}
