/* Ed25519 over OpenSSL. */
#include "trust/signing_key.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "trust/fingerprint.h"
#include "trust/openssl.h"
#include "trust/secret_file.h"

struct signing_key {
	EVP_PKEY *key; /* wiped by EVP_PKEY_free() */
	uint8_t public_key[ENVELOPE_KEY_BYTES];
};

/* Takes over key, also on failure. */
static int signing_key_new(EVP_PKEY *key, struct signing_key **ret_key, struct err *err)
{
	struct signing_key *made = calloc(1, sizeof(*made));
	size_t size = ENVELOPE_KEY_BYTES;

	if (made == NULL || EVP_PKEY_get_raw_public_key(key, made->public_key, &size) != 1) {
		EVP_PKEY_free(key);
		free(made);
		return openssl_fail(err, ERR_MEMORY, "server authentication key");
	}
	made->key = key;
	*ret_key = made;
	return 0;
}

int signing_key_generate(struct signing_key **ret_key, struct err *err)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

	if (key == NULL)
		return openssl_fail(err, ERR_INTERNAL, "cannot make an Ed25519 key");
	return signing_key_new(key, ret_key, err);
}

int signing_key_store(const struct signing_key *key, const char *path, struct err *err)
{
	struct buf pem;
	int status;

	buf_init(&pem, SECRET_FILE_MAX_BYTES);
	status = openssl_key_pem(key->key, &pem, err);
	if (status == 0)
		status = secret_file_write(path, pem.data, pem.size, 0600, err);
	buf_wipe(&pem);
	return status;
}

int signing_key_pem(const struct signing_key *key, struct buf *out, struct err *err)
{
	return openssl_key_pem(key->key, out, err);
}

int signing_key_parse(const void *pem, size_t size, struct signing_key **ret_key, struct err *err)
{
	EVP_PKEY *key = openssl_key_parse(pem, size, err);

	if (key == NULL)
		return ERR_FORMAT;
	if (!openssl_key_is_ed25519(key)) {
		EVP_PKEY_free(key);
		return err_set(err, ERR_UNTRUSTED, "not an Ed25519 key");
	}
	return signing_key_new(key, ret_key, err);
}

int signing_key_load(const char *path, struct signing_key **ret_key, struct err *err)
{
	struct buf pem;
	int status;

	buf_init(&pem, SECRET_FILE_MAX_BYTES);
	status = secret_file_read(path, true, &pem, err);
	if (status == 0) {
		status = signing_key_parse(pem.data, pem.size, ret_key, err);
		if (status != 0)
			status = err_add(err, status, "%s", path);
	}
	buf_wipe(&pem);
	return status;
}

void signing_key_free(struct signing_key *key)
{
	if (key == NULL)
		return;
	EVP_PKEY_free(key->key);
	free(key);
}

void signing_key_public(const struct signing_key *key, uint8_t public_key[ENVELOPE_KEY_BYTES])
{
	memcpy(public_key, key->public_key, ENVELOPE_KEY_BYTES);
}

void signing_key_fingerprint(const uint8_t public_key[ENVELOPE_KEY_BYTES], uint8_t fingerprint[SHA256_BYTES])
{
	fingerprint_of(public_key, ENVELOPE_KEY_BYTES, fingerprint);
}

int signing_key_sign(const struct signing_key *key, const void *message, size_t size,
		     uint8_t signature[ENVELOPE_SIGNATURE_BYTES], struct err *err)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t made[ENVELOPE_SIGNATURE_BYTES];
	size_t made_size = sizeof(made);
	bool done = context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, key->key) == 1 &&
		    EVP_DigestSign(context, made, &made_size, message, size) == 1 && made_size == sizeof(made);

	EVP_MD_CTX_free(context);
	if (!done)
		return openssl_fail(err, ERR_INTERNAL, "cannot sign");
	memcpy(signature, made, sizeof(made));
	return 0;
}

int signing_key_seal(const struct signing_key *key, const struct merkle *merkle, struct envelope_seal *ret_seal,
		     struct err *err)
{
	uint8_t message[ENVELOPE_MESSAGE_BYTES];
	struct envelope_seal seal = { .merkle = merkle };
	int status;

	envelope_message(merkle, message);
	status = signing_key_sign(key, message, sizeof(message), seal.signature, err);
	if (status != 0)
		return status;
	signing_key_fingerprint(key->public_key, seal.fingerprint);
	*ret_seal = seal;
	return 0;
}

bool signing_key_verify(void *context, const uint8_t public_key[ENVELOPE_KEY_BYTES], const void *message, size_t size,
			const uint8_t signature[ENVELOPE_SIGNATURE_BYTES])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, ENVELOPE_KEY_BYTES);
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	bool good = key != NULL && digest != NULL && EVP_DigestVerifyInit(digest, NULL, NULL, NULL, key) == 1 &&
		    EVP_DigestVerify(digest, signature, ENVELOPE_SIGNATURE_BYTES, message, size) == 1;

	(void)context;
	EVP_MD_CTX_free(digest);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return good;
}

int signing_public_pem(const uint8_t public_key[ENVELOPE_KEY_BYTES], struct buf *out, struct err *err)
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, ENVELOPE_KEY_BYTES);
	BIO *bio = BIO_new(BIO_s_mem());
	bool done = key != NULL && bio != NULL && PEM_write_bio_PUBKEY(bio, key) == 1;

	EVP_PKEY_free(key);
	if (!done) {
		BIO_free(bio);
		return openssl_fail(err, ERR_MEMORY, "cannot write a public key");
	}
	return openssl_bio_take(bio, out, err);
}

int signing_public_parse(const void *pem, size_t size, uint8_t public_key[ENVELOPE_KEY_BYTES], struct err *err)
{
	BIO *bio = size <= SECRET_FILE_MAX_BYTES ? BIO_new_mem_buf(pem, (int)size) : NULL;
	EVP_PKEY *key = bio != NULL ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
	uint8_t raw[ENVELOPE_KEY_BYTES];
	size_t raw_size = sizeof(raw);
	bool good = key != NULL && openssl_key_is_ed25519(key) &&
		    EVP_PKEY_get_raw_public_key(key, raw, &raw_size) == 1 && raw_size == sizeof(raw);

	EVP_PKEY_free(key);
	BIO_free(bio);
	if (!good)
		return openssl_fail(err, ERR_FORMAT, "no Ed25519 public key in PEM form");
	memcpy(public_key, raw, sizeof(raw));
	return 0;
}
