/* Answers written by a worker piece by piece, as fast as the client takes them.
 *
 * The worker fills `pending` up to a bound and waits; the loop moves it to the
 * connection when the last piece is nearly sent. So a slow client costs one
 * buffer and one worker, and a client that left wakes the worker with ERR_CLOSED.
 */
#include <pthread.h>
#include <stdlib.h>

#include "manager/api/call_state.h"

#define PENDING_MAX_BYTES (256 * 1024)

struct answer_stream {
	pthread_mutex_t mutex;
	pthread_cond_t room;
	/* under the mutex */
	struct buf pending;
	bool gone, ended, posted;
	/* loop thread */
	bool begun, drained;
};

void answer_stream_free(struct answer_stream *stream)
{
	if (stream == NULL)
		return;
	buf_wipe(&stream->pending);
	pthread_cond_destroy(&stream->room);
	pthread_mutex_destroy(&stream->mutex);
	free(stream);
}

void answer_stream_gone(struct answer_stream *stream)
{
	pthread_mutex_lock(&stream->mutex);
	stream->gone = true;
	pthread_cond_signal(&stream->room);
	pthread_mutex_unlock(&stream->mutex);
}

static void pump(struct api_call *call);

static void on_drain(struct http_request *request)
{
	struct api_call *call = http_data(request);

	if (call == NULL)
		return;
	call->loop_stream->drained = true;
	pump(call);
}

/* Moves what is pending to the connection; ends the reply after the last piece. */
static void pump(struct api_call *call)
{
	struct answer_stream *stream = call->loop_stream;
	uint8_t *bytes = NULL;
	size_t size = 0;
	bool ended;

	pthread_mutex_lock(&stream->mutex);
	if (stream->drained) {
		size_t capacity = stream->pending.max;

		bytes = buf_take(&stream->pending, &size);
		buf_init(&stream->pending, capacity);
		pthread_cond_signal(&stream->room);
	}
	ended = stream->ended && stream->pending.size == 0;
	pthread_mutex_unlock(&stream->mutex);
	if (size > 0) {
		stream->drained = false;
		http_reply_body(call->request, bytes, size);
	}
	free(bytes);
	if (ended && call->request != NULL) {
		struct http_request *request = call->request;

		call->request = NULL;
		http_set_data(request, NULL);
		http_reply_end(request);
		call_unref(call);
	}
}

/* Posted by the worker, with a reference. */
static void posted(void *argument)
{
	struct api_call *call = argument;
	struct answer_stream *stream = call->stream;

	call->loop_stream = stream;
	pthread_mutex_lock(&stream->mutex);
	stream->posted = false;
	pthread_mutex_unlock(&stream->mutex);
	if (call->request == NULL) {
		answer_stream_gone(stream);
	} else {
		if (!stream->begun) {
			stream->begun = true;
			stream->drained = true;
			http_reply_begin(call->request, call->status, call->content_type, call_headers(call),
					 UINT64_MAX, on_drain);
		}
		if (call->request != NULL)
			pump(call);
	}
	call_unref(call);
}

/* Asks the loop to look at the stream. Called without the mutex, once a flag said so. */
static int post(struct api_call *call, struct err *err)
{
	call_ref(call);
	if (loop_post(call->loop, posted, call) == 0)
		return 0;
	call_unref(call);
	return err_set(err, ERR_MEMORY, "no memory");
}

int api_stream_begin(struct api_call *call, const char *content_type, struct err *err)
{
	struct answer_stream *stream = calloc(1, sizeof(*stream));

	if (stream == NULL)
		return err_set(err, ERR_MEMORY, "no memory");
	pthread_mutex_init(&stream->mutex, NULL);
	pthread_cond_init(&stream->room, NULL);
	buf_init(&stream->pending, 2 * PENDING_MAX_BYTES);
	stream->posted = true;
	snprintf(call->content_type, sizeof(call->content_type), "%s", content_type);
	call->status = 200;
	call->answered = true;
	call->stream = stream;
	return post(call, err);
}

static int put(struct answer_stream *stream, const uint8_t *bytes, size_t size, bool *ret_post, struct err *err)
{
	int rc = 0;

	pthread_mutex_lock(&stream->mutex);
	while (!stream->gone && stream->pending.size >= PENDING_MAX_BYTES)
		pthread_cond_wait(&stream->room, &stream->mutex);
	if (stream->gone)
		rc = err_set(err, ERR_CLOSED, "the client left");
	else
		rc = buf_append(&stream->pending, bytes, size);
	*ret_post = rc == 0 && !stream->posted;
	if (*ret_post)
		stream->posted = true;
	pthread_mutex_unlock(&stream->mutex);
	return rc;
}

int api_stream_write(struct api_call *call, const void *bytes, size_t size, struct err *err)
{
	const uint8_t *at = bytes;

	while (size > 0) {
		size_t piece = size < PENDING_MAX_BYTES ? size : PENDING_MAX_BYTES;
		bool wake = false;
		int rc = put(call->stream, at, piece, &wake, err);

		if (rc == 0 && wake)
			rc = post(call, err);
		if (rc != 0)
			return rc;
		at += piece;
		size -= piece;
	}
	return 0;
}

void answer_stream_finish(struct api_call *call)
{
	pthread_mutex_lock(&call->stream->mutex);
	call->stream->ended = true;
	pthread_mutex_unlock(&call->stream->mutex);
	post(call, NULL);
}
