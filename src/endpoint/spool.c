/* The event spool. Its file may be cut short or damaged, fields are untrusted bytes. */
#include "endpoint/spool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pack.h"
#include "wire/limits.h"

#define SPOOL_VERSION        1
#define ENTRY_OVERHEAD_BYTES 96
#define COMPACT_SLACK_BYTES  (256 * KIB)
/* After damage, above the manager's highest by more than can be on its way. */
#define NUMBER_GAP (1u << 20)
/* No count of ours comes this far; what is above is damage, and would come round to 0. */
#define COUNT_MAX (UINT64_C(1) << 62)

/* RECORD_EVENT: as agents wrote it that drew no marks. */
enum record {
	RECORD_HEADER = 'H',
	RECORD_EVENT = 'E',
	RECORD_MARKED = 'M',
	RECORD_ACKNOWLEDGED = 'A',
	RECORD_DROPPED = 'D'
};

static const char *const class_names[EVENT_CLASSES] = { "routine", "status", "security" };

static enum event_class class_of(uint32_t type)
{
	const struct event_type *row = event_type_find(type);

	return row != NULL ? row->spool_class : EVENT_STATUS;
}

/* --- in memory --- */

static uint64_t weight(const struct spool_entry *entry)
{
	return entry->size + ENTRY_OVERHEAD_BYTES;
}

static int make_room(struct spool *spool)
{
	size_t capacity;
	struct spool_entry **entries;

	if (spool->end < spool->capacity)
		return 0;
	if (spool->first > spool->capacity / 2) {
		memmove(spool->entries, spool->entries + spool->first,
			(spool->end - spool->first) * sizeof(struct spool_entry *));
		spool->position += spool->first;
		spool->end -= spool->first;
		spool->first = 0;
		return 0;
	}
	capacity = spool->capacity == 0 ? 64 : spool->capacity * 2;
	entries = reallocarray(spool->entries, capacity, sizeof(struct spool_entry *));
	if (entries == NULL)
		return ERR_MEMORY;
	spool->entries = entries;
	spool->capacity = capacity;
	return 0;
}

/* One without a number counts for one all the same: so it gets the same in each copy of the file, whatever is dropped
 * of the others meanwhile. */
static void count_id(struct spool *spool, const struct spool_entry *entry)
{
	uint64_t more = entry->id + 1 - spool->next_id;

	if (entry->number == 0 && more < COUNT_MAX && spool->next_number < COUNT_MAX - more)
		spool->next_number += more;
	spool->next_id = entry->id + 1;
}

static int keep(struct spool *spool, struct spool_entry *entry)
{
	if (make_room(spool) != 0)
		return ERR_MEMORY;
	spool->entries[spool->end++] = entry;
	spool->class_counts[entry->spool_class]++;
	spool->count++;
	spool->bytes += weight(entry);
	if (entry->id >= spool->next_id)
		count_id(spool, entry);
	if (entry->number >= spool->next_number)
		spool->next_number = entry->number + 1;
	if (entry->source > spool->source)
		spool->source = entry->source;
	if (entry->noted > 0)
		spool->telling[entry->noted_class] = true;
	return 0;
}

static void forget(struct spool *spool, size_t index)
{
	struct spool_entry *entry = spool->entries[index];

	spool->class_counts[entry->spool_class]--;
	spool->count--;
	spool->bytes -= weight(entry);
	if (entry->noted > 0)
		spool->telling[entry->noted_class] = false;
	free(entry);
	spool->entries[index] = NULL;
	while (spool->first < spool->end && spool->entries[spool->first] == NULL)
		spool->first++;
}

/* Up to the end of what the file can hold: more would come round to few. */
static void add_drops(uint32_t *drops, uint32_t count)
{
	*drops = count > UINT32_MAX - *drops ? UINT32_MAX : *drops + count;
}

static void count_drop(struct spool *spool, const struct spool_entry *entry)
{
	spool->dropped++;
	if (entry->noted > 0)
		add_drops(&spool->drops[entry->noted_class], entry->noted); /* told once more, later */
	else
		add_drops(&spool->drops[entry->spool_class], 1);
}

