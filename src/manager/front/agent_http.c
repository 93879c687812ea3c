/* Requests of agents: routes, certificates, bodies, answers. */
#include "manager/front/agent_http.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "fleet/event_types.h"
#include "manager/front/enrolment_rules.h"
#include "manager/front/membership.h"
#include "manager/front/package.h"
#include "manager/front/quarantine.h"
#include "manager/front/renewal.h"
#include "wire/limits.h"

#define RETRY_BUSY_S    5
#define LEAVE_MAX_BYTES 4096

#define QUARANTINE "/agent/v1/quarantine/"

/* Of problems, where an agent goes by it (agent/problem.h). */
#define TYPE_NONE          "about:blank"
#define TYPE_DEACTIVATED   "urn:muster:problem:deactivated"
#define TYPE_NOT_ON_RECORD "urn:muster:problem:not-on-record"

static const struct agent_route routes[] = {
	{ "POST", "/agent/v1/enrol", WIRE_ENROL_REQUEST_MAX_BYTES, .complete = enrol_complete, .gone = enrol_gone },
	{ "POST", "/agent/v1/proof", 0, .complete = prove_complete, .gone = prove_gone },
	{ "POST", "/agent/v1/exchange", WIRE_REPORT_MAX_BYTES, .certificate = true, .complete = exchange_complete,
	  .gone = exchange_gone },
	{ "POST", "/agent/v1/renew", WIRE_RENEW_REQUEST_MAX_BYTES, .certificate = true, .ended = true,
	  .complete = renew_complete, .gone = renew_gone },
	{ "POST", "/agent/v1/leave", LEAVE_MAX_BYTES, .certificate = true, .complete = leave_complete,
	  .gone = leave_gone },
	{ "POST", QUARANTINE, QUARANTINE_METADATA_MAX_BYTES, .certificate = true,
	  .complete = quarantine_announce_complete, .gone = quarantine_announce_gone },
	{ "PUT", QUARANTINE, 0, .certificate = true, .begin = quarantine_put_begin, .piece = quarantine_put_piece,
	  .complete = quarantine_put_complete, .gone = quarantine_put_gone },
	{ "GET", QUARANTINE, 0, .certificate = true, .complete = quarantine_send_complete,
	  .gone = quarantine_send_gone },
	/* Of computers that are being installed. */
	{ "GET", "/agent/v1/install.sh", 0, .complete = install_script_complete, .gone = install_script_gone },
	{ "GET", "/agent/v1/manifests/", 0, .complete = manifest_complete, .gone = manifest_gone,
	  .is_name = package_is_platform },
	{ "GET", "/agent/v1/packages/", 0, .complete = package_complete, .gone = package_gone,
	  .is_name = package_is_platform },
};

/* --- answers --- */

void agent_request_free(struct agent_request *request)
{
	if (request == NULL)
		return;
	buf_wipe(&request->body);
	free(request);
}

void agent_reply(struct agent_request *request, int status, const char *content_type, const void *body, size_t size)
{
	struct http_request *http = request->http;

	if (http == NULL)
		return;
	request->http = NULL;
	http_set_data(http, NULL);
	http_reply(http, status, content_type, NULL, body, size);
}

static void refuse(struct agent_request *request, int status, const char *type, const char *title, const char *detail,
		   unsigned retry_after_s)
{
	struct http_request *http = request->http;
	char headers[64];
	char *body;
	json_t *json;

	if (http == NULL)
		return;
	json = json_pack("{s:s, s:s, s:i, s:s}", "type", type, "title", title, "status", status, "detail", detail);
	body = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	snprintf(headers, sizeof(headers), "Retry-After: %u\r\n", retry_after_s);
	request->http = NULL;
	http_set_data(http, NULL);
	http_reply(http, status, "application/problem+json", retry_after_s != 0 ? headers : NULL,
		   body != NULL ? body : "{}", body != NULL ? strlen(body) : 2);
	free(body);
}

