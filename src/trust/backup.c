/* Backups of keys (trust/backup.h). The file comes from outside. */
#include "trust/backup.h"

#include <string.h>

#include <argon2.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/pack.h"
#include "trust/openssl.h"
#include "trust/random.h"

#define VERSION         1
#define MEMORY_KIB      65536
#define PASSES          3
#define LANES           1
#define MEMORY_MOST_KIB 131072 /* what a file may ask for */
#define PASSES_MOST     10
#define SALT_BYTES      16
#define NONCE_BYTES     12
#define TAG_BYTES       16
#define KEY_BYTES       32
#define CONTENT_VERSION 1

static const char magic[] = "MUSTER KEYS BACKUP\n";
#define MAGIC_BYTES  (sizeof(magic) - 1)
#define HEADER_BYTES (MAGIC_BYTES + 1 + 4 + 4 + 1 + SALT_BYTES + NONCE_BYTES + 4)

struct header {
	uint32_t memory_kib, passes;
	uint8_t lanes;
	uint8_t salt[SALT_BYTES], nonce[NONCE_BYTES];
	uint32_t size; /* of the ciphertext */
};

void backup_init(struct backup *backup)
{
	memset(backup, 0, sizeof(*backup));
	buf_init(&backup->server_key, BACKUP_KEY_MAX_BYTES);
	buf_init(&backup->authority_key, BACKUP_KEY_MAX_BYTES);
	buf_init(&backup->authority, BACKUP_ROOT_MAX_BYTES);
}

void backup_done(struct backup *backup)
{
	buf_wipe(&backup->server_key);
	buf_wipe(&backup->authority_key);
	buf_done(&backup->authority);
}

/* --- what is inside --- */

static void pack_steps(const struct backup *backup, struct buf *out)
{
	pack_u16(out, (uint16_t)backup->step_count);
	for (size_t i = 0; i < backup->step_count; i++) {
		struct buf step;

		buf_init(&step, SUCCESSION_MAX_BYTES);
		if (succession_pack(&backup->steps[i], &step, NULL) != 0)
			out->status = ERR_FORMAT;
		pack_bytes(out, step.data, step.size);
		buf_done(&step);
	}
}

static int pack_content(const struct backup *backup, struct buf *out, struct err *err)
{
	pack_u8(out, CONTENT_VERSION);
	pack_u64(out, (uint64_t)backup->made);
	pack_text(out, backup->name);
	pack_u16(out, backup->agent_port);
	pack_u64(out, backup->policy_revision);
	pack_u64(out, backup->command_serial);
	pack_bytes(out, backup->server_key.data, backup->server_key.size);
	pack_bytes(out, backup->authority_key.data, backup->authority_key.size);
	pack_bytes(out, backup->authority.data, backup->authority.size);
	pack_steps(backup, out);
	return out->status == 0 ? 0 : err_set(err, out->status, "the keys do not fit a backup");
}

static void unpack_part(struct unpack *in, size_t most, struct buf *out)
{
	struct bytes part = unpack_bytes(in, most);

	if (in->status == 0 && buf_append(out, part.data, part.size) != 0)
		in->status = ERR_LIMIT;
}

static void unpack_steps(struct unpack *in, struct backup *backup)
{
	size_t count = unpack_u16(in);

	if (in->status == 0 && count > BACKUP_SUCCESSIONS_MAX)
		in->status = ERR_LIMIT;
	for (size_t i = 0; in->status == 0 && i < count; i++) {
		struct bytes step = unpack_bytes(in, SUCCESSION_MAX_BYTES);

		if (in->status == 0 && succession_unpack(step.data, step.size, &backup->steps[i], NULL) != 0)
			in->status = ERR_FORMAT;
		backup->step_count = i + 1;
	}
}

