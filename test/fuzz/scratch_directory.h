/* A directory for targets that read files; it goes away with the program. */
#ifndef MUSTER_TEST_SCRATCH_DIRECTORY_H
#define MUSTER_TEST_SCRATCH_DIRECTORY_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/files.h"
#include "require.h"

static int scratch_descriptor = -1;
static char scratch_path[64];

static void scratch_remove(void)
{
	files_empty_directory(scratch_descriptor);
	rmdir(scratch_path);
}

/* Its descriptor; scratch_path is where. Once a program. */
static inline int scratch_directory(void)
{
	/* In memory where there is such a place: each input is a file and its syncs. */
	snprintf(scratch_path, sizeof(scratch_path), "%s/muster-fuzz-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	require(mkdtemp(scratch_path) != NULL);
	scratch_descriptor = open(scratch_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	require(scratch_descriptor >= 0);
	atexit(scratch_remove);
	return scratch_descriptor;
}

/* A file with this content, open; the caller closes it. */
static inline int scratch_file(int directory, const char *name, const void *data, size_t size)
{
	int fd = openat(directory, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	require(fd >= 0 && files_write_all(fd, data, size, NULL) == 0);
	return fd;
}

#endif
