/* The certificate authorities' life in the keys role. */
#include "manager/keys/ca_key.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "manager/messages.h"
#include "trust/identity.h"
#include "trust/roots.h"
#include "trust/secret_file.h"

#define ADVICE                                                                                                         \
	"put " LAYOUT_KEYS_CA " back into the data directory, or restore it from a backup: muster cert restore FILE"

/* --- what there is --- */

/* Put back from a copy of before its turn. */
static int turn_again(struct ca_key *key, const uint8_t issued_last[SHA256_BYTES], struct err *err)
{
	const struct authority *next = authorities_next(key->authorities);
	uint8_t fingerprint[SHA256_BYTES];

	if (next == NULL)
		return 0;
	authority_fingerprint(next, fingerprint);
	return memcmp(fingerprint, issued_last, SHA256_BYTES) == 0 ? authorities_turn(key->authorities, err) : 0;
}

/* Somebody may have put the wrong one there: the authority that people and agents know must be among these. Cut off
 * after a change, ca.pem is of before it, and the one that issued then is still there. */
static int check_known(struct ca_key *key, struct err *err)
{
	struct buf first, roots, links, mine;
	struct certificate_facts facts;
	int rc = 0;

	if (key->known.size == 0)
		return 0;
	buf_init(&first, SECRET_FILE_MAX_BYTES);
	buf_init(&roots, SECRET_FILE_MAX_BYTES);
	buf_init(&links, SECRET_FILE_MAX_BYTES);
	buf_init(&mine, AUTHORITIES_MAX_BYTES);
	rc = roots_split(buf_text(&key->known), &first, &roots, &links, err);
	if (rc == 0)
		rc = certificate_read(first.data, first.size, &facts, err);
	if (rc == 0)
		rc = authorities_pem(key->authorities, &mine, err);
	if (rc == 0) {
		buf_reset(&roots);
		rc = roots_find(buf_text(&mine), facts.fingerprint, &roots, NULL);
		if (rc != 0)
			rc = err_set(err, ERR_UNTRUSTED,
				     "%s is not of the authority that issued last (the first one in " LAYOUT_CA
				     "), but of another one or from before its time",
				     key->place.path);
	}
	if (rc == 0)
		rc = turn_again(key, facts.fingerprint, err);
	buf_done(&first);
	buf_done(&roots);
	buf_done(&links);
	buf_done(&mine);
	return rc;
}

static int load(struct ca_key *key, const char *certificates, struct err *err)
{
	int rc = authorities_load(key->place.path, certificates, &key->authorities, err);

	if (rc != 0) {
		key->authorities = NULL;
		return rc;
	}
	rc = check_known(key, err);
	if (rc != 0) {
		authorities_free(key->authorities);
		key->authorities = NULL;
	}
	return rc;
}

int ca_key_open(struct ca_key *key, const struct env *env, const char *data_directory, struct err *err)
{
	char certificates[LAYOUT_PATH_BYTES];
	struct err why = { 0 };
	int rc;

	key->env = env;
	buf_init(&key->known, SECRET_FILE_MAX_BYTES);
	key_place_begin(&key->place, data_directory, LAYOUT_KEYS_CA);
	snprintf(certificates, sizeof(certificates), "%s/%s", data_directory, LAYOUT_CA);
	if (secret_file_read(certificates, false, &key->known, NULL) != 0)
		buf_reset(&key->known);
	rc = load(key, certificates, &why);
	if (rc == ERR_MEMORY)
		return err_set(err, rc, "certificate authority: %s", why.text);
	key->place.held = rc == 0;
	if (rc == 0)
		return 0;
	snprintf(key->why, sizeof(key->why), "%.400s", why.text);
	LOG(LOG_ERROR, "keys.no_authority", log_text("file", LAYOUT_KEYS_CA), log_err(&why),
	    log_text("advice", "no certificate can be issued or renewed: " ADVICE));
	return 0;
}

void ca_key_done(struct ca_key *key)
{
	authorities_free(key->authorities);
	key->authorities = NULL;
	buf_done(&key->known);
}

int ca_key_present(const struct ca_key *key, const struct authorities **ret_authorities, struct err *err)
{
	if (key->authorities == NULL)
		return err_set(err, ERR_NOT_FOUND, "%.300s; " ADVICE, key->why);
	*ret_authorities = key->authorities;
	return 0;
}

