/* PEM in and out, key kinds, and OpenSSL's reasons in our words. */
#include "trust/openssl.h"

#include <string.h>
#include <time.h>

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>

int openssl_fail(struct err *err, int code, const char *what)
{
	unsigned long reason = ERR_peek_last_error();
	const char *words = reason != 0 ? ERR_reason_error_string(reason) : NULL;

	ERR_clear_error();
	return err_set(err, code, "%s%s%s", what, words != NULL ? ": " : "", words != NULL ? words : "");
}

/* An encrypted key is one that we cannot use; nobody is asked on a terminal. */
static int no_passphrase(char *text, int size, int writing, void *context)
{
	(void)text;
	(void)size;
	(void)writing;
	(void)context;
	return -1;
}

static BIO *bio_of(const void *bytes, size_t size)
{
	return size <= INT_MAX ? BIO_new_mem_buf(bytes, (int)size) : NULL;
}

/* Forms in which administrators get keys and certificates; the first word of each message is what OpenSSL missed. */
const char *openssl_not_pem(const void *bytes, size_t size, bool key)
{
	static const char protected_word[] = "ENCRYPTED";

	if (size > 0 && *(const uint8_t *)bytes == 0x30) /* a SEQUENCE, with which all of them begin */
		return key ? "no private key in PEM form, but in a binary one (`openssl pkey -inform DER -in FILE -out "
			     "NEW`, or `openssl pkcs12 -nodes -nocerts -in FILE -out NEW`, writes it as PEM)"
			   : "no certificate in PEM form, but in a binary one (`openssl x509 -inform DER -in FILE -out "
			     "NEW`, or `openssl pkcs12 -nokeys -in FILE -out NEW`, writes it as PEM)";
	if (key && memmem(bytes, size, protected_word, sizeof(protected_word) - 1) != NULL)
		return "the private key is under a password, and nobody is there to type it (`openssl pkey -in FILE "
		       "-out NEW` writes it without)";
	return key ? "no private key in PEM form" : "no certificate in PEM form";
}

EVP_PKEY *openssl_key_parse(const void *pem, size_t size, struct err *err)
{
	BIO *bio = bio_of(pem, size);
	EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

	BIO_free(bio);
	if (key == NULL)
		openssl_fail(err, ERR_FORMAT, openssl_not_pem(pem, size, true));
	return key;
}

int openssl_bio_take(BIO *bio, struct buf *out, struct err *err)
{
	char *bytes;
	long size = BIO_get_mem_data(bio, &bytes);
	int status = size > 0 ? buf_append(out, bytes, (size_t)size) : ERR_MEMORY;

	BIO_free(bio);
	return status == 0 ? 0 : err_set(err, status, "no room for %ld bytes of PEM", size);
}

int openssl_key_pem(const EVP_PKEY *key, struct buf *out, struct err *err)
{
	BIO *bio = BIO_new(BIO_s_mem());

	if (bio == NULL || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
		BIO_free(bio);
		return openssl_fail(err, ERR_MEMORY, "cannot write a private key");
	}
	return openssl_bio_take(bio, out, err);
}

EVP_PKEY *openssl_key_p256(struct err *err)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	if (key == NULL)
		openssl_fail(err, ERR_INTERNAL, "cannot make a P-256 key");
	return key;
}

EVP_PKEY *openssl_key_rsa(unsigned bits, struct err *err)
{
	EVP_PKEY *key = EVP_RSA_gen(bits);

	if (key == NULL)
		openssl_fail(err, ERR_INTERNAL, "cannot make an RSA key");
	return key;
}

bool openssl_key_is_p256(const EVP_PKEY *key)
{
	char group[32];

	return EVP_PKEY_is_a(key, "EC") == 1 && EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
	       strcmp(group, "prime256v1") == 0;
}

bool openssl_key_is_ed25519(const EVP_PKEY *key)
{
	return EVP_PKEY_is_a(key, "ED25519") == 1;
}

bool openssl_key_is_rsa(const EVP_PKEY *key)
{
	return EVP_PKEY_is_a(key, "RSA") == 1;
}

const EVP_MD *openssl_key_digest(const EVP_PKEY *key)
{
	return openssl_key_is_ed25519(key) ? NULL : EVP_sha256();
}

X509 *openssl_certificate_parse(const void *pem, size_t size, struct err *err)
{
	BIO *bio = bio_of(pem, size);
	X509 *certificate = bio != NULL ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;

	BIO_free(bio);
	if (certificate == NULL)
		openssl_fail(err, ERR_FORMAT, "no certificate in PEM form");
	return certificate;
}

int openssl_moment(const ASN1_TIME *asn1, time_us *ret_moment)
{
	struct tm parts;

	if (ASN1_TIME_to_tm(asn1, &parts) != 1)
		return ERR_FORMAT;
	*ret_moment = (time_us)timegm(&parts) * SECOND_US;
	return 0;
}

STACK_OF(X509) * openssl_certificates_parse(const void *pem, size_t size, struct err *err)
{
	BIO *bio = size <= INT_MAX ? BIO_new_mem_buf(pem, (int)size) : NULL;
	STACK_OF(X509) *all = sk_X509_new_null();
	X509 *one;

	while (bio != NULL && all != NULL && (one = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		if (sk_X509_push(all, one) <= 0) {
			X509_free(one);
			break;
		}
	}
	BIO_free(bio);
	ERR_clear_error();
	if (all != NULL && sk_X509_num(all) > 0)
		return all;
	sk_X509_free(all);
	err_set(err, ERR_FORMAT, "no certificate in PEM form");
	return NULL;
}

int openssl_certificate_pem(const X509 *certificate, struct buf *out, struct err *err)
{
	BIO *bio = BIO_new(BIO_s_mem());

	if (bio == NULL || PEM_write_bio_X509(bio, certificate) != 1) {
		BIO_free(bio);
		return openssl_fail(err, ERR_MEMORY, "cannot write a certificate");
	}
	return openssl_bio_take(bio, out, err);
}
