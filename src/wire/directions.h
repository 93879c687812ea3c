/* Which end opens the connection (specification 10-links "Directions").
 *
 *   bidirectional       the agent, and the manager when there is something to do and no poll is held
 *   manager-initiated   the manager alone, on schedule; the agent only listens
 *   agent-initiated     the agent alone; it has no open port
 */
#ifndef MUSTER_WIRE_DIRECTIONS_H
#define MUSTER_WIRE_DIRECTIONS_H

#include <stdbool.h>
#include <string.h>

/* Numbers are those of Host.direction. */
enum link_direction { LINK_BIDIRECTIONAL, LINK_MANAGER_INITIATED, LINK_AGENT_INITIATED, LINK_DIRECTIONS };

/* In the order of the numbers: the choices of a setting. */
#define LINK_DIRECTION_CHOICES "bidirectional manager-initiated agent-initiated"

static inline const char *link_direction_name(enum link_direction direction)
{
	static const char *const names[LINK_DIRECTIONS] = { "bidirectional", "manager-initiated", "agent-initiated" };

	return (unsigned)direction < LINK_DIRECTIONS ? names[direction] : "bidirectional";
}

/* False for a name nobody knows. */
static inline bool link_direction_parse(const char *name, enum link_direction *ret_direction)
{
	for (int i = 0; i < LINK_DIRECTIONS; i++) {
		if (strcmp(link_direction_name((enum link_direction)i), name) == 0) {
			*ret_direction = (enum link_direction)i;
			return true;
		}
	}
	return false;
}

static inline bool link_direction_agent_dials(enum link_direction direction)
{
	return direction != LINK_MANAGER_INITIATED;
}

static inline bool link_direction_agent_listens(enum link_direction direction)
{
	return direction != LINK_AGENT_INITIATED;
}

#endif
