/* The certificate authority. Requests come from outside. */
#include "trust/authority.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/text.h"
#include "trust/identity.h"
#include "trust/openssl.h"
#include "trust/random.h"
#include "trust/secret_file.h"
#include "wire/limits.h"

#define SERIAL_BYTES         16
#define NAME_MAX_BYTES       64 /* ub-common-name */
#define HOST_NAME_MAX_BYTES  253
#define HOST_LABEL_MAX_BYTES 63

struct authority {
	EVP_PKEY *key;
	X509 *certificate;
};

struct extension {
	int nid;
	const char *value; /* OpenSSL's configuration syntax; always a text of ours, never outside input */
};

static const struct extension root_extensions[] = {
	{ NID_basic_constraints, "critical,CA:TRUE,pathlen:0" },
	{ NID_key_usage, "critical,keyCertSign,cRLSign" },
	{ NID_subject_key_identifier, "hash" },
	{ 0, NULL },
};
/* What the one before says of its successor's key. The names are the same, so that the path is not longer by it. */
static const struct extension link_extensions[] = {
	{ NID_basic_constraints, "critical,CA:TRUE,pathlen:0" },
	{ NID_key_usage, "critical,keyCertSign,cRLSign" },
	{ NID_subject_key_identifier, "hash" },
	{ NID_authority_key_identifier, "keyid:always" },
	{ 0, NULL },
};
static const struct extension agent_extensions[] = {
	{ NID_basic_constraints, "critical,CA:FALSE" },
	{ NID_key_usage, "critical,digitalSignature" },
	{ NID_ext_key_usage, "clientAuth" },
	{ NID_subject_key_identifier, "hash" },
	{ NID_authority_key_identifier, "keyid:always" },
	{ 0, NULL },
};
/* Where the client encrypts to the server's RSA key: before TLS 1.3, without forward secrecy. */
static const struct extension server_rsa_extensions[] = {
	{ NID_basic_constraints, "critical,CA:FALSE" },
	{ NID_key_usage, "critical,digitalSignature,keyEncipherment" },
	{ NID_ext_key_usage, "serverAuth" },
	{ NID_subject_key_identifier, "hash" },
	{ NID_authority_key_identifier, "keyid:always" },
	{ 0, NULL },
};
static const struct extension server_extensions[] = {
	{ NID_basic_constraints, "critical,CA:FALSE" },   { NID_key_usage, "critical,digitalSignature" },
	{ NID_ext_key_usage, "serverAuth,clientAuth" },   { NID_subject_key_identifier, "hash" },
	{ NID_authority_key_identifier, "keyid:always" }, { 0, NULL },
};

static bool set_serial(X509 *certificate)
{
	uint8_t bytes[SERIAL_BYTES];
	BIGNUM *number;
	bool done;

	random_fill(NULL, bytes, sizeof(bytes));
	bytes[0] |= 0x40; /* never short, never zero */
	number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	done = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
	BN_free(number);
	return done;
}

static bool set_dates(X509 *certificate, time_us now, time_us last)
{
	time_us first = now - AUTHORITY_BACKDATE_US;

	return ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)(first / SECOND_US)) != NULL &&
	       ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)(last / SECOND_US)) != NULL;
}

static bool set_common_name(X509 *certificate, const char *name)
{
	return X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
					  (const unsigned char *)name, -1, -1, 0) == 1;
}

static bool add_extensions(X509 *certificate, X509 *issuer, const struct extension *extensions)
{
	X509V3_CTX context;
	bool done = true;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	for (; extensions->value != NULL && done; extensions++) {
		X509_EXTENSION *made = X509V3_EXT_conf_nid(NULL, &context, extensions->nid, extensions->value);

		done = made != NULL && X509_add_ext(certificate, made, -1) == 1;
		X509_EXTENSION_free(made);
	}
	return done;
}

