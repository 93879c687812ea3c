/* Encoding of the messages between guard and link. Pure; input untrusted. */
#include "agent/messages.h"

#include <string.h>

#include "base/err.h"

#define ROOM CHANNEL_PAYLOAD_MAX_BYTES

const struct channel_permit message_permits_link[] = {
	{ MESSAGE_NOTICE, "notice", ROOM, false },       { MESSAGE_JOB_PROGRESS, "job progress", ROOM, false },
	{ MESSAGE_COMPONENT, "component", ROOM, false }, { MESSAGE_ITEM, "item", ROOM, false },
	{ MESSAGE_ANSWER, "answer", ROOM, false },       { MESSAGE_ANSWER_FILE, "answer with file", ROOM, true },
};
const size_t message_permits_link_count = COUNT_OF(message_permits_link);

const struct channel_permit message_permits_guard[] = {
	{ MESSAGE_JOB_START, "job start", ROOM, false },     { MESSAGE_JOB_PAUSE, "job pause", 64, false },
	{ MESSAGE_JOB_RESUME, "job resume", 64, false },     { MESSAGE_JOB_CANCEL, "job cancel", 64, false },
	{ MESSAGE_ITEM_RESTORE, "item restore", 64, false }, { MESSAGE_ITEM_DELETE, "item delete", 64, false },
	{ MESSAGE_ITEM_LIST, "item list", 0, false },        { MESSAGE_ITEM_OPEN, "item open", 64, false },
	{ MESSAGE_ITEM_PUT, "item put", ROOM, true },        { MESSAGE_NOTICE_STORED, "notice stored", 8, false },
	{ MESSAGE_SETTINGS, "settings", ROOM, false },       { MESSAGE_STOP, "stop", 0, false },
	{ MESSAGE_STARTS_ANEW, "starts anew", 0, false },
};
const size_t message_permits_guard_count = COUNT_OF(message_permits_guard);

/* ---- parts ---- */

static void spoil(struct unpack *in, int code)
{
	if (in->status == 0)
		in->status = code;
}

static void pack_bool(struct buf *out, bool value)
{
	pack_u8(out, value ? 1 : 0);
}

static bool unpack_bool(struct unpack *in)
{
	uint8_t value = unpack_u8(in);

	if (value > 1)
		spoil(in, ERR_FORMAT);
	return value == 1;
}

static unsigned unpack_choice(struct unpack *in, unsigned min, unsigned max)
{
	uint8_t value = unpack_u8(in);

	if (value < min || value > max)
		spoil(in, ERR_FORMAT);
	return value;
}

static void pack_span(struct buf *out, struct bytes bytes)
{
	pack_bytes(out, bytes.data, bytes.size);
}

int message_fields_add(struct message_fields *fields, const char *name, const void *value, size_t size)
{
	struct message_field *field = &fields->fields[fields->count];
	size_t length = strlen(name);

	if (fields->count == MESSAGE_FIELDS_MAX || length >= MESSAGE_NAME_BYTES || size > MESSAGE_VALUE_MAX_BYTES)
		return ERR_LIMIT;
	memcpy(field->name, name, length + 1);
	field->value = (struct bytes){ .data = value, .size = size };
	fields->count++;
	return 0;
}

static void pack_fields(struct buf *out, const struct message_fields *fields)
{
	pack_u8(out, (uint8_t)fields->count);
	for (size_t i = 0; i < fields->count; i++) {
		pack_text(out, fields->fields[i].name);
		pack_span(out, fields->fields[i].value);
	}
}

static void unpack_fields(struct unpack *in, struct message_fields *fields)
{
	fields->count = unpack_choice(in, 0, MESSAGE_FIELDS_MAX);
	if (in->status != 0)
		fields->count = 0;
	for (size_t i = 0; i < fields->count; i++) {
		unpack_text(in, fields->fields[i].name, MESSAGE_NAME_BYTES);
		fields->fields[i].value = unpack_bytes(in, MESSAGE_VALUE_MAX_BYTES);
	}
}

static void pack_paths(struct buf *out, const struct message_paths *paths)
{
	pack_u8(out, (uint8_t)paths->count);
	for (size_t i = 0; i < paths->count; i++)
		pack_span(out, paths->paths[i]);
}

