/* The table of TLS profiles, and OpenSSL's word on each. Names to be read come from people. */
#include "net/tls_profiles.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#include "base/buf.h"
#include "base/units.h"
#include "net/tls_fips.h"

#define LIST_MAX_BYTES 2048

static const struct tls_suite suites[] = {
	{ "ECDHE_ECDSA_AES256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384", false },
	{ "ECDHE_ECDSA_AES128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256", false },
	{ "ECDHE_ECDSA_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305", false },
	{ "ECDHE_RSA_AES256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384", true },
	{ "ECDHE_RSA_AES128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", true },
	{ "ECDHE_RSA_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305", true },
	{ "ECDHE_RSA_AES256_CBC_SHA384", "ECDHE-RSA-AES256-SHA384", true },
	{ "ECDHE_RSA_AES128_CBC_SHA256", "ECDHE-RSA-AES128-SHA256", true },
	{ "RSA_AES256_CBC_SHA256", "AES256-SHA256", true },
	{ "RSA_AES128_CBC_SHA256", "AES128-SHA256", true },
	{ "RSA_AES128_GCM_SHA256", "AES128-GCM-SHA256", true },
	{ "RSA_AES256_CBC_SHA", "AES256-SHA", true },
	{ "RSA_AES128_CBC_SHA", "AES128-SHA", true },
	{ "RSA_3DES_EDE_CBC_SHA", "DES-CBC3-SHA", true },
};

static const struct tls_profile profiles[] = {
	{ .name = "modern",
	  .agents = "Muster's own agents; every current client",
	  .version_least = TLS1_2_VERSION,
	  .version_most = TLS1_3_VERSION,
	  .security_level = 2,
	  .suites = { "ECDHE_ECDSA_AES256_GCM_SHA384", "ECDHE_ECDSA_AES128_GCM_SHA256",
		      "ECDHE_ECDSA_CHACHA20_POLY1305_SHA256", "ECDHE_RSA_AES256_GCM_SHA384",
		      "ECDHE_RSA_AES128_GCM_SHA256", "ECDHE_RSA_CHACHA20_POLY1305_SHA256" } },
	{ .name = "strong-12",
	  .agents = "agents 20, 12.0, 11.0 from update 6; 10.0 from update 16 with strong suites",
	  .version_least = TLS1_2_VERSION,
	  .version_most = TLS1_2_VERSION,
	  .security_level = 2,
	  .suites = { "ECDHE_RSA_AES256_GCM_SHA384", "ECDHE_RSA_AES128_GCM_SHA256", "ECDHE_RSA_AES256_CBC_SHA384",
		      "ECDHE_RSA_AES128_CBC_SHA256" } },
	{ .name = "fips-12",
	  .agents = "agents 20, 12.0, 11.0 from update 6 in FIPS mode; 11.0 to update 4",
	  .version_least = TLS1_2_VERSION,
	  .version_most = TLS1_2_VERSION,
	  .fips = true,
	  .security_level = 2,
	  .suites = { "ECDHE_RSA_AES256_CBC_SHA384", "ECDHE_RSA_AES128_CBC_SHA256", "RSA_AES256_CBC_SHA256",
		      "RSA_AES128_CBC_SHA256" } },
	{ .name = "compat-10.0",
	  .agents = "agents 10.0",
	  .version_least = TLS1_2_VERSION,
	  .version_most = TLS1_2_VERSION,
	  .security_level = 2,
	  .suites = { "ECDHE_RSA_AES256_GCM_SHA384", "ECDHE_RSA_AES128_GCM_SHA256", "ECDHE_RSA_AES256_CBC_SHA384",
		      "ECDHE_RSA_AES128_CBC_SHA256", "RSA_AES256_CBC_SHA256", "RSA_AES128_CBC_SHA256" } },
	{ .name = "legacy-9.6",
	  .agents = "agents 9.6 SP1 P1 update 5 to 21; 9.5 SP1 P3 update 3 to 8",
	  .version_least = TLS1_VERSION,
	  .version_most = TLS1_2_VERSION,
	  .legacy = true,
	  .security_level = 0,
	  .suites = { "RSA_AES256_CBC_SHA256", "RSA_AES128_GCM_SHA256", "RSA_AES128_CBC_SHA256", "RSA_AES256_CBC_SHA",
		      "RSA_AES128_CBC_SHA" } },
	{ .name = "legacy-9.6-3des",
	  .agents = "agents 9.6 P2 to SP1 P1 update 4; 9.5 SP1 to P3 update 2",
	  .instead = "legacy-9.5", /* its other suites */
	  .version_least = TLS1_VERSION,
	  .version_most = TLS1_VERSION,
	  .legacy = true,
	  .security_level = 0,
	  .suites = { "RSA_AES256_CBC_SHA", "RSA_3DES_EDE_CBC_SHA", "RSA_AES128_CBC_SHA" } },
	{ .name = "legacy-9.5",
	  .agents = "agents 9.5; 9.6 to P1",
	  .version_least = TLS1_VERSION,
	  .version_most = TLS1_VERSION,
	  .legacy = true,
	  .security_level = 0,
	  .suites = { "RSA_AES256_CBC_SHA", "RSA_AES128_CBC_SHA" } },
};
_Static_assert(COUNT_OF(profiles) <= TLS_PROFILES_MAX, "a set has a bit for each");

