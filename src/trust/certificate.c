/* What certificates say of themselves. The PEM text is untrusted, its names most of all. */
#include "trust/certificate.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/text.h"
#include "trust/openssl.h"

#define ESCAPED_MAX_BYTES 65536
#define STOP              1 /* of each(): enough was seen */

/* Cut between characters. */
static void copy_shown(const char *text, char out[CERTIFICATE_NAME_BYTES])
{
	size_t length = strlen(text);

	if (length >= CERTIFICATE_NAME_BYTES) {
		length = CERTIFICATE_NAME_BYTES - 1;
		while (length > 0 && ((uint8_t)text[length] & 0xc0) == 0x80)
			length--;
	}
	memcpy(out, text, length);
	out[length] = '\0';
}

/* Escaped once, by us: OpenSSL is told to leave control characters and others alone. */
static int show_name(const X509_NAME *name, char out[CERTIFICATE_NAME_BYTES], struct err *err)
{
	const unsigned long form = (XN_FLAG_RFC2253 & ~(unsigned long)(ASN1_STRFLGS_ESC_CTRL | ASN1_STRFLGS_ESC_MSB)) |
				   ASN1_STRFLGS_UTF8_CONVERT;
	BIO *bio = BIO_new(BIO_s_mem());
	struct buf shown;
	char *bytes;
	long size;
	int status = 0;

	if (bio == NULL || X509_NAME_print_ex(bio, name, 0, form) < 0) {
		BIO_free(bio);
		return openssl_fail(err, ERR_FORMAT, "a certificate with a name that cannot be shown");
	}
	size = BIO_get_mem_data(bio, &bytes);
	buf_init(&shown, ESCAPED_MAX_BYTES);
	text_escape(&shown, bytes, size > 0 ? (size_t)size : 0);
	if (shown.status == 0)
		copy_shown(buf_text(&shown), out);
	else
		status = err_set(err, shown.status, "a certificate with a name of %ld bytes", size);
	buf_done(&shown);
	BIO_free(bio);
	return status;
}

static void read_key_type(const X509 *certificate, struct certificate_about *about)
{
	const EVP_PKEY *key = X509_get0_pubkey(certificate);
	const char *name = key != NULL ? EVP_PKEY_get0_type_name(key) : NULL;

	snprintf(about->key_type, sizeof(about->key_type), "%s", name != NULL ? name : "");
}

static int read_one(X509 *certificate, struct certificate_about *about, struct err *err)
{
	int status = show_name(X509_get_subject_name(certificate), about->subject, err);

	if (status == 0)
		status = show_name(X509_get_issuer_name(certificate), about->issuer, err);
	if (status != 0)
		return status;
	read_key_type(certificate, about);
	about->self_signed = X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0;
	if (X509_digest(certificate, EVP_sha256(), about->fingerprint, NULL) != 1 ||
	    openssl_moment(X509_get0_notBefore(certificate), &about->not_before) != 0 ||
	    openssl_moment(X509_get0_notAfter(certificate), &about->not_after) != 0)
		return openssl_fail(err, ERR_FORMAT, "a certificate that cannot be read");
	return 0;
}

/* The text ends where no further certificate begins; anything else that stops the reader is an error. */
static bool is_end(void)
{
	unsigned long reason = ERR_peek_last_error();

	return reason == 0 || ERR_GET_REASON(reason) == PEM_R_NO_START_LINE;
}

/* Calls each() for every certificate until it returns another value than 0. */
static int walk(const void *pem, size_t size, int (*each)(void *argument, X509 *certificate, struct err *err),
		void *argument, struct err *err)
{
	BIO *bio = size <= CERTIFICATE_PEM_MAX_BYTES ? BIO_new_mem_buf(pem, (int)size) : NULL;
	X509 *certificate;
	size_t count = 0;
	int status = 0;

	if (bio == NULL)
		return err_set(err, size > CERTIFICATE_PEM_MAX_BYTES ? ERR_LIMIT : ERR_MEMORY,
			       "certificates of %zu bytes, at most %d", size, CERTIFICATE_PEM_MAX_BYTES);
	ERR_clear_error();
	while (status == 0 && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		count++;
		status = each(argument, certificate, err);
		X509_free(certificate);
	}
	if (status == 0 && (count == 0 || !is_end()))
		status = openssl_fail(err, ERR_FORMAT, openssl_not_pem(pem, size, false));
	ERR_clear_error();
	BIO_free(bio);
	return status;
}

struct telling {
	int (*each)(void *argument, const struct certificate_about *about);
	void *argument;
};

static int tell(void *argument, X509 *certificate, struct err *err)
{
	const struct telling *telling = argument;
	struct certificate_about about;
	int status = read_one(certificate, &about, err);

	return status == 0 ? telling->each(telling->argument, &about) : status;
}

int certificate_each(const void *pem, size_t size, int (*each)(void *argument, const struct certificate_about *about),
		     void *argument, struct err *err)
{
	struct telling telling = { each, argument };

	return walk(pem, size, tell, &telling, err);
}

static int copy_one(void *argument, X509 *certificate, struct err *err)
{
	return openssl_certificate_pem(certificate, argument, err);
}

int certificate_copy(const void *pem, size_t size, struct buf *out, struct err *err)
{
	return walk(pem, size, copy_one, out, err);
}

int certificate_key_copy(const void *pem, size_t size, struct buf *out, struct err *err)
{
	EVP_PKEY *key = openssl_key_parse(pem, size, err);
	int status = key != NULL ? openssl_key_pem(key, out, err) : ERR_FORMAT;

	EVP_PKEY_free(key);
	return status;
}

static int keep_first(void *argument, const struct certificate_about *about)
{
	*(struct certificate_about *)argument = *about;
	return STOP;
}

int certificate_about(const void *pem, size_t size, struct certificate_about *ret_about, struct err *err)
{
	int status = certificate_each(pem, size, keep_first, ret_about, err);

	return status == STOP ? 0 : status;
}
