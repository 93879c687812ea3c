/* What people read of the table of verbs: help, completion, the manual. Pure. */
#ifndef MUSTER_CLI_HELP_H
#define MUSTER_CLI_HELP_H

#include "base/buf.h"
#include "cli/verbs.h"

/* noun NULL: of the program. verb NULL: of the noun. */
void help_text(const struct cli_table *table, const char *noun, const struct cli_verb *verb, struct buf *out);
/* A completion script for bash. */
void help_completion(const struct cli_table *table, struct buf *out);
/* The manual page, roff with the man macros. */
void help_manual(const struct cli_table *table, struct buf *out);

#endif
