/* The file of wrong unload passwords, damaged or a stranger's. First byte: bit 0 says whether the rest gets a right
 * checksum, so that what stands behind it is reached.
 *
 * What is taken is written the same way again, and keeps its bounds over further tries.
 */
#include <string.h>

#include "agent/unload_tries.h"
#include "base/pack.h"
#include "require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct unload_refusal attempt = { .time = 1, .action = 1 };
	struct unload_tries tries, again;
	struct buf file, written;

	if (size == 0)
		return 0;
	buf_init(&file, UNLOAD_TRIES_FILE_MAX_BYTES + 5);
	buf_init(&written, UNLOAD_TRIES_FILE_MAX_BYTES);
	buf_append(&file, data + 1, size - 1 < UNLOAD_TRIES_FILE_MAX_BYTES ? size - 1 : UNLOAD_TRIES_FILE_MAX_BYTES);
	if (data[0] & 1)
		pack_u32(&file, crc32c(0, file.data, file.size));
	if (unload_tries_decode(file.data, file.size, &tries) == 0) {
		unload_tries_encode(&tries, &written);
		require(written.status == 0);
		require(unload_tries_decode(written.data, written.size, &again) == 0);
		require(written.size == file.size && memcmp(written.data, file.data, file.size) == 0);
		require(unload_tries_wait(&tries, 0) <= UNLOAD_TRIES_WAIT_MAX_US);
		for (unsigned i = 0; i < 3; i++)
			unload_tries_begin(&tries, &attempt);
		require(tries.untold_count <= UNLOAD_TRIES_UNTOLD_MAX && tries.count >= 3);
		unload_tries_right(&tries);
		require(unload_tries_wait(&tries, 2) == 0);
	}
	buf_done(&file);
	buf_done(&written);
	return 0;
}