/* A certificate with everything but names and signature. NULL on failure. */
static X509 *certificate_new(X509 *issuer, EVP_PKEY *key, const char *common_name, time_us now, time_us last,
			     const struct extension *extensions)
{
	X509 *made = X509_new();

	if (made != NULL && X509_set_version(made, X509_VERSION_3) == 1 && set_serial(made) &&
	    set_dates(made, now, last) && set_common_name(made, common_name) && X509_set_pubkey(made, key) == 1 &&
	    X509_set_issuer_name(made, X509_get_subject_name(issuer != NULL ? issuer : made)) == 1 &&
	    add_extensions(made, issuer != NULL ? issuer : made, extensions))
		return made;
	X509_free(made);
	return NULL;
}

/* Takes over key and certificate, also on failure. */
static int authority_new(EVP_PKEY *key, X509 *certificate, struct authority **ret_authority, struct err *err)
{
	struct authority *made = malloc(sizeof(*made));

	if (made == NULL) {
		EVP_PKEY_free(key);
		X509_free(certificate);
		return err_set(err, ERR_MEMORY, "certificate authority: out of memory");
	}
	*made = (struct authority){ .key = key, .certificate = certificate };
	*ret_authority = made;
	return 0;
}

int authority_generate(const char *name, time_us now, struct authority **ret_authority, struct err *err)
{
	EVP_PKEY *key;
	X509 *certificate;

	if (strlen(name) > NAME_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "an authority's name has at most %d bytes", NAME_MAX_BYTES);
	if (!text_is_name(name, NAME_MAX_BYTES))
		return err_set(err, ERR_FORMAT, "an authority's name is printable text");
	key = openssl_key_p256(err);
	if (key == NULL)
		return ERR_INTERNAL;
	certificate = certificate_new(NULL, key, name, now, now + AUTHORITY_VALIDITY_DAYS * DAY_US, root_extensions);
	if (certificate == NULL || X509_sign(certificate, key, EVP_sha256()) == 0) {
		X509_free(certificate);
		EVP_PKEY_free(key);
		return openssl_fail(err, ERR_INTERNAL, "cannot make the root certificate");
	}
	return authority_new(key, certificate, ret_authority, err);
}

time_us authority_end(const struct authority *authority)
{
	time_us end;

	return openssl_moment(X509_get0_notAfter(authority->certificate), &end) == 0 ? end : 0;
}

/* The old one says once more, in a certificate, whose the new key is. */
static int append_link(const struct authority *old, const struct authority *next, const char *name, time_us now,
		       struct buf *out, struct err *err)
{
	X509 *made = certificate_new(old->certificate, next->key, name, now, authority_end(old), link_extensions);
	int status;

	if (made == NULL || X509_sign(made, old->key, EVP_sha256()) == 0)
		status = openssl_fail(err, ERR_INTERNAL, "cannot make the certificate that leads to the next root");
	else
		status = openssl_certificate_pem(made, out, err);
	X509_free(made);
	return status;
}

int authority_succeed(const struct authority *old, time_us now, struct authority **ret_next, struct buf *link,
		      struct err *err)
{
	char name[NAME_MAX_BYTES + 1];
	struct authority *next = NULL;
	int status;

	if (X509_NAME_get_text_by_NID(X509_get_subject_name(old->certificate), NID_commonName, name, sizeof(name)) <= 0)
		return openssl_fail(err, ERR_FORMAT, "the root has no name");
	status = authority_generate(name, now, &next, err);
	if (status != 0 || next == NULL)
		return status;
	status = append_link(old, next, name, now, link, err);
	if (status != 0)
		authority_free(next);
	else
		*ret_next = next;
	return status;
}

int authority_store(const struct authority *authority, const char *key_path, const char *certificate_path,
		    struct err *err)
{
	struct buf pem;
	int status;

	buf_init(&pem, SECRET_FILE_MAX_BYTES);
	status = openssl_key_pem(authority->key, &pem, err);
	if (status == 0)
		status = secret_file_write(key_path, pem.data, pem.size, 0600, err);
	buf_wipe(&pem);
	if (status == 0)
		status = authority_pem(authority, &pem, err);
	if (status == 0)
		status = secret_file_write(certificate_path, pem.data, pem.size, 0644, err);
	buf_done(&pem);
	return status;
}

static int load_parts(const char *key_path, const char *certificate_path, EVP_PKEY **key, X509 **certificate,
		      struct err *err)
{
	struct buf pem;
	int status;

