/* Prints the part of doc/settings.md about settings of policies and computers. */
#include <stdio.h>

#include "policy/settings.h"

int main(void)
{
	struct buf out;
	int rc;

	buf_init(&out, 1024 * 1024);
	settings_reference(&out);
	rc = out.status == 0 && fwrite(out.data, 1, out.size, stdout) == out.size && fflush(stdout) == 0 ? 0 : 1;
	buf_done(&out);
	return rc;
}
