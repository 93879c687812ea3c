/* Chance for secrets and for env.random: OpenSSL's generator, seeded by the
 * kernel. Without it nothing can be trusted, so its failure ends the program. */
#ifndef MUSTER_TRUST_RANDOM_H
#define MUSTER_TRUST_RANDOM_H

#include <stddef.h>

/* Fits struct env's random; context is not used. Thread-safe, does not block once the system has started. */
void random_fill(void *context, void *out, size_t size);
/* `count` characters drawn evenly from alphabet (2 to 256 different ones), and a NUL. */
void random_text(const char *alphabet, char *text, size_t count);

#endif
