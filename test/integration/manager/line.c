/* A connection of an agent, byte by byte (line.h). */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "line.h"

#define PATIENCE_S 60

SSL_CTX *line_context(const struct agent *agent, const SSL_METHOD *method)
{
	SSL_CTX *context = SSL_CTX_new(method);
	BIO *bio = BIO_new_mem_buf(agent->certificate, -1);
	X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	EVP_PKEY *key;

	BIO_free(bio);
	bio = BIO_new_mem_buf(agent->key.data, (int)agent->key.size);
	key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	BIO_free(bio);
	assert_int_equal(SSL_CTX_use_certificate(context, certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return context;
}

void line_patience(int fd)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
}

bool line_try(struct line *line, const struct agent *agent)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
					     .sin_port = htons(agent->fixture->port),
					     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	line->context = line_context(agent, TLS_client_method());
	line->ssl = SSL_new(line->context);
	line->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	line_patience(line->fd);
	if (connect(line->fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
	    SSL_set_fd(line->ssl, line->fd) == 1 && SSL_connect(line->ssl) == 1)
		return true;
	line_done(line);
	return false;
}

void line_open(struct line *line, const struct agent *agent)
{
	assert_true(line_try(line, agent));
}

void line_say(struct line *line, const char *headers, const void *body, size_t size)
{
	assert_true(SSL_write(line->ssl, headers, (int)strlen(headers)) > 0);
	assert_true(size == 0 || SSL_write(line->ssl, body, (int)size) > 0);
}

void line_end(struct line *line, char *said, size_t capacity)
{
	size_t size = 0;
	int got;

	do {
		got = SSL_read(line->ssl, said + size, (int)(capacity - 1 - size));
		size += got > 0 ? (size_t)got : 0;
	} while (got > 0 && size < capacity - 1);
	said[size] = '\0';
	if (got <= 0 && SSL_get_error(line->ssl, got) == SSL_ERROR_WANT_READ)
		fail_msg("the connection is still open");
}

void line_done(struct line *line)
{
	SSL_free(line->ssl);
	SSL_CTX_free(line->context);
	close(line->fd);
}
