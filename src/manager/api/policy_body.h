/* The value of a setting as bodies give it, as the text that policy/tree.h checks. Untrusted. Pure. */
#ifndef MUSTER_MANAGER_API_POLICY_BODY_H
#define MUSTER_MANAGER_API_POLICY_BODY_H

#include <jansson.h>

/* Text, a whole number, true, false, or a list of paths in the escaped form of base/text.h; the caller's, free().
 * NULL: anything else, null among it, or no memory. */
char *policy_value_text(const json_t *value);

#endif
