/* Calls: their life, what handlers read of them, and their answers.
 *
 * Header values kept here are untrusted until the dispatcher has checked them.
 */
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "manager/api/call_state.h"

#define PROBLEM_TYPE "urn:muster:problem:"
#define PROBLEM_JSON "application/problem+json"

static const char security_headers[] = "Cache-Control: no-store\r\n"
				       "X-Content-Type-Options: nosniff\r\n"
				       "X-Frame-Options: DENY\r\n"
				       "Referrer-Policy: no-referrer\r\n"
				       "Cross-Origin-Resource-Policy: same-origin\r\n"
				       "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
				       "Strict-Transport-Security: max-age=31536000\r\n";

/* --- life --- */

/* Copies a header's value if it fits and is printable ASCII; false if it does not. */
static bool copy_header(const struct http_request *request, const char *name, char *out, size_t capacity)
{
	const char *value = http_header(request, name);

	out[0] = '\0';
	if (value == NULL)
		return true;
	if (strlen(value) >= capacity)
		return false;
	for (const char *c = value; *c != '\0'; c++) {
		if (*c < 0x20 || *c > 0x7e)
			return false;
	}
	memcpy(out, value, strlen(value) + 1);
	return true;
}

static void take_bearer(struct api_call *call, const struct http_request *request)
{
	const char *value = http_header(request, "Authorization");

	if (value == NULL)
		return;
	if (strncasecmp(value, "Bearer ", 7) == 0 && strlen(value + 7) < sizeof(call->bearer))
		memcpy(call->bearer, value + 7, strlen(value + 7) + 1);
	call->bearer_malformed = call->bearer[0] == '\0';
}

/* "192.0.2.1:50000" and "[2001:db8::1]:50000" without the port. */
static void take_source(struct api_call *call, const char *peer)
{
	const char *colon = strrchr(peer, ':');
	size_t size = colon != NULL ? (size_t)(colon - peer) : strlen(peer);

	if (size >= 2 && peer[0] == '[') {
		peer++;
		size -= 2;
	}
	snprintf(call->source, sizeof(call->source), "%.*s", (int)(size < 63 ? size : 63), peer);
}

/* "7" in quotes, *, or nothing. */
static bool tag_fits(const char *tag)
{
	size_t size = strlen(tag);

	return size == 0 || strcmp(tag, "*") == 0 ||
	       (size > 2 && tag[0] == '"' && tag[size - 1] == '"' && strspn(tag + 1, "0123456789") == size - 2);
}

struct api_call *call_new(struct api *api, struct http_request *request)
{
	struct api_call *call = calloc(1, sizeof(*call));

	if (call == NULL)
		return NULL;
	call->query_text = strdup(http_query(request));
	if (call->query_text == NULL) {
		free(call);
		return NULL;
	}
	atomic_init(&call->references, 1);
	call->api = api;
	call->request = request;
	call->loop = http_loop(request);
	call->started = env_monotonic(front_env(api->front));
	buf_init(&call->body_bytes, DECODE_BODY_MAX_BYTES);
	buf_init(&call->headers, API_HEADERS_MAX);
	buf_init(&call->answer, API_ANSWER_MAX_BYTES);
	take_source(call, http_peer(request));
	take_bearer(call, request);
	if (!copy_header(request, "Idempotency-Key", call->idempotency_key, sizeof(call->idempotency_key)))
		faults_add(&call->faults, "Idempotency-Key", "must be at most %d characters of printable ASCII",
			   API_KEY_MAX_BYTES);
	if (!copy_header(request, "Last-Event-ID", call->last_event_id, sizeof(call->last_event_id)))
		faults_add(&call->faults, "Last-Event-ID", "must be the id of an event");
	if (!copy_header(request, "If-Match", call->if_match, sizeof(call->if_match)) || !tag_fits(call->if_match))
		faults_add(&call->faults, "If-Match", "must be an entity tag as an ETag header gave it, or *");
	return call;
}

void call_ref(struct api_call *call)
{
	atomic_fetch_add(&call->references, 1);
}