void agent_refuse_status(struct agent_request *request, int status, const char *title, const char *detail,
			 unsigned retry_after_s)
{
	refuse(request, status, TYPE_NONE, title, detail, retry_after_s);
}

static const struct {
	int code, status;
	unsigned retry_after_s;
} statuses[] = {
	{ ERR_FORMAT, 400, 0 },
	{ ERR_LIMIT, 413, 0 },
	{ ERR_RANGE, 422, 0 },
	{ ERR_VERSION, 400, 0 },
	{ ERR_DENIED, 401, 0 },
	{ ERR_EXPIRED, 401, 0 },
	{ ERR_UNTRUSTED, 403, 0 },
	{ ERR_NOT_FOUND, 404, 0 },
	{ ERR_EXISTS, 409, 0 },
	{ ERR_CONFLICT, 409, 0 },
	{ ERR_WRONG_STATE, 409, 0 },
	{ ERR_SPACE, 507, 0 },
	{ ERR_BUSY, 503, RETRY_BUSY_S },
	{ ERR_TIMEOUT, 503, RETRY_BUSY_S },
	{ ERR_CLOSED, 503, RETRY_BUSY_S },
	{ ERR_IO, 503, RETRY_BUSY_S },
};

void agent_refuse(struct agent_request *request, const char *title, const struct err *err)
{
	int status = 500;
	unsigned retry = 0;

	for (size_t i = 0; i < COUNT_OF(statuses); i++) {
		if (statuses[i].code == err->code) {
			status = statuses[i].status;
			retry = statuses[i].retry_after_s;
		}
	}
	agent_refuse_status(request, status, title, err->text, retry);
}

/* --- finding the route --- */

bool agent_http_is(const struct http_request *http)
{
	return strncmp(http_path(http), "/agent/", 7) == 0;
}

static bool path_fits(const struct agent_route *route, const char *path)
{
	size_t length = strlen(route->path);

	if (route->path[length - 1] == '/')
		return strncmp(path, route->path, length) == 0;
	return strcmp(path, route->path) == 0;
}

/* ret_path_known: some method goes with it. */
static const struct agent_route *find_route(const char *method, const char *path, bool *ret_path_known)
{
	*ret_path_known = false;
	for (size_t i = 0; i < COUNT_OF(routes); i++) {
		if (!path_fits(&routes[i], path))
			continue;
		*ret_path_known = true;
		if (strcmp(routes[i].method, method) == 0)
			return &routes[i];
	}
	return NULL;
}

/* --- who asks --- */

void agent_note_refused(struct agent_request *request, uint32_t event, const char *cause)
{
	struct front *front = request->front;
	char fingerprint[SHA256_TEXT_BYTES], source[sizeof(request->peer)];
	const struct front_field fields[] = {
		{ event == EVENT_UNRECOGNISED_AGENT ? "fingerprint" : "cause",
		  event == EVENT_UNRECOGNISED_AGENT ? fingerprint : cause },
		{ "address", source },
	};

	hex_format(request->fingerprint, SHA256_BYTES, fingerprint);
	cooldown_source(request->peer, source, sizeof(source));
	front->numbers.exchanges_refused++;
	LOG(LOG_WARNING, "exchange.refused", log_text("cause", cause), log_text("peer", request->peer),
	    log_text("fingerprint", fingerprint));
	if (cooldown_left(front->refusals, source) != 0)
		return;
	cooldown_failed(front->refusals, source);
	front_event_later(front, event, NULL, fields, COUNT_OF(fields));
}

#define LEFT_BEHIND                                                                                                    \
	"Activate it anew: muster-agent reset, then muster-agent activate with a token. (The manager lets such "       \
	"agents "                                                                                                      \
	"become computers of their own with the setting enrolment.reactivate_cloned.)"

