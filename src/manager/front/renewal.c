/* Certificates of agents that follow one another: when, and which one counts. */
#include "manager/front/renewal.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "manager/front/authorities.h"
#include "manager/queries.h"
#include "trust/authority.h"

bool renewal_wanted(const struct front *front, const uint8_t fingerprint[SHA256_BYTES])
{
	struct roster_about about;
	struct renewal_life life;
	uint64_t seed;

	roster_about(front->roster, fingerprint, &about);
	if (about.end == 0)
		return false;
	life = (struct renewal_life){ about.end - CERTIFICATE_VALIDITY_DAYS * DAY_US, about.end };
	memcpy(&seed, fingerprint, sizeof(seed));
	return renewal_due(&life, seed) <= env_wall(front->env) || authorities_to_tell(front, about.roots, seed);
}

bool renewal_ended(const struct front *front, const uint8_t fingerprint[SHA256_BYTES], bool *ret_may_renew)
{
	time_us now = env_wall(front->env);
	struct roster_about about;

	roster_about(front->roster, fingerprint, &about);
	*ret_may_renew = renewal_in_grace(about.end, now, stored_setting_number(front->stored, STORED_RENEWAL_GRACE));
	return about.end != 0 && about.end <= now;
}

/* --- the next one is used --- */

struct used {
	struct front *front;
	struct uuid computer;
	uint8_t fingerprint[SHA256_BYTES], before[SHA256_BYTES];
	bool known; /* it was still the next one */
};

static int read_before(struct used *used, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_RENEWAL_FIND);

	cursor_bind_uuid(cursor, "id", &used->computer);
	if (cursor_next(cursor)) {
		struct bytes before = cursor_bytes(cursor, "certificate_fingerprint");
		struct bytes next = cursor_bytes(cursor, "next_fingerprint");

		used->known = before.size == SHA256_BYTES && next.size == SHA256_BYTES &&
			      memcmp(next.data, used->fingerprint, SHA256_BYTES) == 0;
		if (used->known)
			memcpy(used->before, before.data, SHA256_BYTES);
	}
	return cursor_end(cursor, err);
}

/* The one before stays on record as the computer's until it ends: its agent may come back to it. */
static int keep_former(const struct used *used, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_RENEWAL_KEEP_FORMER);
	int rc;

	cursor_bind_uuid(cursor, "id", &used->computer);
	rc = cursor_run(cursor, err);
	if (rc != 0)
		return rc;
	cursor = cursor_open(session, &QUERY_RENEWAL_DROP_ENDED);
	cursor_bind_uuid(cursor, "computer", &used->computer);
	cursor_bind_number(cursor, "now", env_wall(used->front->env));
	return cursor_run(cursor, err);
}

static int write_used(struct store_session *session, void *argument, struct err *err)
{
	struct used *used = argument;
	struct cursor *cursor;
	int rc = read_before(used, session, err);

	if (rc != 0 || !used->known)
		return rc;
	rc = keep_former(used, session, err);
	if (rc != 0)
		return rc;
	cursor = cursor_open(session, &QUERY_RENEWAL_USED);
	cursor_bind_uuid(cursor, "id", &used->computer);
	cursor_bind_bytes(cursor, "next_fingerprint", used->fingerprint, SHA256_BYTES);
	return cursor_run(cursor, err);
}

/* The writer's thread. */
static void written_used(void *argument, int rc, const struct err *err)
{
	struct used *used = argument;

	if (rc != 0) { /* both go on counting; the next request tries again */
		roster_next(used->front->roster, used->fingerprint);
		LOG(LOG_ERROR, "renewal.not_stored", log_uuid("computer", &used->computer), log_err(err));
	} else if (used->known) {
		roster_replaced(used->front->roster, used->before);
		LOG(LOG_INFO, "renewal.used", log_uuid("computer", &used->computer));
	}
	free(used);
}

/* The computer showed the one that was its next: it takes the place of the one before. Any thread; does not wait. */
static void note_used(struct front *front, const struct uuid *computer, const uint8_t fingerprint[SHA256_BYTES])
{
	struct used *used;

	if (!roster_promote(front->roster, fingerprint))
		return;
	used = calloc(1, sizeof(*used));
	if (used != NULL) {
		used->front = front;
		used->computer = *computer;
		memcpy(used->fingerprint, fingerprint, SHA256_BYTES);
		if (store_write(front->store, write_used, written_used, used) == 0)
			return;
		free(used);
	}
	roster_next(front->roster, fingerprint);
}

enum roster_standing renewal_standing(struct front *front, const uint8_t fingerprint[SHA256_BYTES],
				      struct uuid *ret_computer)
{
	enum roster_standing standing = roster_find(front->roster, fingerprint, ret_computer);
	struct roster_about about;

	if (standing != ROSTER_ACTIVE)
		return standing;
	roster_about(front->roster, fingerprint, &about);
	if (about.next)
		note_used(front, ret_computer, fingerprint);
	return standing;
}
