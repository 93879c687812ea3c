/* Events and audit entries of the manager where there is no front: `init` and
 * `token`. Inside a write function; see manager/front/front.h for the meaning. */
#ifndef MUSTER_MANAGER_FRONT_JOURNAL_H
#define MUSTER_MANAGER_FRONT_JOURNAL_H

#include "manager/front/front.h"

int journal_event(const struct env *env, struct store_session *session, uint32_t type, const struct front_field *fields,
		  size_t count, struct err *err);
int journal_audit(const struct env *env, struct store_session *session, const struct front_actor *actor,
		  const char *action, const char *object, const char *detail, const char *outcome, struct err *err);

#endif
