/* Quarantined files from agents: metadata (POST), then the sealed bytes in
 * pieces (PUT). Bytes are untrusted until the whole file has been unsealed and
 * compared with what was announced.
 *
 * POST opens an upload: a file in front/quarantine/incoming and an entry in
 * `uploads`; what the file holds already is where the agent goes on. PUT
 * writes on worker threads, one piece at a time, and lets the connection wait
 * meanwhile. One PUT of an item at a time.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "manager/front/agent_http.h"
#include "manager/front/quarantine_store.h"
#include "manager/front/uploads.h"
#include "os/files.h"

#define RETRY_BUSY_S      5
#define RETRY_ANNOUNCE_S  1
#define PENDING_MAX_BYTES ((size_t)256 * 1024) /* before the connection must wait */
/* What may come after the connection was told to wait. */
#define PENDING_ROOM_BYTES (PENDING_MAX_BYTES + (size_t)1024 * 1024)

static void reply_offset(struct agent_request *request, int status, uint64_t offset)
{
	char body[48];
	int length = snprintf(body, sizeof(body), "{\"offset\":%llu}", (unsigned long long)offset);

	agent_reply(request, status, "application/json", body, (size_t)length);
}

/* --- POST: the announcement --- */

struct announce {
	struct agent_request *request;
	uint64_t offset;
	bool known;
	int rc;
	struct err err;
};

static void announced(void *argument)
{
	struct announce *announce = argument;

	if (announce->rc != 0)
		agent_refuse(announce->request, "The file was not taken", &announce->err);
	else if (announce->known)
		reply_offset(announce->request, 200, announce->offset);
	else
		reply_offset(announce->request, 201, 0);
	agent_request_free(announce->request);
	free(announce);
}

/* The same file as announced before goes on; another one starts anew. */
static bool same_file(const struct quarantine_row *row, const struct quarantine_metadata *metadata)
{
	return row->begun && row->sealed_size == metadata->sealed_size &&
	       CRYPTO_memcmp(row->key, metadata->key, sizeof(row->key)) == 0;
}

static int open_incoming(struct front *front, const struct uuid *item, bool resume, int *ret_fd, uint64_t *ret_offset,
			 struct err *err)
{
	char name[UUID_TEXT_BYTES];
	struct stat facts;
	int fd;

	uuid_format(item, name);
	fd = openat(front->incoming_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (resume ? 0 : O_TRUNC), 0600);
	if (fd < 0 || fstat(fd, &facts) != 0) {
		int error = errno;

		if (fd >= 0)
			close(fd);
		return err_errno(err, error, "the upload's file");
	}
	*ret_fd = fd;
	*ret_offset = (uint64_t)facts.st_size;
	return 0;
}

/* The file is whole: is it what was announced? Then it gets its place. One that is not is emptied: ERR_RANGE. */
static int finish_file(struct front *front, const struct uuid *item, int fd, const struct quarantine_metadata *metadata,
		       struct err *err)
{
	char name[UUID_TEXT_BYTES];
	int rc = quarantine_verify(fd, item, metadata, err);

	uuid_format(item, name);
	if (rc == ERR_UNTRUSTED || rc == ERR_FORMAT || rc == ERR_LIMIT) {
		if (ftruncate(fd, 0) != 0)
			LOG(LOG_WARNING, "quarantine.not_emptied", log_uuid("item", item));
		err->code = ERR_RANGE;
		return ERR_RANGE;
	}
	if (rc == 0 && fsync(fd) != 0)
		rc = err_errno(err, errno, "the upload's file");
	if (rc == 0 && renameat(front->incoming_fd, name, front->quarantine_fd, name) != 0)
		rc = err_errno(err, errno, "the upload's file");
	if (rc == 0)
		rc = files_sync_directory(front->quarantine_fd, err);
	return rc == 0 ? quarantine_complete(front, item, err) : rc;
}

static void tell_stored(struct agent_request *request, uint64_t bytes)
{
	const struct front_news news = { .topic = FRONT_TOPIC_QUARANTINE,
					 .id = request->item,
					 .computer = request->computer };

	LOG(LOG_INFO, "quarantine.stored", log_uuid("item", &request->item), log_uuid("computer", &request->computer),
	    log_number("bytes", (int64_t)bytes));
	feed_publish(request->front->feed, &news, 1);
}

/* All bytes had come when the manager was stopped: nobody would send any more. */
static int finish_stopped(struct announce *announce, int fd, const struct quarantine_metadata *metadata)
{
	int rc = finish_file(announce->request->front, &announce->request->item, fd, metadata, &announce->err);

	if (rc == ERR_RANGE) {
		announce->offset = 0;
		return 0;
	}
	if (rc == 0)
		tell_stored(announce->request, announce->offset);
	return rc;
}

