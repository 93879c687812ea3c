/* Whose machines those are that changed, and telling the shards. */
#include <stdlib.h>

#include "base/log.h"
#include "manager/front/hypervisors_parts.h"
#include "manager/queries.h"

/* --- lists that grow --- */

bool owners_add(struct owners *owners, const struct uuid *computer, const struct uuid *machine)
{
	if (owners->count == owners->capacity) {
		size_t capacity = owners->capacity * 2 + 64;
		struct owner *items = reallocarray(owners->items, capacity, sizeof(*items));

		if (items == NULL)
			return false;
		owners->items = items;
		owners->capacity = capacity;
	}
	owners->items[owners->count++] = (struct owner){ *computer, *machine };
	return true;
}

void owners_done(struct owners *owners)
{
	free(owners->items);
	*owners = (struct owners){ 0 };
}

void owners_note(void *argument, const struct uuid *machine, enum machine_state state)
{
	static const struct uuid nobody;

	(void)state;
	if (!owners_add(argument, &nobody, machine))
		LOG(LOG_ERROR, "hypervisors.lost", log_uuid("machine", machine), log_text("error", "no memory"));
}

/* --- telling the shards --- */

static void tell_shard(struct hypervisors *hypervisors, const struct owner *owner)
{
	struct shard *shard = shards_of(hypervisors->front->shards, &owner->computer);
	enum machine_state state;

	pthread_mutex_lock(&hypervisors->lock);
	state = machines_state(hypervisors->machines, &owner->machine);
	pthread_mutex_unlock(&hypervisors->lock);
	pthread_mutex_lock(&shard->lock);
	(void)fleet_set_machine(shard->fleet, &owner->computer, state, NULL); /* one that was deleted is not there */
	pthread_mutex_unlock(&shard->lock);
}

void owners_tell(struct hypervisors *hypervisors, const struct owners *owners)
{
	for (size_t i = 0; i < owners->count; i++)
		tell_shard(hypervisors, &owners->items[i]);
}

struct search {
	const struct owners *machines;
	struct owners found;
};

static int find_owners(struct store_session *session, const struct uuid *machine, struct owners *found, struct err *err)
{
	struct uuid swapped = machine_swapped(machine);
	struct cursor *cursor = cursor_open(session, &QUERY_MACHINE_COMPUTERS);
	bool kept = true;
	int rc;

	cursor_bind_uuid(cursor, "machine", machine);
	cursor_bind_uuid(cursor, "swapped", &swapped);
	while (kept && cursor_next(cursor)) {
		struct owner owner;

		cursor_uuid(cursor, "id", &owner.computer);
		cursor_uuid(cursor, "machine", &owner.machine);
		kept = owners_add(found, &owner.computer, &owner.machine);
	}
	rc = cursor_end(cursor, err);
	return rc == 0 && !kept ? err_set(err, ERR_MEMORY, "no memory") : rc;
}

static int read_owners(struct store_session *session, void *argument, struct err *err)
{
	struct search *search = argument;
	int rc = 0;

	for (size_t i = 0; i < search->machines->count && rc == 0; i++)
		rc = find_owners(session, &search->machines->items[i].machine, &search->found, err);
	return rc;
}

void owners_spread(struct hypervisors *hypervisors, struct owners *changes)
{
	struct search search = { .machines = changes };
	struct err err = { 0 };

	if (changes->count > 0 && store_read(hypervisors->front->store, read_owners, &search, &err) != 0)
		LOG(LOG_ERROR, "hypervisors.lost", log_err(&err));
	owners_tell(hypervisors, &search.found);
	owners_done(&search.found);
	owners_done(changes);
}
