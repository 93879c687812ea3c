/* Steps of issuing a command: inner header of command_issue.c and command_many.c. */
#ifndef MUSTER_MANAGER_FRONT_COMMAND_PARTS_H
#define MUSTER_MANAGER_FRONT_COMMAND_PARTS_H

#include "manager/front/front_state.h"
#include "manager/front/order.h"

enum target { TARGET_NONE, TARGET_SCAN, TARGET_COMMAND, TARGET_ITEM };

struct command_row {
	enum front_command_kind kind;
	enum command_kind wire;
	enum target target;
	span_us timeout; /* default; 0: the setting commands.timeout */
};
/* NULL for a number that is none. */
const struct command_row *command_row_find(enum front_command_kind kind);

/* One command on its way. */
struct issue {
	struct front *front;
	const struct front_command *asked;
	const struct front_actor *actor;
	const struct command_row *row;
	struct order order;
	char *arguments; /* JSON */
	struct buf envelope;
	struct shard *shard;
	bool done_before; /* by the same request (front_once) */
};

int issue_check(const struct issue *issue, struct err *err);
/* Sets order but for computer and serial, and arguments. */
int issue_fill(struct issue *issue, struct err *err);
/* An id for a command to order.computer; the same when the same request is made again (front_once). */
struct uuid issue_new_id(const struct issue *issue);
/* An id for an order for many computers as a whole, in the same way. */
struct uuid issue_order_id(const struct issue *issue);
/* A store_function: done_before; order.id must be set. */
int issue_read_before(struct store_session *session, void *argument, struct err *err);
/* The next serial number, of all computers. With `issuing` of the computer's shard held until issue_hand_over(). */
uint64_t issue_take_serial(struct front *front);
/* The run of the agent that the order is for; its shard is set. */
void issue_take_session(struct issue *issue);
/* In the same write as the rows whose highest serial it is. */
int issue_note_serial(uint64_t serial, struct store_session *session, struct err *err);
/* The command's row; ERR_NOT_FOUND, with nothing written: there is no such computer, or it was deleted just now. */
int issue_write_row(const struct issue *issue, struct store_session *session, struct err *err);
/* To the shard, which wakes a held poll. On failure the command's row ends as failed. Blocks. */
int issue_hand_over(struct issue *issue, struct err *err);

#endif
