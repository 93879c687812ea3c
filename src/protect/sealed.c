/* The sealed file over OpenSSL's AES-256-GCM. What is opened is untrusted, also
 * when its tags fit: on the manager the key comes from the agent. */
#include "protect/sealed.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#define MAGIC          "MUSTERV1"
#define MAGIC_BYTES    8
#define BOUND_BYTES    32 /* the part of the prefix that each tag covers: all but the wrapped key */
#define NONCE_BYTES    12
#define PACK_VERSION   1
#define PACK_SIZE_AT   2 /* where size and SHA-256 stand in the packed metadata */
#define PACK_SHA256_AT 10
#define SIZE_MAX_BYTES ((uint64_t)INT64_MAX / 2) /* so that places in the file do not overflow */

/* First byte of the nonce: one counter each for metadata and chunks. */
enum part { PART_METADATA = 0, PART_CHUNK = 1 };

static const char wrap_context[] = "muster item key 1";

/* --- AES-256-GCM --- */

struct box {
	EVP_CIPHER_CTX *context;
	uint8_t bound[BOUND_BYTES + 1]; /* authenticated with each part; the last byte is the flag */
};

static int crypto_failed(struct err *err)
{
	return err_set(err, ERR_INTERNAL, "AES-256-GCM is not available");
}

static int box_init(struct box *box, const uint8_t key[SEALED_KEY_BYTES], bool sealing, struct err *err)
{
	box->context = EVP_CIPHER_CTX_new();
	if (box->context != NULL &&
	    EVP_CipherInit_ex2(box->context, EVP_aes_256_gcm(), key, NULL, sealing ? 1 : 0, NULL) == 1)
		return 0;
	return crypto_failed(err);
}

static void box_done(struct box *box)
{
	EVP_CIPHER_CTX_free(box->context); /* wipes the key schedule */
}

static bool box_begin(struct box *box, const uint8_t nonce[NONCE_BYTES], const void *bound, size_t bound_size)
{
	int done;

	return EVP_CipherInit_ex2(box->context, NULL, NULL, nonce, -1, NULL) == 1 &&
	       EVP_CipherUpdate(box->context, NULL, &done, bound, (int)bound_size) == 1;
}

/* out: size bytes, then the tag. */
static bool box_seal(struct box *box, const void *plain, size_t size, uint8_t *out)
{
	int done = 0;
	int rest = 0;

	return (size == 0 || EVP_EncryptUpdate(box->context, out, &done, plain, (int)size) == 1) &&
	       EVP_EncryptFinal_ex(box->context, out + done, &rest) == 1 &&
	       EVP_CIPHER_CTX_ctrl(box->context, EVP_CTRL_AEAD_GET_TAG, SEALED_TAG_BYTES, out + size) == 1;
}

/* sealed: size bytes, then the tag. Wipes out when the tag does not fit. */
static bool box_open(struct box *box, const uint8_t *sealed, size_t size, uint8_t *out)
{
	uint8_t tag[SEALED_TAG_BYTES];
	int done = 0;
	int rest = 0;

	memcpy(tag, sealed + size, sizeof(tag));
	if ((size == 0 || EVP_DecryptUpdate(box->context, out, &done, sealed, (int)size) == 1) &&
	    EVP_CIPHER_CTX_ctrl(box->context, EVP_CTRL_AEAD_SET_TAG, SEALED_TAG_BYTES, tag) == 1 &&
	    EVP_DecryptFinal_ex(box->context, out + done, &rest) == 1)
		return true;
	OPENSSL_cleanse(out, size);
	return false;
}

static bool box_begin_part(struct box *box, enum part part, uint64_t index, bool last)
{
	uint8_t nonce[NONCE_BYTES] = { (uint8_t)part };

	for (size_t i = 0; i < sizeof(index); i++)
		nonce[NONCE_BYTES - sizeof(index) + i] = (uint8_t)(index >> (8 * i));
	box->bound[BOUND_BYTES] = last ? 1 : 0;
	return box_begin(box, nonce, box->bound, sizeof(box->bound));
}

/* --- the item's key under the master key: nonce 12 | key 32 | tag 16 --- */

