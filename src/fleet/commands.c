/* The table of a command's life; constant data, trusted. */
#include "fleet/commands.h"

#include <stddef.h>
#include <string.h>

#define BIT(state) (1u << (state))
#define ENDS       (BIT(COMMAND_SUCCEEDED) | BIT(COMMAND_FAILED) | BIT(COMMAND_CANCELLED) | BIT(COMMAND_TIMED_OUT))

static const struct {
	const char *name;
	unsigned next; /* bits of allowed states */
} states[COMMAND_STATES] = {
	[COMMAND_PENDING] = { "pending", BIT(COMMAND_SENT) | BIT(COMMAND_RUNNING) | ENDS },
	[COMMAND_SENT] = { "sent", BIT(COMMAND_RUNNING) | ENDS },
	[COMMAND_RUNNING] = { "running", ENDS },
	[COMMAND_SUCCEEDED] = { "succeeded", 0 },
	[COMMAND_FAILED] = { "failed", 0 },
	[COMMAND_CANCELLED] = { "cancelled", 0 },
	/* The manager gave up waiting; what the agent reports later is the truth. */
	[COMMAND_TIMED_OUT] = { "timed_out", BIT(COMMAND_SUCCEEDED) | BIT(COMMAND_FAILED) | BIT(COMMAND_CANCELLED) },
};

static const struct {
	enum command_kind kind;
	const char *name;
} kinds[] = {
	{ COMMAND_SCAN, "scan" },          { COMMAND_PAUSE, "pause" },         { COMMAND_RESUME, "resume" },
	{ COMMAND_CANCEL, "cancel" },      { COMMAND_HEARTBEAT, "heartbeat" }, { COMMAND_RESTORE, "restore" },
	{ COMMAND_DELETE_ITEM, "delete" }, { COMMAND_MOVE, "move" },
};

bool command_ended(enum command_state state)
{
	return (ENDS & BIT(state)) != 0;
}

bool command_may_move(enum command_state from, enum command_state to)
{
	return from < COMMAND_STATES && to < COMMAND_STATES && (states[from].next & BIT(to)) != 0;
}

const char *command_state_name(unsigned state)
{
	return state < COMMAND_STATES ? states[state].name : NULL;
}

const char *command_kind_name(unsigned kind)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].kind == kind)
			return kinds[i].name;
	}
	return NULL;
}

unsigned command_kind_parse(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].name, name) == 0)
			return kinds[i].kind;
	}
	return 0;
}