	buf_init(&pem, SECRET_FILE_MAX_BYTES);
	status = secret_file_read(key_path, true, &pem, err);
	if (status == 0 && (*key = openssl_key_parse(pem.data, pem.size, err)) == NULL)
		status = err_add(err, ERR_FORMAT, "%s", key_path);
	buf_wipe(&pem);
	if (status == 0)
		status = secret_file_read(certificate_path, false, &pem, err);
	if (status == 0 && (*certificate = openssl_certificate_parse(pem.data, pem.size, err)) == NULL)
		status = err_add(err, ERR_FORMAT, "%s", certificate_path);
	buf_done(&pem);
	return status;
}

int authority_of(EVP_PKEY *key, X509 *root, struct authority **ret_authority, struct err *err)
{
	int status = 0;

	if (root == NULL || X509_check_private_key(root, key) != 1)
		status = openssl_fail(err, ERR_UNTRUSTED, "the authority's key and certificate do not belong together");
	else if (!openssl_key_is_p256(key) || X509_check_ca(root) != 1)
		status = openssl_fail(err, ERR_UNTRUSTED, "not the certificate of an authority with a P-256 key");
	if (status == 0)
		return authority_new(key, root, ret_authority, err);
	EVP_PKEY_free(key);
	X509_free(root);
	return status;
}

X509 *authority_root(const struct authority *authority)
{
	return authority->certificate;
}

int authority_load(const char *key_path, const char *certificate_path, struct authority **ret_authority,
		   struct err *err)
{
	EVP_PKEY *key = NULL;
	X509 *certificate = NULL;
	int status = load_parts(key_path, certificate_path, &key, &certificate, err);

	if (status == 0)
		return authority_of(key, certificate, ret_authority, err);
	EVP_PKEY_free(key);
	X509_free(certificate);
	return status;
}

void authority_free(struct authority *authority)
{
	if (authority == NULL)
		return;
	EVP_PKEY_free(authority->key);
	X509_free(authority->certificate);
	free(authority);
}

int authority_key_pem(const struct authority *authority, struct buf *out, struct err *err)
{
	return openssl_key_pem(authority->key, out, err);
}

int authority_pem(const struct authority *authority, struct buf *out, struct err *err)
{
	return openssl_certificate_pem(authority->certificate, out, err);
}

void authority_fingerprint(const struct authority *authority, uint8_t fingerprint[SHA256_BYTES])
{
	if (X509_digest(authority->certificate, EVP_sha256(), fingerprint, NULL) != 1)
		abort(); /* without SHA-256 nothing can be trusted */
}

#define RSA_LEAST_BITS 2048
#define RSA_MOST_BITS  4096

static bool is_rsa(const EVP_PKEY *key)
{
	int bits = EVP_PKEY_get_bits(key);

	return openssl_key_is_rsa(key) && bits >= RSA_LEAST_BITS && bits <= RSA_MOST_BITS;
}

/* The public key of a request that its own key signed. NULL: err is set. */
static EVP_PKEY *request_key(const void *bytes, size_t size, bool may_be_rsa, int *ret_status, struct err *err)
{
	const unsigned char *at = bytes;
	X509_REQ *request = size <= WIRE_REQUEST_MAX_BYTES ? d2i_X509_REQ(NULL, &at, (long)size) : NULL;
	EVP_PKEY *key = request != NULL ? X509_REQ_get_pubkey(request) : NULL;

	*ret_status = 0;
	if (size > WIRE_REQUEST_MAX_BYTES)
		*ret_status = err_set(err, ERR_LIMIT, "a certificate request of %zu bytes, at most %d", size,
				      WIRE_REQUEST_MAX_BYTES);
	else if (key == NULL || at != (const unsigned char *)bytes + size)
		*ret_status = openssl_fail(err, ERR_FORMAT, "not a certificate request (PKCS#10)");
	else if (!openssl_key_is_p256(key) && !openssl_key_is_ed25519(key) && !(may_be_rsa && is_rsa(key)))
		*ret_status = err_set(err, ERR_RANGE, "a certificate request's key must be P-256 or Ed25519%s",
				      may_be_rsa ? " or RSA of 2048 to 4096 bits" : "");
	else if (X509_REQ_verify(request, key) != 1)
		*ret_status = openssl_fail(err, ERR_UNTRUSTED, "the certificate request is not signed by its own key");
	X509_REQ_free(request);
	ERR_clear_error();
	if (*ret_status == 0)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

static bool add_name(GENERAL_NAMES *names, int type, const void *bytes, size_t size)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_STRING *value = ASN1_STRING_type_new(type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);

	if (name == NULL || value == NULL || ASN1_STRING_set(value, bytes, (int)size) != 1) {
		ASN1_STRING_free(value);
		GENERAL_NAME_free(name);
		return false;
	}
	GENERAL_NAME_set0_value(name, type, value);
	if (sk_GENERAL_NAME_push(names, name) > 0)
		return true;
	GENERAL_NAME_free(name);
	return false;
}

