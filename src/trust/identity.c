/* Own key pairs, requests for certificates, and reading certificates. */
#include "trust/identity.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "trust/openssl.h"
#include "wire/limits.h"

/* The request names nobody: who it is for is the manager's to say. */
static int append_request(EVP_PKEY *key, struct buf *out, struct err *err)
{
	X509_REQ *request = X509_REQ_new();
	unsigned char *der = NULL;
	int size = -1;
	int status;

	if (request != NULL && X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1 &&
	    X509_REQ_set_pubkey(request, key) == 1 && X509_REQ_sign(request, key, openssl_key_digest(key)) > 0)
		size = i2d_X509_REQ(request, &der);
	X509_REQ_free(request);
	if (size < 0)
		return openssl_fail(err, ERR_INTERNAL, "cannot make a certificate request");
	status = buf_append(out, der, (size_t)size);
	OPENSSL_free(der);
	return status == 0 ? 0 : err_set(err, status, "no room for a certificate request");
}

/* Takes the key; NULL: err is set. */
static int append_identity(EVP_PKEY *key, struct buf *key_pem, struct buf *request, struct err *err)
{
	int status;

	if (key == NULL)
		return ERR_INTERNAL;
	status = append_request(key, request, err);
	if (status == 0)
		status = openssl_key_pem(key, key_pem, err);
	EVP_PKEY_free(key);
	return status;
}

int identity_make(struct buf *key_pem, struct buf *request, struct err *err)
{
	return append_identity(openssl_key_p256(err), key_pem, request, err);
}

int identity_make_rsa(struct buf *key_pem, struct buf *request, struct err *err)
{
	return append_identity(openssl_key_rsa(IDENTITY_RSA_BITS, err), key_pem, request, err);
}

int identity_request(const char *key_pem, struct buf *request, struct err *err)
{
	EVP_PKEY *key = openssl_key_parse(key_pem, strlen(key_pem), err);
	int status;

	if (key == NULL)
		return ERR_FORMAT;
	if (openssl_key_is_p256(key) || openssl_key_is_ed25519(key))
		status = append_request(key, request, err);
	else
		status = err_set(err, ERR_FORMAT, "neither a P-256 nor an Ed25519 key");
	EVP_PKEY_free(key);
	return status;
}

static bool read_urn(const GENERAL_NAME *name, struct uuid *ret_computer)
{
	static const char prefix[] = "urn:uuid:";
	const size_t prefix_length = sizeof(prefix) - 1;
	char text[UUID_TEXT_BYTES];
	const ASN1_STRING *uri;

	if (name->type != GEN_URI)
		return false;
	uri = name->d.uniformResourceIdentifier;
	if ((size_t)ASN1_STRING_length(uri) != prefix_length + UUID_TEXT_BYTES - 1 ||
	    memcmp(ASN1_STRING_get0_data(uri), prefix, prefix_length) != 0)
		return false;
	memcpy(text, ASN1_STRING_get0_data(uri) + prefix_length, UUID_TEXT_BYTES - 1);
	text[UUID_TEXT_BYTES - 1] = '\0';
	return uuid_parse(text, ret_computer, NULL) == 0;
}

static void read_computer(const X509 *certificate, struct certificate_facts *facts)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !facts->has_computer; i++)
		facts->has_computer = read_urn(sk_GENERAL_NAME_value(names, i), &facts->computer);
	GENERAL_NAMES_free(names);
}

static X509 *parse_limited(const void *pem, size_t size, int *ret_status, struct err *err)
{
	X509 *certificate;

	if (size > WIRE_CERTIFICATE_MAX_BYTES) {
		*ret_status =
		    err_set(err, ERR_LIMIT, "a certificate of %zu bytes, at most %d", size, WIRE_CERTIFICATE_MAX_BYTES);
		return NULL;
	}
	certificate = openssl_certificate_parse(pem, size, err);
	*ret_status = certificate != NULL ? 0 : ERR_FORMAT;
	return certificate;
}

int certificate_read(const void *pem, size_t size, struct certificate_facts *ret_facts, struct err *err)
{
	struct certificate_facts facts = { 0 };
	int status;
	X509 *certificate = parse_limited(pem, size, &status, err);

	if (certificate == NULL)
		return status;
	if (X509_digest(certificate, EVP_sha256(), facts.fingerprint, NULL) != 1 ||
	    openssl_moment(X509_get0_notBefore(certificate), &facts.not_before) != 0 ||
	    openssl_moment(X509_get0_notAfter(certificate), &facts.not_after) != 0)
		status = openssl_fail(err, ERR_FORMAT, "a certificate that cannot be read");
	else
		read_computer(certificate, &facts);
	X509_free(certificate);
	ERR_clear_error();
	if (status == 0)
		*ret_facts = facts;
	return status;
}

int certificate_matches_key(const char *pem, const char *key_pem, struct err *err)
{
	int status;
	X509 *certificate = parse_limited(pem, strlen(pem), &status, err);
	EVP_PKEY *key = certificate != NULL ? openssl_key_parse(key_pem, strlen(key_pem), err) : NULL;

	if (certificate != NULL && key == NULL)
		status = ERR_FORMAT;
	else if (certificate != NULL && X509_check_private_key(certificate, key) != 1)
		status = openssl_fail(err, ERR_UNTRUSTED, "certificate and key do not belong together");
	EVP_PKEY_free(key);
	X509_free(certificate);
	return status;
}

int certificate_answers(const char *pem, const void *request, size_t size, struct err *err)
{
	const uint8_t *at = request;
	int status;
	X509 *certificate = parse_limited(pem, strlen(pem), &status, err);
	X509_REQ *asked =
	    certificate != NULL && size <= WIRE_CERTIFICATE_MAX_BYTES ? d2i_X509_REQ(NULL, &at, (long)size) : NULL;

	if (certificate != NULL && asked == NULL)
		status = openssl_fail(err, ERR_FORMAT, "a request that cannot be read");
	else if (certificate != NULL && EVP_PKEY_eq(X509_get0_pubkey(certificate), X509_REQ_get0_pubkey(asked)) != 1)
		status = openssl_fail(err, ERR_UNTRUSTED, "the certificate is for another key");
	X509_REQ_free(asked);
	X509_free(certificate);
	return status;
}

static bool signed_by_any(X509 *certificate, const STACK_OF(X509) * authorities)
{
	for (int i = 0; i < sk_X509_num(authorities); i++) {
		X509 *authority = sk_X509_value(authorities, i);

		if (X509_check_issued(authority, certificate) == X509_V_OK &&
		    X509_verify(certificate, X509_get0_pubkey(authority)) == 1)
			return true;
	}
	return false;
}

int certificate_signed_by(const char *pem, const char *authority_pem, struct err *err)
{
	int status;
	X509 *certificate = parse_limited(pem, strlen(pem), &status, err);
	STACK_OF(X509) *authorities = NULL;

	if (certificate != NULL && strlen(authority_pem) > WIRE_AUTHORITY_MAX_BYTES)
		status = err_set(err, ERR_LIMIT, "authorities of %zu bytes, at most %d", strlen(authority_pem),
				 WIRE_AUTHORITY_MAX_BYTES);
	if (status == 0) {
		authorities = openssl_certificates_parse(authority_pem, strlen(authority_pem), err);
		status = authorities != NULL ? 0 : ERR_FORMAT;
	}
	if (status == 0 && !signed_by_any(certificate, authorities))
		status = openssl_fail(err, ERR_UNTRUSTED, "certificate was not issued by this authority");
	sk_X509_pop_free(authorities, X509_free);
	X509_free(certificate);
	ERR_clear_error();
	return status;
}
