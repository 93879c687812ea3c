/* Tables only. What happened: events, alerts, files in quarantine. */
#include "manager/api/shapes.h"

#include "manager/api/shape_rows.h"

/* clang-format off */
/* --- events --- */

const char *const shape_severities[] = { "info", "warning", "error", NULL };
static const char *const event_origins[] = { "agent", "manager", NULL };

SHAPE(shape_events_query, "EventsQuery", "Which events; newest first.",
	{ "computer", SHAPE_UUID, .help = "Only those of this computer." },
	{ "type", SHAPE_NUMBER, 0, 1, 99999, .help = "Only those of this type (a number)." },
	{ "severity", SHAPE_CHOICE, .choices = shape_severities, .help = "Only those of this severity." },
	{ "since", SHAPE_TIME, .help = "Only those that happened at or after this moment." },
	{ "until", SHAPE_TIME, .help = "Only those that happened before this moment." },
	PAGING);

SHAPE(shape_stream_query, "StreamQuery", "Which events are sent.",
	{ "computer", SHAPE_UUID, .help = "Only those of this computer." },
	{ "type", SHAPE_NUMBER, 0, 1, 99999, .help = "Only those of this type (a number)." },
	{ "severity", SHAPE_CHOICE, .choices = shape_severities, .help = "Only those of this severity." },
	{ "after", SHAPE_UUID, .help = "Begin after this event; the header Last-Event-ID goes before it. Neither: only what comes from now on." });

SHAPE(shape_event, "Event", "Something that happened.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "Its id." },
	{ "computer", SHAPE_UUID, NULLABLE, .help = "Whose; null: the manager's own." },
	{ "computer_name", SHAPE_TEXT, NULLABLE, .help = "That computer's name." },
	{ "time", SHAPE_TIME, REQUIRED, .help = "When it happened, by the clock of where it did." },
	{ "happened", SHAPE_TIME, REQUIRED, .help = "That time, or when the manager had it if by that time it is yet to come; lists go by it." },
	{ "received", SHAPE_TIME, REQUIRED, .help = "When the manager had it." },
	{ "type_id", SHAPE_NUMBER, REQUIRED, 1, 99999, .help = "Number of its type." },
	{ "type", SHAPE_TEXT, REQUIRED, .help = "Name of its type." },
	{ "severity", SHAPE_CHOICE, REQUIRED, .choices = shape_severities, .help = "How bad." },
	{ "text", SHAPE_TEXT, REQUIRED, .help = "The sentence for people." },
	{ "fields", SHAPE_TEXT_MAP, REQUIRED, .help = "What belongs to it, by the type." });
LIST(shape_events, "Events", shape_event);

SHAPE(shape_event_type_request, "EventTypeRequest", "What is to be done with events of a type; what is not given stays.",
	{ "record", SHAPE_BOOLEAN, .help = "Store them. An event that is not stored is acknowledged all the same, and raises its alerts." },
	{ "forward", SHAPE_BOOLEAN, .help = "Hand them on (syslog)." },
	{ "severity", SHAPE_CHOICE, .choices = shape_severities, .help = "How severe they are." },
	{ "reset", SHAPE_BOOLEAN, .help = "First back to the defaults." });

