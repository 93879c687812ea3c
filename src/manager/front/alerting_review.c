/* States that are stored and are alerts: told as facts again, which changes
 * nothing where the alert is there. Texts are agents' and untrusted. */
#include <stdlib.h>

#include "base/text.h"
#include "manager/front/alerting_parts.h"
#include "manager/front/front_state.h"
#include "manager/queries.h"

#define TEXT_MAX_BYTES (64 * 1024)

/* Facts are collected first: what is read is not written to meanwhile. */
struct facts {
	struct alert_fact *items;
	size_t count, capacity;
};

static int facts_add(struct facts *facts, const struct alert_fact *fact, struct err *err)
{
	if (facts->count == facts->capacity) {
		size_t capacity = facts->capacity * 2 + 64;
		struct alert_fact *items = reallocarray(facts->items, capacity, sizeof(*items));

		if (items == NULL)
			return err_set(err, ERR_MEMORY, "alerts: no memory");
		facts->items = items;
		facts->capacity = capacity;
	}
	facts->items[facts->count++] = *fact;
	return 0;
}

static const struct review {
	enum alert_kind kind;
	const struct store_statement *statement;
	const char *subject, *detail, *since; /* columns */
	bool escaped;                         /* the columns are */
} reviews[] = {
	{ ALERT_COMPUTER_OFFLINE, &QUERY_ALERT_REVIEW_OFFLINE, NULL, "status_cause", "status_since", false },
	{ ALERT_CONFIGURATION_FAILED, &QUERY_ALERT_REVIEW_CONFIGURATION, NULL, "config_error", NULL, false },
	{ ALERT_COMPONENT_FAILED, &QUERY_ALERT_REVIEW_COMPONENTS, "name", "detail", NULL, true },
};

/* The column's text as the agent gave it. */
static void plain(const struct review *review, struct cursor *cursor, const char *column, struct buf *out)
{
	const char *text = column != NULL ? cursor_text(cursor, column) : "";

	if (review->escaped)
		text_unescape(text, out);
	else
		buf_append_text(out, text);
}

static int fact_of_row(const struct review *review, struct cursor *cursor, time_us now, struct alert_fact *ret_fact,
		       struct err *err)
{
	bool dated = review->since != NULL && !cursor_is_null(cursor, review->since);
	time_us time = dated ? cursor_number(cursor, review->since) : now;
	struct buf subject, detail;
	struct uuid computer = { 0 };
	int rc;

	cursor_uuid(cursor, "id", &computer);
	buf_init(&subject, TEXT_MAX_BYTES);
	buf_init(&detail, TEXT_MAX_BYTES);
	plain(review, cursor, review->subject, &subject);
	plain(review, cursor, review->detail, &detail);
	rc = alert_fact_make(review->kind, true, &computer, buf_text(&subject), buf_text(&detail), time, ret_fact, err);
	buf_done(&subject);
	buf_done(&detail);
	return rc;
}

static int collect(const struct review *review, struct store_session *session, time_us now, struct facts *facts,
		   struct err *err)
{
	struct cursor *cursor = cursor_open(session, review->statement);
	int rc = 0, done;

	while (rc == 0 && cursor_next(cursor)) {
		struct alert_fact fact;

		rc = fact_of_row(review, cursor, now, &fact, err);
		if (rc == 0 && (rc = facts_add(facts, &fact, err)) != 0)
			alert_fact_done(&fact);
	}
	done = cursor_end(cursor, rc == 0 ? err : NULL);
	return rc != 0 ? rc : done;
}

/* kind: ALERT_KINDS for all. */
int alerting_review(struct front *front, struct store_session *session, enum alert_kind kind, struct err *err)
{
	struct facts facts = { 0 };
	int rc = 0;

	for (size_t i = 0; i < COUNT_OF(reviews) && rc == 0; i++) {
		if (kind == ALERT_KINDS || reviews[i].kind == kind)
			rc = collect(&reviews[i], session, env_wall(front->env), &facts, err);
	}
	for (size_t i = 0; i < facts.count; i++) {
		if (rc == 0)
			rc = alerting_tell(front, session, &facts.items[i], err);
		alert_fact_done(&facts.items[i]);
	}
	free(facts.items);
	return rc;
}

static int write_review(struct store_session *session, void *argument, struct err *err)
{
	return alerting_review(argument, session, ALERT_KINDS, err);
}

int alerting_review_all(struct front *front, struct err *err)
{
	int rc = store_write_wait(front->store, write_review, front, err);

	return rc == 0 ? 0 : err_add(err, rc, "alerts");
}
