/* Configurations of the simulation: good ones, ones that the link's table does
 * not accept, that a component refuses, that lead where no manager is; and the
 * machine's components, which answer at once, late, or not at all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define DARK_WAY 9

enum flaw { FLAW_NONE, FLAW_TABLE, FLAW_COMPONENT, FLAW_DARK, FLAWS };

static const char *const flaw_names[FLAWS] = { "", "table", "component", "dark" };

static enum flaw flaw_of(unsigned version)
{
	return version % 3 == 2 ? (enum flaw)(1 + version / 3 % (FLAWS - 1)) : FLAW_NONE;
}

/* Only a part of the machines cannot have it. */
static bool suffers(const struct sim_machine *machine, enum flaw flaw)
{
	return flaw == FLAW_DARK || (flaw != FLAW_NONE && machine->delicate);
}

bool configuring_fits(const struct sim_machine *machine, unsigned version)
{
	return !suffers(machine, flaw_of(version));
}

/* The heartbeat of a policy's version: the same for the manager and, in the configuration, for the agent. */
void configuring_heartbeat(const struct sim *sim, unsigned version, span_us *ret_interval_us, uint32_t *ret_missed)
{
	static const unsigned small_s[] = { 0, 60, 10, 600, 0, 60, 10 },
			      large_s[] = { 0, 600, 1800, 600, 300, 3600, 600 };
	static const uint32_t missed[] = { 2, 2, 0, 3, FLEET_UNLIMITED, 1 };
	unsigned interval_s = (sim->large ? large_s : small_s)[version % COUNT_OF(small_s)];

	*ret_interval_us = (span_us)interval_s * SECOND_US;
	*ret_missed = missed[version % COUNT_OF(missed)];
}

static void set(struct sim_configuration *configuration, size_t index, const char *name)
{
	Muster__Wire__Field *field = &configuration->fields[index];

	muster__wire__field__init(field);
	field->name = (char *)(uintptr_t)name;
	field->value = exchange_bytes(configuration->values[index], strlen(configuration->values[index]) + 1);
	configuration->pointers[index] = field;
}

void configuring_make(const struct sim *sim, unsigned version, struct sim_configuration *configuration)
{
	enum flaw flaw = flaw_of(version);
	unsigned poll_s = version / 2 % 3 * 10;
	span_us interval_us;
	uint32_t missed;

	if (sim->large) /* most are held */
		poll_s = version % 7 == 3 ? 300 : 0;
	configuring_heartbeat(sim, version, &interval_us, &missed);
	memset(configuration, 0, sizeof(*configuration));
	muster__wire__configuration__init(&configuration->message);
	snprintf(configuration->values[0], sizeof(configuration->values[0]), "%u", version);
	snprintf(configuration->values[1], sizeof(configuration->values[1]), "%s", flaw_names[flaw]);
	snprintf(configuration->values[2], sizeof(configuration->values[2]), "%u", poll_s);
	snprintf(configuration->values[3], sizeof(configuration->values[3]), "%d", flaw == FLAW_DARK ? DARK_WAY : 0);
	snprintf(configuration->values[4], sizeof(configuration->values[4]), "%lld",
		 (long long)(interval_us / SECOND_US));
	set(configuration, 0, "a.version");
	set(configuration, 1, "b.flaw");
	set(configuration, 2, "c.poll_s");
	set(configuration, 3, "d.way");
	set(configuration, 4, "e.heartbeat_s");
	configuration->message.settings = configuration->pointers;
	configuration->message.n_settings = COUNT_OF(configuration->fields);
}

static const char *value(const Muster__Wire__Configuration *configuration, size_t index)
{
	return configuration == NULL ? "0" : (const char *)configuration->settings[index]->value.data;
}

static enum flaw flaw_in(const Muster__Wire__Configuration *configuration)
{
	for (int flaw = FLAW_NONE + 1; configuration != NULL && flaw < FLAWS; flaw++) {
		if (strcmp(value(configuration, 1), flaw_names[flaw]) == 0)
			return (enum flaw)flaw;
	}
	return FLAW_NONE;
}

static int check(void *context, const Muster__Wire__Configuration *configuration,
		 struct endpoint_connection *connection, struct buf *why)
{
	const struct sim_machine *machine = context;

	if (flaw_in(configuration) == FLAW_TABLE && suffers(machine, FLAW_TABLE)) {
		buf_append_text(why, "b.flaw = table: allowed: none");
		return ERR_RANGE;
	}
	if (configuration != NULL && strcmp(value(configuration, 4), "0") != 0)
		connection->heartbeat_us = (span_us)strtoul(value(configuration, 4), NULL, 10) * SECOND_US;
	connection->poll_us = (span_us)strtoul(value(configuration, 2), NULL, 10) * SECOND_US;
	if (machine->sim->large && connection->poll_us == 0 && machine->index % 5 == 3)
		connection->poll_us = connection->heartbeat_us; /* its network cuts idle connections */
	connection->way = (uint32_t)strtoul(value(configuration, 3), NULL, 10);
	/* Each another way round, and changing; whoever cannot be reached must find that out by dialling. */
	connection->direction = LINK_BIDIRECTIONAL;
	if (configuration != NULL && connection->way != DARK_WAY)
		connection->direction = (enum link_direction)(
		    (strtoul(value(configuration, 0), NULL, 10) + machine->index) % LINK_DIRECTIONS);
	return 0;
}

static void answer_late(struct sim *sim, struct sim_event *event)
{
	struct sim_machine *machine = &sim->machines[event->machine];

	if (!machine->up || machine->generation != event->generation)
		return;
	endpoint_applied(machine->endpoint, event->number, event->lane != 0 ? ERR_REFUSED : 0,
			 event->lane != 0 ? "the scanner refused it" : "");
	machine_poll(machine);
}

/* The first component always takes it, the second may refuse; both keep what they have over a crash of the link. */
static int apply(void *context, const Muster__Wire__Configuration *configuration, uint64_t order, struct buf *why)
{
	struct sim_machine *machine = context;
	struct sim *sim = machine->sim;
	unsigned version = (unsigned)strtoul(value(configuration, 0), NULL, 10);
	bool refused = flaw_in(configuration) == FLAW_COMPONENT && suffers(machine, FLAW_COMPONENT);
	struct sim_event *event;

	if (machine->disk.dead)
		return ERR_BUSY;
	if (sim_rare(sim, sim->weather.nobody_answers))
		return ERR_BUSY;
	if (sim->options.broken != BREAK_NOT_RESTORED || version > machine->configured[0])
		machine->configured[0] = version;
	if (!refused)
		machine->configured[1] = version;
	if (sim_below(sim, 3) == 0) {
		if (refused)
			buf_append_text(why, "the scanner refused it");
		return refused ? ERR_REFUSED : 0;
	}
	event = sim_after(sim, (span_us)sim_below(sim, 3000) * MILLISECOND_US, answer_late);
	event->machine = machine->index;
	event->generation = machine->generation;
	event->number = order;
	event->lane = refused;
	return ERR_BUSY;
}

static void redial(void *context, const struct endpoint_connection *connection)
{
	struct sim_machine *machine = context;

	memset(machine->lane_token, 0, sizeof(machine->lane_token));
	requests_drop(machine);
	machine->dark = connection->way == DARK_WAY;
	sim_log(machine->sim, "m%u: goes way %u, polls every %lld s", machine->index, connection->way,
		(long long)(connection->poll_us / SECOND_US));
}

struct endpoint_configurer configuring_shell(void)
{
	return (struct endpoint_configurer){ .check = check, .apply = apply, .redial = redial };
}
