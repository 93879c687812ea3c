/* The sealed file: what goes in comes out, and whatever was altered, cut,
 * reordered or mixed is refused. Files are built in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protect/sealed.h"

static const uint8_t master[SEALED_KEY_BYTES] = { 7, 7, 7 };
static const struct uuid item = { { 0xab, [15] = 1 } };

#define TEXT(literal)                                                                                                  \
	{                                                                                                              \
		(const uint8_t *)(literal), sizeof(literal) - 1                                                        \
	}

static const struct sealed_xattr xattrs[] = {
	{ TEXT("user.origin"), TEXT("mail\0\xff") },
	{ TEXT("user.empty"), { NULL, 0 } },
};

static struct sealed_metadata sample(void)
{
	return (struct sealed_metadata){
		.id = item,
		.path = TEXT("/srv/mail/new\nline\xff"),
		.uid = 1000,
		.gid = UINT32_MAX,
		.mode = 0104755,
		.accessed_ns = -1,
		.modified_ns = INT64_C(1795294800123456789),
		.changed_ns = INT64_MIN,
		.detection = TEXT("Eicar-Test-Signature"),
		.signature_version = TEXT("2"),
		.quarantined = INT64_C(1795294800000000),
		.xattrs = xattrs,
		.xattr_count = 2,
	};
}

/* A whole sealed file in memory, with its key. */
struct sealed {
	uint8_t key[SEALED_KEY_BYTES];
	uint8_t *bytes;
	size_t size;
	size_t header_bytes;
};

static uint8_t *content_of(size_t size)
{
	uint8_t *content = malloc(size + 1);

	assert_non_null(content);
	for (size_t i = 0; i < size; i++)
		content[i] = (uint8_t)(i * 7 + i / 251);
	return content;
}

static void seal_chunks(struct sealed_writer *writer, struct sealed *sealed, const uint8_t *content, size_t size)
{
	size_t at = 0;

	do {
		size_t piece = size - at < SEALED_CHUNK_BYTES ? size - at : SEALED_CHUNK_BYTES;

		assert_int_equal(sealed_writer_chunk(writer, content + at, piece, at + piece == size,
						     sealed->bytes + sealed->size, NULL),
				 0);
		sealed->size += piece + SEALED_TAG_BYTES;
		at += piece;
	} while (at < size);
}

/* key: NULL for a new one. */
static struct sealed seal_under(const uint8_t *key, const struct sealed_metadata *metadata, size_t size)
{
	struct sealed sealed = { 0 };
	uint8_t wrapped[SEALED_WRAPPED_BYTES];
	uint8_t *content = content_of(size);
	struct sealed_writer *writer;
	struct buf header;

	assert_int_equal(sealed_key_make(master, &metadata->id, sealed.key, wrapped, NULL), 0);
	if (key != NULL)
		memcpy(sealed.key, key, SEALED_KEY_BYTES);
	assert_int_equal(sealed_writer_new(metadata, sealed.key, wrapped, &writer, NULL), 0);
	sealed.header_bytes = sealed_writer_header_bytes(writer);
	sealed.size = sealed.header_bytes;
	sealed.bytes = calloc(1, sealed.size + size + (size / SEALED_CHUNK_BYTES + 1) * SEALED_TAG_BYTES);
	assert_non_null(sealed.bytes);
	seal_chunks(writer, &sealed, content, size);
	buf_init(&header, SEALED_METADATA_MAX_BYTES + 1024);
	assert_int_equal(sealed_writer_header(writer, &header, NULL, NULL), 0);
	assert_int_equal(header.size, sealed.header_bytes);
	memcpy(sealed.bytes, header.data, header.size);
	buf_done(&header);
	sealed_writer_free(writer);
	free(content);
	return sealed;
}

static struct sealed seal(const struct sealed_metadata *metadata, size_t size)
{
	return seal_under(NULL, metadata, size);
}

