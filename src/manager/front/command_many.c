/* One command for many computers (front_command_issue_many() of front.h).
 *
 * Computers are taken chunk by chunk: while the store writes one chunk's
 * commands, the next one's are signed, and those of chunks that are committed
 * are handed to the shards, which wake the agents' polls. One event and one
 * audit entry stand for all; they are committed with the first chunk, before any
 * other. Arguments come from people; paths may hold any bytes but NUL.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "fleet/event_types.h"
#include "manager/front/command_parts.h"
#include "manager/queries.h"
#include "wire/limits.h"

#define CHUNK_COMPUTERS ((size_t)4 * WIRE_BATCH_MAX)
#define NEWS_AT_ONCE    64
#define ACTION          "command.issue_many" /* in the audit log */

struct many;

struct one {
	struct issue issue;
	int rc; /* 0 so far, or why it was left out; ERR_EXISTS: done before, by the same request */
};

struct chunk {
	struct many *many;
	struct one *ones;
	size_t count;
	bool writing;
	int rc;
	struct err err;
};

struct many {
	struct front *front;
	const struct front_actor *actor;
	struct one *ones; /* as the caller's computers */
	struct uuid *ids; /* the caller's */
	size_t count;
	struct chunk *chunks;
	size_t chunk_count;
	char *arguments;             /* of each, as JSON */
	char *detail;                /* of the order, as JSON */
	char order[UUID_TEXT_BYTES]; /* its id, in the audit log */
	size_t issued;
	pthread_mutex_t lock; /* of what the writer changes in chunks */
	pthread_cond_t written;
};

/* --- the writer's part --- */

/* The writer's thread. */
static void written(void *argument, int rc, const struct err *err)
{
	struct chunk *chunk = argument;

	pthread_mutex_lock(&chunk->many->lock);
	chunk->writing = false;
	chunk->rc = rc;
	chunk->err = *err;
	pthread_cond_signal(&chunk->many->written);
	pthread_mutex_unlock(&chunk->many->lock);
}

static void wait_written(struct chunk *chunk)
{
	pthread_mutex_lock(&chunk->many->lock);
	while (chunk->writing)
		pthread_cond_wait(&chunk->many->written, &chunk->many->lock);
	pthread_mutex_unlock(&chunk->many->lock);
}

static bool is_written(struct chunk *chunk)
{
	bool ended;

	pthread_mutex_lock(&chunk->many->lock);
	ended = !chunk->writing;
	pthread_mutex_unlock(&chunk->many->lock);
	return ended;
}

/* One event and one audit entry for all. */
static int note_order(const struct many *many, struct store_session *session, struct err *err)
{
	char computers[24];
	const struct front_field fields[] = {
		{ "kind", command_kind_name((unsigned)many->ones[0].issue.order.kind) },
		{ "user", many->actor->name },
		{ "computers", computers },
	};
	int rc;

	snprintf(computers, sizeof(computers), "%zu", many->count);
	rc = front_event(many->front, session, EVENT_COMMAND_ISSUED, NULL, fields, COUNT_OF(fields), err);
	return rc == 0 ? front_audit(many->front, session, many->actor, ACTION, many->order, many->detail, "done", err)
		       : rc;
}

/* By the same request, before it was answered. */
static int noted_before(const struct many *many, struct store_session *session, bool *ret_noted, struct err *err)
{
	const struct front_once *once = many->actor->once;
	struct cursor *cursor;

	*ret_noted = false;
	if (once == NULL || !once->again)
		return 0;
	cursor = cursor_open(session, &QUERY_AUDIT_OF_OBJECT);
	cursor_bind_number(cursor, "since", once->when - DAY_US); /* the clock may have been set back */
	cursor_bind_text(cursor, "action", ACTION);
	cursor_bind_text(cursor, "object", many->order);
	*ret_noted = cursor_next(cursor);
	return cursor_end(cursor, err);
}

static int write_rows(struct store_session *session, void *argument, struct err *err)
{
	struct chunk *chunk = argument;

	for (size_t i = 0; i < chunk->count; i++) {
		struct one *one = &chunk->ones[i];

		if (one->rc == 0)
			one->rc = issue_write_row(&one->issue, session, err);
		if (one->rc != 0 && one->rc != ERR_NOT_FOUND && one->rc != ERR_WRONG_STATE && one->rc != ERR_EXISTS)
			return one->rc;
	}
	return issue_note_serial(chunk->ones[chunk->count - 1].issue.order.serial, session, err);
}

static int write_first(struct store_session *session, void *argument, struct err *err)
{
	struct chunk *chunk = argument;
	bool noted;
	int rc = noted_before(chunk->many, session, &noted, err);

	if (rc == 0 && !noted)
		rc = note_order(chunk->many, session, err);
	return rc == 0 ? write_rows(session, chunk, err) : rc;
}

