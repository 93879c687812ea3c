/* Passwords from people: the first line of a file, of standard input, or typed
 * on the terminal without being shown. Blocks.
 */
#ifndef MUSTER_OS_SECRET_INPUT_H
#define MUSTER_OS_SECRET_INPUT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

#define SECRET_INPUT_MAX_BYTES 256

/* file: its first line without the line's end; "-": of standard input; NULL: asked for on the terminal with the
 * prompt, and ERR_USAGE where there is none. interrupted: asked when a signal came, whether to give up; NULL: never.
 * ret_secret is set in any case: the caller's to buf_wipe(). ERR_FORMAT for an empty line, ERR_LIMIT. */
int secret_input(const char *file, const char *prompt, bool (*interrupted)(void), struct buf *ret_secret,
		 struct err *err);

#endif
