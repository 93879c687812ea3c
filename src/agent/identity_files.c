/* The agent's identity on disk (agent/identity_files.h). Files are the agent's own, yet every piece is checked. */
#include "agent/identity_files.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/prepared_file.h"
#include "base/log.h"
#include "base/pack.h"
#include "os/files.h"
#include "trust/authority.h"
#include "trust/fingerprint.h"
#include "trust/identity.h"
#include "trust/signing_key.h"
#include "wire/limits.h"

#define PEM_MAX_BYTES     ((size_t)WIRE_AUTHORITY_MAX_BYTES)
#define RENEWED_FILE      "renewed"
#define RENEWED_MAX_BYTES (4 * PEM_MAX_BYTES)
#define RENEWED_MAGIC     0x4d524e31u /* MRN1 */
#define JSON_MAX_BYTES    ((size_t)8 * 1024)

void agent_identity_init(struct agent_identity *identity)
{
	memset(identity, 0, sizeof(*identity));
	buf_init(&identity->key_pem, PEM_MAX_BYTES);
	buf_init(&identity->certificate_pem, PEM_MAX_BYTES);
	buf_init(&identity->authority_pem, PEM_MAX_BYTES);
}

void agent_identity_done(struct agent_identity *identity)
{
	buf_wipe(&identity->key_pem);
	buf_done(&identity->key_pem);
	buf_done(&identity->certificate_pem);
	buf_done(&identity->authority_pem);
}

static int read_json(int directory, const char *name, json_t **ret_root, struct err *err)
{
	struct buf text;
	json_t *root;
	int rc;

	buf_init(&text, JSON_MAX_BYTES);
	rc = files_read(directory, name, JSON_MAX_BYTES, &text, err);
	if (rc) {
		buf_done(&text);
		return rc;
	}
	root = json_loadb(buf_text(&text), text.size, JSON_REJECT_DUPLICATES, NULL);
	buf_done(&text);
	if (!json_is_object(root)) {
		json_decref(root);
		return err_set(err, ERR_FORMAT, "%s is damaged", name);
	}
	*ret_root = root;
	return 0;
}

static int copy_text(const json_t *root, const char *name, char *to, size_t capacity, struct err *err)
{
	const char *text = json_string_value(json_object_get(root, name));

	if (text == NULL || strlen(text) >= capacity)
		return err_set(err, ERR_FORMAT, "computer.json: '%s' is missing or too long", name);
	memcpy(to, text, strlen(text) + 1);
	return 0;
}

int identity_files_who(int directory, struct agent_identity *ret_identity, struct err *err)
{
	json_t *root = NULL;
	char id[UUID_TEXT_BYTES];
	int rc = read_json(directory, "computer.json", &root, err);

	if (rc == ERR_NOT_FOUND)
		return err_set(err, rc, "this agent is not activated (muster-agent activate --help)");
	if (rc)
		return rc;
	rc = copy_text(root, "id", id, sizeof(id), err);
	if (rc == 0)
		rc = uuid_parse(id, &ret_identity->computer, err);
	if (rc == 0)
		rc = copy_text(root, "name", ret_identity->name, sizeof(ret_identity->name), err);
	if (rc == 0)
		rc = copy_text(root, "manager", ret_identity->manager, sizeof(ret_identity->manager), err);
	json_decref(root);
	return rc;
}

static int read_manager_key(int directory, uint8_t key[ENVELOPE_KEY_BYTES], struct err *err)
{
	struct buf pem;
	int rc;

	buf_init(&pem, PEM_MAX_BYTES);
	rc = files_read(directory, "manager.pub", PEM_MAX_BYTES, &pem, err);
	if (rc == 0)
		rc = signing_public_parse(pem.data, pem.size, key, err);
	buf_done(&pem);
	return rc;
}