size_t tls_profile_count(void)
{
	return COUNT_OF(profiles);
}

const struct tls_profile *tls_profile_at(size_t index)
{
	return &profiles[index];
}

const struct tls_suite *tls_suite_find(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(suites); i++) {
		if (strcmp(suites[i].name, name) == 0)
			return &suites[i];
	}
	return NULL;
}

const char *tls_version_name(int version)
{
	switch (version) {
	case TLS1_VERSION:
		return "TLS 1.0";
	case TLS1_1_VERSION:
		return "TLS 1.1";
	case TLS1_2_VERSION:
		return "TLS 1.2";
	default:
		return "TLS 1.3";
	}
}

/* --- names --- */

static int add_name(const char *name, size_t size, tls_profile_set *set, struct err *err)
{
	for (size_t i = 0; i < COUNT_OF(profiles); i++) {
		if (strlen(profiles[i].name) == size && memcmp(profiles[i].name, name, size) == 0) {
			*set |= 1u << i;
			return 0;
		}
	}
	return err_set(err, ERR_RANGE, "there is no TLS profile \"%.*s\" (muster tls profiles lists them)",
		       (int)(size < 40 ? size : 40), name);
}

int tls_profiles_parse(const char *text, tls_profile_set *ret_set, struct err *err)
{
	static const char between[] = " ,\t";
	tls_profile_set set = 0;
	int rc = 0;

	text += strspn(text, between);
	while (rc == 0 && *text != '\0') {
		size_t size = strcspn(text, between);

		rc = add_name(text, size, &set, err);
		text += size;
		text += strspn(text, between);
	}
	if (rc == 0 && set == 0)
		rc = err_set(err, ERR_RANGE, "no TLS profile is named; modern is the usual one");
	if (rc == 0)
		*ret_set = set;
	return rc;
}

/* --- what a set comes to --- */

struct sum {
	int version_least, version_most, security_level;
	bool rsa, either, fips, plain; /* either: served with another certificate, too */
};

static bool in(tls_profile_set set, size_t index)
{
	return (set >> index & 1) != 0;
}

/* modern has both kinds, and is served with either. */
static bool profile_wants_rsa(const struct tls_profile *profile)
{
	for (const char *const *name = profile->suites; *name != NULL; name++) {
		const struct tls_suite *suite = tls_suite_find(*name);

		if (suite == NULL || !suite->rsa)
			return false;
	}
	return true;
}

static struct sum sum_of(tls_profile_set set)
{
	struct sum sum = { .version_least = TLS1_3_VERSION, .version_most = TLS1_VERSION, .security_level = 5 };

	for (size_t i = 0; i < COUNT_OF(profiles); i++) {
		const struct tls_profile *profile = &profiles[i];

		if (!in(set, i))
			continue;
		if (profile->version_least < sum.version_least)
			sum.version_least = profile->version_least;
		if (profile->version_most > sum.version_most)
			sum.version_most = profile->version_most;
		if (profile->security_level < sum.security_level)
			sum.security_level = profile->security_level;
		sum.rsa |= profile_wants_rsa(profile);
		sum.either |= !profile_wants_rsa(profile);
		sum.fips |= profile->fips;
		sum.plain |= !profile->fips;
	}
	return sum;
}

bool tls_profiles_fips(tls_profile_set set)
{
	return sum_of(set).fips;
}

bool tls_profiles_want_rsa(tls_profile_set set)
{
	return sum_of(set).rsa;
}

bool tls_profiles_rsa_only(tls_profile_set set)
{
	return !sum_of(set).either;
}

tls_profile_set tls_profiles_legacy(tls_profile_set set)
{
	tls_profile_set legacy = 0;

	for (size_t i = 0; i < COUNT_OF(profiles); i++) {
		if (in(set, i) && profiles[i].legacy)
			legacy |= 1u << i;
	}
	return legacy;
}

void tls_profiles_format(tls_profile_set set, struct buf *out)
{
	size_t before = out->size;

	for (size_t i = 0; i < COUNT_OF(profiles); i++) {
		if (in(set, i))
			buf_printf(out, "%s%s", out->size > before ? " " : "", profiles[i].name);
	}
}

