/* Addresses of hypervisors, as whoever administers over the network gives them: what is taken names no
 * program, no file and no option of its own, and can be made into what libvirt is given. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "manager/hypervisor/hypervisor_uri.h"
#include "require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct buf out;

	require(text != NULL);
	if (hypervisor_uri_check(text, NULL) == 0) {
		const char *file = strncmp(text, "test:///", 8) == 0 ? text + 8 : NULL;

		require(strlen(text) < HYPERVISOR_URI_BYTES && strpbrk(text, "?#% \t\r\n") == NULL);
		require(file == NULL || (strchr(file, '/') == NULL && file[0] != '.'));
		buf_init(&out, 16 * HYPERVISOR_URI_BYTES);
		hypervisor_uri_compose(text, "/keys", &out);
		require(out.status == 0 && out.size > 0);
		buf_done(&out);
	}
	free(text);
	return 0;
}
