/* Reports: whatever decodes also encodes, and decodes again to the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "wire/exchange.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Muster__Wire__Report *report;
	Muster__Wire__Report *again;
	struct arena *arena;
	struct arena *again_arena;
	struct buf first, second;

	if (exchange_report_decode(data, size, &report, &arena, NULL) != 0)
		return 0;
	buf_init(&first, WIRE_REPORT_MAX_BYTES);
	buf_init(&second, WIRE_REPORT_MAX_BYTES);
	/* Canonical encoding may be the longer one: then the limit speaks. */
	if (exchange_report_encode(report, &first, NULL) == 0) {
		if (exchange_report_decode(first.data, first.size, &again, &again_arena, NULL) != 0 ||
		    exchange_report_encode(again, &second, NULL) != 0 || first.size != second.size ||
		    memcmp(first.data, second.data, first.size) != 0)
			abort();
		arena_free(again_arena);
	}
	buf_done(&first);
	buf_done(&second);
	arena_free(arena);
	return 0;
}