const struct spool_entry *spool_next(const struct spool *spool, size_t *position)
{
	for (size_t i = spool->first + *position; i < spool->end; i++) {
		if (spool->entries[i] != NULL) {
			*position = i - spool->first + 1;
			return spool->entries[i];
		}
	}
	return NULL;
}

uint64_t spool_last_id(const struct spool *spool)
{
	for (size_t i = spool->end; i > spool->first; i--) {
		if (spool->entries[i - 1] != NULL)
			return spool->entries[i - 1]->id;
	}
	return 0;
}

/* --- records --- */

/* Drops as a reader of the whole file must find them: each 6009 behind takes its own off again. */
static void drops_with_told(const struct spool *spool, uint32_t drops[EVENT_CLASSES])
{
	const struct spool_entry *entry;
	size_t position = 0;

	memcpy(drops, spool->drops, sizeof(spool->drops));
	while ((entry = spool_next(spool, &position)) != NULL) {
		if (entry->noted > 0)
			add_drops(&drops[entry->noted_class], entry->noted);
	}
}

static void pack_header(const struct spool *spool, struct buf *out)
{
	uint32_t drops[EVENT_CLASSES];

	drops_with_told(spool, drops);
	pack_u8(out, RECORD_HEADER);
	pack_u8(out, SPOOL_VERSION);
	pack_u8(out, spool->numbers_known);
	pack_u64(out, spool->next_number);
	pack_u64(out, spool->next_id);
	pack_u64(out, spool->source);
	for (size_t i = 0; i < EVENT_CLASSES; i++)
		pack_u32(out, drops[i]);
}

static void pack_event(const struct spool_entry *entry, struct buf *out)
{
	pack_u8(out, entry->mark != 0 ? RECORD_MARKED : RECORD_EVENT);
	if (entry->mark != 0)
		pack_u64(out, entry->mark);
	pack_u64(out, entry->id);
	pack_u64(out, entry->number);
	pack_u64(out, entry->source);
	pack_u64(out, (uint64_t)entry->time);
	pack_u32(out, entry->type);
	pack_u32(out, entry->noted);
	pack_u8(out, entry->noted_class);
	pack_bytes(out, entry->fields, entry->size);
}

/* ERR_FORMAT: not a record of ours, which is left out; ERR_MEMORY. */
static int unpack_event(struct unpack *in, bool marked, struct spool_entry **ret_entry)
{
	struct spool_entry head = { .mark = marked ? unpack_u64(in) : 0 };
	struct spool_entry *entry;
	struct bytes fields;

	head.id = unpack_u64(in);
	head.number = unpack_u64(in);
	head.source = unpack_u64(in);
	head.time = (time_us)unpack_u64(in);
	head.type = unpack_u32(in);
	head.noted = unpack_u32(in);
	head.noted_class = unpack_u8(in);
	fields = unpack_bytes(in, RECORD_MAX_BYTES);
	if (unpack_end(in) != 0 || head.noted_class >= EVENT_CLASSES || head.id == 0 || head.id > COUNT_MAX ||
	    head.number > COUNT_MAX || head.source > COUNT_MAX)
		return ERR_FORMAT;
	entry = malloc(sizeof(*entry) + fields.size);
	if (entry == NULL)
		return ERR_MEMORY;
	*entry = head;
	entry->size = (uint32_t)fields.size;
	entry->spool_class = (uint8_t)class_of(head.type);
	if (fields.size > 0)
		memcpy(entry->fields, fields.data, fields.size);
	*ret_entry = entry;
	return 0;
}

static int append_record(struct spool *spool, struct buf *payload, struct err *err)
{
	int rc = record_log_append(&spool->log, payload, err);

	buf_done(payload);
	return rc;
}

static int rewrite(struct spool *spool, struct err *err)
{
	struct buf frames, payload;
	const struct spool_entry *entry;
	size_t position = 0;
	int rc;

	buf_init(&frames, 2 * spool->max_bytes + MIB);
	buf_init(&payload, RECORD_MAX_BYTES);
	pack_header(spool, &payload);
	record_frame(&frames, &payload);
	while ((entry = spool_next(spool, &position)) != NULL) {
		buf_reset(&payload);
		pack_event(entry, &payload);
		record_frame(&frames, &payload);
	}
	rc = record_log_replace(&spool->log, &frames, err);
	if (rc == 0)
		spool->durable_id = spool->next_id - 1;
	buf_done(&payload);
	buf_done(&frames);
	return rc;
}

