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
/* A store_function: done_before; order.id must be set. */
int issue_read_before(struct store_session *session, void *argument, struct err *err);
/* A store_function: order.serial, for order.computer. With `issuing` of the shard held until issue_hand_over(). */
int issue_read_serial(struct store_session *session, void *argument, struct err *err);
/* The command's row and its event; ERR_NOT_FOUND, with nothing written: the computer was deleted just now. */
int issue_write_row(const struct issue *issue, struct store_session *session, struct err *err);
/* To the shard, which wakes a held poll. On failure the command's row ends as failed. Blocks. */
int issue_hand_over(struct issue *issue, struct err *err);

#endif
