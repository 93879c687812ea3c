/* TLS profiles: which versions and suites a listener accepts (specification
 * 80-ports-tls.md "TLS profiles"). One table; a profile is a row, named for the
 * generations of agents that can connect with it. Several may be on at once:
 * what is accepted is what any of them accepts.
 *
 * Suites have the names of the specification and of IANA, without "TLS_" and
 * "WITH_"; OpenSSL's own beside them. Blocks for some milliseconds where it
 * says so; no state of its own, any thread.
 */
#ifndef MUSTER_NET_TLS_PROFILES_H
#define MUSTER_NET_TLS_PROFILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define TLS_PROFILE_SUITES_MAX 8
#define TLS_PROFILES_MAX       8

struct tls_suite {
	const char *name;         /* ECDHE_RSA_AES256_GCM_SHA384 */
	const char *openssl_name; /* ECDHE-RSA-AES256-GCM-SHA384 */
	bool rsa;                 /* served with an RSA certificate, and no other */
};

struct tls_profile {
	const char *name;
	const char *agents;  /* whom it is for, in words */
	const char *instead; /* a profile with which they can connect where this one cannot be served; NULL */
	int version_least, version_most; /* as OpenSSL numbers them: TLS1_2_VERSION; never TLS 1.1 */
	bool legacy;                     /* lets go of what keeps connections secret: TLS 1.0, no forward secrecy */
	bool fips;                       /* served by OpenSSL's FIPS provider, or not at all */
	int security_level;              /* of OpenSSL, the highest that lets its suites through */
	const char *suites[TLS_PROFILE_SUITES_MAX + 1]; /* of TLS 1.2 and before, names, best first; NULL ends them */
};

/* A set of profiles: bit i is row i. */
typedef uint32_t tls_profile_set;

size_t tls_profile_count(void);
const struct tls_profile *tls_profile_at(size_t index);
const struct tls_suite *tls_suite_find(const char *name); /* NULL: none */
/* Reads names separated by blanks or commas. ERR_RANGE names the one that is unknown; ERR_RANGE for none at all. */
int tls_profiles_parse(const char *text, tls_profile_set *ret_set, struct err *err);
/* Names with blanks between, sticky errors in out. */
void tls_profiles_format(tls_profile_set set, struct buf *out);
/* Those of the set that are legacy. */
tls_profile_set tls_profiles_legacy(tls_profile_set set);
/* Is one of them served by OpenSSL's FIPS provider alone? */
bool tls_profiles_fips(tls_profile_set set);
/* Does one of them need an RSA certificate to be served at all? (`modern` has suites for either kind.) */
bool tls_profiles_want_rsa(tls_profile_set set);
/* Do all of them? */
bool tls_profiles_rsa_only(tls_profile_set set);
/* "TLS 1.2", "TLS 1.0" */
const char *tls_version_name(int version);

/* Whether the OpenSSL here can do a suite; none (NULL) it cannot. Blocks. */
bool tls_suite_served(const struct tls_suite *suite);
/* Whether a listener can serve the profile whole. ERR_VERSION with the reason in words: a suite or
 * a version that this OpenSSL was built without, no FIPS provider. Blocks. */
int tls_profile_served(const struct tls_profile *profile, struct err *err);

/* Whether one listener can serve them together: ERR_VERSION with the reason as above, ERR_RANGE
 * when FIPS is mixed with what is not. Blocks. */
int tls_profiles_check(tls_profile_set set, struct err *err);

struct ossl_lib_ctx_st;
/* A library context for them: OSSL_LIB_CTX_free(). For FIPS profiles with the FIPS provider alone, as
 * fipsmodule.cnf beside OpenSSL's own settings file says; ERR_VERSION: it cannot be had. Blocks. */
int tls_profiles_library(tls_profile_set set, struct ossl_lib_ctx_st **ret_library, struct err *err);
struct ssl_ctx_st;
/* Versions, suites and security level of a server's or client's context. ERR_VERSION, ERR_TLS. */
int tls_profiles_apply(tls_profile_set set, struct ssl_ctx_st *context, struct err *err);

#define TLS_PROFILE_MODERN 1u /* the first row alone */

#endif
