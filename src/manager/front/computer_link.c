/* Where the manager dials a computer, as an administrator sets it (manager/front/front.h). */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "fleet/event_types.h"
#include "manager/front/front_state.h"
#include "manager/queries.h"

struct change {
	struct front *front;
	const struct uuid *computer;
	const struct front_actor *actor;
	const char *address;
	char name[512];
};

static int read_name(struct change *change, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_COMPUTER_BY_ID);
	bool found = false;
	int rc;

	cursor_bind_uuid(cursor, "id", change->computer);
	if (cursor_next(cursor)) {
		found = cursor_is_null(cursor, "deleted");
		snprintf(change->name, sizeof(change->name), "%s", cursor_text(cursor, "name"));
	}
	rc = cursor_end(cursor, err);
	return rc == 0 && !found ? err_set(err, ERR_NOT_FOUND, "there is no such computer") : rc;
}

static int write_trace(const struct change *change, struct store_session *session, struct err *err)
{
	const struct front_field fields[] = { { "name", change->name }, { "user", change->actor->name } };
	char id[UUID_TEXT_BYTES], detail[300];
	int rc;

	uuid_format(change->computer, id);
	snprintf(detail, sizeof(detail), "{\"dial_address\":\"%s\"}", change->address);
	rc = front_event(change->front, session, EVENT_COMPUTER_CHANGED, change->computer, fields, COUNT_OF(fields),
			 err);
	return rc == 0 ? front_audit(change->front, session, change->actor, "computer.link", id, detail, "done", err)
		       : rc;
}

static int write_change(struct store_session *session, void *argument, struct err *err)
{
	struct change *change = argument;
	struct cursor *cursor;
	int rc = read_name(change, session, err);

	if (rc != 0)
		return rc;
	cursor = cursor_open(session, &QUERY_COMPUTER_LINK);
	cursor_bind_uuid(cursor, "id", change->computer);
	cursor_bind_text(cursor, "dial_address", change->address);
	rc = cursor_run(cursor, err);
	return rc == 0 ? write_trace(change, session, err) : rc;
}

/* A host name or a numeric address; it goes into requests and messages as it is. */
static bool is_address(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:";

	return strlen(text) < 254 && strspn(text, allowed) == strlen(text);
}

int front_computer_link(struct front *front, const struct uuid *computer, const char *address,
			const struct front_actor *actor, struct err *err)
{
	struct change change = { front, computer, actor, address, "" };
	const struct front_news news = { .topic = FRONT_TOPIC_COMPUTER, .id = *computer, .computer = *computer };
	struct shard *shard = shards_of(front->shards, computer);
	int rc;

	if (!is_address(address))
		return err_set(err, ERR_RANGE, "dial_address: a host name or a numeric address is expected");
	rc = store_write_wait(front->store, write_change, &change, err);
	if (rc != 0)
		return rc;
	/* Whoever sets it wants to see whether it is right. */
	pthread_mutex_lock(&shard->lock);
	(void)fleet_dial_now(shard->fleet, computer, NULL);
	pthread_mutex_unlock(&shard->lock);
	feed_publish(front->feed, &news, 1);
	return 0;
}
