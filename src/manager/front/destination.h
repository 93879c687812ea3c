/* A destination of events: syslog, mail or webhook, by the scheme of its URL.
 *
 *   udp:// tcp:// tls://              syslog (RFC 5426, 6587, 5425)
 *   smtp:// smtps:// smtp-plain://    mail; smtp means STARTTLS or nothing is sent
 *   https:// http://                  webhook; http to this machine alone
 *
 * Nothing here blocks or touches the world.
 */
#ifndef MUSTER_MANAGER_FRONT_DESTINATION_H
#define MUSTER_MANAGER_FRONT_DESTINATION_H

#include "forward/forward.h"
#include "manager/courier/delivery.h"
#include "store/store.h"

#define DESTINATION_NAME_BYTES   128
#define DESTINATION_SECRET_BYTES 256

enum destination_kind { DESTINATION_SYSLOG, DESTINATION_EMAIL, DESTINATION_WEBHOOK };
enum destination_content { DESTINATION_EVENTS, DESTINATION_ALERTS };

struct destination {
	struct uuid id;
	char name[DESTINATION_NAME_BYTES];
	char url[DELIVERY_URL_BYTES];
	enum destination_kind kind;
	enum destination_content content;
	enum event_severity least;
	enum forward_format format;
	int facility;
	char from[DELIVERY_NAME_BYTES];
	char to[DELIVERY_RECIPIENTS_MAX][DELIVERY_NAME_BYTES];
	size_t to_count;
	char user[DELIVERY_NAME_BYTES], password[DELIVERY_NAME_BYTES];
	char secret[DESTINATION_SECRET_BYTES];
	char *ca_pem; /* owned; "" for the system's */
	bool enabled;
	int64_t position;
	bool failing;
};

/* --- words: NULL-terminated, in the order of the enums --- */
extern const char *const destination_kinds[];
extern const char *const destination_contents[];
extern const char *const destination_formats[];

/* By the scheme; ERR_FORMAT with what is wrong with the URL. */
int destination_kind_of(const char *url, enum destination_kind *ret_kind, struct err *err);
/* All that a destination must have to be used: ERR_FORMAT, ERR_RANGE; names the member in ret_member. */
int destination_check(const struct destination *destination, const char **ret_member, struct err *err);

/* The row under the cursor (destination_by_id, destination_all). Free with destination_done(). */
int destination_read(struct cursor *cursor, struct destination *ret_destination, struct err *err);
void destination_done(struct destination *destination); /* wipes; accepts a zeroed one */

/* Is this event for it? forwarded: as people set for its type. */
bool destination_wants(const struct destination *destination, const struct forward_event *event, bool forwarded);

/* Makes the delivery of the first *ret_used of these events (at least one, as
 * many as fit); all are for it. Fills `delivery` but for line and generation;
 * its parts point into `content` (begun with DELIVERY_CONTENT_BYTES). A message
 * that is too large by itself is cut. */
int destination_compose(const struct destination *destination, const struct forward_origin *origin,
			const struct forward_event *events, size_t count, time_us now, struct buf *content,
			struct delivery *delivery, size_t *ret_used, struct err *err);

#endif
