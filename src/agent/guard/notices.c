/* Event drafts. */
#include "agent/guard/notices.h"

#include <stdio.h>
#include <string.h>

void notice_begin(struct notice_draft *draft, uint32_t type, time_us now)
{
	draft->used = 0;
	draft->notice = (struct message_notice){ .kind = NOTICE_EVENT };
	draft->notice.body.event.type = type;
	draft->notice.body.event.time = now;
}

void notice_text(struct notice_draft *draft, const char *name, const char *text)
{
	(void)message_fields_add(&draft->notice.body.event.fields, name, text, strlen(text));
}

static char *room(struct notice_draft *draft)
{
	return draft->used < NOTICE_NUMBERS_MAX ? draft->numbers[draft->used++] : NULL;
}

void notice_number(struct notice_draft *draft, const char *name, uint64_t number)
{
	char *text = room(draft);

	if (text == NULL)
		return;
	snprintf(text, SHA256_TEXT_BYTES, "%llu", (unsigned long long)number);
	notice_text(draft, name, text);
}

void notice_uuid(struct notice_draft *draft, const char *name, const struct uuid *uuid)
{
	char *text = uuid_is_zero(uuid) ? NULL : room(draft);

	if (text == NULL)
		return;
	uuid_format(uuid, text);
	notice_text(draft, name, text);
}

void notice_sha256(struct notice_draft *draft, const char *name, const uint8_t sha256[SHA256_BYTES])
{
	char *text = room(draft);

	if (text == NULL)
		return;
	hex_format(sha256, SHA256_BYTES, text);
	notice_text(draft, name, text);
}

int notice_send(struct notice_draft *draft, struct outbox *outbox, struct err *err)
{
	return outbox_append(outbox, &draft->notice, err);
}
