/* The agent's identity/renewed, beside a whole identity. First byte: bit 0 clear, the rest is the file. Bit 0 set: it
 * is the real file of a renewal, whose pieces the next byte chooses: bit 0 another key, bit 1 the certificate of
 * another computer, bit 2 roots that have not signed it, bit 3 the certificate before; then pairs of bytes, a place (in
 * 256ths of the file) and what it is XORed with; bit 1 of the first byte cuts the file at the place of the last pair.
 * Whatever it holds, there is a whole identity of this computer afterwards: the renewed one if it belongs together,
 * else the one before; and the next start finds the same. */
#include "agent/identity_files.h"
#include "base/pack.h"
#include "scratch_directory.h"
#include "trust/authority.h"
#include "trust/identity.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILE_MAX_BYTES 16384
#define NOW            ((time_us)INT64_C(1795294800) * SECOND_US)

struct pieces {
	struct buf key, certificate;
};

static int directory = -1;
static struct agent_identity ours;
static struct pieces next, stranger; /* of this computer, and of another one */
static struct buf root, other_root;
static const struct uuid computer = { { 7 } }, another = { { 8 } };

static void make(const struct authority *authority, const struct uuid *whose, struct pieces *pieces)
{
	struct buf request;

	buf_init(&request, FILE_MAX_BYTES);
	buf_init(&pieces->key, FILE_MAX_BYTES);
	buf_init(&pieces->certificate, FILE_MAX_BYTES);
	require(identity_make(&pieces->key, &request, NULL) == 0);
	require(authority_certify_agent(authority, request.data, request.size, whose, NOW, &pieces->certificate, NULL,
					NULL) == 0);
	buf_done(&request);
}

/* Once a program, with other keys each time. */
static void make_all(void)
{
	struct authority *authority, *other;
	struct pieces first;

	directory = scratch_directory();
	require(authority_generate("test", NOW, &authority, NULL) == 0 &&
		authority_generate("test", NOW, &other, NULL) == 0);
	buf_init(&root, FILE_MAX_BYTES);
	buf_init(&other_root, FILE_MAX_BYTES);
	require(authority_pem(authority, &root, NULL) == 0 && authority_pem(other, &other_root, NULL) == 0);
	make(authority, &computer, &first);
	make(authority, &computer, &next);
	make(authority, &another, &stranger);
	agent_identity_init(&ours);
	ours.computer = computer;
	snprintf(ours.name, sizeof(ours.name), "name");
	snprintf(ours.manager, sizeof(ours.manager), "https://manager:4343");
	ours.key_pem = first.key;
	ours.certificate_pem = first.certificate;
	require(buf_append(&ours.authority_pem, root.data, root.size) == 0);
	authority_free(authority);
	authority_free(other);
}

static void put_file(const void *bytes, size_t size)
{
	files_empty_directory(directory);
	require(identity_files_store(directory, &ours, geteuid(), getegid(), NULL) == 0);
	close(scratch_file(directory, "renewed", bytes, size));
}

static void append(struct buf *file, const struct buf *piece)
{
	pack_bytes(file, piece->data, piece->size);
}

/* True: it is as an agent would write it, of pieces that belong together. */
static bool write_said(uint8_t flags, const uint8_t *data, size_t size)
{
	uint8_t choice = size > 0 ? data[0] : 0;
	bool whole = (choice & 15) == 0;
	struct buf file;
	size_t cut;

	buf_init(&file, 2 * FILE_MAX_BYTES);
	pack_u32(&file, 0x4d524e31u);
	append(&file, choice & 1 ? &stranger.key : &next.key);
	append(&file, choice & 2 ? &stranger.certificate : choice & 8 ? &ours.certificate_pem : &next.certificate);
	append(&file, choice & 4 ? &other_root : &root);
	require(file.status == 0);
	cut = file.size;
	for (size_t i = 1; i + 1 < size; i += 2) {
		size_t at = file.size * data[i] / 256;

		file.data[at] ^= data[i + 1];
		whole &= data[i + 1] == 0;
		cut = flags & 2 ? at : cut;
	}
	whole &= cut == file.size;
	put_file(file.data, cut);
	buf_done(&file);
	return whole;
}

static bool is_one(const struct agent_identity *identity, const struct buf *key, const struct buf *certificate)
{
	return strcmp(buf_text(&identity->key_pem), buf_text(key)) == 0 &&
	       strcmp(buf_text(&identity->certificate_pem), buf_text(certificate)) == 0;
}

static void check(bool whole)
{
	struct agent_identity found, again;

	require(identity_files_load(directory, &found, NULL) == 0);
	require(uuid_equal(&found.computer, &computer) && !is_one(&found, &stranger.key, &stranger.certificate));
	if (whole)
		require(is_one(&found, &next.key, &next.certificate));
	require(certificate_matches_key(buf_text(&found.certificate_pem), buf_text(&found.key_pem), NULL) == 0);
	require(certificate_signed_by(buf_text(&found.certificate_pem), buf_text(&found.authority_pem), NULL) == 0);
	require(identity_files_load(directory, &again, NULL) == 0);
	require(is_one(&again, &found.key_pem, &found.certificate_pem));
	require(strcmp(buf_text(&again.authority_pem), buf_text(&found.authority_pem)) == 0);
	agent_identity_done(&found);
	agent_identity_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool whole = false;

	if (size == 0 || size > FILE_MAX_BYTES)
		return 0;
	if (directory < 0)
		make_all();
	if (data[0] & 1)
		whole = write_said(data[0], data + 1, size - 1);
	else
		put_file(data + 1, size - 1);
	check(whole);
	return 0;
}