static int begin_upload(struct announce *announce, const struct quarantine_row *row,
			const struct quarantine_metadata *metadata)
{
	struct agent_request *request = announce->request;
	struct front *front = request->front;
	bool resume = same_file(row, metadata);
	int fd = -1;
	int rc = quarantine_begin(front, &request->item, &request->computer, metadata, &announce->err);

	if (rc == 0)
		rc = open_incoming(front, &request->item, resume, &fd, &announce->offset, &announce->err);
	if (rc == 0 && announce->offset > metadata->sealed_size) {
		announce->offset = 0;
		rc = ftruncate(fd, 0) == 0 ? 0 : err_errno(&announce->err, errno, "the upload's file");
	}
	if (rc == 0 && announce->offset == metadata->sealed_size)
		rc = finish_stopped(announce, fd, metadata);
	announce->known = announce->offset > 0;
	if (rc == 0 && announce->offset == metadata->sealed_size) {
		close(fd);
		return 0;
	}
	if (rc == 0)
		rc = uploads_open(front->uploads, &request->item, &request->computer, fd, announce->offset, metadata,
				  &announce->err);
	if (rc != 0 && fd >= 0)
		close(fd);
	return rc;
}

static int check_announced(const struct announce *announce, const struct quarantine_row *row,
			   const struct quarantine_metadata *metadata, struct err *err)
{
	if (!uuid_equal(&row->computer, &announce->request->computer))
		return err_set(err, ERR_NOT_FOUND, "there is no such item of this computer");
	if (row->size != metadata->size || memcmp(row->sha256, metadata->sha256, SHA256_BYTES) != 0)
		return err_set(err, ERR_CONFLICT, "size or sha256 differ from what was reported of the item");
	if (!row->held && !row->uploaded)
		return err_set(err, ERR_NOT_FOUND, "the item is not held any more");
	return 0;
}

static int announce_item(struct announce *announce)
{
	struct agent_request *request = announce->request;
	struct quarantine_metadata metadata = { 0 };
	struct quarantine_row row = { 0 };
	int rc = quarantine_metadata_parse(request->body.data, request->body.size, &metadata, &announce->err);

	if (rc == 0)
		rc = quarantine_row_read(request->front, &request->item, &row, &announce->err);
	if (rc == 0)
		rc = check_announced(announce, &row, &metadata, &announce->err);
	if (rc == 0 && row.uploaded) {
		announce->known = true;
		announce->offset = row.sealed_size;
	} else if (rc == 0) {
		rc = begin_upload(announce, &row, &metadata);
	}
	OPENSSL_cleanse(metadata.key, sizeof(metadata.key));
	OPENSSL_cleanse(row.key, sizeof(row.key));
	free(metadata.json);
	return rc;
}

static void announce_work(void *argument)
{
	struct announce *announce = argument;

	announce->rc = announce_item(announce);
	if (announce->rc != 0)
		LOG(LOG_WARNING, "quarantine.refused", log_uuid("item", &announce->request->item),
		    log_uuid("computer", &announce->request->computer), log_err(&announce->err));
	if (loop_post(announce->request->loop, announced, announce) != 0)
		LOG(LOG_ERROR, "quarantine.lost", log_text("error", "no memory"));
}

void quarantine_announce_complete(struct agent_request *request)
{
	struct announce *announce = calloc(1, sizeof(*announce));

	if (announce != NULL) {
		announce->request = request;
		request->state = announce;
		if (front_work(request->front, announce_work, announce) == 0)
			return;
		free(announce);
	}
	agent_refuse_status(request, 503, "Busy", "Too much work at once; come back shortly.", RETRY_BUSY_S);
	agent_request_free(request);
}

void quarantine_announce_gone(struct agent_request *request)
{
	if (request->state == NULL)
		agent_request_free(request);
}

/* --- PUT: the bytes --- */

struct put {
	struct agent_request *request;
	struct upload *upload; /* taken by this request until put_end() */
	struct buf pending;    /* came, not yet handed to a worker */
	struct buf writing;    /* at a worker */
	uint64_t offset;       /* on disk */
	bool busy, paused, complete, overrun, whole;
	int rc; /* the worker's while busy */
	struct err err;
};

static void put_end(struct put *put)
{
	struct agent_request *request = put->request;

	uploads_release(request->front->uploads, put->upload, put->offset, put->whole);
	buf_done(&put->pending);
	buf_done(&put->writing);
	free(put);
	agent_request_free(request);
}

static void put_refuse(struct put *put)
{
	agent_refuse(put->request, "The file was not taken", &put->err);
	put_end(put);
}

static void put_step(struct put *put);

static void verified(void *argument)
{
	struct put *put = argument;

	put->busy = false;
	if (put->rc != 0) {
		put_refuse(put);
		return;
	}
	reply_offset(put->request, 200, put->offset);
	put_end(put);
}

static void verify_work(void *argument)
{
	struct put *put = argument;
	struct agent_request *request = put->request;

	put->rc = finish_file(request->front, &request->item, uploads_fd(put->upload), uploads_metadata(put->upload),
			      &put->err);
	put->whole = put->rc == 0;
	if (put->rc == ERR_RANGE)
		put->offset = 0;
	if (put->rc == 0)
		tell_stored(request, put->offset);
	else
		LOG(LOG_WARNING, "quarantine.not_stored", log_uuid("item", &request->item), log_err(&put->err));
	if (loop_post(request->loop, verified, put) != 0)
		LOG(LOG_ERROR, "quarantine.lost", log_text("error", "no memory"));
}