SHAPE(shape_event_type, "EventType", "A type of events, and what is done with them.",
	{ "type_id", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Its number; never reused." },
	{ "type", SHAPE_TEXT, REQUIRED, .help = "Its name." },
	{ "origin", SHAPE_CHOICE, REQUIRED, .choices = event_origins, .help = "Who makes them." },
	{ "severity", SHAPE_CHOICE, REQUIRED, .choices = shape_severities, .help = "How severe they are." },
	{ "record", SHAPE_BOOLEAN, REQUIRED, .help = "Are they stored?" },
	{ "forward", SHAPE_BOOLEAN, REQUIRED, .help = "Are they handed on (syslog)?" },
	{ "is_default", SHAPE_BOOLEAN, REQUIRED, .help = "Is all of that as it comes?" },
	{ "text", SHAPE_TEXT, REQUIRED, .help = "The sentence; {field} stands for a field's value." },
	{ "text_ja", SHAPE_TEXT, REQUIRED, .help = "The sentence in Japanese." },
	{ "fields", SHAPE_TEXTS, REQUIRED, .help = "Names of the fields." });
LIST(shape_event_types, "EventTypes", shape_event_type);

/* --- alerts --- */

static const char *const alert_states[] = { "open", "resolved", "dismissed", NULL };
static const char *const alert_severities[] = { "warning", "critical", NULL };
static const char *const alert_changes[] = { "raised", "resolved", "dismissed", NULL };

SHAPE(shape_alerts_query, "AlertsQuery", "Which alerts; newest first.",
	{ "state", SHAPE_CHOICE, .choices = alert_states, .help = "Only those in this state." },
	{ "type", SHAPE_TEXT, 0, 1, 64, .help = "Only those of this type." },
	{ "severity", SHAPE_CHOICE, .choices = alert_severities, .help = "Only those of this severity." },
	{ "computer", SHAPE_UUID, .help = "Only those of this computer." },
	{ "since", SHAPE_TIME, .help = "Only those raised at or after this moment." },
	PAGING);

SHAPE(shape_alert_stream_query, "AlertStreamQuery", "From where on.",
	{ "after", SHAPE_UUID, .help = "Changes behind the one with this id; else those from now on. The header Last-Event-ID goes before it." });

SHAPE(shape_alert_computer, "AlertComputer", "A computer that an alert is about.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "Its id." },
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Its name." });

SHAPE(shape_alert_change, "AlertChange", "A change of an alert.",
	{ "change", SHAPE_CHOICE, REQUIRED, .choices = alert_changes, .help = "What changed." },
	{ "time", SHAPE_TIME, REQUIRED, .help = "When." },
	{ "by", SHAPE_TEXT, REQUIRED, .help = "By whom: a user, a token or the manager." },
	{ "reason", SHAPE_TEXT, REQUIRED, .help = "Why, where there is a reason of its own." });

#define ALERT_FIELDS                                                                                         \
	{ "id", SHAPE_UUID, REQUIRED, .help = "Its id." },                                                     \
	{ "type", SHAPE_TEXT, REQUIRED, .help = "Its type, such as `computer_offline`." },                     \
	{ "computer", SHAPE_UUID, NULLABLE, .help = "The computer it is about; null: the manager itself." },   \
	{ "computer_name", SHAPE_TEXT, NULLABLE, .help = "That computer's name." },                            \
	{ "subject", SHAPE_TEXT, REQUIRED, .help = "What of it, by type: a component, a file, a user." },      \
	{ "detail", SHAPE_TEXT, REQUIRED, .help = "The cause." },                                              \
	{ "severity", SHAPE_CHOICE, REQUIRED, .choices = alert_severities, .help = "How severe." },            \
	{ "state", SHAPE_CHOICE, REQUIRED, .choices = alert_states, .help = "Open, or how it ended." },        \
	{ "raised", SHAPE_TIME, REQUIRED, .help = "When it first was so." },                                   \
	{ "resolved", SHAPE_TIME, NULLABLE, .help = "When it ended; null: it is open." },                      \
	{ "dismissed_by", SHAPE_TEXT, NULLABLE, .help = "Who ended it; null: nobody." },                       \
	{ "dismissible", SHAPE_BOOLEAN, REQUIRED, .help = "May a person end it?" },                            \
	{ "title", SHAPE_TEXT, REQUIRED, .help = "Its type in words." },                                       \
	{ "title_ja", SHAPE_TEXT, REQUIRED, .help = "The same in Japanese." },                                 \
	{ "text", SHAPE_TEXT, REQUIRED, .help = "The sentence." },                                             \
	{ "text_ja", SHAPE_TEXT, REQUIRED, .help = "The same in Japanese." }
SHAPE(shape_alert, "Alert", "Something that deserves a person's attention.", ALERT_FIELDS);
LIST(shape_alerts, "Alerts", shape_alert);

SHAPE(shape_alert_shown, "AlertShown", "An alert with its history.", ALERT_FIELDS,
	{ "computers", SHAPE_OBJECTS, REQUIRED, .of = &shape_alert_computer, .help = "Computers with an open alert of this type, the first five." },
	{ "computers_more", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "How many more there are." },
	{ "history", SHAPE_OBJECTS, REQUIRED, .of = &shape_alert_change, .help = "Its changes, newest first." });

SHAPE(shape_alert_line, "AlertLine", "All open alerts of a type.",
	{ "type", SHAPE_TEXT, REQUIRED, .help = "The type." },
	{ "severity", SHAPE_CHOICE, REQUIRED, .choices = alert_severities, .help = "How severe." },
	{ "alerts", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "How many are open." },
	{ "raised", SHAPE_TIME, REQUIRED, .help = "When the first of them was raised." },
	{ "computers", SHAPE_OBJECTS, REQUIRED, .of = &shape_alert_computer, .help = "Whom they are about, the first five." },
	{ "computers_more", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "How many more computers." },
	{ "text", SHAPE_TEXT, REQUIRED, .help = "All that in words." },
	{ "text_ja", SHAPE_TEXT, REQUIRED, .help = "The same in Japanese." });
LIST(shape_alert_lines, "AlertLines", shape_alert_line);

SHAPE(shape_alert_type_request, "AlertTypeRequest", "What is to change; what is not given stays.",
	{ "enabled", SHAPE_BOOLEAN, .help = "Raise alerts of this type. Switched off, open ones are resolved." },
	{ "severity", SHAPE_CHOICE, .choices = alert_severities, .help = "How severe they are; open ones change too." });

SHAPE(shape_alert_type, "AlertType", "A type of alerts.",
	{ "type", SHAPE_TEXT, REQUIRED, .help = "Its name." },
	{ "title", SHAPE_TEXT, REQUIRED, .help = "What it is." },
	{ "title_ja", SHAPE_TEXT, REQUIRED, .help = "The same in Japanese." },
	{ "text", SHAPE_TEXT, REQUIRED, .help = "Its sentence; {computer}, {subject} and {detail} stand for values." },
	{ "text_ja", SHAPE_TEXT, REQUIRED, .help = "The same in Japanese." },
	{ "enabled", SHAPE_BOOLEAN, REQUIRED, .help = "Are alerts of this type raised?" },
	{ "severity", SHAPE_CHOICE, REQUIRED, .choices = alert_severities, .help = "How severe they are." },
	{ "default_severity", SHAPE_CHOICE, REQUIRED, .choices = alert_severities, .help = "Unless somebody sets it." },
	{ "is_default", SHAPE_BOOLEAN, REQUIRED, .help = "Is all of that as it comes?" },
	{ "dismissible", SHAPE_BOOLEAN, REQUIRED, .help = "May a person end them?" },
	{ "resolves", SHAPE_BOOLEAN, REQUIRED, .help = "Do they end by themselves?" },
	{ "subject", SHAPE_TEXT, NULLABLE, .help = "What tells several of one computer apart; null: one at a time." });
LIST(shape_alert_types, "AlertTypes", shape_alert_type);

/* --- quarantine --- */

static const char *const quarantine_states[] = { "held", "restored", "deleted", "too_large", NULL };

SHAPE(shape_quarantine_query, "QuarantineQuery", "Which items; newest first.",
	{ "computer", SHAPE_UUID, .help = "Only those of this computer." },
	{ "state", SHAPE_CHOICE, .choices = quarantine_states, .help = "Only those in this state." },
	{ "since", SHAPE_TIME, .help = "Only those quarantined at or after this moment." },
	PAGING);

SHAPE(shape_file_query, "FileQuery", "How the file is wrapped.",
	{ "password", SHAPE_SECRET, 0, 1, 128, .help = "Password of the archive; `infected` if not given." });

SHAPE(shape_restore_request, "RestoreRequest", "How to restore.",
	{ "overwrite", SHAPE_BOOLEAN, .help = "Replace a file that is at the path again." },
	{ "timeout", SHAPE_SPAN, 0, 0, 31 * 24 * 3600, .help = "Ends as timed_out after this." });

SHAPE(shape_quarantine_item, "QuarantineItem", "A file taken from its place.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "Its id." },
	{ "computer", SHAPE_UUID, REQUIRED, .help = "Where it was." },
	{ "computer_name", SHAPE_TEXT, REQUIRED, .help = "That computer's name." },
	{ "path", SHAPE_TEXT, REQUIRED, .help = "Its path; bytes that are not printable as \\xNN." },
	{ "sha256", SHAPE_TEXT, REQUIRED, .help = "Of its content." },
	{ "size", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Bytes." },
	{ "detection", SHAPE_TEXT, REQUIRED, .help = "What was found in it." },
	{ "quarantined_at", SHAPE_TIME, REQUIRED, .help = "When." },
	{ "state", SHAPE_TEXT, REQUIRED, .help = "`held`, `restored`, `deleted`, or `too_large` to be sent to the manager." },
	{ "uploaded", SHAPE_TIME, NULLABLE, .help = "When the manager's copy was complete; null: it has none." },
	{ "stored_bytes", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Of the sealed file, how much the manager has." },
	{ "sealed_bytes", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Size of the sealed file, 0 until known." });
LIST(shape_quarantine_items, "QuarantineItems", shape_quarantine_item);
/* clang-format on */
