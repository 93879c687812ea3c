/* A data directory from nothing. Arguments come from the administrator. */
#include "manager/init.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/env.h"
#include "base/text.h"
#include "fleet/event_types.h"
#include "manager/api/accounts.h"
#include "manager/front/journal.h"
#include "manager/layout.h"
#include "manager/queries.h"
#include "manager/server_certificate.h"
#include "manager/settings.h"
#include "manager/succession_row.h"
#include "os/env.h"
#include "os/files.h"
#include "os/role.h"
#include "trust/authority.h"
#include "trust/fingerprint.h"
#include "trust/identity.h"
#include "trust/secret_file.h"
#include "trust/signing_key.h"
#include "wire/envelope.h"

#define FIRST_USER       "admin"
#define FREE_NUMBER_LOW  61184 /* a range that Debian leaves to nobody */
#define FREE_NUMBER_HIGH 65519

struct making {
	const struct init_options *options;
	const struct env *env;
	struct settings settings;
	struct authority *authority;
	struct signing_key *signing;
	uint8_t public_key[ENVELOPE_KEY_BYTES];
	uid_t front_uid, keys_uid;
	gid_t front_gid, keys_gid;
	struct init_result result;
};

static int path_of(const struct making *making, const char *name, char *path, struct err *err)
{
	if ((size_t)snprintf(path, LAYOUT_PATH_BYTES, "%s/%s", making->options->data_directory, name) >=
	    LAYOUT_PATH_BYTES)
		return err_set(err, ERR_LIMIT, "the data directory's path is too long");
	return 0;
}

/* --- what must not be there --- */

static bool is_there(const char *path)
{
	struct stat facts;

	return lstat(path, &facts) == 0;
}

/* The settings are written last: without them nothing runs here, but keys may be all that is left of a manager. */
static int check_free(const struct making *making, struct err *err)
{
	static const char *const names[] = { LAYOUT_CA,         LAYOUT_TRUST_KEY, LAYOUT_KEYS_CA,
					     LAYOUT_KEYS_TRUST, LAYOUT_DATABASE,  LAYOUT_TLS_KEY };
	char path[LAYOUT_PATH_BYTES];
	int rc = path_of(making, LAYOUT_SETTINGS, path, err);

	if (rc == 0 && is_there(path))
		return err_set(err, ERR_EXISTS,
			       "%s is there already: this directory was set up before. Nothing was changed; choose "
			       "another with --data",
			       path);
	for (size_t i = 0; rc == 0 && i < COUNT_OF(names); i++) {
		rc = path_of(making, names[i], path, err);
		if (rc == 0 && is_there(path))
			return err_set(err, ERR_EXISTS,
				       "%s is there already, and " LAYOUT_SETTINGS
				       " is not: setting up was broken off here, or that file was lost. Nothing was "
				       "changed; remove the directory if nobody needs what is in it, or choose another "
				       "with --data",
				       path);
	}
	return rc;
}

/* --- settings --- */

static int replace_text(char **place, const char *text, struct err *err)
{
	char *copy = strdup(text);

	if (copy == NULL)
		return err_set(err, ERR_MEMORY, "no memory");
	free(*place);
	*place = copy;
	return 0;
}

static uint16_t random_port(const struct env *env)
{
	/* Five digits, below the ports that the kernel hands out by itself. */
	return (uint16_t)(10000 + env_below(env, 32768 - 10000));
}

static int choose_name(struct making *making, struct err *err)
{
	char host[254] = "";
	const struct backup *backup = making->options->restore;
	const char *name = making->options->name;

	if (name == NULL && backup != NULL)
		name = backup->name;
	if (name == NULL) {
		if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0')
			snprintf(host, sizeof(host), "localhost");
		name = host;
	}
	if (!text_is_name(name, sizeof(making->result.name) - 1) || strpbrk(name, "/: ") != NULL)
		return err_set(err, ERR_RANGE, "--name: a host name is expected, by which agents reach this manager");
	snprintf(making->result.name, sizeof(making->result.name), "%s", name);
	return replace_text(&making->settings.name, name, err);
}

