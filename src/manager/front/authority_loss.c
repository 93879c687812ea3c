/* The loss of the authority's key, told. The cause is the keys role's word. */
#include "manager/front/authority_loss.h"

#include <string.h>

#include "base/log.h"
#include "fleet/event_types.h"
#include "manager/front/authorities.h"
#include "manager/queries.h"

struct telling {
	struct front *front;
	const struct front_authorities *now;
	bool open; /* the alert */
};

static int read_open(struct store_session *session, struct telling *telling, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_ALERT_FIND);

	cursor_bind_text(cursor, "type", alert_definitions[ALERT_AUTHORITY_MISSING].name);
	cursor_bind_null(cursor, "computer");
	cursor_bind_text(cursor, "subject", "");
	telling->open = cursor_next(cursor);
	return cursor_end(cursor, err);
}

/* The alert stays open, perhaps with another cause. */
static int amend(const struct telling *telling, struct store_session *session, struct err *err)
{
	struct alert_fact fact;
	int rc = alert_fact_make(ALERT_AUTHORITY_MISSING, true, NULL, "", telling->now->problem,
				 env_wall(telling->front->env), &fact, err);

	if (rc != 0)
		return rc;
	rc = alerting_tell(telling->front, session, &fact, err);
	alert_fact_done(&fact);
	return rc;
}

/* The events raise and resolve the alert. */
static int write_told(struct store_session *session, void *argument, struct err *err)
{
	struct telling *telling = argument;
	const struct front_authorities *now = telling->now;
	char fingerprint[SHA256_TEXT_BYTES];
	const struct front_field missing[] = { { "cause", now->problem } };
	const struct front_field back[] = { { "fingerprint", fingerprint } };
	int rc = read_open(session, telling, err);

	hex_format(now->identity.ca_fingerprint, SHA256_BYTES, fingerprint);
	if (rc != 0)
		return rc;
	if (now->problem != NULL && telling->open)
		return amend(telling, session, err);
	if (now->problem != NULL)
		return front_event(telling->front, session, EVENT_AUTHORITY_MISSING, NULL, missing, COUNT_OF(missing),
				   err);
	return telling->open
		   ? front_event(telling->front, session, EVENT_AUTHORITY_BACK, NULL, back, COUNT_OF(back), err)
		   : 0;
}

static bool same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

void authority_loss_tell(struct front *front)
{
	struct telling telling = { .front = front, .now = authorities_now(front) };
	struct err err = { 0 };

	if (!telling.now->known && telling.now->problem == NULL) /* keys has said nothing yet */
		return;
	if (front->authorities_told != NULL && same(front->authorities_told->problem, telling.now->problem))
		return;
	if (store_write_wait(front->store, write_told, &telling, &err) != 0)
		LOG(LOG_ERROR, "authorities.loss_not_told", log_err(&err));
	else
		front->authorities_told = telling.now;
}
