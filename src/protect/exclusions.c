/* Excluded paths and patterns. */
#include "protect/exclusions.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define PART_BYTES 256 /* longest name in a directory, and NUL */

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

/* The next part between slashes; false at the end. */
static bool next_part(const char **at, const char *end, char part[PART_BYTES])
{
	size_t size = 0;

	while (*at < end && **at == '/')
		(*at)++;
	while (*at < end && **at != '/') {
		if (size < PART_BYTES - 1)
			part[size++] = **at;
		(*at)++;
	}
	part[size] = '\0';
	return size > 0;
}

bool exclusion_touches(const char *exclusion, size_t exclusion_size, const char *path, size_t path_size)
{
	const char *exclusion_end = exclusion + exclusion_size, *path_end = path + path_size;
	char excluded[PART_BYTES], part[PART_BYTES];

	while (next_part(&exclusion, exclusion_end, excluded) && next_part(&path, path_end, part)) {
		if (strcmp(excluded, part) != 0 && fnmatch(excluded, part, 0) != 0)
			return false;
	}
	return true;
}
