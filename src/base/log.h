/* The log of programs: one JSON object a line on a descriptor.
 *
 * Libraries return errors; programs log them, once. Each line has "time",
 * "level", "program", "role", "event" (a stable dotted id) and the given
 * fields; text is escaped (base/text.h). Thread-safe: a line is one write().
 *
 *   LOG(LOG_INFO, "agent.started", log_text("version", VERSION), log_number("pid", pid));
 */
#ifndef MUSTER_BASE_LOG_H
#define MUSTER_BASE_LOG_H

#include <stdint.h>

#include "base/err.h"
#include "base/hex.h"
#include "base/units.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

enum log_kind { LOG_KIND_TEXT, LOG_KIND_NUMBER, LOG_KIND_UUID };

struct log_field {
	const char *name;
	enum log_kind kind;
	union {
		const char *text;
		int64_t number;
		const struct uuid *uuid;
	} value;
};

/* Program and role appear on each line; names are kept, not copied. `wall`
 * gives the time of a line (this library reads no clock itself). */
void log_setup(const char *program, const char *role, int fd, enum log_level level, time_us (*wall)(void));
void log_set_level(enum log_level level);

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count);

static inline struct log_field log_text(const char *name, const char *text)
{
	return (struct log_field){ .name = name, .kind = LOG_KIND_TEXT, .value.text = text };
}

static inline struct log_field log_number(const char *name, int64_t number)
{
	return (struct log_field){ .name = name, .kind = LOG_KIND_NUMBER, .value.number = number };
}

static inline struct log_field log_uuid(const char *name, const struct uuid *uuid)
{
	return (struct log_field){ .name = name, .kind = LOG_KIND_UUID, .value.uuid = uuid };
}

/* The error's text and code as two fields. */
#define log_err(err) log_text("error", (err)->text), log_text("code", err_name((err)->code))

#define LOG(level, event, ...)                                                                                         \
	do {                                                                                                           \
		const struct log_field log_fields_[] = { { 0 }, ##__VA_ARGS__ };                                       \
		log_write(level, event, log_fields_ + 1, COUNT_OF(log_fields_) - 1);                                   \
	} while (0)

#endif
