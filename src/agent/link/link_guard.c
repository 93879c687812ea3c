/* The channel to guard (agent/link/link_guard.h). Guard is trusted to be guard; its messages are still decoded
 * strictly. */
#include "agent/link/link_guard.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define WAITING_MAX     512
#define RETRY_US        (10 * MILLISECOND_US)
#define SYNC_RETRY_US   (5 * SECOND_US)
#define RECEIVE_AT_ONCE 64

struct ask {
	uint32_t request;
	link_guard_answer answer;
	link_guard_item item;
	void *argument;
	struct ask *next;
};

struct outgoing {
	uint16_t type;
	uint32_t request;
	int fd;
	size_t size;
	struct outgoing *next;
	uint8_t payload[];
};

struct link_guard {
	struct channel channel;
	struct loop_watch *watch;
	struct loop_timer *retry;
	struct loop_timer *sync_retry;
	struct link_guard_handlers handlers;
	struct ask *asks;
	struct outgoing *first, **last;
	size_t waiting;
	uint32_t request;
	uint64_t notice; /* the newest one taken, 0: none since the last flush */
	bool gone;
};

static void end_peer(struct link_guard *guard, const char *why)
{
	if (guard->gone)
		return;
	guard->gone = true;
	guard->handlers.gone(guard->handlers.context, why);
}

static void drop_outgoing(struct link_guard *guard)
{
	struct outgoing *message = guard->first;

	guard->first = message->next;
	if (guard->first == NULL)
		guard->last = &guard->first;
	guard->waiting--;
	if (message->fd >= 0)
		close(message->fd);
	explicit_bzero(message->payload, message->size);
	free(message);
}

static void send_waiting(void *argument)
{
	struct link_guard *guard = argument;
	struct err err;

	while (guard->first != NULL && !guard->gone) {
		struct outgoing *message = guard->first;
		int rc = channel_send(&guard->channel, message->type, message->request, message->payload, message->size,
				      message->fd, &err);

		if (rc == ERR_BUSY) {
			loop_timer_set(guard->retry, RETRY_US);
			return;
		}
		if (rc)
			end_peer(guard, err.text);
		drop_outgoing(guard);
	}
}

