/* A succession as a row; what is in it was checked before. */
#include "manager/succession_row.h"

#include "base/buf.h"
#include "base/hex.h"
#include "manager/queries.h"
#include "trust/signing_key.h"

static int put(struct store_session *session, const struct succession *step, const struct buf *record, struct err *err)
{
	uint8_t old_print[SHA256_BYTES], new_print[SHA256_BYTES];
	struct cursor *cursor = cursor_open(session, &QUERY_KEY_SUCCESSION_PUT);

	signing_key_fingerprint(step->old_key, old_print);
	signing_key_fingerprint(step->new_key, new_print);
	cursor_bind_bytes(cursor, "new_fingerprint", new_print, sizeof(new_print));
	cursor_bind_bytes(cursor, "old_fingerprint", old_print, sizeof(old_print));
	cursor_bind_number(cursor, "serial", (int64_t)step->serial);
	cursor_bind_number(cursor, "issued", step->issued);
	cursor_bind_bytes(cursor, "record", record->data, record->size);
	return cursor_run(cursor, err);
}

int succession_row_put(struct store_session *session, const struct succession *step, struct err *err)
{
	struct buf record;
	int rc;

	buf_init(&record, SUCCESSION_MAX_BYTES);
	rc = succession_pack(step, &record, err);
	if (rc == 0)
		rc = put(session, step, &record, err);
	buf_done(&record);
	return rc;
}