/* --- loading --- */

/* The file's first record. Another one, or one that is not whole, says nothing: the numbers stay unknown. */
static void load_header(struct spool *spool, struct unpack *in)
{
	struct spool header = { .numbers_known = unpack_u8(in) == SPOOL_VERSION && unpack_u8(in) != 0 };

	header.next_number = unpack_u64(in);
	header.next_id = unpack_u64(in);
	header.source = unpack_u64(in);
	for (size_t i = 0; i < EVENT_CLASSES; i++)
		header.drops[i] = unpack_u32(in);
	if (unpack_end(in) != 0 || spool->next_id != 1 || header.next_id - 1 > COUNT_MAX ||
	    header.next_number - 1 > COUNT_MAX || header.source > COUNT_MAX)
		return;
	spool->numbers_known = header.numbers_known;
	spool->next_number = header.next_number;
	spool->next_id = header.next_id;
	spool->source = header.source;
	memcpy(spool->drops, header.drops, sizeof(spool->drops));
}

static int load_event(struct spool *spool, bool marked, struct unpack *in)
{
	struct spool_entry *entry = NULL;
	int rc = unpack_event(in, marked, &entry);

	if (rc != 0)
		return rc == ERR_FORMAT ? 0 : rc;
	rc = keep(spool, entry);
	if (rc != 0)
		free(entry);
	else if (entry->noted > 0)
		spool->drops[entry->noted_class] -=
		    entry->noted < spool->drops[entry->noted_class] ? entry->noted : spool->drops[entry->noted_class];
	return rc;
}

static void drop_id(struct spool *spool, uint64_t id)
{
	for (size_t i = spool->first; i < spool->end; i++) {
		if (spool->entries[i] != NULL && spool->entries[i]->id == id) {
			count_drop(spool, spool->entries[i]);
			forget(spool, i);
			return;
		}
	}
}

static void forget_up_to(struct spool *spool, uint64_t number)
{
	while (spool->first < spool->end) {
		const struct spool_entry *entry = spool->entries[spool->first];

		if (entry == NULL)
			spool->first++;
		else if (entry->number != 0 && entry->number <= number)
			forget(spool, spool->first);
		else
			break;
	}
}

static int load_record(void *argument, const uint8_t *payload, size_t size)
{
	struct spool *spool = argument;
	struct unpack in;
	uint8_t kind;

	unpack_init(&in, payload, size);
	kind = unpack_u8(&in);
	switch (kind) {
	case RECORD_HEADER:
		load_header(spool, &in);
		break;
	case RECORD_EVENT:
	case RECORD_MARKED:
		return load_event(spool, kind == RECORD_MARKED, &in);
	case RECORD_ACKNOWLEDGED:
		forget_up_to(spool, unpack_u64(&in));
		break;
	case RECORD_DROPPED:
		drop_id(spool, unpack_u64(&in));
		break;
	}
	return 0;
}

int spool_open(struct spool *spool, const struct env *env, const struct endpoint_storage *storage, uint32_t max_count,
	       uint64_t max_bytes, struct record_damage *ret_damage, struct err *err)
{
	int rc;

	*spool = (struct spool){
		.env = env,
		.log = { .storage = storage, .name = "spool" },
		.max_count = max_count,
		.max_bytes = max_bytes,
		.next_id = 1,
		.next_number = 1,
	};
	rc = record_log_load(&spool->log, 4 * max_bytes + 4 * MIB, load_record, spool, ret_damage, err);
	if (rc != 0)
		return rc;
	if (ret_damage->places > 0)
		spool->numbers_known = false;
	/* Nothing of this run may come before a whole file with a header. */
	return rewrite(spool, err);
}

void spool_done(struct spool *spool)
{
	for (size_t i = spool->first; i < spool->end; i++)
		free(spool->entries[i]);
	free(spool->entries);
	*spool = (struct spool){ 0 };
}

