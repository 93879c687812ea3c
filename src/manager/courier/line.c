/* Delivering, by libcurl. Peers are untrusted. */
#include "manager/courier/line.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/units.h"

#define ANSWER_MAX_BYTES    (64 * KIB) /* of a webhook's answer, all of it thrown away */
#define ACKNOWLEDGE_STEP_MS 5

/* --- what libcurl's codes mean here --- */

static const struct {
	CURLcode curl;
	int code;
} meanings[] = {
	{ CURLE_COULDNT_RESOLVE_HOST, ERR_RESOLVE },
	{ CURLE_COULDNT_CONNECT, ERR_CONNECT },
	{ CURLE_OPERATION_TIMEDOUT, ERR_TIMEOUT },
	{ CURLE_SSL_CONNECT_ERROR, ERR_TLS },
	{ CURLE_PEER_FAILED_VERIFICATION, ERR_UNTRUSTED },
	{ CURLE_SSL_CACERT_BADFILE, ERR_UNTRUSTED },
	{ CURLE_USE_SSL_FAILED, ERR_TLS },
	{ CURLE_LOGIN_DENIED, ERR_REFUSED },
	{ CURLE_SEND_ERROR, ERR_CLOSED },
	{ CURLE_RECV_ERROR, ERR_CLOSED },
	{ CURLE_WEIRD_SERVER_REPLY, ERR_REFUSED },
	{ CURLE_URL_MALFORMAT, ERR_FORMAT },
	{ CURLE_UNSUPPORTED_PROTOCOL, ERR_FORMAT },
};

static int failed(CURLcode result, const char *detail, struct err *err)
{
	int code = ERR_IO;

	for (size_t i = 0; i < COUNT_OF(meanings); i++) {
		if (meanings[i].curl == result)
			code = meanings[i].code;
	}
	return err_set(err, code, "%s", detail[0] != '\0' ? detail : curl_easy_strerror(result));
}

/* --- the handle --- */

void line_close(struct line *line)
{
	if (line->handle != NULL)
		curl_easy_cleanup(line->handle);
	*line = (struct line){ 0 };
}

static size_t discard(char *data, size_t size, size_t count, void *argument)
{
	size_t *taken = argument;

	(void)data;
	*taken += size * count;
	return *taken <= ANSWER_MAX_BYTES ? size * count : 0;
}

struct reading {
	const uint8_t *at;
	size_t left;
};

static size_t give(char *room, size_t size, size_t count, void *argument)
{
	struct reading *reading = argument;
	size_t taken = size * count < reading->left ? size * count : reading->left;

	memcpy(room, reading->at, taken);
	reading->at += taken;
	reading->left -= taken;
	return taken;
}

