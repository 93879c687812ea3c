/* Sessions kept small; see tls_session.h. What is read back is what i2d_SSL_SESSION() gave. */
#include "net/tls_session.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net/tls_context.h"

#define PEER_TAG          3                /* of the peer's certificate among a session's parts */
#define TICKET_LIFE_MAX_S (7L * 24 * 3600) /* RFC 8446 */

struct peer {
	uint8_t fingerprint[SHA256_BYTES];
	int64_t not_after; /* since 1970 */
};

struct tls_session {
	struct peer peer;
	int64_t ends; /* the ticket, since 1970 */
	uint16_t size;
	uint8_t der[];
};

/* --- what connections carry --- */

static pthread_once_t indices_made = PTHREAD_ONCE_INIT;
static int slot_index, peer_index;

static void free_peer(void *parent, void *data, CRYPTO_EX_DATA *all, int index, long number, void *argument)
{
	(void)parent;
	(void)all;
	(void)index;
	(void)number;
	(void)argument;
	free(data);
}

static void make_indices(void)
{
	slot_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	peer_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_peer);
}

static struct tls_session **slot_of(const SSL *ssl)
{
	pthread_once(&indices_made, make_indices);
	return SSL_get_ex_data(ssl, slot_index);
}

/* --- keeping --- */

static bool seconds_of(const ASN1_TIME *time, int64_t *ret_seconds)
{
	struct tm parts;

	if (ASN1_TIME_to_tm(time, &parts) != 1)
		return false;
	*ret_seconds = timegm(&parts);
	return true;
}

/* Of a session that was resumed from a slot, what was known of it. */
static bool read_peer(const SSL *ssl, SSL_SESSION *offered, struct peer *peer)
{
	const X509 *certificate = SSL_SESSION_get0_peer(offered);
	const struct peer *known = SSL_get_ex_data(ssl, peer_index);

	if (certificate != NULL)
		return tls_certificate_fingerprint(certificate, peer->fingerprint) &&
		       seconds_of(X509_get0_notAfter(certificate), &peer->not_after);
	if (known != NULL)
		*peer = *known;
	return known != NULL;
}

/* Takes the peer's certificate out of a session's DER: reading it back would cost more than all else of resuming. The
 * outer length keeps its two bytes. Returns the size; what has another form stays whole. */
static size_t cut_peer(uint8_t *der, size_t size)
{
	const uint8_t *at = der + 4, *end = der + size;

	if (size < 4 || der[0] != (V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED) || der[1] != 0x82)
		return size;
	while (at < end) {
		const uint8_t *part = at;
		long length;
		int tag, class;

		if ((ASN1_get_object(&at, &length, &tag, &class, end - at) & 0x80) != 0 || length > end - at)
			return size;
		at += length;
		if (tag != PEER_TAG || class != V_ASN1_CONTEXT_SPECIFIC)
			continue;
		memmove(der + (part - der), at, (size_t)(end - at));
		size -= (size_t)(at - part);
		der[2] = (uint8_t)((size - 4) >> 8);
		der[3] = (uint8_t)(size - 4);
		break;
	}
	return size;
}

/* By the word of who issued it; it refuses what is older, whatever we think. */
static int64_t ticket_ends(const SSL_SESSION *offered)
{
	unsigned long hint = SSL_SESSION_get_ticket_lifetime_hint(offered);
	long life = hint > 0 && hint < TICKET_LIFE_MAX_S ? (long)hint : TICKET_LIFE_MAX_S;

	return (int64_t)SSL_SESSION_get_time(offered) + life;
}

static struct tls_session *session_new(const SSL *ssl, SSL_SESSION *offered)
{
	struct tls_session *session = NULL;
	struct peer peer;
	uint8_t *der = NULL;
	int whole = read_peer(ssl, offered, &peer) ? i2d_SSL_SESSION(offered, &der) : 0;
	size_t size = whole > 0 ? cut_peer(der, (size_t)whole) : 0;

	if (size > 0 && size <= TLS_SESSION_MAX_BYTES)
		session = malloc(sizeof(*session) + size);
	if (session != NULL) {
		*session = (struct tls_session){ .peer = peer, .ends = ticket_ends(offered), .size = (uint16_t)size };
		memcpy(session->der, der, size);
	}
	if (whole > 0)
		OPENSSL_clear_free(der, (size_t)whole);
	ERR_clear_error();
	return session;
}

void tls_session_free(struct tls_session *session)
{
	if (session == NULL)
		return;
	OPENSSL_cleanse(session, sizeof(*session) + session->size);
	free(session);
}

bool tls_session_offered(struct ssl_st *ssl, struct ssl_session_st *offered)
{
	struct tls_session **slot = slot_of(ssl);
	struct tls_session *session;

	if (slot == NULL)
		return false;
	session = session_new(ssl, offered);
	if (session != NULL) {
		tls_session_free(*slot);
		*slot = session;
	}
	return true;
}

void tls_session_leave(struct ssl_st *ssl)
{
	if (slot_of(ssl) != NULL)
		SSL_set_ex_data(ssl, slot_index, NULL);
}

/* --- resuming --- */

bool tls_session_ended(const struct tls_session *session)
{
	int64_t now = (int64_t)time(NULL);

	return now >= session->ends || now >= session->peer.not_after;
}

const uint8_t *tls_session_peer(const struct tls_session *session)
{
	return session->peer.fingerprint;
}

size_t tls_session_bytes(const struct tls_session *session)
{
	return sizeof(*session) + session->size;
}

/* The connection remembers itself whose session it is. */
static bool offer(SSL *ssl, const struct tls_session *session)
{
	const uint8_t *at = session->der;
	SSL_SESSION *whole = d2i_SSL_SESSION(NULL, &at, session->size);
	struct peer *peer = malloc(sizeof(*peer));
	bool offered = false;

	if (whole != NULL && peer != NULL) {
		*peer = session->peer;
		offered = SSL_set_ex_data(ssl, peer_index, peer) == 1;
	}
	if (offered)
		peer = NULL; /* freed with the connection */
	free(peer);
	offered = offered && SSL_set_session(ssl, whole) == 1;
	SSL_SESSION_free(whole);
	ERR_clear_error();
	return offered;
}

void tls_session_use(struct ssl_st *ssl, struct tls_session **slot)
{
	pthread_once(&indices_made, make_indices);
	SSL_set_session(ssl, NULL);
	SSL_set_ex_data(ssl, slot_index, slot);
	if (*slot == NULL)
		return;
	if (tls_session_ended(*slot) || !offer(ssl, *slot)) {
		tls_session_free(*slot);
		*slot = NULL;
	}
}

bool tls_session_resumed_peer(struct ssl_st *ssl, uint8_t fingerprint[SHA256_BYTES])
{
	const struct peer *peer;

	pthread_once(&indices_made, make_indices);
	peer = SSL_get_ex_data(ssl, peer_index);
	if (peer == NULL || SSL_session_reused(ssl) != 1 || SSL_get_verify_result(ssl) != X509_V_OK ||
	    (int64_t)time(NULL) >= peer->not_after)
		return false;
	memcpy(fingerprint, peer->fingerprint, SHA256_BYTES);
	return true;
}
