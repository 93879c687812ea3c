/* See world.h. */
#include "world.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/tls_context.h"

/* --- certificates --- */

static X509 *read_certificate(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	assert_non_null(certificate);
	return certificate;
}

static EVP_PKEY *read_key(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	BIO_free(bio);
	assert_non_null(key);
	return key;
}

static char *bio_text(BIO *bio)
{
	char *data, *text;
	long size = BIO_get_mem_data(bio, &data);

	text = strndup(data, (size_t)size);
	BIO_free(bio);
	return text;
}

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	assert_non_null(extension);
	assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static void add_names(X509 *certificate, X509 *issuer, const char *name)
{
	char alternative[128];
	struct in_addr address;

	snprintf(alternative, sizeof(alternative), "%s:%s",
		 strncmp(name, "urn:", 4) == 0             ? "URI"
		 : inet_pton(AF_INET, name, &address) == 1 ? "IP"
							   : "DNS",
		 name);
	add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE");
	add_extension(certificate, issuer, NID_subject_alt_name, alternative);
}

struct pem pem_make(const char *name, const struct pem *issuer, long from_s, long until_s)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	EVP_PKEY *issuer_key = issuer != NULL ? read_key(issuer->key) : key;
	X509 *certificate = X509_new();
	X509 *issuer_certificate = issuer != NULL ? read_certificate(issuer->certificate) : certificate;
	X509_NAME *subject = X509_get_subject_name(certificate);
	BIO *out = BIO_new(BIO_s_mem());
	struct pem pem;
	uint32_t serial;

	RAND_bytes((uint8_t *)&serial, sizeof(serial));
	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial >> 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), from_s);
	X509_gmtime_adj(X509_getm_notAfter(certificate), until_s);
	X509_set_pubkey(certificate, key);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const uint8_t *)name, -1, -1, 0);
	X509_set_issuer_name(certificate, X509_get_subject_name(issuer_certificate));
	if (issuer == NULL)
		add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
	else
		add_names(certificate, issuer_certificate, name);
	assert_true(X509_sign(certificate, issuer_key, EVP_sha256()) > 0);
	assert_true(tls_certificate_fingerprint(certificate, pem.fingerprint));
	PEM_write_bio_X509(out, certificate);
	if (issuer != NULL)
		PEM_write_bio_X509(out, issuer_certificate);
	pem.certificate = bio_text(out);
	out = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL);
	pem.key = bio_text(out);
	if (issuer != NULL) {
		EVP_PKEY_free(issuer_key);
		X509_free(issuer_certificate);
	}
	EVP_PKEY_free(key);
	X509_free(certificate);
	return pem;
}

void pem_free(struct pem *pem)
{
	free(pem->certificate);
	free(pem->key);
}

struct tls_server *pem_server(const struct pem *shown, const struct pem *ca)
{
	uint8_t ticket_key[TLS_TICKET_KEY_BYTES];
	struct tls_server *server;
	struct err err = { 0 };

	RAND_bytes(ticket_key, sizeof(ticket_key));
	server = tls_server_new(shown->certificate, shown->key, ca != NULL ? ca->certificate : NULL, ticket_key, &err);
	if (server == NULL)
		fail_msg("%s", err.text);
	return server;
}

void pki_make(struct pki *pki)
{
	pki->ca = pem_make("Test CA", NULL, -3600, 3600);
	pki->server = pem_make("127.0.0.1", &pki->ca, -3600, 3600);
	pki->client = pem_make("computer", &pki->ca, -3600, 3600);
}

void pki_free(struct pki *pki)
{
	pem_free(&pki->ca);
	pem_free(&pki->server);
	pem_free(&pki->client);
}

/* --- server --- */

void world_init(struct world *world)
{
	*world = (struct world){ .limits = http_limits_default, .count = 1 };
	pki_make(&world->pki);
	world->server_certificate = world->pki.server.certificate;
	world->server_key = world->pki.server.key;
}

static pthread_t threads[LOOPS_MAX];

static void *run_loop(void *argument)
{
	loop_run(argument);
	return NULL;
}

void world_start(struct world *world)
{
	uint8_t ticket_key[TLS_TICKET_KEY_BYTES];
	struct err err = { 0 };

	RAND_bytes(ticket_key, sizeof(ticket_key));
	for (size_t i = 0; i < world->count; i++) {
		world->loops[i] = loop_new(&err);
		world->tls[i] = tls_server_new(world->server_certificate, world->server_key, world->pki.ca.certificate,
					       ticket_key, &err);
		if (world->tls[i] == NULL)
			fail_msg("%s", err.text);
	}
	world->server = http_server_new(world->loops, world->tls, world->count, &world->limits, &world->handlers, &err);
	if (http_server_listen(world->server, "127.0.0.1:0", &world->port, &err) != 0)
		fail_msg("%s", err.text);
	world->loop = loop_new(&err);
	for (size_t i = 0; i < world->count; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_loop, world->loops[i]), 0);
	world->running = true;
}

