/* The sealed file: how a quarantined file rests, on the endpoint and on the
 * manager. Encrypted, authenticated, in chunks that can be read at any index.
 *
 *   magic "MUSTERV1" | item id 16 | chunk bytes u32 | metadata bytes u32 |
 *   item key wrapped by a master key, 60 bytes | sealed metadata | chunk 0 | 1 | …
 *
 * AES-256-GCM under a random key per item. Metadata and each chunk carry a tag
 * of 16 bytes; the nonce is a kind and a counter; the first 32 bytes and a flag
 * "last chunk" are authenticated with each (the STREAM construction), so that
 * cutting short, reordering, repeating and mixing of items are all found. Pure
 * over buffers: callers read and write. Sealed bytes are untrusted input.
 *
 * Writing: chunks first, at sealed_writer_header_bytes(); the header last, at
 * offset 0, since it holds the SHA-256 and the size that the writer counted. A
 * file that was not finished has no magic.
 */
#ifndef MUSTER_PROTECT_SEALED_H
#define MUSTER_PROTECT_SEALED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/pack.h"
#include "base/units.h"

#define SEALED_CHUNK_BYTES   65536 /* of plain text; only the last chunk may be shorter, or empty */
#define SEALED_TAG_BYTES     16
#define SEALED_KEY_BYTES     32
#define SEALED_WRAPPED_BYTES 60
#define SEALED_PREFIX_BYTES  92 /* what sealed_prefix_read() needs */

#define SEALED_METADATA_MAX_BYTES    (128 * 1024)
#define SEALED_PATH_MAX_BYTES        4096
#define SEALED_XATTRS_MAX            64
#define SEALED_XATTR_NAME_MAX_BYTES  255
#define SEALED_XATTR_VALUE_MAX_BYTES 65536
#define SEALED_TEXT_MAX_BYTES        255

struct sealed_xattr {
	struct bytes name, value;
};

/* Strings point into the caller's memory (writer) or the reader's. Times in nanoseconds since 1970. */
struct sealed_metadata {
	struct uuid id;
	struct bytes path; /* any bytes but NUL */
	uint32_t uid, gid, mode;
	int64_t accessed_ns, modified_ns, changed_ns;
	uint64_t size;                /* both filled in by the writer */
	uint8_t sha256[SHA256_BYTES]; /* of the plain content */
	struct bytes detection;
	struct bytes signature_version;
	time_us quarantined;
	const struct sealed_xattr *xattrs;
	size_t xattr_count;
};

/* A new random item key and the same wrapped (AES-256-GCM, bound to id) for the header. */
int sealed_key_make(const uint8_t master[SEALED_KEY_BYTES], const struct uuid *id, uint8_t key[SEALED_KEY_BYTES],
		    uint8_t wrapped[SEALED_WRAPPED_BYTES], struct err *err);
/* ERR_UNTRUSTED: another master key, another item, or altered. */
int sealed_key_unwrap(const uint8_t master[SEALED_KEY_BYTES], const struct uuid *id,
		      const uint8_t wrapped[SEALED_WRAPPED_BYTES], uint8_t key[SEALED_KEY_BYTES], struct err *err);

/* One writer a key: the same key never seals twice, also not after a failed attempt. */
struct sealed_writer;
/* metadata is copied. ERR_LIMIT names what is too long. */
int sealed_writer_new(const struct sealed_metadata *metadata, const uint8_t key[SEALED_KEY_BYTES],
		      const uint8_t wrapped[SEALED_WRAPPED_BYTES], struct sealed_writer **ret_writer, struct err *err);
void sealed_writer_free(struct sealed_writer *writer); /* wipes the key */
size_t sealed_writer_header_bytes(const struct sealed_writer *writer);
/* Seals the next chunk: exactly SEALED_CHUNK_BYTES unless last; the last has 1 to that, or 0 when the file is
 * empty (read one chunk ahead to know). Else ERR_RANGE. out needs size + SEALED_TAG_BYTES and may not overlap
 * plain. ERR_WRONG_STATE after the last one. */
int sealed_writer_chunk(struct sealed_writer *writer, const void *plain, size_t size, bool last, uint8_t *out,
			struct err *err);
/* After the last chunk: appends the header, sealed_writer_header_bytes() long. ret_metadata (may be NULL) gets
 * everything with size and sha256 filled in; it points into the writer. ERR_WRONG_STATE before. */
int sealed_writer_header(struct sealed_writer *writer, struct buf *out, struct sealed_metadata *ret_metadata,
			 struct err *err);

struct sealed_prefix {
	struct uuid id;
	uint8_t wrapped[SEALED_WRAPPED_BYTES];
	size_t header_bytes; /* how much sealed_reader_new() needs */
};
/* The part readable without a key. ERR_FORMAT: not a sealed file, or one never finished; ERR_LIMIT. */
int sealed_prefix_read(const void *bytes, size_t size, struct sealed_prefix *ret_prefix, struct err *err);

struct sealed_reader;
/* header: the first header_bytes of the file. ERR_UNTRUSTED: wrong key or altered; ERR_FORMAT, ERR_LIMIT: sealed
 * by somebody who does not keep to the format. Not thread-safe. */
int sealed_reader_new(const void *header, size_t size, const uint8_t key[SEALED_KEY_BYTES],
		      struct sealed_reader **ret_reader, struct err *err);
void sealed_reader_free(struct sealed_reader *reader);
const struct sealed_metadata *sealed_reader_metadata(const struct sealed_reader *reader);
uint64_t sealed_reader_chunks(const struct sealed_reader *reader);     /* at least 1 */
uint64_t sealed_reader_file_bytes(const struct sealed_reader *reader); /* of the whole sealed file */
/* Where chunk `index` lies in the file; ERR_RANGE: no such chunk. */
int sealed_reader_place(const struct sealed_reader *reader, uint64_t index, uint64_t *ret_offset, size_t *ret_size,
			struct err *err);
/* Opens one chunk; plain needs SEALED_CHUNK_BYTES and is wiped on failure. ERR_RANGE no such chunk, ERR_FORMAT
 * wrong size (cut short), ERR_UNTRUSTED. */
int sealed_reader_chunk(struct sealed_reader *reader, uint64_t index, const void *sealed, size_t size, uint8_t *plain,
			size_t *ret_size, struct err *err);

#endif