/* --- a chunk --- */

/* Payloads of those that are to be, behind one another in `all`. */
static int pack_orders(const struct chunk *chunk, struct buf *all, struct bytes *payloads, struct buf **outs,
		       size_t *ret_count, struct err *err)
{
	size_t count = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < chunk->count; i++) {
		struct one *one = &chunk->ones[i];
		size_t before = all->size;

		if (one->rc != 0)
			continue;
		rc = order_pack(&one->issue.order, all, err);
		payloads[count].size = all->size - before;
		outs[count++] = &one->issue.envelope;
	}
	for (size_t i = 0, at = 0; rc == 0 && i < count; at += payloads[i].size, i++)
		payloads[i].data = all->data + at;
	*ret_count = count;
	return rc;
}

static int sign_stamped(struct chunk *chunk, struct err *err)
{
	const size_t room = chunk->count > 0 ? chunk->count : 1;
	struct bytes *payloads = calloc(room, sizeof(*payloads));
	struct buf **outs = calloc(room, sizeof(struct buf *));
	struct buf all;
	size_t count = 0;
	int rc = err_set(err, ERR_MEMORY, "no memory for the commands");

	buf_init(&all, chunk->count * WIRE_SIGNED_MAX_BYTES);
	if (payloads != NULL && outs != NULL)
		rc = pack_orders(chunk, &all, payloads, outs, &count, err);
	if (rc == 0)
		rc = signer_envelopes(chunk->many->front->signer, payloads, count, outs, err);
	buf_done(&all);
	free(payloads);
	free(outs);
	return rc;
}

static void stamp_anew(struct chunk *chunk)
{
	time_us now = env_wall(chunk->many->front->env);

	for (size_t i = 0; i < chunk->count; i++) {
		chunk->ones[i].issue.order.issued = now;
		buf_reset(&chunk->ones[i].issue.envelope);
	}
}

static int sign(struct chunk *chunk, struct err *err)
{
	int rc = sign_stamped(chunk, err);

	for (int stamps = 1; rc == ERR_CLOCK && stamps < ORDER_STAMPS_MAX; stamps++) {
		stamp_anew(chunk);
		rc = sign_stamped(chunk, err);
	}
	return rc;
}

static void begin(struct chunk *chunk)
{
	struct many *many = chunk->many;
	struct chunk *first = many->chunks;
	int rc;

	for (size_t i = 0; i < chunk->count; i++) {
		chunk->ones[i].issue.order.serial = issue_take_serial(many->front);
		issue_take_session(&chunk->ones[i].issue);
	}
	chunk->rc = sign(chunk, &chunk->err);
	/* Nothing is stored of an order that is not in the audit log. */
	if (chunk != first) {
		wait_written(first);
		if (chunk->rc == 0 && first->rc != 0)
			chunk->rc = err_set(&chunk->err, first->rc, "%s", first->err.text);
	}
	if (chunk->rc != 0)
		return;
	chunk->writing = true;
	rc = store_write(many->front->store, chunk == first ? write_first : write_rows, written, chunk);
	if (rc == 0)
		return;
	chunk->writing = false; /* written() will not be called */
	chunk->rc = err_set(&chunk->err, rc, "the manager stores more than it can keep up with");
}

static void hand_over(struct many *many, struct one *one)
{
	struct err err = { 0 };

	if (one->rc == 0)
		one->rc = issue_hand_over(&one->issue, &err);
	if (one->rc != 0 && one->rc != ERR_EXISTS)
		return;
	many->ids[one - many->ones] = one->issue.order.id;
	many->issued++;
}

static void publish(const struct chunk *chunk)
{
	struct feed *feed = chunk->many->front->feed;
	struct front_news news[NEWS_AT_ONCE];
	size_t count = 0;

	for (size_t i = 0; i < chunk->count; i++) {
		const struct order *order = &chunk->ones[i].issue.order;

		if (chunk->ones[i].rc != 0)
			continue;
		news[count++] =
		    (struct front_news){ .topic = FRONT_TOPIC_COMMAND, .id = order->id, .computer = order->computer };
		if (count == COUNT_OF(news)) {
			feed_publish(feed, news, count);
			count = 0;
		}
	}
	feed_publish(feed, news, count);
}

static void finish(struct chunk *chunk)
{
	if (chunk->rc != 0) {
		LOG(LOG_ERROR, "commands.not_issued", log_number("computers", (int64_t)chunk->count),
		    log_err(&chunk->err));
		return;
	}
	for (size_t i = 0; i < chunk->count; i++)
		hand_over(chunk->many, &chunk->ones[i]);
	publish(chunk);
}

/* --- all of them --- */

