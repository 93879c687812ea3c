/* What agents say of quarantined files, and whether what they sent is it. */
#include "manager/front/quarantine.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "os/files.h"
#include "protect/sealed.h"

/* --- metadata --- */

static int take_hex(const json_t *object, const char *name, uint8_t *out, size_t size, struct err *err)
{
	const char *text = json_string_value(json_object_get(object, name));

	if (text == NULL || hex_parse(text, out, size, NULL) != 0)
		return err_set(err, ERR_FORMAT, "%s: %zu hexadecimal digits are expected", name, 2 * size);
	return 0;
}

static int take_size(const json_t *object, const char *name, uint64_t *out, struct err *err)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return err_set(err, ERR_FORMAT, "%s: a size in bytes is expected", name);
	*out = (uint64_t)json_integer_value(value);
	return 0;
}

/* A sealed file is its content, a tag a chunk, and a header of limited size. */
static int check_sizes(const struct quarantine_metadata *metadata, struct err *err)
{
	uint64_t chunks = metadata->size / SEALED_CHUNK_BYTES + 1;
	uint64_t least, most;

	if (metadata->size > INT64_MAX / 2)
		return err_set(err, ERR_RANGE, "size: larger than any file");
	least = metadata->size + SEALED_TAG_BYTES + SEALED_PREFIX_BYTES;
	most = metadata->size + chunks * SEALED_TAG_BYTES + SEALED_PREFIX_BYTES + SEALED_METADATA_MAX_BYTES +
	       SEALED_TAG_BYTES;
	if (metadata->sealed_size < least || metadata->sealed_size > most)
		return err_set(err, ERR_RANGE, "sealed_size: does not fit a file of this size");
	return 0;
}

int quarantine_metadata_parse(const void *data, size_t size, struct quarantine_metadata *ret_metadata, struct err *err)
{
	struct quarantine_metadata metadata = { 0 };
	json_error_t where;
	json_t *object = json_loadb(data, size, JSON_REJECT_DUPLICATES, &where);
	int rc = 0;

	if (!json_is_object(object))
		rc = err_set(err, ERR_FORMAT, "a JSON object is expected");
	if (rc == 0)
		rc = take_hex(object, "key", metadata.key, sizeof(metadata.key), err);
	if (rc == 0)
		rc = take_hex(object, "sha256", metadata.sha256, sizeof(metadata.sha256), err);
	if (rc == 0)
		rc = take_size(object, "size", &metadata.size, err);
	if (rc == 0)
		rc = take_size(object, "sealed_size", &metadata.sealed_size, err);
	if (rc == 0)
		rc = check_sizes(&metadata, err);
	if (rc == 0) {
		json_object_del(object, "key");
		metadata.json = json_dumps(object, JSON_COMPACT);
		rc = metadata.json != NULL ? 0 : err_set(err, ERR_MEMORY, "no memory");
	}
	json_decref(object);
	if (rc == 0)
		*ret_metadata = metadata;
	OPENSSL_cleanse(metadata.key, sizeof(metadata.key));
	return rc;
}

/* --- Content-Range --- */

/* Digits up to `end`, which is stepped over. */
static int take_number(const char **text, char end, uint64_t *out)
{
	char digits[24];
	const char *stop = strchr(*text, end);
	size_t length = stop != NULL ? (size_t)(stop - *text) : sizeof(digits);

	if (length >= sizeof(digits))
		return ERR_FORMAT;
	memcpy(digits, *text, length);
	digits[length] = '\0';
	*text = stop + (end != '\0' ? 1 : 0);
	return number_parse(digits, 0, INT64_MAX, out, NULL);
}

int quarantine_range_parse(const char *text, uint64_t *ret_first, uint64_t *ret_size, uint64_t *ret_total,
			   struct err *err)
{
	uint64_t first, last, total;

