/* A fleet with one computer, for tests of src/fleet: it reports, time passes, and what comes of it is looked at. */
#ifndef MUSTER_TEST_FLEET_ONE_COMPUTER_H
#define MUSTER_TEST_FLEET_ONE_COMPUTER_H

#include "fleet/fleet.h"
#include "given_time.h"

static const struct uuid id = { { 1, 2, 3 } }; /* the computer */
static const struct uuid stranger = { { 5 } }; /* nobody here */
extern void *woken;                            /* what was parked, and was woken last; NULL from make() on */

void note_wake(void *context, void *parked);
struct fleet *make(const struct fleet_computer *record);
/* One that reports each minute and may miss two. */
struct fleet *make_plain(void);

/* --- what it says --- */

struct report {
	Muster__Wire__Report wire;
	Muster__Wire__Event events[4], *event_list[4];
	Muster__Wire__CommandState command, *command_list[1];
};

/* A report with `events` detections, numbered from `first` on. */
void fill(struct report *report, uint64_t session, uint64_t sequence, uint64_t first, size_t events);
/* Heard and not stored yet. */
struct fleet_exchange *heard(struct fleet *fleet, const struct report *report);
/* What it is told; the exchange's. */
Muster__Wire__Reply *reply(struct fleet *fleet, struct fleet_exchange *exchange);
/* One whole exchange, committed. */
void exchange_once(struct fleet *fleet, const struct report *report);
/* The same of a report without events. */
void reports(struct fleet *fleet, uint64_t session, uint64_t sequence);

/* --- what time brings --- */

/* Of the last tick_until(): how many events it made, and of what type the last was; how the last command ended. */
extern size_t ticked_events;
extern uint32_t ticked_type;
extern enum command_state ticked_state;

/* Second by second, each committed. */
void tick_until(struct fleet *fleet, time_us end);
enum fleet_status status(struct fleet *fleet);

#endif
