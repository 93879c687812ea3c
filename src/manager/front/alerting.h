/* Alerts in the manager: facts (alerts/alerts.h) meet the database.
 *
 * Every fact is applied inside the write that stores what it was drawn from,
 * so that neither is there without the other after a crash; telling it again
 * changes nothing. Each change leaves a row of alert_change, event 191 and,
 * once committed, news of the topic FRONT_TOPIC_ALERT.
 *
 * Who passes alerts on reads alert_change by number, from where he stands
 * (statement alert_change_from_position), woken by the news.
 */
#ifndef MUSTER_MANAGER_FRONT_ALERTING_H
#define MUSTER_MANAGER_FRONT_ALERTING_H

#include "alerts/alerts.h"
#include "manager/front/front.h"

struct alerting;

int alerting_open(struct store *store, struct alerting **ret_alerting, struct err *err);
void alerting_free(struct alerting *alerting); /* accepts NULL */
/* At start: what is stored as a state and should be an alert is raised. Blocks. */
int alerting_review_all(struct front *front, struct err *err);

/* --- inside a write --- */
int alerting_tell(struct front *front, struct store_session *session, const struct alert_fact *fact, struct err *err);
/* The fact is made, told and let go. A state of the manager's own: of no computer, as of now. subject, detail: outside
 * bytes; NULL: "". */
int alerting_tell_state(struct front *front, struct store_session *session, enum alert_kind kind, bool holds,
			const char *subject, const char *detail, struct err *err);
/* Inside a write or a read: is such a one open? subject: as it was told. */
int alerting_is_open(struct store_session *session, enum alert_kind kind, const char *subject, bool *ret_open,
		     struct err *err);
/* What the event says, if anything. */
int alerting_event(struct front *front, struct store_session *session, uint32_t type, const struct uuid *computer,
		   const struct event_field *fields, size_t count, struct err *err);
/* Ends what is open of a computer that is not managed any more. */
int alerting_forget(struct front *front, struct store_session *session, const struct uuid *computer, const char *why,
		    struct err *err);
/* Open component alerts of the computer, but for these: they are not there any more. */
int alerting_other_components(struct front *front, struct store_session *session, const struct uuid *computer,
			      const char *const *names, size_t count, struct err *err);

#endif
