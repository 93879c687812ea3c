/* Command lines from tables: a program is a list of commands, a command a row
 * with its options. --help texts are printed from the same rows.
 *
 * Pure: reads argv, writes into buffers given. Values point into argv.
 */
#ifndef MUSTER_AGENT_LOCAL_ARGUMENTS_H
#define MUSTER_AGENT_LOCAL_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define ARGUMENTS_OPTIONS_MAX 16

struct arguments_option {
	const char *name;  /* "--data" or "-o"; ends a list with NULL */
	const char *value; /* what its value is called in help; NULL: it takes none */
	const char *help;
	bool required;
};

struct arguments;

struct arguments_command {
	const char *name;     /* one or two words: "status", "quarantine list"; NULL ends a list */
	const char *operands; /* for help: "PATH...", "" */
	size_t operands_min;
	size_t operands_max;
	const char *summary; /* one line */
	const char *help;    /* more paragraphs, or "" */
	const struct arguments_option *options;
	bool hidden; /* started by the program itself, not by people */
	int (*run)(const struct arguments *arguments);
};

struct arguments {
	const char *program;
	const struct arguments_command *command; /* NULL: help or version of the program */
	bool help;
	bool version;
	const char *values[ARGUMENTS_OPTIONS_MAX]; /* by index of the option's row; "" for one without a value */
	const char *const *operands;
	size_t operand_count;
};

/* Finds the command and its options. argv is reordered (operands last).
 * ERR_USAGE with a sentence that names the option or operand. */
int arguments_parse(const struct arguments_command *commands, int argc, char **argv, struct arguments *ret_arguments,
		    struct err *err);

/* The value given for an option of the command's table, or NULL. */
const char *arguments_value(const struct arguments *arguments, const char *name);
bool arguments_given(const struct arguments *arguments, const char *name);

/* Help of one command, or the list of all when arguments->command is NULL. */
void arguments_help(const struct arguments *arguments, const struct arguments_command *commands, const char *about,
		    struct buf *out);

#endif
