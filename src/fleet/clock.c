/* Whether a computer's clock was changed by more than its limit (event 734).
 *
 * The clock in a report is compared with ours at each exchange. Ours may be
 * set too, and the manager's machine may sleep: a change counts only if both
 * our wall clock and our steady clock show it. The steady one goes on while
 * this manager is down, until its machine boots again, and what is stored of a
 * computer is measured by it: ours being set meanwhile raises nothing. After
 * another boot nothing tells one from the other, and a wrong battery clock is
 * likely: each computer's first report is where it is measured from, and only
 * the agents' own events tell what was before. A slow way makes a report, and
 * so its clock, look late: a small change backwards waits for the next report
 * to confirm it. While we stand still (stopped, swapped out, on a machine that
 * is) reports wait for us in our own sockets, and are read afterwards: what
 * looks set back by no more than that time proves nothing. What the agent says
 * is its word about its own clock alone; sums do not overflow (wire/limits.h).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fleet/parts.h"

#define WAY_MAX_US    (2 * MINUTE_US) /* a request that is longer on its way has timed out */
#define TOLD_SPAN_US  (2 * MINUTE_US) /* the agent's own event about a change that was told arrives within this */
#define ROW_CHANGE_US SECOND_US

static span_us magnitude(span_us span)
{
	return span < 0 ? -span : span;
}

/* By how much our wall clock was set since the first start on this boot. */
static span_us own_change(const struct fleet *fleet)
{
	return env_wall(fleet->options.env) - fleet_now(fleet) - fleet->clock_zero;
}

static bool of_this_boot(const struct fleet *fleet, const struct fleet_computer *record)
{
	return !uuid_is_zero(&record->clock_boot) && uuid_equal(&record->clock_boot, &fleet->options.boot);
}

void clock_restore(const struct fleet *fleet, struct computer *computer, const struct fleet_computer *record)
{
	bool heard = record->last_heard != 0;

	computer->clock_offset_us = record->clock_offset_us;
	computer->clock_limit_us = record->clock_limit_us;
	/* One that was never heard is measured from our clock as it is. */
	computer->clock_steady_us = heard ? record->clock_base_us : record->clock_base_us + own_change(fleet);
	computer->clock_base_us = computer->clock_steady_us - own_change(fleet);
	computer->clock_unknown = heard && !of_this_boot(fleet, record);
	computer->clock_told = fleet_now(fleet) - TOLD_SPAN_US - 1;
}

/* An unknown base stays so until the computer is heard, however often we start before. */
void clock_facts(const struct fleet *fleet, const struct computer *computer, struct fleet_computer *out)
{
	bool heard = computer->last_heard != 0;

	out->clock_base_us = heard ? computer->clock_steady_us : computer->clock_base_us;
	out->clock_boot = heard && !computer->clock_unknown ? fleet->options.boot : (struct uuid){ 0 };
}

static void settle(const struct fleet *fleet, struct computer *computer)
{
	computer->clock_base_us = computer->clock_offset_us;
	computer->clock_steady_us = computer->clock_offset_us + own_change(fleet);
	computer->clock_doubted = computer->clock_unknown = false;
}

static int tell(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange, span_us before)
{
	char offset_s[32], before_s[32];
	const struct made_field fields[] = { { "offset_s", offset_s }, { "before_s", before_s } };
	int rc;

	snprintf(offset_s, sizeof(offset_s), "%" PRId64, computer->clock_offset_us / SECOND_US);
	snprintf(before_s, sizeof(before_s), "%" PRId64, before / SECOND_US);
	rc = exchange_manager_event(fleet, exchange, EVENT_COMPUTER_CLOCK_CHANGE, fields, COUNT_OF(fields));
	if (rc != 0)
		return rc;
	exchange->tells_clock = true;
	exchange->clock_before_us = computer->clock_base_us;
	computer->clock_told = fleet_now(fleet);
	computer->row_dirty = true; /* in the same write */
	settle(fleet, computer);
	return 0;
}

