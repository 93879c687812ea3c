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

/* Which of the roots in given_pem to trust from now on: those that are among trusted_pem, and those that follow one of
 * them by certificates that are in given_pem as well. Appended to out as PEM, in their order. given_pem comes from the
 * manager and is checked. ERR_FORMAT, ERR_UNTRUSTED (none of them). */
int roots_follow(const char *trusted_pem, const char *given_pem, struct buf *out, struct err *err);

#endif
