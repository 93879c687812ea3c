/* The starter: a small child of guard, the only process that starts programs.
 *
 * It is forked before guard confines itself, so that guard can neither fork
 * nor execute, and the roles inherit neither guard's network namespace nor its
 * filter. It knows two programs, given when it is made; over its channel guard
 * can say no more than which of them to start or to end. It dies with guard,
 * and both programs die with it.
 */
#ifndef MUSTER_AGENT_GUARD_STARTER_H
#define MUSTER_AGENT_GUARD_STARTER_H

#include "os/role.h"

enum starter_role { STARTER_LINK, STARTER_SCAN, STARTER_ROLES };

struct starter_program {
	const char *program; /* NULL: this one */
	const char *const *arguments;
	int extra_fd; /* descriptor 4 of the role, -1: none */
};

struct starter;

/* Forks. Everything in programs is used by the child's copy. */
int starter_new(const struct starter_program programs[STARTER_ROLES], struct starter **ret_starter, struct err *err);
/* Ends the starter and with it the roles. Accepts NULL. */
void starter_free(struct starter *starter);
/* Readable when there is a report. */
int starter_fd(const struct starter *starter);

/* channel_fd becomes the role's; closed here in any case. */
int starter_start(struct starter *starter, enum starter_role role, int channel_fd, struct err *err);
/* SIGKILL. */
int starter_kill(struct starter *starter, enum starter_role role, struct err *err);

struct starter_report {
	enum starter_role role;
	char cause[128]; /* why it is not running: "exit status 1", "signal 9", "start link: …" */
};
/* 0: a role ended or could not be started; ERR_BUSY: nothing now; ERR_CLOSED: the starter is gone. */
int starter_receive(struct starter *starter, struct starter_report *ret_report, struct err *err);

#endif
