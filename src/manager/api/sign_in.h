/* Signing in with a name and a password, with lock-out.
 *
 * Five wrong passwords for a name from one address (an IPv6 one by its /64) shut
 * that name out there for a quarter of an hour, twenty for any names the
 * address; whoever guesses keeps nobody out elsewhere. Fifty in an hour, which
 * takes three addresses, shut the name out for an hour, but not where its user
 * signed in well in the last 30 days.
 */
#ifndef MUSTER_MANAGER_API_SIGN_IN_H
#define MUSTER_MANAGER_API_SIGN_IN_H

#include "manager/api/call.h"
#include "store/store.h"

struct sign_ins;                               /* who was refused lately; thread-safe */
struct sign_ins *sign_ins_new(uint64_t seed);  /* NULL: no memory */
void sign_ins_free(struct sign_ins *sign_ins); /* accepts NULL */

struct signed_in {
	struct uuid user;
	char name[ACCOUNT_NAME_MAX_BYTES + 1];
	enum account_role role;
};

/* 0 when they match. ERR_DENIED: wrong (told apart neither by words nor by
 * time); ERR_BUSY: locked out, for *ret_wait; ERR_LIMIT: too many at once, to come
 * again in a second. Writes audit entries and events of refusals. Blocks. */
int sign_in_check(struct api_call *call, struct sign_ins *sign_ins, const char *name, const char *password,
		  struct signed_in *ret_signed_in, span_us *ret_wait, struct err *err);
/* Remembers that the user signed in well from where the call comes. Within the write that stores the session. */
int sign_in_note(struct api_call *call, struct store_session *session, const struct uuid *user, time_us now,
		 struct err *err);
/* Answers ERR_LIMIT. */
int sign_in_busy(struct api_call *call);

#endif
