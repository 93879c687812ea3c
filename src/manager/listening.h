/* Where the manager listens and with which TLS profiles: what manager.ini's
 * [network] listen, console_listen, tls_profiles, rsa_certificate and legacy_tls come to.
 *
 * tls_profiles holds names for all listeners, then, behind "PORT:", names for
 * those of that port instead: "modern, 4345: strong-12, legacy-9.6". Pure but for
 * the question to OpenSSL what it can serve. Texts are the administrator's.
 */
#ifndef MUSTER_MANAGER_LISTENING_H
#define MUSTER_MANAGER_LISTENING_H

#include "base/buf.h"
#include "manager/settings.h"
#include "net/tls_profiles.h"

#define LISTENING_MAX (2 * CONF_ADDRESSES)

struct listening {
	size_t count;
	struct {
		const struct conf_address *address; /* of the settings, which outlive this */
		tls_profile_set profiles;
		bool console;  /* of console_listen: for people alone, with a certificate of its own */
		bool rsa;      /* takes nobody before it has a certificate with an RSA key */
		bool rsa_only; /* without that one it can serve nobody */
	} items[LISTENING_MAX];
	bool console;        /* there is such a one */
	tls_profile_set all; /* of any of them */
	bool rsa;            /* a second certificate, with an RSA key, is served to agents */
	bool console_rsa;    /* the console's own has to have such a key */
};

/* ERR_RANGE: an unknown profile, or a port on which nothing listens. */
int listening_plan(const struct settings *settings, struct listening *ret_listening, struct err *err);
/* Whether it may be served, and can: a legacy profile that nobody accepted the risk of, one that this
 * OpenSSL lacks something for. One line a problem as conf_read() makes them, ERR_REFUSED. Blocks. */
int listening_check(const struct settings *settings, struct buf *problems, struct err *err);

#endif