void world_end(struct world *world)
{
	for (size_t i = 0; i < world->count && world->running; i++) {
		loop_stop(world->loops[i]);
		pthread_join(threads[i], NULL);
	}
	http_server_free(world->server);
	for (size_t i = 0; i < world->count; i++) {
		tls_server_free(world->tls[i]);
		loop_free(world->loops[i]);
	}
	loop_free(world->loop);
	pki_free(&world->pki);
}

/* --- client --- */

void got_answer(void *argument, const struct http_answer *answer)
{
	struct got *got = argument;

	got->count++;
	got->status = answer->status;
	got->err = *answer->err;
	got->retry_after = answer->retry_after;
	got->resumed = answer->resumed;
	snprintf(got->content_type, sizeof(got->content_type), "%s",
		 answer->content_type != NULL ? answer->content_type : "");
	buf_done(&got->body);
	buf_init(&got->body, 16 * MIB);
	buf_append(&got->body, answer->body, answer->size);
	loop_stop(got->loop);
}

void world_ask(struct world *world, struct http_client *client, const char *method, const char *path,
	       const char *headers, const char *body_text, struct got *got)
{
	struct http_body body = { .fd = -1 };
	struct err err = { 0 };

	got->loop = world->loop;
	got->count = 0;
	if (body_text != NULL) {
		body.bytes = body_text;
		body.size = strlen(body_text);
	}
	if (http_client_send(client, method, path, headers, body_text != NULL ? &body : NULL, 20 * SECOND_US,
			     got_answer, got, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(got->count, 0);
	loop_run(world->loop);
	assert_int_equal(got->count, 1);
}

struct tls_client *world_tls(struct world *world, bool certified)
{
	const struct tls_client_options options = {
		.ca_pem = world->pki.ca.certificate,
		.certificate_pem = certified ? world->pki.client.certificate : NULL,
		.key_pem = certified ? world->pki.client.key : NULL,
	};
	struct err err = { 0 };
	struct tls_client *tls = tls_client_new(&options, &err);

	if (tls == NULL)
		fail_msg("%s", err.text);
	return tls;
}

struct http_client *world_client(struct world *world, struct tls_client *tls)
{
	const struct http_client_options options = {
		.host = "127.0.0.1", .port = world->port, .tls = tls, .reply_max_bytes = 4 * MIB
	};

	return http_client_new(world->loop, &options, NULL);
}

/* --- raw connections --- */

struct raw {
	SSL_CTX *context;
	SSL *ssl;
	int fd;
	struct buf got;
};

struct raw *raw_connect(struct world *world)
{
	struct raw *raw = calloc(1, sizeof(*raw));
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(world->port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { .tv_sec = 20 };

	buf_init(&raw->got, 1 * MIB);
	raw->context = SSL_CTX_new(TLS_client_method());
	raw->ssl = SSL_new(raw->context);
	raw->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(raw->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(raw->fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		raw_close(raw);
		return NULL;
	}
	SSL_set_fd(raw->ssl, raw->fd);
	return raw;
}

struct raw *raw_open(struct world *world)
{
	struct raw *raw = raw_connect(world);

	assert_non_null(raw);
	assert_int_equal(SSL_connect(raw->ssl), 1);
	return raw;
}

long raw_read_plain(struct raw *raw, char *byte)
{
	return read(raw->fd, byte, 1);
}

void raw_send(struct raw *raw, const char *text)
{
	if (text[0] != '\0')
		assert_int_equal(SSL_write(raw->ssl, text, (int)strlen(text)), (int)strlen(text));
}

static bool read_some(struct raw *raw)
{
	char piece[4096];
	int size = SSL_read(raw->ssl, piece, sizeof(piece));

	if (size > 0)
		buf_append(&raw->got, piece, (size_t)size);
	else if (SSL_get_error(raw->ssl, size) == SSL_ERROR_WANT_READ)
		fail_msg("the server neither answers nor closes; so far: %s", buf_text(&raw->got));
	return size > 0;
}

const char *raw_read_all(struct raw *raw)
{
	while (read_some(raw))
		;
	ERR_clear_error();
	return buf_text(&raw->got);
}

const char *raw_read_until(struct raw *raw, const char *until)
{
	while (strstr(buf_text(&raw->got), until) == NULL)
		if (!read_some(raw))
			fail_msg("closed before \"%s\"; so far: %s", until, buf_text(&raw->got));
	return buf_text(&raw->got);
}

void raw_end_sending(struct raw *raw)
{
	shutdown(raw->fd, SHUT_WR);
}

void raw_close(struct raw *raw)
{
	close(raw->fd);
	SSL_free(raw->ssl);
	SSL_CTX_free(raw->context);
	buf_done(&raw->got);
	free(raw);
}

void wait_until(bool (*holds)(void *argument), void *argument)
{
	for (int i = 0; i < 20000; i++) {
		if (holds(argument))
			return;
		poll(NULL, 0, 1);
	}
	fail_msg("what was waited for did not happen");
}
