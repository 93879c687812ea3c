/* Channel binding (net/tls_channel.h). */
#include "net/tls_channel.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <string.h>

#include "net/tls_context.h"

/* Without extended master secret somebody in between can have the same master secret, and with it the same exported
 * value, on a connection to either end (the triple handshake; RFC 9266, section 4.2). */
static int check_bound(SSL *ssl, struct err *err)
{
	int version = SSL_version(ssl);

	if (version == TLS1_3_VERSION)
		return 0;
	if (version != TLS1_2_VERSION)
		return err_set(
		    err, ERR_VERSION,
		    "the connection is %s: nothing can be signed for it that counts for it alone; TLS 1.3 is "
		    "needed here, or TLS 1.2 with extended master secret",
		    SSL_get_version(ssl));
	if (SSL_get_extms_support(ssl) != 1)
		return err_set(
		    err, ERR_VERSION,
		    "the connection is TLS 1.2 without extended master secret (RFC 7627): who stands between "
		    "could pass on what is signed for it; that extension or TLS 1.3 is needed here");
	return 0;
}

int tls_channel_export(struct ssl_st *ssl, const char *label, uint8_t *out, size_t size, struct err *err)
{
	int rc = check_bound(ssl, err);

	if (rc != 0)
		return rc;
	if (SSL_export_keying_material(ssl, out, size, label, strlen(label), NULL, 0, 0) != 1)
		return tls_library_error(err, ERR_TLS, "a value of the TLS connection");
	return 0;
}

int tls_channel_peer(struct ssl_st *ssl, struct buf *out, struct err *err)
{
	X509 *certificate = SSL_get0_peer_certificate(ssl);
	BIO *memory = certificate != NULL ? BIO_new(BIO_s_mem()) : NULL;
	char *text = NULL;
	long size = 0;
	int rc = 0;

	if (certificate == NULL)
		return err_set(err, ERR_NOT_FOUND, "the peer showed no certificate");
	if (memory == NULL || PEM_write_bio_X509(memory, certificate) != 1)
		rc = tls_library_error(err, ERR_MEMORY, "the peer's certificate");
	else
		size = BIO_get_mem_data(memory, &text);
	if (rc == 0 && buf_append(out, text, (size_t)size) != 0)
		rc = err_set(err, out->status, "the peer's certificate is too large");
	BIO_free(memory);
	return rc;
}