static bool has_ipv6(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void choose_listen(struct making *making)
{
	struct conf_addresses *listen = &making->settings.listen;

	*listen = making->options->listen;
	if (listen->count > 0)
		return;
	listen->items[listen->count++] = (struct conf_address){ "0.0.0.0", SETTINGS_HTTPS_PORT };
	if (has_ipv6())
		listen->items[listen->count++] = (struct conf_address){ "::", SETTINGS_HTTPS_PORT };
}

/* A user of that name if the system has one, else a number that nobody has. */
static int choose_user(struct making *making, const char *wish, char **place, uid_t *uid, gid_t *gid, struct err *err)
{
	char number[16];
	uid_t chosen;

	if (geteuid() != 0) {
		*uid = geteuid();
		*gid = getegid();
		return 0;
	}
	if (role_user(wish, uid, gid, NULL) == 0)
		return replace_text(place, wish, err);
	do {
		chosen = (uid_t)(FREE_NUMBER_LOW + env_below(making->env, FREE_NUMBER_HIGH - FREE_NUMBER_LOW + 1));
	} while (chosen == making->front_uid || chosen == making->keys_uid || getpwuid(chosen) != NULL);
	*uid = chosen;
	*gid = (gid_t)chosen;
	snprintf(number, sizeof(number), "%u", (unsigned)*uid);
	return replace_text(place, number, err);
}

static int choose_settings(struct making *making, struct err *err)
{
	uid_t courier_uid, hypervisor_uid;
	gid_t courier_gid, hypervisor_gid;
	int rc = conf_init(&settings_table, &making->settings, err);

	if (rc == 0)
		rc = choose_name(making, err);
	if (rc == 0)
		rc = choose_user(making, "muster", &making->settings.front_user, &making->front_uid, &making->front_gid,
				 err);
	if (rc == 0)
		rc = choose_user(making, "muster-keys", &making->settings.keys_user, &making->keys_uid,
				 &making->keys_gid, err);
	if (rc == 0)
		rc = choose_user(making, "muster-courier", &making->settings.courier_user, &courier_uid, &courier_gid,
				 err);
	if (rc == 0)
		rc = choose_user(making, "muster-hypervisor", &making->settings.hypervisor_user, &hypervisor_uid,
				 &hypervisor_gid, err);
	if (rc != 0)
		return rc;
	choose_listen(making);
	making->settings.agent_port = making->options->agent_port != 0   ? making->options->agent_port
				      : making->options->restore != NULL ? making->options->restore->agent_port
									 : random_port(making->env);
	making->result.agent_port = (uint16_t)making->settings.agent_port;
	snprintf(making->result.url, sizeof(making->result.url), "https://%s:%u", making->result.name,
		 (unsigned)making->settings.listen.items[0].port);
	return 0;
}

/* --- directories and owners --- */

/* The roles keep their files below the data directory and have users of their
 * own, so they must be able to search it, whatever the umask or whoever made it. */
static int open_to_roles(const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) != 0 || chmod(path, (st.st_mode & 07777) | 0711) != 0)
		return err_errno(err, errno, "open %s to the roles", path);
	return 0;
}

/* The directory itself and those above it that are missing. */
static int make_parents(const char *directory, struct err *err)
{
	char path[LAYOUT_PATH_BYTES];

	if ((size_t)snprintf(path, sizeof(path), "%s", directory) >= sizeof(path))
		return err_set(err, ERR_LIMIT, "the data directory's path is too long");
	for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0755) != 0 && errno != EEXIST)
			return err_errno(err, errno, "make %s", path);
		*slash = '/';
	}
	if (mkdir(path, 0755) != 0 && errno != EEXIST)
		return err_errno(err, errno, "make %s", path);
	return open_to_roles(path, err);
}

static int make_directory(const struct making *making, const char *name, uid_t uid, gid_t gid, struct err *err)
{
	char path[LAYOUT_PATH_BYTES];
	int rc = path_of(making, name, path, err);

	return rc == 0 ? files_make_directory(AT_FDCWD, path, 0700, uid, gid, NULL, err) : rc;
}

/* Stays the administrator's: front reads it. */
static int make_packages(const struct making *making, struct err *err)
{
	char path[LAYOUT_PATH_BYTES];
	int rc = path_of(making, LAYOUT_PACKAGES, path, err);

	return rc == 0 ? files_make_directory(AT_FDCWD, path, 0755, (uid_t)-1, (gid_t)-1, NULL, err) : rc;
}

static int make_directories(const struct making *making, struct err *err)
{
	int rc = make_parents(making->options->data_directory, err);

	if (rc == 0)
		rc = make_directory(making, LAYOUT_KEYS, making->keys_uid, making->keys_gid, err);
	if (rc == 0)
		rc = make_directory(making, LAYOUT_FRONT, making->front_uid, making->front_gid, err);
	if (rc == 0)
		rc = make_directory(making, LAYOUT_QUARANTINE, making->front_uid, making->front_gid, err);
	if (rc == 0)
		rc = make_directory(making, LAYOUT_QUARANTINE_INPUT, making->front_uid, making->front_gid, err);
	if (rc == 0)
		rc = make_packages(making, err);
	return rc;
}

