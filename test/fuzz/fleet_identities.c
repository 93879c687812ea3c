/* The file of identities that muster-fleet-sim keeps between runs. What is taken
 * is stored and taken again with as many slots. */
#include <string.h>

#include "fleetsim/identities.h"
#include "scratch_directory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int directory = -1;
	static char path[128];
	struct identities identities, again;

	if (directory < 0) {
		directory = scratch_directory();
		snprintf(path, sizeof(path), "%s/identities", scratch_path);
	}
	close(scratch_file(directory, "identities", data, size));
	if (identities_open(&identities, path, 2, NULL) == 0) {
		require(identities.count >= 2 && identities_store(&identities, path, NULL) == 0);
		require(identities_open(&again, path, 2, NULL) == 0 && again.count == identities.count);
		for (size_t i = 0; i < again.count; i++)
			require((again.slots[i].certificate_pem == NULL) ==
				(identities.slots[i].certificate_pem == NULL));
		identities_done(&again);
	}
	identities_done(&identities);
	return 0;
}
