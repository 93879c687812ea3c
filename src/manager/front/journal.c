/* The manager's own events and its audit log (manager/front/front.h, manager/front/journal.h). */
#include "manager/front/journal.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "fleet/event_types.h"
#include "manager/front/front_state.h"
#include "manager/front/records_json.h"
#include "manager/queries.h"

/* --- events --- */

static char *fields_json(const struct front_field *fields, size_t count)
{
	json_t *object = json_object();
	char *text;

	for (size_t i = 0; i < count; i++) {
		if (json_object_set_new(object, fields[i].name,
					json_escaped(fields[i].value, strlen(fields[i].value))) != 0) {
			json_decref(object);
			return NULL;
		}
	}
	text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	return text;
}

static int insert_event(const struct env *env, struct store_session *session, const struct uuid *id, uint32_t type,
			enum event_severity severity, const struct uuid *computer, const char *fields, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_EVENT_INSERT);
	time_us now = env_wall(env);

	cursor_bind_uuid(cursor, "id", id);
	cursor_bind_uuid(cursor, "computer", computer);
	cursor_bind_number(cursor, "time", now);
	cursor_bind_number(cursor, "received", now);
	cursor_bind_number(cursor, "type", type);
	cursor_bind_text(cursor, "severity", event_severity_name(severity));
	cursor_bind_text(cursor, "fields", fields);
	return cursor_run(cursor, err);
}

int journal_event(const struct env *env, struct store_session *session, uint32_t type, const struct front_field *fields,
		  size_t count, struct err *err)
{
	const struct event_type *row = event_type_find(type);
	struct uuid id = env_uuid(env);
	char *json = fields_json(fields, count);
	int rc;

	if (json == NULL)
		return err_set(err, ERR_MEMORY, "event %u: no memory", type);
	rc = insert_event(env, session, &id, type, row != NULL ? row->severity : EVENT_INFO, NULL, json, err);
	free(json);
	return rc;
}

static void publish(struct front *front, const struct uuid *id, uint32_t type, const struct uuid *computer)
{
	struct front_news news = { .topic = FRONT_TOPIC_EVENT, .id = *id, .event_type = type };

	if (computer != NULL)
		news.computer = *computer;
	feed_publish(front->feed, &news, 1);
}

/* News of an event whose row is not committed yet. */
struct due {
	struct front *front;
	struct uuid id, computer;
	uint32_t type;
	bool has_computer;
};

static void publish_due(void *argument, bool committed)
{
	struct due *due = argument;

	if (committed)
		publish(due->front, &due->id, due->type, due->has_computer ? &due->computer : NULL);
	free(due);
}

static int publish_after(struct front *front, struct store_session *session, const struct uuid *id, uint32_t type,
			 const struct uuid *computer)
{
	struct due *due = malloc(sizeof(*due));
	int rc;

	if (due == NULL)
		return ERR_MEMORY;
	*due = (struct due){ .front = front, .id = *id, .type = type, .has_computer = computer != NULL };
	if (computer != NULL)
		due->computer = *computer;
	rc = store_after(session, publish_due, due);
	if (rc != 0)
		free(due);
	return rc;
}

/* The event's row, if its type is recorded. */
static int record_event(struct front *front, struct store_session *session, uint32_t type, const struct uuid *computer,
			const struct front_field *fields, size_t count, struct err *err)
{
	struct front_event_type wanted = event_switch_of(front->switches, type);
	struct uuid id = env_uuid(front->env);
	char *json;
	int rc;

	if (!wanted.record)
		return 0;
	json = fields_json(fields, count);
	if (json == NULL)
		return err_set(err, ERR_MEMORY, "event %u: no memory", type);
	rc = insert_event(front->env, session, &id, type, wanted.severity, computer, json, err);
	free(json);
	if (rc == 0 && publish_after(front, session, &id, type, computer) != 0)
		rc = err_set(err, ERR_MEMORY, "event %u: no memory", type);
	return rc;
}

int front_event(struct front *front, struct store_session *session, uint32_t type, const struct uuid *computer,
		const struct front_field *fields, size_t count, struct err *err)
{
	struct event_field values[EVENT_FIELDS_MAX];
	int rc = record_event(front, session, type, computer, fields, count, err);

	if (rc != 0)
		return rc;
	count = count < COUNT_OF(values) ? count : COUNT_OF(values);
	for (size_t i = 0; i < count; i++)
		values[i] = (struct event_field){ fields[i].name,
						  { (const uint8_t *)fields[i].value, strlen(fields[i].value) } };
	return alerting_event(front, session, type, computer, values, count, err);
}

struct later {
	struct front *front;
	struct uuid computer;
	uint32_t type;
	bool has_computer;
	size_t count;
	struct front_field fields[EVENT_FIELDS_MAX]; /* names are constants, values our own */
};

static void later_free(struct later *later)
{
	if (later == NULL)
		return;
	for (size_t i = 0; i < later->count; i++)
		free((char *)(uintptr_t)later->fields[i].value);
	free(later);
}

