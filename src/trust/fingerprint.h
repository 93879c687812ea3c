/* SHA-256 fingerprints: of bytes, and as text that people compare and paste. */
#ifndef MUSTER_TRUST_FINGERPRINT_H
#define MUSTER_TRUST_FINGERPRINT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hex.h"

void fingerprint_of(const void *bytes, size_t size, uint8_t fingerprint[SHA256_BYTES]);
/* Plain hex or hex pairs with colons, either case, "sha256:" or "SHA256 Fingerprint=" in front allowed. ERR_FORMAT. */
int fingerprint_parse(const char *text, uint8_t fingerprint[SHA256_BYTES], struct err *err);

#endif
