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
	void (*ended)(struct front *front);
	int fd;
	uint64_t offset, total;
	bool begun, busy;
	size_t count; /* in piece */
	int rc;
	struct err err;
	uint8_t piece[PIECE_BYTES];
};

static void sending_free(struct sending *sending)
{
	if (sending->fd >= 0)
		close(sending->fd);
	if (sending->ended != NULL)
		sending->ended(sending->request->front);
	agent_request_free(sending->request);
	free(sending);
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
	if (sending->offset == sending->total || sending->rc != 0) {
		sending->request->http = NULL;
		http_set_data(http, NULL);
		http_reply_end(http);
		sending_free(sending);
	}
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

void file_send(struct agent_request *request, file_open *open, const char *refusal, void (*ended)(struct front *front))
{
	struct sending *sending = calloc(1, sizeof(*sending));

	if (sending == NULL) {
		agent_refuse_status(request, 503, "Out of memory", "Come back later.", RETRY_BUSY_S);
		if (ended != NULL)
			ended(request->front);
		agent_request_free(request);
		return;
	}
	sending->request = request;
	sending->open = open;
	sending->refusal = refusal;
	sending->ended = ended;
	sending->fd = -1;
	request->state = sending;
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
