/* GET /agent/v1/quarantine/{id}: the sealed file back to the endpoint it came
 * from, read on worker threads, a piece whenever the connection has room. */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "manager/front/agent_http.h"
#include "manager/front/quarantine_store.h"

#define PIECE_BYTES  ((size_t)128 * 1024)
#define RETRY_BUSY_S 5

struct sending {
	struct agent_request *request;
	int fd;
	uint64_t offset, total;
	bool begun, busy, ended;
	size_t count; /* in piece */
	int rc;
	struct err err;
	uint8_t piece[PIECE_BYTES];
};

static void sending_free(struct sending *sending)
{
	if (sending->fd >= 0)
		close(sending->fd);
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
		agent_refuse(sending->request, "The file cannot be sent", &sending->err);
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

static int open_file(struct sending *sending)
{
	struct agent_request *request = sending->request;
	struct front_quarantine_file file;
	struct quarantine_row row;
	int rc = quarantine_row_read(request->front, &request->item, &row, &sending->err);

	OPENSSL_cleanse(row.key, sizeof(row.key));
	if (rc == 0 && !uuid_equal(&row.computer, &request->computer))
		rc = err_set(&sending->err, ERR_NOT_FOUND, "there is no such item of this computer");
	if (rc == 0)
		rc = front_quarantine_open(request->front, &request->item, &file, &sending->err);
	if (rc != 0)
		return rc;
	OPENSSL_cleanse(file.key, sizeof(file.key));
	sending->fd = file.fd;
	sending->total = file.sealed_bytes;
	return 0;
}

static void read_work(void *argument)
{
	struct sending *sending = argument;
	ssize_t count = 0;

	if (sending->fd < 0)
		sending->rc = open_file(sending);
	if (sending->rc == 0) {
		count = pread(sending->fd, sending->piece, PIECE_BYTES, (off_t)sending->offset);
		if (count <= 0)
			sending->rc = err_errno(&sending->err, count < 0 ? errno : EIO, "read the sealed file");
	}
	sending->count = count > 0 ? (size_t)count : 0;
	sending->offset += sending->count;
	if (loop_post(sending->request->loop, piece_read, sending) != 0)
		LOG(LOG_ERROR, "quarantine.lost", log_text("error", "no memory"));
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

void quarantine_send_complete(struct agent_request *request)
{
	struct sending *sending = calloc(1, sizeof(*sending));

	if (sending == NULL) {
		agent_refuse_status(request, 503, "Out of memory", "Come back later.", RETRY_BUSY_S);
		agent_request_free(request);
		return;
	}
	sending->request = request;
	sending->fd = -1;
	request->state = sending;
	next_piece(sending);
}

void quarantine_send_gone(struct agent_request *request)
{
	struct sending *sending = request->state;

	if (sending == NULL)
		agent_request_free(request);
	else if (!sending->busy)
		sending_free(sending);
}