/* Letters, digits, hyphens and underscores in labels with dots between (RFC 1123, and what people use). */
static bool is_host_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

	if (strlen(name) > HOST_NAME_MAX_BYTES)
		return false;
	for (;;) {
		size_t length = strspn(name, letters);

		if (length == 0 || length > HOST_LABEL_MAX_BYTES || name[0] == '-' || name[length - 1] == '-')
			return false;
		if (name[length] == '\0')
			return true;
		if (name[length] != '.')
			return false;
		name += length + 1;
	}
}

static int add_server_name(GENERAL_NAMES *names, const char *name, struct err *err)
{
	uint8_t address[sizeof(struct in6_addr)];
	bool done;

	if (inet_pton(AF_INET, name, address) == 1)
		done = add_name(names, GEN_IPADD, address, sizeof(struct in_addr));
	else if (inet_pton(AF_INET6, name, address) == 1)
		done = add_name(names, GEN_IPADD, address, sizeof(struct in6_addr));
	else if (is_host_name(name))
		done = add_name(names, GEN_DNS, name, strlen(name));
	else
		return err_set(err, ERR_FORMAT, "a server's name is neither a host name nor a numeric address");
	return done ? 0 : openssl_fail(err, ERR_MEMORY, "cannot make a certificate");
}

struct profile {
	const char *common_name;
	const struct extension *extensions;
	const GENERAL_NAMES *names;
	time_us now;
};

/* None outlives its authority. */
static time_us end_of_issued(const struct authority *authority, time_us now)
{
	time_us usual = now + CERTIFICATE_VALIDITY_DAYS * DAY_US, end = authority_end(authority);

	return usual < end ? usual : end;
}

static int issue(const struct authority *authority, EVP_PKEY *key, const struct profile *profile, struct buf *out,
		 uint8_t *fingerprint, struct err *err)
{
	X509 *made = certificate_new(authority->certificate, key, profile->common_name, profile->now,
				     end_of_issued(authority, profile->now), profile->extensions);
	int status;

	if (made == NULL || X509_add1_ext_i2d(made, NID_subject_alt_name, (void *)profile->names, 0, 0) != 1 ||
	    X509_sign(made, authority->key, EVP_sha256()) == 0 ||
	    (fingerprint != NULL && X509_digest(made, EVP_sha256(), fingerprint, NULL) != 1))
		status = openssl_fail(err, ERR_INTERNAL, "cannot make a certificate");
	else
		status = openssl_certificate_pem(made, out, err);
	X509_free(made);
	return status;
}

static int certify_client(const struct authority *authority, const void *request, size_t size, const char *common_name,
			  const char *uri, time_us now, struct buf *out, uint8_t *fingerprint, struct err *err)
{
	struct profile profile = { common_name, agent_extensions, NULL, now };
	GENERAL_NAMES *names;
	int status;
	EVP_PKEY *key = request_key(request, size, false, &status, err);

	if (key == NULL)
		return status;
	names = GENERAL_NAMES_new();
	profile.names = names;
	if (names != NULL && add_name(names, GEN_URI, uri, strlen(uri)))
		status = issue(authority, key, &profile, out, fingerprint, err);
	else
		status = openssl_fail(err, ERR_MEMORY, "cannot make a certificate");
	GENERAL_NAMES_free(names);
	EVP_PKEY_free(key);
	return status;
}

