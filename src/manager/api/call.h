/* One API call as a handler sees it.
 *
 * Before the handler runs, the route's table row has been applied: the caller
 * is known and has the role, path and query parameters and the JSON body are
 * parsed and checked against their tables (unknown names refused). A handler
 * runs on a worker thread, may block, and either answers with one of the
 * api_reply_… functions and returns 0, or returns an error code that becomes a
 * problem (ERR_NOT_FOUND 404, ERR_EXISTS and ERR_WRONG_STATE 409, ERR_RANGE 400, …).
 */
#ifndef MUSTER_MANAGER_API_CALL_H
#define MUSTER_MANAGER_API_CALL_H

#include <jansson.h>

#include "manager/api/accounts.h"
#include "manager/api/api.h"

struct api_call;

/* Who calls. name: the user's, or the token's own. */
struct api_principal {
	char name[ACCOUNT_NAME_MAX_BYTES + 1];
	enum account_role role;
	struct uuid token;
	struct uuid user; /* zero for a token of no user */
};

struct api_value {
	const char *text; /* as given, decoded; for numbers and booleans ""; NULL: absent */
	int64_t number;   /* numbers; times in time_us; booleans 0 or 1 */
	struct uuid uuid;
};

struct front *api_call_front(const struct api_call *call);
struct store *api_call_store(const struct api_call *call);
const struct env *api_call_env(const struct api_call *call);
/* The caller as audit entries and commands name it; valid as long as the call. */
const struct front_actor *api_call_actor(const struct api_call *call);
const struct api_principal *api_call_principal(const struct api_call *call);
const char *api_call_source(const struct api_call *call); /* the peer's address without its port */

/* {id} of the pattern; zero UUID if there is none. */
const struct uuid *api_path_id(const struct api_call *call);
/* {name} of the pattern, as it stood in the path; "" if there is none. */
const char *api_path_name(const struct api_call *call);
/* A query parameter of the route's shape; text NULL when absent. */
struct api_value api_query(const struct api_call *call, const char *name);
/* The version that If-Match asks for; 0: any. */
uint64_t api_if_match(const struct api_call *call);
/* The version of what is answered, as an ETag header. */
void api_etag(struct api_call *call, uint64_t version);
/* The body, an object, valid until the call ends; NULL when the route takes none. */
json_t *api_body(const struct api_call *call);

/* Answers. json is taken over; NULL (no memory) becomes 500. */
int api_reply_json(struct api_call *call, int status, json_t *json);
int api_reply_text(struct api_call *call, int status, const char *content_type, const char *text);
int api_reply_empty(struct api_call *call); /* 204 */
/* Adds {name, reason} to the problem that follows. reason is formatted. */
void api_problem_add(struct api_call *call, const char *name, const char *reason, ...)
    __attribute__((format(printf, 3, 4)));
int api_problem(struct api_call *call, int status, const char *title, const char *detail, ...)
    __attribute__((format(printf, 4, 5)));
/* A header line of the answer, without CR LF. */
void api_header(struct api_call *call, const char *name, const char *value);

/* A body written piece by piece; api_stream_write() waits for the client to take it; ERR_CLOSED when it left. */
int api_stream_begin(struct api_call *call, const char *content_type, struct err *err);
int api_stream_write(struct api_call *call, const void *bytes, size_t size, struct err *err);

#endif
