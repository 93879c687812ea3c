/* The command journal. Its file may be cut short or damaged. */
#include "endpoint/journal.h"

#include <stdlib.h>
#include <string.h>

#include "base/pack.h"
#include "base/units.h"
#include "wire/limits.h"

#define JOURNAL_VERSION     1
#define JOURNAL_MAX_BYTES   (64 * MIB)
#define COMPACT_SLACK_BYTES (64 * KIB)
/* Later than envelope_accept() tolerates, and for clocks that are set back a little. */
#define KEEP_AFTER_EXPIRY_US (24 * HOUR_US)

enum record {
	RECORD_HEADER = 'H',
	RECORD_RECEIVED = 'C',
	RECORD_BEGUN = 'B',
	RECORD_ENDED = 'E',
	RECORD_ACKNOWLEDGED = 'A',
	RECORD_FORGOTTEN = 'F',
	RECORD_CONFIGURATION = 'K',
};

struct journal_entry *journal_find(const struct journal *journal, const struct uuid *id)
{
	struct journal_entry *entry = journal->entries;

	while (entry != NULL && !uuid_equal(&entry->id, id))
		entry = entry->next;
	return entry;
}

size_t journal_active(const struct journal *journal)
{
	size_t count = 0;

	for (const struct journal_entry *entry = journal->entries; entry != NULL; entry = entry->next)
		count += !command_ended(entry->state);
	return count;
}

static void entry_free(struct journal_entry *entry)
{
	free(entry->content);
	free(entry->result);
	free(entry->wanted_result);
	free(entry->progress_path);
	free(entry);
}

static void unlink_entry(struct journal *journal, struct journal_entry *entry)
{
	struct journal_entry **at = &journal->entries;

	while (*at != entry)
		at = &(*at)->next;
	*at = entry->next;
	journal->count--;
	entry_free(entry);
}

static void link_entry(struct journal *journal, struct journal_entry *entry)
{
	struct journal_entry **at = &journal->entries;

	while (*at != NULL)
		at = &(*at)->next;
	entry->next = NULL;
	*at = entry;
	journal->count++;
}

static struct journal_entry *entry_copy(const struct journal_entry *given)
{
	struct journal_entry *entry = calloc(1, sizeof(*entry));

	if (entry == NULL)
		return NULL;
	entry->id = given->id;
	entry->serial = given->serial;
	entry->kind = given->kind;
	entry->state = given->state;
	entry->issued = given->issued;
	entry->expires = given->expires;
	entry->timeout_us = given->timeout_us;
	entry->deadline = entry->give_up = INT64_MAX;
	entry->revision.now = 1;
	entry->content_size = given->content_size;
	entry->content = malloc(given->content_size + 1);
	if (entry->content == NULL) {
		free(entry);
		return NULL;
	}
	if (given->content_size > 0)
		memcpy(entry->content, given->content, given->content_size);
	return entry;
}

static void set_ended(struct journal_entry *entry, enum command_state state, uint8_t *result, size_t size)
{
	free(entry->content);
	free(entry->result);
	free(entry->wanted_result);
	entry->content = NULL;
	entry->content_size = 0;
	entry->wanted_result = NULL;
	entry->wanted_size = 0;
	entry->wanted_end = COMMAND_PENDING;
	entry->state = state;
	entry->result = result;
	entry->result_size = size;
	entry->deadline = entry->give_up = INT64_MAX;
	revision_change(&entry->revision);
}

/* --- records --- */

static void pack_received(const struct journal_entry *entry, struct buf *out)
{
	pack_u8(out, RECORD_RECEIVED);
	buf_append(out, entry->id.bytes, UUID_BYTES);
	pack_u64(out, entry->serial);
	pack_u8(out, entry->kind);
	pack_u64(out, (uint64_t)entry->issued);
	pack_u64(out, (uint64_t)entry->expires);
	pack_u64(out, (uint64_t)entry->timeout_us);
	pack_bytes(out, entry->content, entry->content_size);
}

static void pack_id(uint8_t record, const struct uuid *id, struct buf *out)
{
	pack_u8(out, record);
	buf_append(out, id->bytes, UUID_BYTES);
}

static void pack_ended(const struct uuid *id, enum command_state state, const uint8_t *result, size_t size,
		       struct buf *out)
{
	pack_id(RECORD_ENDED, id, out);
	pack_u8(out, (uint8_t)state);
	pack_bytes(out, result, size);
}

static void frame(struct buf *frames, struct buf *payload)
{
	record_frame(frames, payload);
	buf_reset(payload);
}

static void frame_entry(const struct journal_entry *entry, struct buf *frames, struct buf *payload)
{
	pack_received(entry, payload);
	frame(frames, payload);
	if (command_ended(entry->state)) {
		pack_ended(&entry->id, entry->state, entry->result, entry->result_size, payload);
		frame(frames, payload);
	} else if (entry->state == COMMAND_RUNNING) {
		pack_id(RECORD_BEGUN, &entry->id, payload);
		frame(frames, payload);
	}
	if (entry->acknowledged) {
		pack_id(RECORD_ACKNOWLEDGED, &entry->id, payload);
		frame(frames, payload);
	}
}