static bool set_has(tls_profile_set set, const char *suite)
{
	for (size_t i = 0; i < COUNT_OF(profiles); i++) {
		for (const char *const *name = profiles[i].suites; in(set, i) && *name != NULL; name++) {
			if (strcmp(*name, suite) == 0)
				return true;
		}
	}
	return false;
}

/* In the order of the table of suites: best first, whatever the profiles are. */
static int suite_list(tls_profile_set set, struct buf *out)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < COUNT_OF(suites); i++) {
		if (set_has(set, suites[i].name))
			rc = buf_printf(out, "%s%s", out->size > 0 ? ":" : "", suites[i].openssl_name);
	}
	return rc;
}

/* OpenSSL's own order, without its finite fields: with the largest of them one client can keep a core busy. */
#define GROUPS      "X25519:P-256:X448:P-521:P-384"
#define GROUPS_FIPS "P-256:P-521:P-384"

int tls_profiles_apply(tls_profile_set set, struct ssl_ctx_st *context, struct err *err)
{
	struct sum sum = sum_of(set);
	struct buf list;
	int rc;

	buf_init(&list, LIST_MAX_BYTES);
	rc = suite_list(set, &list);
	SSL_CTX_set_security_level(context, sum.security_level);
	SSL_CTX_set_options(context, SSL_OP_NO_TLSv1_1); /* no row has it, though two have what lies around it */
	if (rc != 0)
		err_set(err, rc, "no memory for TLS suites");
	else if (SSL_CTX_set_min_proto_version(context, sum.version_least) != 1 ||
		 SSL_CTX_set_max_proto_version(context, sum.version_most) != 1 ||
		 SSL_CTX_set_cipher_list(context, buf_text(&list)) != 1 ||
		 SSL_CTX_set1_groups_list(context, sum.fips ? GROUPS_FIPS : GROUPS) != 1)
		rc = err_set(err, ERR_TLS, "the TLS library takes none of the suites %s", buf_text(&list));
	buf_done(&list);
	ERR_clear_error();
	return rc;
}

/* --- what this OpenSSL can do --- */

bool tls_suite_served(const struct tls_suite *suite)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	bool served = false;

	if (context != NULL && suite != NULL) {
		SSL_CTX_set_security_level(context, 0);
		served = SSL_CTX_set_cipher_list(context, suite->openssl_name) == 1;
	}
	SSL_CTX_free(context);
	ERR_clear_error();
	return served;
}

static bool version_served(int version)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	bool served = context != NULL && SSL_CTX_set_min_proto_version(context, version) == 1 &&
		      SSL_CTX_set_max_proto_version(context, version) == 1;

	SSL_CTX_free(context);
	ERR_clear_error();
	return served;
}

int tls_profile_served(const struct tls_profile *profile, struct err *err)
{
	if (profile->fips) {
		struct ossl_lib_ctx_st *library;
		int rc = tls_fips_library(&library, err);

		if (rc != 0)
			return rc;
		OSSL_LIB_CTX_free(library);
	}
	if (!version_served(profile->version_least) || !version_served(profile->version_most))
		return err_set(err, ERR_VERSION, "this OpenSSL was built without %s",
			       tls_version_name(version_served(profile->version_most) ? profile->version_least
										      : profile->version_most));
	for (const char *const *name = profile->suites; *name != NULL; name++) {
		if (!tls_suite_served(tls_suite_find(*name)))
			return err_set(err, ERR_VERSION, "this OpenSSL was built without %s%s%s%s", *name,
				       profile->instead != NULL ? "; " : "",
				       profile->instead != NULL ? profile->instead : "",
				       profile->instead != NULL ? " has what else these agents can do" : "");
	}
	return 0;
}

int tls_profiles_check(tls_profile_set set, struct err *err)
{
	struct sum sum = sum_of(set);
	int rc = 0;

	if (sum.fips && sum.plain)
		return err_set(err, ERR_RANGE,
			       "a FIPS profile needs a port of its own: what others accept beside it is not FIPS");
	for (size_t i = 0; rc == 0 && i < COUNT_OF(profiles); i++) {
		if (in(set, i) && (rc = tls_profile_served(&profiles[i], err)) != 0)
			err_add(err, rc, "TLS profile %s cannot be served", profiles[i].name);
	}
	return rc;
}

int tls_profiles_library(tls_profile_set set, struct ossl_lib_ctx_st **ret_library, struct err *err)
{
	struct ossl_lib_ctx_st *library;

	if (sum_of(set).fips)
		return tls_fips_library(ret_library, err);
	library = OSSL_LIB_CTX_new();
	if (library == NULL)
		return err_set(err, ERR_MEMORY, "no memory for TLS");
	*ret_library = library;
	return 0;
}
