/* RFC 5424 messages and the Common Event Format. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "forward/forward.h"

#define HOST_MAX_BYTES  255 /* RFC 5424 section 6 */
#define MSGID_MAX_BYTES 32
#define VALUE_MAX_BYTES (256 * KIB)

static const struct {
	const char *name;
	int number; /* RFC 5424 table 1 */
} facilities[] = {
	{ "user", 1 },    { "daemon", 3 },  { "auth", 4 },    { "authpriv", 10 }, { "local0", 16 }, { "local1", 17 },
	{ "local2", 18 }, { "local3", 19 }, { "local4", 20 }, { "local5", 21 },   { "local6", 22 }, { "local7", 23 },
};
const char *const forward_facilities[] = { "user",   "daemon", "auth",   "authpriv", "local0", "local1", "local2",
					   "local3", "local4", "local5", "local6",   "local7", NULL };
_Static_assert(COUNT_OF(forward_facilities) == COUNT_OF(facilities) + 1, "each facility can be chosen");

/* By enum event_severity: RFC 5424 table 2, and CEF's 0 to 10. */
static const int syslog_severities[] = { 6, 4, 3 };
static const int cef_severities[] = { 3, 6, 9 };

/* Fields that CEF has a key for; others go into its custom strings. */
static const struct {
	const char *field, *key;
} cef_keys[] = {
	{ "file", "filePath" },  { "sha256", "fileHash" }, { "size", "fsize" },
	{ "user", "suser" },     { "process", "sproc" },   { "action", "act" },
	{ "result", "outcome" }, { "cause", "reason" },    { "protocol", "proto" },
};
#define CEF_CUSTOM_STRINGS 6

int forward_facility(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(facilities); i++) {
		if (strcmp(facilities[i].name, name) == 0)
			return facilities[i].number;
	}
	return -1;
}

/* --- CEF --- */

/* The prefix escapes '|', the extension '='; both the backslash. */
static void cef_escape(const char *text, char special, struct buf *out)
{
	for (; *text != '\0'; text++) {
		if (*text == '\\' || *text == special)
			buf_append_byte(out, '\\');
		buf_append_byte(out, (uint8_t)*text);
	}
}

static void cef_pair(struct buf *out, const char *key, const char *value)
{
	buf_printf(out, " %s=", key);
	cef_escape(value, '=', out);
}

static const char *cef_key(const char *field)
{
	for (size_t i = 0; i < COUNT_OF(cef_keys); i++) {
		if (strcmp(cef_keys[i].field, field) == 0)
			return cef_keys[i].key;
	}
	return NULL;
}

static void cef_fields(const struct forward_event *event, struct buf *out)
{
	unsigned custom = 0;
	struct buf value;
	char key[16];

	buf_init(&value, VALUE_MAX_BYTES);
	for (size_t i = 0; i < event->field_count; i++) {
		const struct event_field *field = &event->fields[i];
		const char *known = cef_key(field->name);

		buf_reset(&value);
		text_escape(&value, field->value.data, field->value.size);
		if (known != NULL) {
			cef_pair(out, known, buf_text(&value));
		} else if (custom < CEF_CUSTOM_STRINGS) {
			snprintf(key, sizeof(key), "cs%uLabel", ++custom);
			cef_pair(out, key, field->name);
			snprintf(key, sizeof(key), "cs%u", custom);
			cef_pair(out, key, buf_text(&value));
		}
	}
	buf_done(&value);
}

void forward_cef(const struct forward_origin *origin, const struct forward_event *event, struct buf *out)
{
	char id[UUID_TEXT_BYTES];
	struct buf sentence;

	buf_append_text(out, "CEF:0|Muster|Manager|");
	cef_escape(origin->version, '|', out);
	buf_printf(out, "|%u|", (unsigned)event->number);
	cef_escape(event->type != NULL ? event->type->name : "unknown", '|', out);
	buf_printf(out, "|%d|", cef_severities[event->severity]);
	uuid_format(&event->id, id);
	buf_printf(out, "rt=%lld externalId=%s", (long long)(event->time / MILLISECOND_US), id);
	cef_pair(out, "dvchost", event->computer_name[0] != '\0' ? event->computer_name : origin->manager);
	if (!uuid_is_zero(&event->computer)) {
		uuid_format(&event->computer, id);
		cef_pair(out, "deviceExternalId", id);
	}
	buf_init(&sentence, VALUE_MAX_BYTES);
	forward_sentence(event, &sentence);
	cef_pair(out, "msg", buf_text(&sentence));
	buf_done(&sentence);
	cef_fields(event, out);
}

/* --- RFC 5424 --- */

/* PRINTUSASCII without blanks, "-" for nothing. */
static void header_name(const char *text, size_t max, struct buf *out)
{
	size_t size = strlen(text);

	if (size == 0)
		buf_append_byte(out, '-');
	for (size_t i = 0; i < size && i < max; i++)
		buf_append_byte(out, text[i] > 32 && text[i] < 127 ? (uint8_t)text[i] : '_');
}

void forward_syslog(const struct forward_origin *origin, const struct forward_event *event, enum forward_format format,
		    int facility, struct buf *out)
{
	char time[TIME_TEXT_BYTES];

	time_format(event->time, time);
	buf_printf(out, "<%d>1 %s ", facility * 8 + syslog_severities[event->severity], time);
	header_name(event->computer_name[0] != '\0' ? event->computer_name : origin->manager, HOST_MAX_BYTES, out);
	buf_append_text(out, " muster - ");
	header_name(event->type != NULL ? event->type->name : "unknown", MSGID_MAX_BYTES, out);
	buf_append_text(out, " - ");
	if (format == FORWARD_CEF)
		forward_cef(origin, event, out);
	else
		forward_json(event, out);
}

void forward_frame(const void *message, size_t size, struct buf *out)
{
	buf_printf(out, "%zu ", size);
	buf_append(out, message, size);
}
