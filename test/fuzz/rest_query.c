/* manager/api/decode.h and page.h: query strings, and cursors, which come in
 * them. A cursor that is accepted is one that would be given. */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "manager/api/decode.h"
#include "manager/api/page.h"
#include "manager/api/shapes.h"

static void check_cursor(const char *text)
{
	struct page page;
	char again[PAGE_TEXT_BYTES];

	if (page_parse(text, 'e', &page, NULL) != 0)
		return;
	page_format(&page, 'e', again);
	if (strcasecmp(text, again) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *query = malloc(size + 1);
	struct faults faults = { 0 };
	json_t *json;

	if (query == NULL)
		return 0;
	memcpy(query, data, size);
	query[size] = '\0';
	check_cursor(query);
	json = decode_query(&shape_events_query, query, &faults);
	if ((json == NULL) != (faults.count > 0))
		abort();
	if (json != NULL && json_object_get(json, "cursor") != NULL)
		check_cursor(json_string_value(json_object_get(json, "cursor")));
	json_decref(json);
	faults_done(&faults);
	free(query);
	return 0;
}
