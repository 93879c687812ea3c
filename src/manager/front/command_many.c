/* One command for many computers (front_command_issue_many() of front.h).
 *
 * Computers are taken shard by shard: while one shard's commands are written by
 * the store, the next one's are signed by keys, which takes about as long. They
 * are handed over when all are stored: agents that have theirs report at once,
 * and what they report would stand in the writer's queue before the rest.
 * Arguments come from people; paths may hold any bytes but NUL.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "manager/front/command_parts.h"
#include "wire/limits.h"

struct one {
	struct issue issue;
	size_t index; /* in the caller's list */
	int rc;       /* 0 so far, or why it was left out; ERR_EXISTS: done before, by the same request */
};

/* The commands for the computers of one shard. */
struct part {
	struct many *many;
	struct shard *shard;
	struct one *ones;
	size_t count;
	bool writing;
	int rc; /* of the whole part */
	struct err err;
};

struct many {
	struct front *front;
	const struct front_actor *actor;
	struct one *ones; /* by shard */
	struct part parts[SHARD_COUNT];
	char *arguments; /* of all, as JSON */
	struct uuid *ids;
	size_t issued;
	pthread_mutex_t lock; /* of part.writing and part.rc */
	pthread_cond_t written;
};

/* --- a part's steps --- */

static int read_serials(struct store_session *session, void *argument, struct err *err)
{
	struct part *part = argument;

	for (size_t i = 0; i < part->count; i++) {
		struct one *one = &part->ones[i];

		one->rc = issue_read_before(session, &one->issue, err);
		if (one->rc == 0)
			one->rc = one->issue.done_before ? ERR_EXISTS : issue_read_serial(session, &one->issue, err);
		if (one->rc != 0 && one->rc != ERR_NOT_FOUND && one->rc != ERR_EXISTS)
			return one->rc;
	}
	return 0;
}