/* --- adding and dropping --- */

static size_t oldest_of_class(struct spool *spool, enum event_class spool_class)
{
	size_t from = spool->first;

	if (spool->hints[spool_class] > spool->position + from)
		from = (size_t)(spool->hints[spool_class] - spool->position);
	for (size_t i = from; i < spool->end; i++) {
		if (spool->entries[i] != NULL && spool->entries[i]->spool_class == spool_class) {
			spool->hints[spool_class] = spool->position + i;
			return i;
		}
	}
	return spool->end;
}

static int drop_one(struct spool *spool, struct err *err)
{
	size_t spool_class = 0, index;
	struct buf payload;

	while (spool_class < EVENT_CLASSES - 1 && spool->class_counts[spool_class] == 0)
		spool_class++;
	index = oldest_of_class(spool, (enum event_class)spool_class);
	if (index == spool->end)
		return err_set(err, ERR_INTERNAL, "the spool's counts are wrong");
	buf_init(&payload, 64);
	pack_u8(&payload, RECORD_DROPPED);
	pack_u64(&payload, spool->entries[index]->id);
	count_drop(spool, spool->entries[index]);
	forget(spool, index);
	return append_record(spool, &payload, err);
}

static int add_entry(struct spool *spool, struct spool_entry *entry, struct err *err)
{
	struct buf payload;
	int rc;

	entry->id = spool->next_id;
	entry->number = spool->numbers_known ? spool->next_number : 0;
	while (entry->mark == 0)
		spool->env->random(spool->env->context, &entry->mark, sizeof(entry->mark));
	entry->spool_class = (uint8_t)class_of(entry->type);
	if (keep(spool, entry) != 0) {
		free(entry);
		return err_set(err, ERR_MEMORY, "out of memory");
	}
	buf_init(&payload, RECORD_MAX_BYTES);
	pack_event(entry, &payload);
	rc = append_record(spool, &payload, err);
	while (rc == 0 && (spool->count > spool->max_count || spool->bytes > spool->max_bytes))
		rc = drop_one(spool, err);
	/* A file that fails is written anew by the next flush; the event is kept in memory. */
	return spool->log.broken ? 0 : rc;
}

static int pack_fields(const struct event_field *fields, size_t count, struct buf *out, struct err *err)
{
	if (count > WIRE_FIELDS_MAX)
		return err_set(err, ERR_LIMIT, "an event of %zu fields, at most %d", count, WIRE_FIELDS_MAX);
	pack_u16(out, (uint16_t)count);
	for (size_t i = 0; i < count; i++) {
		size_t name_size = strlen(fields[i].name);

		if (name_size == 0 || name_size > WIRE_NAME_MAX_BYTES ||
		    fields[i].value.size > WIRE_FIELD_VALUE_MAX_BYTES)
			return err_set(err, ERR_LIMIT, "event field %zu: name of %zu, value of %zu bytes", i, name_size,
				       fields[i].value.size);
		pack_text(out, fields[i].name);
		pack_bytes(out, fields[i].value.data, fields[i].value.size);
	}
	return out->status == 0 ? 0 : err_set(err, out->status, "an event does not fit");
}

static struct spool_entry *make_entry(uint32_t type, time_us time, const struct event_field *fields, size_t count,
				      struct err *err)
{
	struct spool_entry *entry = NULL;
	struct buf packed;

	buf_init(&packed, RECORD_MAX_BYTES - ENTRY_OVERHEAD_BYTES);
	if (pack_fields(fields, count, &packed, err) == 0) {
		entry = malloc(sizeof(*entry) + packed.size);
		if (entry == NULL) {
			err_set(err, ERR_MEMORY, "out of memory");
		} else {
			*entry = (struct spool_entry){ .type = type, .time = time, .size = (uint32_t)packed.size };
			memcpy(entry->fields, packed.data, packed.size);
		}
	}
	buf_done(&packed);
	return entry;
}

