/* Events as others read them: one message of syslog, mail or webhook.
 *
 * Pure: text in, text out. Field values are untrusted bytes (file names above
 * all) and reach no format unescaped. Writers append to `out`, whose sticky
 * status tells of a limit or of no memory.
 *
 * Sources: RFC 5424 (syslog), RFC 6587 section 3.4.1 and RFC 5425 (framing),
 * ArcSight Common Event Format revision 25, RFC 5322 and RFC 2045 to 2047 (mail).
 */
#ifndef MUSTER_FORWARD_FORWARD_H
#define MUSTER_FORWARD_FORWARD_H

#include "base/hex.h"
#include "fleet/event_types.h"

struct forward_event {
	struct uuid id;
	struct uuid computer;      /* zero: of the manager itself */
	const char *computer_name; /* UTF-8; "" for none */
	time_us time;              /* wall clock, when it happened */
	uint32_t number;
	const struct event_type *type; /* NULL: a number that this version does not know */
	enum event_severity severity;
	const struct event_field *fields; /* names are printable ASCII, values any bytes */
	size_t field_count;
};

struct forward_origin {
	const char *manager; /* its name */
	const char *version;
};

enum forward_format { FORWARD_CEF, FORWARD_JSON };

/* syslog facilities that may be chosen; NULL-terminated, "local0" and so on. */
extern const char *const forward_facilities[];
/* The facility's number, -1 for no such name. */
int forward_facility(const char *name);

/* One RFC 5424 message without framing. */
void forward_syslog(const struct forward_origin *origin, const struct forward_event *event, enum forward_format format,
		    int facility, struct buf *out);
/* Puts a message behind its length, for TCP and TLS. */
void forward_frame(const void *message, size_t size, struct buf *out);
/* "CEF:0|..." */
void forward_cef(const struct forward_origin *origin, const struct forward_event *event, struct buf *out);
/* One JSON object in the API's field names. */
void forward_json(const struct forward_event *event, struct buf *out);
/* The type's sentence; "Event 4711." for an unknown number. */
void forward_sentence(const struct forward_event *event, struct buf *out);

struct forward_mail {
	const char *from; /* addresses that forward_is_address() takes */
	const char *const *to;
	size_t to_count;
	time_us now; /* for Date */
};
/* A whole message of RFC 5322 about one or several events. */
void forward_mail(const struct forward_origin *origin, const struct forward_mail *mail,
		  const struct forward_event *events, size_t count, struct buf *out);
/* local@domain of printable ASCII without blanks, quotes or brackets, at most 254 bytes. */
bool forward_is_address(const char *text);

/* {"manager":...,"events":[...]} */
void forward_webhook(const struct forward_origin *origin, const struct forward_event *events, size_t count,
		     struct buf *out);

#endif