/* The change that both of our clocks show; 0: none beyond the limit. */
static span_us change_of(const struct fleet *fleet, struct computer *computer)
{
	span_us steady = computer->clock_offset_us + own_change(fleet);
	span_us by_wall = computer->clock_offset_us - computer->clock_base_us;
	span_us by_steady = steady - computer->clock_steady_us;
	bool wall = magnitude(by_wall) > computer->clock_limit_us;
	bool other = magnitude(by_steady) > computer->clock_limit_us;

	if (computer->clock_unknown) {
		settle(fleet, computer);
		return 0;
	}
	if (wall && other)
		return magnitude(by_wall) < magnitude(by_steady) ? by_wall : by_steady;
	if (wall) { /* ours was set: measure on from where it is now */
		computer->clock_base_us = computer->clock_offset_us - by_steady;
		computer->row_dirty = true;
	}
	if (other)
		computer->clock_steady_us = steady - by_wall;
	return 0;
}

/* Seconds of the agent's own events about its clock, the largest of this report. */
static span_us seen_by_agent(const struct fleet_exchange *exchange)
{
	span_us largest = 0;

	for (size_t i = 0; i < exchange->rows.events.count; i++) {
		const struct fleet_event_row *row = &exchange->rows.events.rows[i];

		for (size_t k = 0; row->type == EVENT_CLOCK_CHANGED && k < row->field_count; k++) {
			const ProtobufCBinaryData *value = &row->fields[k]->value;
			bool negative = value->len > 0 && value->data[0] == '-';
			char text[24] = "";
			uint64_t seconds;

			if (strcmp(row->fields[k]->name, "seconds") != 0 || value->len >= sizeof(text))
				continue;
			memcpy(text, value->data, value->len);
			text[value->len] = '\0';
			text[strcspn(text, ".")] = '\0';
			if (number_parse(text + negative, 0, INT64_MAX / SECOND_US, &seconds, NULL) == 0 &&
			    (span_us)seconds * SECOND_US > magnitude(largest))
				largest = negative ? -(span_us)seconds * SECOND_US : (span_us)seconds * SECOND_US;
		}
	}
	return largest;
}

/* How long a report that is read now may have waited until we listened again; 0: we did. */
static span_us waited_for_us(const struct fleet *fleet)
{
	time_us now = fleet_now(fleet);

	if (now - fleet->last_tick > FLEET_TICK_LATE_US)
		return now - fleet->last_tick;
	return now - fleet->deaf_until < WAY_MAX_US ? fleet->deaf_us : 0;
}

static int compare(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange)
{
	span_us change = change_of(fleet, computer), seen = seen_by_agent(exchange);
	span_us waited = waited_for_us(fleet);
	bool doubtful = change < 0 && magnitude(change) <= computer->clock_limit_us + WAY_MAX_US + waited;

	if (magnitude(seen) > computer->clock_limit_us && fleet_now(fleet) - computer->clock_told > TOLD_SPAN_US)
		return tell(fleet, computer, exchange,
			    change != 0 ? computer->clock_base_us : computer->clock_offset_us - seen);
	if (change == 0) {
		computer->clock_doubted = false;
		return 0;
	}
	if (doubtful && (waited > 0 || !computer->clock_doubted)) { /* several of its reports may have waited */
		computer->clock_doubted = true;
		return 0;
	}
	return tell(fleet, computer, exchange, computer->clock_base_us);
}

int clock_heard(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange)
{
	const Muster__Wire__Report *report = exchange->report;
	span_us offset;

	if (report->clock == NULL ||
	    __builtin_sub_overflow(report->clock->wall_us, env_wall(fleet->options.env), &offset))
		return 0;
	if (magnitude(offset - computer->clock_offset_us) > ROW_CHANGE_US || computer->clock_unknown)
		computer->row_dirty = true;
	if (computer->configuration_refused && magnitude(offset - computer->clock_offset_us) > WAY_MAX_US)
		computer->configuration_next = fleet_now(fleet); /* perhaps it was refused for its dates */
	computer->clock_offset_us = offset;
	if (computer->clock_limit_us != 0)
		return compare(fleet, computer, exchange);
	settle(fleet, computer);
	return 0;
}

/* Not stored: it is told again. */
void clock_stored(const struct fleet *fleet, struct computer *computer, const struct fleet_exchange *exchange, int rc)
{
	if (!exchange->tells_clock || rc == 0)
		return;
	computer->clock_steady_us -= computer->clock_base_us - exchange->clock_before_us;
	computer->clock_base_us = exchange->clock_before_us;
	computer->clock_told = fleet_now(fleet) - TOLD_SPAN_US - 1;
	computer->clock_doubted = true; /* it was confirmed */
}
