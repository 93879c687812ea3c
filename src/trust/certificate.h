/* What certificates say of themselves: for people, and for whoever watches their end.
 *
 * PEM comes from our own authority or from an administrator; names in it are
 * outside bytes and leave here escaped (base/text.h). Nothing is verified.
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
	bool self_signed; /* subject and issuer are one: a root */
};

/* Calls each() for every certificate of a PEM text, in their order, until it returns another value than 0,
 * which is returned. ERR_FORMAT: there is none, or one that cannot be read; ERR_LIMIT. */
int certificate_each(const void *pem, size_t size, int (*each)(void *argument, const struct certificate_about *about),
		     void *argument, struct err *err);
/* The first one. */
int certificate_about(const void *pem, size_t size, struct certificate_about *ret_about, struct err *err);

#endif
