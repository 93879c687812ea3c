/* /tls-profiles: the table (net/tls_profiles.h), and what this machine can serve of it. */
#include "manager/api/tls_profiles.h"

#include <string.h>

#include "manager/api/call_state.h"
#include "manager/api/handlers.h"

static json_t *versions_of(const struct tls_profile *profile)
{
	json_t *list = json_array();

	json_array_append_new(list, json_string(tls_version_name(profile->version_most)));
	if (profile->version_least != profile->version_most)
		json_array_append_new(list, json_string(tls_version_name(profile->version_least)));
	return list;
}

static json_t *suites_of(const struct tls_profile *profile)
{
	json_t *list = json_array();

	for (const char *const *name = profile->suites; *name != NULL; name++)
		json_array_append_new(list, json_string(*name));
	return list;
}

/* The listeners that accept it. */
static json_t *listeners_of(const struct listening *plan, size_t profile)
{
	json_t *list = json_array();

	for (size_t i = 0; i < plan->count; i++) {
		const struct conf_address *address = plan->items[i].address;
		const char *form = strchr(address->host, ':') != NULL ? "[%s]:%u" : "%s:%u";

		if (plan->items[i].profiles >> profile & 1)
			json_array_append_new(list, json_sprintf(form, address->host, (unsigned)address->port));
	}
	return list;
}

json_t *tls_profiles_enabled(const struct listening *plan)
{
	json_t *list = json_array();

	for (size_t i = 0; i < tls_profile_count(); i++) {
		if (plan->all >> i & 1)
			json_array_append_new(list, json_string(tls_profile_at(i)->name));
	}
	return list;
}

int tls_profile_list(struct api_call *call, struct err *err)
{
	const struct listening *plan = front_listening(api_call_front(call));
	json_t *items = json_array();

	(void)err;
	for (size_t i = 0; i < tls_profile_count(); i++) {
		const struct tls_profile *profile = tls_profile_at(i);
		struct err why = { 0 };
		bool served = tls_profile_served(profile, &why) == 0;

		json_array_append_new(items,
				      json_pack("{ss, ss, so, so, sb, sb, sb, so, sb, ss}", "name", profile->name,
						"agents", profile->agents, "versions", versions_of(profile), "suites",
						suites_of(profile), "legacy", profile->legacy, "fips", profile->fips,
						"enabled", (plan->all >> i & 1) != 0, "listeners",
						listeners_of(plan, i), "served", served, "cause", why.text));
	}
	return api_reply_json(call, 200, json_pack("{so, sn}", "items", items, "next"));
}
