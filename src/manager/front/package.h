/* Packages of the agent, for computers that are being installed.
 *
 * An administrator puts them into packages/ of the manager's data directory, as
 * scripts/package-agent makes them: muster-agent-PLATFORM.tar.gz and beside it
 * muster-agent-PLATFORM.manifest, which says what the archive must be. Front
 * reads them, and does not write there.
 */
#ifndef MUSTER_MANAGER_FRONT_PACKAGE_H
#define MUSTER_MANAGER_FRONT_PACKAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hex.h"

#define PACKAGE_PLATFORM_MAX_BYTES 63
#define PACKAGE_VERSION_MAX_BYTES  63
#define PACKAGE_MANIFEST_MAX_BYTES 4096
#define PACKAGE_MAX_BYTES          (UINT64_C(1) << 30)
#define PACKAGE_PLATFORM_DEFAULT   "linux-x86_64"

struct package {
	char version[PACKAGE_VERSION_MAX_BYTES + 1];
	uint8_t sha256[SHA256_BYTES];
	uint64_t bytes;    /* of the archive */
	uint64_t unpacked; /* what it needs on disk */
};

/* "linux-x86_64": small letters, digits, '-', '_'; what a file's name may be made of. Pure. */
bool package_is_platform(const char *text);
/* The manifest, "NAME VALUE" a line: version, sha256, bytes, unpacked, each once. ERR_FORMAT says which is wrong. Pure.
 */
int package_parse(const char *text, struct package *ret_package, struct err *err);
/* The same as text, which installation scripts read. Pure. */
void package_format(const struct package *package, struct buf *out);

/* Opens the package of a platform, checked against its manifest as far as its size goes. ret_fd may be NULL.
 * ERR_NOT_FOUND: there is none; ERR_WRONG_STATE: its parts do not fit each other. Both say what to do. Blocks. */
int package_find(const char *data_directory, const char *platform, struct package *ret_package, int *ret_fd,
		 struct err *err);

#endif
