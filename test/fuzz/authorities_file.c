/* keys/ca.key with several authorities (trust/authorities.h). First byte: bit 0 clear, the rest is the file. Bit 0 set:
 * a byte a block of authorities that follow one another: bits 0 and 1 which one; bits 2 and 3 its key, root, link, or
 * nothing; bit 4 the block is damaged in the middle. What is taken is the same after it was stored, and can go on. */
#include "authority_chain.h"
#include "scratch_directory.h"
#include "trust/secret_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PIECES_MAX 24

static int directory = -1;

static void write_said(const uint8_t *data, size_t size)
{
	struct buf text;

	chain_make();
	buf_init(&text, SECRET_FILE_MAX_BYTES);
	for (size_t i = 0; i < size && i < PIECES_MAX; i++) {
		const char *const blocks[] = { chain.keys[data[i] & 3], chain.roots[data[i] & 3],
					       chain.links[data[i] & 3], "" };
		const char *block = blocks[data[i] >> 2 & 3];
		size_t at = text.size;

		require(buf_append_text(&text, block) == 0);
		if ((data[i] & 16) && block[0] != '\0')
			text.data[at + strlen(block) / 2] ^= 1;
	}
	close(scratch_file(directory, "ca.key", text.data, text.size));
	buf_done(&text);
}

static void whole(const struct authorities *authorities, struct buf *out)
{
	buf_init(out, 2 * SECRET_FILE_MAX_BYTES);
	require(authorities_keys_pem(authorities, out, NULL) == 0 && authorities_pem(authorities, out, NULL) == 0);
}

static void same(const struct authorities *a, const struct authorities *b)
{
	struct buf one, other;

	whole(a, &one);
	whole(b, &other);
	require(strcmp(buf_text(&one), buf_text(&other)) == 0);
	buf_done(&one);
	buf_done(&other);
}

/* Whatever it is, it can be followed unless it is full, and then the next one issues. */
static void go_on(struct authorities *authorities)
{
	uint8_t next[SHA256_BYTES], now[SHA256_BYTES];
	int rc = authorities_next(authorities) != NULL ? 0 : authorities_prepare(authorities, CHAIN_NOW, NULL);

	if (rc == ERR_LIMIT)
		return;
	require(rc == 0 && authorities_next(authorities) != NULL);
	authority_fingerprint(authorities_next(authorities), next);
	require(authorities_turn(authorities, NULL) == 0);
	authority_fingerprint(authorities_issuing(authorities), now);
	require(memcmp(next, now, SHA256_BYTES) == 0);
	(void)authorities_drop(authorities, INT64_MAX / 2);
	authority_fingerprint(authorities_issuing(authorities), now);
	require(memcmp(next, now, SHA256_BYTES) == 0);
}

static void use(struct authorities *authorities, const char *path)
{
	struct authorities *again, *copy;

	if (authorities_store(authorities, path, NULL) != 0)
		return; /* a file that is larger than one may be, by certificates that others put into it */
	require(authorities_load(path, "/nowhere", &again, NULL) == 0);
	require(authorities_copy(authorities, &copy, NULL) == 0);
	same(authorities, again);
	same(authorities, copy);
	authorities_free(again);
	authorities_free(copy);
	go_on(authorities);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct authorities *authorities;
	char path[128];

	if (size == 0 || size > 32768)
		return 0;
	if (directory < 0)
		directory = scratch_directory();
	files_empty_directory(directory);
	snprintf(path, sizeof(path), "%s/ca.key", scratch_path);
	if (data[0] & 1)
		write_said(data + 1, size - 1);
	else
		close(scratch_file(directory, "ca.key", data + 1, size - 1));
	if (authorities_load(path, "/nowhere", &authorities, NULL) != 0)
		return 0;
	use(authorities, path);
	authorities_free(authorities);
	return 0;
}
