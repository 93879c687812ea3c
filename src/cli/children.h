/* Programs run beside each other, at most so many at a time.
 *
 * Each is given its input whole and is listened to line by line, both of its
 * outputs together. Nothing is inherited but 0, 1, 2. Ctrl-C ends them all.
 */
#ifndef MUSTER_CLI_CHILDREN_H
#define MUSTER_CLI_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/env.h"
#include "base/err.h"

#define CHILDREN_INPUT_MAX_BYTES 32768 /* what a pipe holds without a reader */
#define CHILDREN_LINE_MAX_BYTES  2048  /* longer ones are cut */

struct child {
	const char *const *arguments;   /* argv; argv[0] is looked for in PATH */
	const char *const *environment; /* all of it */
	const void *input;
	size_t input_size;
	void *context; /* the caller's */
	/* Filled in: */
	int code; /* exit code; 128 and the signal's number; -1: it could not be started */
	bool timed_out, interrupted;
	/* children.c's own: */
	pid_t pid;
	int output;
	time_us begun, ended_by;
	size_t size;
	char line[CHILDREN_LINE_MAX_BYTES + 1];
};

struct children {
	struct child *items;
	size_t count, at_once;
	span_us timeout; /* of each, from its start */
	const struct env *env;
	bool (*cancelled)(void);
	void (*on_begin)(struct child *child);                  /* may be NULL */
	void (*on_line)(struct child *child, const char *line); /* without its end; untrusted bytes, no NUL */
	void (*on_end)(struct child *child);                    /* may be NULL */
};

/* Runs them all; returns when each has ended. ERR_LIMIT for an input that is too long; what a program's end was is in
 * its own code. Blocks. */
int children_run(struct children *children, struct err *err);

#endif
