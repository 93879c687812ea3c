/* The server authentication key's file. Its content is checked like any other's. */
#include "trust/key_file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "trust/openssl.h"
#include "trust/secret_file.h"

#define PEM_NAME "MUSTER KEY SUCCESSION"

static int append_succession(const struct succession *by, struct buf *pem, struct err *err)
{
	BIO *bio = BIO_new(BIO_s_mem());
	struct buf packed;
	int rc;

	buf_init(&packed, SUCCESSION_MAX_BYTES);
	rc = succession_pack(by, &packed, err);
	if (rc == 0 && (bio == NULL || PEM_write_bio(bio, PEM_NAME, "", packed.data, (long)packed.size) == 0))
		rc = openssl_fail(err, ERR_MEMORY, "key succession");
	buf_done(&packed);
	if (rc == 0)
		return openssl_bio_take(bio, pem, err);
	BIO_free(bio);
	return rc;
}

/* The first block of our name; ERR_NOT_FOUND: there is none. */
static int find_succession(const struct buf *pem, struct succession *ret_by, struct err *err)
{
	BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->size);
	int rc = bio != NULL ? ERR_NOT_FOUND : err_set(err, ERR_MEMORY, "no memory");
	char *name = NULL, *header = NULL;
	unsigned char *bytes = NULL;
	long size = 0;

	while (rc == ERR_NOT_FOUND && PEM_read_bio(bio, &name, &header, &bytes, &size) == 1) {
		if (strcmp(name, PEM_NAME) == 0)
			rc = succession_unpack(bytes, (size_t)size, ret_by, err);
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_clear_free(bytes, (size_t)size);
	}
	ERR_clear_error();
	BIO_free(bio);
	return rc;
}

static int check_succession(const struct key_file *file, struct err *err)
{
	uint8_t public_key[ENVELOPE_KEY_BYTES];

	signing_key_public(file->key, public_key);
	if (memcmp(public_key, file->by.new_key, sizeof(public_key)) != 0)
		return err_set(err, ERR_UNTRUSTED, "its succession leads to another key");
	return succession_check(&file->by, signing_key_verify, NULL, err);
}

int key_file_load(const char *path, struct key_file *ret_file, struct err *err)
{
	struct key_file file = { .key = NULL };
	struct buf pem;
	int rc = signing_key_load(path, &file.key, err);

	if (rc != 0)
		return rc;
	buf_init(&pem, SECRET_FILE_MAX_BYTES);
	rc = secret_file_read(path, true, &pem, err);
	if (rc == 0)
		rc = find_succession(&pem, &file.by, err);
	file.followed = rc == 0;
	if (rc == 0)
		rc = check_succession(&file, err);
	else if (rc == ERR_NOT_FOUND)
		rc = 0;
	buf_wipe(&pem);
	if (rc == 0)
		*ret_file = file;
	else
		key_file_done(&file);
	return rc == 0 ? 0 : err_add(err, rc, "%s", path);
}

/* Best effort: a file system that copies on write keeps what it likes. */
static void overwrite(int fd)
{
	static const uint8_t nothing[4096];
	struct stat st;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		for (off_t at = 0; at < st.st_size && at < SECRET_FILE_MAX_BYTES; at += (off_t)sizeof(nothing)) {
			size_t left = (size_t)(st.st_size - at);

			if (pwrite(fd, nothing, left < sizeof(nothing) ? left : sizeof(nothing), at) < 0)
				break;
		}
		(void)fdatasync(fd);
	}
	close(fd);
}

int key_file_pem(const struct key_file *file, struct buf *out, struct err *err)
{
	int rc = signing_key_pem(file->key, out, err);

	return rc == 0 && file->followed ? append_succession(&file->by, out, err) : rc;
}

int key_file_store(const char *path, const struct key_file *file, struct err *err)
{
	int former = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct buf pem;
	int rc;

	buf_init(&pem, SECRET_FILE_MAX_BYTES);
	rc = key_file_pem(file, &pem, err);
	if (rc == 0)
		rc = secret_file_write(path, pem.data, pem.size, 0600, err);
	buf_wipe(&pem);
	if (rc == 0)
		overwrite(former);
	else if (former >= 0)
		close(former);
	return rc;
}

void key_file_done(struct key_file *file)
{
	signing_key_free(file->key);
	*file = (struct key_file){ .key = NULL };
}

int key_file_succeed(const struct signing_key *old, struct signing_key *next, uint64_t serial, time_us now,
		     struct key_file *ret_file, struct err *err)
{
	struct key_file file = { .key = next, .followed = true, .by = { .serial = serial, .issued = now } };
	uint8_t message[SUCCESSION_MESSAGE_BYTES];
	int rc;

	signing_key_public(old, file.by.old_key);
	signing_key_public(next, file.by.new_key);
	succession_message(&file.by, message);
	rc = signing_key_sign(old, message, sizeof(message), file.by.signature, err);
	if (rc == 0)
		*ret_file = file;
	return rc;
}
