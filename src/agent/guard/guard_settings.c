/* Guard's settings on disk (agent/guard/guard_settings.h). The file may be damaged. */
#include "agent/guard/guard_settings.h"

#include "base/pack.h"
#include "os/files.h"

#define FILE_NAME      "settings"
#define CHECKSUM_BYTES 4

int guard_settings_save(int directory, const void *payload, size_t size, struct err *err)
{
	struct buf out;
	int code;

	buf_init(&out, CHANNEL_PAYLOAD_MAX_BYTES + CHECKSUM_BYTES);
	pack_u32(&out, crc32c(0, payload, size));
	buf_append(&out, payload, size);
	code = out.status != 0 ? err_set(err, out.status, "settings are too large")
			       : files_write(directory, FILE_NAME, out.data, out.size, 0600, err);
	buf_done(&out);
	return code;
}

int guard_settings_load(int directory, struct buf *bytes, struct message_settings *ret_settings, struct err *err)
{
	struct unpack in;
	int code;

	buf_init(bytes, CHANNEL_PAYLOAD_MAX_BYTES + CHECKSUM_BYTES + 1);
	code = files_read(directory, FILE_NAME, CHANNEL_PAYLOAD_MAX_BYTES + CHECKSUM_BYTES, bytes, err);
	if (code != 0)
		return code;
	unpack_init(&in, bytes->data, bytes->size);
	if (unpack_u32(&in) != crc32c(0, in.at, in.left) || in.status != 0 ||
	    message_unpack_settings(in.at, in.left, ret_settings) != 0)
		return err_set(err, ERR_FORMAT, "guard/settings is damaged");
	return 0;
}
