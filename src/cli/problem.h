/* The manager's refusals (RFC 9457 problem+json) as a sentence with what to do. Pure. */
#ifndef MUSTER_CLI_PROBLEM_H
#define MUSTER_CLI_PROBLEM_H

#include <stddef.h>

#include "base/err.h"

/* body may be anything at all: what is no problem document is named by its
 * status. retry_after_s: of the header, 0 if there was none. Returns err's code. */
int problem_error(long status, const void *body, size_t size, long retry_after_s, struct err *err);

#endif
