/* The server authentication key's life in the keys role. */
#include "manager/keys/server_key.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "base/log.h"
#include "trust/secret_file.h"

int server_key_open(struct server_key *key, const struct env *env, const char *data_directory, struct err *err)
{
	struct err why = { 0 };
	int rc;

	key->env = env;
	key_place_begin(&key->place, data_directory, LAYOUT_KEYS_TRUST);
	rc = key_file_load(key->place.path, &key->file, &why);
	if (rc == ERR_MEMORY)
		return err_set(err, rc, "server authentication key: %s", why.text);
	key->place.held = rc == 0;
	if (rc == 0)
		return 0;
	key->file = (struct key_file){ .key = NULL };
	snprintf(key->why, sizeof(key->why), "%.300s", why.text);
	LOG(LOG_ERROR, "keys.no_server_key", log_text("file", LAYOUT_KEYS_TRUST), log_err(&why),
	    log_text("advice", "agents take no orders until it is restored: muster cert restore FILE"));
	return 0;
}

void server_key_done(struct server_key *key)
{
	key_file_done(&key->file);
}

int server_key_present(const struct server_key *key, const struct signing_key **ret_key, struct err *err)
{
	if (key->file.key == NULL)
		return err_set(
		    err, ERR_NOT_FOUND,
		    "this manager has no server authentication key (%s), so that no order can be signed; put "
		    "the file back, or restore it from its backup: muster cert restore FILE",
		    key->why);
	*ret_key = key->file.key;
	return 0;
}

void server_key_state(const struct server_key *key, struct message_keys *ret_state)
{
	*ret_state = (struct message_keys){ .has_key = key->file.key != NULL, .followed = key->file.followed };
	if (key->file.key != NULL)
		signing_key_public(key->file.key, ret_state->public_key);
	ret_state->by = key->file.by;
}

static uint64_t last_serial(const struct server_key *key)
{
	return key->file.followed ? key->file.by.serial : 0;
}

static int store(struct server_key *key, const struct key_file *file, struct err *err)
{
	struct buf bytes;
	int rc;

	buf_init(&bytes, SECRET_FILE_MAX_BYTES);
	rc = key_file_pem(file, &bytes, err);
	if (rc == 0) {
		rc = key_file_store(key->place.path, file, err);
		key_place_written(&key->place, &bytes, rc);
	}
	buf_wipe(&bytes);
	return rc;
}

int server_key_write_anew(struct server_key *key, bool force, struct err *err)
{
	const struct signing_key *present;
	int rc = server_key_present(key, &present, err);

	if (rc == 0)
		rc = key_place_make_way(&key->place, force, err);
	return rc == 0 ? store(key, &key->file, err) : rc;
}

/* On disk first: from then on it is the one that signs. */
static int replace(struct server_key *key, struct key_file *file, struct err *err)
{
	int rc = key_place_clear(&key->place, err);

	if (rc == 0)
		rc = store(key, file, err);
	if (rc != 0)
		return rc;
	key_file_done(&key->file);
	key->file = *file;
	*file = (struct key_file){ .key = NULL };
	return 0;
}

/* The key of a backup, or of a person's own: by succession if front says so and there is a present one. Takes it over.
 */
static int take_over(struct server_key *key, struct signing_key *other, bool succeed, uint64_t known, struct err *err)
{
	struct key_file file = { .key = other };
	const struct signing_key *present = NULL;
	int rc = succeed ? server_key_present(key, &present, err) : 0;

	/* The record of the last succession lies in the file that is replaced: it has to be elsewhere first. */
	if (rc == 0 && key->file.key != NULL && known < last_serial(key))
		rc = err_set(err, ERR_CONFLICT, "key succession %" PRIu64 " is not stored yet; try again",
			     last_serial(key));
	if (rc == 0 && succeed)
		rc = key_file_succeed(present, other, (known > last_serial(key) ? known : last_serial(key)) + 1,
				      env_wall(key->env), &file, err);
	if (rc == 0)
		rc = replace(key, &file, err);
	key_file_done(&file);
	return rc;
}

int server_key_create(struct server_key *key, bool succeed, uint64_t known, struct err *err)
{
	struct signing_key *fresh;
	int rc = signing_key_generate(&fresh, err);

	return rc == 0 ? take_over(key, fresh, succeed, known, err) : rc;
}

/* --- brought by people --- */

static bool is_present(const struct server_key *key, const struct signing_key *other)
{
	uint8_t mine[ENVELOPE_KEY_BYTES], theirs[ENVELOPE_KEY_BYTES];

	if (key->file.key == NULL)
		return false;
	signing_key_public(key->file.key, mine);
	signing_key_public(other, theirs);
	return memcmp(mine, theirs, sizeof(mine)) == 0;
}

/* Takes `other` over. The same key again is what is wanted already. */
static int take(struct server_key *key, struct signing_key *other, bool force, const struct message_create_key *create,
		struct err *err)
{
	bool there = key->file.key != NULL;

	if (is_present(key, other)) {
		signing_key_free(other);
		return 0;
	}
	if (there && !force) {
		signing_key_free(other);
		return err_set(err, ERR_EXISTS,
			       "another server authentication key is present, and agents trust it; nothing was "
			       "changed. Say --force to replace it");
	}
	return take_over(key, other, create->succeed && there, create->known, err);
}

int server_key_take_up(struct server_key *key, const struct message_import_key *import, struct err *err)
{
	struct signing_key *other;
	int rc = signing_key_parse(import->pem.data, import->pem.size, &other, err);

	return rc == 0 ? take(key, other, import->force, &import->create, err) : rc;
}

int server_key_write_backup(const struct server_key *key, const struct authorities *authorities,
			    const struct message_back_up *back_up, struct buf *out, struct err *err)
{
	const struct signing_key *present;
	struct backup backup;
	int rc = server_key_present(key, &present, err);

	if (rc != 0)
		return rc;
	backup_init(&backup);
	backup.made = env_wall(key->env);
	snprintf(backup.name, sizeof(backup.name), "%s", back_up->name);
	backup.agent_port = back_up->agent_port;
	backup.policy_revision = back_up->policy_revision;
	backup.command_serial = back_up->command_serial;
	backup.step_count = back_up->step_count;
	memcpy(backup.steps, back_up->steps, back_up->step_count * sizeof(backup.steps[0]));
	rc = signing_key_pem(present, &backup.server_key, err);
	if (rc == 0)
		rc = authorities_keys_pem(authorities, &backup.authority_key, err);
	if (rc == 0)
		rc = authorities_pem(authorities, &backup.authority, err);
	if (rc == 0)
		rc = backup_seal(&backup, back_up->password, out, err);
	backup_done(&backup);
	return rc;
}

int server_key_take_back(struct server_key *key, const struct backup *backup, const struct message_restore *restore,
			 struct err *err)
{
	const struct message_create_key create = { .succeed = false, .known = restore->known };
	struct signing_key *other = NULL;
	int rc = signing_key_parse(backup->server_key.data, backup->server_key.size, &other, err);

	return rc == 0 ? take(key, other, restore->force, &create, err) : rc;
}
