/* muster-agent uninstall: the agent goes from this computer, and its manager is told.
 *
 * Each step may be repeated: what was killed in between is run again and goes on. The identity goes once its manager
 * was told, the program itself last. Input: the command line, files in the data directory.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/identity_files.h"
#include "agent/local/control_ask.h"
#include "agent/local/farewell.h"
#include "agent/local/installation.h"
#include "agent/local/local.h"
#include "agent/local/local_password.h"
#include "agent/local_action.h"
#include "os/env.h"
#include "os/files.h"

#define END_WAIT_US (60 * SECOND_US)

struct uninstall {
	char *data;
	int directory;   /* the data directory, -1: there is none */
	int lock;        /* guard/lock, held: no agent starts meanwhile */
	bool json, ours; /* ours: the installation's data directory */
	size_t quarantined;
	bool nothing;        /* there was nothing to remove */
	bool kept;           /* what is in quarantine stays */
	struct err not_told; /* code 0: the manager knows, or there is none */
	struct agent_identity identity;
	struct installation installation;
};

/* --- may it be? --- */

static size_t count_quarantined(int data)
{
	int fd = openat(data, "vault", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	size_t count = 0;

	if (stream == NULL) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while ((entry = readdir(stream)) != NULL) {
		const char *dot = strrchr(entry->d_name, '.');

		count += dot != NULL && strcmp(dot, ".vault") == 0;
	}
	closedir(stream);
	return count;
}

static int decide(const struct arguments *arguments, struct uninstall *uninstall, struct err *err)
{
	bool keep = arguments_given(arguments, "--keep-quarantine"),
	     remove = arguments_given(arguments, "--delete-quarantine");

	if (keep && remove)
		return err_set(err, ERR_USAGE, "--keep-quarantine and --delete-quarantine exclude each other");
	if (!arguments_given(arguments, "--yes"))
		return err_set(err, ERR_USAGE,
			       "this removes the agent from this computer, with its data in %.200s; say --yes if you "
			       "mean it",
			       uninstall->data);
	uninstall->quarantined = uninstall->directory >= 0 ? count_quarantined(uninstall->directory) : 0;
	if (uninstall->quarantined > 0 && !keep && !remove)
		return err_set(err, ERR_WRONG_STATE,
			       "%zu file%s of this computer %s in quarantine (muster-agent quarantine list): restore "
			       "what is needed, then say --delete-quarantine, or --keep-quarantine to leave %s in "
			       "%.150s/vault for an agent that is installed there again",
			       uninstall->quarantined, uninstall->quarantined == 1 ? "" : "s",
			       uninstall->quarantined == 1 ? "is" : "are", uninstall->quarantined == 1 ? "it" : "them",
			       uninstall->data);
	uninstall->kept = keep && uninstall->quarantined > 0;
	return 0;
}

/* The running agent asks for the password and ends; without one we ask. */
static int authorise(struct uninstall *uninstall, char *password, struct err *err)
{
	struct control_request request = { .kind = CONTROL_UNINSTALL, .password = password };
	int rc;

	if (uninstall->directory < 0)
		return 0;
	rc = control_ask(uninstall->data, &request, NULL, NULL, NULL, err);
	if (rc != ERR_NOT_FOUND)
		return rc;
	*err = (struct err){ 0 };
	return local_action_offline(uninstall->directory, LOCAL_ACTION_UNINSTALL, password, err);
}

static int ask_and_stop(const struct arguments *arguments, struct uninstall *uninstall, struct err *err)
{
	char *password = NULL;
	int rc = local_password(arguments, uninstall->data, &password, err);

	if (rc == 0)
		rc = authorise(uninstall, password, err);
	local_password_free(password);
	return rc;
}

/* --- the agent's end --- */

static int wait_for_end(struct uninstall *uninstall, struct err *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	time_us give_up = env_monotonic(env_system()) + END_WAIT_US;

	uninstall->lock = openat(uninstall->directory, "guard/lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (uninstall->lock < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "guard/lock");
	while (fcntl(uninstall->lock, F_OFD_SETLK, &lock) != 0) {
		if (env_monotonic(env_system()) >= give_up)
			return err_set(err, ERR_TIMEOUT, "the agent has not ended after %d s: end it, and try again",
				       (int)(END_WAIT_US / SECOND_US));
		(void)poll(NULL, 0, 50);
	}
	return 0;
}

/* An identity that is not whole belongs to nobody who could be told. */
static void read_identity(struct uninstall *uninstall)
{
	int fd = openat(uninstall->directory, "identity", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct err cause;

	agent_identity_init(&uninstall->identity);
	if (fd < 0)
		return;
	if (identity_files_load(fd, &uninstall->identity, &cause) != 0)
		agent_identity_init(&uninstall->identity);
	close(fd);
}

static void tell_manager(struct uninstall *uninstall)
{
	if (uninstall->identity.manager[0] != '\0' && farewell_say(&uninstall->identity, &uninstall->not_told) == 0)
		uninstall->not_told.code = 0;
}

/* --- what is left of it --- */

/* identity/ first: without it there is no agent here any more. */
static const struct {
	const char *name;
	bool quarantine; /* stays with --keep-quarantine */
} entries[] = {
	{ "identity", false }, { "link", false },       { "run", false },       { "guard", true },
	{ "vault", true },     { "signatures", false }, { "agent.ini", false }, { "agent.log", false },
};

/* Of guard/ only the key with which the vault is sealed. */
static void keep_key(int data)
{
	int guard = openat(data, "guard", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (guard < 0)
		return;
	files_empty_but(guard, "vault.key");
	close(guard);
}

static int remove_data(const struct uninstall *uninstall, struct err *err)
{
	for (size_t i = 0; i < COUNT_OF(entries); i++) {
		if (!entries[i].quarantine || !uninstall->kept)
			files_remove_tree(uninstall->directory, entries[i].name);
	}
	if (uninstall->kept)
		keep_key(uninstall->directory);
	for (size_t i = 0; i < COUNT_OF(entries); i++) {
		if ((!entries[i].quarantine || !uninstall->kept) &&
		    faccessat(uninstall->directory, entries[i].name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return err_set(err, ERR_DENIED, "%.200s/%s could not be removed; run this as root",
				       uninstall->data, entries[i].name);
	}
	/* What else is in it was not ours. */
	if (rmdir(uninstall->data) != 0 && errno != ENOTEMPTY && errno != EEXIST && errno != EBUSY && errno != EACCES)
		return err_errno(err, errno, "%s", uninstall->data);
	return 0;
}

/* --- all of it --- */

static bool is_an_agents(int directory)
{
	for (size_t i = 0; i < COUNT_OF(entries); i++) {
		if (strcmp(entries[i].name, "run") != 0 && faccessat(directory, entries[i].name, F_OK, 0) == 0)
			return true;
	}
	return false;
}

static int open_all(const struct arguments *arguments, struct uninstall *uninstall, struct err *err)
{
	int rc = local_output(arguments, &uninstall->json, err);

	if (rc != 0)
		return rc;
	uninstall->data = local_data(arguments, err);
	if (uninstall->data == NULL)
		return err->code;
	uninstall->directory = open(uninstall->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (uninstall->directory < 0 && errno != ENOENT)
		return err_errno(err, errno, "%s", uninstall->data);
	rc = installation_find(&uninstall->installation, err);
	if (rc != 0)
		return rc;
	uninstall->ours = uninstall->installation.there && strcmp(uninstall->installation.data, uninstall->data) == 0;
	uninstall->installation.there = uninstall->ours;
	if (!uninstall->ours && uninstall->directory >= 0 && !is_an_agents(uninstall->directory))
		return err_set(err, ERR_NOT_FOUND, "there is no agent in %.200s (--data DIR names another directory)",
			       uninstall->data);
	return 0;
}

static int remove_all(const struct arguments *arguments, struct uninstall *uninstall, struct err *err)
{
	int rc = decide(arguments, uninstall, err);

	if (rc == 0)
		rc = ask_and_stop(arguments, uninstall, err);
	if (rc == 0 && uninstall->directory >= 0)
		read_identity(uninstall);
	if (rc == 0)
		rc = installation_remove_service(&uninstall->installation, uninstall->identity.manager, err);
	if (rc == 0 && uninstall->directory >= 0)
		rc = wait_for_end(uninstall, err);
	if (rc == 0)
		tell_manager(uninstall);
	if (rc == 0 && uninstall->directory >= 0)
		rc = remove_data(uninstall, err);
	return rc == 0 ? installation_remove_programs(&uninstall->installation, err) : rc;
}

static void show(const struct uninstall *uninstall)
{
	bool known = uninstall->identity.manager[0] != '\0', told = known && uninstall->not_told.code == 0;

	if (uninstall->json) {
		local_print(json_pack("{s:b,s:b,s:s,s:I,s:b,s:b}", "ok", 1, "manager_told", told, "cause",
				      uninstall->not_told.code != 0 ? uninstall->not_told.text : "", "quarantined",
				      (json_int_t)uninstall->quarantined, "quarantine_kept", uninstall->kept,
				      "programs_removed", uninstall->ours));
		return;
	}
	if (uninstall->nothing) {
		printf("There is no %s: nothing is to be removed.\n", uninstall->data);
		return;
	}
	if (told)
		printf("%s knows that the agent of %s is gone.\n", uninstall->identity.manager,
		       uninstall->identity.name);
	else if (known)
		printf("%s could not be told (%s): delete the computer %s there.\n", uninstall->identity.manager,
		       uninstall->not_told.text, uninstall->identity.name);
	if (uninstall->kept)
		printf("%zu quarantined file%s left in %s/vault, for an agent that is installed there again.\n",
		       uninstall->quarantined, uninstall->quarantined == 1 ? " is" : "s are", uninstall->data);
	puts(uninstall->ours ? "The agent is uninstalled."
			     : "The agent's data are removed. Its programs did not come by the installation script and "
			       "stay.");
}

int local_uninstall(const struct arguments *arguments)
{
	struct uninstall uninstall = { .directory = -1, .lock = -1, .installation = { .lock = -1 } };
	struct err err = { 0 };
	int rc;

	agent_identity_init(&uninstall.identity);
	rc = open_all(arguments, &uninstall, &err);
	if (rc == 0 && !uninstall.ours && uninstall.directory < 0)
		uninstall.nothing = true;
	else if (rc == 0)
		rc = remove_all(arguments, &uninstall, &err);
	if (rc == 0)
		show(&uninstall);
	else
		rc = local_failed(&err);
	agent_identity_done(&uninstall.identity);
	installation_done(&uninstall.installation);
	if (uninstall.lock >= 0)
		close(uninstall.lock);
	if (uninstall.directory >= 0)
		close(uninstall.directory);
	free(uninstall.data);
	return rc;
}
