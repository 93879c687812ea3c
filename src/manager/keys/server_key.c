/* The server authentication key's life in the keys role. */
#include "manager/keys/server_key.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "base/log.h"

int server_key_open(struct server_key *key, const struct env *env, const char *data_directory, struct err *err)
{
	int rc;

	key->env = env;
	snprintf(key->path, sizeof(key->path), "%s/%s", data_directory, LAYOUT_KEYS_TRUST);
	rc = key_file_load(key->path, &key->file, err);
	if (rc != ERR_NOT_FOUND)
		return rc == 0 ? 0 : err_add(err, rc, "server authentication key");
	LOG(LOG_ERROR, "keys.no_server_key", log_text("file", LAYOUT_KEYS_TRUST),
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
		return err_set(err, ERR_NOT_FOUND,
			       "this manager has no server authentication key (%s is missing), so that no order can be "
			       "signed; restore it from its backup: muster cert restore FILE",
			       LAYOUT_KEYS_TRUST);
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

/* On disk first: from then on it is the one that signs. */
static int replace(struct server_key *key, struct key_file *file, struct err *err)
{
	int rc = key_file_store(key->path, file, err);

	if (rc != 0)
		return rc;
	key_file_done(&key->file);
	key->file = *file;
	*file = (struct key_file){ .key = NULL };
	return 0;
}

int server_key_use(struct server_key *key, struct signing_key *other, bool succeed, uint64_t known, struct err *err)
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

	return rc == 0 ? server_key_use(key, fresh, succeed, known, err) : rc;
}
