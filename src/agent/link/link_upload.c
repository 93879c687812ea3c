/* Uploads (agent/link/link_upload.h). Input: the manager's answers; only numbers are taken from them, and checked. */
#include "agent/link/link_upload.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/problem.h"
#include "base/log.h"
#include "net/client.h"

#define ANSWER_MAX_BYTES   ((size_t)64 * 1024)
#define REQUEST_TIMEOUT_US (2 * MINUTE_US)
#define CHECKED_A_US       8 /* bytes: the manager opens the whole file before it answers the last piece */

struct upload {
	struct uuid item;
	unsigned failures;
	int told; /* the error that event 2023 has told of */
	time_us not_before;
	struct upload *next;
};

struct link_uploads {
	struct link *link;
	struct http_client *client;
	struct loop_timer *timer;
	struct upload *first;
	size_t count;
	/* the one under way */
	struct upload *active;
	int fd;
	uint64_t offset, total, piece;
	char file[512]; /* its path, cut, as it is: the event's text makes it printable */
};

/* --- the queue --- */

static void arm(struct link_uploads *uploads)
{
	time_us now = env_monotonic(uploads->link->env), due = INT64_MAX;

	if (uploads->active)
		return;
	for (const struct upload *upload = uploads->first; upload != NULL; upload = upload->next) {
		if (upload->not_before < due)
			due = upload->not_before;
	}
	if (due == INT64_MAX)
		loop_timer_clear(uploads->timer);
	else
		loop_timer_set(uploads->timer, due > now ? due - now : 0);
}

void link_uploads_want(struct link_uploads *uploads, const struct uuid *item)
{
	struct upload **at = &uploads->first;

	while (*at != NULL && !uuid_equal(&(*at)->item, item))
		at = &(*at)->next;
	if (*at == NULL && uploads->count < LINK_UPLOADS_MAX) {
		*at = calloc(1, sizeof(**at));
		if (*at == NULL)
			return; /* the manager asks again */
		(*at)->item = *item;
		uploads->count++;
	}
	arm(uploads);
}

/* Whether one that is sent now gets through. */
static bool may_send(const struct link_uploads *uploads)
{
	return endpoint_dials(uploads->link->endpoint) || http_client_connected(uploads->client);
}

bool link_uploads_need(const struct link_uploads *uploads)
{
	time_us now = env_monotonic(uploads->link->env);

	if (uploads->active || may_send(uploads))
		return false;
	for (const struct upload *upload = uploads->first; upload != NULL; upload = upload->next) {
		if (upload->not_before <= now)
			return true;
	}
	return false;
}

void link_uploads_again(struct link_uploads *uploads)
{
	arm(uploads);
}

void link_uploads_adopt(struct link_uploads *uploads, struct bufferevent *connection)
{
	http_client_adopt(uploads->client, connection);
	arm(uploads);
}

size_t link_uploads_waiting(const struct link_uploads *uploads)
{
	return uploads->count;
}

static void end_active(struct link_uploads *uploads)
{
	if (uploads->fd >= 0)
		close(uploads->fd);
	uploads->fd = -1;
	uploads->active = NULL;
	arm(uploads);
}

static void forget_active(struct link_uploads *uploads)
{
	struct upload **at = &uploads->first;

	while (*at != uploads->active)
		at = &(*at)->next;
	*at = uploads->active->next;
	free(uploads->active);
	uploads->count--;
	end_active(uploads);
}

static void tell(struct link_uploads *uploads, const struct err *err)
{
	char id[UUID_TEXT_BYTES];
	struct event_field fields[3];

	if (uploads->active->told == err->code)
		return;
	uploads->active->told = err->code;
	uuid_format(&uploads->active->item, id);
	fields[0] = link_field("file", uploads->file);
	fields[1] = link_field("item", id);
	fields[2] = link_field("cause", err->text);
	link_event(uploads->link, EVENT_QUARANTINE_NOT_SENT, fields, COUNT_OF(fields));
}

/* Later again, with full jitter. */
static void failed(struct link_uploads *uploads, const struct err *err, span_us retry_after)
{
	struct upload *upload = uploads->active;
	const struct env *env = uploads->link->env;
	span_us wait = LINK_UPLOAD_FIRST_WAIT << (upload->failures < 12 ? upload->failures : 12);

	if (wait > LINK_UPLOAD_LAST_WAIT)
		wait = LINK_UPLOAD_LAST_WAIT;
	upload->failures++;
	upload->not_before = env_monotonic(env) + retry_after + SECOND_US + (span_us)env_below(env, (uint64_t)wait);
	LOG(LOG_WARNING, "upload.failed", log_uuid("item", &upload->item), log_err(err));
	tell(uploads, err);
	end_active(uploads);
}