static void wrap_bound(const struct uuid *id, uint8_t bound[sizeof(wrap_context) + UUID_BYTES])
{
	memcpy(bound, wrap_context, sizeof(wrap_context));
	memcpy(bound + sizeof(wrap_context), id->bytes, UUID_BYTES);
}

int sealed_key_make(const uint8_t master[SEALED_KEY_BYTES], const struct uuid *id, uint8_t key[SEALED_KEY_BYTES],
		    uint8_t wrapped[SEALED_WRAPPED_BYTES], struct err *err)
{
	uint8_t bound[sizeof(wrap_context) + UUID_BYTES];
	struct box box;
	int status = box_init(&box, master, true, err);

	wrap_bound(id, bound);
	if (status == 0 && (RAND_priv_bytes(key, SEALED_KEY_BYTES) != 1 || RAND_bytes(wrapped, NONCE_BYTES) != 1 ||
			    !box_begin(&box, wrapped, bound, sizeof(bound)) ||
			    !box_seal(&box, key, SEALED_KEY_BYTES, wrapped + NONCE_BYTES)))
		status = crypto_failed(err);
	box_done(&box);
	return status;
}

int sealed_key_unwrap(const uint8_t master[SEALED_KEY_BYTES], const struct uuid *id,
		      const uint8_t wrapped[SEALED_WRAPPED_BYTES], uint8_t key[SEALED_KEY_BYTES], struct err *err)
{
	uint8_t bound[sizeof(wrap_context) + UUID_BYTES];
	uint8_t opened[SEALED_KEY_BYTES];
	struct box box;
	int status = box_init(&box, master, false, err);

	wrap_bound(id, bound);
	if (status == 0 && !box_begin(&box, wrapped, bound, sizeof(bound)))
		status = crypto_failed(err);
	if (status == 0 && !box_open(&box, wrapped + NONCE_BYTES, SEALED_KEY_BYTES, opened))
		status = err_set(err, ERR_UNTRUSTED,
				 "the item's key does not open: altered, of another item, or another vault key");
	if (status == 0)
		memcpy(key, opened, sizeof(opened));
	OPENSSL_cleanse(opened, sizeof(opened));
	box_done(&box);
	return status;
}

/* --- metadata --- */

static int check_bytes(const char *name, const struct bytes *bytes, size_t least, size_t most, bool text,
		       struct err *err)
{
	if (bytes->size > most)
		return err_set(err, ERR_LIMIT, "sealed %s: %zu bytes, at most %zu", name, bytes->size, most);
	if (bytes->size < least)
		return err_set(err, ERR_FORMAT, "sealed %s: missing", name);
	if (text && bytes->size > 0 && memchr(bytes->data, '\0', bytes->size) != NULL)
		return err_set(err, ERR_FORMAT, "sealed %s: a zero byte inside", name);
	return 0;
}

/* The same for who writes and for what was read. */
static int metadata_check(const struct sealed_metadata *metadata, struct err *err)
{
	int status = check_bytes("path", &metadata->path, 1, SEALED_PATH_MAX_BYTES, true, err);

	if (status == 0 && metadata->path.data[0] != '/')
		status = err_set(err, ERR_FORMAT, "sealed path: not absolute");
	if (status == 0)
		status = check_bytes("detection", &metadata->detection, 0, SEALED_TEXT_MAX_BYTES, true, err);
	if (status == 0)
		status =
		    check_bytes("signature version", &metadata->signature_version, 0, SEALED_TEXT_MAX_BYTES, true, err);
	if (status == 0 && metadata->xattr_count > SEALED_XATTRS_MAX)
		status = err_set(err, ERR_LIMIT, "sealed extended attributes: %zu, at most %d", metadata->xattr_count,
				 SEALED_XATTRS_MAX);
	for (size_t i = 0; i < metadata->xattr_count && status == 0; i++) {
		status =
		    check_bytes("attribute name", &metadata->xattrs[i].name, 1, SEALED_XATTR_NAME_MAX_BYTES, true, err);
		if (status == 0)
			status = check_bytes("attribute value", &metadata->xattrs[i].value, 0,
					     SEALED_XATTR_VALUE_MAX_BYTES, false, err);
	}
	if (status == 0 && metadata->size > SIZE_MAX_BYTES)
		status = err_set(err, ERR_LIMIT, "sealed size: %" PRIu64 " bytes", metadata->size);
	return status;
}