/* A path is absolute and has no NUL inside. */
static void unpack_paths(struct unpack *in, struct message_paths *paths)
{
	paths->count = unpack_choice(in, 0, MESSAGE_PATHS_MAX);
	if (in->status != 0)
		paths->count = 0;
	for (size_t i = 0; i < paths->count && in->status == 0; i++) {
		struct bytes path = unpack_bytes(in, MESSAGE_PATH_MAX_BYTES - 1);

		if (in->status == 0 &&
		    (path.size == 0 || path.data[0] != '/' || memchr(path.data, '\0', path.size) != NULL))
			spoil(in, ERR_FORMAT);
		paths->paths[i] = path;
	}
}

void message_pack_limits(struct buf *out, const struct message_limits *limits)
{
	pack_u64(out, limits->file_bytes_max);
	pack_u64(out, limits->expanded_bytes_max);
	pack_u32(out, limits->archive_files_max);
	pack_u32(out, limits->archive_depth_max);
	pack_u32(out, limits->file_ms_max);
}

void message_unpack_limits(struct unpack *in, struct message_limits *limits)
{
	limits->file_bytes_max = unpack_u64(in);
	limits->expanded_bytes_max = unpack_u64(in);
	limits->archive_files_max = unpack_u32(in);
	limits->archive_depth_max = unpack_u32(in);
	limits->file_ms_max = unpack_u32(in);
}

static void pack_event(struct buf *out, const struct message_event *event)
{
	pack_u32(out, event->type);
	pack_u64(out, (uint64_t)event->time);
	pack_fields(out, &event->fields);
}

static void unpack_event(struct unpack *in, struct message_event *event)
{
	event->type = unpack_u32(in);
	event->time = (time_us)unpack_u64(in);
	unpack_fields(in, &event->fields);
}

void message_pack_progress(struct buf *out, const struct message_progress *progress)
{
	buf_append(out, progress->job.bytes, UUID_BYTES);
	pack_bool(out, progress->counting);
	pack_bool(out, progress->paused);
	pack_u64(out, progress->files_total);
	pack_u64(out, progress->files_done);
	pack_u64(out, progress->bytes_total);
	pack_u64(out, progress->bytes_done);
	pack_u64(out, progress->detections);
	pack_u64(out, progress->not_fully_scanned);
	pack_u64(out, progress->errors);
	pack_u64(out, progress->skipped_unchanged);
	pack_u64(out, progress->elapsed_ms);
	pack_span(out, progress->path);
}

static void unpack_progress(struct unpack *in, struct message_progress *progress)
{
	unpack_fixed(in, progress->job.bytes, UUID_BYTES);
	progress->counting = unpack_bool(in);
	progress->paused = unpack_bool(in);
	progress->files_total = unpack_u64(in);
	progress->files_done = unpack_u64(in);
	progress->bytes_total = unpack_u64(in);
	progress->bytes_done = unpack_u64(in);
	progress->detections = unpack_u64(in);
	progress->not_fully_scanned = unpack_u64(in);
	progress->errors = unpack_u64(in);
	progress->skipped_unchanged = unpack_u64(in);
	progress->elapsed_ms = unpack_u64(in);
	progress->path = unpack_bytes(in, MESSAGE_PATH_MAX_BYTES);
}

static void pack_ended(struct buf *out, const struct message_job_ended *ended)
{
	pack_u8(out, (uint8_t)ended->outcome);
	pack_u32(out, (uint32_t)ended->code);
	pack_span(out, ended->text);
	pack_span(out, ended->path);
	message_pack_progress(out, &ended->last);
}

static int unpack_code(struct unpack *in)
{
	int code = (int)unpack_u32(in);

	if (code > 0 || code < ERR_LAST_)
		spoil(in, ERR_FORMAT);
	return code;
}

static void unpack_ended(struct unpack *in, struct message_job_ended *ended)
{
	ended->outcome = (enum message_outcome)unpack_choice(in, OUTCOME_SUCCEEDED, OUTCOME_CANCELLED);
	ended->code = unpack_code(in);
	ended->text = unpack_bytes(in, ERR_TEXT_BYTES);
	ended->path = unpack_bytes(in, MESSAGE_PATH_MAX_BYTES);
	unpack_progress(in, &ended->last);
}