/* --- pieces --- */

static void done(struct link_uploads *uploads)
{
	LOG(LOG_INFO, "upload.done", log_uuid("item", &uploads->active->item),
	    log_number("bytes", (int64_t)uploads->total));
	forget_active(uploads);
}

/* {"offset":N} of an answer: where to go on. False when it makes no sense. */
static bool take_offset(struct link_uploads *uploads, const struct http_answer *answer)
{
	json_t *root = json_loadb((const char *)answer->body, answer->size, 0, NULL);
	json_t *value = json_object_get(root, "offset");
	json_int_t offset = json_integer_value(value);
	bool good = json_is_integer(value) && offset >= 0 && (uint64_t)offset <= uploads->total;

	json_decref(root);
	if (good)
		uploads->offset = (uint64_t)offset;
	return good;
}

static void refused(struct link_uploads *uploads, const struct http_answer *answer)
{
	struct err err = { 0 };

	if (answer->status == 0) {
		failed(uploads, answer->err, 0);
		return;
	}
	if (problem_error("the manager did not take the file", answer->status, answer->content_type, answer->body,
			  answer->size, &err) == ERR_DENIED)
		http_client_disconnect(uploads->client);      /* it may be of the certificate before the present one */
	if (answer->status == 413 || answer->status == 404) { /* for good, unless the manager asks again */
		tell(uploads, &err);
		forget_active(uploads);
	} else {
		failed(uploads, &err, answer->retry_after);
	}
}

static void on_piece(void *argument, const struct http_answer *answer)
{
	struct link_uploads *uploads = argument;
	int64_t rate = uploads->link->settings.upload_rate_bytes;
	uint64_t before = uploads->offset;

	if (answer->status == 200) {
		done(uploads);
	} else if ((answer->status == 202 || answer->status == 409) && take_offset(uploads, answer) &&
		   (answer->status == 409 || uploads->offset > before)) {
		if (answer->status == 409)
			uploads->active->failures++;
		if (uploads->active->failures > 20)
			refused(uploads, answer);
		else
			loop_timer_set(uploads->timer, rate == CONF_UNLIMITED
							   ? 0
							   : (span_us)(uploads->piece * SECOND_US / (uint64_t)rate));
	} else {
		refused(uploads, answer);
	}
}

/* How long the manager may be silent. */
static span_us patience(const struct link_uploads *uploads)
{
	return REQUEST_TIMEOUT_US + (span_us)(uploads->total / CHECKED_A_US);
}

static void send_piece(struct link_uploads *uploads)
{
	char id[UUID_TEXT_BYTES], path[96], headers[160];
	struct http_body body = { .fd = uploads->fd, .offset = uploads->offset };
	struct err err = { 0 };

	uploads->piece = uploads->total - uploads->offset;
	if (uploads->piece > LINK_UPLOAD_CHUNK)
		uploads->piece = LINK_UPLOAD_CHUNK;
	body.size = uploads->piece;
	uuid_format(&uploads->active->item, id);
	snprintf(path, sizeof(path), "/agent/v1/quarantine/%s", id);
	snprintf(headers, sizeof(headers),
		 "Content-Type: application/octet-stream\r\nContent-Range: bytes %llu-%llu/%llu\r\n",
		 (unsigned long long)uploads->offset, (unsigned long long)(uploads->offset + uploads->piece - 1),
		 (unsigned long long)uploads->total);
	if (http_client_send(uploads->client, "PUT", path, headers, &body, patience(uploads), on_piece, uploads, &err))
		failed(uploads, &err, 0);
}

/* --- metadata --- */

static void on_metadata(void *argument, const struct http_answer *answer)
{
	struct link_uploads *uploads = argument;

	uploads->offset = 0;
	if (answer->status != 201 && (answer->status != 200 || !take_offset(uploads, answer)))
		refused(uploads, answer);
	else if (uploads->offset == uploads->total)
		done(uploads);
	else
		send_piece(uploads);
}

static char *metadata(const struct message_answer *answer)
{
	const struct message_item *item = &answer->item;
	char sha256[SHA256_TEXT_BYTES], key[2 * MESSAGE_ITEM_KEY_BYTES + 1];
	char quarantined[TIME_TEXT_BYTES], modified[TIME_TEXT_BYTES];
	json_t *root;
	char *text;

	hex_format(item->sha256, SHA256_BYTES, sha256);
	hex_format(answer->key, MESSAGE_ITEM_KEY_BYTES, key);
	time_format(item->quarantined, quarantined);
	time_format(item->modified, modified);
	root = json_pack("{s:s,s:o,s:I,s:I,s:I,s:s,s:s,s:s,s:I,s:I,s:o}", "key", key, "path",
			 control_name(item->path.data, item->path.size), "uid", (json_int_t)item->uid, "gid",
			 (json_int_t)item->gid, "mode", (json_int_t)item->mode, "modified", modified, "quarantined_at",
			 quarantined, "sha256", sha256, "size", (json_int_t)item->size, "sealed_size",
			 (json_int_t)item->sealed_bytes, "detection",
			 control_name(item->detection, strlen(item->detection)));
	text = root ? json_dumps(root, JSON_COMPACT) : NULL;
	json_decref(root);
	explicit_bzero(key, sizeof(key));
	return text;
}

