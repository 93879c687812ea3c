/* When machines of a large fleet are on: servers always, others by the hours of
 * their people. Hours are of simulated time, which begins at midnight. */
#include "world.h"

#define NIGHT_S   (24 * 3600)
#define WEEK_DAYS 7
#define SATURDAY  4 /* days after the start, which is a Tuesday */
#define SUNDAY    5

static unsigned weekday(time_us at)
{
	return (unsigned)(at / DAY_US % WEEK_DAYS);
}

static bool works(const struct sim_machine *machine, time_us day)
{
	unsigned number = weekday(day);

	if (machine->presence == PRESENCE_OFFICE)
		return number != SATURDAY && number != SUNDAY;
	return machine->presence != PRESENCE_SHIFT || (number + machine->shift) % WEEK_DAYS < 5;
}

static time_us midnight(time_us at)
{
	return at - at % DAY_US;
}

static span_us minutes(struct sim *sim, unsigned least, unsigned more)
{
	return (span_us)(least * 60 + sim_below(sim, (uint64_t)more * 60 + 1)) * SECOND_US;
}

/* When its people come next. Shifts begin at 6, 14 and 22 o'clock. */
static time_us comes_at(struct sim_machine *machine)
{
	struct sim *sim = machine->sim;
	time_us day = midnight(sim->now);
	span_us hour =
	    machine->presence == PRESENCE_SHIFT ? (span_us)(6 + machine->shift % 3 * 8) * HOUR_US : 7 * HOUR_US;

	do
		day += DAY_US;
	while (!works(machine, day));
	return day + hour + minutes(sim, 0, 120);
}

static span_us stays(struct sim_machine *machine)
{
	struct sim *sim = machine->sim;

	if (machine->presence == PRESENCE_LAPTOP)
		return minutes(sim, 5, 300);
	return minutes(sim, machine->presence == PRESENCE_SHIFT ? 7 * 60 : 8 * 60, 150);
}

static void leave(struct sim *sim, struct sim_event *event)
{
	struct sim_machine *machine = &sim->machines[event->machine];

	if (!sim->chaos || !machine->up || event->number != machine->stay)
		return;
	if (machine->presence == PRESENCE_LAPTOP)
		machine_leave(machine, sim->now + minutes(sim, 5, sim_below(sim, 4) == 0 ? 3 * 24 * 60 : 12 * 60));
	else
		machine_leave(machine, comes_at(machine));
}

void presence_begin(struct sim_machine *machine)
{
	struct sim *sim = machine->sim;
	struct sim_event *event;

	if (machine->presence == PRESENCE_ALWAYS || machine->stay_until > sim->now)
		return; /* it was only started again */
	machine->stay++;
	machine->stay_until = sim->now + stays(machine);
	event = sim_after(sim, machine->stay_until - sim->now, leave);
	event->machine = machine->index;
	event->number = machine->stay;
}

void presence_init(struct sim_machine *machine)
{
	struct sim *sim = machine->sim;
	uint64_t draw = sim_below(sim, 100);

	machine->site = (unsigned)sim_below(sim, sim->sites);
	machine->shift = (unsigned)sim_below(sim, 21);
	machine->presence = draw < 45   ? PRESENCE_ALWAYS
			    : draw < 75 ? PRESENCE_OFFICE
			    : draw < 85 ? PRESENCE_SHIFT
					: PRESENCE_LAPTOP;
}
