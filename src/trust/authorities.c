/* A manager's authorities. The file is our own; what was put there by hand is checked like it. */
#include "trust/authorities.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "trust/openssl.h"
#include "trust/secret_file.h"

#define KEYS_MAX 2

struct authorities {
	struct authority *issuing, *next; /* next NULL: none */
	STACK_OF(X509) * before;          /* roots, the newest first */
	STACK_OF(X509) * links;           /* likewise */
};

static struct authorities *authorities_empty(void)
{
	struct authorities *made = calloc(1, sizeof(*made));

	if (made == NULL)
		return NULL;
	made->before = sk_X509_new_null();
	made->links = sk_X509_new_null();
	if (made->before != NULL && made->links != NULL)
		return made;
	authorities_free(made);
	return NULL;
}

void authorities_free(struct authorities *authorities)
{
	if (authorities == NULL)
		return;
	authority_free(authorities->issuing);
	authority_free(authorities->next);
	sk_X509_pop_free(authorities->before, X509_free);
	sk_X509_pop_free(authorities->links, X509_free);
	free(authorities);
}

int authorities_new(struct authority *authority, struct authorities **ret_authorities, struct err *err)
{
	struct authorities *made = authorities_empty();

	if (made == NULL) {
		authority_free(authority);
		return err_set(err, ERR_MEMORY, "certificate authorities: out of memory");
	}
	made->issuing = authority;
	*ret_authorities = made;
	return 0;
}

/* --- the file --- */

struct parts {
	EVP_PKEY *keys[KEYS_MAX];
	size_t key_count;
	STACK_OF(X509) * certificates;
};

static void parts_done(struct parts *parts)
{
	for (size_t i = 0; i < parts->key_count; i++)
		EVP_PKEY_free(parts->keys[i]);
	sk_X509_pop_free(parts->certificates, X509_free);
}

static int read_keys(struct parts *parts, const struct buf *pem, struct err *err)
{
	const char *at = buf_text(pem);

	while ((at = strstr(at, "-----BEGIN PRIVATE KEY-----")) != NULL) {
		EVP_PKEY *key;

		if (parts->key_count == KEYS_MAX)
			return err_set(err, ERR_LIMIT, "more than %d private keys", KEYS_MAX);
		key = openssl_key_parse(at, strlen(at), err);
		if (key == NULL)
			return ERR_FORMAT;
		parts->keys[parts->key_count++] = key;
		at += 1;
	}
	return parts->key_count > 0 ? 0 : err_set(err, ERR_FORMAT, "no private key in PEM form");
}

static int read_parts(struct parts *parts, const struct buf *keys, struct err *err)
{
	int status = read_keys(parts, keys, err);

	if (status == 0)
		parts->certificates = openssl_certificates_parse(keys->data, keys->size, NULL);
	return status;
}

static int read_files(const char *key_path, const char *certificate_path, struct parts *parts, struct err *err)
{
	struct buf pem;
	int status;

	buf_init(&pem, SECRET_FILE_MAX_BYTES);
	status = secret_file_read(key_path, true, &pem, err);
	if (status == 0 && (status = read_parts(parts, &pem, err)) != 0)
		status = err_add(err, status, "%s", key_path);
	buf_wipe(&pem);
	if (status != 0 || parts->certificates != NULL)
		return status;
	buf_init(&pem, SECRET_FILE_MAX_BYTES);
	status = secret_file_read(certificate_path, false, &pem, err);
	if (status == 0 && (parts->certificates = openssl_certificates_parse(pem.data, pem.size, err)) == NULL)
		status = err_add(err, ERR_FORMAT, "%s", certificate_path);
	buf_done(&pem);
	return status;
}

/* The root among the certificates that this key is of, taken out; NULL: none. */
static X509 *take_root(STACK_OF(X509) * certificates, const EVP_PKEY *key)
{
	for (int i = 0; i < sk_X509_num(certificates); i++) {
		X509 *certificate = sk_X509_value(certificates, i);

		if (X509_self_signed(certificate, 1) == 1 && EVP_PKEY_eq(X509_get0_pubkey(certificate), key) == 1)
			return sk_X509_delete(certificates, i);
	}
	return NULL;
}

/* The key goes with it. */
static int take_authority(struct parts *parts, size_t index, struct authority **place, struct err *err)
{
	EVP_PKEY *key = index < parts->key_count ? parts->keys[index] : NULL;
	X509 *root;

	if (key == NULL)
		return 0;
	root = take_root(parts->certificates, key);
	parts->keys[index] = NULL;
	return authority_of(key, root, place, err);
}