/* `missing_is_fine` for files that the database makes only at times. */
static int give(const struct making *making, const char *name, uid_t uid, gid_t gid, bool missing_is_fine,
		struct err *err)
{
	char path[LAYOUT_PATH_BYTES];
	int rc = path_of(making, name, path, err);

	if (rc != 0 || geteuid() != 0)
		return rc;
	if (fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW) != 0 && !(missing_is_fine && errno == ENOENT))
		return err_errno(err, errno, "give %s to user %u", path, (unsigned)uid);
	return 0;
}

static int give_all(const struct making *making, struct err *err)
{
	static const struct {
		const char *name;
		bool keys, missing_is_fine;
	} files[] = {
		{ LAYOUT_KEYS_CA, true, false },         { LAYOUT_KEYS_TRUST, true, false },
		{ LAYOUT_TLS_KEY, false, false },        { LAYOUT_TLS_CERTIFICATE, false, false },
		{ LAYOUT_DATABASE, false, false },       { LAYOUT_DATABASE "-wal", false, true },
		{ LAYOUT_DATABASE "-shm", false, true }, { LAYOUT_DATABASE ".lock", false, true },
	};
	int rc = 0;

	for (size_t i = 0; i < COUNT_OF(files) && rc == 0; i++)
		rc = give(making, files[i].name, files[i].keys ? making->keys_uid : making->front_uid,
			  files[i].keys ? making->keys_gid : making->front_gid, files[i].missing_is_fine, err);
	return rc;
}

/* --- keys and certificates --- */

/* As the agents of the earlier manager know it. */
static int restore_authority(struct making *making, const char *key_path, const char *certificate_path, struct err *err)
{
	const struct backup *backup = making->options->restore;
	int rc = secret_file_write(key_path, backup->authority_key.data, backup->authority_key.size, 0600, err);

	if (rc == 0)
		rc = secret_file_write(certificate_path, backup->authority.data, backup->authority.size, 0644, err);
	return rc == 0 ? authority_load(key_path, certificate_path, &making->authority, err) : rc;
}

static int make_authority(struct making *making, struct err *err)
{
	char name[65], key_path[LAYOUT_PATH_BYTES], certificate_path[LAYOUT_PATH_BYTES];
	int rc;

	snprintf(name, sizeof(name), "Muster CA of %.50s", making->result.name);
	rc = path_of(making, LAYOUT_KEYS_CA, key_path, err);
	if (rc == 0)
		rc = path_of(making, LAYOUT_CA, certificate_path, err);
	if (rc == 0 && making->options->restore != NULL) {
		rc = restore_authority(making, key_path, certificate_path, err);
	} else if (rc == 0) {
		rc = authority_generate(name, env_wall(making->env), &making->authority, err);
		if (rc == 0)
			rc = authority_store(making->authority, key_path, certificate_path, err);
	}
	if (rc == 0)
		authority_fingerprint(making->authority, making->result.ca_fingerprint);
	return rc == 0 ? 0 : err_add(err, rc, "certificate authority");
}

static int make_signing_key(struct making *making, struct err *err)
{
	char path[LAYOUT_PATH_BYTES], public_path[LAYOUT_PATH_BYTES];
	struct buf pem;
	const struct backup *backup = making->options->restore;
	int rc = backup != NULL
		     ? signing_key_parse(backup->server_key.data, backup->server_key.size, &making->signing, err)
		     : signing_key_generate(&making->signing, err);

	buf_init(&pem, SECRET_FILE_MAX_BYTES);
	if (rc == 0)
		rc = path_of(making, LAYOUT_KEYS_TRUST, path, err);
	if (rc == 0)
		rc = signing_key_store(making->signing, path, err);
	if (rc == 0) {
		signing_key_public(making->signing, making->public_key);
		rc = signing_public_pem(making->public_key, &pem, err);
	}
	if (rc == 0)
		rc = path_of(making, LAYOUT_TRUST_KEY, public_path, err);
	if (rc == 0)
		rc = secret_file_write(public_path, pem.data, pem.size, 0644, err);
	buf_done(&pem);
	return rc == 0 ? 0 : err_add(err, rc, "server authentication key");
}

static int make_tls(struct making *making, struct err *err)
{
	return server_certificate_make(making->options->data_directory, making->result.name, &making->settings,
				       making->authority, making->env, err);
}

/* --- database --- */

struct first_rows {
	struct making *making;
	char hash[PASSWORD_ENCODED_BYTES];
};

/* Agents have seen numbers up to those of the backup, and of what was done after it was made. */
#define NUMBERS_AHEAD 1000000