/* Payloads of those that are there, behind one another in `all`. */
static int pack_orders(const struct part *part, struct buf *all, struct bytes *payloads, struct buf **outs,
		       size_t *ret_count, struct err *err)
{
	size_t count = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < part->count; i++) {
		struct one *one = &part->ones[i];
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

static int sign(struct part *part, struct err *err)
{
	struct bytes *payloads = calloc(part->count, sizeof(*payloads));
	struct buf **outs = calloc(part->count, sizeof(struct buf *));
	struct buf all;
	size_t count = 0;
	int rc = err_set(err, ERR_MEMORY, "no memory for the commands");

	buf_init(&all, part->count * WIRE_SIGNED_MAX_BYTES);
	if (payloads != NULL && outs != NULL)
		rc = pack_orders(part, &all, payloads, outs, &count, err);
	if (rc == 0 && count > 0)
		rc = signer_envelopes(part->many->front->signer, payloads, count, outs, err);
	buf_done(&all);
	free(payloads);
	free(outs);
	return rc;
}

static int write_rows(struct store_session *session, void *argument, struct err *err)
{
	struct part *part = argument;

	for (size_t i = 0; i < part->count; i++) {
		struct one *one = &part->ones[i];

		if (one->rc == 0)
			one->rc = issue_write_row(&one->issue, session, err);
		if (one->rc != 0 && one->rc != ERR_NOT_FOUND && one->rc != ERR_EXISTS)
			return one->rc;
	}
	return 0;
}

/* The writer's thread. */
static void written(void *argument, int rc, const struct err *err)
{
	struct part *part = argument;

	pthread_mutex_lock(&part->many->lock);
	part->writing = false;
	part->rc = rc;
	part->err = *err;
	pthread_cond_signal(&part->many->written);
	pthread_mutex_unlock(&part->many->lock);
}

/* Takes the shard's turn to issue, which finish() gives back. */
static void begin(struct part *part)
{
	struct store *store = part->many->front->store;
	int rc;

	pthread_mutex_lock(&part->shard->issuing);
	part->rc = store_read(store, read_serials, part, &part->err);
	if (part->rc == 0)
		part->rc = sign(part, &part->err);
	if (part->rc != 0)
		return;
	part->writing = true;
	rc = store_write(store, write_rows, written, part);
	if (rc != 0) { /* written() will not be called */
		part->writing = false;
		part->rc = err_set(&part->err, rc, "the manager stores more than it can keep up with");
	}
}

static void hand_over(struct many *many, struct one *one)
{
	struct err err = { 0 };

	if (one->rc == 0)
		one->rc = issue_hand_over(&one->issue, &err);
	if (one->rc != 0 && one->rc != ERR_EXISTS)
		return;
	many->ids[one->index] = one->issue.order.id;
	many->issued++;
}

static void publish(struct many *many, const struct part *part)
{
	for (size_t i = 0; i < part->count; i++) {
		const struct order *order = &part->ones[i].issue.order;
		const struct front_news news = { .topic = FRONT_TOPIC_COMMAND,
						 .id = order->id,
						 .computer = order->computer };

		if (part->ones[i].rc == 0)
			feed_publish(many->front->feed, &news, 1);
	}
}

static void wait_written(struct part *part)
{
	struct many *many = part->many;

	pthread_mutex_lock(&many->lock);
	while (part->writing)
		pthread_cond_wait(&many->written, &many->lock);
	pthread_mutex_unlock(&many->lock);
}

static void finish(struct part *part)
{
	struct many *many = part->many;

	for (size_t i = 0; part->rc == 0 && i < part->count; i++)
		hand_over(many, &part->ones[i]);
	pthread_mutex_unlock(&part->shard->issuing);
	if (part->rc == 0)
		publish(many, part);
	else
		LOG(LOG_ERROR, "commands.not_issued", log_number("computers", (int64_t)part->count),
		    log_err(&part->err));
}

/* --- all of them --- */

static int run_parts(struct many *many, struct err *err)
{
	int rc = 0;

	/* In the order of shards, as everybody who takes several turns to issue. */
	for (size_t i = 0; i < SHARD_COUNT; i++) {
		if (many->parts[i].count > 0)
			begin(&many->parts[i]);
	}
	for (size_t i = 0; i < SHARD_COUNT; i++) {
		if (many->parts[i].count > 0)
			wait_written(&many->parts[i]);
	}
	for (size_t i = 0; i < SHARD_COUNT; i++) {
		if (many->parts[i].count > 0)
			finish(&many->parts[i]);
	}
	for (size_t i = 0; rc == 0 && i < SHARD_COUNT; i++)
		rc = many->parts[i].rc;
	if (rc == 0 || many->issued > 0)
		return 0;
	for (size_t i = 0; i < SHARD_COUNT; i++) {
		if (many->parts[i].rc == rc)
			*err = many->parts[i].err;
	}
	return rc;
}

static int note_asked(struct store_session *session, void *argument, struct err *err)
{
	struct many *many = argument;

	return front_audit(many->front, session, many->actor, "command.issue_many", "", many->arguments, "done", err);
}

/* {"kind": …, "computers": N, …the command's own arguments} */
static int describe(struct many *many, const struct one *first, size_t count, struct err *err)
{
	json_t *json = json_loads(first->issue.arguments, 0, NULL);

	if (json_object_set_new(json, "kind", json_string(command_kind_name((unsigned)first->issue.order.kind))) == 0 &&
	    json_object_set_new(json, "computers", json_integer((json_int_t)count)) == 0)
		many->arguments = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	return many->arguments != NULL ? 0 : err_set(err, ERR_MEMORY, "no memory for the commands");
}

/* Places for each shard's computers, one behind the other in many->ones. */
static void lay_out(struct many *many, const struct uuid *computers, size_t count)
{
	size_t at = 0;

	for (size_t i = 0; i < SHARD_COUNT; i++)
		many->parts[i] = (struct part){ .many = many, .shard = shards_at(many->front->shards, i) };
	for (size_t i = 0; i < count; i++) {
		struct shard *shard = shards_of(many->front->shards, &computers[i]);

		many->parts[shard - shards_at(many->front->shards, 0)].count++;
	}
	for (size_t i = 0; i < SHARD_COUNT; i++) {
		many->parts[i].ones = many->ones + at;
		at += many->parts[i].count;
		many->parts[i].count = 0;
	}
}

static int fill(struct many *many, const struct front_command *asked, const struct uuid *computers, size_t count,
		struct err *err)
{
	const struct issue common = {
		.front = many->front, .asked = asked, .actor = many->actor, .row = command_row_find(asked->kind)
	};
	int rc = issue_check(&common, err);

	if (rc == 0 && common.row->target != TARGET_NONE)
		rc = err_set(err, ERR_RANGE, "%s is for one computer", front_command_kind_name(asked->kind));
	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct shard *shard = shards_of(many->front->shards, &computers[i]);
		struct part *part = &many->parts[shard - shards_at(many->front->shards, 0)];
		struct one *one = &part->ones[part->count++];

		*one = (struct one){ .issue = common, .index = i };
		buf_init(&one->issue.envelope, WIRE_ENVELOPE_MAX_BYTES);
		one->issue.shard = shard;
		one->issue.order.computer = computers[i];
		rc = issue_fill(&one->issue, err);
	}
	return rc == 0 ? describe(many, many->ones, count, err) : rc;
}

static void done(struct many *many, size_t count)
{
	for (size_t i = 0; many->ones != NULL && i < count; i++) {
		buf_done(&many->ones[i].issue.envelope);
		free(many->ones[i].issue.arguments);
	}
	free(many->ones);
	free(many->arguments);
	pthread_cond_destroy(&many->written);
	pthread_mutex_destroy(&many->lock);
}

int front_command_issue_many(struct front *front, const struct front_command *command, const struct uuid *computers,
			     size_t count, const struct front_actor *actor, struct uuid *ret_ids, struct err *err)
{
	struct many many = { .front = front, .actor = actor, .ids = ret_ids };
	int rc;

	if (count == 0 || count > FRONT_COMMANDS_MAX)
		return err_set(err, ERR_RANGE, "computers: 1 to %d", FRONT_COMMANDS_MAX);
	memset(ret_ids, 0, count * sizeof(*ret_ids));
	pthread_mutex_init(&many.lock, NULL);
	pthread_cond_init(&many.written, NULL);
	many.ones = calloc(count, sizeof(*many.ones));
	if (many.ones == NULL) {
		rc = err_set(err, ERR_MEMORY, "no memory for the commands");
	} else {
		lay_out(&many, computers, count);
		rc = fill(&many, command, computers, count, err);
	}
	if (rc == 0)
		rc = store_write_wait(front->store, note_asked, &many, err);
	if (rc == 0)
		rc = run_parts(&many, err);
	done(&many, count);
	return rc;
}