static int rewrite(struct journal *journal, struct err *err)
{
	struct buf frames, payload;
	int rc;

	buf_init(&frames, JOURNAL_MAX_BYTES);
	buf_init(&payload, RECORD_MAX_BYTES);
	pack_u8(&payload, RECORD_HEADER);
	pack_u8(&payload, JOURNAL_VERSION);
	pack_u64(&payload, journal->floor);
	pack_u64(&payload, journal->configuration_serial);
	buf_append(&payload, journal->computer.bytes, UUID_BYTES);
	frame(&frames, &payload);
	for (const struct journal_entry *entry = journal->entries; entry != NULL; entry = entry->next)
		frame_entry(entry, &frames, &payload);
	rc = record_log_replace(&journal->log, &frames, err);
	buf_done(&payload);
	buf_done(&frames);
	return rc;
}

/* Appends and syncs. A file whose end is unknown is written anew first, from
 * what was true before this record. */
static int write_record(struct journal *journal, struct buf *payload, struct err *err)
{
	int rc = journal->log.broken ? rewrite(journal, err) : 0;

	if (rc == 0)
		rc = record_log_append(&journal->log, payload, err);
	if (rc == 0)
		rc = record_log_sync(&journal->log, err);
	buf_done(payload);
	return rc;
}

/* --- loading --- */

static int load_received(struct journal *journal, struct unpack *in)
{
	struct journal_entry given = { 0 }, *entry;
	struct bytes content;

	unpack_fixed(in, given.id.bytes, UUID_BYTES);
	given.serial = unpack_u64(in);
	given.kind = unpack_u8(in);
	given.issued = (time_us)unpack_u64(in);
	given.expires = (time_us)unpack_u64(in);
	given.timeout_us = (span_us)unpack_u64(in);
	content = unpack_bytes(in, RECORD_MAX_BYTES);
	if (unpack_end(in) != 0 || journal_find(journal, &given.id) != NULL)
		return 0;
	entry = entry_copy(&given);
	if (entry == NULL)
		return ERR_MEMORY;
	free(entry->content);
	entry->content_size = content.size;
	entry->content = malloc(content.size + 1);
	if (entry->content == NULL) {
		free(entry);
		return ERR_MEMORY;
	}
	if (content.size > 0)
		memcpy(entry->content, content.data, content.size);
	link_entry(journal, entry);
	return 0;
}

static int load_ended(struct journal_entry *entry, struct unpack *in)
{
	unsigned state = unpack_u8(in);
	struct bytes result = unpack_bytes(in, RECORD_MAX_BYTES);
	uint8_t *copy;

	if (unpack_end(in) != 0 || state >= COMMAND_STATES || !command_ended((enum command_state)state))
		return 0;
	copy = malloc(result.size + 1);
	if (copy == NULL)
		return ERR_MEMORY;
	if (result.size > 0)
		memcpy(copy, result.data, result.size);
	set_ended(entry, (enum command_state)state, copy, result.size);
	return 0;
}

static int load_about(struct journal *journal, uint8_t record, struct unpack *in)
{
	struct journal_entry *entry;
	struct uuid id;

	unpack_fixed(in, id.bytes, UUID_BYTES);
	entry = journal_find(journal, &id);
	if (entry == NULL)
		return 0;
	switch (record) {
	case RECORD_BEGUN:
		entry->state = COMMAND_RUNNING;
		break;
	case RECORD_ENDED:
		return load_ended(entry, in);
	case RECORD_ACKNOWLEDGED:
		entry->acknowledged = true;
		break;
	case RECORD_FORGOTTEN:
		if (entry->serial > journal->floor)
			journal->floor = entry->serial;
		unlink_entry(journal, entry);
		break;
	}
	return 0;
}

static int load_record(void *argument, const uint8_t *payload, size_t size)
{
	struct journal *journal = argument;
	struct unpack in;
	uint8_t record;

	unpack_init(&in, payload, size);
	record = unpack_u8(&in);
	switch (record) {
	case RECORD_HEADER:
		unpack_u8(&in);
		journal->floor = unpack_u64(&in);
		journal->configuration_serial = unpack_u64(&in);
		unpack_fixed(&in, journal->computer.bytes, UUID_BYTES);
		return 0;
	case RECORD_RECEIVED:
		return load_received(journal, &in);
	case RECORD_CONFIGURATION:
		journal->configuration_serial = unpack_u64(&in);
		return 0;
	default:
		return load_about(journal, record, &in);
	}
}

int journal_open(struct journal *journal, const struct endpoint_storage *storage, const struct uuid *computer,
		 struct record_damage *ret_damage, struct err *err)
{
	int rc;

	*journal = (struct journal){ .log = { .storage = storage, .name = "journal" } };
	rc = record_log_load(&journal->log, JOURNAL_MAX_BYTES, load_record, journal, ret_damage, err);
	if (rc != 0)
		return rc;
	if (!uuid_equal(&journal->computer, computer))
		journal->floor = journal->configuration_serial = 0;
	journal->computer = *computer;
	return rewrite(journal, err);
}