/* What is left belongs to those before. */
static int take_others(struct authorities *authorities, STACK_OF(X509) * certificates, struct err *err)
{
	X509 *certificate;

	while ((certificate = sk_X509_shift(certificates)) != NULL) {
		bool is_root = X509_self_signed(certificate, 1) == 1;

		if (X509_check_ca(certificate) == 1 &&
		    sk_X509_push(is_root ? authorities->before : authorities->links, certificate) > 0)
			continue;
		X509_free(certificate);
		return err_set(err, ERR_UNTRUSTED, "not the certificate of an authority");
	}
	ERR_clear_error();
	return 0;
}

/* Takes the parts. */
static int build(struct parts *parts, struct authorities **ret_authorities, struct err *err)
{
	struct authorities *made = authorities_empty();
	int status = made != NULL ? take_authority(parts, 0, &made->issuing, err)
				  : err_set(err, ERR_MEMORY, "certificate authorities: out of memory");

	if (status == 0)
		status = take_authority(parts, 1, &made->next, err);
	if (status == 0)
		status = take_others(made, parts->certificates, err);
	if (status == 0)
		*ret_authorities = made;
	else
		authorities_free(made);
	return status;
}

int authorities_load(const char *key_path, const char *certificate_path, struct authorities **ret_authorities,
		     struct err *err)
{
	struct parts parts = { .key_count = 0 };
	int status = read_files(key_path, certificate_path, &parts, err);

	if (status == 0)
		status = build(&parts, ret_authorities, err);
	parts_done(&parts);
	return status;
}

static bool is_among(const X509 *certificate, const STACK_OF(X509) * certificates)
{
	for (int i = 0; i < sk_X509_num(certificates); i++) {
		if (X509_cmp(certificate, sk_X509_value(certificates, i)) == 0)
			return true;
	}
	return false;
}

/* Moves what is not there yet. */
static int add_others(STACK_OF(X509) * certificates, STACK_OF(X509) * others, struct err *err)
{
	X509 *certificate;

	while ((certificate = sk_X509_shift(others)) != NULL) {
		if (!is_among(certificate, certificates) && sk_X509_push(certificates, certificate) > 0)
			continue;
		if (!is_among(certificate, certificates)) {
			X509_free(certificate);
			return err_set(err, ERR_MEMORY, "certificate authorities: out of memory");
		}
		X509_free(certificate);
	}
	return 0;
}

/* The known ones first: they are the later ones. */
static int gather(struct parts *parts, const struct buf *certificates_pem, const struct buf *known_pem, struct err *err)
{
	STACK_OF(X509) *backed_up = openssl_certificates_parse(certificates_pem->data, certificates_pem->size, err);
	int status = backed_up != NULL ? 0 : ERR_FORMAT;

	parts->certificates = openssl_certificates_parse(known_pem->data, known_pem->size, err);
	if (parts->certificates == NULL)
		status = ERR_FORMAT;
	if (status == 0 && !is_among(sk_X509_value(backed_up, 0), parts->certificates))
		status = err_set(err, ERR_UNTRUSTED, "these are not the authorities of this manager");
	if (status == 0)
		status = add_others(parts->certificates, backed_up, err);
	sk_X509_pop_free(backed_up, X509_free);
	return status;
}

/* The key of the root that issued last comes first; one that was prepared then may have had its turn since. */
static int arrange(struct parts *parts, bool older, struct err *err)
{
	const EVP_PKEY *last = X509_get0_pubkey(sk_X509_value(parts->certificates, 0));

	if (EVP_PKEY_eq(parts->keys[0], last) == 1)
		return 0;
	if (parts->key_count > 1 && EVP_PKEY_eq(parts->keys[1], last) == 1) {
		EVP_PKEY_free(parts->keys[0]);
		parts->keys[0] = parts->keys[1];
		parts->key_count = 1;
		return 0;
	}
	return older ? 0 : err_set(err, ERR_CONFLICT, "the key of the authority that issued last is not among these");
}

static int check_count(const struct authorities *authorities, struct err *err)
{
	int count = sk_X509_num(authorities->before) + 1 + (authorities->next != NULL);

	return count <= AUTHORITIES_MAX ? 0 : err_set(err, ERR_LIMIT, "%d authorities are too many", count);
}

int authorities_recover(const struct buf *keys_pem, const struct buf *certificates_pem, const struct buf *known_pem,
			bool older, struct authorities **ret_authorities, struct err *err)
{
	struct parts parts = { .key_count = 0 };
	struct authorities *made = NULL;
	int status = read_keys(&parts, keys_pem, err);

	if (status == 0)
		status = gather(&parts, certificates_pem, known_pem, err);
	if (status == 0)
		status = arrange(&parts, older, err);
	if (status == 0)
		status = build(&parts, &made, err);
	if (status == 0)
		status = check_count(made, err);
	if (status == 0)
		*ret_authorities = made;
	else
		authorities_free(made);
	parts_done(&parts);
	return status;
}

