/* Whether a person may do this to the agent (agent/local_action.h). */
#include "agent/local_action.h"

#include <stddef.h>

#include "base/units.h"

static const char *const names[LOCAL_ACTIONS] = { [LOCAL_ACTION_TRUST] = "trust another server authentication key",
						  [LOCAL_ACTION_MOVE] = "move to another manager" };

int local_action_allowed(enum local_action action, const char *password, struct err *err)
{
	(void)password; /* no policy sets one yet: whoever reaches the socket or the files may */
	if (action >= LOCAL_ACTIONS || names[action] == NULL)
		return err_set(err, ERR_DENIED, "this is not for anybody to do");
	return 0;
}