void message_pack_item(struct buf *out, const struct message_item *item)
{
	buf_append(out, item->id.bytes, UUID_BYTES);
	pack_u8(out, (uint8_t)item->state);
	pack_span(out, item->path);
	buf_append(out, item->sha256, SHA256_BYTES);
	pack_u64(out, item->size);
	pack_u64(out, item->sealed_bytes);
	pack_text(out, item->detection);
	pack_u64(out, (uint64_t)item->quarantined);
	pack_u64(out, (uint64_t)item->modified);
	pack_u32(out, item->uid);
	pack_u32(out, item->gid);
	pack_u32(out, item->mode);
}

static void unpack_item(struct unpack *in, struct message_item *item)
{
	unpack_fixed(in, item->id.bytes, UUID_BYTES);
	item->state = (enum message_item_state)unpack_choice(in, ITEM_HELD, ITEM_DELETED);
	item->path = unpack_bytes(in, MESSAGE_PATH_MAX_BYTES);
	unpack_fixed(in, item->sha256, SHA256_BYTES);
	item->size = unpack_u64(in);
	item->sealed_bytes = unpack_u64(in);
	unpack_text(in, item->detection, sizeof(item->detection));
	item->quarantined = (time_us)unpack_u64(in);
	item->modified = (time_us)unpack_u64(in);
	item->uid = unpack_u32(in);
	item->gid = unpack_u32(in);
	item->mode = unpack_u32(in);
}

/* ---- whole messages ---- */

void message_pack_notice(struct buf *out, const struct message_notice *notice)
{
	pack_u64(out, notice->number);
	pack_u8(out, (uint8_t)notice->kind);
	switch (notice->kind) {
	case NOTICE_EVENT:
		pack_event(out, &notice->body.event);
		break;
	case NOTICE_JOB_ENDED:
		pack_ended(out, &notice->body.ended);
		break;
	case NOTICE_ITEM:
		message_pack_item(out, &notice->body.item);
		break;
	}
}

int message_unpack_notice(const void *data, size_t size, struct message_notice *ret_notice)
{
	struct unpack in;

	unpack_init(&in, data, size);
	ret_notice->number = unpack_u64(&in);
	ret_notice->kind = (enum message_notice_kind)unpack_choice(&in, NOTICE_EVENT, NOTICE_ITEM);
	if (in.status != 0)
		return in.status;
	switch (ret_notice->kind) {
	case NOTICE_EVENT:
		unpack_event(&in, &ret_notice->body.event);
		break;
	case NOTICE_JOB_ENDED:
		unpack_ended(&in, &ret_notice->body.ended);
		break;
	case NOTICE_ITEM:
		unpack_item(&in, &ret_notice->body.item);
		break;
	}
	return unpack_end(&in);
}

int message_unpack_progress(const void *data, size_t size, struct message_progress *ret_progress)
{
	struct unpack in;

	unpack_init(&in, data, size);
	unpack_progress(&in, ret_progress);
	return unpack_end(&in);
}

int message_unpack_item(const void *data, size_t size, struct message_item *ret_item)
{
	struct unpack in;

	unpack_init(&in, data, size);
	unpack_item(&in, ret_item);
	return unpack_end(&in);
}

void message_pack_component(struct buf *out, const struct message_component *component)
{
	pack_text(out, component->name);
	pack_u8(out, (uint8_t)component->state);
	pack_span(out, component->version);
	pack_span(out, component->detail);
	pack_fields(out, &component->facts);
}

int message_unpack_component(const void *data, size_t size, struct message_component *ret_component)
{
	struct unpack in;

	unpack_init(&in, data, size);
	unpack_text(&in, ret_component->name, sizeof(ret_component->name));
	ret_component->state = (enum message_component_state)unpack_choice(&in, COMPONENT_WORKING, COMPONENT_FAILED);
	ret_component->version = unpack_bytes(&in, MESSAGE_VALUE_MAX_BYTES);
	ret_component->detail = unpack_bytes(&in, MESSAGE_VALUE_MAX_BYTES);
	unpack_fields(&in, &ret_component->facts);
	return unpack_end(&in);
}