/* Opens everything as restore would; the first error, or 0 with the content compared. */
static int unseal(const struct sealed *sealed, const uint8_t *key, size_t size, struct err *err)
{
	uint8_t *content = content_of(size);
	uint8_t *plain = malloc(SEALED_CHUNK_BYTES);
	struct sealed_reader *reader = NULL;
	int status = sealed_reader_new(sealed->bytes, sealed->size, key, &reader, err);

	for (uint64_t i = 0; status == 0 && i < sealed_reader_chunks(reader); i++) {
		uint64_t offset = 0;
		size_t place = 0;
		size_t opened = 0;

		assert_int_equal(sealed_reader_place(reader, i, &offset, &place, NULL), 0);
		if (offset + place > sealed->size)
			place = offset < sealed->size ? (size_t)(sealed->size - offset) : 0;
		status = sealed_reader_chunk(reader, i, sealed->bytes + offset, place, plain, &opened, err);
		if (status == 0)
			assert_memory_equal(plain, content + i * SEALED_CHUNK_BYTES, opened);
	}
	sealed_reader_free(reader);
	free(plain);
	free(content);
	return status;
}

static void test_sizes(void **state)
{
	static const size_t sizes[] = { 0, 1, 68, 65535, 65536, 65537, 131072, 200000 };
	struct sealed_metadata metadata = sample();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		struct sealed sealed = seal(&metadata, sizes[i]);
		struct sealed_reader *reader;

		assert_int_equal(unseal(&sealed, sealed.key, sizes[i], NULL), 0);
		assert_int_equal(sealed_reader_new(sealed.bytes, sealed.size, sealed.key, &reader, NULL), 0);
		assert_int_equal(sealed_reader_file_bytes(reader), sealed.size);
		sealed_reader_free(reader);
		free(sealed.bytes);
	}
}

static void same(const struct bytes *a, const struct bytes *b)
{
	assert_int_equal(a->size, b->size);
	if (a->size > 0)
		assert_memory_equal(a->data, b->data, a->size);
}

static void test_metadata(void **state)
{
	struct sealed_metadata before = sample();
	struct sealed sealed = seal(&before, 3);
	const struct sealed_metadata *after;
	struct sealed_reader *reader;
	char hash[SHA256_TEXT_BYTES];

	(void)state;
	assert_int_equal(sealed_reader_new(sealed.bytes, sealed.size, sealed.key, &reader, NULL), 0);
	after = sealed_reader_metadata(reader);
	assert_true(uuid_equal(&after->id, &item));
	same(&after->path, &before.path);
	same(&after->detection, &before.detection);
	same(&after->signature_version, &before.signature_version);
	assert_int_equal(after->uid, before.uid);
	assert_int_equal(after->gid, before.gid);
	assert_int_equal(after->mode, before.mode);
	assert_true(after->accessed_ns == before.accessed_ns);
	assert_true(after->modified_ns == before.modified_ns);
	assert_true(after->changed_ns == before.changed_ns);
	assert_true(after->quarantined == before.quarantined);
	assert_int_equal(after->xattr_count, 2);
	for (size_t i = 0; i < 2; i++) {
		same(&after->xattrs[i].name, &before.xattrs[i].name);
		same(&after->xattrs[i].value, &before.xattrs[i].value);
	}
	assert_int_equal(after->size, 3);
	hex_format(after->sha256, SHA256_BYTES, hash); /* of 00 07 0e */
	assert_string_equal(hash, "b361d0f9a938a2bb4fbdc9c21dc5a859788041b0040919d8a811c1888184f4df");
	sealed_reader_free(reader);
	free(sealed.bytes);
}

/* Neither the path nor the content can be found in the file. */
static void test_nothing_in_the_clear(void **state)
{
	struct sealed_metadata metadata = sample();
	struct sealed sealed = seal(&metadata, 4096);
	uint8_t *content = content_of(4096);

	(void)state;
	assert_null(memmem(sealed.bytes, sealed.size, "/srv/mail", 9));
	assert_null(memmem(sealed.bytes, sealed.size, "Eicar", 5));
	assert_null(memmem(sealed.bytes, sealed.size, sealed.key, SEALED_KEY_BYTES));
	for (size_t i = 0; i + 16 <= 4096; i += 16)
		assert_null(memmem(sealed.bytes, sealed.size, content + i, 16));
	free(content);
	free(sealed.bytes);
}

/* Every byte of a small file, all fields of the header among them; the wrapped
 * key is not part of what the item's key protects and guards itself. */