void call_unref(struct api_call *call)
{
	if (call == NULL || atomic_fetch_sub(&call->references, 1) != 1)
		return;
	free(call->query_text);
	OPENSSL_cleanse(call->bearer, sizeof(call->bearer));
	buf_wipe(&call->body_bytes);
	buf_done(&call->headers);
	buf_wipe(&call->answer);
	json_decref(call->query);
	json_decref(call->body);
	faults_done(&call->faults);
	answer_stream_free(call->stream);
	if (call->taken_free != NULL)
		call->taken_free(call->taken);
	free(call);
}

/* --- what handlers read --- */

uint64_t api_if_match(const struct api_call *call)
{
	char digits[API_TAG_BYTES] = "";
	uint64_t version = 0;
	size_t size = strlen(call->if_match);

	if (size <= 2)
		return 0;
	memcpy(digits, call->if_match + 1, size - 2);
	/* A number that is none of ours matches nothing. */
	return number_parse(digits, 1, INT64_MAX, &version, NULL) == 0 ? version : UINT64_MAX;
}

void api_etag(struct api_call *call, uint64_t version)
{
	char tag[API_TAG_BYTES];

	snprintf(tag, sizeof(tag), "\"%" PRIu64 "\"", version);
	api_header(call, "ETag", tag);
}

struct front *api_call_front(const struct api_call *call)
{
	return call->api->front;
}

struct store *api_call_store(const struct api_call *call)
{
	return front_store(call->api->front);
}

const struct env *api_call_env(const struct api_call *call)
{
	return front_env(call->api->front);
}

const struct front_actor *api_call_actor(const struct api_call *call)
{
	return &call->actor;
}

const struct api_principal *api_call_principal(const struct api_call *call)
{
	return &call->principal;
}

const char *api_call_source(const struct api_call *call)
{
	return call->source;
}

const char *api_path_name(const struct api_call *call)
{
	return call->id_text;
}

const struct uuid *api_path_id(const struct api_call *call)
{
	return &call->id;
}

struct api_value api_query(const struct api_call *call, const char *name)
{
	const json_t *json = json_object_get(call->query, name);
	struct api_value value = { 0 };

	if (json == NULL)
		return value;
	if (!json_is_string(json)) {
		value.text = "";
		value.number = json_is_integer(json) ? json_integer_value(json) : json_is_true(json);
		return value;
	}
	value.text = json_string_value(json);
	if (uuid_parse(value.text, &value.uuid, NULL) != 0)
		time_parse(value.text, &value.number, NULL);
	return value;
}

json_t *api_body(const struct api_call *call)
{
	return call->body;
}

/* --- answers --- */

void api_header(struct api_call *call, const char *name, const char *value)
{
	buf_printf(&call->headers, "%s: %s\r\n", name, value);
}

const char *call_headers(struct api_call *call)
{
	buf_append_text(&call->headers, security_headers);
	return call->headers.status == 0 ? buf_text(&call->headers) : security_headers;
}

static void begin_answer(struct api_call *call, int status, const char *content_type)
{
	buf_reset(&call->answer);
	call->answered = true;
	call->status = status;
	snprintf(call->content_type, sizeof(call->content_type), "%s", content_type);
}

static int dump_piece(const char *bytes, size_t size, void *out)
{
	return buf_append(out, bytes, size);
}

static int put_json(struct api_call *call, int status, const char *content_type, json_t *json)
{
	int rc = 0;

	begin_answer(call, status, content_type);
	if (json == NULL || json_dump_callback(json, dump_piece, &call->answer, JSON_COMPACT) != 0)
		rc = call->answer.status != 0 ? call->answer.status : ERR_MEMORY;
	json_decref(json);
	return rc;
}

int api_reply_json(struct api_call *call, int status, json_t *json)
{
	int rc = put_json(call, status, "application/json", json);

	if (rc != 0)
		return api_problem(call, 500, "Internal error", "The answer could not be written: %s.", err_name(rc));
	return 0;
}