void journal_done(struct journal *journal)
{
	while (journal->entries != NULL)
		unlink_entry(journal, journal->entries);
	*journal = (struct journal){ 0 };
}

/* --- moves --- */

int journal_receive(struct journal *journal, const struct journal_entry *given, struct journal_entry **ret_entry,
		    struct err *err)
{
	struct journal_entry *entry = entry_copy(given);
	struct buf payload;
	int rc;

	if (entry == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	buf_init(&payload, RECORD_MAX_BYTES);
	pack_received(entry, &payload);
	rc = write_record(journal, &payload, err);
	if (rc != 0) {
		entry_free(entry);
		return rc;
	}
	link_entry(journal, entry);
	*ret_entry = entry;
	return 0;
}

int journal_begin(struct journal *journal, struct journal_entry *entry, struct err *err)
{
	struct buf payload;
	int rc;

	buf_init(&payload, 64);
	pack_id(RECORD_BEGUN, &entry->id, &payload);
	rc = write_record(journal, &payload, err);
	if (rc != 0)
		return rc;
	entry->state = COMMAND_RUNNING;
	revision_change(&entry->revision);
	return 0;
}

static void pack_result(const char *code, const char *text, const struct event_field *result, size_t count,
			struct buf *out)
{
	size_t text_size = strnlen(text, WIRE_TEXT_MAX_BYTES);

	pack_text(out, code);
	pack_bytes(out, text, text_size);
	pack_u16(out, (uint16_t)count);
	for (size_t i = 0; i < count; i++) {
		pack_text(out, result[i].name);
		pack_bytes(out, result[i].value.data, result[i].value.size);
	}
}

int journal_end_wanted(struct journal *journal, struct journal_entry *entry, struct err *err)
{
	struct buf payload;
	int rc;

	buf_init(&payload, RECORD_MAX_BYTES);
	pack_ended(&entry->id, entry->wanted_end, entry->wanted_result, entry->wanted_size, &payload);
	rc = write_record(journal, &payload, err);
	if (rc == 0) {
		uint8_t *result = entry->wanted_result;

		entry->wanted_result = NULL;
		set_ended(entry, entry->wanted_end, result, entry->wanted_size);
	}
	return rc;
}

int journal_end(struct journal *journal, struct journal_entry *entry, enum command_state state, const char *code,
		const char *text, const struct event_field *result, size_t count, struct err *err)
{
	struct buf packed;

	if (count > WIRE_FIELDS_MAX)
		return err_set(err, ERR_LIMIT, "a result of %zu fields, at most %d", count, WIRE_FIELDS_MAX);
	buf_init(&packed, RECORD_MAX_BYTES - 64);
	pack_result(code, text, result, count, &packed);
	if (packed.status != 0) {
		int rc = err_set(err, packed.status, "the result does not fit");

		buf_done(&packed);
		return rc;
	}
	free(entry->wanted_result);
	entry->wanted_end = state;
	entry->wanted_result = buf_take(&packed, &entry->wanted_size);
	buf_done(&packed);
	return journal_end_wanted(journal, entry, err);
}

int journal_configuration(struct journal *journal, uint64_t serial, struct err *err)
{
	struct buf payload;
	int rc;

	buf_init(&payload, 64);
	pack_u8(&payload, RECORD_CONFIGURATION);
	pack_u64(&payload, serial);
	rc = write_record(journal, &payload, err);
	if (rc == 0)
		journal->configuration_serial = serial;
	return rc;
}

void journal_acknowledge(struct journal *journal, struct journal_entry *entry)
{
	struct buf payload;

	entry->acknowledged = true;
	buf_init(&payload, 64);
	pack_id(RECORD_ACKNOWLEDGED, &entry->id, &payload);
	record_log_append(&journal->log, &payload, NULL);
	buf_done(&payload);
}

/* --- keeping it small --- */

static struct journal_entry *forgettable(const struct journal *journal, time_us now)
{
	struct journal_entry *lowest = NULL;

	for (struct journal_entry *entry = journal->entries; entry != NULL; entry = entry->next) {
		if (!entry->acknowledged || !command_ended(entry->state))
			continue;
		if (entry->expires < now - KEEP_AFTER_EXPIRY_US)
			return entry;
		if (lowest == NULL || entry->serial < lowest->serial)
			lowest = entry;
	}
	return journal->count > JOURNAL_IDS_MAX ? lowest : NULL;
}

static uint64_t live_bytes(const struct journal *journal)
{
	uint64_t bytes = 0;

	for (const struct journal_entry *entry = journal->entries; entry != NULL; entry = entry->next)
		bytes += 192 + entry->content_size + entry->result_size;
	return bytes;
}

int journal_tidy(struct journal *journal, time_us now, struct err *err)
{
	struct journal_entry *entry;
	bool forgot = false;

	while ((entry = forgettable(journal, now)) != NULL) {
		if (entry->serial > journal->floor)
			journal->floor = entry->serial;
		unlink_entry(journal, entry);
		forgot = true;
	}
	if (forgot || journal->log.broken || journal->log.bytes > 2 * live_bytes(journal) + COMPACT_SLACK_BYTES)
		return rewrite(journal, err);
	return 0;
}
