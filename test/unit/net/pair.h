/* Two ends of TLS over memory, one step at a time. */
#ifndef MUSTER_TEST_NET_PAIR_H
#define MUSTER_TEST_NET_PAIR_H

#include <openssl/ssl.h>

#include "net/tls.h"

struct pair {
	SSL *server, *client;
	BIO *to_server, *to_client;
};

/* version: the highest that the client offers. host outlives the pair. */
struct pair pair_new(struct tls_server *server, struct tls_client *client, const char *host, int version);
void pair_free(struct pair *pair);
/* Steps of both sides until both are done, or one has failed: false. */
bool pair_meets(const struct pair *pair);
/* Steps until both are done. */
void pair_shake_hands(const struct pair *pair);

#endif