int spool_add(struct spool *spool, uint64_t source, uint32_t type, time_us time, const struct event_field *fields,
	      size_t count, struct err *err)
{
	struct err why = { 0 };
	struct spool_entry *entry;

	if (source != 0 && source <= spool->source)
		return 0;
	entry = make_entry(type, time, fields, count, &why);
	if (entry == NULL)
		return err_set(err, why.code, "%s", why.text);
	entry->source = source;
	return add_entry(spool, entry, err);
}

static int tell_class(struct spool *spool, size_t spool_class, time_us now, struct err *err)
{
	char count[16];
	int length = snprintf(count, sizeof(count), "%u", spool->drops[spool_class]);
	const struct event_field fields[] = {
		{ "class", { (const uint8_t *)class_names[spool_class], strlen(class_names[spool_class]) } },
		{ "count", { (const uint8_t *)count, (size_t)length } },
	};
	struct spool_entry *entry = make_entry(EVENT_EVENTS_DROPPED, now, fields, COUNT_OF(fields), err);

	if (entry == NULL)
		return ERR_MEMORY;
	entry->noted = spool->drops[spool_class];
	entry->noted_class = (uint8_t)spool_class;
	spool->drops[spool_class] = 0;
	return add_entry(spool, entry, err);
}

int spool_tell_drops(struct spool *spool, time_us now, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < EVENT_CLASSES && rc == 0; i++) {
		if (spool->drops[i] > 0 && !spool->telling[i])
			rc = tell_class(spool, i, now, err);
	}
	return rc;
}

int spool_flush(struct spool *spool, struct err *err)
{
	uint64_t live = spool->bytes + COMPACT_SLACK_BYTES;
	int rc;

	if (spool->log.broken || spool->log.bytes > 2 * live)
		return rewrite(spool, err);
	rc = record_log_sync(&spool->log, err);
	if (rc == 0)
		spool->durable_id = spool->next_id - 1;
	return rc;
}

int spool_compact(struct spool *spool, struct err *err)
{
	return rewrite(spool, err);
}

/* --- acknowledged --- */

/* Those that count_id() counted, else above what the manager has; ascending in any case. */
static void number_entries(struct spool *spool, bool own, uint64_t next)
{
	for (size_t i = spool->first; i < spool->end; i++) {
		struct spool_entry *entry = spool->entries[i];
		uint64_t behind = entry != NULL ? spool->next_id - entry->id : 0;

		if (entry == NULL)
			continue;
		if (entry->number == 0 && own && behind < spool->next_number && spool->next_number - behind > next)
			next = spool->next_number - behind;
		if (entry->number == 0)
			entry->number = next;
		if (entry->number >= next)
			next = entry->number + 1;
	}
	if (next > spool->next_number)
		spool->next_number = next;
}

static int learn_numbers(struct spool *spool, const struct spool_acknowledgement *given, struct err *err)
{
	bool own = given->highest > 0 || given->number == 0;
	uint64_t next = given->number + 1;

	if (given->number < COUNT_MAX)
		next += NUMBER_GAP;
	number_entries(spool, own, own ? 1 : next);
	spool->numbers_known = true;
	spool->durable_id = 0;    /* the numbers are not */
	spool->log.broken = true; /* until the file has been written anew */
	return rewrite(spool, err);
}

/* The manager has more of our identity than we ever numbered: we are a copy, or were set back. We go on above it, where
 * nothing has to be looked up. */
static void pass_number(struct spool *spool, uint64_t number)
{
	if (number >= spool->next_number && number < COUNT_MAX)
		spool->next_number = number + 1;
}

int spool_acknowledge(struct spool *spool, const struct spool_acknowledgement *given, struct err *err)
{
	uint64_t number = given->number < given->carried ? given->number : given->carried;
	size_t before = spool->count;
	struct buf payload;
	int rc = 0;

	if (!spool->numbers_known)
		rc = learn_numbers(spool, given, err);
	pass_number(spool, given->number);
	pass_number(spool, given->highest);
	if (rc != 0)
		return rc;
	forget_up_to(spool, number);
	if (spool->count == before)
		return 0;
	buf_init(&payload, 64);
	pack_u8(&payload, RECORD_ACKNOWLEDGED);
	pack_u64(&payload, number);
	return append_record(spool, &payload, err);
}
