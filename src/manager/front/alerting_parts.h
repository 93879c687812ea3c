/* Inside the manager's alerting: alerting.c, alerting_review.c, alerting_people.c. */
#ifndef MUSTER_MANAGER_FRONT_ALERTING_PARTS_H
#define MUSTER_MANAGER_FRONT_ALERTING_PARTS_H

#include <pthread.h>

#include "manager/front/alerting.h"

#define ALERTING_BY_ITSELF "the manager"

/* Only the writer's thread changes the settings; any may read them. */
struct alerting {
	pthread_mutex_t lock;
	struct alert_settings settings;
};
struct alert_settings alerting_settings(struct front *front);

/* One change of an alert, as it is noted: row, event and news. */
struct alert_change_row {
	int64_t number; /* the alert's in the database */
	struct uuid alert;
	enum alert_kind kind;
	struct uuid computer;
	const char *subject;
	const char *change; /* "raised", "resolved", "dismissed" */
	const char *by, *reason;
};

/* Ends an open alert; ERR_WRONG_STATE if it has ended. Inside a write, as the rest. */
int alerting_end(struct front *front, struct store_session *session, const struct alert_change_row *change,
		 enum alert_state state, struct err *err);
int alerting_end_type(struct front *front, struct store_session *session, enum alert_kind kind, struct err *err);
/* Raises what is stored as a state and is no alert yet. kind: ALERT_KINDS for all. */
int alerting_review(struct front *front, struct store_session *session, enum alert_kind kind, struct err *err);

#endif
