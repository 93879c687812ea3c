/* Computers counted by the group (the policy) that they are of and how far they are with their configuration, so that
 * who asks for the counts does not go through them. Trusted. */
#include <stdlib.h>

#include "fleet/parts.h"

struct group {
	struct uuid id;
	size_t computers;
	size_t counts[FLEET_CONFIGURATION_STATES];
};

void group_count(struct computer *computer)
{
	enum fleet_configuration_state state = configuration_state(computer);

	if (computer->group == NULL || computer->counted_as == (uint8_t)state)
		return;
	computer->group->counts[computer->counted_as]--;
	computer->group->counts[state]++;
	computer->counted_as = (uint8_t)state;
}

static struct group *find(const struct fleet *fleet, const struct uuid *id)
{
	return map_get(fleet->groups, id->bytes, UUID_BYTES);
}

static struct group *make(struct fleet *fleet, const struct uuid *id)
{
	struct group *group = calloc(1, sizeof(*group));

	if (group == NULL)
		return NULL;
	group->id = *id;
	if (map_set(fleet->groups, id->bytes, UUID_BYTES, group) == 0)
		return group;
	free(group);
	return NULL;
}

void group_leave(struct fleet *fleet, struct computer *computer)
{
	struct group *group = computer->group;

	computer->group = NULL;
	if (group == NULL)
		return;
	group->counts[computer->counted_as]--;
	if (--group->computers > 0)
		return;
	map_remove(fleet->groups, group->id.bytes, UUID_BYTES);
	free(group);
}

int group_join(struct fleet *fleet, struct computer *computer, const struct uuid *id, struct err *err)
{
	struct group *group = find(fleet, id);

	if (uuid_is_zero(id) || (group != NULL && group == computer->group))
		return 0;
	if (group == NULL)
		group = make(fleet, id);
	if (group == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	group_leave(fleet, computer);
	computer->group = group;
	computer->counted_as = (uint8_t)configuration_state(computer);
	group->computers++;
	group->counts[computer->counted_as]++;
	return 0;
}

int fleet_set_group(struct fleet *fleet, const struct uuid *id, const struct uuid *group, struct err *err)
{
	struct computer *computer = computer_find(fleet, id);

	return computer != NULL ? group_join(fleet, computer, group, err)
				: err_set(err, ERR_NOT_FOUND, "no such computer");
}

void fleet_count_group(const struct fleet *fleet, const struct uuid *id, size_t counts[FLEET_CONFIGURATION_STATES])
{
	const struct group *group = find(fleet, id);

	for (unsigned state = 0; state < FLEET_CONFIGURATION_STATES; state++)
		counts[state] = group != NULL ? group->counts[state] : 0;
}
