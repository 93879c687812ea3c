/* manager/api/decode.h: bodies. The first byte chooses the shape. What is
 * accepted fits the shape, and still does when written and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "manager/api/decode.h"
#include "manager/api/shapes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct shape *const shapes[] = { &shape_command_request, &shape_enrolment_token_request,
						      &shape_token_request,   &shape_settings_request,
						      &shape_nothing,         &shape_sign_in };
	const struct shape *shape = size > 0 ? shapes[data[0] % COUNT_OF(shapes)] : NULL;
	struct faults faults = { 0 };
	struct err err = { 0 };
	json_t *json = NULL, *again = NULL;
	char *text;

	if (shape == NULL)
		return 0;
	if (decode_body(shape, data + 1, size - 1, &faults, &json, &err) != 0) {
		if (json != NULL || err.code == 0 || (faults.count > 0) != (err.code == ERR_RANGE))
			abort();
		faults_done(&faults);
		return 0;
	}
	text = json_dumps(json, JSON_COMPACT);
	if (text == NULL || decode_body(shape, (const uint8_t *)text, strlen(text), &faults, &again, &err) != 0 ||
	    !json_equal(json, again))
		abort();
	free(text);
	json_decref(json);
	json_decref(again);
	return 0;
}
