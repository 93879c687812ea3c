/* The answer comes from whoever has the address: one certificate is read from it,
 * and used only if its fingerprint is the one that the person gave. */
#include "cli/authority_fetch.h"

#include <curl/curl.h>
#include <string.h>

#include "trust/fingerprint.h"
#include "trust/identity.h"
#include "trust/roots.h"

#define TIMEOUT_MS 15000L

static size_t take(char *bytes, size_t one, size_t size, void *argument)
{
	(void)one;
	return buf_append(argument, bytes, size) == 0 ? size : 0;
}

static void set_options(CURL *curl, const char *url, char *cause, struct buf *answer)
{
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	/* The fingerprint is compared instead; nothing else is done with this connection. */
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "muster/" MUSTER_VERSION);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, cause);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
}

static int fetch(const char *server, struct buf *answer, struct err *err)
{
	char cause[CURL_ERROR_SIZE] = "";
	size_t length = strlen(server);
	CURL *curl = curl_easy_init();
	CURLcode code = CURLE_OUT_OF_MEMORY;
	struct buf url;
	long status = 0;

	buf_init(&url, 8192);
	buf_printf(&url, "%.*s/ca.pem", (int)(length - (length > 0 && server[length - 1] == '/')), server);
	if (curl != NULL && url.status == 0) {
		set_options(curl, buf_text(&url), cause, answer);
		code = curl_easy_perform(curl);
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	}
	curl_easy_cleanup(curl);
	buf_done(&url);
	if (code != CURLE_OK)
		return err_set(err, ERR_CONNECT, "%s: its CA certificate could not be fetched: %s", server,
			       cause[0] != '\0' ? cause : curl_easy_strerror(code));
	if (status != 200)
		return err_set(err, ERR_FORMAT, "%s gives no CA certificate (status %ld); is it a manager of Muster?",
			       server, status);
	return 0;
}

/* The root that is meant, alone: what stands around it is compared with nothing, and goes. */
static int keep_it(struct buf *pem, const uint8_t expected[SHA256_BYTES])
{
	struct buf found;
	int rc;

	buf_init(&found, AUTHORITY_MAX_BYTES);
	rc = roots_find(buf_text(pem), expected, &found, NULL);
	if (rc == 0) {
		buf_reset(pem);
		rc = buf_append(pem, found.data, found.size);
	}
	buf_done(&found);
	return rc;
}

int authority_fetch(const char *server, const char *fingerprint, struct buf *ret_pem, struct err *err)
{
	uint8_t expected[SHA256_BYTES];
	struct certificate_facts facts;
	char given[SHA256_TEXT_BYTES];
	int rc;

	if (fingerprint_parse(fingerprint, expected, err) != 0)
		return err->code = ERR_USAGE;
	rc = fetch(server, ret_pem, err);
	if (rc != 0)
		return rc;
	rc = certificate_read(ret_pem->data, ret_pem->size, &facts, err);
	if (rc != 0)
		return err_add(err, rc, "%s/ca.pem", server);
	if (keep_it(ret_pem, expected) == 0)
		return 0;
	hex_format(facts.fingerprint, SHA256_BYTES, given);
	return err_set(err, ERR_UNTRUSTED,
		       "%s has another CA certificate, with the fingerprint %s; this may be another manager than you "
		       "meant: compare with what muster-manager init printed",
		       server, given);
}
