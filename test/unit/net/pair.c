/* See pair.h. */
#include "pair.h"

#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define STEPS_MAX 10

struct pair pair_new(struct tls_server *server, struct tls_client *client, const char *host, int version)
{
	struct pair pair = {
		.server = tls_server_connection(server),
		.client = tls_client_connection(client, host),
		.to_server = BIO_new(BIO_s_mem()),
		.to_client = BIO_new(BIO_s_mem()),
	};

	BIO_up_ref(pair.to_server);
	BIO_up_ref(pair.to_client);
	SSL_set_bio(pair.server, pair.to_server, pair.to_client);
	SSL_set_bio(pair.client, pair.to_client, pair.to_server);
	SSL_set_max_proto_version(pair.client, version);
	return pair;
}

void pair_free(struct pair *pair)
{
	SSL_set_shutdown(pair->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(pair->client);
	SSL_free(pair->server);
	ERR_clear_error();
}

bool pair_meets(const struct pair *pair)
{
	int client = 0, server = 0;

	for (int i = 0; i < STEPS_MAX && (client != 1 || server != 1); i++) {
		ERR_clear_error();
		client = SSL_do_handshake(pair->client);
		if (client != 1 && SSL_get_error(pair->client, client) == SSL_ERROR_SSL)
			return false;
		server = SSL_do_handshake(pair->server);
		if (server != 1 && SSL_get_error(pair->server, server) == SSL_ERROR_SSL)
			return false;
	}
	return client == 1 && server == 1;
}

void pair_shake_hands(const struct pair *pair)
{
	assert_true(pair_meets(pair));
}
