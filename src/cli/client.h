/* The manager's API over HTTPS (libcurl), one connection kept. Everything blocks. */
#ifndef MUSTER_CLI_CLIENT_H
#define MUSTER_CLI_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define CLIENT_ANSWER_MAX (64 * 1024 * 1024)

struct client;

struct client_options {
	const char *server; /* https://HOST:PORT */
	const char *ca;     /* PEM file; NULL: the system's authorities */
	const char *token;  /* NULL: none */
	/* Asked now and then while waiting: true ends the request with ERR_CANCELLED. May be NULL. */
	bool (*cancelled)(void);
};

/* Strings are copied. ERR_NOT_FOUND: no such CA file. */
int client_new(const struct client_options *options, struct client **ret_client, struct err *err);
void client_free(struct client *client);

/* path is below /api/v1, with its query: "/computers?limit=5". body may be NULL
 * (not taken over). ret_json may be NULL; it is NULL for an empty answer.
 * ERR_RESOLVE, ERR_CONNECT, ERR_TLS, ERR_UNTRUSTED, ERR_CLOCK, ERR_TIMEOUT,
 * ERR_CLOSED: did not get through, each with its cause; else as problem_error(). */
int client_request(struct client *client, const char *method, const char *path, const json_t *body, json_t **ret_json,
		   struct err *err);
/* The same, done only while what it changes has this version (If-Match): else ERR_CONFLICT. 0: any version. */
int client_request_if(struct client *client, const char *method, const char *path, uint64_t version, const json_t *body,
		      json_t **ret_json, struct err *err);
/* The body of a GET piece by piece as it comes. on_bytes returns 0 or an error,
 * which ends it and is returned. last_event: for Last-Event-ID, or NULL. */
int client_stream(struct client *client, const char *path, const char *last_event,
		  int (*on_bytes)(void *context, const void *bytes, size_t size), void *context, struct err *err);

/* Builds a path with a query: percent-encodes the value. Sticky errors in path. */
void query_add(struct buf *path, const char *name, const char *value);

#endif