static int unpack_content(const struct buf *content, struct backup *backup, struct err *err)
{
	struct unpack in;

	unpack_init(&in, content->data, content->size);
	if (unpack_u8(&in) != CONTENT_VERSION && in.status == 0)
		return err_set(err, ERR_VERSION, "the backup was made by a newer version of Muster");
	backup->made = (time_us)unpack_u64(&in);
	unpack_text(&in, backup->name, sizeof(backup->name));
	backup->agent_port = unpack_u16(&in);
	backup->policy_revision = unpack_u64(&in);
	backup->command_serial = unpack_u64(&in);
	unpack_part(&in, BACKUP_KEY_MAX_BYTES, &backup->server_key);
	unpack_part(&in, BACKUP_KEY_MAX_BYTES, &backup->authority_key);
	unpack_part(&in, BACKUP_ROOT_MAX_BYTES, &backup->authority);
	unpack_steps(&in, backup);
	if (unpack_end(&in) != 0)
		return err_set(err, ERR_FORMAT, "the backup opens, but holds something else than a manager's keys");
	return 0;
}

/* --- the lock --- */

static int check_password(const char *password, struct err *err)
{
	size_t length = strnlen(password, BACKUP_PASSWORD_MAX + 1);

	if (length < BACKUP_PASSWORD_MIN || length > BACKUP_PASSWORD_MAX)
		return err_set(err, ERR_RANGE, "a backup's password has %d to %d bytes", BACKUP_PASSWORD_MIN,
			       BACKUP_PASSWORD_MAX);
	return 0;
}

static int derive(const struct header *header, const char *password, uint8_t key[KEY_BYTES], struct err *err)
{
	int status = argon2id_hash_raw(header->passes, header->memory_kib, header->lanes, password, strlen(password),
				       header->salt, SALT_BYTES, key, KEY_BYTES);

	if (status != ARGON2_OK)
		return err_set(err, ERR_MEMORY, "cannot make a key of the password: %s", argon2_error_message(status));
	return 0;
}

static void put_header(const struct header *header, struct buf *out)
{
	buf_append(out, magic, MAGIC_BYTES);
	pack_u8(out, VERSION);
	pack_u32(out, header->memory_kib);
	pack_u32(out, header->passes);
	pack_u8(out, header->lanes);
	buf_append(out, header->salt, SALT_BYTES);
	buf_append(out, header->nonce, NONCE_BYTES);
	pack_u32(out, header->size);
}

static int encrypt(const uint8_t key[KEY_BYTES], const struct header *header, const struct buf *content,
		   struct buf *out, struct err *err)
{
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	size_t associated = out->size;
	uint8_t *room = buf_room(out, content->size + TAG_BYTES);
	int written = 0;
	bool good = cipher != NULL && room != NULL &&
		    EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key, header->nonce) == 1 &&
		    EVP_EncryptUpdate(cipher, NULL, &written, out->data, (int)associated) == 1 &&
		    EVP_EncryptUpdate(cipher, room, &written, content->data, (int)content->size) == 1 &&
		    EVP_EncryptFinal_ex(cipher, room + content->size, &written) == 1 &&
		    EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, room + content->size) == 1;

	EVP_CIPHER_CTX_free(cipher);
	if (!good)
		return openssl_fail(err, ERR_MEMORY, "cannot seal the backup");
	buf_grow(out, content->size + TAG_BYTES);
	return 0;
}

int backup_seal(const struct backup *backup, const char *password, struct buf *out, struct err *err)
{
	struct header header = { .memory_kib = MEMORY_KIB, .passes = PASSES, .lanes = LANES };
	uint8_t key[KEY_BYTES];
	struct buf content;
	int rc = check_password(password, err);

	if (rc != 0)
		return rc;
	buf_init(&content, BACKUP_MAX_BYTES - HEADER_BYTES - TAG_BYTES);
	rc = pack_content(backup, &content, err);
	random_fill(NULL, header.salt, SALT_BYTES);
	random_fill(NULL, header.nonce, NONCE_BYTES);
	header.size = (uint32_t)content.size;
	put_header(&header, out);
	if (rc == 0)
		rc = derive(&header, password, key, err);
	if (rc == 0)
		rc = encrypt(key, &header, &content, out, err);
	OPENSSL_cleanse(key, sizeof(key));
	buf_wipe(&content);
	return rc;
}