void message_pack_answer(struct buf *out, const struct message_answer *answer)
{
	pack_u32(out, (uint32_t)answer->code);
	pack_span(out, answer->text);
	pack_bool(out, answer->has_item);
	if (answer->has_item) {
		message_pack_item(out, &answer->item);
		buf_append(out, answer->key, MESSAGE_ITEM_KEY_BYTES);
	}
}

int message_unpack_answer(const void *data, size_t size, struct message_answer *ret_answer)
{
	struct unpack in;

	unpack_init(&in, data, size);
	ret_answer->code = unpack_code(&in);
	ret_answer->text = unpack_bytes(&in, ERR_TEXT_BYTES);
	ret_answer->has_item = unpack_bool(&in);
	if (in.status == 0 && ret_answer->has_item) {
		unpack_item(&in, &ret_answer->item);
		unpack_fixed(&in, ret_answer->key, MESSAGE_ITEM_KEY_BYTES);
	}
	return unpack_end(&in);
}

void message_pack_job_start(struct buf *out, const struct message_job_start *start)
{
	buf_append(out, start->job.bytes, UUID_BYTES);
	pack_paths(out, &start->paths);
	pack_paths(out, &start->excludes);
	message_pack_limits(out, &start->limits);
}

int message_unpack_job_start(const void *data, size_t size, struct message_job_start *ret_start)
{
	struct unpack in;

	unpack_init(&in, data, size);
	unpack_fixed(&in, ret_start->job.bytes, UUID_BYTES);
	unpack_paths(&in, &ret_start->paths);
	unpack_paths(&in, &ret_start->excludes);
	message_unpack_limits(&in, &ret_start->limits);
	if (ret_start->paths.count == 0)
		spoil(&in, ERR_FORMAT);
	return unpack_end(&in);
}

void message_pack_target(struct buf *out, const struct message_target *target)
{
	buf_append(out, target->id.bytes, UUID_BYTES);
	pack_bool(out, target->overwrite);
}

int message_unpack_target(const void *data, size_t size, struct message_target *ret_target)
{
	struct unpack in;

	unpack_init(&in, data, size);
	unpack_fixed(&in, ret_target->id.bytes, UUID_BYTES);
	ret_target->overwrite = unpack_bool(&in);
	return unpack_end(&in);
}

void message_pack_put(struct buf *out, const struct message_put *put)
{
	buf_append(out, put->key, MESSAGE_ITEM_KEY_BYTES);
	message_pack_item(out, &put->item);
}

int message_unpack_put(const void *data, size_t size, struct message_put *ret_put)
{
	struct unpack in;

	unpack_init(&in, data, size);
	unpack_fixed(&in, ret_put->key, MESSAGE_ITEM_KEY_BYTES);
	unpack_item(&in, &ret_put->item);
	return unpack_end(&in);
}

void message_pack_settings(struct buf *out, const struct message_settings *settings)
{
	message_pack_limits(out, &settings->limits);
	pack_paths(out, &settings->excludes);
	pack_u32(out, settings->workers);
	pack_u32(out, settings->idle_exit_s);
	pack_u32(out, settings->cpu_percent);
}

int message_unpack_settings(const void *data, size_t size, struct message_settings *ret_settings)
{
	struct unpack in;

	unpack_init(&in, data, size);
	message_unpack_limits(&in, &ret_settings->limits);
	unpack_paths(&in, &ret_settings->excludes);
	ret_settings->workers = unpack_u32(&in);
	ret_settings->idle_exit_s = unpack_u32(&in);
	ret_settings->cpu_percent = unpack_u32(&in);
	return unpack_end(&in);
}

void message_pack_number(struct buf *out, uint64_t number)
{
	pack_u64(out, number);
}

int message_unpack_number(const void *data, size_t size, uint64_t *ret_number)
{
	struct unpack in;

	unpack_init(&in, data, size);
	*ret_number = unpack_u64(&in);
	return unpack_end(&in);
}
