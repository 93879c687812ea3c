/* Names that are near (text_distance()), in a section or in another. */
#include "conf/nearest.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

#define NAME_MAX_BYTES     128 /* "section.key"; what is longer is near to nothing */
#define LETTERS_A_MISTAKE  6   /* of a name's: one is let pass for so many */
#define OTHER_SECTION_COST 1   /* the key is right */

struct search {
	const char *key; /* as given, and with its section */
	char given[NAME_MAX_BYTES];
	size_t best; /* mistakes; the candidate has to have fewer */
	char *near;
};

static void consider(struct search *search, const char *section, size_t section_size, const char *key, size_t key_size)
{
	char name[NAME_MAX_BYTES];
	size_t mistakes;
	int size = snprintf(name, sizeof(name), "%.*s.%.*s", (int)section_size, section, (int)key_size, key);

	if (size < 0 || (size_t)size >= sizeof(name))
		return;
	mistakes = text_distance(search->given, name);
	if (mistakes > OTHER_SECTION_COST && strlen(search->key) == key_size &&
	    strncasecmp(search->key, key, key_size) == 0)
		mistakes = OTHER_SECTION_COST;
	if (mistakes >= search->best)
		return;
	search->best = mistakes;
	(void)snprintf(search->near, NEAREST_BYTES, "[%.*s] %.*s", (int)section_size, section, (int)key_size, key);
}

/* "Key" of the row's own section, or "Section.Key". */
static void consider_alias(struct search *search, const struct conf_row *row, const char *alias, size_t size)
{
	const char *dot = memchr(alias, '.', size);

	if (dot == NULL)
		consider(search, row->section, strlen(row->section), alias, size);
	else
		consider(search, alias, (size_t)(dot - alias), dot + 1, size - (size_t)(dot + 1 - alias));
}

bool conf_nearest(const struct conf_table *table, const char *section, const char *key, char near[NEAREST_BYTES])
{
	struct search search = { .key = key, .near = near };
	int size = snprintf(search.given, sizeof(search.given), "%s.%s", section, key);

	if (size < 0 || (size_t)size >= sizeof(search.given))
		return false;
	near[0] = '\0';
	search.best = (size_t)size / LETTERS_A_MISTAKE + 1;
	for (size_t i = 0; i < table->count; i++) {
		const struct conf_row *row = &table->rows[i];

		consider(&search, row->section, strlen(row->section), row->key, strlen(row->key));
		for (const char *at = row->aliases; at != NULL && *at != '\0';) {
			size_t alias = strcspn(at, " ");

			if (alias > 0)
				consider_alias(&search, row, at, alias);
			at += alias;
			at += strspn(at, " ");
		}
	}
	return near[0] != '\0';
}
