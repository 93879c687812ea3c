/* The row of the table `setting` that says so. What is there was written here; anything else in it counts as
 * another boot. */
#include "manager/front/own_clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "manager/front/front_state.h"
#include "manager/queries.h"

#define ROW_NAME "internal.own_clock"

struct own_clock {
	char boot[UUID_TEXT_BYTES];
	span_us zero;
	bool same_boot;
};

/* "BOOT MICROSECONDS", both ours. */
static void take(struct own_clock *clock, const char *text)
{
	size_t size = strlen(clock->boot);
	bool negative;
	uint64_t zero;

	if (strncmp(text, clock->boot, size) != 0 || text[size] != ' ')
		return;
	negative = text[size + 1] == '-'; /* the wall clock stands in the first minutes of 1970 */
	if (number_parse(text + size + 1 + negative, 0, INT64_MAX, &zero, NULL) != 0)
		return;
	clock->zero = negative ? -(span_us)zero : (span_us)zero;
	clock->same_boot = true;
}

static int read_row(struct store_session *session, void *argument, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_SETTING_GET);

	cursor_bind_text(cursor, "name", ROW_NAME);
	if (cursor_next(cursor))
		take(argument, cursor_text(cursor, "value"));
	return cursor_end(cursor, err);
}

static int write_row(struct store_session *session, void *argument, struct err *err)
{
	const struct own_clock *clock = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_SETTING_SET);
	char text[UUID_TEXT_BYTES + 32];

	snprintf(text, sizeof(text), "%s %" PRId64, clock->boot, clock->zero);
	cursor_bind_text(cursor, "name", ROW_NAME);
	cursor_bind_text(cursor, "value", text);
	return cursor_run(cursor, err);
}

int own_clock_open(struct front *front, span_us *ret_zero, struct err *err)
{
	span_us now = env_wall(front->env) - env_monotonic(front->env);
	struct own_clock clock = { .same_boot = false };
	int rc = 0;

	uuid_format(&front->boot, clock.boot);
	if (!uuid_is_zero(&front->boot))
		rc = store_read(front->store, read_row, &clock, err);
	if (rc == 0 && !clock.same_boot) {
		clock.zero = now;
		rc = store_write_wait(front->store, write_row, &clock, err);
	} else if (rc == 0 && llabs(now - clock.zero) > SECOND_US) {
		LOG(LOG_INFO, "front.own_clock_was_set", log_number("seconds", (now - clock.zero) / SECOND_US));
	}
	*ret_zero = clock.zero;
	return rc == 0 ? 0 : err_add(err, rc, "own clock");
}