static void metadata_pack(const struct sealed_metadata *metadata, struct buf *out)
{
	pack_u16(out, PACK_VERSION);
	pack_u64(out, metadata->size);
	buf_append(out, metadata->sha256, SHA256_BYTES);
	pack_bytes(out, metadata->path.data, metadata->path.size);
	pack_u32(out, metadata->uid);
	pack_u32(out, metadata->gid);
	pack_u32(out, metadata->mode);
	pack_u64(out, (uint64_t)metadata->accessed_ns);
	pack_u64(out, (uint64_t)metadata->modified_ns);
	pack_u64(out, (uint64_t)metadata->changed_ns);
	pack_bytes(out, metadata->detection.data, metadata->detection.size);
	pack_bytes(out, metadata->signature_version.data, metadata->signature_version.size);
	pack_u64(out, (uint64_t)metadata->quarantined);
	pack_u32(out, (uint32_t)metadata->xattr_count);
	for (size_t i = 0; i < metadata->xattr_count; i++) {
		pack_bytes(out, metadata->xattrs[i].name.data, metadata->xattrs[i].name.size);
		pack_bytes(out, metadata->xattrs[i].value.data, metadata->xattrs[i].value.size);
	}
}

static int unpack_xattrs(struct unpack *in, struct sealed_xattr xattrs[SEALED_XATTRS_MAX], size_t *ret_count)
{
	uint32_t count = unpack_u32(in);

	if (count > SEALED_XATTRS_MAX)
		return ERR_LIMIT;
	for (uint32_t i = 0; i < count; i++) {
		xattrs[i].name = unpack_bytes(in, SEALED_XATTR_NAME_MAX_BYTES);
		xattrs[i].value = unpack_bytes(in, SEALED_XATTR_VALUE_MAX_BYTES);
	}
	*ret_count = count;
	return unpack_end(in);
}

/* Points into bytes and xattrs; id is left alone. */
static int metadata_unpack(const void *bytes, size_t size, struct sealed_xattr xattrs[SEALED_XATTRS_MAX],
			   struct sealed_metadata *metadata, struct err *err)
{
	struct unpack in;
	int status;

	unpack_init(&in, bytes, size);
	if (unpack_u16(&in) != PACK_VERSION)
		return err_set(err, ERR_VERSION, "sealed metadata of a version that this one does not know");
	metadata->size = unpack_u64(&in);
	unpack_fixed(&in, metadata->sha256, SHA256_BYTES);
	metadata->path = unpack_bytes(&in, SEALED_PATH_MAX_BYTES);
	metadata->uid = unpack_u32(&in);
	metadata->gid = unpack_u32(&in);
	metadata->mode = unpack_u32(&in);
	metadata->accessed_ns = (int64_t)unpack_u64(&in);
	metadata->modified_ns = (int64_t)unpack_u64(&in);
	metadata->changed_ns = (int64_t)unpack_u64(&in);
	metadata->detection = unpack_bytes(&in, SEALED_TEXT_MAX_BYTES);
	metadata->signature_version = unpack_bytes(&in, SEALED_TEXT_MAX_BYTES);
	metadata->quarantined = (time_us)unpack_u64(&in);
	status = unpack_xattrs(&in, xattrs, &metadata->xattr_count);
	metadata->xattrs = xattrs;
	if (status != 0)
		return err_set(err, status, "sealed metadata that does not decode");
	return metadata_check(metadata, err);
}

/* --- writing --- */

struct sealed_writer {
	struct box box;
	struct buf metadata; /* packed; size and SHA-256 are put in last */
	EVP_MD_CTX *hash;
	uint64_t next; /* chunk */
	uint64_t size;
	bool finished;
	struct uuid id;
	uint8_t wrapped[SEALED_WRAPPED_BYTES];
	struct sealed_xattr xattrs[SEALED_XATTRS_MAX];
};