static const struct refusal {
	const char *title, *detail;
	uint32_t event;
	const char *type;       /* NULL: none of its own */
	unsigned retry_after_s; /* the longest that its agent keeps away; 0: it is not awaited */
} refusals[ROSTER_STANDINGS] = {
	[ROSTER_UNKNOWN] = { "Certificate not known",
			     "This manager's authority signed the certificate, but no computer is on record with it. "
			     "Was its database lost, or restored from an older backup? The manager lets its computers "
			     "in "
			     "again with the setting enrolment.reactivate_unknown; or enrol this one again.",
			     EVENT_UNRECOGNISED_AGENT, TYPE_NOT_ON_RECORD, FRONT_BACK_WITHIN_S },
	[ROSTER_DEACTIVATED] = { "Computer deactivated",
				 "The computer was deactivated at this manager. It is let in again when it is "
				 "reactivated there (muster computer reactivate).",
				 EVENT_HEARTBEAT_REJECTED, TYPE_DEACTIVATED, FRONT_BACK_WITHIN_S },
	[ROSTER_WAITING] = { "Computer deactivated",
			     "The computer was deactivated at this manager, which shows that its agent would like to "
			     "come back. It is let in again when it is reactivated there (muster computer reactivate).",
			     EVENT_HEARTBEAT_REJECTED, TYPE_DEACTIVATED, FRONT_BACK_WITHIN_S },
	[ROSTER_DELETED] = { "Computer deleted",
			     "The computer was deleted from this manager and its certificate revoked. Enrol the "
			     "computer again if it should come back.",
			     EVENT_UNRECOGNISED_AGENT },
	[ROSTER_MOVED] = { "Computer moved",
			   "The computer has moved to another manager: an agent with its certificate said so. This one "
			   "is "
			   "a copy of it, or was set back to an earlier state. " LEFT_BEHIND,
			   EVENT_HEARTBEAT_REJECTED, TYPE_DEACTIVATED, FRONT_BACK_WITHIN_S },
	[ROSTER_REPLACED] = { "Certificate replaced",
			      "The computer has had and used another certificate since. This one is a copy of it, or "
			      "was "
			      "set back to an earlier state. " LEFT_BEHIND,
			      EVENT_HEARTBEAT_REJECTED },
	[ROSTER_REVOKED] = { "Certificate revoked",
			     "The certificate was revoked at this manager. Enrol the computer again if it should come "
			     "back.",
			     EVENT_HEARTBEAT_REJECTED },
};

static void refuse_standing(struct agent_request *request, enum roster_standing standing)
{
	const struct refusal *refusal = &refusals[standing];

	refuse(request, 403, refusal->type != NULL ? refusal->type : TYPE_NONE, refusal->title, refusal->detail,
	       refusal->retry_after_s);
}

void agent_refuse_standing(struct agent_request *request)
{
	struct uuid computer;
	enum roster_standing standing = roster_find(request->front->roster, request->fingerprint, &computer);

	if (standing == ROSTER_ACTIVE) /* not any more, or not yet again */
		standing = ROSTER_DEACTIVATED;
	refuse_standing(request, standing);
}

/* Answers 401 unless it showed one that will do. */
static bool read_certificate(struct agent_request *request)
{
	bool may_renew;

	if (http_client_certificate(request->http, request->fingerprint))
		return true;
	if (!http_client_certificate_ended(request->http, request->fingerprint)) {
		agent_refuse_status(request, 401, "Certificate needed",
				    "This request needs the client certificate that enrolment gives.", 0);
		return false;
	}
	(void)renewal_ended(request->front, request->fingerprint, &may_renew);
	if (request->route->ended && may_renew)
		return true;
	agent_refuse_status(request, 401, "Certificate ended",
			    may_renew ? "The certificate has ended. It may be renewed: POST /agent/v1/renew."
				      : "The certificate has ended too long ago to be renewed (setting "
					"certificates.renewal_grace). Activate the computer again.",
			    0);
	return false;
}

static bool is_to_rekey(struct front *front, enum roster_standing standing)
{
	const struct enrolment_rules rules = {
		.reactivate_cloned = stored_setting_number(front->stored, STORED_REACTIVATE_CLONED) != 0,
		.reactivate_unknown = stored_setting_number(front->stored, STORED_REACTIVATE_UNKNOWN) != 0,
	};

	return enrolment_rekeys(&rules, standing);
}

