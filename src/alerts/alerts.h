/* Alerts (specification 15): what deserves a person's attention, raised once
 * and ended once.
 *
 * A fact ("computer X is offline", "component scan of X works again") meets the
 * open alert of the same kind, computer and subject, if there is one, and
 * alert_decide() says what changes. A fact that is told again changes nothing,
 * so that a crash, a repeated message or a review of all that is stored can
 * tell it again. Facts are drawn from events and states by one table; the
 * manager applies each in the transaction that stores what it was drawn from.
 *
 * Pure: no clock, no store. Texts of facts come from outside and are escaped
 * (base/text.h) on their way in. The table of definitions is constant.
 */
#ifndef MUSTER_ALERTS_ALERTS_H
#define MUSTER_ALERTS_ALERTS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/units.h"
#include "fleet/event_types.h"

enum alert_kind {
	ALERT_COMPUTER_OFFLINE,
	ALERT_COMMUNICATION_PROBLEM,
	ALERT_CLOCK_CHANGE,
	ALERT_DUPLICATE_IDENTITY,
	ALERT_CONFIGURATION_FAILED,
	ALERT_MALWARE_NOT_REMOVED,
	ALERT_COMPONENT_FAILED,
	ALERT_QUARANTINE_FULL,
	ALERT_LOW_DISK,
	ALERT_DATABASE_SIZE,
	ALERT_USER_LOCKED_OUT,
	ALERT_LEGACY_TLS,
	ALERT_INVALID_SERVER_CERTIFICATE,
	ALERT_CERTIFICATE_EXPIRES,
	ALERT_AUTHORITY_MISSING,
	ALERT_KEY_FILE_LOST,
	ALERT_KINDS
};

enum alert_severity { ALERT_WARNING, ALERT_CRITICAL, ALERT_SEVERITIES };
enum alert_state { ALERT_OPEN, ALERT_RESOLVED, ALERT_DISMISSED, ALERT_STATES };
enum alert_language { ALERT_ENGLISH, ALERT_JAPANESE, ALERT_LANGUAGES };

struct alert_definition {
	const char *name; /* stable word: "computer_offline" */
	enum alert_severity severity;
	bool dismissible;    /* a person may end it */
	bool resolves;       /* it ends by itself when the fact ends */
	bool of_computer;    /* one a computer; else the manager's own (a computer's too, where its facts name one) */
	const char *subject; /* what tells several of one computer apart ("component"); NULL: one at a time */
	const char *title[ALERT_LANGUAGES];
	const char *text[ALERT_LANGUAGES]; /* {computer}, {subject} and {detail} stand for their values */
};
extern const struct alert_definition alert_definitions[ALERT_KINDS];

/* ALERT_KINDS for a name nobody knows. */
enum alert_kind alert_kind_parse(const char *name);
const char *alert_severity_name(enum alert_severity severity); /* "warning", "critical" */
/* ALERT_SEVERITIES for another word. */
enum alert_severity alert_severity_parse(const char *name);
const char *alert_state_name(enum alert_state state); /* "open", "resolved", "dismissed" */

/* --- facts --- */

#define ALERT_SUBJECT_MAX_BYTES 2048
#define ALERT_DETAIL_MAX_BYTES  1024

struct alert_fact {
	enum alert_kind kind;
	bool holds;    /* it is so; false: not any more */
	bool critical; /* whatever its type's severity is */
	time_us time;
	struct uuid computer; /* zeroes: none */
	char *subject;        /* escaped, "" for none; never NULL once made */
	char *detail;         /* escaped */
};

/* What an event says; *ret_says false: nothing about alerts, and no fact is made.
 * computer: NULL for none. ERR_MEMORY. The caller's, alert_fact_done(). */
int alert_fact_of_event(uint32_t type, const struct uuid *computer, const struct event_field *fields, size_t count,
			time_us time, bool *ret_says, struct alert_fact *ret_fact, struct err *err);
/* Any other: subject and detail are outside bytes, escaped and cut here; NULL: "". */
int alert_fact_make(enum alert_kind kind, bool holds, const struct uuid *computer, const char *subject,
		    const char *detail, time_us time, struct alert_fact *ret_fact, struct err *err);
void alert_fact_done(struct alert_fact *fact); /* accepts a zeroed one */

/* --- what changes --- */

struct alert_settings {
	bool enabled[ALERT_KINDS];
	enum alert_severity severity[ALERT_KINDS];
};
void alert_settings_default(struct alert_settings *settings);

enum alert_severity alert_severity_of(const struct alert_settings *settings, const struct alert_fact *fact);

enum alert_change { ALERT_UNCHANGED, ALERT_RAISE, ALERT_AMEND, ALERT_RESOLVE };
/* open_detail, open_severity: of the alert that is open for the fact's kind, computer and subject; NULL: none is. An
 * alert that is amended gets the fact's detail and severity. */
enum alert_change alert_decide(const struct alert_settings *settings, const struct alert_fact *fact,
			       const char *open_detail, enum alert_severity open_severity);
/* ERR_WRONG_STATE with the reason unless a person may end an alert of this kind and state. */
int alert_may_dismiss(enum alert_kind kind, enum alert_state state, struct err *err);

/* --- words --- */

#define ALERT_NAMED_MAX 5
/* "a, b, c, d, e and 7 more": count names of total; sticky errors in out. */
void alert_names(const char *const *names, size_t count, uint64_t total, enum alert_language language, struct buf *out);
/* The kind's sentence; computer: its name(s), escaped. Sticky errors in out. */
void alert_text(enum alert_kind kind, enum alert_language language, const char *computer, const char *subject,
		const char *detail, struct buf *out);

#endif
