/* The row of a succession, from one server authentication key to the next, in
 * the manager's database: written by front as it happens, and by `init` from a
 * backup. Told again it changes nothing.
 */
#ifndef MUSTER_MANAGER_SUCCESSION_ROW_H
#define MUSTER_MANAGER_SUCCESSION_ROW_H

#include "base/err.h"
#include "store/store.h"
#include "wire/succession.h"

/* Inside a write. Its signature is checked by the caller (succession_check()). */
int succession_row_put(struct store_session *session, const struct succession *step, struct err *err);

#endif
