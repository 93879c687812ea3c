/* A refusal over HTTP as an error: status, and the sentence of problem+json if there is one. Pure. */
#ifndef MUSTER_AGENT_PROBLEM_H
#define MUSTER_AGENT_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/env.h"
#include "base/err.h"

/* Sets err to "<what> (<status>): <title>: <detail>" and returns its code:
 * ERR_DENIED for 401 and 403, ERR_NOT_FOUND 404, ERR_CONFLICT 409, ERR_LIMIT
 * 413, ERR_BUSY 429 and 503, ERR_SPACE 507, else ERR_REFUSED. content_type may
 * be NULL. The body is untrusted. */
int problem_error(const char *what, int status, const char *content_type, const void *body, size_t size,
		  struct err *err);

/* Whether the refusal is of this type (RFC 9457). */
bool problem_is(const char *type, const char *content_type, const void *body, size_t size);
#define PROBLEM_DEACTIVATED "urn:muster:problem:deactivated" /* 403: the computer may be let in again by a person */
#define PROBLEM_NOT_ON_RECORD                                                                                          \
	"urn:muster:problem:not-on-record" /* 403: the certificate is the manager's, its database has no such computer \
					    */

/* How long to leave a manager alone that does not take this computer: 30 to 60 minutes; where it says for how long
 * (Retry-After of one that may be let in again; 0: it does not), at most that, and half of it at least. Never under a
 * minute.
 */
span_us problem_pause(span_us retry_after, const struct env *env);

#endif
