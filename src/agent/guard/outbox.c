/* The outbox's file: "MUSTERO1", the number before the first record, records. */
#include "agent/guard/outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/files.h"

#define MAGIC             "MUSTERO1"
#define HEADER_BYTES      20 /* magic, number, CRC */
#define RECORD_HEAD_BYTES 8
#define FULL_BYTES        (OUTBOX_MAX_BYTES - MIB)

struct place {
	uint64_t number;
	uint64_t offset; /* of the payload */
	uint32_t size;
};

struct outbox {
	int directory, fd;
	char *name;
	uint64_t last, end; /* number given last; file's size */
	struct place *places;
	size_t count, capacity, first; /* places[first] is the oldest not stored */
};

static int start_again(struct outbox *outbox, struct err *err)
{
	struct buf header;
	int code;

	buf_init(&header, HEADER_BYTES);
	buf_append(&header, MAGIC, 8);
	pack_u64(&header, outbox->last);
	pack_u32(&header, crc32c(0, header.data, header.size));
	code = header.status != 0 ? header.status
				  : files_write(outbox->directory, outbox->name, header.data, header.size, 0600, err);
	buf_done(&header);
	if (code != 0)
		return code;
	if (outbox->fd >= 0)
		close(outbox->fd);
	outbox->fd = openat(outbox->directory, outbox->name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (outbox->fd < 0)
		return err_errno(err, errno, "outbox");
	outbox->end = HEADER_BYTES;
	outbox->count = outbox->first = 0;
	return 0;
}

static int add_place(struct outbox *outbox, uint64_t number, uint64_t offset, uint32_t size)
{
	if (outbox->count == outbox->capacity) {
		size_t capacity = outbox->capacity > 0 ? outbox->capacity * 2 : 64;
		struct place *grown = reallocarray(outbox->places, capacity, sizeof(*grown));

		if (grown == NULL)
			return ERR_MEMORY;
		outbox->places = grown;
		outbox->capacity = capacity;
	}
	outbox->places[outbox->count++] = (struct place){ .number = number, .offset = offset, .size = size };
	return 0;
}

/* The record at `offset`: its payload in room (CHANNEL_PAYLOAD_MAX_BYTES). */
static int read_record(const struct outbox *outbox, uint64_t offset, uint8_t *room, uint32_t *ret_size)
{
	uint8_t head[RECORD_HEAD_BYTES];
	struct unpack in;
	uint32_t size, crc;

	if (files_read_at(outbox->fd, head, sizeof(head), offset, NULL) != 0)
		return ERR_FORMAT;
	unpack_init(&in, head, sizeof(head));
	size = unpack_u32(&in);
	crc = unpack_u32(&in);
	if (size < 8 || size > CHANNEL_PAYLOAD_MAX_BYTES ||
	    files_read_at(outbox->fd, room, size, offset + RECORD_HEAD_BYTES, NULL) != 0 ||
	    crc32c(0, room, size) != crc)
		return ERR_FORMAT;
	*ret_size = size;
	return 0;
}

static int read_all(struct outbox *outbox, struct err *err)
{
	uint8_t *room = malloc(CHANNEL_PAYLOAD_MAX_BYTES);
	uint64_t offset = HEADER_BYTES;
	uint32_t size = 0;
	int code = room != NULL ? 0 : ERR_MEMORY;

	while (code == 0 && read_record(outbox, offset, room, &size) == 0) {
		struct unpack in;
		uint64_t number;

		unpack_init(&in, room, size);
		number = unpack_u64(&in);
		if (number != outbox->last + 1)
			break;
		outbox->last = number;
		code = add_place(outbox, number, offset + RECORD_HEAD_BYTES, size);
		offset += RECORD_HEAD_BYTES + size;
	}
	free(room);
	if (code != 0)
		return err_set(err, code, "outbox: no memory");
	outbox->end = offset;
	/* A tail that a crash cut short. */
	if (ftruncate(outbox->fd, (off_t)offset) != 0)
		return err_errno(err, errno, "outbox");
	return 0;
}

static int read_header(struct outbox *outbox)
{
	uint8_t header[HEADER_BYTES];
	struct unpack in;
	uint32_t crc;

	if (files_read_at(outbox->fd, header, sizeof(header), 0, NULL) != 0 || memcmp(header, MAGIC, 8) != 0)
		return ERR_FORMAT;
	unpack_init(&in, header + 8, sizeof(header) - 8);
	outbox->last = unpack_u64(&in);
	crc = unpack_u32(&in);
	return crc == crc32c(0, header, HEADER_BYTES - 4) ? 0 : ERR_FORMAT;
}

int outbox_open(int directory, const char *name, struct outbox **ret_outbox, struct err *err)
{
	struct outbox *outbox = calloc(1, sizeof(*outbox));
	int code;

	if (outbox == NULL)
		return err_set(err, ERR_MEMORY, "outbox: no memory");
	outbox->directory = directory;
	outbox->name = strdup(name);
	outbox->fd = openat(directory, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (outbox->name == NULL)
		code = err_set(err, ERR_MEMORY, "outbox: no memory");
	else if (outbox->fd < 0)
		code = errno == ENOENT ? start_again(outbox, err) : err_errno(err, errno, "outbox");
	else if (read_header(outbox) != 0)
		code = err_set(err, ERR_FORMAT, "outbox: %s is damaged or of another version; move it away", name);
	else
		code = read_all(outbox, err);
	if (code != 0) {
		outbox_close(outbox);
		return code;
	}
	*ret_outbox = outbox;
	return 0;
}

void outbox_close(struct outbox *outbox)
{
	if (outbox == NULL)
		return;
	if (outbox->fd >= 0)
		close(outbox->fd);
	free(outbox->name);
	free(outbox->places);
	free(outbox);
}

static int append_record(struct outbox *outbox, const struct buf *payload, struct err *err)
{
	struct buf record;
	int code;

	buf_init(&record, RECORD_HEAD_BYTES + CHANNEL_PAYLOAD_MAX_BYTES);
	pack_u32(&record, (uint32_t)payload->size);
	pack_u32(&record, crc32c(0, payload->data, payload->size));
	buf_append(&record, payload->data, payload->size);
	code = record.status != 0 ? err_set(err, record.status, "outbox: the notice is too large") : 0;
	if (code == 0 && lseek(outbox->fd, (off_t)outbox->end, SEEK_SET) < 0)
		code = err_errno(err, errno, "outbox");
	if (code == 0)
		code = files_write_all(outbox->fd, record.data, record.size, err);
	if (code == 0 && fdatasync(outbox->fd) != 0)
		code = err_errno(err, errno, "outbox: sync");
	buf_done(&record);
	return code;
}

int outbox_append(struct outbox *outbox, struct message_notice *notice, struct err *err)
{
	struct buf payload;
	int code;

	if (outbox->end > OUTBOX_MAX_BYTES)
		return err_set(err, ERR_SPACE, "outbox: full");
	notice->number = outbox->last + 1;
	buf_init(&payload, CHANNEL_PAYLOAD_MAX_BYTES);
	message_pack_notice(&payload, notice);
	code = payload.status != 0 ? err_set(err, payload.status, "outbox: the notice is too large")
				   : append_record(outbox, &payload, err);
	if (code == 0 &&
	    add_place(outbox, notice->number, outbox->end + RECORD_HEAD_BYTES, (uint32_t)payload.size) != 0)
		code = err_set(err, ERR_MEMORY, "outbox: no memory");
	if (code == 0) {
		outbox->last = notice->number;
		outbox->end += RECORD_HEAD_BYTES + payload.size;
	}
	buf_done(&payload);
	return code;
}

int outbox_stored(struct outbox *outbox, uint64_t number, struct err *err)
{
	while (outbox->first < outbox->count && outbox->places[outbox->first].number <= number)
		outbox->first++;
	if (outbox->first < outbox->count || outbox->count == 0)
		return 0;
	return start_again(outbox, err);
}

int outbox_next(struct outbox *outbox, uint64_t after, struct buf *out, uint64_t *ret_number, struct err *err)
{
	const struct place *place;
	uint8_t *room;
	int code;

	if (outbox->first == outbox->count || after >= outbox->last)
		return err_set(err, ERR_NOT_FOUND, "outbox: nothing newer");
	place = &outbox->places[outbox->first];
	if (after >= place->number)
		place += after + 1 - place->number;
	room = buf_room(out, place->size);
	if (room == NULL)
		return err_set(err, out->status, "outbox: no memory");
	code = files_read_at(outbox->fd, room, place->size, place->offset, err);
	if (code != 0)
		return code;
	buf_grow(out, place->size);
	*ret_number = place->number;
	return 0;
}

uint64_t outbox_last(const struct outbox *outbox)
{
	return outbox->last;
}

uint64_t outbox_finished(const struct outbox *outbox)
{
	return outbox->first < outbox->count ? outbox->places[outbox->first].number - 1 : outbox->last;
}

bool outbox_full(const struct outbox *outbox)
{
	return outbox->end > FULL_BYTES;
}

/* True when any notice that waits is what `is` looks for. */
static bool holds(struct outbox *outbox, bool (*is)(const struct message_notice *notice, const void *wanted),
		  const void *wanted)
{
	uint64_t number = 0;
	bool found = false;
	struct buf payload;

	buf_init(&payload, CHANNEL_PAYLOAD_MAX_BYTES);
	while (!found && outbox_next(outbox, number, &payload, &number, NULL) == 0) {
		struct message_notice notice;

		found = message_unpack_notice(payload.data, payload.size, &notice) == 0 && is(&notice, wanted);
		buf_reset(&payload);
	}
	buf_done(&payload);
	return found;
}

static bool is_end(const struct message_notice *notice, const void *wanted)
{
	return notice->kind == NOTICE_JOB_ENDED && uuid_equal(&notice->body.ended.last.job, wanted);
}

bool outbox_holds_end(struct outbox *outbox, const struct uuid *job)
{
	return holds(outbox, is_end, job);
}

struct wanted_event {
	uint32_t type;
	const char *field;
	char text[UUID_TEXT_BYTES];
};

static bool is_event(const struct message_notice *notice, const void *argument)
{
	const struct wanted_event *wanted = argument;
	const struct message_event *event = &notice->body.event;

	if (notice->kind != NOTICE_EVENT || event->type != wanted->type)
		return false;
	for (size_t i = 0; i < event->fields.count; i++) {
		const struct message_field *field = &event->fields.fields[i];

		if (strcmp(field->name, wanted->field) == 0)
			return field->value.size == strlen(wanted->text) &&
			       memcmp(field->value.data, wanted->text, field->value.size) == 0;
	}
	return false;
}

bool outbox_holds_event(struct outbox *outbox, uint32_t type, const char *field, const struct uuid *id)
{
	struct wanted_event wanted = { .type = type, .field = field };

	uuid_format(id, wanted.text);
	return holds(outbox, is_event, &wanted);
}

static bool is_item(const struct message_notice *notice, const void *id)
{
	return notice->kind == NOTICE_ITEM && uuid_equal(&notice->body.item.id, id);
}

bool outbox_holds_item(struct outbox *outbox, uint32_t type, const struct uuid *item)
{
	return type != 0 ? outbox_holds_event(outbox, type, "item", item) : holds(outbox, is_item, item);
}