static struct later *later_new(struct front *front, uint32_t type, const struct uuid *computer,
			       const struct front_field *fields, size_t count)
{
	struct later *later = calloc(1, sizeof(*later));

	if (later == NULL)
		return NULL;
	later->front = front;
	later->type = type;
	later->has_computer = computer != NULL;
	if (computer != NULL)
		later->computer = *computer;
	for (; later->count < count && later->count < EVENT_FIELDS_MAX; later->count++) {
		char *value = strdup(fields[later->count].value);

		if (value == NULL) {
			later_free(later);
			return NULL;
		}
		later->fields[later->count] = (struct front_field){ fields[later->count].name, value };
	}
	return later;
}

static int write_later(struct store_session *session, void *argument, struct err *err)
{
	const struct later *later = argument;

	return front_event(later->front, session, later->type, later->has_computer ? &later->computer : NULL,
			   later->fields, later->count, err);
}

static void written_later(void *argument, int rc, const struct err *err)
{
	struct later *later = argument;

	if (rc != 0)
		LOG(LOG_ERROR, "event.not_stored", log_number("type", later->type), log_err(err));
	later_free(later);
}

void front_event_later(struct front *front, uint32_t type, const struct uuid *computer,
		       const struct front_field *fields, size_t count)
{
	struct later *later = later_new(front, type, computer, fields, count);

	if (later == NULL) {
		LOG(LOG_ERROR, "event.not_stored", log_number("type", type), log_text("error", "no memory"));
		return;
	}
	if (store_write(front->store, write_later, written_later, later) != 0) {
		LOG(LOG_ERROR, "event.not_stored", log_number("type", type), log_text("error", "the queue is full"));
		later_free(later);
	}
}

/* --- audit --- */

struct audit_link {
	int64_t number;
	uint8_t chain[SHA256_BYTES];
};

static int last_link(struct store_session *session, struct audit_link *ret_link, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_AUDIT_LAST);

	if (cursor_next(cursor)) {
		struct bytes chain = cursor_bytes(cursor, "chain");

		ret_link->number = cursor_number(cursor, "number");
		if (chain.size == SHA256_BYTES)
			memcpy(ret_link->chain, chain.data, SHA256_BYTES);
	}
	return cursor_end(cursor, err);
}

/* SHA-256 of the chain so far and of this row's values, packed (base/pack.h). */
static int next_link(struct audit_link *link, time_us now, const char *const *texts, size_t count,
		     const struct uuid *actor, struct err *err)
{
	struct buf packed;
	int rc;

	link->number++;
	buf_init(&packed, MIB);
	buf_append(&packed, link->chain, SHA256_BYTES);
	pack_u64(&packed, (uint64_t)link->number);
	pack_u64(&packed, (uint64_t)now);
	buf_append(&packed, actor->bytes, UUID_BYTES);
	for (size_t i = 0; i < count; i++)
		pack_text(&packed, texts[i]);
	rc = packed.status;
	if (rc == 0 && EVP_Digest(packed.data, packed.size, link->chain, NULL, EVP_sha256(), NULL) != 1)
		rc = ERR_INTERNAL;
	buf_done(&packed);
	return rc == 0 ? 0 : err_set(err, rc, "audit entry");
}

int journal_audit(const struct env *env, struct store_session *session, const struct front_actor *actor,
		  const char *action, const char *object, const char *detail, const char *outcome, struct err *err)
{
	static const char *const columns[] = { "actor_kind", "actor_name", "peer",   "action",
					       "object",     "detail",     "outcome" };
	const char *const texts[] = { actor->kind, actor->name, actor->peer != NULL ? actor->peer : "", action, object,
				      detail,      outcome };
	struct audit_link link = { 0 };
	time_us now = env_wall(env);
	struct cursor *cursor;
	int rc = last_link(session, &link, err);

	if (rc == 0)
		rc = next_link(&link, now, texts, COUNT_OF(texts), &actor->id, err);
	if (rc != 0)
		return rc;
	cursor = cursor_open(session, &QUERY_AUDIT_INSERT);
	cursor_bind_number(cursor, "number", link.number);
	cursor_bind_number(cursor, "time", now);
	if (uuid_is_zero(&actor->id))
		cursor_bind_null(cursor, "actor_id");
	else
		cursor_bind_uuid(cursor, "actor_id", &actor->id);
	for (size_t i = 0; i < COUNT_OF(columns); i++)
		cursor_bind_text(cursor, columns[i], texts[i]);
	cursor_bind_bytes(cursor, "chain", link.chain, SHA256_BYTES);
	return cursor_run(cursor, err);
}

int front_audit(struct front *front, struct store_session *session, const struct front_actor *actor, const char *action,
		const char *object, const char *detail, const char *outcome, struct err *err)
{
	return journal_audit(front->env, session, actor, action, object, detail, outcome, err);
}

struct audit_now {
	struct front *front;
	const struct front_actor *actor;
	const char *action, *object, *detail, *outcome;
};

static int write_audit(struct store_session *session, void *argument, struct err *err)
{
	const struct audit_now *entry = argument;

	return front_audit(entry->front, session, entry->actor, entry->action, entry->object, entry->detail,
			   entry->outcome, err);
}

int front_audit_now(struct front *front, const struct front_actor *actor, const char *action, const char *object,
		    const char *detail, const char *outcome, struct err *err)
{
	struct audit_now entry = { front, actor, action, object, detail, outcome };

	return store_write_wait(front->store, write_audit, &entry, err);
}