/* The certificate must be for this computer and key, and from this authority. */
static int check_pieces(const struct agent_identity *identity, struct err *err)
{
	struct certificate_facts facts;
	const char *certificate = buf_text(&identity->certificate_pem);
	int rc = certificate_read(certificate, identity->certificate_pem.size, &facts, err);

	if (rc)
		return rc;
	if (!facts.has_computer || !uuid_equal(&facts.computer, &identity->computer))
		return err_set(err, ERR_UNTRUSTED, "the certificate is for another computer");
	rc = certificate_matches_key(certificate, buf_text(&identity->key_pem), err);
	if (rc == 0)
		rc = certificate_signed_by(certificate, buf_text(&identity->authority_pem), err);
	return rc;
}

static int store_file(int directory, const char *name, const void *bytes, size_t size, uid_t uid, gid_t gid,
		      struct err *err)
{
	int rc = files_write(directory, name, bytes, size, 0600, err);

	if (rc == 0 && geteuid() == 0 && fchownat(directory, name, uid, gid, AT_SYMLINK_NOFOLLOW) != 0)
		rc = err_errno(err, errno, "identity/%s", name);
	return rc;
}

static int read_pieces(int directory, struct agent_identity *identity, struct err *err)
{
	int rc = files_read(directory, "key.pem", PEM_MAX_BYTES, &identity->key_pem, err);

	if (rc == 0)
		rc = files_read(directory, "cert.pem", PEM_MAX_BYTES, &identity->certificate_pem, err);
	if (rc == 0)
		rc = files_read(directory, "ca.pem", PEM_MAX_BYTES, &identity->authority_pem, err);
	return rc == 0 ? check_pieces(identity, err) : rc;
}

/* --- renewal --- */

static void empty_pieces(struct agent_identity *identity)
{
	buf_wipe(&identity->key_pem);
	buf_reset(&identity->certificate_pem);
	buf_reset(&identity->authority_pem);
}

static bool take_text(struct unpack *in, struct buf *out)
{
	struct bytes text = unpack_bytes(in, PEM_MAX_BYTES);

	return text.size > 0 && buf_append(out, text.data, text.size) == 0;
}

/* Key, certificate and roots, each in the file that has it. */
static int store_pieces(int directory, const struct agent_identity *identity, uid_t uid, gid_t gid, struct err *err)
{
	const struct {
		const char *name;
		const struct buf *content;
	} files[] = { { "key.pem", &identity->key_pem },
		      { "cert.pem", &identity->certificate_pem },
		      { "ca.pem", &identity->authority_pem } };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < COUNT_OF(files); i++)
		rc =
		    store_file(directory, files[i].name, files[i].content->data, files[i].content->size, uid, gid, err);
	return rc;
}

/* The three files anew; what one of them was before is in `renewed` until all are. */
static int renewed_finish(int directory, const struct agent_identity *identity, struct err *err)
{
	struct stat st;
	int rc = fstat(directory, &st) == 0 ? 0 : err_errno(err, errno, "identity");

	if (rc == 0)
		rc = store_pieces(directory, identity, st.st_uid, st.st_gid, err);
	return rc == 0 ? files_remove(directory, RENEWED_FILE, err) : rc;
}

/* False: there is none, or none of this computer's. */
static bool renewed_load(int directory, struct agent_identity *identity)
{
	struct unpack in;
	struct buf file;
	bool good;

	buf_init(&file, RENEWED_MAX_BYTES);
	good = files_read(directory, RENEWED_FILE, RENEWED_MAX_BYTES, &file, NULL) == 0;
	unpack_init(&in, file.data, file.size);
	good = good && unpack_u32(&in) == RENEWED_MAGIC && take_text(&in, &identity->key_pem) &&
	       take_text(&in, &identity->certificate_pem) && take_text(&in, &identity->authority_pem) &&
	       unpack_end(&in) == 0 && check_pieces(identity, NULL) == 0;
	buf_wipe(&file);
	buf_done(&file);
	if (good)
		(void)renewed_finish(directory, identity, NULL); /* else at the next start */
	else
		empty_pieces(identity);
	return good;
}

static int renewed_store(int directory, const struct agent_identity *identity, struct err *err)
{
	struct buf file;
	int rc;

	buf_init(&file, RENEWED_MAX_BYTES);
	pack_u32(&file, RENEWED_MAGIC);
	pack_bytes(&file, identity->key_pem.data, identity->key_pem.size);
	pack_bytes(&file, identity->certificate_pem.data, identity->certificate_pem.size);
	pack_bytes(&file, identity->authority_pem.data, identity->authority_pem.size);
	rc = file.status != 0 ? err_set(err, file.status, "no room for the renewed identity")
			      : files_write(directory, RENEWED_FILE, file.data, file.size, 0600, err);
	buf_wipe(&file);
	buf_done(&file);
	return rc;
}

