/* Guard's events on their way into the outbox. A draft holds the text of its
 * numbers; names and numbers of events: spec 15-events-alerts.md. */
#ifndef MUSTER_AGENT_GUARD_NOTICES_H
#define MUSTER_AGENT_GUARD_NOTICES_H

#include "agent/guard/outbox.h"

#define NOTICE_NUMBERS_MAX 12

struct notice_draft {
	struct message_notice notice;
	char numbers[NOTICE_NUMBERS_MAX][SHA256_TEXT_BYTES];
	size_t used;
};

void notice_begin(struct notice_draft *draft, uint32_t type, time_us now);
/* Texts are not copied; fields beyond what fits are left out. */
void notice_text(struct notice_draft *draft, const char *name, const char *text);
void notice_number(struct notice_draft *draft, const char *name, uint64_t number);
void notice_uuid(struct notice_draft *draft, const char *name, const struct uuid *uuid); /* left out when zero */
void notice_sha256(struct notice_draft *draft, const char *name, const uint8_t sha256[SHA256_BYTES]);

int notice_send(struct notice_draft *draft, struct outbox *outbox, struct err *err);

#endif
