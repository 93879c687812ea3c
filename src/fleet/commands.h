/* The life of a command, as both ends and the interfaces name it.
 *
 *   pending -> sent -> running -> succeeded | failed | cancelled | timed_out
 *
 * One table says which moves are allowed. An end state is for good, but for
 * one: "timed_out" written by the manager gives way to the end that the agent
 * reports later, because that one is true.
 */
#ifndef MUSTER_FLEET_COMMANDS_H
#define MUSTER_FLEET_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>

/* Numbers are those of wire CommandState.State and of the database. */
enum command_state {
	COMMAND_PENDING,
	COMMAND_SENT,
	COMMAND_RUNNING,
	COMMAND_SUCCEEDED,
	COMMAND_FAILED,
	COMMAND_CANCELLED,
	COMMAND_TIMED_OUT,
	COMMAND_STATES
};

/* Numbers are those of wire Command's oneof and of the database. */
enum command_kind {
	COMMAND_SCAN = 3,
	COMMAND_PAUSE = 4,
	COMMAND_RESUME = 5,
	COMMAND_CANCEL = 6,
	COMMAND_HEARTBEAT = 7,
	COMMAND_RESTORE = 8,
	COMMAND_DELETE_ITEM = 9,
	COMMAND_MOVE = 10,
};

bool command_ended(enum command_state state);
/* True if the table has the move; a move to the same state is none. */
bool command_may_move(enum command_state from, enum command_state to);
/* "pending" …; NULL for a number outside. */
const char *command_state_name(unsigned state);
/* "scan", "pause", "resume", "cancel", "heartbeat", "restore", "delete", "move"; NULL for a number outside. */
const char *command_kind_name(unsigned kind);
/* The inverse; 0 for a name nobody knows. */
unsigned command_kind_parse(const char *name);

#endif
