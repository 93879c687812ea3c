/* The end of the manager's certificates. What is known of them is escaped already. */
#include "manager/front/certificate_watch.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "manager/front/certificates.h"
#include "manager/front/front_state.h"
#include "manager/queries.h"

#define WATCHED_MAX       8
#define SUBJECT_MAX_BYTES 64

struct watched {
	const char *name;
	uint8_t fingerprint[SHA256_BYTES];
	enum certificate_stage stage;
	char ends[TIME_TEXT_BYTES];
};

struct watch {
	struct front *front;
	struct certificate_bounds bounds;
	struct watched items[WATCHED_MAX];
	size_t count;
	bool changes; /* something is to be written */
};

static int collect(void *argument, const struct front_certificate *certificate)
{
	struct watch *watch = argument;
	struct watched *item = &watch->items[watch->count];

	if (!certificate->needed || watch->count == WATCHED_MAX)
		return 0;
	item->name = certificate->name;
	item->stage = certificate_stage(&certificate->life, &watch->bounds, env_wall(watch->front->env));
	memcpy(item->fingerprint, certificate->about.fingerprint, SHA256_BYTES);
	time_format(certificate->about.not_after, item->ends);
	watch->count++;
	return 0;
}

/* --- stages; inside a write or a read --- */

/* The stage that was told of this very certificate. */
static int read_told(struct store_session *session, const struct watched *item, enum certificate_stage *ret_told,
		     struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_CERTIFICATE_STAGE_FIND);

	*ret_told = CERTIFICATE_WELL;
	cursor_bind_text(cursor, "name", item->name);
	if (cursor_next(cursor)) {
		struct bytes fingerprint = cursor_bytes(cursor, "fingerprint");

		if (fingerprint.size == SHA256_BYTES && memcmp(fingerprint.data, item->fingerprint, SHA256_BYTES) == 0)
			*ret_told = (enum certificate_stage)cursor_number(cursor, "stage");
	}
	return cursor_end(cursor, err);
}

/* A clock that is set back takes nothing back that was told. */
static int tell_stage(const struct watch *watch, struct store_session *session, const struct watched *item,
		      struct err *err)
{
	char what[SUBJECT_MAX_BYTES];
	const struct front_field fields[] = { { "what", what },
					      { "expires", item->ends },
					      { "stage", certificate_stage_name(item->stage) } };
	enum certificate_stage told;
	struct cursor *cursor;
	int rc = read_told(session, item, &told, err);

	if (rc != 0 || item->stage <= told)
		return rc;
	cursor = cursor_open(session, &QUERY_CERTIFICATE_STAGE_PUT);
	cursor_bind_text(cursor, "name", item->name);
	cursor_bind_bytes(cursor, "fingerprint", item->fingerprint, SHA256_BYTES);
	cursor_bind_number(cursor, "stage", item->stage);
	rc = cursor_run(cursor, err);
	snprintf(what, sizeof(what), "The manager's certificate %s", item->name);
	return rc == 0
		   ? front_event(watch->front, session, EVENT_CERTIFICATE_EXPIRES, NULL, fields, COUNT_OF(fields), err)
		   : rc;
}

/* --- alerts --- */

static int tell_alert(const struct watch *watch, struct store_session *session, const char *subject,
		      const struct watched *item, struct err *err)
{
	bool holds = item != NULL && item->stage != CERTIFICATE_WELL;
	struct alert_fact fact;
	int rc = alert_fact_make(ALERT_CERTIFICATE_EXPIRES, holds, NULL, subject, holds ? item->ends : "",
				 env_wall(watch->front->env), &fact, err);

	if (rc != 0)
		return rc;
	fact.critical = holds && item->stage >= CERTIFICATE_CRITICAL;
	rc = alerting_tell(watch->front, session, &fact, err);
	alert_fact_done(&fact);
	return rc;
}

static const struct watched *find(const struct watch *watch, const char *name)
{
	for (size_t i = 0; i < watch->count; i++) {
		if (strcmp(watch->items[i].name, name) == 0)
			return &watch->items[i];
	}
	return NULL;
}

/* Alerts of certificates that are not there any more: collected before anything is written. */
static int end_others(const struct watch *watch, struct store_session *session, struct err *err)
{
	char gone[WATCHED_MAX][SUBJECT_MAX_BYTES];
	struct cursor *cursor = cursor_open(session, &QUERY_CERTIFICATE_ALERT_OPEN);
	size_t count = 0;
	int rc;

	while (count < WATCHED_MAX && cursor_next(cursor)) {
		const char *subject = cursor_text(cursor, "subject");

		if (find(watch, subject) == NULL && strlen(subject) < SUBJECT_MAX_BYTES)
			snprintf(gone[count++], SUBJECT_MAX_BYTES, "%s", subject);
	}
	rc = cursor_end(cursor, err);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = tell_alert(watch, session, gone[i], NULL, err);
	return rc;
}

static int write_all(struct store_session *session, void *argument, struct err *err)
{
	const struct watch *watch = argument;
	int rc = end_others(watch, session, err);

	for (size_t i = 0; rc == 0 && i < watch->count; i++) {
		rc = tell_stage(watch, session, &watch->items[i], err);
		if (rc == 0)
			rc = tell_alert(watch, session, watch->items[i].name, &watch->items[i], err);
	}
	return rc;
}

/* --- is there anything to be written? --- */

static int read_open(struct store_session *session, struct watch *watch, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_CERTIFICATE_ALERT_OPEN);

	while (cursor_next(cursor)) {
		const struct watched *item = find(watch, cursor_text(cursor, "subject"));

		watch->changes |= item == NULL || item->stage == CERTIFICATE_WELL;
	}
	return cursor_end(cursor, err);
}

/* Any that is not well is told again: what is the same changes nothing. */
static int read_all(struct store_session *session, void *argument, struct err *err)
{
	struct watch *watch = argument;

	for (size_t i = 0; i < watch->count; i++)
		watch->changes |= watch->items[i].stage != CERTIFICATE_WELL;
	return watch->changes ? 0 : read_open(session, watch, err);
}

void certificate_watch(void *argument)
{
	struct front *front = argument;
	struct watch watch = { .front = front,
			       .bounds = { stored_setting_number(front->stored, STORED_CERTIFICATE_SOON),
					   stored_setting_number(front->stored, STORED_CERTIFICATE_CRITICAL) } };
	struct err err = { 0 };
	int rc = front_certificates(front, collect, &watch, &err);

	if (rc == 0)
		rc = store_read(front->store, read_all, &watch, &err);
	if (rc == 0 && watch.changes)
		rc = store_write_wait(front->store, write_all, &watch, &err);
	if (rc != 0)
		LOG(LOG_ERROR, "certificate_watch.not_stored", log_err(&err));
}
