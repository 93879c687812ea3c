/* Bearer tokens as text: "mst_" for the API, "mse_" for enrolment.
 *
 * Prefix, 36 random characters (214 bits), 6 of checksum: a mistyped token is told
 * from a wrong one without asking the store, and scanners can find leaked ones.
 * Only token_hash() is stored.
 */
#ifndef MUSTER_TRUST_TOKEN_H
#define MUSTER_TRUST_TOKEN_H

#include <stdint.h>

#include "base/err.h"
#include "base/hex.h"

enum token_kind { TOKEN_API, TOKEN_ENROLMENT, TOKEN_SESSION };

#define TOKEN_TEXT_BYTES 47 /* with its NUL */

void token_make(enum token_kind kind, char text[TOKEN_TEXT_BYTES]);
/* Form, kind and checksum: ERR_FORMAT says what is wrong with it, never its text. */
int token_check(const char *text, enum token_kind kind, struct err *err);
/* SHA-256 of the text: what is stored and looked up. */
void token_hash(const char *text, uint8_t hash[SHA256_BYTES]);

#endif
