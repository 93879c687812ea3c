/* A key pair of one's own, the request for its certificate, and what a
 * certificate says. Used by agents for enrolment and by the manager for its
 * TLS key. The key never leaves the machine it was made on.
 */
#ifndef MUSTER_TRUST_IDENTITY_H
#define MUSTER_TRUST_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/units.h"

/* Makes a P-256 key: PKCS#8 PEM appended to key_pem (a secret: buf_wipe() it)
 * and its PKCS#10 request as DER to request. */
int identity_make(struct buf *key_pem, struct buf *request, struct err *err);
/* The same with an RSA key of IDENTITY_RSA_BITS, for a server whose clients know no other. */
#define IDENTITY_RSA_BITS 2048
int identity_make_rsa(struct buf *key_pem, struct buf *request, struct err *err);
/* The request again for a key made before. ERR_FORMAT if there is no P-256 or Ed25519 key. */
int identity_request(const char *key_pem, struct buf *request, struct err *err);

struct certificate_facts {
	uint8_t fingerprint[SHA256_BYTES]; /* SHA-256 of the DER */
	time_us not_before;
	time_us not_after;
	bool has_computer;    /* a SAN urn:uuid:… is in it */
	struct uuid computer; /* whose it is, if so */
};
/* The first certificate of a PEM text; ERR_FORMAT if there is none, ERR_LIMIT. */
int certificate_read(const void *pem, size_t size, struct certificate_facts *ret_facts, struct err *err);
/* Whether the first certificate of pem has this key: ERR_UNTRUSTED if not. */
int certificate_matches_key(const char *pem, const char *key_pem, struct err *err);
/* Whether it was made for this request (DER): ERR_UNTRUSTED if not. */
int certificate_answers(const char *pem, const void *request, size_t size, struct err *err);
/* Whether one of authority_pem signed the first certificate of pem (dates are not looked at): ERR_UNTRUSTED if not. */
int certificate_signed_by(const char *pem, const char *authority_pem, struct err *err);

#endif
