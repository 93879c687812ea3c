/* The outbox's file: "MUSTERO1", the number before the first record, records. */
#include "agent/guard/outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/files.h"

#define MAGIC             "MUSTERO1"
#define HEADER_BYTES      20 /* magic, number, CRC */
#define RECORD_HEAD_BYTES 8
#define FULL_BYTES        (OUTBOX_MAX_BYTES - MIB)
#define FILE_MAX_BYTES    (OUTBOX_MAX_BYTES + 2 * MIB)
/* No count of ours comes this far; what is above is damage. */
#define NUMBER_MAX (UINT64_C(1) << 62)
/* What is lost between two records is at most as many. */
#define NUMBER_GAP (1u << 20)

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

static void pack_header(struct buf *out, uint64_t number)
{
	buf_append(out, MAGIC, 8);
	pack_u64(out, number);
	pack_u32(out, crc32c(0, out->data, out->size));
}

static int open_file(struct outbox *outbox, struct err *err)
{
	if (outbox->fd >= 0)
		close(outbox->fd);
	outbox->fd = openat(outbox->directory, outbox->name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	return outbox->fd >= 0 ? 0 : err_errno(err, errno, "outbox");
}

static int replace_file(struct outbox *outbox, const struct buf *content, struct err *err)
{
	int code = content->status != 0
		       ? err_set(err, content->status, "outbox: no memory")
		       : files_write(outbox->directory, outbox->name, content->data, content->size, 0600, err);

	return code == 0 ? open_file(outbox, err) : code;
}

static int start_again(struct outbox *outbox, struct err *err)
{
	struct buf header;
	int code;

	buf_init(&header, HEADER_BYTES);
	pack_header(&header, outbox->last);
	code = replace_file(outbox, &header, err);
	buf_done(&header);
	if (code != 0)
		return code;
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

/* ---- reading a file ---- */

/* True when a whole record stands at `offset`, with a number that may follow `last`. */
static bool record_at(const struct buf *file, uint64_t offset, uint64_t last, struct place *ret_place)
{
	struct unpack in;
	uint32_t size, crc;
	uint64_t number, gap = last == 0 ? NUMBER_MAX : NUMBER_GAP;

	if (file->size - offset < RECORD_HEAD_BYTES + 8)
		return false;
	unpack_init(&in, file->data + offset, RECORD_HEAD_BYTES + 8);
	size = unpack_u32(&in);
	crc = unpack_u32(&in);
	number = unpack_u64(&in);
	if (size < 8 || size > CHANNEL_PAYLOAD_MAX_BYTES || size > file->size - offset - RECORD_HEAD_BYTES ||
	    number <= last || number - last > gap || number > NUMBER_MAX ||
	    crc32c(0, file->data + offset + RECORD_HEAD_BYTES, size) != crc)
		return false;
	*ret_place = (struct place){ .number = number, .offset = offset + RECORD_HEAD_BYTES, .size = size };
	return true;
}

/* All records from `offset` on; damage between them is passed over, after the last it may be a record that a crash cut
 * short. */
static int read_records(struct outbox *outbox, const struct buf *file, uint64_t offset, struct outbox_damage *damage)
{
	uint64_t damaged_from = offset;
	struct place place;

	outbox->end = offset;
	while (offset < file->size) {
		if (!record_at(file, offset, outbox->last, &place)) {
			offset++;
			continue;
		}
		if (add_place(outbox, place.number, place.offset, place.size) != 0)
			return ERR_MEMORY;
		damage->places += offset > damaged_from;
		damage->bytes += offset - damaged_from;
		outbox->last = place.number;
		offset = damaged_from = outbox->end = place.offset + place.size;
	}
	return 0;
}

static bool read_header(const struct buf *file, uint64_t *ret_number)
{
	struct unpack in;

	if (file->size < HEADER_BYTES || memcmp(file->data, MAGIC, 8) != 0)
		return false;
	unpack_init(&in, file->data + 8, HEADER_BYTES - 8);
	*ret_number = unpack_u64(&in);
	return unpack_u32(&in) == crc32c(0, file->data, HEADER_BYTES - 4) && *ret_number <= NUMBER_MAX;
}

/* The records that were found, without what was between them. */
static int rewrite(struct outbox *outbox, const struct buf *file, struct err *err)
{
	struct buf kept;
	int code;

	buf_init(&kept, FILE_MAX_BYTES);
	pack_header(&kept, outbox->places[0].number - 1);
	for (size_t i = 0; i < outbox->count; i++) {
		struct place *place = &outbox->places[i];

		buf_append(&kept, file->data + place->offset - RECORD_HEAD_BYTES, RECORD_HEAD_BYTES + place->size);
		place->offset = kept.size - place->size;
	}
	outbox->end = kept.size;
	code = replace_file(outbox, &kept, err);
	buf_done(&kept);
	return code;
}

/* Nothing in it can be read: kept for whoever wants to look. */
static int set_aside(struct outbox *outbox, uint64_t beginning, struct err *err)
{
	char name[64];

	snprintf(name, sizeof(name), "%.40s.damaged", outbox->name);
	if (renameat(outbox->directory, outbox->name, outbox->directory, name) != 0)
		return err_errno(err, errno, "outbox: set aside");
	outbox->last = beginning;
	return start_again(outbox, err);
}

static int take_file(struct outbox *outbox, const struct buf *file, uint64_t beginning, struct outbox_damage *damage,
		     struct err *err)
{
	bool whole = read_header(file, &outbox->last);
	int code;

	if (!whole)
		outbox->last = 0;
	code = read_records(outbox, file, whole ? HEADER_BYTES : 0, damage);
	if (code != 0)
		return err_set(err, code, "outbox: no memory");
	if (!whole && outbox->count == 0) {
		*damage = (struct outbox_damage){ .bytes = file->size, .places = 1 };
		return set_aside(outbox, beginning, err);
	}
	if (damage->places > 0)
		return rewrite(outbox, file, err);
	code = open_file(outbox, err);
	if (code == 0 && file->size > outbox->end && ftruncate(outbox->fd, (off_t)outbox->end) != 0)
		code = err_errno(err, errno, "outbox");
	return code;
}

static int open_or_begin(struct outbox *outbox, uint64_t beginning, struct outbox_damage *damage, struct err *err)
{
	struct buf file;
	int code;

	buf_init(&file, FILE_MAX_BYTES);
	code = files_read(outbox->directory, outbox->name, FILE_MAX_BYTES, &file, err);
	if (code == 0) {
		code = take_file(outbox, &file, beginning, damage, err);
	} else if (code == ERR_NOT_FOUND) {
		outbox->last = beginning;
		code = start_again(outbox, err);
	} else if (code == ERR_LIMIT) { /* never written by us */
		*damage = (struct outbox_damage){ .bytes = FILE_MAX_BYTES, .places = 1 };
		code = set_aside(outbox, beginning, err);
	}
	buf_done(&file);
	return code;
}

int outbox_open(int directory, const char *name, uint64_t beginning, struct outbox **ret_outbox,
		struct outbox_damage *ret_damage, struct err *err)
{
	struct outbox *outbox = calloc(1, sizeof(*outbox));
	struct outbox_damage damage = { 0 };
	int code;

	if (outbox == NULL)
		return err_set(err, ERR_MEMORY, "outbox: no memory");
	outbox->directory = directory;
	outbox->fd = -1;
	outbox->name = strdup(name);
	code = outbox->name == NULL ? err_set(err, ERR_MEMORY, "outbox: no memory")
				    : open_or_begin(outbox, beginning, &damage, err);
	if (code != 0) {
		outbox_close(outbox);
		return code;
	}
	*ret_outbox = outbox;
	*ret_damage = damage;
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

/* Numbers ascend; where damage was left out they leap. */
static const struct place *first_above(const struct outbox *outbox, uint64_t after)
{
	size_t low = outbox->first, high = outbox->count - 1;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (outbox->places[middle].number > after)
			high = middle;
		else
			low = middle + 1;
	}
	return &outbox->places[low];
}

int outbox_next(struct outbox *outbox, uint64_t after, struct buf *out, uint64_t *ret_number, struct err *err)
{
	const struct place *place;
	uint8_t *room;
	int code;

	if (outbox->first == outbox->count || after >= outbox->last)
		return err_set(err, ERR_NOT_FOUND, "outbox: nothing newer");
	place = first_above(outbox, after);
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
