/* HTTP/1.1 answers: any bytes, whole and in pieces. */
#include "http_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_compare(HTTP1_ANSWER, data, size);
}
