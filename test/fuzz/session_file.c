/* The session file of `muster` as anybody may have edited it. What is taken is
 * written and read again as it was. */
#include <string.h>
#include <sys/stat.h>

#include "cli/session_file.h"
#include "scratch_directory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int open_directory(void)
{
	int base = scratch_directory();

	require(setenv("XDG_CONFIG_HOME", scratch_path, 1) == 0 && mkdirat(base, "muster", 0700) == 0);
	return openat(base, "muster", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct session_file session, again;
	static int directory = -1;

	if (directory < 0)
		directory = open_directory();
	close(scratch_file(directory, "session.json", data, size));
	if (session_file_read(&session, NULL) != 0)
		return 0;
	require(session_file_write(&session, NULL) == 0 && session_file_read(&again, NULL) == 0);
	require(strcmp(session.server, again.server) == 0 && strcmp(session.ca, again.ca) == 0 &&
		strcmp(session.token, again.token) == 0 && strcmp(session.user, again.user) == 0);
	return 0;
}