static int put_counter(struct store_session *session, const char *name, uint64_t value, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_COUNTER_PUT);

	cursor_bind_text(cursor, "name", name);
	cursor_bind_number(cursor, "value", (int64_t)(value + NUMBERS_AHEAD));
	return cursor_run(cursor, err);
}

/* What agents that trust a key before the restored one are told. */
static int put_step(struct store_session *session, const struct succession *step, struct err *err)
{
	int rc = succession_check(step, signing_key_verify, NULL, err);

	return rc == 0 ? succession_row_put(session, step, err) : rc;
}

static int write_restored(struct store_session *session, const struct backup *backup, struct err *err)
{
	int rc = put_counter(session, "policy_revision", backup->policy_revision, err);

	if (rc == 0)
		rc = put_counter(session, "command_serial", backup->command_serial, err);
	for (size_t i = 0; rc == 0 && i < backup->step_count; i++)
		rc = put_step(session, &backup->steps[i], err);
	return rc;
}

static int write_first_rows(struct store_session *session, void *argument, struct err *err)
{
	static const struct front_actor actor = { .kind = "system", .name = "init", .peer = "" };
	struct first_rows *rows = argument;
	const struct env *env = rows->making->env;
	uint8_t hash[SHA256_BYTES];
	char text[SHA256_TEXT_BYTES];
	const struct front_field key[] = { { "fingerprint", text } };
	const struct front_field user[] = { { "name", FIRST_USER }, { "user", "init" }, { "role", "administrator" } };
	bool restored = rows->making->options->restore != NULL;
	struct uuid id;
	int rc;

	signing_key_fingerprint(rows->making->public_key, hash);
	hex_format(hash, sizeof(hash), text);
	rc = account_user_create(session, env, FIRST_USER, ROLE_ADMINISTRATOR, rows->hash, &id, err);
	if (rc == 0)
		rc = journal_audit(env, session, &actor, "user.create", FIRST_USER, "", "done", err);
	if (rc == 0)
		rc = journal_event(env, session, restored ? EVENT_KEY_RESTORED : EVENT_KEY_CREATED, key, COUNT_OF(key),
				   err);
	if (rc == 0 && restored)
		rc = write_restored(session, rows->making->options->restore, err);
	if (rc == 0)
		rc = journal_event(env, session, EVENT_USER_CREATED, user, COUNT_OF(user), err);
	return rc;
}

static int make_database(struct making *making, struct err *err)
{
	struct first_rows rows = { .making = making };
	char path[LAYOUT_PATH_BYTES];
	const struct store_options options = {
		.path = path,
		.migrations = manager_migrations,
		.migration_count = manager_migration_count,
		.readers = 1,
		.group_count = 1,
		.queue_count = 16,
	};
	struct store *store = NULL;
	int rc = path_of(making, LAYOUT_DATABASE, path, err);

	password_generate(making->result.password);
	snprintf(making->result.user, sizeof(making->result.user), "%s", FIRST_USER);
	if (rc == 0)
		rc = password_hash(making->result.password, rows.hash, err);
	if (rc == 0)
		rc = store_open(&options, &store, err);
	if (rc == 0)
		rc = store_write_wait(store, write_first_rows, &rows, err);
	store_close(store);
	OPENSSL_cleanse(rows.hash, sizeof(rows.hash));
	return rc == 0 ? 0 : err_add(err, rc, "database");
}

/* --- all of it --- */

static int make_settings_file(const struct making *making, struct err *err)
{
	char path[LAYOUT_PATH_BYTES];
	int rc = path_of(making, LAYOUT_SETTINGS, path, err);

	return rc == 0 ? conf_write(&settings_table, &making->settings, path, 0644, err) : rc;
}

static int (*const steps[])(struct making *making, struct err *err) = {
	make_authority,
	make_signing_key,
	make_tls,
	make_database,
};

int init_make(const struct init_options *options, struct init_result *ret_result, struct err *err)
{
	struct making making = { .options = options, .env = env_system() };
	int rc = check_free(&making, err);

	if (rc == 0)
		rc = choose_settings(&making, err);
	if (rc == 0)
		rc = make_directories(&making, err);
	for (size_t i = 0; i < COUNT_OF(steps) && rc == 0; i++)
		rc = steps[i](&making, err);
	if (rc == 0)
		rc = give_all(&making, err);
	if (rc == 0)
		rc = make_settings_file(&making, err);
	if (rc == 0)
		*ret_result = making.result;
	OPENSSL_cleanse(making.result.password, sizeof(making.result.password));
	authority_free(making.authority);
	signing_key_free(making.signing);
	conf_done(&settings_table, &making.settings);
	return rc;
}
