/* Test files in a folder of their own. */
#include "folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int folder_setup(void **state)
{
	char *path = strdup("/tmp/muster-test-trust-XXXXXX");

	*state = path;
	return path != NULL && mkdtemp(path) != NULL ? 0 : -1;
}

static size_t folder_visit(const char *path, int remove_them)
{
	DIR *folder = opendir(path);
	size_t count = 0;

	for (const struct dirent *entry = folder != NULL ? readdir(folder) : NULL; entry != NULL;
	     entry = readdir(folder)) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		count++;
		if (remove_them)
			unlinkat(dirfd(folder), entry->d_name, 0);
	}
	if (folder != NULL)
		closedir(folder);
	return count;
}

int folder_teardown(void **state)
{
	folder_visit(*state, 1);
	rmdir(*state);
	free(*state);
	return 0;
}

const char *folder_file(void **state, const char *name)
{
	static char paths[4][256];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", (const char *)*state, name);
	return path;
}

size_t folder_count(void **state)
{
	return folder_visit(*state, 0);
}
