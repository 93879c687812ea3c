/* What the agent is: components, host, configuration, quarantine items.
 * Copies of what the other roles told; only differences travel. */
#include <stdlib.h>
#include <string.h>

#include "endpoint/parts.h"

/* A deep copy through the wire form; NULL without memory. */
static void *copy_message(const ProtobufCMessage *message)
{
	size_t size = protobuf_c_message_get_packed_size(message);
	uint8_t *packed = malloc(size + 1);
	ProtobufCMessage *copy;

	if (packed == NULL)
		return NULL;
	protobuf_c_message_pack(message, packed);
	copy = protobuf_c_message_unpack(message->descriptor, NULL, size, packed);
	free(packed);
	return copy;
}

static bool equal_messages(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
	size_t size = protobuf_c_message_get_packed_size(a);
	uint8_t *packed;
	bool equal = false;

	if (size != protobuf_c_message_get_packed_size(b))
		return false;
	packed = malloc(2 * size + 1);
	if (packed != NULL) {
		protobuf_c_message_pack(a, packed);
		protobuf_c_message_pack(b, packed + size);
		equal = memcmp(packed, packed + size, size) == 0;
	}
	free(packed);
	return equal;
}

static void free_message(void *message)
{
	if (message != NULL)
		protobuf_c_message_free_unpacked(message, NULL);
}

static struct kept_component *component_place(struct endpoint *endpoint, const char *name)
{
	for (size_t i = 0; i < endpoint->component_count; i++) {
		if (strcmp(endpoint->components[i].component->name, name) == 0)
			return &endpoint->components[i];
	}
	return endpoint->component_count < WIRE_COMPONENTS_MAX ? &endpoint->components[endpoint->component_count]
							       : NULL;
}

int endpoint_component(struct endpoint *endpoint, const Muster__Wire__Component *component, struct err *err)
{
	struct kept_component *kept = component_place(endpoint, component->name);
	Muster__Wire__Component *copy;

	if (kept == NULL)
		return err_set(err, ERR_LIMIT, "more than %d components", WIRE_COMPONENTS_MAX);
	if (kept->component != NULL && equal_messages(&kept->component->base, &component->base))
		return 0;
	copy = copy_message(&component->base);
	if (copy == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	if (kept->component == NULL)
		endpoint->component_count++;
	free_message(kept->component);
	kept->component = copy;
	revision_change(&kept->revision);
	return 0;
}

int endpoint_host(struct endpoint *endpoint, const Muster__Wire__Host *host, struct err *err)
{
	Muster__Wire__Host *copy;

	if (endpoint->host != NULL && equal_messages(&endpoint->host->base, &host->base))
		return 0;
	copy = copy_message(&host->base);
	if (copy == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	free_message(endpoint->host);
	endpoint->host = copy;
	revision_change(&endpoint->host_revision);
	return 0;
}

/* --- quarantine items --- */

static struct kept_item *item_find(const struct endpoint *endpoint, const void *id)
{
	uintptr_t index = (uintptr_t)map_get(endpoint->item_index, id, UUID_BYTES);

	return index != 0 ? &endpoint->items[index - 1] : NULL;
}

static int item_new(struct endpoint *endpoint, const void *id, struct kept_item **ret_kept)
{
	size_t capacity = endpoint->item_capacity == 0 ? 16 : endpoint->item_capacity * 2;
	struct kept_item *items = endpoint->items;

	if (endpoint->item_count == ENDPOINT_ITEMS_MAX)
		return ERR_LIMIT;
	if (endpoint->item_count == endpoint->item_capacity) {
		items = reallocarray(items, capacity, sizeof(*items));
		if (items == NULL)
			return ERR_MEMORY;
		endpoint->items = items;
		endpoint->item_capacity = capacity;
	}
	if (map_set(endpoint->item_index, id, UUID_BYTES, (void *)(uintptr_t)(endpoint->item_count + 1)) != 0)
		return ERR_MEMORY;
	*ret_kept = &items[endpoint->item_count++];
	**ret_kept = (struct kept_item){ 0 };
	return 0;
}

int endpoint_item(struct endpoint *endpoint, const Muster__Wire__QuarantineItem *item, struct err *err)
{
	struct kept_item *kept;
	Muster__Wire__QuarantineItem *copy;
	int rc = 0;

	if (item->id.len != UUID_BYTES)
		return err_set(err, ERR_FORMAT, "a quarantine item's id has %d bytes", UUID_BYTES);
	kept = item_find(endpoint, item->id.data);
	if (kept != NULL && equal_messages(&kept->item->base, &item->base))
		return 0;
	copy = copy_message(&item->base);
	if (copy == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	if (kept == NULL)
		rc = item_new(endpoint, item->id.data, &kept);
	if (rc != 0) {
		free_message(copy);
		return err_set(err, rc, "the quarantine item cannot be kept");
	}
	free_message(kept->item);
	kept->item = copy;
	revision_change(&kept->revision);
	return 0;
}

/* What is stored is the state that the lane's report carried. */
void item_acknowledged(struct endpoint *endpoint, unsigned lane, const struct uuid *id)
{
	struct kept_item *kept = item_find(endpoint, id->bytes);

	if (kept != NULL)
		revision_end(&kept->revision, lane, true);
}

/* --- what waits to be told --- */

bool items_wait(const struct endpoint *endpoint)
{
	for (size_t i = 0; i < endpoint->item_count; i++) {
		if (revision_waits(&endpoint->items[i].revision))
			return true;
	}
	return false;
}

bool state_waits(const struct endpoint *endpoint)
{
	for (size_t i = 0; i < endpoint->component_count; i++) {
		if (revision_waits(&endpoint->components[i].revision))
			return true;
	}
	return revision_waits(&endpoint->host_revision) || revision_waits(&endpoint->configuration_revision);
}

void state_make_full(struct endpoint *endpoint)
{
	endpoint->full_wanted = true;
	for (size_t i = 0; i < endpoint->item_count; i++)
		endpoint->items[i].revision.told = 0;
}

/* Items are told by their acknowledgement alone, the rest by any reply. */
void state_lane_ended(struct endpoint *endpoint, unsigned lane, bool told)
{
	for (size_t i = 0; i < endpoint->component_count; i++)
		revision_end(&endpoint->components[i].revision, lane, told);
	for (size_t i = 0; i < endpoint->item_count; i++)
		revision_end(&endpoint->items[i].revision, lane, false);
	revision_end(&endpoint->host_revision, lane, told);
	revision_end(&endpoint->configuration_revision, lane, told);
	for (struct journal_entry *entry = endpoint->journal.entries; entry != NULL; entry = entry->next)
		revision_end(&entry->revision, lane, told && !command_ended(entry->state));
}

void state_done(struct endpoint *endpoint)
{
	for (size_t i = 0; i < endpoint->component_count; i++)
		free_message(endpoint->components[i].component);
	for (size_t i = 0; i < endpoint->item_count; i++)
		free_message(endpoint->items[i].item);
	free(endpoint->items);
	free_message(endpoint->host);
	map_free(endpoint->item_index);
}
