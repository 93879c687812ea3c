/* The manager's CA certificate from the manager itself, believed by its fingerprint alone. */
#ifndef MUSTER_CLI_AUTHORITY_FETCH_H
#define MUSTER_CLI_AUTHORITY_FETCH_H

#include "base/buf.h"
#include "base/err.h"

#define AUTHORITY_MAX_BYTES (64 * 1024)

/* GET /ca.pem of https://HOST:PORT, sending nothing that is secret, since nobody
 * is known to answer yet. ret_pem (with a limit): the first certificate, checked to
 * have the fingerprint. ERR_USAGE: no fingerprint; ERR_UNTRUSTED: another one, and
 * which. Blocks. */
int authority_fetch(const char *server, const char *fingerprint, struct buf *ret_pem, struct err *err);

#endif
