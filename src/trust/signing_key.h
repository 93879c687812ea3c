/* The server authentication key: Ed25519, signs every order to agents.
 *
 * The manager's keys role holds the private half; agents hold the raw public
 * key. Private bytes are wiped by signing_key_free(). Files given are trusted
 * to belong to the caller; their content is checked.
 */
#ifndef MUSTER_TRUST_SIGNING_KEY_H
#define MUSTER_TRUST_SIGNING_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "wire/envelope.h"

struct signing_key;

int signing_key_generate(struct signing_key **ret_key, struct err *err);
/* PKCS#8 PEM, mode 0600, written beside and renamed after fsync. Blocks on the disk. */
int signing_key_store(const struct signing_key *key, const char *path, struct err *err);
/* ERR_NOT_FOUND, ERR_FORMAT (no PEM key), ERR_UNTRUSTED (not Ed25519, or readable by others). */
int signing_key_load(const char *path, struct signing_key **ret_key, struct err *err);
/* Appends PKCS#8 PEM, a secret. */
int signing_key_pem(const struct signing_key *key, struct buf *out, struct err *err);
/* The first private key of a PEM text. ERR_FORMAT, ERR_UNTRUSTED (not Ed25519). */
int signing_key_parse(const void *pem, size_t size, struct signing_key **ret_key, struct err *err);
void signing_key_free(struct signing_key *key);

void signing_key_public(const struct signing_key *key, uint8_t public_key[ENVELOPE_KEY_BYTES]);
/* SHA-256 of the raw public key: Envelope.key, Report.trusted_keys. */
void signing_key_fingerprint(const uint8_t public_key[ENVELOPE_KEY_BYTES], uint8_t fingerprint[SHA256_BYTES]);
/* Any message; for orders, what envelope_message() made. */
int signing_key_sign(const struct signing_key *key, const void *message, size_t size,
		     uint8_t signature[ENVELOPE_SIGNATURE_BYTES], struct err *err);
/* Signs payloads (packed Signeds), all that the tree is over; then envelope_pack() for each. */
int signing_key_seal(const struct signing_key *key, const struct merkle *merkle, struct envelope_seal *ret_seal,
		     struct err *err);

/* envelope_verify; context is not used. */
bool signing_key_verify(void *context, const uint8_t public_key[ENVELOPE_KEY_BYTES], const void *message, size_t size,
			const uint8_t signature[ENVELOPE_SIGNATURE_BYTES]);

/* server-authentication.pub, manager.pub: SubjectPublicKeyInfo in PEM, as `openssl pkey -pubin` reads it. */
int signing_public_pem(const uint8_t public_key[ENVELOPE_KEY_BYTES], struct buf *out, struct err *err);
int signing_public_parse(const void *pem, size_t size, uint8_t public_key[ENVELOPE_KEY_BYTES], struct err *err);

#endif
