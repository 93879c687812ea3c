/* The courier role. Front asks, a thread a line delivers and answers; what
 * front asks is decoded like outside input. */
#include "manager/courier/courier.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "manager/courier/line.h"
#include "manager/messages.h"
#include "manager/role_start.h"

#define ANSWER_ROOM_WAIT_MS 10000

struct courier;

/* One thread, begun with the first delivery over this line. */
struct post {
	struct courier *courier;
	pthread_t thread;
	bool begun;
	struct line line;
	struct delivery *delivery; /* what is being delivered; NULL: idle */
	uint8_t *content;          /* the message it points into */
	size_t content_size;
	uint32_t request;
	unsigned epoch; /* of the channel that asked */
};

struct courier {
	struct channel supervisor;
	struct channel front;
	bool front_open;
	bool stop;
	pthread_mutex_t lock; /* of what follows, and of sending to front */
	pthread_cond_t changed;
	unsigned epoch;
	bool stopping;
	struct post posts[DELIVERY_LINES_MAX];
};

/* --- a line's thread --- */

static void answer(struct courier *courier, uint32_t request, unsigned epoch, const struct err *outcome)
{
	struct err err = { 0 };
	struct buf packed;

	buf_init(&packed, CHANNEL_PAYLOAD_MAX_BYTES);
	if (outcome->code != 0)
		message_pack_refused(&packed, outcome);
	pthread_mutex_lock(&courier->lock);
	if (courier->front_open && courier->epoch == epoch &&
	    channel_send_wait(&courier->front, outcome->code != 0 ? MESSAGE_REFUSED : MESSAGE_DELIVERED, request,
			      packed.data, packed.size, -1, ANSWER_ROOM_WAIT_MS, &err) != 0)
		LOG(LOG_WARNING, "courier.answer_failed", log_err(&err));
	pthread_mutex_unlock(&courier->lock);
	buf_done(&packed);
}

/* Passwords lie in it. */
static void forget(struct post *post)
{
	OPENSSL_cleanse(post->content, post->content_size);
	free(post->content);
	OPENSSL_cleanse(post->delivery, sizeof(*post->delivery));
	free(post->delivery);
	post->content = NULL;
	post->delivery = NULL;
}

static void *carry(void *argument)
{
	struct post *post = argument;
	struct courier *courier = post->courier;

	pthread_mutex_lock(&courier->lock);
	for (;;) {
		struct err outcome = { 0 };
		uint32_t request;
		unsigned epoch;

		while (post->delivery == NULL && !courier->stopping)
			pthread_cond_wait(&courier->changed, &courier->lock);
		if (courier->stopping)
			break;
		pthread_mutex_unlock(&courier->lock);
		if (line_deliver(&post->line, post->delivery, &outcome) == 0)
			outcome.code = 0;
		pthread_mutex_lock(&courier->lock);
		request = post->request;
		epoch = post->epoch;
		forget(post);
		pthread_mutex_unlock(&courier->lock);
		answer(courier, request, epoch, &outcome);
		pthread_mutex_lock(&courier->lock);
	}
	pthread_mutex_unlock(&courier->lock);
	return NULL;
}

/* --- what front asks --- */

static int copy_delivery(const struct channel_message *message, struct post *made, struct err *err)
{
	int rc;

	made->content = malloc(message->size > 0 ? message->size : 1);
	made->content_size = message->size;
	made->delivery = calloc(1, sizeof(*made->delivery));
	if (made->content == NULL || made->delivery == NULL) {
		free(made->content);
		free(made->delivery);
		return err_set(err, ERR_MEMORY, "no memory");
	}
	memcpy(made->content, message->payload, message->size);
	rc = delivery_unpack(made->content, made->content_size, made->delivery);
	if (rc != 0) {
		forget(made);
		return err_set(err, rc, "a delivery that does not decode");
	}
	return 0;
}

static int begin_thread(struct courier *courier, struct post *post, struct err *err)
{
	int rc;

	if (post->begun)
		return 0;
	post->courier = courier;
	rc = pthread_create(&post->thread, NULL, carry, post);
	post->begun = rc == 0;
	return rc == 0 ? 0 : err_errno(err, rc, "start a thread");
}

/* Holds the lock. A line carries one thing at a time: front waits for the answer. */
static int hand_over(struct courier *courier, const struct post *made, uint32_t request, struct err *err)
{
	struct post *post = &courier->posts[made->delivery->line];
	int rc = post->delivery == NULL ? begin_thread(courier, post, err)
					: err_set(err, ERR_BUSY, "the line is still busy with the delivery before");

	if (rc != 0)
		return rc;
	post->delivery = made->delivery;
	post->content = made->content;
	post->content_size = made->content_size;
	post->request = request;
	post->epoch = courier->epoch;
	pthread_cond_broadcast(&courier->changed);
	return 0;
}

