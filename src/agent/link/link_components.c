/* State of the protection components (agent/link/link_components.h). */
#include "agent/link/link_components.h"

#include <stdlib.h>
#include <string.h>

#include "agent/control.h"
#include "base/text.h"
#include "wire/limits.h"

#define COMPONENTS_MAX 8
#define TEXT_BYTES     1024

static const char *const state_names[] = { [COMPONENT_WORKING] = "working",
					   [COMPONENT_IDLE] = "idle",
					   [COMPONENT_DEGRADED] = "degraded",
					   [COMPONENT_FAILED] = "failed" };

struct link_components {
	struct endpoint *endpoint;
	json_t *objects; /* by name */
};

struct link_components *link_components_new(struct endpoint *endpoint, struct err *err)
{
	struct link_components *components = calloc(1, sizeof(*components));

	if (components != NULL)
		components->objects = json_object();
	if (components == NULL || components->objects == NULL) {
		free(components);
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	components->endpoint = endpoint;
	return components;
}

void link_components_free(struct link_components *components)
{
	if (components == NULL)
		return;
	json_decref(components->objects);
	free(components);
}

static json_t *to_json(const struct message_component *component)
{
	json_t *facts = json_object();

	for (size_t i = 0; i < component->facts.count; i++) {
		const struct message_field *fact = &component->facts.fields[i];

		json_object_set_new(facts, fact->name, control_name(fact->value.data, fact->value.size));
	}
	return json_pack("{s:s,s:s,s:o,s:o,s:o}", "name", component->name, "state", state_names[component->state],
			 "version", control_name(component->version.data, component->version.size), "detail",
			 control_name(component->detail.data, component->detail.size), "facts", facts);
}

/* The message for the manager, made of the same object: its text is escaped UTF-8. */
static int report(struct link_components *components, json_t *object, struct err *err)
{
	Muster__Wire__Component message = MUSTER__WIRE__COMPONENT__INIT;
	Muster__Wire__Component__FactsEntry entries[WIRE_FACTS_MAX], *pointers[WIRE_FACTS_MAX];
	json_t *facts = json_object_get(object, "facts"), *value;
	const char *name;

	message.name = (char *)(uintptr_t)json_string_value(json_object_get(object, "name"));
	message.state = (char *)(uintptr_t)json_string_value(json_object_get(object, "state"));
	message.version = (char *)(uintptr_t)json_string_value(json_object_get(object, "version"));
	message.detail = (char *)(uintptr_t)json_string_value(json_object_get(object, "detail"));
	json_object_foreach(facts, name, value)
	{
		Muster__Wire__Component__FactsEntry entry = MUSTER__WIRE__COMPONENT__FACTS_ENTRY__INIT;

		if (message.n_facts == WIRE_FACTS_MAX)
			break;
		entry.key = (char *)(uintptr_t)name;
		entry.value = (char *)(uintptr_t)json_string_value(value);
		entries[message.n_facts] = entry;
		pointers[message.n_facts] = &entries[message.n_facts];
		message.n_facts++;
	}
	message.facts = pointers;
	return endpoint_component(components->endpoint, &message, err);
}

int link_components_set(struct link_components *components, const struct message_component *component, struct err *err)
{
	json_t *object;

	if (json_object_size(components->objects) >= COMPONENTS_MAX &&
	    json_object_get(components->objects, component->name) == NULL)
		return err_set(err, ERR_LIMIT, "more than %d components", COMPONENTS_MAX);
	object = to_json(component);
	if (object == NULL || json_object_set_new(components->objects, component->name, object))
		return err_set(err, ERR_FORMAT, "component '%s' cannot be shown", component->name);
	return report(components, object, err);
}

json_t *link_components_status(const struct link_components *components)
{
	json_t *list = json_array(), *object;
	const char *name;

	json_object_foreach(components->objects, name, object) json_array_append(list, object);
	return list;
}
