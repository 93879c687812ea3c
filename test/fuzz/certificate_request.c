/* A request for a certificate, from a stranger with a token, as the keys role
 * meets it; and PEM from files, as agents and managers read it. A certificate
 * that is issued must be readable and name the computer it was meant for. */
#include <stdlib.h>
#include <string.h>

#include "trust/authority.h"
#include "trust/identity.h"
#include "trust/signing_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW ((time_us)INT64_C(1795294800) * SECOND_US)

static struct authority *authority;

static void certify(const uint8_t *data, size_t size)
{
	static const struct uuid computer = { { 1, 2, 3, 4, 5, 6, 0x77, 8, 0x89, 10, 11, 12, 13, 14, 15, 16 } };
	struct certificate_facts facts;
	uint8_t fingerprint[SHA256_BYTES];
	struct buf pem;

	buf_init(&pem, 65536);
	if (authority_certify_agent(authority, data, size, &computer, NOW, &pem, fingerprint, NULL) == 0 &&
	    (certificate_read(pem.data, pem.size, &facts, NULL) != 0 || !facts.has_computer ||
	     !uuid_equal(&facts.computer, &computer) || memcmp(facts.fingerprint, fingerprint, SHA256_BYTES) != 0))
		abort();
	buf_done(&pem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t public_key[ENVELOPE_KEY_BYTES];
	struct certificate_facts facts;

	if (authority == NULL && authority_generate("fuzz", NOW, &authority, NULL) != 0)
		abort();
	certify(data, size);
	certificate_read(data, size, &facts, NULL);
	signing_public_parse(data, size, public_key, NULL);
	return 0;
}
