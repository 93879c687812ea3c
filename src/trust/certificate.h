/* What certificates say of themselves: for people, and for whoever watches their end.
 *
 * PEM comes from our own authority or from an administrator; names in it are
 * outside bytes and leave here escaped (base/text.h). Nothing else is
 * verified than whether a root is one.
 */
#ifndef MUSTER_TRUST_CERTIFICATE_H
#define MUSTER_TRUST_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/units.h"

#define CERTIFICATE_NAME_BYTES    512 /* with NUL; longer names are cut */
#define CERTIFICATE_PEM_MAX_BYTES 65536

struct certificate_about {
	char subject[CERTIFICATE_NAME_BYTES], issuer[CERTIFICATE_NAME_BYTES]; /* "CN=localhost" (RFC 2253), escaped */
	uint8_t fingerprint[SHA256_BYTES];                                    /* SHA-256 of the DER */
	time_us not_before, not_after;
	char key_type[16]; /* "EC", "RSA", "ED25519" */
	bool self_signed;  /* by its own key: a root */
};

/* Calls each() for every certificate of a PEM text, in their order, until it returns another value than 0,
 * which is returned. ERR_FORMAT: there is none, or one that cannot be read; ERR_LIMIT. */
int certificate_each(const void *pem, size_t size, int (*each)(void *argument, const struct certificate_about *about),
		     void *argument, struct err *err);
/* Appends the certificates of a text as PEM, and nothing else that stands in it, keys least of all. Errors as above. */
int certificate_copy(const void *pem, size_t size, struct buf *out, struct err *err);
/* Appends the private key of a text as PKCS#8 PEM, and nothing else: a secret. ERR_FORMAT. */
int certificate_key_copy(const void *pem, size_t size, struct buf *out, struct err *err);
/* The first one. */
int certificate_about(const void *pem, size_t size, struct certificate_about *ret_about, struct err *err);

#endif
