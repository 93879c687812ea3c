/* A file sent piece by piece. The client is untrusted: it may be slow, or leave at any moment. */
#include "manager/front/file_send.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"

#define PIECE_BYTES  ((size_t)128 * 1024)
#define RETRY_BUSY_S 5

struct sending {
	struct agent_request *request;
	file_open *open;
	const char *refusal;
	struct download *place; /* NULL: it needs none */
	int fd;
	uint64_t offset, total;
	bool begun, busy;
	bool cut, over; /* its place was taken, which comes as a message to its loop; it has ended before that came */
	bool lost;      /* that came */
	size_t count;   /* in piece */
	int rc;
	struct err err;
	uint8_t piece[PIECE_BYTES];
};

static void sending_free(struct sending *sending)
{
	downloads_end(sending->place);
	if (sending->fd >= 0)
		close(sending->fd);
	agent_request_free(sending->request);
	sending->over = true;
	if (!sending->cut) /* else the message that is on its way frees it */
		free(sending);
}

/* With less than was said, if it is not at its end: the client finds that out, and can come again. */
static void end_reply(struct sending *sending)
{
	struct http_request *http = sending->request->http;

	sending->request->http = NULL;
	http_set_data(http, NULL);
	http_reply_end(http);
	sending_free(sending);
}

static void was_cut(void *argument)
{
	struct sending *sending = argument;

	sending->cut = false;
	if (sending->over) {
		free(sending);
	} else if (!sending->busy && sending->request->http != NULL && sending->begun) {
		end_reply(sending);
	} else {
		sending->lost = true; /* a worker has it, and comes back to the loop */
	}
}

/* Any thread, before downloads_end() is through. */
static void cut(void *argument)
{
	struct sending *sending = argument;

	sending->cut = loop_post(sending->request->loop, was_cut, sending) == 0;
}

static void next_piece(struct sending *sending);

static void on_drain(struct http_request *http)
{
	struct agent_request *request = http_data(http);
	struct sending *sending = request->state;

	if (!sending->busy)
		next_piece(sending);
}

/* Begun with the length said: a file that cannot be read further can only end the connection, which the client's
 * missing bytes tell; the reply is ended short. */
static void piece_read(void *argument)
{
	struct sending *sending = argument;
	struct http_request *http = sending->request->http;

	sending->busy = false;
	if (http == NULL) {
		sending_free(sending);
		return;
	}
	if (sending->lost && sending->rc == 0)
		sending->rc = err_set(&sending->err, ERR_BUSY, "too many at once; come back shortly");
	if (!sending->begun && sending->rc != 0) {
		agent_refuse(sending->request, sending->refusal, &sending->err);
		sending_free(sending);
		return;
	}
	if (!sending->begun) {
		sending->begun = true;
		http_reply_begin(http, 200, "application/octet-stream", NULL, sending->total, on_drain);
	}
	if (sending->count > 0)
		http_reply_body(http, sending->piece, sending->count);
	downloads_sent(sending->place, sending->offset);
	if (sending->offset == sending->total || sending->rc != 0)
		end_reply(sending);
}

static void read_work(void *argument)
{
	struct sending *sending = argument;
	uint64_t left;
	ssize_t count = 0;

	if (sending->fd < 0)
		sending->rc = sending->open(sending->request, &sending->fd, &sending->total, &sending->err);
	left = sending->total - sending->offset;
	if (sending->rc == 0 && left > 0) {
		count = pread(sending->fd, sending->piece, left < PIECE_BYTES ? (size_t)left : PIECE_BYTES,
			      (off_t)sending->offset);
		if (count <= 0)
			sending->rc = err_errno(&sending->err, count < 0 ? errno : EIO, "read the file");
	}
	sending->count = count > 0 ? (size_t)count : 0;
	sending->offset += sending->count;
	if (loop_post(sending->request->loop, piece_read, sending) != 0)
		LOG(LOG_ERROR, "file_send.lost", log_text("error", "no memory"));
}

static void next_piece(struct sending *sending)
{
	sending->busy = true;
	sending->count = 0;
	if (front_work(sending->request->front, read_work, sending) == 0)
		return;
	sending->rc = err_set(&sending->err, ERR_BUSY, "too much work at once; come back shortly");
	piece_read(sending);
}

void file_send(struct agent_request *request, file_open *open, const char *refusal, struct download *place)
{
	struct sending *sending = calloc(1, sizeof(*sending));

	if (sending == NULL) {
		agent_refuse_status(request, 503, "Out of memory", "Come back later.", RETRY_BUSY_S);
		downloads_end(place);
		agent_request_free(request);
		return;
	}
	sending->request = request;
	sending->open = open;
	sending->refusal = refusal;
	sending->place = place;
	sending->fd = -1;
	request->state = sending;
	if (place != NULL)
		downloads_cuttable(place, cut, sending);
	next_piece(sending);
}

void file_send_gone(struct agent_request *request)
{
	struct sending *sending = request->state;

	if (sending == NULL)
		agent_request_free(request);
	else if (!sending->busy)
		sending_free(sending);
}
