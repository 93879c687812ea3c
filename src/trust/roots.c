/* Roots that follow one another. What is given is untrusted; dates are not looked at: they are those of the
 * authority, whose clock may have been another than ours. */
#include "trust/roots.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "trust/openssl.h"
#include "wire/limits.h"

#define ROOTS_MAX 64

struct following {
	STACK_OF(X509) * given;
	bool good[ROOTS_MAX]; /* the given one of this number is a root to trust */
};

static bool is_root(X509 *certificate)
{
	return X509_check_ca(certificate) == 1 && X509_self_signed(certificate, 1) == 1;
}

static bool signed_by(X509 *certificate, X509 *issuer)
{
	return X509_check_issued(issuer, certificate) == X509_V_OK &&
	       X509_verify(certificate, X509_get0_pubkey(issuer)) == 1;
}

/* link says of root's very key that it is an authority of that name. */
static bool speaks_of(X509 *link, X509 *root)
{
	return X509_check_ca(link) == 1 && X509_self_signed(link, 0) != 1 &&
	       X509_NAME_cmp(X509_get_subject_name(link), X509_get_subject_name(root)) == 0 &&
	       EVP_PKEY_eq(X509_get0_pubkey(link), X509_get0_pubkey(root)) == 1;
}

static bool is_among(X509 *root, const STACK_OF(X509) * trusted)
{
	for (int i = 0; i < sk_X509_num(trusted); i++) {
		if (X509_cmp(root, sk_X509_value(trusted, i)) == 0)
			return true;
	}
	return false;
}

static bool has_signed(const STACK_OF(X509) * trusted, X509 *link)
{
	for (int i = 0; i < sk_X509_num(trusted); i++) {
		if (is_root(sk_X509_value(trusted, i)) && signed_by(link, sk_X509_value(trusted, i)))
			return true;
	}
	return false;
}

/* A certificate that is given for this root's key, by a trusted root or by one that follows it. */
static bool follows(const struct following *following, const STACK_OF(X509) * trusted, X509 *root)
{
	for (int i = 0; i < sk_X509_num(following->given); i++) {
		X509 *link = sk_X509_value(following->given, i);

		if (!speaks_of(link, root))
			continue;
		if (has_signed(trusted, link))
			return true;
		for (int k = 0; k < sk_X509_num(following->given); k++) {
			if (following->good[k] && signed_by(link, sk_X509_value(following->given, k)))
				return true;
		}
	}
	return false;
}

static bool add_one(struct following *following, const STACK_OF(X509) * trusted)
{
	for (int i = 0; i < sk_X509_num(following->given); i++) {
		X509 *root = sk_X509_value(following->given, i);

		if (following->good[i] || !is_root(root) ||
		    (!is_among(root, trusted) && !follows(following, trusted, root)))
			continue;
		following->good[i] = true;
		return true;
	}
	return false;
}

static int append_good(const struct following *following, struct buf *out, struct err *err)
{
	int status = 0, count = 0;

	for (int i = 0; i < sk_X509_num(following->given) && status == 0; i++) {
		if (!following->good[i])
			continue;
		status = openssl_certificate_pem(sk_X509_value(following->given, i), out, err);
		count++;
	}
	return status == 0 && count == 0
		   ? err_set(err, ERR_UNTRUSTED, "none of the authorities follows one that is trusted")
		   : status;
}

int roots_follow(const char *trusted_pem, const char *given_pem, struct buf *out, struct err *err)
{
	struct following following = { .given = NULL };
	STACK_OF(X509) *trusted = NULL;
	int status = 0;

	if (strlen(given_pem) > WIRE_AUTHORITY_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "authorities of more than %d bytes", WIRE_AUTHORITY_MAX_BYTES);
	following.given = openssl_certificates_parse(given_pem, strlen(given_pem), err);
	if (following.given != NULL)
		trusted = openssl_certificates_parse(trusted_pem, strlen(trusted_pem), err);
	if (trusted == NULL)
		status = ERR_FORMAT;
	else if (sk_X509_num(following.given) > ROOTS_MAX)
		status = err_set(err, ERR_LIMIT, "more than %d authorities", ROOTS_MAX);
	while (status == 0 && add_one(&following, trusted))
		;
	if (status == 0)
		status = append_good(&following, out, err);
	sk_X509_pop_free(following.given, X509_free);
	sk_X509_pop_free(trusted, X509_free);
	ERR_clear_error();
	return status;
}

static int split(const STACK_OF(X509) * all, struct buf *first, struct buf *roots, struct buf *links, struct err *err)
{
	int status = 0;

	for (int i = 0; status == 0 && i < sk_X509_num(all); i++) {
		X509 *certificate = sk_X509_value(all, i);
		bool root = is_root(certificate);

		if (root && roots->size == 0)
			status = openssl_certificate_pem(certificate, first, err);
		if (status == 0)
			status = openssl_certificate_pem(certificate, root ? roots : links, err);
	}
	return status == 0 && roots->size == 0 ? err_set(err, ERR_FORMAT, "no root of an authority") : status;
}

int roots_split(const char *pem, struct buf *first, struct buf *roots, struct buf *links, struct err *err)
{
	STACK_OF(X509) *all = openssl_certificates_parse(pem, strlen(pem), err);
	int status = all != NULL ? split(all, first, roots, links, err) : ERR_FORMAT;

	sk_X509_pop_free(all, X509_free);
	ERR_clear_error();
	return status;
}

int roots_find(const char *pem, const uint8_t fingerprint[SHA256_BYTES], struct buf *out, struct err *err)
{
	STACK_OF(X509) *all = openssl_certificates_parse(pem, strlen(pem), err);
	X509 *found = NULL;
	int status = ERR_FORMAT;

	for (int i = 0; found == NULL && i < sk_X509_num(all); i++) {
		X509 *certificate = sk_X509_value(all, i);
		uint8_t print[SHA256_BYTES];

		if (is_root(certificate) && X509_digest(certificate, EVP_sha256(), print, NULL) == 1 &&
		    memcmp(print, fingerprint, SHA256_BYTES) == 0)
			found = certificate;
	}
	if (found != NULL)
		status = openssl_certificate_pem(found, out, err);
	else if (all != NULL)
		status = err_set(err, ERR_UNTRUSTED, "no root with this fingerprint");
	sk_X509_pop_free(all, X509_free);
	ERR_clear_error();
	return status;
}
