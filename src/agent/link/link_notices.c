/* What guard tells link (link_notices.h). Input: guard's messages, decoded under their limits. */
#include "agent/link/link_notices.h"

#include "agent/link/link_components.h"
#include "agent/link/link_history.h"
#include "agent/link/link_items.h"
#include "agent/link/link_jobs.h"
#include "base/log.h"

/* As the manager takes it: values are cut at the limits of the wire. */
static int take_event(struct link *link, uint64_t number, const struct message_event *event, struct err *err)
{
	const char *origin = event->type == EVENT_SCAN_STARTED ? link_jobs_origin(link->jobs, event) : NULL;
	struct event_field fields[MESSAGE_FIELDS_MAX + 1];
	size_t count = event->fields.count;
	int rc;

	for (size_t i = 0; i < count; i++) {
		fields[i].name = event->fields.fields[i].name;
		fields[i].value = event->fields.fields[i].value;
		if (fields[i].value.size > WIRE_FIELD_VALUE_MAX_BYTES)
			fields[i].value.size = WIRE_FIELD_VALUE_MAX_BYTES;
	}
	if (origin) /* guard does not know it */
		fields[count++] = link_field("origin", origin);
	if (number <= endpoint_source(link->endpoint))
		return 0;
	rc = endpoint_event(link->endpoint, number, event->type, event->time, fields, count, err);
	if (rc == ERR_LIMIT || rc == ERR_FORMAT) { /* never acceptable: sending it again would not help */
		LOG(LOG_ERROR, "link.event_not_kept", log_number("type", event->type), log_err(err));
		rc = 0;
	}
	link_history_add(link->history, event->type, event->time, fields, count);
	if (event->type == EVENT_MALWARE_DETECTED || event->type == EVENT_NOT_FULLY_SCANNED)
		link_jobs_event(link->jobs, event);
	return rc;
}

static int on_notice(void *context, const struct message_notice *notice, struct err *err)
{
	struct link *link = context;

	link_wake(link);
	switch (notice->kind) {
	case NOTICE_EVENT:
		return take_event(link, notice->number, &notice->body.event, err);
	case NOTICE_JOB_ENDED:
		return link_jobs_ended(link->jobs, &notice->body.ended, err);
	case NOTICE_ITEM:
		return link_items_changed(link->items, &notice->body.item, err);
	}
	return 0;
}

static int on_flush(void *context, struct err *err)
{
	struct link *link = context;

	return endpoint_flush(link->endpoint, err);
}

static void on_progress(void *context, const struct message_progress *progress)
{
	struct link *link = context;

	link_jobs_progress(link->jobs, progress);
}

void link_notices_component(void *context, const struct message_component *component)
{
	struct link *link = context;
	struct err err;

	if (link_components_set(link->components, component, &err))
		LOG(LOG_WARNING, "link.component_not_taken", log_err(&err));
	link_wake(link);
}

static void on_guard_gone(void *context, const char *why)
{
	struct link *link = context;
	const struct event_field field = link_field("cause", "its guard ended");

	LOG(link->stopping ? LOG_INFO : LOG_WARNING, "link.guard_gone", log_text("cause", why));
	if (!link->stopping) /* by a signal to it alone: told when there is a link again */
		link_event(link, EVENT_AGENT_STOPPED, &field, 1);
	link->exit_status = link->stopping ? 0 : 1;
	loop_stop(link->loop);
}

struct link_guard_handlers link_notices(struct link *link)
{
	return (struct link_guard_handlers){ .context = link,
					     .notice = on_notice,
					     .flush = on_flush,
					     .progress = on_progress,
					     .component = link_notices_component,
					     .gone = on_guard_gone };
}
