/* Certificates of another day, from a manager's own authority: mint KEYS_DIRECTORY CA_PEM COMPUTER KEY_PEM DAYS_AGO.
 * Prints the SHA-256 in hex, the end in microseconds, and the PEM. For tests alone. */
#include <stdio.h>

#include "os/env.h"
#include "trust/authority.h"
#include "trust/identity.h"
#include "trust/secret_file.h"

struct minted {
	struct authority *authority;
	struct buf key, request, certificate;
	struct uuid computer;
	uint64_t days;
};

static int mint(struct minted *minted, char **words, struct err *err)
{
	char key_path[4096];
	int rc;

	snprintf(key_path, sizeof(key_path), "%s/ca.key", words[1]);
	rc = authority_load(key_path, words[2], &minted->authority, err);
	if (rc == 0)
		rc = uuid_parse(words[3], &minted->computer, err);
	if (rc == 0)
		rc = secret_file_read(words[4], true, &minted->key, err);
	if (rc == 0)
		rc = number_parse(words[5], 0, 100000, &minted->days, err);
	if (rc == 0)
		rc = identity_request(buf_text(&minted->key), &minted->request, err);
	return rc == 0
		   ? authority_certify_agent(minted->authority, minted->request.data, minted->request.size,
					     &minted->computer, env_wall(env_system()) - (time_us)minted->days * DAY_US,
					     &minted->certificate, NULL, err)
		   : rc;
}

int main(int count, char **words)
{
	struct minted minted = { .authority = NULL };
	struct certificate_facts facts;
	char fingerprint[SHA256_TEXT_BYTES];
	struct err err = { 0 };
	int rc;

	buf_init(&minted.key, 65536);
	buf_init(&minted.request, 65536);
	buf_init(&minted.certificate, 65536);
	rc = count == 6 ? mint(&minted, words, &err) : err_set(&err, ERR_USAGE, "five words");
	if (rc == 0)
		rc = certificate_read(minted.certificate.data, minted.certificate.size, &facts, &err);
	if (rc == 0) {
		hex_format(facts.fingerprint, SHA256_BYTES, fingerprint);
		printf("%s\n%lld\n%s", fingerprint, (long long)facts.not_after, buf_text(&minted.certificate));
	} else {
		fprintf(stderr, "%s\n", err.text);
	}
	buf_wipe(&minted.key);
	buf_done(&minted.request);
	buf_done(&minted.certificate);
	authority_free(minted.authority);
	return rc == 0 ? 0 : 1;
}