/* Handles are kept for their connections; their settings are not. */
static int prepare(struct line *line, const struct delivery *delivery, const char *url, char *detail, struct err *err)
{
	struct curl_blob ca = { (void *)(uintptr_t)delivery->ca.data, delivery->ca.size, CURL_BLOB_COPY };

	if (line->handle != NULL && line->generation != delivery->generation)
		line_close(line);
	if (line->handle == NULL)
		line->handle = curl_easy_init();
	if (line->handle == NULL)
		return err_set(err, ERR_MEMORY, "no memory");
	line->generation = delivery->generation;
	curl_easy_reset(line->handle);
	curl_easy_setopt(line->handle, CURLOPT_ERRORBUFFER, detail);
	curl_easy_setopt(line->handle, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(line->handle, CURLOPT_URL, url);
	curl_easy_setopt(line->handle, CURLOPT_CONNECTTIMEOUT, (long)LINE_CONNECT_S);
	curl_easy_setopt(line->handle, CURLOPT_TIMEOUT, (long)LINE_PATIENCE_S);
	curl_easy_setopt(line->handle, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (delivery->ca.size > 0)
		curl_easy_setopt(line->handle, CURLOPT_CAINFO_BLOB, &ca);
	if (delivery->user[0] != '\0') {
		curl_easy_setopt(line->handle, CURLOPT_USERNAME, delivery->user);
		curl_easy_setopt(line->handle, CURLOPT_PASSWORD, delivery->password);
	}
	return 0;
}

/* url with another scheme. */
static void with_scheme(const char *url, const char *scheme, char *out, size_t capacity)
{
	const char *rest = strstr(url, "://");

	snprintf(out, capacity, "%s%s", scheme, rest != NULL ? rest : url);
}

static bool has_scheme(const char *url, const char *scheme)
{
	size_t size = strlen(scheme);

	return strncmp(url, scheme, size) == 0 && strncmp(url + size, "://", 3) == 0;
}

/* --- webhook --- */

static int post(struct line *line, const struct delivery *delivery, struct err *err)
{
	char detail[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers = NULL;
	size_t answered = 0;
	long status = 0;
	CURLcode result;
	int rc = prepare(line, delivery, delivery->url, detail, err);

	if (rc != 0)
		return rc;
	headers = curl_slist_append(headers, "Content-Type: application/json");
	headers = curl_slist_append(headers, "Expect:");
	if (delivery->header[0] != '\0')
		headers = curl_slist_append(headers, delivery->header);
	curl_easy_setopt(line->handle, CURLOPT_PROTOCOLS_STR, "https,http");
	curl_easy_setopt(line->handle, CURLOPT_USERAGENT, "Muster/" MUSTER_VERSION);
	curl_easy_setopt(line->handle, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(line->handle, CURLOPT_POSTFIELDSIZE, (long)delivery->parts[0].size);
	curl_easy_setopt(line->handle, CURLOPT_POSTFIELDS, delivery->parts[0].data);
	curl_easy_setopt(line->handle, CURLOPT_WRITEFUNCTION, discard);
	curl_easy_setopt(line->handle, CURLOPT_WRITEDATA, &answered);
	result = curl_easy_perform(line->handle);
	curl_slist_free_all(headers);
	if (result != CURLE_OK)
		return failed(result, detail, err);
	curl_easy_getinfo(line->handle, CURLINFO_RESPONSE_CODE, &status);
	return status / 100 == 2 ? 0 : err_set(err, ERR_REFUSED, "the server answered %ld", status);
}

/* --- mail --- */

static int mail(struct line *line, const struct delivery *delivery, struct err *err)
{
	bool plain = has_scheme(delivery->url, "smtp-plain");
	struct reading reading = { delivery->parts[0].data, delivery->parts[0].size };
	char detail[CURL_ERROR_SIZE] = "", url[DELIVERY_URL_BYTES], from[DELIVERY_NAME_BYTES + 2];
	struct curl_slist *to = NULL;
	CURLcode result;
	int rc;

	if (plain && delivery->user[0] != '\0')
		return err_set(err, ERR_DENIED, "a password is not sent without TLS");
	with_scheme(delivery->url,
		    plain                                ? "smtp"
		    : has_scheme(delivery->url, "smtps") ? "smtps"
							 : "smtp",
		    url, sizeof(url));
	rc = prepare(line, delivery, url, detail, err);
	if (rc != 0)
		return rc;
	snprintf(from, sizeof(from), "<%s>", delivery->from);
	for (size_t i = 0; i < delivery->to_count; i++)
		to = curl_slist_append(to, delivery->to[i]);
	curl_easy_setopt(line->handle, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(line->handle, CURLOPT_USE_SSL, (long)(plain ? CURLUSESSL_NONE : CURLUSESSL_ALL));
	curl_easy_setopt(line->handle, CURLOPT_MAIL_FROM, from);
	curl_easy_setopt(line->handle, CURLOPT_MAIL_RCPT, to);
	curl_easy_setopt(line->handle, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(line->handle, CURLOPT_INFILESIZE_LARGE, (curl_off_t)reading.left);
	curl_easy_setopt(line->handle, CURLOPT_READFUNCTION, give);
	curl_easy_setopt(line->handle, CURLOPT_READDATA, &reading);
	result = curl_easy_perform(line->handle);
	curl_slist_free_all(to);
	return result == CURLE_OK ? 0 : failed(result, detail, err);
}

/* --- syslog over TCP and TLS --- */

static int socket_of(struct line *line)
{
	curl_socket_t fd = CURL_SOCKET_BAD;

	curl_easy_getinfo(line->handle, CURLINFO_ACTIVESOCKET, &fd);
	return fd == CURL_SOCKET_BAD ? -1 : fd;
}

/* A receiver says nothing; if there is something to read, it is mostly the end. */
static bool hung_up(struct line *line)
{
	char byte[256];
	size_t taken;
	CURLcode result;

	do {
		result = curl_easy_recv(line->handle, byte, sizeof(byte), &taken);
	} while (result == CURLE_OK && taken > 0);
	return result != CURLE_AGAIN;
}

static int connect_stream(struct line *line, const struct delivery *delivery, struct err *err)
{
	char detail[CURL_ERROR_SIZE] = "", url[DELIVERY_URL_BYTES];
	CURLcode result;
	int rc;

	/* CONNECT_ONLY stops after connecting, whatever the protocol would have said. */
	with_scheme(delivery->url, has_scheme(delivery->url, "tls") ? "https" : "http", url, sizeof(url));
	rc = prepare(line, delivery, url, detail, err);
	if (rc != 0)
		return rc;
	curl_easy_setopt(line->handle, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(line->handle, CURLOPT_PROXY, "");
	curl_easy_setopt(line->handle, CURLOPT_SSL_ENABLE_ALPN, 0L);
	curl_easy_setopt(line->handle, CURLOPT_TCP_KEEPALIVE, 1L);
	result = curl_easy_perform(line->handle);
	line->connected = result == CURLE_OK;
	return line->connected ? 0 : failed(result, detail, err);
}

static int wait_writable(int fd, int *patience_ms, struct err *err)
{
	struct pollfd watched = { .fd = fd, .events = POLLOUT };
	const int step = 1000;

	if (*patience_ms <= 0)
		return err_set(err, ERR_TIMEOUT, "the receiver takes nothing");
	(void)poll(&watched, 1, step);
	*patience_ms -= step;
	return 0;
}

static int send_all(struct line *line, struct bytes content, struct err *err)
{
	int patience_ms = LINE_PATIENCE_S * 1000, rc = 0;

	while (content.size > 0 && rc == 0) {
		size_t sent = 0;
		CURLcode result = curl_easy_send(line->handle, content.data, content.size, &sent);

		if (result == CURLE_AGAIN)
			rc = wait_writable(socket_of(line), &patience_ms, err);
		else if (result != CURLE_OK)
			rc = failed(result, "", err);
		content.data += sent;
		content.size -= sent;
	}
	return rc;
}

/* What its TCP has not acknowledged would be lost with the connection. */
static int wait_acknowledged(struct line *line, struct err *err)
{
	struct pollfd watched = { .fd = socket_of(line), .events = POLLRDHUP };

	for (int waited_ms = 0; waited_ms < LINE_PATIENCE_S * 1000; waited_ms += ACKNOWLEDGE_STEP_MS) {
		struct tcp_info info = { 0 };
		socklen_t size = sizeof(info);

		if (getsockopt(watched.fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
			return err_errno(err, errno, "unacknowledged bytes");
		if (info.tcpi_unacked == 0 && info.tcpi_notsent_bytes == 0)
			return 0;
		if (poll(&watched, 1, ACKNOWLEDGE_STEP_MS) > 0 && (watched.revents & (POLLERR | POLLHUP)) != 0)
			return err_set(err, ERR_CLOSED, "the receiver hung up");
	}
	return err_set(err, ERR_TIMEOUT, "the receiver acknowledges nothing");
}

static int stream(struct line *line, const struct delivery *delivery, struct err *err)
{
	int rc = 0;

	if (line->connected && (line->generation != delivery->generation || hung_up(line)))
		line_close(line);
	if (!line->connected)
		rc = connect_stream(line, delivery, err);
	if (rc == 0)
		rc = send_all(line, delivery->parts[0], err);
	if (rc == 0)
		rc = wait_acknowledged(line, err);
	if (rc != 0)
		line_close(line);
	return rc;
}

/* --- syslog over UDP --- */

/* host:port or [host]:port behind the scheme. */
static int split_address(const char *url, char *host, size_t capacity, const char **ret_port, struct err *err)
{
	const char *begin = strstr(url, "://");
	const char *colon = strrchr(url, ':');
	size_t size;

	begin = begin != NULL ? begin + 3 : url;
	if (colon == NULL || colon <= begin)
		return err_set(err, ERR_FORMAT, "%s: a port is missing", url);
	size = (size_t)(colon - begin);
	if (*begin == '[' && colon[-1] == ']') {
		begin++;
		size -= 2;
	}
	if (size == 0 || size >= capacity)
		return err_set(err, ERR_FORMAT, "%s: the host's name is missing or too long", url);
	memcpy(host, begin, size);
	host[size] = '\0';
	*ret_port = colon + 1;
	return 0;
}

static int connect_datagram(const char *url, int *ret_fd, struct err *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_DGRAM };
	struct addrinfo *addresses = NULL;
	char host[256];
	const char *port = NULL;
	int rc = split_address(url, host, sizeof(host), &port, err);

	if (rc != 0)
		return rc;
	rc = getaddrinfo(host, port, &hints, &addresses);
	if (rc != 0)
		return err_set(err, ERR_RESOLVE, "%s: %s", host, gai_strerror(rc));
	rc = ERR_CONNECT;
	for (const struct addrinfo *at = addresses; at != NULL && rc != 0; at = at->ai_next) {
		*ret_fd = socket(at->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (*ret_fd >= 0 && connect(*ret_fd, at->ai_addr, at->ai_addrlen) == 0)
			rc = 0;
		else
			err_set(err, rc, "%s: %s", host, strerror(errno));
		if (rc != 0 && *ret_fd >= 0)
			close(*ret_fd);
	}
	freeaddrinfo(addresses);
	return rc;
}

static int datagrams(struct line *line, const struct delivery *delivery, struct err *err)
{
	int fd = -1;
	int rc = connect_datagram(delivery->url, &fd, err);

	(void)line;
	for (size_t i = 0; rc == 0 && i < delivery->part_count; i++) {
		if (send(fd, delivery->parts[i].data, delivery->parts[i].size, MSG_NOSIGNAL) < 0)
			rc = err_set(err, ERR_CONNECT, "%s: %s", delivery->url, strerror(errno));
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

int line_deliver(struct line *line, const struct delivery *delivery, struct err *err)
{
	static int (*const ways[])(struct line * line, const struct delivery *delivery, struct err *err) = {
		[DELIVERY_DATAGRAM] = datagrams,
		[DELIVERY_STREAM] = stream,
		[DELIVERY_MAIL] = mail,
		[DELIVERY_POST] = post,
	};

	return ways[delivery->kind](line, delivery, err);
}
