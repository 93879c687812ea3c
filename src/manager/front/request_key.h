/* The key under which requests are told from one another: front/request.key.
 *
 * What a request with an Idempotency-Key asked for is kept for a day as an HMAC,
 * since a body may hold what can be guessed (a password): whoever reads the
 * database, or a backup of it, cannot try guesses without this file. Made at the
 * first start, never changed. When it is lost another one is made: a request of
 * before, repeated with its key, is then refused as another one and not done
 * twice. Blocks.
 */
#ifndef MUSTER_MANAGER_FRONT_REQUEST_KEY_H
#define MUSTER_MANAGER_FRONT_REQUEST_KEY_H

#include <stdint.h>

#include "base/env.h"

#define REQUEST_KEY_BYTES 32

/* directory: of the manager's data. Errors of writing; a file that cannot be used is replaced and logged. */
int request_key_open(const char *directory, const struct env *env, uint8_t key[REQUEST_KEY_BYTES], struct err *err);

#endif