static void test_altered_anywhere(void **state)
{
	struct sealed_metadata metadata = sample();
	struct sealed sealed = seal(&metadata, 40);
	struct sealed_prefix prefix;
	uint8_t key[SEALED_KEY_BYTES];

	(void)state;
	for (size_t i = 0; i < sealed.size; i++) {
		sealed.bytes[i] ^= 0x20;
		if (i >= 32 && i < SEALED_PREFIX_BYTES) {
			assert_int_equal(sealed_prefix_read(sealed.bytes, sealed.size, &prefix, NULL), 0);
			assert_int_equal(sealed_key_unwrap(master, &item, prefix.wrapped, key, NULL), ERR_UNTRUSTED);
		} else {
			assert_true(unseal(&sealed, sealed.key, 40, NULL) < 0);
		}
		sealed.bytes[i] ^= 0x20;
	}
	assert_int_equal(unseal(&sealed, sealed.key, 40, NULL), 0);
	free(sealed.bytes);
}

static void test_cut_short(void **state)
{
	const size_t size = 2 * SEALED_CHUNK_BYTES + 10;
	const size_t whole = SEALED_CHUNK_BYTES + SEALED_TAG_BYTES;
	struct sealed_metadata metadata = sample();
	struct sealed sealed = seal(&metadata, size);
	const size_t full = sealed.size;
	struct err err = { 0 };

	(void)state;
	for (sealed.size = 0; sealed.size < sealed.header_bytes; sealed.size++)
		assert_int_equal(unseal(&sealed, sealed.key, size, &err), ERR_FORMAT);
	sealed.size = full - 1;
	assert_int_equal(unseal(&sealed, sealed.key, size, &err), ERR_FORMAT);
	assert_string_equal(err.text, "chunk 2 has 25 bytes of 26: cut short?");
	sealed.size = sealed.header_bytes + 2 * whole; /* at the edge of a chunk */
	assert_int_equal(unseal(&sealed, sealed.key, size, &err), ERR_FORMAT);
	free(sealed.bytes);
}

static void test_reordered_and_repeated(void **state)
{
	const size_t size = 3 * SEALED_CHUNK_BYTES;
	const size_t whole = SEALED_CHUNK_BYTES + SEALED_TAG_BYTES;
	struct sealed_metadata metadata = sample();
	struct sealed sealed = seal(&metadata, size);
	uint8_t *chunks = sealed.bytes + sealed.header_bytes;
	uint8_t *copy = malloc(3 * whole);
	struct err err = { 0 };

	(void)state;
	assert_non_null(copy);
	memcpy(copy, chunks, 3 * whole);
	memcpy(chunks, copy + whole, whole);
	memcpy(chunks + whole, copy, whole);
	assert_int_equal(unseal(&sealed, sealed.key, size, &err), ERR_UNTRUSTED);
	assert_string_equal(err.text, "chunk 0 does not open: altered, moved, or of another file");
	memcpy(chunks, copy, whole); /* 0 0 2 */
	assert_int_equal(unseal(&sealed, sealed.key, size, &err), ERR_UNTRUSTED);
	memcpy(chunks, copy, 3 * whole);
	memcpy(chunks + 2 * whole, copy + whole, whole); /* 0 1 1: a middle one as the last */
	assert_int_equal(unseal(&sealed, sealed.key, size, &err), ERR_UNTRUSTED);
	assert_non_null(strstr(err.text, "chunk 2"));
	memcpy(chunks, copy, 3 * whole);
	assert_int_equal(unseal(&sealed, sealed.key, size, &err), 0);
	free(copy);
	free(sealed.bytes);
}

/* A chunk of another item, sealed with the same key by mistake, is bound to its own header. */
static void test_chunks_of_another_item(void **state)
{
	struct sealed_metadata metadata = sample();
	struct sealed first = seal(&metadata, 100);
	struct sealed second;

	(void)state;
	metadata.id.bytes[0] ^= 1;
	second = seal_under(first.key, &metadata, 100);
	assert_int_equal(unseal(&second, first.key, 100, NULL), 0);
	assert_int_equal(first.size, second.size);
	memcpy(first.bytes + first.header_bytes, second.bytes + second.header_bytes, 100 + SEALED_TAG_BYTES);
	assert_int_equal(unseal(&first, first.key, 100, NULL), ERR_UNTRUSTED);
	free(first.bytes);
	free(second.bytes);
}

