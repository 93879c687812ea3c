/* Whether a person may do this to the agent (agent/local_action.h). Input: what was typed; files in the data
 * directory, which may be damaged. */
#include "agent/local_action.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/identity_files.h"
#include "base/units.h"
#include "endpoint/configuration_file.h"
#include "os/env.h"
#include "os/files.h"
#include "policy/settings.h"
#include "trust/password.h"

#define TRIES_FILE "unload_tries"

_Static_assert(LOCAL_ACTION_HASH_BYTES > CONF_PASSWORD_BYTES && LOCAL_ACTION_HASH_BYTES >= PASSWORD_ENCODED_BYTES,
	       "a hash fits");

static const char *const words[LOCAL_ACTIONS] = {
	[LOCAL_ACTION_TRUST] = "trust another key", [LOCAL_ACTION_MOVE] = "move to another manager",
	[LOCAL_ACTION_STOP] = "stop the agent",     [LOCAL_ACTION_UNINSTALL] = "uninstall the agent",
	[LOCAL_ACTION_RESET] = "reset the agent",
};

const char *local_action_words(unsigned action)
{
	return action < LOCAL_ACTIONS ? words[action] : "change the agent";
}

/* --- what was tried --- */

void local_action_tries(int store, struct unload_tries *ret_tries)
{
	struct buf bytes;

	*ret_tries = (struct unload_tries){ 0 };
	buf_init(&bytes, UNLOAD_TRIES_FILE_MAX_BYTES + 1);
	if (files_read(store, TRIES_FILE, UNLOAD_TRIES_FILE_MAX_BYTES, &bytes, NULL) == 0)
		(void)unload_tries_decode(bytes.data, bytes.size, ret_tries);
	buf_done(&bytes);
}

/* Link's, whoever writes it. */
static int save(int store, const struct unload_tries *tries, struct err *err)
{
	struct buf bytes;
	struct stat st;
	int rc = fstat(store, &st) == 0 ? 0 : err_errno(err, errno, "link");

	buf_init(&bytes, UNLOAD_TRIES_FILE_MAX_BYTES);
	unload_tries_encode(tries, &bytes);
	if (rc == 0)
		rc = bytes.status != 0
			 ? err_set(err, bytes.status, "no memory")
			 : files_write_as(store, TRIES_FILE, bytes.data, bytes.size, 0600, st.st_uid, st.st_gid, err);
	buf_done(&bytes);
	return rc;
}

int local_action_told(int store, struct err *err)
{
	struct unload_tries tries;

	local_action_tries(store, &tries);
	tries.untold_count = 0;
	return save(store, &tries, err);
}

/* --- asking --- */

static int too_many(span_us wait, struct err *err)
{
	int64_t seconds = (wait + SECOND_US - 1) / SECOND_US;

	return err_set(err, ERR_BUSY, "too many wrong unload passwords were given: try again in %lld %s",
		       (long long)(seconds < 120 ? seconds : (seconds + 59) / 60), seconds < 120 ? "s" : "min");
}

static int check_password(const struct local_action_request *request, struct unload_tries *tries, struct err *err)
{
	const struct unload_refusal attempt = { .time = env_wall(request->env),
						.action = (uint8_t)request->action,
						.uid = request->uid };
	time_us last = tries->last;
	span_us wait = unload_tries_wait(tries, attempt.time);
	int rc;

	if (wait > 0) {
		if (tries->last != last)
			(void)save(request->store, tries, NULL);
		return too_many(wait, err);
	}
	unload_tries_begin(tries, &attempt);
	rc = save(request->store, tries, err);
	if (rc != 0)
		return err_add(err, rc, "the unload password was not looked at, since the try cannot be noted");
	rc = password_verify(request->password, request->hash, err);
	if (rc == ERR_DENIED)
		return err_set(err, rc, "this is not the unload password");
	if (rc != 0)
		return err_add(err, rc, "the unload password cannot be checked");
	unload_tries_right(tries);
	return save(request->store, tries, err);
}