static void swap_pieces(struct agent_identity *a, struct agent_identity *b)
{
	struct agent_identity kept = *a;

	a->key_pem = b->key_pem;
	a->certificate_pem = b->certificate_pem;
	a->authority_pem = b->authority_pem;
	b->key_pem = kept.key_pem;
	b->certificate_pem = kept.certificate_pem;
	b->authority_pem = kept.authority_pem;
}

int identity_files_renew(int directory, struct agent_identity *identity, const struct buf *key_pem,
			 const struct buf *certificate_pem, const struct buf *authority_pem, struct err *err)
{
	struct agent_identity next;
	int rc;

	agent_identity_init(&next);
	next.computer = identity->computer;
	buf_append(&next.key_pem, key_pem->data, key_pem->size);
	buf_append(&next.certificate_pem, certificate_pem->data, certificate_pem->size);
	buf_append(&next.authority_pem, authority_pem->data, authority_pem->size);
	rc = check_pieces(&next, err);
	if (rc == 0)
		rc = renewed_store(directory, &next, err);
	if (rc == 0) {
		(void)renewed_finish(directory, &next, NULL);
		swap_pieces(identity, &next);
	}
	agent_identity_done(&next);
	return rc;
}

time_us identity_proven(const struct agent_identity *identity)
{
	struct certificate_facts facts;

	if (certificate_read(buf_text(&identity->certificate_pem), identity->certificate_pem.size, &facts, NULL) != 0)
		return 0;
	return facts.not_before + AUTHORITY_BACKDATE_US;
}

int identity_files_load(int directory, struct agent_identity *ret_identity, struct err *err)
{
	struct agent_identity identity;
	int rc;

	agent_identity_init(&identity);
	rc = identity_files_who(directory, &identity, err);
	if (rc == 0)
		rc = read_manager_key(directory, identity.manager_key, err);
	if (rc == 0 && !renewed_load(directory, &identity))
		rc = read_pieces(directory, &identity, err);
	if (rc)
		agent_identity_done(&identity);
	else
		*ret_identity = identity;
	return rc ? err_add(err, rc, "identity") : 0;
}

static int store_json(int directory, const char *name, json_t *root, uid_t uid, gid_t gid, struct err *err)
{
	char *text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
	int rc = text ? store_file(directory, name, text, strlen(text), uid, gid, err)
		      : err_set(err, ERR_MEMORY, "out of memory");

	free(text);
	json_decref(root);
	return rc;
}

int identity_files_trust(int directory, const uint8_t key[ENVELOPE_KEY_BYTES], uid_t uid, gid_t gid, struct err *err)
{
	struct buf pem;
	int rc;

	buf_init(&pem, PEM_MAX_BYTES);
	rc = signing_public_pem(key, &pem, err);
	if (rc == 0)
		rc = store_file(directory, "manager.pub", pem.data, pem.size, uid, gid, err);
	buf_done(&pem);
	return rc;
}

int identity_files_who_store(int directory, const struct agent_identity *identity, uid_t uid, gid_t gid,
			     struct err *err)
{
	char id[UUID_TEXT_BYTES];

	uuid_format(&identity->computer, id);
	return store_json(directory, "computer.json",
			  json_pack("{s:s,s:s,s:s}", "id", id, "name", identity->name, "manager", identity->manager),
			  uid, gid, err);
}

int identity_files_store(int directory, const struct agent_identity *identity, uid_t uid, gid_t gid, struct err *err)
{
	int rc = check_pieces(identity, err);

	if (rc == 0)
		rc = files_remove(directory, RENEWED_FILE, err); /* of who it was before */
	if (rc == 0)
		rc = store_pieces(directory, identity, uid, gid, err);
	if (rc == 0)
		rc = identity_files_trust(directory, identity->manager_key, uid, gid, err);
	if (rc == 0)
		rc = identity_files_who_store(directory, identity, uid, gid, err);
	if (rc == 0)
		rc = files_remove(directory, "attempt.json", err);
	if (rc == 0)
		rc = files_remove(directory, "attempt-key.pem", err);
	return rc;
}

