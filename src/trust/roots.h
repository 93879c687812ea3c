/* Roots that follow one another.
 *
 * An authority that nears its end is followed by another with the same name and
 * a new key. Its predecessor signs, besides, a certificate for that key: by it
 * whoever trusts the old root believes the new one's certificates too, after an
 * absence of any length, and takes the new root. Only its own predecessor's key
 * can make it so.
 */
#ifndef MUSTER_TRUST_ROOTS_H
#define MUSTER_TRUST_ROOTS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/hex.h"

/* Which of the roots in given_pem to trust from now on: those that are among trusted_pem, and those that follow one of
 * them by certificates that are in given_pem as well. Appended to out as PEM, in their order. given_pem comes from the
 * manager and is checked. ERR_FORMAT, ERR_UNTRUSTED (none of them). */
int roots_follow(const char *trusted_pem, const char *given_pem, struct buf *out, struct err *err);

/* What is in pem, which our own manager keeps: appended to first its first root, to roots all of them, to links what
 * leads from one to another; each in its order. ERR_FORMAT: no root. */
int roots_split(const char *pem, struct buf *first, struct buf *roots, struct buf *links, struct err *err);
/* Whether one of the roots in pem has this fingerprint; appended to out, alone. ERR_UNTRUSTED, ERR_FORMAT. */
int roots_find(const char *pem, const uint8_t fingerprint[SHA256_BYTES], struct buf *out, struct err *err);

#endif
