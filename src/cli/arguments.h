/* A command line, taken apart by the table of verbs. Pure. */
#ifndef MUSTER_CLI_ARGUMENTS_H
#define MUSTER_CLI_ARGUMENTS_H

#include <stdbool.h>

#include "cli/verbs.h"

#define CLI_GIVEN_MAX 1024

enum cli_ask { ASK_RUN, ASK_HELP, ASK_VERSION };

struct cli_given {
	const struct cli_option *option;
	const char *value; /* "" for one that takes none */
};

struct cli_arguments {
	enum cli_ask ask;
	const char *noun;            /* NULL: none was given (help of the program) */
	const struct cli_verb *verb; /* NULL: help of the program or of a noun */
	size_t count, given_count;
	const char *words[CLI_ARGUMENTS_MAX]; /* those of argv; not copied */
	struct cli_given given[CLI_GIVEN_MAX];
};

/* Options may stand anywhere behind the noun's verb, global ones anywhere at
 * all; "--" ends them. ERR_USAGE says what is wrong and what there is. */
int arguments_parse(const struct cli_table *table, int argc, char *const *argv, struct cli_arguments *ret_arguments,
		    struct err *err);
/* The last value given for an option, NULL if it was not given. */
const char *arguments_option(const struct cli_arguments *arguments, const char *name);
static inline bool arguments_flag(const struct cli_arguments *arguments, const char *name)
{
	return arguments_option(arguments, name) != NULL;
}

/* "https://HOST[:PORT]" without a path, user or query: ERR_USAGE otherwise. */
int arguments_check_server(const char *url, struct err *err);

#endif
