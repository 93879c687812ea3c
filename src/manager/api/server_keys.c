/* /server-key: the server authentication key, and the agents that do not trust it. */
#include "manager/front/front_server_key.h"

#include <string.h>

#include <openssl/evp.h>

#include "manager/api/call_state.h"
#include "manager/api/handlers.h"
#include "manager/api/rows.h"
#include "manager/queries.h"
#include "trust/backup.h"
#include "trust/signing_key.h"

#define WHOLE(value) json_integer((json_int_t)(value))

static json_t *public_pem(const uint8_t public_key[ENVELOPE_KEY_BYTES])
{
	struct buf pem;
	json_t *text = NULL;

	buf_init(&pem, 1024);
	if (signing_public_pem(public_key, &pem, NULL) == 0)
		text = json_string(buf_text(&pem));
	buf_done(&pem);
	return text;
}

static json_t *key_json(struct api_call *call, struct cursor *cursor)
{
	static const struct row_field fields[] = {
		{ "fingerprint", "fingerprint", row_hex },
		{ "origin", "origin", row_text },
		{ "created", "created", row_time },
		{ "since", "since", row_time },
		{ "until", "until", row_time },
		{ "backed_up", "backed_up", row_time },
		{ "made_by", "made_by", row_text },
	};
	json_t *json = row_json(cursor, fields, COUNT_OF(fields));
	struct bytes fingerprint = cursor_bytes(cursor, "fingerprint");

	if (json != NULL && fingerprint.size == SHA256_BYTES) {
		enum key_standing standing = front_key_standing(api_call_front(call), fingerprint.data);

		json_object_set_new(json, "agents", WHOLE(front_key_trusting(api_call_front(call), fingerprint.data)));
		json_object_set_new(json, "standing", json_string(key_standing_name(standing)));
	}
	return json;
}

struct reading {
	struct api_call *call;
	json_t *list;
};

static int read_keys(struct store_session *session, void *argument, struct err *err)
{
	struct reading *reading = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_SERVER_KEY_ALL);

	while (cursor_next(cursor))
		json_array_append_new(reading->list, key_json(reading->call, cursor));
	return cursor_end(cursor, err);
}

static int show(struct api_call *call, int status, struct err *err)
{
	struct reading reading = { call, json_array() };
	struct front_server_key key;
	int rc = store_read(api_call_store(call), read_keys, &reading, err);

	if (rc != 0) {
		json_decref(reading.list);
		return rc;
	}
	front_server_key_show(api_call_front(call), &key);
	return api_reply_json(call, status,
			      json_pack("{sb, so, so, so, so, so, so}", "present", key.present, "fingerprint",
					json_sha256(key.fingerprint), "public_key", public_pem(key.public_key),
					"agents", WHOLE(key.trusting), "following", WHOLE(key.following), "mismatched",
					WHOLE(key.mismatched), "keys", reading.list));
}

int server_key_show(struct api_call *call, struct err *err)
{
	return show(call, 200, err);
}

int server_key_make(struct api_call *call, struct err *err)
{
	const json_t *roll_over = json_object_get(api_body(call), "roll_over");
	bool succeed = roll_over == NULL || json_is_true(roll_over);
	int rc;

	if (!succeed && !json_is_true(json_object_get(api_body(call), "force")))
		return api_problem(call, 409, "Every agent would be lost",
				   "Without a roll-over no agent trusts the new key: each one takes no orders until it "
				   "is repaired on its machine (muster-agent trust FILE). Say \"force\": true if that "
				   "is meant.");
	rc = front_server_key_create(api_call_front(call), succeed, api_call_actor(call), err);
	return rc == 0 ? show(call, 201, err) : rc;
}

/* --- in and out --- */

static const char *text_of(const struct api_call *call, const char *name)
{
	const char *text = json_string_value(json_object_get(api_body(call), name));

	return text != NULL ? text : "";
}

static struct bytes bytes_of(const char *text)
{
	return (struct bytes){ (const uint8_t *)text, strlen(text) };
}