/* --- opening --- */

static int read_header(const void *file, size_t size, struct header *header, struct err *err)
{
	struct unpack in;
	uint8_t version;

	if (size < MAGIC_BYTES || memcmp(file, magic, MAGIC_BYTES) != 0)
		return err_set(err, ERR_FORMAT, "this is not a backup of a manager's keys");
	unpack_init(&in, (const uint8_t *)file + MAGIC_BYTES, size - MAGIC_BYTES);
	version = unpack_u8(&in);
	if (in.status == 0 && version != VERSION)
		return err_set(err, ERR_VERSION, "this backup has form %u; this version of Muster reads form %d",
			       version, VERSION);
	header->memory_kib = unpack_u32(&in);
	header->passes = unpack_u32(&in);
	header->lanes = unpack_u8(&in);
	unpack_fixed(&in, header->salt, SALT_BYTES);
	unpack_fixed(&in, header->nonce, NONCE_BYTES);
	header->size = unpack_u32(&in);
	if (in.status != 0 || size > BACKUP_MAX_BYTES || header->size > BACKUP_MAX_BYTES ||
	    in.left < (size_t)header->size + TAG_BYTES)
		return err_set(err, ERR_FORMAT, "the backup is not whole: it was cut off, or is another file");
	if (in.left > (size_t)header->size + TAG_BYTES)
		return err_set(err, ERR_FORMAT, "something follows the end of the backup");
	if (header->memory_kib < 8 || header->memory_kib > MEMORY_MOST_KIB || header->passes == 0 ||
	    header->passes > PASSES_MOST || header->lanes == 0 || header->lanes > 4 ||
	    header->memory_kib < 8u * header->lanes)
		return err_set(err, ERR_FORMAT, "the backup's header was altered");
	return 0;
}

int backup_look(const void *file, size_t size, struct err *err)
{
	struct header header;

	return read_header(file, size, &header, err);
}

static int decrypt(const uint8_t key[KEY_BYTES], const struct header *header, const uint8_t *file, struct buf *out,
		   struct err *err)
{
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	const uint8_t *sealed = file + HEADER_BYTES;
	uint8_t tag[TAG_BYTES], *room = buf_room(out, (size_t)header->size + 1);
	int written = 0;
	bool ready, good;

	memcpy(tag, sealed + header->size, TAG_BYTES);
	ready = cipher != NULL && room != NULL &&
		EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key, header->nonce) == 1 &&
		EVP_DecryptUpdate(cipher, NULL, &written, file, (int)HEADER_BYTES) == 1 &&
		EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1;
	good = ready && EVP_DecryptUpdate(cipher, room, &written, sealed, (int)header->size) == 1 &&
	       EVP_DecryptFinal_ex(cipher, room + header->size, &written) == 1;
	EVP_CIPHER_CTX_free(cipher);
	if (!ready)
		return openssl_fail(err, ERR_MEMORY, "cannot open the backup");
	buf_grow(out, header->size); /* to be wiped with it */
	return good ? 0 : err_set(err, ERR_DENIED, "the password is wrong, or the backup was altered");
}

int backup_open(const void *file, size_t size, const char *password, struct backup *ret_backup, struct err *err)
{
	uint8_t key[KEY_BYTES];
	struct header header;
	struct buf content;
	int rc = read_header(file, size, &header, err);

	if (rc == 0 && strnlen(password, BACKUP_PASSWORD_MAX + 1) > BACKUP_PASSWORD_MAX)
		rc = err_set(err, ERR_DENIED, "the password is wrong, or the backup was altered");
	if (rc == 0)
		rc = derive(&header, password, key, err);
	if (rc != 0)
		return rc;
	buf_init(&content, BACKUP_MAX_BYTES);
	rc = decrypt(key, &header, file, &content, err);
	OPENSSL_cleanse(key, sizeof(key));
	backup_init(ret_backup);
	if (rc == 0)
		rc = unpack_content(&content, ret_backup, err);
	if (rc != 0)
		backup_done(ret_backup);
	buf_wipe(&content);
	return rc;
}
