/* Which paths are left out of a scan.
 *
 * An exclusion is an absolute path: it leaves out that file, or that directory
 * with all below; or a pattern with * ? [ ] as in the shell, where no wildcard
 * matches a slash. Pure; paths are any bytes but NUL.
 */
#ifndef MUSTER_PROTECT_EXCLUSIONS_H
#define MUSTER_PROTECT_EXCLUSIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define EXCLUSIONS_MAX 512

struct exclusions;

/* NULL: no memory. */
struct exclusions *exclusions_new(void);
void exclusions_free(struct exclusions *exclusions);
/* Copied; trailing slashes are dropped. ERR_FORMAT when not absolute, ERR_LIMIT when too many. */
int exclusions_add(struct exclusions *exclusions, const char *path, size_t size, struct err *err);
/* Would the exclusion leave out anything of the path, or of what is below it? Of two absolute paths, the first
 * perhaps a pattern; pure text, nothing is looked up. */
bool exclusion_touches(const char *exclusion, size_t exclusion_size, const char *path, size_t path_size);
/* path: absolute, without trailing slash. */
bool exclusions_match(const struct exclusions *exclusions, const char *path);

#endif
