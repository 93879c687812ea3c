/* What an agent says of a quarantined file that it is about to send, and the
 * Content-Range of each piece. First byte 0: Content-Range. What is kept for the
 * database is JSON without the key. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "manager/front/quarantine.h"
#include "protect/sealed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_range(const uint8_t *data, size_t size)
{
	uint64_t first, length, total;
	char *text = strndup((const char *)data, size);

	if (text != NULL && quarantine_range_parse(text, &first, &length, &total, NULL) == 0 &&
	    (length == 0 || first >= total || length > total - first))
		abort();
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct quarantine_metadata metadata;
	struct err err = { 0 };
	json_t *kept;

	if (size == 0 || size > QUARANTINE_METADATA_MAX_BYTES)
		return 0;
	if (data[0] == 0) {
		read_range(data + 1, size - 1);
		return 0;
	}
	if (quarantine_metadata_parse(data + 1, size - 1, &metadata, &err) != 0) {
		if (err.code == 0 || err.text[0] == '\0')
			abort();
		return 0;
	}
	kept = json_loads(metadata.json, 0, NULL);
	if (!json_is_object(kept) || json_object_get(kept, "key") != NULL || metadata.sealed_size < metadata.size)
		abort();
	json_decref(kept);
	free(metadata.json);
	return 0;
}