static const char *const all_files[] = { "computer.json", "key.pem",         "cert.pem",   "ca.pem",     "manager.pub",
					 "attempt.json",  "attempt-key.pem", RENEWED_FILE, PREPARED_FILE };

void identity_files_sweep(int directory)
{
	for (size_t i = 0; i < COUNT_OF(all_files); i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s.tmp", all_files[i]);
		if (unlinkat(directory, name, 0) == 0)
			LOG(LOG_INFO, "identity.swept", log_text("file", name));
	}
}

int identity_files_remove(int directory, struct err *err)
{
	int rc = 0;

	identity_files_sweep(directory);
	for (size_t i = 0; rc == 0 && i < COUNT_OF(all_files); i++)
		rc = files_remove(directory, all_files[i], err);
	return rc;
}

/* What an attempt is bound to: another manager or token makes another attempt. */
static void attempt_purpose(const char *manager, const char *token, char text[SHA256_TEXT_BYTES])
{
	uint8_t digest[SHA256_BYTES];
	struct buf both;

	buf_init(&both, IDENTITY_URL_BYTES + 4096);
	buf_printf(&both, "%s\n%s", manager, token);
	fingerprint_of(both.data, both.size, digest);
	hex_format(digest, sizeof(digest), text);
	buf_wipe(&both);
	buf_done(&both);
}

static int attempt_load(int directory, const char *purpose, struct enrol_attempt *attempt, struct err *err)
{
	const char *stored, *id;
	json_t *root;
	int rc = read_json(directory, "attempt.json", &root, err);

	if (rc)
		return rc;
	stored = json_string_value(json_object_get(root, "purpose"));
	id = json_string_value(json_object_get(root, "id"));
	if (stored == NULL || id == NULL || strcmp(stored, purpose) != 0)
		rc = err_set(err, ERR_NOT_FOUND, "no attempt for this manager and token");
	else
		rc = uuid_parse(id, &attempt->id, err);
	json_decref(root);
	if (rc == 0)
		rc = files_read(directory, "attempt-key.pem", PEM_MAX_BYTES, &attempt->key_pem, err);
	return rc;
}

static int attempt_begin(int directory, const char *purpose, struct enrol_attempt *attempt, struct err *err)
{
	char id[UUID_TEXT_BYTES];
	struct buf request;
	int rc;

	buf_reset(&attempt->key_pem);
	buf_init(&request, PEM_MAX_BYTES);
	rc = identity_make(&attempt->key_pem, &request, err);
	buf_done(&request);
	if (rc == 0)
		rc = store_file(directory, "attempt-key.pem", attempt->key_pem.data, attempt->key_pem.size, geteuid(),
				getegid(), err);
	uuid_format(&attempt->id, id);
	if (rc == 0)
		rc = store_json(directory, "attempt.json", json_pack("{s:s,s:s}", "id", id, "purpose", purpose),
				geteuid(), getegid(), err);
	return rc;
}

int identity_attempt(int directory, const char *manager, const char *token, const struct uuid *fresh,
		     struct enrol_attempt *ret_attempt, struct err *err)
{
	struct enrol_attempt attempt = { .id = *fresh };
	char purpose[SHA256_TEXT_BYTES];
	int rc;

	buf_init(&attempt.key_pem, PEM_MAX_BYTES);
	attempt_purpose(manager, token, purpose);
	if (attempt_load(directory, purpose, &attempt, NULL) == 0) {
		*ret_attempt = attempt;
		return 0;
	}
	attempt.id = *fresh;
	rc = attempt_begin(directory, purpose, &attempt, err);
	if (rc)
		identity_attempt_done(&attempt);
	else
		*ret_attempt = attempt;
	return rc;
}

void identity_attempt_done(struct enrol_attempt *attempt)
{
	buf_wipe(&attempt->key_pem);
	buf_done(&attempt->key_pem);
}