static void test_wrong_key(void **state)
{
	struct sealed_metadata metadata = sample();
	struct sealed sealed = seal(&metadata, 100);
	struct err err = { 0 };

	(void)state;
	sealed.key[31] ^= 1;
	assert_int_equal(unseal(&sealed, sealed.key, 100, &err), ERR_UNTRUSTED);
	assert_string_equal(err.text, "the sealed header does not open: altered, or another key");
	free(sealed.bytes);
}

static void test_key_wrapping(void **state)
{
	uint8_t other_master[SEALED_KEY_BYTES] = { 7, 7, 8 };
	struct uuid other_item = item;
	uint8_t key[SEALED_KEY_BYTES];
	uint8_t second[SEALED_KEY_BYTES];
	uint8_t opened[SEALED_KEY_BYTES] = { 0 };
	uint8_t wrapped[SEALED_WRAPPED_BYTES];
	uint8_t again[SEALED_WRAPPED_BYTES];

	(void)state;
	other_item.bytes[3] ^= 1;
	assert_int_equal(sealed_key_make(master, &item, key, wrapped, NULL), 0);
	assert_int_equal(sealed_key_make(master, &item, second, again, NULL), 0);
	assert_memory_not_equal(key, second, sizeof(key));
	assert_memory_not_equal(wrapped, again, 12); /* nonces */
	assert_int_equal(sealed_key_unwrap(other_master, &item, wrapped, opened, NULL), ERR_UNTRUSTED);
	assert_int_equal(sealed_key_unwrap(master, &other_item, wrapped, opened, NULL), ERR_UNTRUSTED);
	assert_int_equal(opened[0] | opened[1] | opened[31], 0);
	assert_int_equal(sealed_key_unwrap(master, &item, wrapped, opened, NULL), 0);
	assert_memory_equal(opened, key, sizeof(key));
}

static void test_unfinished(void **state)
{
	struct sealed_metadata metadata = sample();
	struct sealed sealed = seal(&metadata, 100);
	struct sealed_prefix prefix;
	struct err err = { 0 };

	(void)state;
	memset(sealed.bytes, 0, sealed.header_bytes); /* as when power went before the header was written */
	assert_int_equal(sealed_prefix_read(sealed.bytes, sealed.size, &prefix, &err), ERR_FORMAT);
	assert_string_equal(err.text, "not a sealed file, or one that was never finished");
	free(sealed.bytes);
}

static void test_order_of_writing(void **state)
{
	static uint8_t plain[SEALED_CHUNK_BYTES + 1];
	static uint8_t out[SEALED_CHUNK_BYTES + 1 + SEALED_TAG_BYTES];
	const uint8_t key[SEALED_KEY_BYTES] = { 1 };
	const uint8_t wrapped[SEALED_WRAPPED_BYTES] = { 2 };
	struct sealed_metadata metadata = sample();
	struct sealed_metadata written;
	struct sealed_writer *writer;
	struct buf header;

	(void)state;
	buf_init(&header, 65536);
	assert_int_equal(sealed_writer_new(&metadata, key, wrapped, &writer, NULL), 0);
	assert_int_equal(sealed_writer_header(writer, &header, NULL, NULL), ERR_WRONG_STATE);
	assert_int_equal(sealed_writer_chunk(writer, plain, 10, false, out, NULL), ERR_RANGE);
	assert_int_equal(sealed_writer_chunk(writer, plain, SEALED_CHUNK_BYTES + 1, true, out, NULL), ERR_RANGE);
	assert_int_equal(sealed_writer_chunk(writer, plain, SEALED_CHUNK_BYTES, false, out, NULL), 0);
	assert_int_equal(sealed_writer_chunk(writer, plain, 0, true, out, NULL), ERR_RANGE);
	assert_int_equal(sealed_writer_chunk(writer, plain, 1, true, out, NULL), 0);
	assert_int_equal(sealed_writer_chunk(writer, plain, 1, true, out, NULL), ERR_WRONG_STATE);
	assert_int_equal(sealed_writer_header(writer, &header, &written, NULL), 0);
	assert_int_equal(written.size, SEALED_CHUNK_BYTES + 1);
	same(&written.path, &metadata.path);
	sealed_writer_free(writer);
	sealed_writer_free(NULL);
	sealed_reader_free(NULL);
	buf_done(&header);
}