static void bound_write(uint8_t bound[BOUND_BYTES], const struct uuid *id, size_t metadata_bytes)
{
	struct buf out;

	buf_init(&out, BOUND_BYTES);
	buf_append(&out, MAGIC, MAGIC_BYTES);
	buf_append(&out, id->bytes, UUID_BYTES);
	pack_u32(&out, SEALED_CHUNK_BYTES);
	pack_u32(&out, (uint32_t)metadata_bytes);
	if (out.status == 0)
		memcpy(bound, out.data, BOUND_BYTES);
	buf_done(&out);
}

static int writer_begin(struct sealed_writer *writer, const struct sealed_metadata *metadata,
			const uint8_t key[SEALED_KEY_BYTES], struct err *err)
{
	struct sealed_metadata unknown = *metadata;
	int status;

	unknown.size = 0;
	memset(unknown.sha256, 0, SHA256_BYTES);
	status = metadata_check(&unknown, err);
	if (status != 0)
		return status;
	metadata_pack(&unknown, &writer->metadata);
	if (writer->metadata.status != 0)
		return err_set(err, writer->metadata.status, "sealed metadata: more than %d bytes",
			       SEALED_METADATA_MAX_BYTES);
	bound_write(writer->box.bound, &metadata->id, writer->metadata.size + SEALED_TAG_BYTES);
	if (writer->hash == NULL || EVP_DigestInit_ex2(writer->hash, EVP_sha256(), NULL) != 1)
		return crypto_failed(err);
	return box_init(&writer->box, key, true, err);
}

int sealed_writer_new(const struct sealed_metadata *metadata, const uint8_t key[SEALED_KEY_BYTES],
		      const uint8_t wrapped[SEALED_WRAPPED_BYTES], struct sealed_writer **ret_writer, struct err *err)
{
	struct sealed_writer *writer = calloc(1, sizeof(*writer));
	int status;

	if (writer == NULL)
		return err_set(err, ERR_MEMORY, "sealing: out of memory");
	buf_init(&writer->metadata, SEALED_METADATA_MAX_BYTES);
	writer->hash = EVP_MD_CTX_new();
	writer->id = metadata->id;
	memcpy(writer->wrapped, wrapped, SEALED_WRAPPED_BYTES);
	status = writer_begin(writer, metadata, key, err);
	if (status != 0)
		sealed_writer_free(writer);
	else
		*ret_writer = writer;
	return status;
}

void sealed_writer_free(struct sealed_writer *writer)
{
	if (writer == NULL)
		return;
	box_done(&writer->box);
	EVP_MD_CTX_free(writer->hash);
	buf_done(&writer->metadata);
	free(writer);
}

size_t sealed_writer_header_bytes(const struct sealed_writer *writer)
{
	return SEALED_PREFIX_BYTES + writer->metadata.size + SEALED_TAG_BYTES;
}

static int check_chunk(const struct sealed_writer *writer, size_t size, bool last, struct err *err)
{
	if (writer->finished)
		return err_set(err, ERR_WRONG_STATE, "sealing: a chunk after the last");
	if (size > SEALED_CHUNK_BYTES || (!last && size != SEALED_CHUNK_BYTES) || (size == 0 && writer->next > 0))
		return err_set(err, ERR_RANGE, "sealing: chunk %" PRIu64 " of %zu bytes is not whole", writer->next,
			       size);
	if (writer->size > SIZE_MAX_BYTES - size)
		return err_set(err, ERR_LIMIT, "sealing: too large a file");
	return 0;
}

int sealed_writer_chunk(struct sealed_writer *writer, const void *plain, size_t size, bool last, uint8_t *out,
			struct err *err)
{
	int status = check_chunk(writer, size, last, err);

	if (status != 0)
		return status;
	if ((size > 0 && EVP_DigestUpdate(writer->hash, plain, size) != 1) ||
	    !box_begin_part(&writer->box, PART_CHUNK, writer->next, last) || !box_seal(&writer->box, plain, size, out))
		return crypto_failed(err);
	writer->next++;
	writer->size += size;
	writer->finished = last;
	return 0;
}