int server_key_import(struct api_call *call, struct err *err)
{
	bool force = json_is_true(json_object_get(api_body(call), "force"));
	int rc = front_server_key_import(api_call_front(call), bytes_of(text_of(call, "key")), force,
					 api_call_actor(call), err);

	return rc == 0 ? show(call, 201, err) : rc;
}

int server_key_back_up(struct api_call *call, struct err *err)
{
	struct buf file, text;
	int rc;

	buf_init(&file, BACKUP_MAX_BYTES);
	buf_init(&text, 2 * BACKUP_MAX_BYTES);
	rc =
	    front_server_key_back_up(api_call_front(call), text_of(call, "password"), api_call_actor(call), &file, err);
	if (rc == 0 && buf_room(&text, file.size * 4 / 3 + 8) == NULL)
		rc = err_set(err, ERR_MEMORY, "no memory for the backup");
	if (rc == 0) {
		buf_grow(&text, (size_t)EVP_EncodeBlock(text.data, file.data, (int)file.size));
		rc = api_reply_json(call, 200, json_pack("{ss}", "file", buf_text(&text)));
	}
	buf_done(&file);
	buf_done(&text);
	return rc;
}

/* Base64 in one line, as it was given out. */
static int decode_file(const char *text, struct buf *out, struct err *err)
{
	size_t length = strlen(text), padding = 0;
	uint8_t *room = buf_room(out, length + 4);
	int size = room != NULL && length > 0 ? EVP_DecodeBlock(room, (const uint8_t *)text, (int)length) : -1;

	while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
		padding++;
	if (size < 0 || (size_t)size < padding)
		return err_set(err, ERR_FORMAT, "file: not base64");
	buf_grow(out, (size_t)size - padding);
	return 0;
}

int server_key_restore(struct api_call *call, struct err *err)
{
	bool force = json_is_true(json_object_get(api_body(call), "force"));
	struct buf file;
	int rc;

	buf_init(&file, 3 * BACKUP_MAX_BYTES);
	rc = decode_file(text_of(call, "file"), &file, err);
	if (rc == 0)
		rc = backup_look(file.data, file.size, err);
	if (rc == 0)
		rc = front_server_key_restore(api_call_front(call), (struct bytes){ file.data, file.size },
					      text_of(call, "password"), force, api_call_actor(call), err);
	buf_done(&file);
	if (rc == ERR_DENIED) /* the file's password, not the caller's token */
		return api_problem(call, 422, "The backup does not open", "%s", err->text);
	return rc == 0 ? show(call, 201, err) : rc;
}

/* --- agents without a valid server certificate --- */

static json_t *mismatched_json(struct api_call *call, struct cursor *cursor)
{
	static const struct row_field fields[] = {
		{ "id", "id", row_id },
		{ "computer", "name", row_text },
		{ "address", "address", row_text },
		{ "policy", "policy", row_text },
		{ "group", "group_name", row_text },
		{ "trusted_key_fingerprint", "trusted_key", row_hex },
		{ "since", "trusted_key_since", row_time },
		{ "last_contact", "last_heard", row_time },
	};

	(void)call;
	return row_json(cursor, fields, COUNT_OF(fields));
}

/* The way back from the present key is what an agent may trust; while there is none, nothing is. */
static const struct list mismatched = {
	.tag = 'k',
	.select =
	    "WITH RECURSIVE way (fingerprint) AS (SELECT fingerprint FROM server_key WHERE until IS NULL"
	    " UNION SELECT old_fingerprint FROM key_succession JOIN way ON new_fingerprint = way.fingerprint)"
	    " SELECT computer.*, coalesce(nullif(seen_from, ''), addresses ->> '$[0]', '') AS address FROM computer"
	    " WHERE deleted IS NULL AND revoked IS NULL AND trusted_key IS NOT NULL AND trusted_key <> zeroblob(32)"
	    " AND trusted_key NOT IN way",
	.ascending = true,
	.key_is_text = true,
	.key = "computer.name",
	.key_column = "name",
	.id = "computer.id",
	.row = mismatched_json,
};

int server_key_mismatched(struct api_call *call, struct err *err)
{
	return list_reply(call, &mismatched, err);
}
