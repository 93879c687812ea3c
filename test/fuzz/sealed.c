/* Sealed files. First byte 0: the rest is a file as it came. Otherwise the rest
 * is metadata, sealed here under the known key, so that the decoder behind the
 * encryption is reached: on the manager the key comes from the agent. */
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "protect/sealed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[SEALED_KEY_BYTES] = "a key known to the fuzzer";

static void read_all(const uint8_t *bytes, size_t size)
{
	static uint8_t plain[SEALED_CHUNK_BYTES];
	struct sealed_reader *reader;
	uint64_t offset;
	size_t place, opened;

	if (sealed_reader_new(bytes, size, key, &reader, NULL) != 0)
		return;
	if (sealed_reader_metadata(reader)->path.data[0] != '/')
		abort();
	for (uint64_t i = 0; sealed_reader_place(reader, i, &offset, &place, NULL) == 0; i++) {
		if (offset > size || place > size - offset)
			break;
		sealed_reader_chunk(reader, i, bytes + offset, place, plain, &opened, NULL);
	}
	if (sealed_reader_place(reader, sealed_reader_chunks(reader) - 1, &offset, &place, NULL) != 0 ||
	    offset + place != sealed_reader_file_bytes(reader))
		abort();
	sealed_reader_free(reader);
}

static void seal_metadata(const uint8_t *metadata, size_t size, struct buf *out)
{
	uint8_t nonce[12] = { 0 };
	uint8_t bound[33];
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t *room;
	int done;

	buf_append(out, "MUSTERV1 sixteen bytes. ", 24);
	pack_u32(out, SEALED_CHUNK_BYTES);
	pack_u32(out, (uint32_t)size + SEALED_TAG_BYTES);
	memcpy(bound, out->data, 32);
	bound[32] = 1;
	memset(buf_room(out, SEALED_WRAPPED_BYTES), 0, SEALED_WRAPPED_BYTES);
	buf_grow(out, SEALED_WRAPPED_BYTES);
	room = buf_room(out, size + SEALED_TAG_BYTES);
	if (EVP_EncryptInit_ex2(context, EVP_aes_256_gcm(), key, nonce, NULL) != 1 ||
	    EVP_EncryptUpdate(context, NULL, &done, bound, sizeof(bound)) != 1 ||
	    (size > 0 && EVP_EncryptUpdate(context, room, &done, metadata, (int)size) != 1) ||
	    EVP_EncryptFinal_ex(context, room + size, &done) != 1 ||
	    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, SEALED_TAG_BYTES, room + size) != 1)
		abort();
	buf_grow(out, size + SEALED_TAG_BYTES);
	EVP_CIPHER_CTX_free(context);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf sealed;

	if (size == 0 || size > SEALED_METADATA_MAX_BYTES)
		return 0;
	if (data[0] == 0) {
		read_all(data + 1, size - 1);
		return 0;
	}
	buf_init(&sealed, SEALED_METADATA_MAX_BYTES + 1024);
	seal_metadata(data + 1, size - 1, &sealed);
	read_all(sealed.data, sealed.size);
	buf_done(&sealed);
	return 0;
}
