/* Excluded paths and patterns. */
#include "protect/exclusions.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

struct exclusion {
	char *text;
	size_t length;
	bool pattern;
};

struct exclusions {
	struct exclusion entries[EXCLUSIONS_MAX];
	size_t count;
};

struct exclusions *exclusions_new(void)
{
	return calloc(1, sizeof(struct exclusions));
}

void exclusions_free(struct exclusions *exclusions)
{
	if (exclusions == NULL)
		return;
	for (size_t i = 0; i < exclusions->count; i++)
		free(exclusions->entries[i].text);
	free(exclusions);
}

int exclusions_add(struct exclusions *exclusions, const char *path, size_t size, struct err *err)
{
	struct exclusion *entry = &exclusions->entries[exclusions->count];

	if (exclusions->count == EXCLUSIONS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d exclusions", EXCLUSIONS_MAX);
	if (size == 0 || path[0] != '/' || memchr(path, '\0', size) != NULL)
		return err_set(err, ERR_FORMAT, "an exclusion must be an absolute path");
	while (size > 1 && path[size - 1] == '/')
		size--;
	entry->text = strndup(path, size);
	if (entry->text == NULL)
		return err_set(err, ERR_MEMORY, "exclusions: no memory");
	entry->length = size;
	entry->pattern = strpbrk(entry->text, "*?[") != NULL;
	exclusions->count++;
	return 0;
}

static bool below(const struct exclusion *entry, const char *path)
{
	if (entry->length == 1)
		return true;
	return strncmp(path, entry->text, entry->length) == 0 &&
	       (path[entry->length] == '\0' || path[entry->length] == '/');
}

bool exclusions_match(const struct exclusions *exclusions, const char *path)
{
	for (size_t i = 0; i < exclusions->count; i++) {
		const struct exclusion *entry = &exclusions->entries[i];

		if (below(entry, path))
			return true;
		if (entry->pattern && fnmatch(entry->text, path, FNM_PATHNAME) == 0)
			return true;
	}
	return false;
}
