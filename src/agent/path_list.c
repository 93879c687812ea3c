/* Lists of paths (agent/path_list.h). */
#include "agent/path_list.h"

#include <string.h>

#include "protect/exclusions.h"

int path_list_parse(const char *text, struct message_paths *ret_paths, struct err *err)
{
	ret_paths->count = 0;
	for (const char *at = text; *at != '\0';) {
		size_t size = strcspn(at, ":");

		if (size > 0 && *at != '/')
			return err_set(err, ERR_RANGE, "'%.*s' is not an absolute path", (int)(size < 200 ? size : 200),
				       at);
		if (size > 0 && ret_paths->count == MESSAGE_PATHS_MAX)
			return err_set(err, ERR_LIMIT, "more than %d paths", MESSAGE_PATHS_MAX);
		if (size > 0)
			ret_paths->paths[ret_paths->count++] =
			    (struct bytes){ .data = (const uint8_t *)at, .size = size };
		at += size + (at[size] == ':');
	}
	return 0;
}

static int shown(size_t size)
{
	return (int)(size < 150 ? size : 150);
}

int path_list_excludes_none_of(const struct message_paths *exclusions, const struct message_paths *never,
			       struct err *err)
{
	for (size_t i = 0; i < exclusions->count; i++) {
		for (size_t j = 0; j < never->count; j++) {
			struct bytes exclusion = exclusions->paths[i], path = never->paths[j];

			if (exclusion_touches((const char *)exclusion.data, exclusion.size, (const char *)path.data,
					      path.size))
				return err_set(err, ERR_DENIED,
					       "%.*s cannot be excluded: %.*s is in never_exclude of this "
					       "computer's agent.ini",
					       shown(exclusion.size), (const char *)exclusion.data, shown(path.size),
					       (const char *)path.data);
		}
	}
	return 0;
}
