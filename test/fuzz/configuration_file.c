/* The agent's configuration file as a crash, a failing disk or a stranger left it. First byte: bit 0 whether the rest
 * is the file as it is, or without its checksum, which is then made here. What is taken of it is the same when it is
 * written and read again. */
#include <stdlib.h>
#include <string.h>

#include "endpoint/configuration_file.h"
#include "require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct uuid computer = { { 1, 2, 3, 4, 5, 6, 0x77, 8, 0x89 } };

static void read_file(const struct buf *bytes)
{
	struct configuration_file file, again;
	struct buf out;

	if (configuration_file_decode(bytes->data, bytes->size, &computer, &file) != 0)
		return;
	require(strlen(file.reason) <= ENDPOINT_REASON_MAX_BYTES && file.packed.size <= WIRE_SIGNED_MAX_BYTES);
	buf_init(&out, CONFIGURATION_FILE_MAX_BYTES);
	configuration_file_encode(&file, &computer, &out);
	/* A file of a version before has less in it; one of the present version is written as it was read. */
	require(out.status == 0 && out.size >= bytes->size && out.size <= bytes->size + UUID_BYTES);
	require(bytes->data[4] != out.data[4] ||
		(out.size == bytes->size && memcmp(out.data, bytes->data, out.size) == 0));
	require(configuration_file_decode(out.data, out.size, &computer, &again) == 0);
	require(again.has_kept == file.has_kept && again.failures == file.failures && again.attempts == file.attempts &&
		again.listens_only == file.listens_only && uuid_equal(&again.listens_on, &file.listens_on));
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf bytes;

	if (size == 0)
		return 0;
	buf_init(&bytes, 2 * CONFIGURATION_FILE_MAX_BYTES);
	buf_append(&bytes, data + 1, size - 1);
	if (data[0] & 1)
		pack_u32(&bytes, crc32c(0, bytes.data, bytes.size));
	if (bytes.status == 0)
		read_file(&bytes);
	buf_done(&bytes);
	return 0;
}
