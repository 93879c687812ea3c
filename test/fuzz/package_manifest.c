/* Packages of the agent: platforms are what anybody asks for, manifests are files that an administrator copied. The
 * first line is the platform, the rest its manifest. What is taken names no other file and means nothing to the shell
 * of a new computer; written and read again it is the same; and a package that is found is of the size that it says. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "manager/front/package.h"
#include "scratch_directory.h"

#define ARCHIVE "muster-agent-linux-x86_64.tar.gz"
#define BYTES   64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int open_packages(void)
{
	static const uint8_t archive[BYTES];
	int base = scratch_directory(), directory;

	require(mkdirat(base, "packages", 0700) == 0);
	directory = openat(base, "packages", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	require(directory >= 0);
	close(scratch_file(directory, ARCHIVE, archive, sizeof(archive)));
	return directory;
}

static void check_manifest(const char *text)
{
	struct package package = { .bytes = 0 }, again = { .bytes = 0 };
	struct buf out;

	if (package_parse(text, &package, NULL) != 0)
		return;
	require(package.bytes > 0 && package.bytes <= PACKAGE_MAX_BYTES && package.unpacked > 0);
	require(package.version[0] != '\0' && strpbrk(package.version, " \t\n'\"`$\\;&|<>()*?/") == NULL);
	buf_init(&out, PACKAGE_MANIFEST_MAX_BYTES);
	package_format(&package, &out);
	require(out.status == 0 && package_parse(buf_text(&out), &again, NULL) == 0);
	require(strcmp(package.version, again.version) == 0 && package.bytes == again.bytes &&
		package.unpacked == again.unpacked && memcmp(package.sha256, again.sha256, SHA256_BYTES) == 0);
	buf_done(&out);
}

static void find(const char *platform)
{
	struct package package;
	struct err err = { 0 };
	struct stat facts;
	int fd = -1, rc = package_find(scratch_path, platform, &package, &fd, &err);

	if (package_is_platform(platform))
		require(strlen(platform) <= PACKAGE_PLATFORM_MAX_BYTES && strpbrk(platform, "./ \n%") == NULL);
	else
		require(rc == ERR_NOT_FOUND);
	require(rc == 0 || (fd < 0 && err.code == rc && err.text[0] != '\0'));
	if (rc != 0)
		return;
	require(fstat(fd, &facts) == 0 && (uint64_t)facts.st_size == package.bytes);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int directory = -1;
	char *text = strndup((const char *)data, size), *rest = text;
	const char *platform;

	require(text != NULL);
	if (directory < 0)
		directory = open_packages();
	platform = strsep(&rest, "\n");
	if (rest != NULL) {
		check_manifest(rest);
		close(scratch_file(directory, "muster-agent-linux-x86_64.manifest", rest, strlen(rest)));
	}
	find(platform);
	free(text);
	return 0;
}
