/* The agent's identity as it is found on the disk. First byte: bit 0 says that
 * the certificate and the authority's are given as DER, so that what lies behind
 * PEM is reached, bit 1 that there is an attempt as well. Then the files, each
 * behind its size (u16, lower byte first), in the order below. A set that is
 * taken must be taken again once it was stored. */
#include <openssl/evp.h>
#include <string.h>

#include "agent/identity_files.h"
#include "scratch_directory.h"
#include "trust/identity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX_BYTES 32768

static const struct {
	const char *name;
	bool certificate;
} files[] = { { "computer.json", false }, { "key.pem", false },      { "cert.pem", true },        { "ca.pem", true },
	      { "manager.pub", false },   { "attempt.json", false }, { "attempt-key.pem", false } };

static int directory = -1;

static void write_as_pem(const char *name, const uint8_t *der, size_t size)
{
	static unsigned char base64[INPUT_MAX_BYTES * 4 / 3 + 8];
	struct buf pem;

	EVP_EncodeBlock(base64, der, (int)size);
	buf_init(&pem, 2 * INPUT_MAX_BYTES);
	buf_append_text(&pem, "-----BEGIN CERTIFICATE-----\n");
	for (const char *at = (const char *)base64; *at != '\0'; at += strnlen(at, 64))
		buf_printf(&pem, "%.64s\n", at);
	buf_append_text(&pem, "-----END CERTIFICATE-----\n");
	require(pem.status == 0);
	close(scratch_file(directory, name, pem.data, pem.size));
	buf_done(&pem);
}

static void write_files(const uint8_t *data, size_t size)
{
	size_t count = data[0] & 2 ? COUNT_OF(files) : 5, at = 1;

	files_empty_directory(directory);
	for (size_t i = 0; i < count && size - at >= 2; i++) {
		size_t piece = (size_t)data[at] | (size_t)data[at + 1] << 8;

		at += 2;
		piece = piece < size - at ? piece : size - at;
		if (files[i].certificate && (data[0] & 1))
			write_as_pem(files[i].name, data + at, piece);
		else
			close(scratch_file(directory, files[i].name, data + at, piece));
		at += piece;
	}
}

static void read_again(const struct agent_identity *identity)
{
	struct agent_identity again;

	require(identity_files_store(directory, identity, geteuid(), getegid(), NULL) == 0);
	require(identity_files_load(directory, &again, NULL) == 0);
	require(uuid_equal(&again.computer, &identity->computer) && strcmp(again.name, identity->name) == 0 &&
		strcmp(again.manager, identity->manager) == 0 &&
		memcmp(again.manager_key, identity->manager_key, ENVELOPE_KEY_BYTES) == 0);
	agent_identity_done(&again);
}

static void read_attempt(void)
{
	static const struct uuid fresh = { { 9 } };
	struct enrol_attempt attempt;
	struct buf request;

	if (identity_attempt(directory, "https://manager.example:4343", "token", &fresh, &attempt, NULL) != 0)
		return;
	buf_init(&request, 65536);
	identity_request(buf_text(&attempt.key_pem), &request, NULL);
	buf_done(&request);
	identity_attempt_done(&attempt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct agent_identity identity = { 0 };

	if (size == 0 || size > INPUT_MAX_BYTES)
		return 0;
	if (directory < 0)
		directory = scratch_directory();
	write_files(data, size);
	if (identity_files_load(directory, &identity, NULL) == 0) {
		read_again(&identity);
		agent_identity_done(&identity);
	}
	if (data[0] & 2)
		read_attempt();
	return 0;
}