/* Puts what the chunks amounted to into the packed metadata. */
static int writer_finish(struct sealed_writer *writer, struct err *err)
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	uint8_t *packed = writer->metadata.data;
	bool done = hash != NULL && EVP_MD_CTX_copy_ex(hash, writer->hash) == 1 &&
		    EVP_DigestFinal_ex(hash, packed + PACK_SHA256_AT, NULL) == 1;

	for (size_t i = 0; i < sizeof(writer->size); i++)
		packed[PACK_SIZE_AT + i] = (uint8_t)(writer->size >> (8 * i));
	EVP_MD_CTX_free(hash);
	return done ? 0 : crypto_failed(err);
}

int sealed_writer_header(struct sealed_writer *writer, struct buf *out, struct sealed_metadata *ret_metadata,
			 struct err *err)
{
	struct sealed_metadata metadata = { .id = writer->id };
	size_t size = sealed_writer_header_bytes(writer);
	uint8_t *room;
	int status;

	if (!writer->finished)
		return err_set(err, ERR_WRONG_STATE, "sealing: the header before the last chunk");
	status = writer_finish(writer, err);
	if (status == 0)
		status = metadata_unpack(writer->metadata.data, writer->metadata.size, writer->xattrs, &metadata, err);
	if (status != 0)
		return status;
	room = buf_room(out, size);
	if (room == NULL)
		return err_set(err, out->status, "sealing: no room for a header of %zu bytes", size);
	memcpy(room, writer->box.bound, BOUND_BYTES);
	memcpy(room + BOUND_BYTES, writer->wrapped, SEALED_WRAPPED_BYTES);
	if (!box_begin_part(&writer->box, PART_METADATA, 0, true) ||
	    !box_seal(&writer->box, writer->metadata.data, writer->metadata.size, room + SEALED_PREFIX_BYTES))
		return crypto_failed(err);
	buf_grow(out, size);
	if (ret_metadata != NULL)
		*ret_metadata = metadata;
	return 0;
}

/* --- reading --- */

int sealed_prefix_read(const void *bytes, size_t size, struct sealed_prefix *ret_prefix, struct err *err)
{
	struct sealed_prefix prefix;
	struct unpack in;
	uint8_t magic[MAGIC_BYTES];
	uint32_t chunk_bytes;
	uint32_t metadata_bytes;

	unpack_init(&in, bytes, size);
	unpack_fixed(&in, magic, sizeof(magic));
	unpack_fixed(&in, prefix.id.bytes, UUID_BYTES);
	chunk_bytes = unpack_u32(&in);
	metadata_bytes = unpack_u32(&in);
	unpack_fixed(&in, prefix.wrapped, sizeof(prefix.wrapped));
	if (in.status != 0)
		return err_set(err, ERR_FORMAT, "not a sealed file: only %zu bytes", size);
	if (memcmp(magic, MAGIC, MAGIC_BYTES) != 0)
		return err_set(err, ERR_FORMAT, "not a sealed file, or one that was never finished");
	if (chunk_bytes != SEALED_CHUNK_BYTES)
		return err_set(err, ERR_FORMAT, "a sealed file with chunks of %" PRIu32 " bytes", chunk_bytes);
	if (metadata_bytes > SEALED_METADATA_MAX_BYTES + SEALED_TAG_BYTES)
		return err_set(err, ERR_LIMIT, "a sealed file with metadata of %" PRIu32 " bytes", metadata_bytes);
	if (metadata_bytes < SEALED_TAG_BYTES)
		return err_set(err, ERR_FORMAT, "a sealed file without metadata");
	prefix.header_bytes = SEALED_PREFIX_BYTES + metadata_bytes;
	*ret_prefix = prefix;
	return 0;
}

struct sealed_reader {
	struct box box;
	size_t header_bytes;
	uint8_t *packed; /* the metadata in the clear */
	size_t packed_size;
	struct sealed_metadata metadata;
	struct sealed_xattr xattrs[SEALED_XATTRS_MAX];
};

static int reader_open(struct sealed_reader *reader, const uint8_t *header, const uint8_t key[SEALED_KEY_BYTES],
		       struct err *err)
{
	int status;

