/* HTTPS with the manager. What comes back is untrusted until the certificate
 * was verified, and malformed answers are survived afterwards too. */
#include "cli/client.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"
#include "cli/problem.h"
#include "cli/table.h"

#define CONNECT_TIMEOUT_MS 15000L
#define REQUEST_TIMEOUT_MS 120000L

struct client {
	CURL *curl;
	char *server, *ca, *token;
	bool (*cancelled)(void);
	char error[CURL_ERROR_SIZE];
	struct buf answer;
	/* of a stream */
	int (*on_bytes)(void *context, const void *bytes, size_t size);
	void *context;
	int stream_rc;
};

static const struct {
	CURLcode curl;
	int code;
	const char *cause;
} failures[] = {
	{ CURLE_COULDNT_RESOLVE_HOST, ERR_RESOLVE, "its name does not resolve; check --server and the DNS" },
	{ CURLE_COULDNT_RESOLVE_PROXY, ERR_RESOLVE, "the proxy's name does not resolve; check https_proxy" },
	{ CURLE_COULDNT_CONNECT, ERR_CONNECT, "no connection; is the manager running, is the port right and open?" },
	{ CURLE_OPERATION_TIMEDOUT, ERR_TIMEOUT, "no answer in time" },
	{ CURLE_SSL_CONNECT_ERROR, ERR_TLS, "the TLS handshake failed; is this the manager's HTTPS port?" },
	{ CURLE_SSL_CACERT_BADFILE, ERR_FORMAT, "the CA file cannot be read as PEM; check --ca" },
	{ CURLE_GOT_NOTHING, ERR_CLOSED, "it closed the connection without an answer" },
	{ CURLE_RECV_ERROR, ERR_CLOSED, "the connection broke" },
	{ CURLE_SEND_ERROR, ERR_CLOSED, "the connection broke" },
	{ CURLE_PARTIAL_FILE, ERR_CLOSED, "the connection broke in the middle of the answer" },
	{ CURLE_HTTP2_STREAM, ERR_CLOSED, "the connection broke" },
	{ CURLE_URL_MALFORMAT, ERR_USAGE, "not a URL; expected https://HOST:PORT" },
	{ CURLE_UNSUPPORTED_PROTOCOL, ERR_USAGE, "only https:// is spoken" },
	{ CURLE_OUT_OF_MEMORY, ERR_MEMORY, "out of memory" },
	{ CURLE_ABORTED_BY_CALLBACK, ERR_CANCELLED, "interrupted" },
};

/* What X.509 verification found wrong. */
static int untrusted(struct client *client, struct err *err)
{
	long verify = 0;

	curl_easy_getinfo(client->curl, CURLINFO_SSL_VERIFYRESULT, &verify);
	switch (verify) {
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return err_set(err, ERR_CLOCK, "%s: its certificate is not valid yet; is this machine's clock right?",
			       client->server);
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return err_set(err, ERR_CLOCK, "%s: its certificate has expired; or is this machine's clock wrong?",
			       client->server);
	/* libcurl compares names itself, after OpenSSL had no complaint. */
	case X509_V_OK:
	case X509_V_ERR_UNSPECIFIED:
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return err_set(err, ERR_UNTRUSTED,
			       "%s: its certificate is for another name; use a name that the certificate holds (%s)",
			       client->server, client->error);
	default:
		return err_set(err, ERR_UNTRUSTED,
			       "%s: its certificate is not signed by %s (%s); give the manager's ca.pem with --ca, "
			       "or `muster login --ca-fingerprint SHA256` the first time",
			       client->server,
			       client->ca != NULL ? client->ca : "any authority that this system trusts",
			       X509_verify_cert_error_string(verify));
	}
}