static void send_metadata(struct link_uploads *uploads, const struct message_answer *answer)
{
	char id[UUID_TEXT_BYTES], path[96];
	struct http_body body = { .fd = -1 };
	struct err err = { 0 };
	char *text = metadata(answer);
	int rc;

	uuid_format(&uploads->active->item, id);
	snprintf(path, sizeof(path), "/agent/v1/quarantine/%s", id);
	if (text == NULL) {
		rc = err_set(&err, ERR_MEMORY, "out of memory");
	} else {
		body.bytes = text;
		body.size = strlen(text);
		rc = http_client_send(uploads->client, "POST", path, "Content-Type: application/json\r\n", &body,
				      patience(uploads), on_metadata, uploads, &err);
		explicit_bzero(text, body.size);
	}
	free(text);
	if (rc)
		failed(uploads, &err, 0);
}

/* --- opening --- */

static void keep_file_name(struct link_uploads *uploads, struct bytes path)
{
	snprintf(uploads->file, sizeof(uploads->file), "%.*s", (int)path.size, (const char *)path.data);
}

static void on_opened(void *argument, const struct message_answer *answer, int fd)
{
	struct link_uploads *uploads = argument;
	struct err err;

	if (answer->code == 0 && (fd < 0 || !answer->has_item || answer->item.sealed_bytes == 0)) {
		forget_active(uploads); /* not held any more */
		if (fd >= 0)
			close(fd);
		return;
	}
	if (answer->code) {
		err_set(&err, answer->code, "%.*s", (int)answer->text.size, (const char *)answer->text.data);
		if (answer->code == ERR_NOT_FOUND || answer->code == ERR_WRONG_STATE)
			forget_active(uploads);
		else
			failed(uploads, &err, 0);
		return;
	}
	uploads->fd = fd;
	uploads->total = answer->item.sealed_bytes;
	keep_file_name(uploads, answer->item.path);
	send_metadata(uploads, answer);
}

/* The timer: the next piece of the one under way, or the next item. */
static void step(void *argument)
{
	struct link_uploads *uploads = argument;
	time_us now = env_monotonic(uploads->link->env);
	struct err err = { 0 };

	http_client_dials(uploads->client, endpoint_dials(uploads->link->endpoint));
	if (uploads->active) {
		send_piece(uploads);
		return;
	}
	if (!may_send(uploads))
		return; /* the manager is told, and makes a connection */
	for (struct upload *upload = uploads->first; upload != NULL; upload = upload->next) {
		if (upload->not_before > now)
			continue;
		uploads->active = upload;
		uploads->file[0] = '\0';
		if (link_guard_target(uploads->link->guard, MESSAGE_ITEM_OPEN, &upload->item, false, on_opened, uploads,
				      &err))
			failed(uploads, &err, 0);
		return;
	}
	arm(uploads);
}

struct link_uploads *link_uploads_new(struct link *link, struct err *err)
{
	struct http_client_options options = { .host = link->manager.host,
					       .port = link->manager.port,
					       .tls = link->tls,
					       .reply_max_bytes = ANSWER_MAX_BYTES };
	struct link_uploads *uploads = calloc(1, sizeof(*uploads));

	if (uploads == NULL) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	uploads->link = link;
	uploads->fd = -1;
	uploads->client = http_client_new(link->loop, &options, err);
	uploads->timer = loop_timer_new(link->loop, step, uploads);
	if (uploads->client == NULL || uploads->timer == NULL) {
		if (uploads->client)
			err_set(err, ERR_MEMORY, "out of memory");
		link_uploads_free(uploads);
		return NULL;
	}
	return uploads;
}

void link_uploads_free(struct link_uploads *uploads)
{
	if (uploads == NULL)
		return;
	http_client_free(uploads->client);
	loop_timer_free(uploads->timer);
	if (uploads->fd >= 0)
		close(uploads->fd);
	while (uploads->first != NULL) {
		struct upload *next = uploads->first->next;

		free(uploads->first);
		uploads->first = next;
	}
	free(uploads);
}