	reader->packed_size = reader->header_bytes - SEALED_PREFIX_BYTES - SEALED_TAG_BYTES;
	reader->packed = malloc(reader->packed_size + 1);
	if (reader->packed == NULL)
		return err_set(err, ERR_MEMORY, "unsealing: out of memory");
	memcpy(reader->box.bound, header, BOUND_BYTES);
	status = box_init(&reader->box, key, false, err);
	if (status != 0)
		return status;
	if (!box_begin_part(&reader->box, PART_METADATA, 0, true))
		return crypto_failed(err);
	if (!box_open(&reader->box, header + SEALED_PREFIX_BYTES, reader->packed_size, reader->packed))
		return err_set(err, ERR_UNTRUSTED, "the sealed header does not open: altered, or another key");
	return metadata_unpack(reader->packed, reader->packed_size, reader->xattrs, &reader->metadata, err);
}

int sealed_reader_new(const void *header, size_t size, const uint8_t key[SEALED_KEY_BYTES],
		      struct sealed_reader **ret_reader, struct err *err)
{
	struct sealed_prefix prefix;
	struct sealed_reader *reader;
	int status = sealed_prefix_read(header, size, &prefix, err);

	if (status != 0)
		return status;
	if (size < prefix.header_bytes)
		return err_set(err, ERR_FORMAT, "a sealed file cut short in its header: %zu bytes of %zu", size,
			       prefix.header_bytes);
	reader = calloc(1, sizeof(*reader));
	if (reader == NULL)
		return err_set(err, ERR_MEMORY, "unsealing: out of memory");
	reader->header_bytes = prefix.header_bytes;
	reader->metadata.id = prefix.id;
	status = reader_open(reader, header, key, err);
	if (status != 0)
		sealed_reader_free(reader);
	else
		*ret_reader = reader;
	return status;
}

void sealed_reader_free(struct sealed_reader *reader)
{
	if (reader == NULL)
		return;
	box_done(&reader->box);
	free(reader->packed);
	free(reader);
}

const struct sealed_metadata *sealed_reader_metadata(const struct sealed_reader *reader)
{
	return &reader->metadata;
}

uint64_t sealed_reader_chunks(const struct sealed_reader *reader)
{
	return reader->metadata.size == 0 ? 1 : (reader->metadata.size - 1) / SEALED_CHUNK_BYTES + 1;
}

uint64_t sealed_reader_file_bytes(const struct sealed_reader *reader)
{
	return reader->header_bytes + reader->metadata.size + sealed_reader_chunks(reader) * SEALED_TAG_BYTES;
}

static size_t plain_bytes(const struct sealed_reader *reader, uint64_t index)
{
	uint64_t before = index * SEALED_CHUNK_BYTES;
	uint64_t left = reader->metadata.size - before;

	return left < SEALED_CHUNK_BYTES ? (size_t)left : SEALED_CHUNK_BYTES;
}

int sealed_reader_place(const struct sealed_reader *reader, uint64_t index, uint64_t *ret_offset, size_t *ret_size,
			struct err *err)
{
	uint64_t chunks = sealed_reader_chunks(reader);

	if (index >= chunks)
		return err_set(err, ERR_RANGE, "chunk %" PRIu64 " of a sealed file that has %" PRIu64, index, chunks);
	*ret_offset = reader->header_bytes + index * (SEALED_CHUNK_BYTES + SEALED_TAG_BYTES);
	*ret_size = plain_bytes(reader, index) + SEALED_TAG_BYTES;
	return 0;
}

int sealed_reader_chunk(struct sealed_reader *reader, uint64_t index, const void *sealed, size_t size, uint8_t *plain,
			size_t *ret_size, struct err *err)
{
	uint64_t offset;
	size_t expected;
	bool last = index + 1 == sealed_reader_chunks(reader);
	int status = sealed_reader_place(reader, index, &offset, &expected, err);

	if (status != 0)
		return status;
	if (size != expected)
		return err_set(err, ERR_FORMAT, "chunk %" PRIu64 " has %zu bytes of %zu: cut short?", index, size,
			       expected);
	if (!box_begin_part(&reader->box, PART_CHUNK, index, last))
		return crypto_failed(err);
	if (!box_open(&reader->box, sealed, size - SEALED_TAG_BYTES, plain))
		return err_set(err, ERR_UNTRUSTED,
			       "chunk %" PRIu64 " does not open: altered, moved, or of another file", index);
	*ret_size = size - SEALED_TAG_BYTES;
	return 0;
}
