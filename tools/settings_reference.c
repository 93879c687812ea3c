/* Prints the part of doc/settings.md about one program's settings file: its
 * table is linked in, SETTINGS_HEADER names it. tools/settings-reference joins the parts. */
#include <stdio.h>

#include SETTINGS_HEADER

int main(void)
{
	struct buf out;
	int rc;

	buf_init(&out, 1024 * 1024);
	conf_reference(&settings_table, &out);
	rc = out.status == 0 && fwrite(out.data, 1, out.size, stdout) == out.size && fflush(stdout) == 0 ? 0 : 1;
	buf_done(&out);
	return rc;
}