static void run_chunks(struct many *many)
{
	size_t finished = 0;

	/* What reaches an agent has a higher serial than what did before. */
	shards_begin_issuing(many->front->shards);
	for (size_t i = 0; i < many->chunk_count; i++) {
		begin(&many->chunks[i]);
		while (finished <= i && is_written(&many->chunks[finished]))
			finish(&many->chunks[finished++]);
	}
	for (; finished < many->chunk_count; finished++) {
		wait_written(&many->chunks[finished]);
		finish(&many->chunks[finished]);
	}
	shards_end_issuing(many->front->shards);
}

static int read_before(struct store_session *session, void *argument, struct err *err)
{
	struct many *many = argument;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < many->count; i++) {
		struct one *one = &many->ones[i];

		rc = issue_read_before(session, &one->issue, err);
		one->rc = one->issue.done_before ? ERR_EXISTS : 0;
	}
	return rc;
}

static int run(struct many *many, struct err *err)
{
	int rc = many->actor->once != NULL ? store_read(many->front->store, read_before, many, err) : 0;

	if (rc != 0)
		return rc;
	run_chunks(many);
	for (size_t i = 0; many->issued == 0 && i < many->chunk_count; i++) {
		if (many->chunks[i].rc == 0)
			continue;
		*err = many->chunks[i].err;
		return many->chunks[i].rc;
	}
	return 0;
}

/* {"kind": …, "computers": N, …the command's own arguments} */
static int describe(struct many *many, const struct issue *common, struct err *err)
{
	json_t *json = json_loads(common->arguments, 0, NULL);

	if (json_object_set_new(json, "kind", json_string(command_kind_name((unsigned)common->order.kind))) == 0 &&
	    json_object_set_new(json, "computers", json_integer((json_int_t)many->count)) == 0)
		many->detail = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	return many->detail != NULL ? 0 : err_set(err, ERR_MEMORY, "no memory for the commands");
}

static int fill(struct many *many, const struct front_command *asked, const struct uuid *computers, struct err *err)
{
	struct issue common = {
		.front = many->front, .asked = asked, .actor = many->actor, .row = command_row_find(asked->kind)
	};
	struct uuid order;
	int rc = issue_check(&common, err);

	if (rc == 0 && common.row->target != TARGET_NONE)
		rc = err_set(err, ERR_RANGE, "%s is for one computer", front_command_kind_name(asked->kind));
	if (rc == 0)
		rc = issue_fill(&common, err);
	if (rc != 0)
		return rc;
	many->arguments = common.arguments;
	for (size_t i = 0; i < many->count; i++) {
		struct issue *issue = &many->ones[i].issue;

		*issue = common;
		issue->order.computer = computers[i];
		issue->order.id = issue_new_id(issue);
		issue->shard = shards_of(many->front->shards, &computers[i]);
		buf_init(&issue->envelope, WIRE_ENVELOPE_MAX_BYTES);
	}
	order = issue_order_id(&common);
	uuid_format(&order, many->order);
	return describe(many, &common, err);
}

static int lay_out(struct many *many, struct err *err)
{
	many->chunk_count = (many->count + CHUNK_COMPUTERS - 1) / CHUNK_COMPUTERS;
	many->ones = calloc(many->count, sizeof(*many->ones));
	many->chunks = calloc(many->chunk_count, sizeof(*many->chunks));
	if (many->ones == NULL || many->chunks == NULL)
		return err_set(err, ERR_MEMORY, "no memory for the commands");
	for (size_t i = 0; i < many->chunk_count; i++) {
		size_t first = i * CHUNK_COMPUTERS, left = many->count - first;

		many->chunks[i] = (struct chunk){ .many = many,
						  .ones = many->ones + first,
						  .count = left < CHUNK_COMPUTERS ? left : CHUNK_COMPUTERS };
	}
	return 0;
}

static void done(struct many *many)
{
	for (size_t i = 0; many->ones != NULL && i < many->count; i++)
		buf_done(&many->ones[i].issue.envelope);
	free(many->ones);
	free(many->chunks);
	free(many->arguments);
	free(many->detail);
	pthread_cond_destroy(&many->written);
	pthread_mutex_destroy(&many->lock);
}

int front_command_issue_many(struct front *front, const struct front_command *command, const struct uuid *computers,
			     size_t count, const struct front_actor *actor, struct uuid *ret_ids, struct err *err)
{
	struct many many = { .front = front, .actor = actor, .ids = ret_ids, .count = count };
	int rc;

	if (count == 0 || count > FRONT_COMMANDS_MAX)
		return err_set(err, ERR_RANGE, "computers: 1 to %d", FRONT_COMMANDS_MAX);
	memset(ret_ids, 0, count * sizeof(*ret_ids));
	pthread_mutex_init(&many.lock, NULL);
	pthread_cond_init(&many.written, NULL);
	rc = lay_out(&many, err);
	if (rc == 0)
		rc = fill(&many, command, computers, err);
	if (rc == 0)
		rc = run(&many, err);
	done(&many);
	return rc;
}
