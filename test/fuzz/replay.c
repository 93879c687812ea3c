/* Runs a fuzz target over each file of its corpus: the seeds, as a test.
 *
 * Prints cmocka's closing line so that the test runner counts the files. An
 * empty corpus fails: a target without seeds tests nothing.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(int directory, const char *name)
{
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint8_t *data;
	ssize_t size;

	if (fd < 0 || fstat(fd, &st) != 0)
		return -1;
	data = malloc((size_t)st.st_size + 1);
	size = data != NULL ? read(fd, data, (size_t)st.st_size) : -1;
	close(fd);
	if (size == st.st_size)
		LLVMFuzzerTestOneInput(data, (size_t)size);
	free(data);
	return size == st.st_size ? 0 : -1;
}

int main(int argc, char **argv)
{
	DIR *corpus = argc == 2 ? opendir(argv[1]) : NULL;
	unsigned passed = 0;

	if (corpus == NULL) {
		fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", argv[0]);
		return 2;
	}
	for (const struct dirent *entry = readdir(corpus); entry != NULL; entry = readdir(corpus)) {
		if (entry->d_name[0] == '.')
			continue;
		if (replay_file(dirfd(corpus), entry->d_name) != 0) {
			fprintf(stderr, "cannot read %s/%s\n", argv[1], entry->d_name);
			return 1;
		}
		passed++;
	}
	closedir(corpus);
	printf("[  PASSED  ] %u test(s).\n", passed);
	return passed > 0 ? 0 : 1;
}
