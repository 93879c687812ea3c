/* OpenSSL's FIPS provider. Its settings (`openssl fipsinstall` writes them: the module's checksum)
 * are the administrator's, and read by OpenSSL. */
#include "net/tls_fips.h"

#include <openssl/conf.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SETTINGS_NAME      "fipsmodule.cnf"
#define SETTINGS_MAX_BYTES 4400

/* Beside openssl.cnf, wherever that is (OPENSSL_CONF, links). */
static int find_settings(char path[SETTINGS_MAX_BYTES], struct err *err)
{
	char *usual = CONF_get1_default_config_file();
	char *real = usual != NULL ? realpath(usual, NULL) : NULL;
	const char *slash = real != NULL ? strrchr(real, '/') : NULL;

	if (slash != NULL)
		snprintf(path, SETTINGS_MAX_BYTES, "%.*s/%s", (int)(slash - real), real, SETTINGS_NAME);
	else
		snprintf(path, SETTINGS_MAX_BYTES, "/etc/ssl/%s", SETTINGS_NAME);
	free(real);
	OPENSSL_free(usual);
	if (access(path, R_OK) == 0)
		return 0;
	return err_set(
	    err, ERR_VERSION,
	    "OpenSSL's FIPS provider is not set up here: install its module (fips.so; Debian has none), then "
	    "run `openssl fipsinstall -module FILE -out %s`",
	    path);
}

static int load_settings(OSSL_LIB_CTX *library, const char *path)
{
	char text[SETTINGS_MAX_BYTES + 200];
	CONF *settings = NCONF_new_ex(library, NULL);
	BIO *bio = NULL;
	int size = snprintf(text, sizeof(text),
			    "openssl_conf = muster\n"
			    "[muster]\nproviders = muster_providers\n"
			    "[muster_providers]\nfips = fips_sect\nbase = base_sect\n"
			    "[base_sect]\nactivate = 1\n"
			    ".include %s\n", /* last: what follows would belong to its section */
			    path);
	int done = 0;

	if (settings != NULL && size > 0 && (size_t)size < sizeof(text))
		bio = BIO_new_mem_buf(text, size);
	if (bio != NULL && NCONF_load_bio(settings, bio, NULL) == 1)
		done = CONF_modules_load(settings, NULL, 0);
	BIO_free(bio);
	NCONF_free(settings);
	return done == 1;
}

int tls_fips_library(struct ossl_lib_ctx_st **ret_library, struct err *err)
{
	char path[SETTINGS_MAX_BYTES];
	OSSL_LIB_CTX *library;
	const char *reason;
	int rc = find_settings(path, err);

	if (rc != 0)
		return rc;
	library = OSSL_LIB_CTX_new();
	if (library == NULL)
		return err_set(err, ERR_MEMORY, "no memory for TLS");
	if (load_settings(library, path) && OSSL_PROVIDER_available(library, "fips") == 1 &&
	    EVP_set_default_properties(library, "fips=yes") == 1) {
		*ret_library = library;
		return 0;
	}
	reason = ERR_reason_error_string(ERR_peek_last_error());
	rc =
	    err_set(err, ERR_VERSION,
		    "OpenSSL's FIPS provider cannot be loaded with %s (%s): `openssl fipsinstall` makes that file from "
		    "the module",
		    path, reason != NULL ? reason : "no cause given");
	ERR_clear_error();
	OSSL_LIB_CTX_free(library);
	return rc;
}
