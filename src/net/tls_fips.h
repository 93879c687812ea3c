/* OpenSSL's FIPS provider in a library context of its own: inner header of tls_profiles.c. */
#ifndef MUSTER_NET_TLS_FIPS_H
#define MUSTER_NET_TLS_FIPS_H

#include "base/err.h"

struct ossl_lib_ctx_st;

/* With the FIPS provider, and `base` for reading files, and nothing else: what is not approved is not
 * there. OSSL_LIB_CTX_free(). ERR_VERSION with what to install. Blocks while the module tests itself. */
int tls_fips_library(struct ossl_lib_ctx_st **ret_library, struct err *err);

#endif
