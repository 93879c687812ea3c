/* Packages of the agent. Their files come from the administrator; platforms, from anybody. */
#include "manager/front/package.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "base/units.h"
#include "manager/layout.h"
#include "os/files.h"

bool package_is_platform(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-_");

	return length > 0 && length <= PACKAGE_PLATFORM_MAX_BYTES && text[length] == '\0';
}

/* --- the manifest --- */

static bool is_version(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+~-_");

	return length > 0 && length <= PACKAGE_VERSION_MAX_BYTES && text[length] == '\0';
}

static int take_version(struct package *package, const char *value, struct err *err)
{
	if (!is_version(value))
		return err_set(err, ERR_FORMAT, "letters, digits and .+~-_ are expected");
	snprintf(package->version, sizeof(package->version), "%s", value);
	return 0;
}

static int take_sha256(struct package *package, const char *value, struct err *err)
{
	return hex_parse(value, package->sha256, SHA256_BYTES, err);
}

static int take_bytes(struct package *package, const char *value, struct err *err)
{
	return number_parse(value, 1, PACKAGE_MAX_BYTES, &package->bytes, err);
}

static int take_unpacked(struct package *package, const char *value, struct err *err)
{
	return number_parse(value, 1, PACKAGE_MAX_BYTES, &package->unpacked, err);
}

static const struct {
	const char *name;
	int (*take)(struct package *package, const char *value, struct err *err);
} rows[] = {
	{ "version", take_version },
	{ "sha256", take_sha256 },
	{ "bytes", take_bytes },
	{ "unpacked", take_unpacked },
};

static int take_line(struct package *package, char *line, bool seen[COUNT_OF(rows)], struct err *err)
{
	char *value = strchr(line, ' ');

	if (value == NULL)
		return err_set(err, ERR_FORMAT, "'NAME VALUE' is expected on each line");
	*value++ = '\0';
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (strcmp(rows[i].name, line) != 0)
			continue;
		if (seen[i])
			return err_set(err, ERR_FORMAT, "%s stands there twice", line);
		seen[i] = true;
		return rows[i].take(package, value, err) == 0 ? 0 : err_add(err, ERR_FORMAT, "%s", line);
	}
	return 0; /* of a later version */
}

int package_parse(const char *text, struct package *ret_package, struct err *err)
{
	bool seen[COUNT_OF(rows)] = { false };
	struct package package = { 0 };
	int rc = 0;

	while (rc == 0 && *text != '\0') {
		size_t length = strcspn(text, "\n");
		char line[256];

		if (length >= sizeof(line))
			return err_set(err, ERR_FORMAT, "a line is too long");
		memcpy(line, text, length);
		line[length] = '\0';
		if (length > 0)
			rc = take_line(&package, line, seen, err);
		text += length + (text[length] == '\n');
	}
	for (size_t i = 0; rc == 0 && i < COUNT_OF(rows); i++) {
		if (!seen[i])
			rc = err_set(err, ERR_FORMAT, "%s is missing", rows[i].name);
	}
	if (rc != 0 && err != NULL)
		err->code = ERR_FORMAT;
	if (rc != 0)
		return ERR_FORMAT;
	*ret_package = package;
	return 0;
}

void package_format(const struct package *package, struct buf *out)
{
	char sha256[SHA256_TEXT_BYTES];

	hex_format(package->sha256, SHA256_BYTES, sha256);
	buf_printf(out, "version %s\nsha256 %s\nbytes %llu\nunpacked %llu\n", package->version, sha256,
		   (unsigned long long)package->bytes, (unsigned long long)package->unpacked);
}

/* --- the files --- */

static int read_manifest(int directory, const char *platform, struct package *ret_package, struct err *err)
{
	char name[PACKAGE_PLATFORM_MAX_BYTES + 32];
	struct buf text;
	int rc;

	snprintf(name, sizeof(name), "muster-agent-%s.manifest", platform);
	buf_init(&text, PACKAGE_MANIFEST_MAX_BYTES + 1);
	rc = files_read(directory, name, PACKAGE_MANIFEST_MAX_BYTES, &text, err);
	if (rc == 0 && package_parse(buf_text(&text), ret_package, err) != 0)
		rc = err_add(err, ERR_WRONG_STATE, "%s/%s", LAYOUT_PACKAGES, name);
	buf_done(&text);
	return rc;
}

static int open_archive(int directory, const char *platform, const struct package *package, int *ret_fd,
			struct err *err)
{
	char name[PACKAGE_PLATFORM_MAX_BYTES + 32];
	struct stat facts;
	int fd;

	snprintf(name, sizeof(name), "muster-agent-%s.tar.gz", platform);
	fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return err_errno(err, errno, "%s/%s", LAYOUT_PACKAGES, name);
	if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode) || (uint64_t)facts.st_size != package->bytes) {
		close(fd);
		return err_set(err, ERR_WRONG_STATE,
			       "%s/%s is not of the size that its manifest says; copy both again, together",
			       LAYOUT_PACKAGES, name);
	}
	*ret_fd = fd;
	return 0;
}

int package_find(const char *data_directory, const char *platform, struct package *ret_package, int *ret_fd,
		 struct err *err)
{
	char path[LAYOUT_PATH_BYTES];
	struct package package;
	int directory, fd = -1, rc;

	if (!package_is_platform(platform))
		return err_set(err, ERR_NOT_FOUND, "a platform is written like " PACKAGE_PLATFORM_DEFAULT);
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", data_directory, LAYOUT_PACKAGES) >= sizeof(path))
		return err_set(err, ERR_LIMIT, "the data directory's path is too long");
	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	rc = directory >= 0 ? read_manifest(directory, platform, &package, err) : err_errno(err, errno, "%s", path);
	if (rc == 0)
		rc = open_archive(directory, platform, &package, &fd, err);
	if (directory >= 0)
		close(directory);
	if (rc == ERR_NOT_FOUND)
		return err_set(
		    err, rc,
		    "this manager has no package of the agent for %s; scripts/package-agent makes one, to be "
		    "put into %s of the manager's data directory",
		    platform, LAYOUT_PACKAGES);
	if (rc != 0)
		return rc;
	*ret_package = package;
	if (ret_fd != NULL)
		*ret_fd = fd;
	else
		close(fd);
	return 0;
}