int ca_key_pem(const struct ca_key *key, struct buf *out, struct err *err)
{
	const struct authorities *present;
	int rc = ca_key_present(key, &present, err);

	return rc == 0 ? authorities_pem(present, out, err) : rc;
}

/* --- changes --- */

static int store(struct ca_key *key, const struct authorities *authorities, struct err *err)
{
	struct buf bytes;
	int rc;

	buf_init(&bytes, SECRET_FILE_MAX_BYTES);
	rc = authorities_file(authorities, &bytes, err);
	if (rc == 0) {
		rc = secret_file_write(key->place.path, bytes.data, bytes.size, 0600, err);
		key_place_written(&key->place, &bytes, rc);
	}
	buf_wipe(&bytes);
	return rc;
}

int ca_key_write_anew(struct ca_key *key, bool force, struct err *err)
{
	const struct authorities *present;
	int rc = ca_key_present(key, &present, err);

	if (rc == 0)
		rc = key_place_make_way(&key->place, force, err);
	return rc == 0 ? store(key, present, err) : rc;
}

/* Takes `changed` over: it is stored, and then there, or neither. */
static int replace(struct ca_key *key, struct authorities *changed, struct err *err)
{
	int rc = key_place_clear(&key->place, err);

	if (rc == 0)
		rc = store(key, changed, err);
	if (rc != 0) {
		authorities_free(changed);
		return rc;
	}
	authorities_free(key->authorities);
	key->authorities = changed;
	return 0;
}

/* Front may be wrong about time, or taken over: what has not ended by our clock stays. */
static int drop(struct authorities *authorities, time_us ended, time_us now, struct err *err)
{
	if (ended > now)
		return err_set(err, ERR_DENIED, "authorities that have not ended are kept");
	(void)authorities_drop(authorities, ended);
	return 0;
}

static int apply(struct authorities *authorities, uint16_t message, time_us ended, time_us now, struct err *err)
{
	switch (message) {
	case MESSAGE_PREPARE_AUTHORITY:
		return authorities_prepare(authorities, now, err);
	case MESSAGE_TURN_AUTHORITY:
		return authorities_turn(authorities, err);
	default:
		return drop(authorities, ended, now, err);
	}
}

int ca_key_change(struct ca_key *key, uint16_t message, time_us ended, struct err *err)
{
	const struct authorities *present;
	struct authorities *changed = NULL;
	int rc = ca_key_present(key, &present, err);

	if (rc == 0)
		rc = authorities_copy(present, &changed, err);
	if (rc == 0)
		rc = apply(changed, message, ended, env_wall(key->env), err);
	if (rc == 0)
		return replace(key, changed, err);
	authorities_free(changed);
	return rc;
}

/* --- backups --- */

int ca_key_check_backup(const struct ca_key *key, const struct backup *backup, struct err *err)
{
	struct certificate_facts root;
	struct buf mine, found;
	int rc;

	buf_init(&mine, SECRET_FILE_MAX_BYTES);
	buf_init(&found, AUTHORITIES_MAX_BYTES);
	rc = key->authorities != NULL ? authorities_pem(key->authorities, &mine, err)
				      : buf_append(&mine, key->known.data, key->known.size);
	if (rc == 0)
		rc = certificate_read(backup->authority.data, backup->authority.size, &root, err);
	if (rc == 0 && roots_find(buf_text(&mine), root.fingerprint, &found, NULL) != 0)
		rc = err_set(
		    err, ERR_UNTRUSTED,
		    "this backup is of another manager (\"%.100s\"): its agents know that one by its CA. To set "
		    "it up again on a machine: muster-manager init --data DIR --restore FILE",
		    backup->name);
	buf_done(&found);
	buf_done(&mine);
	return rc;
}

int ca_key_take_back(struct ca_key *key, const struct backup *backup, bool force, bool *ret_taken, struct err *err)
{
	struct authorities *recovered;
	int rc;

	*ret_taken = false;
	if (key->authorities != NULL)
		return 0;
	rc = authorities_recover(&backup->authority_key, &backup->authority, &key->known, force, &recovered, err);
	if (rc == ERR_CONFLICT)
		return err_set(err, rc,
			       "this backup is older than the certificate authority that issued last, and holds no key "
			       "of it; nothing was changed. Is there a later backup? With --force the former authority "
			       "issues again, and computers that were activated since have to be activated anew");
	if (rc == 0)
		rc = replace(key, recovered, err);
	*ret_taken = rc == 0;
	return rc;
}
