/* Encoding of the configuration file (endpoint/configuration_file.h). Input may be damaged. */
#include "endpoint/configuration_file.h"

#include <string.h>

#include "base/pack.h"
#include "base/text.h"

#define MAGIC          0x4643534du /* "MSCF" */
#define VERSION        3
#define VERSION_BEFORE 2 /* without listens_on */
#define VERSION_FIRST  1 /* without listens_only either */
#define CHECKSUM_BYTES 4

void configuration_file_encode(const struct configuration_file *file, const struct uuid *computer, struct buf *out)
{
	size_t start = out->size;

	pack_u32(out, MAGIC);
	pack_u8(out, VERSION);
	buf_append(out, computer->bytes, UUID_BYTES);
	pack_u8(out, file->has_kept ? 1 : 0);
	if (file->has_kept) {
		buf_append(out, file->kept, SHA256_BYTES);
		pack_bytes(out, file->packed.data, file->packed.size);
	}
	pack_u8(out, file->has_refused ? 1 : 0);
	if (file->has_refused) {
		buf_append(out, file->refused, SHA256_BYTES);
		pack_u8(out, file->failures);
		pack_text(out, file->reason);
	}
	pack_u8(out, file->attempts);
	if (file->attempts > 0)
		buf_append(out, file->attempted, SHA256_BYTES);
	pack_u8(out, file->listens_only ? 1 : 0);
	if (file->listens_only)
		buf_append(out, file->listens_on.bytes, UUID_BYTES);
	if (out->status == 0)
		pack_u32(out, crc32c(0, out->data + start, out->size - start));
}

static bool unpack_flag(struct unpack *in)
{
	uint8_t value = unpack_u8(in);

	if (value > 1 && in->status == 0)
		in->status = ERR_FORMAT;
	return value == 1;
}

static void unpack_content(struct unpack *in, uint8_t version, struct configuration_file *file)
{
	file->has_kept = unpack_flag(in);
	if (file->has_kept) {
		unpack_fixed(in, file->kept, SHA256_BYTES);
		file->packed = unpack_bytes(in, WIRE_SIGNED_MAX_BYTES);
	}
	file->has_refused = unpack_flag(in);
	if (file->has_refused) {
		unpack_fixed(in, file->refused, SHA256_BYTES);
		file->failures = unpack_u8(in);
		unpack_text(in, file->reason, sizeof(file->reason));
		if (in->status == 0 && !text_is_utf8(file->reason, strlen(file->reason)))
			in->status = ERR_FORMAT;
	}
	file->attempts = unpack_u8(in);
	if (file->attempts > 0)
		unpack_fixed(in, file->attempted, SHA256_BYTES);
	if (version != VERSION_FIRST)
		file->listens_only = unpack_flag(in);
	if (version == VERSION && file->listens_only)
		unpack_fixed(in, file->listens_on.bytes, UUID_BYTES);
}

static bool whole(const uint8_t *bytes, size_t size)
{
	struct unpack in;

	unpack_init(&in, bytes + size - CHECKSUM_BYTES, CHECKSUM_BYTES);
	return crc32c(0, bytes, size - CHECKSUM_BYTES) == unpack_u32(&in);
}

int configuration_file_decode(const void *bytes, size_t size, const struct uuid *computer,
			      struct configuration_file *ret_file)
{
	struct configuration_file file = { 0 };
	struct unpack in;
	struct uuid owner;
	uint8_t version;

	if (size == 0)
		return ERR_NOT_FOUND;
	if (size > CONFIGURATION_FILE_MAX_BYTES)
		return ERR_LIMIT;
	if (size < CHECKSUM_BYTES || !whole(bytes, size))
		return ERR_FORMAT;
	unpack_init(&in, bytes, size - CHECKSUM_BYTES);
	if (unpack_u32(&in) != MAGIC)
		return ERR_FORMAT;
	version = unpack_u8(&in);
	if (version < VERSION_FIRST || version > VERSION)
		return ERR_VERSION;
	unpack_fixed(&in, owner.bytes, UUID_BYTES);
	if (in.status == 0 && !uuid_equal(&owner, computer))
		return ERR_NOT_FOUND;
	unpack_content(&in, version, &file);
	if (unpack_end(&in) != 0)
		return unpack_end(&in);
	*ret_file = file;
	return 0;
}