static void wrote(void *argument)
{
	struct put *put = argument;

	put->busy = false;
	buf_reset(&put->writing);
	put_step(put);
}

static void write_work(void *argument)
{
	struct put *put = argument;
	const struct buf *writing = &put->writing;
	size_t done = 0;

	while (done < writing->size) {
		ssize_t count =
		    pwrite(uploads_fd(put->upload), writing->data + done, writing->size - done, (off_t)put->offset);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0) {
			put->rc = err_errno(&put->err, errno, "write the upload");
			break;
		}
		done += (size_t)count;
		put->offset += (uint64_t)count;
	}
	if (loop_post(put->request->loop, wrote, put) != 0)
		LOG(LOG_ERROR, "quarantine.lost", log_text("error", "no memory"));
}

/* put->rc is the worker's from here on: it may be done before this returns. */
static int start_work(struct put *put, void (*function)(void *argument))
{
	int rc;

	put->busy = true;
	rc = front_work(put->request->front, function, put);
	if (rc == 0)
		return 0;
	put->busy = false;
	put->rc = err_set(&put->err, ERR_BUSY, "too much work at once; come back shortly");
	return rc;
}

static void put_whole_request(struct put *put)
{
	if (put->offset < uploads_metadata(put->upload)->sealed_size) {
		reply_offset(put->request, 202, put->offset);
		put_end(put);
		return;
	}
	if (start_work(put, verify_work) != 0)
		put_refuse(put);
}

/* On the loop's thread, whenever something changed and no worker is busy. */
static void put_step(struct put *put)
{
	struct buf swap = put->writing;

	if (put->request->http == NULL) {
		put_end(put); /* the client went; what is on disk counts */
		return;
	}
	if (put->rc == 0 && put->overrun)
		put->rc = err_set(&put->err, ERR_BUSY, "the upload came faster than it could be written");
	if (put->rc == 0 && put->pending.size > 0) {
		put->writing = put->pending;
		put->pending = swap;
		if (start_work(put, write_work) == 0)
			return;
	}
	if (put->rc != 0) {
		put_refuse(put);
	} else if (put->complete) {
		put_whole_request(put);
	} else if (put->paused) {
		put->paused = false;
		http_resume(put->request->http);
	}
}

static void refuse_begin(struct agent_request *request, const struct err *err)
{
	agent_refuse(request, "The file was not taken", err);
}

bool quarantine_put_begin(struct agent_request *request)
{
	uint64_t first, size, total, offset;
	struct put *put;
	struct err err = { 0 };
	int rc = quarantine_range_parse(http_header(request->http, "content-range"), &first, &size, &total, &err);

	if (rc == 0 && http_content_length(request->http) != size)
		rc = err_set(&err, ERR_RANGE, "Content-Range and Content-Length do not agree");
	if (rc != 0) {
		refuse_begin(request, &err);
		return false;
	}
	put = calloc(1, sizeof(*put));
	if (put == NULL) {
		agent_refuse_status(request, 503, "Out of memory", "Come back later.", RETRY_BUSY_S);
		return false;
	}
	rc = uploads_take(request->front->uploads, &request->item, &request->computer, first, total, &put->upload,
			  &offset, &err);
	if (rc != 0) {
		free(put);
		if (rc == ERR_CONFLICT)
			reply_offset(request, 409, offset);
		else if (rc == ERR_NOT_FOUND)
			agent_refuse_status(request, 503, "Announce the file first",
					    "Its metadata must be sent (POST) before its bytes.", RETRY_ANNOUNCE_S);
		else
			refuse_begin(request, &err);
		return false;
	}
	put->request = request;
	put->offset = offset;
	buf_init(&put->pending, PENDING_ROOM_BYTES);
	buf_init(&put->writing, PENDING_ROOM_BYTES);
	request->state = put;
	request->body_max_bytes = size;
	return true;
}

void quarantine_put_piece(struct agent_request *request, const uint8_t *bytes, size_t size)
{
	struct put *put = request->state;

	if (buf_append(&put->pending, bytes, size) != 0)
		put->overrun = true;
	if (put->pending.size >= PENDING_MAX_BYTES && !put->paused) {
		put->paused = true;
		http_pause(request->http);
	}
	if (!put->busy && put->pending.size >= PENDING_MAX_BYTES)
		put_step(put);
}

void quarantine_put_complete(struct agent_request *request)
{
	struct put *put = request->state;

	put->complete = true;
	if (!put->busy)
		put_step(put);
}

/* What came is worth keeping, whatever happened to the connection. */
void quarantine_put_gone(struct agent_request *request)
{
	struct put *put = request->state;

	if (put == NULL)
		agent_request_free(request);
	else if (!put->busy)
		put_end(put);
}
