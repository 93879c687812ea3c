/* Requests as they go out (net/client_parts.h). Method and path are checked: they may have been given by people. */
#include "net/client_parts.h"

#include <string.h>

#define REQUEST_HEAD_MAX (64 * KIB)

static bool is_one_word(const char *text)
{
	const char *at = text;

	while ((uint8_t)*at > ' ' && *at != 0x7f)
		at++;
	return at > text && *at == '\0';
}

static int build_request(struct http_client *client, const char *method, const char *path, const char *headers,
			 const struct http_body *body)
{
	struct buf *head = &client->exchange.head;
	bool brackets = strchr(client->host, ':') != NULL;
	bool from_memory = body != NULL && body->bytes != NULL;

	buf_init(head, REQUEST_HEAD_MAX + (from_memory ? (size_t)body->size : 0));
	buf_printf(head, "%s %s HTTP/1.1\r\nHost: %s%s%s:%u\r\n", method, path, brackets ? "[" : "", client->host,
		   brackets ? "]" : "", client->port);
	if (body != NULL || (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0))
		buf_printf(head, "Content-Length: %llu\r\n", (unsigned long long)(body != NULL ? body->size : 0));
	buf_append_text(head, headers != NULL ? headers : "");
	buf_append_text(head, "\r\n");
	if (from_memory)
		buf_append(head, body->bytes, (size_t)body->size);
	return head->status;
}

int client_request_build(struct http_client *client, const char *method, const char *path, const char *headers,
			 const struct http_body *body, struct err *err)
{
	int r;

	if (!is_one_word(method) || !is_one_word(path))
		return err_set(err, ERR_FORMAT, "%s %s: blanks and control characters must be encoded", method, path);
	r = build_request(client, method, path, headers, body);
	if (r == 0)
		return 0;
	buf_wipe(&client->exchange.head);
	return err_set(err, r, "%s %s: the request is too large", method, path);
}

int http_client_instead(struct http_client *client, const char *method, const char *path, const char *headers,
			const struct http_body *body, struct err *err)
{
	buf_wipe(&client->exchange.head);
	return client_request_build(client, method, path, headers, body, err);
}
