/* The loss of the authority's key, told. The cause is the keys role's word. */
#include "manager/front/authority_loss.h"

#include <string.h>

#include "base/log.h"
#include "fleet/event_types.h"
#include "manager/front/authorities.h"

struct telling {
	struct front *front;
	const struct front_authorities *now;
};

/* The events raise and resolve the alert. */
static int write_told(struct store_session *session, void *argument, struct err *err)
{
	const struct telling *telling = argument;
	const struct front_authorities *now = telling->now;
	char fingerprint[SHA256_TEXT_BYTES];
	const struct front_field missing[] = { { "cause", now->problem } };
	const struct front_field back[] = { { "fingerprint", fingerprint } };
	bool open = false;
	int rc = alerting_is_open(session, ALERT_AUTHORITY_MISSING, "", &open, err);

	hex_format(now->identity.ca_fingerprint, SHA256_BYTES, fingerprint);
	if (rc != 0)
		return rc;
	if (now->problem != NULL && open) /* it stays open, perhaps with another cause */
		return alerting_tell_state(telling->front, session, ALERT_AUTHORITY_MISSING, true, "", now->problem,
					   err);
	if (now->problem != NULL)
		return front_event(telling->front, session, EVENT_AUTHORITY_MISSING, NULL, missing, COUNT_OF(missing),
				   err);
	return open ? front_event(telling->front, session, EVENT_AUTHORITY_BACK, NULL, back, COUNT_OF(back), err) : 0;
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
