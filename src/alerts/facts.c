/* What events say about alerts, by one table. Field values come from outside:
 * they are escaped and cut here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/alerts.h"
#include "base/text.h"

/* Escaping makes at most four bytes of one. */
#define ESCAPED_MAX_BYTES (64 * 1024)

static struct bytes value_of(const struct event_field *fields, size_t count, const char *name)
{
	for (size_t i = 0; name != NULL && i < count; i++) {
		if (strcmp(fields[i].name, name) == 0)
			return fields[i].value;
	}
	return (struct bytes){ NULL, 0 };
}

static bool is_any(struct bytes value, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (value.size == strlen(words[i]) && memcmp(value.data, words[i], value.size) == 0)
			return true;
	}
	return false;
}

/* Event 2000: what was done with the file. Any other word than these, and none, leaves it where it is. */
static bool was_removed(const struct event_field *fields, size_t count)
{
	static const char *const done[] = { "quarantined", "deleted", "removed" };

	return is_any(value_of(fields, count, "result"), done, COUNT_OF(done));
}

static bool was_not_removed(const struct event_field *fields, size_t count)
{
	return !was_removed(fields, count);
}

/* Event 717 of the computer whose identity was in use twice; the one that has a new identity has it too. */
static bool names_session(const struct event_field *fields, size_t count)
{
	return value_of(fields, count, "session").size > 0;
}

/* Event 732: silence that is excused. */
static bool is_excused(const struct event_field *fields, size_t count)
{
	static const char *const no[] = { "no" };

	return is_any(value_of(fields, count, "offline_error"), no, COUNT_OF(no));
}

static const struct rule {
	uint32_t type;
	enum alert_kind kind;
	bool holds;
	const char *subject, *detail;                                 /* names of fields, NULL: none */
	const char *more;                                             /* a second field of the detail */
	bool (*when)(const struct event_field *fields, size_t count); /* NULL: always */
} rules[] = {
	{ EVENT_COMPUTER_OFFLINE, ALERT_COMPUTER_OFFLINE, true, .detail = "cause" },
	{ EVENT_COMPUTER_ONLINE, ALERT_COMPUTER_OFFLINE, false },
	{ EVENT_COMPUTER_NOT_WATCHED, ALERT_COMPUTER_OFFLINE, false },
	{ EVENT_VM_STOPPED, ALERT_COMPUTER_OFFLINE, false, .when = is_excused },
	{ EVENT_COMMUNICATION_PROBLEM, ALERT_COMMUNICATION_PROBLEM, true, .detail = "cause" },
	{ EVENT_COMMUNICATION_RESOLVED, ALERT_COMMUNICATION_PROBLEM, false },
	{ EVENT_COMPUTER_CLOCK_CHANGE, ALERT_CLOCK_CHANGE, true, .detail = "offset_s" },
	{ EVENT_DUPLICATE_COMPUTER, ALERT_DUPLICATE_IDENTITY, true, .subject = "name", .detail = "address" },
	{ EVENT_CLONE_REKEYED, ALERT_DUPLICATE_IDENTITY, true, .detail = "host", .when = names_session },
	{ EVENT_MALWARE_DETECTED, ALERT_MALWARE_NOT_REMOVED, true, .subject = "file", .detail = "detection",
	  .more = "result", .when = was_not_removed },
	{ EVENT_MALWARE_DETECTED, ALERT_MALWARE_NOT_REMOVED, false, .subject = "file", .when = was_removed },
	{ EVENT_QUARANTINED, ALERT_MALWARE_NOT_REMOVED, false, .subject = "file" },
	{ EVENT_QUARANTINE_FULL, ALERT_QUARANTINE_FULL, true, .detail = "done" },
	{ EVENT_LOW_DISK, ALERT_LOW_DISK, true, .subject = "path", .detail = "free" },
	{ EVENT_DISK_ENOUGH, ALERT_LOW_DISK, false, .subject = "path" },
	{ EVENT_AUTHORITY_MISSING, ALERT_AUTHORITY_MISSING, true, .detail = "cause" },
	{ EVENT_AUTHORITY_BACK, ALERT_AUTHORITY_MISSING, false },
	{ EVENT_KEY_FILE_LOST, ALERT_KEY_FILE_LOST, true, .subject = "file", .detail = "cause" },
	{ EVENT_KEY_FILE_BACK, ALERT_KEY_FILE_LOST, false, .subject = "file" },
	{ EVENT_USER_LOCKED_OUT, ALERT_USER_LOCKED_OUT, true, .subject = "user", .detail = "address" },
};

