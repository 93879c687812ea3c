/* Rules for landlock(7), for whatever version the kernel has. */
#include "os/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Rights newer than the headers we build with. */
#define ACCESS_FS_TRUNCATE  (1ULL << 14) /* version 3 */
#define ACCESS_FS_IOCTL_DEV (1ULL << 15) /* version 5 */
#define ACCESS_NET_BOTH     3ULL         /* version 4: bind and connect TCP */

#define READ_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FILE_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_FS_TRUNCATE)
#define WRITE_RIGHTS                                                                                                   \
	(READ_RIGHTS | FILE_RIGHTS | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                  \
	 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM |                     \
	 LANDLOCK_ACCESS_FS_REFER)
#define NEVER_RIGHTS (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK)
#define ALL_RIGHTS                                                                                                     \
	(WRITE_RIGHTS | NEVER_RIGHTS | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |                   \
	 ACCESS_FS_IOCTL_DEV)

struct ruleset {
	uint64_t fs;
	uint64_t net;
};

static uint64_t rights_of_version(long version, uint64_t rights)
{
	if (version < 2)
		rights &= ~(uint64_t)LANDLOCK_ACCESS_FS_REFER;
	if (version < 3)
		rights &= ~ACCESS_FS_TRUNCATE;
	if (version < 5)
		rights &= ~ACCESS_FS_IOCTL_DEV;
	return rights;
}

static int allow(int ruleset, const char *path, uint64_t rights, struct err *err)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights };
	struct stat st;
	int code = 0;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "%s", path);
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= FILE_RIGHTS;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
		code = err_errno(err, errno, "Landlock rule for %s", path);
	close(rule.parent_fd);
	return code;
}

static int allow_all(int ruleset, const char *const *paths, uint64_t rights, struct err *err)
{
	int code = 0;

	for (size_t i = 0; paths != NULL && paths[i] != NULL && code == 0; i++)
		code = allow(ruleset, paths[i], rights, err);
	return code;
}

int landlock_restrict(const struct role_confinement *confinement, struct err *err)
{
	bool anywhere = (confinement->needs & ROLE_FILES) != 0 && confinement->read_paths == NULL &&
			confinement->write_paths == NULL;
	uint64_t handled = anywhere ? NEVER_RIGHTS : ALL_RIGHTS;
	struct ruleset attributes = { 0 };
	long version;
	int ruleset;
	int code;

	if ((confinement->needs & ROLE_EXECUTE) != 0)
		return 0;
	version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (version < 1)
		return err_set(err, ERR_VERSION, "the kernel has no Landlock");
	attributes.fs = rights_of_version(version, handled);
	if (version >= 4 && (confinement->needs & ROLE_NETWORK) == 0)
		attributes.net = ACCESS_NET_BOTH;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes,
			       version >= 4 ? sizeof(attributes) : sizeof(attributes.fs), 0);
	if (ruleset < 0)
		return err_errno(err, errno, "Landlock ruleset");
	code = allow_all(ruleset, confinement->read_paths, READ_RIGHTS & attributes.fs, err);
	if (code == 0)
		code = allow_all(ruleset, confinement->write_paths, WRITE_RIGHTS & attributes.fs, err);
	if (code == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
		code = err_errno(err, errno, "Landlock");
	close(ruleset);
	return code;
}