static void take_delivery(struct courier *courier, const struct channel_message *message)
{
	struct post made = { 0 };
	struct err err = { 0 };
	unsigned epoch;
	int rc = copy_delivery(message, &made, &err);

	pthread_mutex_lock(&courier->lock);
	epoch = courier->epoch;
	if (rc == 0) {
		rc = hand_over(courier, &made, message->request, &err);
		if (rc != 0)
			forget(&made);
	}
	pthread_mutex_unlock(&courier->lock);
	if (rc != 0)
		answer(courier, message->request, epoch, &err);
}

static void close_front(struct courier *courier)
{
	pthread_mutex_lock(&courier->lock);
	if (courier->front_open)
		channel_done(&courier->front);
	courier->front_open = false;
	courier->epoch++;
	pthread_mutex_unlock(&courier->lock);
}

static void hear_front(struct courier *courier)
{
	struct channel_message message;
	struct err err = { 0 };
	int rc = channel_receive(&courier->front, &message, &err);

	if (rc == 0)
		take_delivery(courier, &message);
	if (rc == 0 || rc == ERR_BUSY)
		return;
	close_front(courier);
	if (rc == ERR_CLOSED)
		return;
	LOG(LOG_ERROR, "courier.peer_broke_rules", log_text("peer", "front"), log_err(&err));
	channel_send(&courier->supervisor, MESSAGE_BROKEN, 0, NULL, 0, -1, &err);
}

static void hear_supervisor(struct courier *courier)
{
	struct channel_message message;
	struct err err = { 0 };
	int rc = channel_receive(&courier->supervisor, &message, &err);

	if (rc == ERR_BUSY)
		return;
	if (rc != 0 || message.type != MESSAGE_ATTACH) {
		courier->stop = true;
		return;
	}
	close_front(courier);
	pthread_mutex_lock(&courier->lock);
	rc = channel_init(&courier->front, message.fd, messages_asked_of_courier.permits,
			  messages_asked_of_courier.count, &err);
	courier->front_open = rc == 0;
	pthread_mutex_unlock(&courier->lock);
	if (rc != 0)
		close(message.fd);
}

/* --- from start to end --- */

static void serve(struct courier *courier)
{
	while (!courier->stop) {
		struct pollfd watched[2] = {
			{ .fd = courier->supervisor.fd, .events = POLLIN },
			{ .fd = courier->front_open ? courier->front.fd : -1, .events = POLLIN },
		};

		if (poll(watched, COUNT_OF(watched), -1) < 0 && errno != EINTR)
			return;
		if (watched[0].revents != 0)
			hear_supervisor(courier);
		else if (watched[1].revents != 0)
			hear_front(courier);
	}
}

/* A delivery under way has LINE_PATIENCE_S at most; front was told to stop before and waits for none. */
static void finish(struct courier *courier)
{
	bool idle = true;

	close_front(courier);
	pthread_mutex_lock(&courier->lock);
	courier->stopping = true;
	pthread_cond_broadcast(&courier->changed);
	for (size_t i = 0; i < DELIVERY_LINES_MAX; i++)
		idle = idle && courier->posts[i].delivery == NULL;
	pthread_mutex_unlock(&courier->lock);
	for (size_t i = 0; idle && i < DELIVERY_LINES_MAX; i++) {
		if (courier->posts[i].begun)
			pthread_join(courier->posts[i].thread, NULL);
		line_close(&courier->posts[i].line);
	}
	/* What is still under way was not confirmed and is delivered after the next start. */
	if (!idle)
		_exit(0);
}

int courier_main(const char *data_directory)
{
	static struct courier courier = { .supervisor = { .fd = -1 }, .front = { .fd = -1 } };
	struct err err = { 0 };
	int rc;

	pthread_mutex_init(&courier.lock, NULL);
	pthread_cond_init(&courier.changed, NULL);
	rc = role_start(ROLE_NAME_COURIER, data_directory, &courier.supervisor, &err);
	if (rc == 0 && curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		rc = err_set(&err, ERR_INTERNAL, "libcurl does not start");
	if (rc == 0)
		rc = role_enclose(ROLE_NAME_COURIER, data_directory, NULL, 0, &err);
	if (rc == 0)
		rc = channel_send(&courier.supervisor, MESSAGE_READY, 0, NULL, 0, -1, &err);
	if (rc == 0) {
		LOG(LOG_INFO, "courier.started", log_number("pid", getpid()));
		serve(&courier);
		LOG(LOG_INFO, "courier.stopped", log_number("pid", getpid()));
	} else {
		LOG(LOG_ERROR, "courier.failed", log_err(&err));
	}
	finish(&courier);
	channel_done(&courier.supervisor);
	curl_global_cleanup();
	return rc == 0 ? 0 : 1;
}
