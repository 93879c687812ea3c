/* The vault's small files as a crash or a failing disk left them: an intent, a
 * mark of an item that is ending, one of an item that ended, a sealed file. The
 * first byte chooses. Recovery goes through, and once settled finds nothing more
 * to do. */
#include <string.h>

#include "agent/guard/vault.h"
#include "scratch_directory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct uuid id = { { 1, 2, 3, 4, 5, 6, 0x77, 8, 0x89, 10, 11, 12, 13, 14, 15, 16 } };
static const char id_text[] = "01020304-0506-7708-890a-0b0c0d0e0f10";

static time_us clock_now(void *context)
{
	(void)context;
	return INT64_C(1795294800) * SECOND_US;
}

static void chance(void *context, void *out, size_t size)
{
	(void)context;
	memset(out, 5, size);
}

static void tell(void *context, const struct vault_item *item)
{
	(void)context;
	require(strnlen(item->path, sizeof(item->path)) < sizeof(item->path));
}

static int show(void *context, const struct vault_item *item)
{
	(void)context;
	require(item->item.path.size <= MESSAGE_PATH_MAX_BYTES);
	return 0;
}

static void use(struct vault *vault)
{
	static struct vault_item item;
	uint8_t key[VAULT_KEY_BYTES];
	size_t unreadable;
	int fd;

	require(vault_recover(vault, tell, NULL, NULL) == 0);
	require(vault_list(vault, show, NULL, &unreadable, NULL) == 0 && unreadable <= 1);
	if (vault_open_item(vault, &id, &fd, &item, key, NULL) == 0)
		close(fd);
	vault_settle(vault, &id, NULL);
	vault_settle_end(vault, &id, NULL);
	require(vault_delete(vault, &id, &item, NULL) != ERR_MEMORY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct env env = { .wall = clock_now, .monotonic = clock_now, .random = chance };
	static const uint8_t key[VAULT_KEY_BYTES] = "the key of a vault in a test...";
	static const char *const endings[] = { ".intent", ".ending", ".ended", ".vault" };
	static int directory = -1;
	struct vault *vault;
	char name[64];

	if (size == 0)
		return 0;
	if (directory < 0)
		directory = scratch_directory();
	files_empty_directory(directory);
	snprintf(name, sizeof(name), "%s%s", id_text, endings[data[0] % COUNT_OF(endings)]);
	close(scratch_file(directory, name, data + 1, size - 1));
	require(vault_open(directory, key, &env, &vault, NULL) == 0);
	use(vault);
	vault_close(vault);
	return 0;
}
