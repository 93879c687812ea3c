/* Backups of keys: the reader of a file from outside. The shape is judged before the password costs anything; what
 * passes has a bounded cost, which is paid for small ones only, so that the fuzzer gets somewhere. */
#include <stdlib.h>
#include <string.h>

#include "trust/backup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct backup backup;
	bool cheap = size > 29 && data[20] == 0 && data[21] == 0 && data[22] == 0 && data[27] <= 2;

	if (backup_look(data, size, NULL) != 0 || !cheap)
		return 0;
	if (backup_open(data, size, "password", &backup, NULL) != 0)
		return 0;
	if (backup.step_count > BACKUP_SUCCESSIONS_MAX || strlen(backup.name) > BACKUP_NAME_MAX_BYTES)
		abort();
	backup_done(&backup);
	return 0;
}