int authorities_file(const struct authorities *authorities, struct buf *out, struct err *err)
{
	int status = authorities_keys_pem(authorities, out, err);

	return status == 0 ? authorities_pem(authorities, out, err) : status;
}

int authorities_copy(const struct authorities *authorities, struct authorities **ret_copy, struct err *err)
{
	struct parts parts = { .key_count = 0 };
	struct buf pem;
	int status;

	buf_init(&pem, SECRET_FILE_MAX_BYTES);
	status = authorities_file(authorities, &pem, err);
	if (status == 0)
		status = read_parts(&parts, &pem, err);
	if (status == 0)
		status = build(&parts, ret_copy, err);
	parts_done(&parts);
	buf_wipe(&pem);
	return status;
}

int authorities_store(const struct authorities *authorities, const char *key_path, struct err *err)
{
	struct buf pem;
	int status;

	buf_init(&pem, SECRET_FILE_MAX_BYTES);
	status = authorities_file(authorities, &pem, err);
	if (status == 0)
		status = secret_file_write(key_path, pem.data, pem.size, 0600, err);
	buf_wipe(&pem);
	return status;
}

/* --- following --- */

int authorities_prepare(struct authorities *authorities, time_us now, struct err *err)
{
	struct authority *next = NULL;
	X509 *link = NULL;
	struct buf pem;
	int status = 0;

	if (authorities->next != NULL)
		return err_set(err, ERR_EXISTS, "the authority that is to follow the present one is there already");
	if (sk_X509_num(authorities->before) + 2 > AUTHORITIES_MAX)
		return err_set(err, ERR_LIMIT, "there are %d authorities, as many as there may be",
			       sk_X509_num(authorities->before) + 1);
	buf_init(&pem, SECRET_FILE_MAX_BYTES);
	status = authority_succeed(authorities->issuing, now, &next, &pem, err);
	if (status == 0 && (link = openssl_certificate_parse(pem.data, pem.size, err)) == NULL)
		status = ERR_FORMAT;
	if (status == 0 && sk_X509_unshift(authorities->links, link) <= 0)
		status = err_set(err, ERR_MEMORY, "certificate authorities: out of memory");
	buf_done(&pem);
	if (status == 0) {
		authorities->next = next;
		return 0;
	}
	X509_free(link);
	authority_free(next);
	return status;
}

int authorities_turn(struct authorities *authorities, struct err *err)
{
	X509 *root;

	if (authorities->next == NULL)
		return err_set(err, ERR_WRONG_STATE, "there is no authority that is to follow the present one");
	root = X509_dup(authority_root(authorities->issuing));
	if (root == NULL || sk_X509_unshift(authorities->before, root) <= 0) {
		X509_free(root);
		return err_set(err, ERR_MEMORY, "certificate authorities: out of memory");
	}
	authority_free(authorities->issuing);
	authorities->issuing = authorities->next;
	authorities->next = NULL;
	return 0;
}

static size_t drop_ended(STACK_OF(X509) * certificates, time_us then)
{
	time_t moment = (time_t)(then / SECOND_US);
	size_t gone = 0;

	for (int i = sk_X509_num(certificates) - 1; i >= 0; i--) {
		if (X509_cmp_time(X509_get0_notAfter(sk_X509_value(certificates, i)), &moment) >= 0)
			continue;
		X509_free(sk_X509_delete(certificates, i));
		gone++;
	}
	return gone;
}

size_t authorities_drop(struct authorities *authorities, time_us then)
{
	(void)drop_ended(authorities->links, then);
	return drop_ended(authorities->before, then);
}

/* --- what it is --- */

const struct authority *authorities_issuing(const struct authorities *authorities)
{
	return authorities->issuing;
}

const struct authority *authorities_next(const struct authorities *authorities)
{
	return authorities->next;
}

static int append_all(const STACK_OF(X509) * certificates, struct buf *out, struct err *err)
{
	int status = 0;

	for (int i = 0; status == 0 && i < sk_X509_num(certificates); i++)
		status = openssl_certificate_pem(sk_X509_value(certificates, i), out, err);
	return status;
}

int authorities_pem(const struct authorities *authorities, struct buf *out, struct err *err)
{
	int status = authority_pem(authorities->issuing, out, err);

	if (status == 0 && authorities->next != NULL)
		status = authority_pem(authorities->next, out, err);
	if (status == 0)
		status = append_all(authorities->before, out, err);
	return status == 0 ? append_all(authorities->links, out, err) : status;
}

int authorities_keys_pem(const struct authorities *authorities, struct buf *out, struct err *err)
{
	int status = authority_key_pem(authorities->issuing, out, err);

	return status == 0 && authorities->next != NULL ? authority_key_pem(authorities->next, out, err) : status;
}