	if (text == NULL || strncmp(text, "bytes ", 6) != 0)
		return err_set(err, ERR_FORMAT, "Content-Range: bytes A-B/TOTAL is expected");
	text += 6;
	if (take_number(&text, '-', &first) != 0 || take_number(&text, '/', &last) != 0 ||
	    take_number(&text, '\0', &total) != 0)
		return err_set(err, ERR_FORMAT, "Content-Range: bytes A-B/TOTAL is expected");
	if (first > last || last >= total)
		return err_set(err, ERR_RANGE, "Content-Range: the range is not inside the whole");
	*ret_first = first;
	*ret_size = last - first + 1;
	*ret_total = total;
	return 0;
}

/* --- verification --- */

static int open_reader(int fd, const struct uuid *item, const uint8_t key[32], struct sealed_reader **ret_reader,
		       struct err *err)
{
	uint8_t start[SEALED_PREFIX_BYTES];
	struct sealed_prefix prefix;
	uint8_t *header;
	int rc = files_read_at(fd, start, sizeof(start), 0, err);

	if (rc == 0)
		rc = sealed_prefix_read(start, sizeof(start), &prefix, err);
	if (rc == 0 && !uuid_equal(&prefix.id, item))
		rc = err_set(err, ERR_UNTRUSTED, "the sealed file is of another item");
	if (rc != 0)
		return rc;
	header = malloc(prefix.header_bytes);
	if (header == NULL)
		return err_set(err, ERR_MEMORY, "no memory for the sealed file's header");
	rc = files_read_at(fd, header, prefix.header_bytes, 0, err);
	if (rc == 0)
		rc = sealed_reader_new(header, prefix.header_bytes, key, ret_reader, err);
	free(header);
	return rc;
}

static int digest_chunk(int fd, struct sealed_reader *reader, uint64_t index, uint8_t *sealed, uint8_t *plain,
			EVP_MD_CTX *digest, struct err *err)
{
	uint64_t offset;
	size_t size, opened;
	int rc = sealed_reader_place(reader, index, &offset, &size, err);

	if (rc == 0)
		rc = files_read_at(fd, sealed, size, offset, err);
	if (rc == 0)
		rc = sealed_reader_chunk(reader, index, sealed, size, plain, &opened, err);
	if (rc == 0 && EVP_DigestUpdate(digest, plain, opened) != 1)
		rc = err_set(err, ERR_INTERNAL, "SHA-256");
	return rc;
}

static int digest_all(int fd, struct sealed_reader *reader, uint8_t sha256[SHA256_BYTES], struct err *err)
{
	uint8_t *room = malloc(2 * SEALED_CHUNK_BYTES + SEALED_TAG_BYTES);
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	int rc = 0;

	if (room == NULL || digest == NULL || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1)
		rc = err_set(err, ERR_MEMORY, "no memory to verify the file");
	for (uint64_t i = 0; i < sealed_reader_chunks(reader) && rc == 0; i++)
		rc = digest_chunk(fd, reader, i, room, room + SEALED_CHUNK_BYTES + SEALED_TAG_BYTES, digest, err);
	if (rc == 0 && EVP_DigestFinal_ex(digest, sha256, NULL) != 1)
		rc = err_set(err, ERR_INTERNAL, "SHA-256");
	if (room != NULL)
		OPENSSL_cleanse(room, 2 * SEALED_CHUNK_BYTES + SEALED_TAG_BYTES);
	EVP_MD_CTX_free(digest);
	free(room);
	return rc;
}

int quarantine_verify(int fd, const struct uuid *item, const struct quarantine_metadata *metadata, struct err *err)
{
	struct sealed_reader *reader = NULL;
	uint8_t sha256[SHA256_BYTES];
	int rc = open_reader(fd, item, metadata->key, &reader, err);

	if (rc == 0 && sealed_reader_file_bytes(reader) != metadata->sealed_size)
		rc = err_set(err, ERR_FORMAT, "the sealed file has another size than its header says");
	if (rc == 0)
		rc = digest_all(fd, reader, sha256, err);
	if (rc == 0 && (sealed_reader_metadata(reader)->size != metadata->size ||
			memcmp(sha256, metadata->sha256, SHA256_BYTES) != 0))
		rc = err_set(err, ERR_UNTRUSTED, "the content is not what was announced");
	sealed_reader_free(reader);
	return rc;
}
