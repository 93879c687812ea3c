/* Other authorities, told. */
#include "manager/front/authority_news.h"

#include <string.h>

#include "base/log.h"
#include "fleet/event_types.h"
#include "manager/front/authorities.h"
#include "manager/queries.h"

struct telling {
	struct front *front;
	const struct front_actor *actor;
	const struct front_authorities *now;
};

static const struct place {
	const char *name;
	uint32_t event;
	const char *action;
	bool next;
} places[] = {
	{ "next", EVENT_AUTHORITY_PREPARED, "authority.prepare", true },
	{ "issuing", EVENT_AUTHORITY_TURNED, "authority.turn", false },
};

/* ret_fingerprint is set if one was told. */
static int read_told(struct store_session *session, const char *place, bool *ret_told,
		     uint8_t ret_fingerprint[SHA256_BYTES], struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_AUTHORITY_TOLD_FIND);

	*ret_told = false;
	cursor_bind_text(cursor, "place", place);
	if (cursor_next(cursor)) {
		struct bytes fingerprint = cursor_bytes(cursor, "fingerprint");

		*ret_told = fingerprint.size == SHA256_BYTES;
		if (*ret_told)
			memcpy(ret_fingerprint, fingerprint.data, SHA256_BYTES);
	}
	return cursor_end(cursor, err);
}

static int put_told(struct store_session *session, const char *place, const uint8_t fingerprint[SHA256_BYTES],
		    struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_AUTHORITY_TOLD_PUT);

	cursor_bind_text(cursor, "place", place);
	cursor_bind_bytes(cursor, "fingerprint", fingerprint, SHA256_BYTES);
	return cursor_run(cursor, err);
}

static int note(const struct telling *telling, struct store_session *session, const struct place *place,
		const uint8_t fingerprint[SHA256_BYTES], struct err *err)
{
	char text[SHA256_TEXT_BYTES];
	const struct front_field fields[] = { { "fingerprint", text }, { "user", telling->actor->name } };
	int rc;

	hex_format(fingerprint, SHA256_BYTES, text);
	rc = front_event(telling->front, session, place->event, NULL, fields, COUNT_OF(fields), err);
	return rc == 0 ? front_audit(telling->front, session, telling->actor, place->action, text, "", "done", err)
		       : rc;
}

/* known: there is something that was told before; else it is what `init` made, or a manager from before this was
 * stored, and no news. */
static int tell_place(const struct telling *telling, struct store_session *session, const struct place *place,
		      bool known, struct err *err)
{
	const struct front_authorities *now = telling->now;
	const uint8_t *fingerprint = place->next ? now->second : now->identity.ca_fingerprint;
	uint8_t before[SHA256_BYTES];
	bool told;
	int rc;

	if (place->next && !now->has_next)
		return 0;
	rc = read_told(session, place->name, &told, before, err);
	if (rc != 0 || (told && memcmp(before, fingerprint, SHA256_BYTES) == 0))
		return rc;
	rc = put_told(session, place->name, fingerprint, err);
	return rc == 0 && known ? note(telling, session, place, fingerprint, err) : rc;
}

static int write_news(struct store_session *session, void *argument, struct err *err)
{
	const struct telling *telling = argument;
	uint8_t before[SHA256_BYTES];
	bool known;
	int rc = read_told(session, "issuing", &known, before, err);

	for (size_t i = 0; rc == 0 && i < COUNT_OF(places); i++)
		rc = tell_place(telling, session, &places[i], known, err);
	return rc;
}

int authority_news_tell(struct front *front, const struct front_actor *actor, struct err *err)
{
	struct telling telling = { front, actor, authorities_now(front) };
	int rc;

	if (!telling.now->known || front->authorities_noted == telling.now)
		return 0;
	rc = store_write_wait(front->store, write_news, &telling, err);
	if (rc == 0)
		front->authorities_noted = telling.now;
	return rc;
}