static int refusal(const struct sealed_metadata *metadata, struct err *err)
{
	const uint8_t key[SEALED_KEY_BYTES] = { 1 };
	const uint8_t wrapped[SEALED_WRAPPED_BYTES] = { 2 };
	struct sealed_writer *writer = NULL;
	int status = sealed_writer_new(metadata, key, wrapped, &writer, err);

	assert_int_equal(writer != NULL, status == 0);
	sealed_writer_free(writer);
	return status;
}

static void test_metadata_limits(void **state)
{
	static uint8_t long_bytes[SEALED_XATTR_VALUE_MAX_BYTES + 1] = "/";
	static struct sealed_xattr many[SEALED_XATTRS_MAX + 1];
	struct sealed_metadata metadata = sample();
	struct err err = { 0 };

	(void)state;
	memset(long_bytes + 1, 'x', sizeof(long_bytes) - 1);
	metadata.path = (struct bytes){ long_bytes, SEALED_PATH_MAX_BYTES + 1 };
	assert_int_equal(refusal(&metadata, &err), ERR_LIMIT);
	assert_string_equal(err.text, "sealed path: 4097 bytes, at most 4096");
	metadata.path.size--;
	assert_int_equal(refusal(&metadata, &err), 0);
	metadata.path = (struct bytes)TEXT("relative");
	assert_int_equal(refusal(&metadata, &err), ERR_FORMAT);
	metadata.path = (struct bytes)TEXT("/a\0b");
	assert_int_equal(refusal(&metadata, &err), ERR_FORMAT);
	metadata = sample();
	metadata.detection = (struct bytes){ long_bytes, 256 };
	assert_int_equal(refusal(&metadata, &err), ERR_LIMIT);
	metadata = sample();
	for (size_t i = 0; i < COUNT_OF(many); i++)
		many[i] = xattrs[0];
	metadata.xattrs = many;
	metadata.xattr_count = SEALED_XATTRS_MAX + 1;
	assert_int_equal(refusal(&metadata, &err), ERR_LIMIT);
	metadata.xattr_count = 3;
	many[1].value = (struct bytes){ long_bytes, SEALED_XATTR_VALUE_MAX_BYTES + 1 };
	assert_int_equal(refusal(&metadata, &err), ERR_LIMIT);
	many[0].value = many[1].value = (struct bytes){ long_bytes, SEALED_XATTR_VALUE_MAX_BYTES };
	assert_int_equal(refusal(&metadata, &err), ERR_LIMIT); /* each fits, together they do not */
	assert_string_equal(err.text, "sealed metadata: more than 131072 bytes");
}

static void test_no_such_chunk(void **state)
{
	struct sealed_metadata metadata = sample();
	struct sealed sealed = seal(&metadata, 100);
	struct sealed_reader *reader;
	uint8_t plain[SEALED_TAG_BYTES];
	uint64_t offset;
	size_t size;

	(void)state;
	assert_int_equal(sealed_reader_new(sealed.bytes, sealed.size, sealed.key, &reader, NULL), 0);
	assert_int_equal(sealed_reader_place(reader, 1, &offset, &size, NULL), ERR_RANGE);
	assert_int_equal(sealed_reader_chunk(reader, 1, sealed.bytes, 16, plain, &size, NULL), ERR_RANGE);
	assert_int_equal(sealed_reader_chunk(reader, UINT64_MAX, sealed.bytes, 16, plain, &size, NULL), ERR_RANGE);
	sealed_reader_free(reader);
	free(sealed.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_metadata),
		cmocka_unit_test(test_nothing_in_the_clear),
		cmocka_unit_test(test_altered_anywhere),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_reordered_and_repeated),
		cmocka_unit_test(test_chunks_of_another_item),
		cmocka_unit_test(test_wrong_key),
		cmocka_unit_test(test_key_wrapping),
		cmocka_unit_test(test_unfinished),
		cmocka_unit_test(test_order_of_writing),
		cmocka_unit_test(test_metadata_limits),
		cmocka_unit_test(test_no_such_chunk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
