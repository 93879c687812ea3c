/* Mail about events. Everything but addresses is escaped and encoded: no value
 * from outside can end a header or a line. */
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "forward/forward.h"

#define ADDRESS_MAX_BYTES 254 /* RFC 5321 section 4.5.3.1 with its erratum */
#define SUBJECT_MAX_BYTES 160
#define SUBJECT_COLUMN    9  /* behind "Subject: " */
#define LINE_MAX_BYTES    76 /* RFC 2045 section 6.7 */
#define WORD_MAX_BYTES    75 /* RFC 2047 section 2 */
#define TEXT_MAX_BYTES    (1 * MIB)

static bool address_byte(char byte)
{
	return byte > 32 && byte < 127 && strchr("\"(),:;<>[\\]@", byte) == NULL;
}

bool forward_is_address(const char *text)
{
	const char *at = strchr(text, '@');
	size_t size = strlen(text);

	if (at == NULL || at == text || at[1] == '\0' || size > ADDRESS_MAX_BYTES || text[0] == '-')
		return false;
	for (size_t i = 0; i < size; i++) {
		if (text + i != at && !address_byte(text[i]))
			return false;
	}
	return true;
}

/* --- encodings --- */

static size_t character_bytes(const uint8_t *at, size_t left)
{
	size_t size = 1;

	while (size < left && (at[size] & 0xC0) == 0x80)
		size++;
	return size;
}

static void put_hex(struct buf *out, uint8_t byte)
{
	buf_printf(out, "=%02X", byte);
}

/* Encoded words of whole characters, a line each; the first begins at `column`. */
static void encode_words(const char *text, size_t column, struct buf *out)
{
	static const char begin[] = "=?UTF-8?Q?", end[] = "?=";
	const uint8_t *at = (const uint8_t *)text;
	size_t left = strlen(text), room = 0;
	bool open = false;

	while (left > 0) {
		size_t size = character_bytes(at, left);

		if (!open || room < 3 * size) {
			buf_printf(out, "%s%s", open ? "?=\r\n " : "", begin);
			room = WORD_MAX_BYTES - strlen(begin) - strlen(end) - (open ? 1 : column);
			open = true;
		}
		for (size_t i = 0; i < size; i++)
			put_hex(out, at[i]);
		room -= 3 * size;
		at += size;
		left -= size;
	}
	if (open)
		buf_append_text(out, end);
}

static bool is_ascii(const char *text)
{
	for (; *text != '\0'; text++) {
		if ((uint8_t)*text > 126 || (uint8_t)*text < 32)
			return false;
	}
	return true;
}

/* Quoted-printable; lines of `text` end with '\n'. */
static void quote(const char *text, struct buf *out)
{
	size_t column = 0;

	for (; *text != '\0'; text++) {
		uint8_t byte = (uint8_t)*text;
		bool plain = byte >= 32 && byte < 127 && byte != '=' && !(byte == ' ' && text[1] == '\n');

		if (byte == '\n') {
			buf_append_text(out, "\r\n");
			column = 0;
			continue;
		}
		if (column + (plain ? 1 : 3) >= LINE_MAX_BYTES) {
			buf_append_text(out, "=\r\n");
			column = 0;
		}
		if (plain && !(byte == '.' && column == 0)) {
			buf_append_byte(out, byte);
			column++;
		} else {
			put_hex(out, byte);
			column += 3;
		}
	}
}

/* --- the message --- */

static void put_date(time_us now, struct buf *out)
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t seconds = (time_t)(now / SECOND_US);
	struct tm parts;

	gmtime_r(&seconds, &parts);
	buf_printf(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", days[parts.tm_wday], parts.tm_mday,
		   months[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

static void put_subject(const struct forward_origin *origin, const struct forward_event *events, size_t count,
			struct buf *out)
{
	struct buf subject;

	buf_init(&subject, TEXT_MAX_BYTES);
	if (count == 1 && events[0].computer_name[0] != '\0')
		buf_printf(&subject, "%s: ", events[0].computer_name);
	if (count == 1)
		forward_sentence(&events[0], &subject);
	else
		buf_printf(&subject, "%zu messages from %s", count, origin->manager);
	if (subject.size > SUBJECT_MAX_BYTES) {
		size_t cut = SUBJECT_MAX_BYTES;

		while ((subject.data[cut] & 0xC0) == 0x80)
			cut--;
		subject.data[cut] = '\0';
	}
	buf_append_text(out, "Subject: ");
	if (is_ascii(buf_text(&subject)) && subject.size <= WORD_MAX_BYTES - SUBJECT_COLUMN)
		buf_append_text(out, buf_text(&subject));
	else
		encode_words(buf_text(&subject), SUBJECT_COLUMN, out);
	buf_append_text(out, "\r\n");
	buf_done(&subject);
}

static void put_headers(const struct forward_origin *origin, const struct forward_mail *mail,
			const struct forward_event *events, size_t count, struct buf *out)
{
	char id[UUID_TEXT_BYTES];

	put_date(mail->now, out);
	buf_printf(out, "From: Muster <%s>\r\nTo: ", mail->from);
	for (size_t i = 0; i < mail->to_count; i++)
		buf_printf(out, "%s<%s>", i > 0 ? ",\r\n " : "", mail->to[i]);
	buf_append_text(out, "\r\n");
	put_subject(origin, events, count, out);
	uuid_format(&events[0].id, id);
	/* The same for each attempt: receivers can tell a repeated one. */
	buf_printf(out, "Message-ID: <%s.%zu%s>\r\n", id, count, strchr(mail->from, '@'));
	buf_append_text(out, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
			     "Content-Type: text/plain; charset=UTF-8\r\n"
			     "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
}

static void put_event(const struct forward_event *event, struct buf *text)
{
	char time[TIME_TEXT_BYTES];

	time_format(event->time, time);
	buf_printf(text, "%s  %s", time, event_severity_name(event->severity));
	if (event->computer_name[0] != '\0')
		buf_printf(text, "  %s", event->computer_name);
	buf_append_text(text, "\n");
	forward_sentence(event, text);
	buf_append_text(text, "\n");
	for (size_t i = 0; i < event->field_count; i++) {
		buf_printf(text, "    %s: ", event->fields[i].name);
		text_escape(text, event->fields[i].value.data, event->fields[i].value.size);
		buf_append_text(text, "\n");
	}
	buf_append_text(text, "\n");
}

void forward_mail(const struct forward_origin *origin, const struct forward_mail *mail,
		  const struct forward_event *events, size_t count, struct buf *out)
{
	struct buf text;

	put_headers(origin, mail, events, count, out);
	buf_init(&text, TEXT_MAX_BYTES);
	for (size_t i = 0; i < count; i++)
		put_event(&events[i], &text);
	buf_printf(&text, "-- \nMuster %s on %s\n", origin->version, origin->manager);
	if (text.status != 0 && out->status == 0)
		out->status = text.status;
	quote(buf_text(&text), out);
	buf_done(&text);
}