/* FNV-1a: two long subjects with the same beginning stay two. */
static uint64_t hash_of(struct bytes bytes)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < bytes.size; i++)
		hash = (hash ^ bytes.data[i]) * 0x100000001b3u;
	return hash;
}

static size_t cut_before(const char *text, size_t most)
{
	while (most > 0 && ((uint8_t)text[most] & 0xc0) == 0x80)
		most--;
	return most;
}

static char *escaped(struct bytes bytes, struct bytes more, size_t most)
{
	struct buf text;
	char *result = NULL, mark[32] = "…";

	buf_init(&text, ESCAPED_MAX_BYTES);
	text_escape(&text, bytes.data, bytes.size);
	if (more.size > 0) {
		buf_append_text(&text, ", ");
		text_escape(&text, more.data, more.size);
	}
	if (text.status == ERR_MEMORY) {
		buf_done(&text);
		return NULL;
	}
	/* Too long to be escaped whole: the beginning that fits is cut all the same. */
	if (text.status == 0 && text.size <= most)
		result = strdup(buf_text(&text));
	if (text.status != 0 || text.size > most) {
		size_t keep;

		snprintf(mark, sizeof(mark), "…%016llx", (unsigned long long)hash_of(bytes));
		keep = text.data != NULL && text.size > most - strlen(mark)
			   ? cut_before((const char *)text.data, most - strlen(mark))
			   : text.size;
		if (asprintf(&result, "%.*s%s", (int)keep, buf_text(&text), mark) < 0)
			result = NULL;
	}
	buf_done(&text);
	return result;
}

static int make(enum alert_kind kind, bool holds, const struct uuid *computer, struct bytes subject,
		struct bytes detail, struct bytes more, time_us time, struct alert_fact *ret_fact, struct err *err)
{
	struct alert_fact fact = { .kind = kind, .holds = holds, .time = time };

	if (computer != NULL)
		fact.computer = *computer;
	fact.subject = escaped(subject, (struct bytes){ NULL, 0 }, ALERT_SUBJECT_MAX_BYTES);
	fact.detail = escaped(detail, more, ALERT_DETAIL_MAX_BYTES);
	if (fact.subject == NULL || fact.detail == NULL) {
		alert_fact_done(&fact);
		return err_set(err, ERR_MEMORY, "no memory for an alert");
	}
	*ret_fact = fact;
	return 0;
}

static struct bytes bytes_of(const char *text)
{
	return (struct bytes){ (const uint8_t *)text, text != NULL ? strlen(text) : 0 };
}

int alert_fact_make(enum alert_kind kind, bool holds, const struct uuid *computer, const char *subject,
		    const char *detail, time_us time, struct alert_fact *ret_fact, struct err *err)
{
	return make(kind, holds, computer, bytes_of(subject), bytes_of(detail), bytes_of(NULL), time, ret_fact, err);
}

int alert_fact_of_event(uint32_t type, const struct uuid *computer, const struct event_field *fields, size_t count,
			time_us time, bool *ret_says, struct alert_fact *ret_fact, struct err *err)
{
	for (size_t i = 0; i < COUNT_OF(rules); i++) {
		const struct rule *rule = &rules[i];
		int rc;

		if (rule->type != type || (rule->when != NULL && !rule->when(fields, count)))
			continue;
		/* The manager's own quarantine store is full, whoever's file it was. */
		if (rule->kind == ALERT_QUARANTINE_FULL)
			computer = NULL;
		rc = make(rule->kind, rule->holds, computer, value_of(fields, count, rule->subject),
			  value_of(fields, count, rule->detail), value_of(fields, count, rule->more), time, ret_fact,
			  err);
		*ret_says = rc == 0;
		return rc;
	}
	*ret_says = false;
	return 0;
}

void alert_fact_done(struct alert_fact *fact)
{
	free(fact->subject);
	free(fact->detail);
	fact->subject = fact->detail = NULL;
}