int authority_certify_agent(const struct authority *authority, const void *request, size_t size,
			    const struct uuid *computer, time_us now, struct buf *out,
			    uint8_t fingerprint[SHA256_BYTES], struct err *err)
{
	char urn[sizeof("urn:uuid:") + UUID_TEXT_BYTES];
	char common_name[UUID_TEXT_BYTES];

	uuid_format(computer, common_name);
	snprintf(urn, sizeof(urn), "urn:uuid:%s", common_name);
	return certify_client(authority, request, size, common_name, urn, now, out, fingerprint, err);
}

int authority_certify_manager(const struct authority *authority, const void *request, size_t size, time_us now,
			      struct buf *out, struct err *err)
{
	return certify_client(authority, request, size, "muster-manager", AUTHORITY_MANAGER_URI, now, out, NULL, err);
}

static int server_names(const char *const *names, size_t count, GENERAL_NAMES **ret_names, struct err *err)
{
	GENERAL_NAMES *made;
	int status = 0;

	if (count == 0 || count > AUTHORITY_SERVER_NAMES_MAX)
		return err_set(err, ERR_LIMIT, "a server's certificate is for 1 to %d names",
			       AUTHORITY_SERVER_NAMES_MAX);
	made = GENERAL_NAMES_new();
	if (made == NULL)
		return openssl_fail(err, ERR_MEMORY, "cannot make a certificate");
	for (size_t i = 0; i < count && status == 0; i++)
		status = add_server_name(made, names[i], err);
	if (status != 0)
		GENERAL_NAMES_free(made);
	else
		*ret_names = made;
	return status;
}

int authority_certify_server(const struct authority *authority, const void *request, size_t size,
			     const char *const *names, size_t name_count, time_us now, struct buf *out, struct err *err)
{
	struct profile profile = { NULL, server_extensions, NULL, now };
	GENERAL_NAMES *alternatives = NULL;
	int status;
	EVP_PKEY *key = request_key(request, size, false, &status, err);

	if (key == NULL)
		return status;
	status = server_names(names, name_count, &alternatives, err);
	if (status == 0) {
		/* Clients go by the alternatives; a common name is at most 64 bytes. */
		profile.common_name = strlen(names[0]) <= NAME_MAX_BYTES ? names[0] : "muster-manager";
		profile.names = alternatives;
		status = issue(authority, key, &profile, out, NULL, err);
	}
	GENERAL_NAMES_free(alternatives);
	EVP_PKEY_free(key);
	return status;
}

/* Who it is for, if it is a server's certificate. */
static int read_server(X509 *certificate, GENERAL_NAMES **ret_names, char common_name[NAME_MAX_BYTES + 1],
		       struct err *err)
{
	int size;

	if (X509_check_purpose(certificate, X509_PURPOSE_SSL_SERVER, 0) != 1)
		return openssl_fail(err, ERR_UNTRUSTED, "not a server's certificate");
	size = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, common_name,
					 NAME_MAX_BYTES + 1);
	*ret_names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	if (size <= 0 || *ret_names == NULL)
		return openssl_fail(err, ERR_FORMAT, "a server's certificate without names");
	return 0;
}

int authority_certify_server_again(const struct authority *authority, const void *request, size_t size,
				   const char *certificate_pem, const char *roots_pem, time_us now, struct buf *out,
				   struct err *err)
{
	char common_name[NAME_MAX_BYTES + 1];
	struct profile profile = { common_name, server_extensions, NULL, now };
	GENERAL_NAMES *names = NULL;
	X509 *certificate = NULL;
	int status;
	EVP_PKEY *key = request_key(request, size, true, &status, err);

	if (key == NULL)
		return status;
	certificate = openssl_certificate_parse(certificate_pem, strlen(certificate_pem), err);
	status = certificate != NULL ? certificate_signed_by(certificate_pem, roots_pem, err) : ERR_FORMAT;
	if (status == 0)
		status = read_server(certificate, &names, common_name, err);
	profile.names = names;
	if (openssl_key_is_rsa(key))
		profile.extensions = server_rsa_extensions;
	if (status == 0)
		status = issue(authority, key, &profile, out, NULL, err);
	GENERAL_NAMES_free(names);
	X509_free(certificate);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return status;
}
