/* What the tests of src/net stand on: certificates made on the spot, a server
 * with its loops on threads, a client loop in the test's own thread. */
#ifndef MUSTER_TEST_NET_WORLD_H
#define MUSTER_TEST_NET_WORLD_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/buf.h"
#include "net/client.h"
#include "net/http1.h"
#include "net/server.h"

#define LOOPS_MAX 2

struct pem {
	char *certificate; /* followed by the CA's where chained */
	char *key;
	uint8_t fingerprint[SHA256_BYTES];
};

/* Validity in seconds from now; name "127.0.0.1" becomes an IP address entry, "urn:..." a URI. issuer NULL: a
 * self-signed CA. */
struct pem pem_make(const char *name, const struct pem *issuer, long from_s, long until_s);
void pem_free(struct pem *pem);

/* A TLS server that shows this certificate, its key of tickets a new one; ca: of those who have to show theirs, NULL:
 * nobody has to. */
struct tls_server *pem_server(const struct pem *shown, const struct pem *ca);

struct pki {
	struct pem ca, server, client;
};
void pki_make(struct pki *pki);
void pki_free(struct pki *pki);

/* A server; every request goes to the handler of the test. */
struct world {
	struct pki pki;
	struct http_limits limits;
	struct http_handlers handlers;
	size_t count; /* of loops */
	const char *server_certificate, *server_key;
	struct loop *loops[LOOPS_MAX];
	struct tls_server *tls[LOOPS_MAX];
	struct http_server *server;
	uint16_t port;
	struct loop *loop; /* of the test's thread */
	atomic_bool running;
};

/* Fields may be changed between the two. */
void world_init(struct world *world);
void world_start(struct world *world);
void world_end(struct world *world);

/* An answer, copied. */
struct got {
	struct loop *loop;
	unsigned count;
	int status;
	struct err err;
	struct buf body;
	span_us retry_after;
	bool resumed;
	char content_type[80];
};
void got_answer(void *argument, const struct http_answer *answer);
/* One request, waited for. body_text may be NULL. */
void world_ask(struct world *world, struct http_client *client, const char *method, const char *path,
	       const char *headers, const char *body_text, struct got *got);
/* A client of the world's server. certified: shows the client certificate. */
struct tls_client *world_tls(struct world *world, bool certified);
struct http_client *world_client(struct world *world, struct tls_client *tls);

/* A blocking TLS connection for what no proper client would send. */
struct raw;
struct raw *raw_open(struct world *world);
struct raw *raw_connect(struct world *world);     /* TCP alone; NULL if refused */
long raw_read_plain(struct raw *raw, char *byte); /* below TLS; 0 at the end, waits */
void raw_send(struct raw *raw, const char *text);
/* Reads until the peer closes; the text. */
const char *raw_read_all(struct raw *raw);
/* Reads until `until` was seen, which must happen. */
const char *raw_read_until(struct raw *raw, const char *until);
void raw_end_sending(struct raw *raw); /* of TCP, without a word of TLS */
void raw_close(struct raw *raw);

/* Waits, running nothing, until the condition holds; fails the test after 20 s. */
void wait_until(bool (*holds)(void *argument), void *argument);

#endif