static int transport_error(struct client *client, CURLcode code, struct err *err)
{
	struct buf detail;
	int rc = ERR_IO;

	if (code == CURLE_PEER_FAILED_VERIFICATION)
		return untrusted(client, err);
	buf_init(&detail, 1024);
	if (client->error[0] != '\0') {
		buf_append_text(&detail, " (");
		table_clean(client->error, &detail);
		buf_append_text(&detail, ")");
	}
	err_set(err, rc, "%s: %s%s", client->server, curl_easy_strerror(code), buf_text(&detail));
	for (size_t i = 0; i < COUNT_OF(failures); i++) {
		if (failures[i].curl == code)
			rc = err_set(err, failures[i].code, "%s: %s%s", client->server, failures[i].cause,
				     code == CURLE_ABORTED_BY_CALLBACK ? "" : buf_text(&detail));
	}
	buf_done(&detail);
	return rc;
}

static long status_of(struct client *client)
{
	long status = 0;

	curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static size_t on_answer(char *bytes, size_t one, size_t size, void *argument)
{
	struct client *client = argument;

	(void)one;
	if (client->on_bytes != NULL && status_of(client) == 200) {
		client->stream_rc = client->on_bytes(client->context, bytes, size);
		return client->stream_rc == 0 ? size : 0;
	}
	return buf_append(&client->answer, bytes, size) == 0 ? size : 0;
}

static int on_progress(void *argument, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct client *client = argument;

	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return client->cancelled != NULL && client->cancelled();
}

static char *copy_of(const char *text)
{
	return text != NULL ? strdup(text) : NULL;
}

int client_new(const struct client_options *options, struct client **ret_client, struct err *err)
{
	struct client *client;
	size_t length;

	if (options->ca != NULL && access(options->ca, R_OK) != 0)
		return err_set(err, ERR_NOT_FOUND,
			       "CA file %s cannot be read; it is ca.pem in the manager's data directory", options->ca);
	client = calloc(1, sizeof(*client));
	if (client == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	client->curl = curl_easy_init();
	client->server = copy_of(options->server);
	client->ca = copy_of(options->ca);
	client->token = copy_of(options->token);
	client->cancelled = options->cancelled;
	buf_init(&client->answer, CLIENT_ANSWER_MAX);
	if (client->curl == NULL || client->server == NULL) {
		client_free(client);
		return err_set(err, ERR_MEMORY, "out of memory");
	}
	length = strlen(client->server);
	if (length > 0 && client->server[length - 1] == '/')
		client->server[length - 1] = '\0';
	*ret_client = client;
	return 0;
}

void client_free(struct client *client)
{
	if (client == NULL)
		return;
	curl_easy_cleanup(client->curl);
	if (client->token != NULL)
		explicit_bzero(client->token, strlen(client->token));
	free(client->token);
	free(client->server);
	free(client->ca);
	buf_wipe(&client->answer);
	free(client);
}

static void set_options(struct client *client, const char *method, const char *url, bool stream)
{
	CURL *curl = client->curl;

	curl_easy_reset(curl);
	client->error[0] = '\0';
	buf_reset(&client->answer);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (client->ca != NULL) {
		curl_easy_setopt(curl, CURLOPT_CAINFO, client->ca);
		curl_easy_setopt(curl, CURLOPT_CAPATH, (char *)NULL);
	}
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "muster/" MUSTER_VERSION);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	if (!stream)
		curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, REQUEST_TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->error);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, client);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, client);
}

static int add_header(struct curl_slist **headers, const char *format, const char *value, struct err *err)
{
	struct buf line;
	struct curl_slist *longer = NULL;

	buf_init(&line, 8192);
	buf_append_text(&line, format);
	buf_append_text(&line, value);
	if (line.status == 0)
		longer = curl_slist_append(*headers, buf_text(&line));
	buf_wipe(&line);
	if (longer == NULL)
		return err_set(err, ERR_LIMIT, "a header is too long");
	*headers = longer;
	return 0;
}

static int make_headers(struct client *client, bool body, const char *last_event, uint64_t version,
			struct curl_slist **headers, struct err *err)
{
	char tag[32];
	int rc = 0;

	snprintf(tag, sizeof(tag), "\"%" PRIu64 "\"", version);
	if (version != 0)
		rc = add_header(headers, "If-Match: ", tag, err);
	if (rc != 0)
		return rc;