static int enqueue(struct link_guard *guard, enum message_type type, uint32_t request, const struct buf *payload,
		   int fd, struct err *err)
{
	size_t size = payload ? payload->size : 0;
	struct outgoing *message;

	if (payload && payload->status)
		return err_set(err, payload->status, "a request to guard is too large");
	if (guard->waiting == WAITING_MAX)
		return err_set(err, ERR_LIMIT, "guard does not take requests now");
	message = malloc(sizeof(*message) + size);
	if (message == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	*message = (struct outgoing){ .type = (uint16_t)type, .request = request, .size = size, .fd = -1 };
	if (fd >= 0)
		message->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (size)
		memcpy(message->payload, payload->data, size);
	*guard->last = message;
	guard->last = &message->next;
	guard->waiting++;
	send_waiting(guard);
	return 0;
}

static struct ask **find_ask(struct link_guard *guard, uint32_t request)
{
	struct ask **at = &guard->asks;

	while (*at != NULL && (*at)->request != request)
		at = &(*at)->next;
	return at;
}

/* --- what comes --- */

static int take_notice(struct link_guard *guard, const struct channel_message *message)
{
	struct message_notice notice;
	struct err err = { 0 };
	int rc = message_unpack_notice(message->payload, message->size, &notice);

	if (rc || guard->handlers.notice == NULL)
		return rc;
	rc = guard->handlers.notice(guard->handlers.context, &notice, &err);
	if (rc)
		LOG(LOG_ERROR, "link.notice_not_kept", log_number("number", (int64_t)notice.number), log_err(&err));
	else if (notice.number > guard->notice)
		guard->notice = notice.number;
	return rc;
}

static int take_progress(struct link_guard *guard, const struct channel_message *message)
{
	struct message_progress progress;
	int rc = message_unpack_progress(message->payload, message->size, &progress);

	if (rc == 0)
		guard->handlers.progress(guard->handlers.context, &progress);
	return rc;
}

static int take_component(struct link_guard *guard, const struct channel_message *message)
{
	struct message_component component;
	int rc = message_unpack_component(message->payload, message->size, &component);

	if (rc == 0)
		guard->handlers.component(guard->handlers.context, &component);
	return rc;
}

static int take_item(struct link_guard *guard, const struct channel_message *message)
{
	struct message_item item;
	struct ask *ask = *find_ask(guard, message->request);
	int rc = message_unpack_item(message->payload, message->size, &item);

	if (rc == 0 && (ask == NULL || ask->item == NULL))
		rc = ERR_DENIED;
	if (rc == 0)
		ask->item(ask->argument, &item);
	return rc;
}

static int take_answer(struct link_guard *guard, const struct channel_message *message)
{
	struct message_answer answer;
	struct ask **at = find_ask(guard, message->request), *ask = *at;
	int rc = message_unpack_answer(message->payload, message->size, &answer);

	if (rc == 0 && ask == NULL)
		rc = ERR_DENIED;
	if (rc) {
		if (message->fd >= 0)
			close(message->fd);
		return rc;
	}
	*at = ask->next;
	ask->answer(ask->argument, &answer, message->fd);
	explicit_bzero(answer.key, sizeof(answer.key));
	free(ask);
	return 0;
}

static const struct {
	enum message_type type;
	int (*take)(struct link_guard *guard, const struct channel_message *message);
} takers[] = {
	{ MESSAGE_NOTICE, take_notice }, { MESSAGE_JOB_PROGRESS, take_progress }, { MESSAGE_COMPONENT, take_component },
	{ MESSAGE_ITEM, take_item },     { MESSAGE_ANSWER, take_answer },         { MESSAGE_ANSWER_FILE, take_answer },
};

static int take(struct link_guard *guard, const struct channel_message *message)
{
	for (size_t i = 0; i < COUNT_OF(takers); i++) {
		if (takers[i].type == (enum message_type)message->type)
			return takers[i].take(guard, message);
	}
	return ERR_DENIED;
}

/* One sync for all notices of a batch. */
static void store_notices(void *argument)
{
	struct link_guard *guard = argument;
	struct buf payload;
	struct err err;

	if (guard->notice == 0)
		return;
	if (guard->handlers.flush(guard->handlers.context, &err)) { /* a full disk, say: guard keeps them meanwhile */
		LOG(LOG_ERROR, "link.spool_not_synced", log_err(&err));
		loop_timer_set(guard->sync_retry, SYNC_RETRY_US);
		return;
	}
	buf_init(&payload, 64);
	message_pack_number(&payload, guard->notice);
	guard->notice = 0;
	if (enqueue(guard, MESSAGE_NOTICE_STORED, 0, &payload, -1, &err))
		LOG(LOG_WARNING, "link.notice_stored_not_sent", log_err(&err));
	buf_done(&payload);
}

void link_guard_starts_anew(struct link_guard *guard)
{
	struct err err;

	if (enqueue(guard, MESSAGE_STARTS_ANEW, 0, NULL, -1, &err)) /* guard then tells of a role that ended */
		LOG(LOG_WARNING, "link.starts_anew_not_sent", log_err(&err));
}

static void on_readable(void *argument)
{
	struct link_guard *guard = argument;
	struct channel_message message;
	struct err err = { 0 };
	int rc = 0;

	for (int i = 0; rc == 0 && !guard->gone && i < RECEIVE_AT_ONCE; i++) {
		rc = channel_receive(&guard->channel, &message, &err);
		if (rc == 0)
			rc = take(guard, &message)
				 ? err_set(&err, ERR_DENIED, "guard's message %u is not accepted", message.type)
				 : 0;
	}
	if (!guard->gone)
		store_notices(guard);
	if (rc && rc != ERR_BUSY)
		end_peer(guard, err.text);
}

/* --- the object --- */

struct link_guard *link_guard_new(struct loop *loop, int fd, const struct link_guard_handlers *handlers,
				  struct err *err)
{
	struct link_guard *guard = calloc(1, sizeof(*guard));

	if (guard == NULL) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	guard->handlers = *handlers;
	guard->last = &guard->first;
	if (channel_init(&guard->channel, fd, message_permits_link, message_permits_link_count, err)) {
		free(guard);
		return NULL;
	}
	guard->watch = loop_watch_new(loop, fd, on_readable, guard);
	guard->retry = loop_timer_new(loop, send_waiting, guard);
	guard->sync_retry = loop_timer_new(loop, store_notices, guard);
	if (guard->watch == NULL || guard->retry == NULL || guard->sync_retry == NULL) {
		err_set(err, ERR_MEMORY, "out of memory");
		link_guard_free(guard);
		return NULL;
	}
	return guard;
}

void link_guard_free(struct link_guard *guard)
{
	if (guard == NULL)
		return;
	while (guard->first != NULL)
		drop_outgoing(guard);
	while (guard->asks != NULL) {
		struct ask *ask = guard->asks;

		guard->asks = ask->next;
		free(ask);
	}
	loop_timer_free(guard->sync_retry);
	loop_timer_free(guard->retry);
	loop_watch_free(guard->watch);
	channel_done(&guard->channel);
	free(guard);
}

static int ask_guard(struct link_guard *guard, enum message_type type, const struct buf *payload, int fd,
		     const struct ask *wanted, struct err *err)
{
	struct ask *ask = malloc(sizeof(*ask));
	int rc;

	if (ask == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	*ask = *wanted;
	ask->request = ++guard->request ? guard->request : ++guard->request; /* never 0 */
	ask->next = guard->asks;
	guard->asks = ask;
	rc = enqueue(guard, type, ask->request, payload, fd, err);
	if (rc) {
		guard->asks = ask->next;
		free(ask);
	}
	return rc;
}

int link_guard_ask(struct link_guard *guard, enum message_type type, const struct buf *payload, int fd,
		   link_guard_answer answer, void *argument, struct err *err)
{
	return ask_guard(guard, type, payload, fd, &(struct ask){ .answer = answer, .argument = argument }, err);
}

int link_guard_list(struct link_guard *guard, link_guard_item item, link_guard_answer answer, void *argument,
		    struct err *err)
{
	return ask_guard(guard, MESSAGE_ITEM_LIST, NULL, -1,
			 &(struct ask){ .answer = answer, .item = item, .argument = argument }, err);
}

int link_guard_target(struct link_guard *guard, enum message_type type, const struct uuid *id, bool overwrite,
		      link_guard_answer answer, void *argument, struct err *err)
{
	struct message_target target = { .id = *id, .overwrite = overwrite };
	struct buf payload;
	int rc;

	buf_init(&payload, 256);
	message_pack_target(&payload, &target);
	rc = link_guard_ask(guard, type, &payload, -1, answer, argument, err);
	buf_done(&payload);
	return rc;
}