int local_action_allowed(const struct local_action_request *request, struct err *err)
{
	struct unload_tries tries;
	int rc;

	if (request->action >= LOCAL_ACTIONS)
		return err_set(err, ERR_DENIED, "this is not for anybody to do");
	if (request->hash[0] == '\0')
		return 0;
	if (request->password == NULL)
		return err_set(err, ERR_DENIED,
			       "the policy of this computer asks for the unload password to %s: give it with "
			       "--password-file FILE (-: standard input)",
			       words[request->action]);
	/* Two at once are one behind the other, so that each is counted. */
	if (flock(request->store, LOCK_EX) != 0 && errno != EWOULDBLOCK)
		return err_errno(err, errno, "link");
	local_action_tries(request->store, &tries);
	rc = check_password(request, &tries, err);
	flock(request->store, LOCK_UN);
	return rc;
}

/* --- the hash --- */

void local_action_hash(const Muster__Wire__Configuration *configuration, char hash[LOCAL_ACTION_HASH_BYTES])
{
	const char *name = setting_name(SETTING_AGENT_UNLOAD_PASSWORD);

	hash[0] = '\0';
	for (size_t i = 0; configuration != NULL && i < configuration->n_settings; i++) {
		const Muster__Wire__Field *field = configuration->settings[i];

		if (strcmp(field->name, name) == 0 && field->value.len < LOCAL_ACTION_HASH_BYTES)
			snprintf(hash, LOCAL_ACTION_HASH_BYTES, "%.*s", (int)field->value.len,
				 field->value.len > 0 ? (const char *)field->value.data : "");
	}
}

static int hash_of_file(const struct buf *bytes, const struct uuid *computer, char hash[LOCAL_ACTION_HASH_BYTES])
{
	Muster__Wire__Configuration *kept;
	struct configuration_file file;
	int rc = configuration_file_decode(bytes->data, bytes->size, computer, &file);

	if (rc != 0 || !file.has_kept)
		return rc == ERR_NOT_FOUND ? 0 : rc;
	kept = muster__wire__configuration__unpack(NULL, file.packed.size, file.packed.data);
	if (kept == NULL)
		return ERR_FORMAT;
	local_action_hash(kept, hash);
	muster__wire__configuration__free_unpacked(kept, NULL);
	return 0;
}

static int read_computer(int data, struct uuid *ret_computer, struct err *err)
{
	int directory = openat(data, "identity", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), rc;
	struct agent_identity who;

	if (directory < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "not activated");
	if (directory < 0)
		return err_errno(err, errno, "identity");
	rc = identity_files_who(directory, &who, err);
	close(directory);
	if (rc == 0)
		*ret_computer = who.computer;
	return rc;
}

int local_action_stored_hash(int data, char hash[LOCAL_ACTION_HASH_BYTES], struct err *err)
{
	struct uuid computer;
	struct buf bytes;
	int rc = read_computer(data, &computer, err);

	hash[0] = '\0';
	if (rc != 0)
		return rc == ERR_NOT_FOUND ? 0 : rc;
	buf_init(&bytes, CONFIGURATION_FILE_MAX_BYTES + 1);
	rc = files_read(data, "link/" CONFIGURATION_FILE, CONFIGURATION_FILE_MAX_BYTES, &bytes, err);
	if (rc == ERR_NOT_FOUND)
		rc = 0;
	else if (rc == 0 && hash_of_file(&bytes, &computer, hash) != 0)
		rc = err_set(err, ERR_FORMAT,
			     "link/" CONFIGURATION_FILE " is damaged, and with it whether an unload password is set: "
			     "start the agent, which gets it from the manager again, or remove the file");
	buf_done(&bytes);
	return rc;
}

int local_action_offline(int data, enum local_action action, const char *password, struct err *err)
{
	char hash[LOCAL_ACTION_HASH_BYTES];
	struct local_action_request request = {
		.env = env_system(), .hash = hash, .action = action, .uid = getuid(), .password = password
	};
	int rc = local_action_stored_hash(data, hash, err);

	if (rc != 0 || hash[0] == '\0')
		return rc;
	request.store = openat(data, "link", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (request.store < 0)
		return err_errno(err, errno, "link");
	rc = local_action_allowed(&request, err);
	close(request.store);
	return rc;
}