int api_reply_text(struct api_call *call, int status, const char *content_type, const char *text)
{
	begin_answer(call, status, content_type);
	if (buf_append_text(&call->answer, text) != 0)
		return api_problem(call, 500, "Internal error", "The answer is too large.");
	return 0;
}

int api_reply_empty(struct api_call *call)
{
	begin_answer(call, 204, "");
	return 0;
}

void api_problem_add(struct api_call *call, const char *name, const char *reason, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, reason);
	vsnprintf(text, sizeof(text), reason, arguments);
	va_end(arguments);
	faults_add(&call->faults, name, "%s", text);
}

static json_t *escaped(const char *text)
{
	struct buf out;
	json_t *json;

	buf_init(&out, 8 * ERR_TEXT_BYTES);
	if (text_is_utf8(text, strlen(text)))
		return json_string(text);
	text_escape(&out, text, strlen(text));
	json = json_string(buf_text(&out));
	buf_done(&out);
	return json;
}

static int put_problem(struct api_call *call, int status, const char *type, const char *title, const char *detail)
{
	json_t *json =
	    json_pack("{ss, ss, si, so}", "type", type, "title", title, "status", status, "detail", escaped(detail));

	if (json != NULL && call->faults.list != NULL)
		json_object_set(json, "errors", call->faults.list);
	if (status == 401)
		api_header(call, "WWW-Authenticate", "Bearer realm=\"muster\"");
	if (put_json(call, status, PROBLEM_JSON, json) != 0)
		buf_reset(&call->answer);
	return 0;
}

int api_problem(struct api_call *call, int status, const char *title, const char *detail, ...)
{
	char text[2 * ERR_TEXT_BYTES];
	va_list arguments;

	va_start(arguments, detail);
	vsnprintf(text, sizeof(text), detail, arguments);
	va_end(arguments);
	return put_problem(call, status, "about:blank", title, text);
}

static const struct {
	int code;
	int status;
	const char *title;
} failures[] = {
	{ ERR_LIMIT, 413, "Too large" },
	{ ERR_FORMAT, 400, "Malformed request" },
	{ ERR_RANGE, 400, "Not valid" },
	{ ERR_UNKNOWN, 400, "Not known" },
	{ ERR_USAGE, 400, "Not valid" },
	{ ERR_NOT_FOUND, 404, "Not found" },
	{ ERR_EXISTS, 409, "Exists already" },
	{ ERR_WRONG_STATE, 409, "Not possible now" },
	{ ERR_CONFLICT, 409, "Changed by somebody else" },
	{ ERR_DENIED, 403, "Not allowed" },
	{ ERR_EXPIRED, 410, "Expired" },
	{ ERR_UNTRUSTED, 409, "Not trusted" },
	{ ERR_REFUSED, 409, "Refused" },
	{ ERR_RESOLVE, 502, "Not reached" },
	{ ERR_CONNECT, 502, "Not reached" },
	{ ERR_BUSY, 503, "Busy" },
	{ ERR_CLOSED, 503, "Not available now" },
	{ ERR_TIMEOUT, 504, "Took too long" },
	{ ERR_SPACE, 507, "No room on disk" },
};

void call_fail(struct api_call *call, int rc, const struct err *err)
{
	char type[64];
	int status = 500;
	const char *title = "Internal error";

	for (size_t i = 0; i < COUNT_OF(failures); i++) {
		if (failures[i].code == rc) {
			status = failures[i].status;
			title = failures[i].title;
		}
	}
	if (status == 500)
		LOG(LOG_ERROR, "api.failed", log_text("route", call->route != NULL ? call->route->pattern : ""),
		    log_err(err));
	if (status == 503)
		api_header(call, "Retry-After", "1");
	snprintf(type, sizeof(type), PROBLEM_TYPE "%s", err_name(rc));
	put_problem(call, status, type, title, err->text);
}

void call_send(struct api_call *call)
{
	struct http_request *request = call->request;

	call->request = NULL;
	http_set_data(request, NULL);
	http_reply(request, call->status, call->content_type[0] != '\0' ? call->content_type : NULL, call_headers(call),
		   call->answer.data, call->answer.size);
}