/* Answers 401 or 403 unless the certificate is that of a computer of ours. */
static bool check_certificate(struct agent_request *request)
{
	enum roster_standing standing;

	if (!read_certificate(request))
		return false;
	standing = renewal_standing(request->front, request->fingerprint, &request->computer);
	request->outsider = request->route->complete == exchange_complete && is_to_rekey(request->front, standing);
	if (standing == ROSTER_ACTIVE || request->outsider)
		return true;
	if (standing == ROSTER_DEACTIVATED)
		membership_knocked(request->front, &request->computer);
	if ((standing == ROSTER_MOVED || standing == ROSTER_REPLACED) && request->route->complete == exchange_complete)
		membership_clone_waits(request->front, &request->computer);
	agent_note_refused(request, refusals[standing].event, refusals[standing].title);
	refuse_standing(request, standing);
	return false;
}

/* --- http_handlers --- */

/* What follows a path that ends in '/': an id, or a name. Answers 404 if it is neither. */
static bool take_item(struct agent_request *request)
{
	const struct agent_route *route = request->route;
	const char *path = http_path(request->http);
	size_t length = strlen(route->path);
	struct err err = { 0 };

	if (route->path[length - 1] != '/')
		return true;
	if (route->is_name != NULL && strlen(path + length) < sizeof(request->name) && route->is_name(path + length)) {
		snprintf(request->name, sizeof(request->name), "%s", path + length);
		return true;
	}
	if (route->is_name == NULL && uuid_parse(path + length, &request->item, &err) == 0)
		return true;
	agent_refuse_status(request, 404, "No such item", "The path does not end in the name or id of anything.", 0);
	return false;
}

static uint64_t begin(struct agent_request *request)
{
	const struct agent_route *route = request->route;

	if (!take_item(request))
		return 0;
	if (route->certificate && !check_certificate(request))
		return 0;
	if (front_stopping(request->front)) {
		agent_refuse_status(request, 503, "Stopping", "The manager is stopping; come back shortly.",
				    RETRY_BUSY_S);
		return 0;
	}
	if (route->begin != NULL && !route->begin(request))
		return 0;
	return request->body_max_bytes;
}

uint64_t agent_http_on_request(struct front *front, struct http_request *http)
{
	bool path_known;
	const struct agent_route *route = find_route(http_method(http), http_path(http), &path_known);
	struct agent_request *request;
	uint64_t most;

	if (route == NULL) {
		http_problem(http, path_known ? 405 : 404, path_known ? "Method not allowed" : "Not found",
			     "No such agent request.");
		return 0;
	}
	request = calloc(1, sizeof(*request));
	if (request == NULL) {
		http_problem(http, 503, "Out of memory", "Come back later.");
		return 0;
	}
	request->front = front;
	request->route = route;
	request->http = http;
	request->loop = http_loop(http);
	snprintf(request->peer, sizeof(request->peer), "%s", http_peer(http));
	request->body_max_bytes = route->body_max_bytes;
	buf_init(&request->body, route->body_max_bytes);
	http_set_data(http, request);
	most = begin(request);
	if (request->http == NULL)
		agent_request_free(request);
	return most;
}

void agent_http_on_body(struct http_request *http, const uint8_t *bytes, size_t size)
{
	struct agent_request *request = http_data(http);

	if (request == NULL)
		return;
	if (request->route->piece != NULL)
		request->route->piece(request, bytes, size);
	else
		buf_append(&request->body, bytes, size);
}

void agent_http_on_complete(struct http_request *http)
{
	struct agent_request *request = http_data(http);

	if (request == NULL)
		return;
	if (request->body.status != 0) {
		agent_refuse_status(request, 503, "Out of memory", "Come back later.", RETRY_BUSY_S);
		request->route->gone(request);
		return;
	}
	request->route->complete(request);
}

void agent_http_on_gone(struct http_request *http)
{
	struct agent_request *request = http_data(http);

	if (request == NULL)
		return;
	request->http = NULL;
	request->route->gone(request);
}