	if (client->token != NULL)
		rc = add_header(headers, "Authorization: Bearer ", client->token, err);
	if (rc == 0 && body)
		rc = add_header(headers, "Content-Type: ", "application/json", err);
	if (rc == 0 && last_event != NULL && last_event[0] != '\0')
		rc = add_header(headers, "Last-Event-ID: ", last_event, err);
	return rc;
}

static int perform(struct client *client, struct err *err)
{
	CURLcode code = curl_easy_perform(client->curl);
	curl_off_t retry_after = 0;
	long status = status_of(client);

	if (code == CURLE_WRITE_ERROR && client->stream_rc != 0)
		return client->stream_rc;
	if (code == CURLE_WRITE_ERROR)
		return err_set(err, ERR_LIMIT, "%s: the answer is larger than %d MB", client->server,
			       CLIENT_ANSWER_MAX / 1024 / 1024);
	if (code != CURLE_OK)
		return transport_error(client, code, err);
	if (status >= 200 && status < 300)
		return 0;
	curl_easy_getinfo(client->curl, CURLINFO_RETRY_AFTER, &retry_after);
	return problem_error(status, buf_text(&client->answer), client->answer.size, (long)retry_after, err);
}

static int make_url(struct client *client, const char *path, struct buf *url, struct err *err)
{
	buf_printf(url, "%s/api/v1%s", client->server, path);
	return url->status == 0 ? 0 : err_set(err, url->status, "the request is too long");
}

int client_request(struct client *client, const char *method, const char *path, const json_t *body, json_t **ret_json,
		   struct err *err)
{
	return client_request_if(client, method, path, 0, body, ret_json, err);
}

int client_request_if(struct client *client, const char *method, const char *path, uint64_t version, const json_t *body,
		      json_t **ret_json, struct err *err)
{
	struct curl_slist *headers = NULL;
	char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
	json_error_t where;
	json_t *json = NULL;
	struct buf url;
	int rc;

	buf_init(&url, 64 * 1024);
	rc = make_url(client, path, &url, err);
	if (rc == 0)
		rc = make_headers(client, body != NULL, NULL, version, &headers, err);
	if (rc == 0) {
		set_options(client, method, buf_text(&url), false);
		curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
		if (text != NULL)
			curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, text);
		else if (strcmp(method, "POST") == 0)
			curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, "");
		rc = perform(client, err);
	}
	if (rc == 0 && client->answer.size > 0) {
		json = json_loadb(buf_text(&client->answer), client->answer.size, 0, &where);
		if (json == NULL)
			rc = err_set(err, ERR_FORMAT, "%s: the answer is not JSON (%s); is this a manager of Muster?",
				     client->server, where.text);
	}
	if (rc == 0 && ret_json != NULL)
		*ret_json = json;
	else
		json_decref(json);
	/* Bodies may hold passwords. */
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	free(text);
	curl_slist_free_all(headers);
	buf_done(&url);
	return rc;
}

int client_stream(struct client *client, const char *path, const char *last_event,
		  int (*on_bytes)(void *context, const void *bytes, size_t size), void *context, struct err *err)
{
	struct curl_slist *headers = NULL;
	struct buf url;
	int rc;

	buf_init(&url, 64 * 1024);
	rc = make_url(client, path, &url, err);
	if (rc == 0)
		rc = make_headers(client, false, last_event, 0, &headers, err);
	if (rc == 0) {
		set_options(client, "GET", buf_text(&url), true);
		curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
		client->on_bytes = on_bytes;
		client->context = context;
		client->stream_rc = 0;
		rc = perform(client, err);
		client->on_bytes = NULL;
	}
	curl_slist_free_all(headers);
	buf_done(&url);
	return rc;
}

void query_add(struct buf *path, const char *name, const char *value)
{
	bool first = strchr(buf_text(path), '?') == NULL;

	buf_printf(path, "%s%s=", first ? "?" : "&", name);
	for (; *value != '\0'; value++) {
		unsigned char c = (unsigned char)*value;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    strchr("-._~", c) != NULL)
			buf_append_byte(path, c);
		else
			buf_printf(path, "%%%02X", c);
	}
}
