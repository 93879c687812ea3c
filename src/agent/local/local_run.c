/* Commands that change or run the agent itself: activate, run, reset, and the role that guard starts. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/guard/guard.h"
#include "agent/identity_switch.h"
#include "agent/link/link.h"
#include "agent/local/activate.h"
#include "agent/local/control_ask.h"
#include "agent/local/local.h"
#include "agent/local/local_password.h"
#include "agent/local_action.h"
#include "agent/path_list.h"
#include "agent/prepared_file.h"
#include "agent/settings_message.h"
#include "agent/users.h"
#include "base/log.h"
#include "net/server.h"
#include "os/env.h"
#include "os/files.h"
#include "trust/token.h"

/* --- activate --- */

static void print_activated(const struct agent_identity *identity, const char *data, bool already, bool json)
{
	char id[UUID_TEXT_BYTES];

	uuid_format(&identity->computer, id);
	if (json)
		local_print(json_pack("{s:s,s:s,s:s,s:b}", "computer", id, "name", identity->name, "manager",
				      identity->manager, "already", already));
	else
		printf("%s %s as %s (%s).\nNext: muster-agent run --data %s\n",
		       already ? "This computer belongs already to" : "Activated with", identity->manager,
		       identity->name, id, data);
}

/* "-": others on this computer can see arguments. */
static int read_token(const char **token, char line[TOKEN_TEXT_BYTES + 2], struct err *err)
{
	if (*token == NULL || strcmp(*token, "-") != 0)
		return 0;
	if (fgets(line, TOKEN_TEXT_BYTES + 2, stdin) == NULL)
		return err_set(err, ERR_USAGE, "--token -: standard input holds no token");
	line[strcspn(line, "\r\n")] = '\0';
	*token = line;
	return 0;
}

int local_activate(const struct arguments *arguments)
{
	struct activation activation = { .url = arguments->operands[0],
					 .token = arguments_value(arguments, "--token"),
					 .fingerprint = arguments_value(arguments, "--ca-fingerprint"),
					 .name = arguments_value(arguments, "--name"),
					 .policy = arguments_value(arguments, "--policy"),
					 .group = arguments_value(arguments, "--group") };
	struct agent_identity identity;
	struct err err = { 0 };
	bool json = false, already = false;
	char *data = NULL, line[TOKEN_TEXT_BYTES + 2];
	int rc = local_output(arguments, &json, &err);

	if (rc == 0)
		rc = read_token(&activation.token, line, &err);
	if (rc == 0)
		data = local_data(arguments, &err);
	if (data == NULL)
		return local_failed(&err);
	activation.data = data;
	rc = activate(&activation, &identity, &already, &err);
	explicit_bzero(line, sizeof(line));
	if (rc) {
		rc = local_failed(&err);
	} else {
		print_activated(&identity, data, already, json);
		agent_identity_done(&identity);
	}
	free(data);
	return rc;
}

/* --- run --- */

static int run_guard(const char *data, const struct settings *settings, struct err *err)
{
	const char *arguments[] = { "role", "link", "--data", data, NULL };
	struct guard_options *options = calloc(1, sizeof(*options));
	char *signatures = NULL;
	struct agent_users users;
	int rc = options ? users_resolve(settings, &users, err) : err_set(err, ERR_MEMORY, "out of memory");

	if (rc == 0 && asprintf(&signatures, "%s%s%s", settings->signatures[0] == '/' ? "" : data,
				settings->signatures[0] == '/' ? "" : "/", settings->signatures) < 0)
		rc = err_set(err, ERR_MEMORY, "out of memory");
	if (rc == 0)
		rc = settings_message(settings, &options->settings, err);
	if (rc == 0)
		rc = path_list_parse(settings->never_delete, &options->never_delete, err);
	if (rc == 0)
		rc = path_list_parse(settings->never_exclude, &options->never_exclude, err);
	if (rc == 0) {
		options->data = data;
		options->link_arguments = arguments;
		options->signatures = signatures;
		options->link_uid = users.link_uid;
		options->link_gid = users.link_gid;
		options->scan_uid = users.scan_uid;
		options->scan_gid = users.scan_gid;
		rc = guard_run(options, err);
	}
	free(signatures);
	free(options);
	return rc;
}

static int load_settings(const char *data, bool check, struct settings *settings, struct err *err)
{
	struct buf text;
	int rc;

	buf_init(&text, CONF_PROBLEMS_BYTES);
	rc = settings_load(data, settings, &text, err);
	if (rc == 0) {
		int count = settings_problems(settings, &text);

		if (count > 0) {
			rc = err_set(err, ERR_RANGE, "%s/agent.ini: %d problem%s", data, count, count == 1 ? "" : "s");
			settings_done(settings);
		}
	}
	if (rc && text.size)
		fputs(buf_text(&text), stderr);
	if (rc == 0 && check) {
		conf_show(&settings_table, settings, &text);
		fputs(buf_text(&text), stdout);
	}
	buf_done(&text);
	return rc;
}

static int check_activated(const char *data, struct err *err)
{
	struct agent_identity who;
	char *path = NULL;
	int directory, rc;

	if (asprintf(&path, "%s/identity", data) < 0)
		return err_set(err, ERR_MEMORY, "out of memory");
	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(path);
	if (directory < 0)
		return err_set(err, ERR_NOT_FOUND, "%s is not activated (muster-agent activate --help)", data);
	rc = identity_files_who(directory, &who, err);
	close(directory);
	return rc;
}

/* Link would fail on it, again and again, out of sight of whoever starts the agent. */
static int check_identity(const char *data, struct err *err)
{
	struct agent_identity identity;
	char path[4200];
	int directory, rc = prepared_file_waits(data) ? 0 : check_activated(data, err);

	if (rc == 0 && !prepared_file_waits(data)) {
		snprintf(path, sizeof(path), "%s/identity", data);
		directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		agent_identity_init(&identity);
		rc =
		    directory >= 0 ? identity_files_load(directory, &identity, err) : err_errno(err, errno, "%s", path);
		agent_identity_done(&identity);
		if (directory >= 0)
			close(directory);
	}
	if (rc != 0 && rc != ERR_NOT_FOUND)
		return err_add(
		    err, rc,
		    "%.200s/identity is damaged: restore it from a backup, or activate again with a new token "
		    "(muster-agent activate --help)",
		    data);
	return rc;
}

/* Unless it is this agent that has the port. A policy may have changed the direction since. */
static int check_port(const char *data, const struct settings *settings, struct err *err)
{
	char text[80];
	bool bracket = strchr(settings->listen_address, ':') != NULL;
	const char *address = settings->listen_address[0] != '\0' ? settings->listen_address : "0.0.0.0";
	int rc;

	if (settings->listen_port == 0 || settings->direction == LINK_AGENT_INITIATED ||
	    control_reachable(data, NULL) == 0)
		return 0;
	snprintf(text, sizeof(text), "%s%.60s%s:%u", bracket ? "[" : "", address, bracket ? "]" : "",
		 (unsigned)settings->listen_port);
	rc = http_server_may_listen(text, err);
	if (rc == 0 && settings->listen_address[0] == '\0') { /* a computer without IPv6 listens by IPv4 alone */
		struct err six = { 0 };

		snprintf(text, sizeof(text), "[::]:%u", (unsigned)settings->listen_port);
		if (http_server_may_listen(text, &six) == ERR_BUSY)
			rc = err_set(err, ERR_BUSY, "%s", six.text);
	}
	return rc == 0 ? 0
		       : err_add(err, rc, "port %u, on which the manager dials this agent (setting [link] listen_port)",
				 (unsigned)settings->listen_port);
}

int local_run(const struct arguments *arguments)
{
	bool check = arguments_given(arguments, "--check-config");
	struct settings settings = { 0 };
	struct err err = { 0 };
	char *data = local_data(arguments, &err);
	int rc = data ? load_settings(data, check, &settings, &err) : err.code;

	if (rc == 0 && data != NULL) {
		rc = check ? check_port(data, &settings, &err) : check_identity(data, &err);
		if (rc == 0 && !check) {
			log_setup("muster-agent", "guard", STDERR_FILENO, (enum log_level)settings.log_level,
				  env_system_wall);
			rc = run_guard(data, &settings, &err);
		}
		settings_done(&settings);
	}
	free(data);
	return rc ? local_failed(&err) : 0;
}

int local_link(const struct arguments *arguments)
{
	return link_main(arguments_value(arguments, "--data"));
}

/* --- reset --- */

static int ask_password(const struct arguments *arguments, const char *data, int directory, struct err *err)
{
	char *password = NULL;
	int rc = local_password(arguments, data, &password, err);

	if (rc == 0)
		rc = local_action_offline(directory, LOCAL_ACTION_RESET, password, err);
	local_password_free(password);
	return rc;
}

static int drop_formers(int store, struct err *err)
{
	char name[IDENTITY_FORMER_BYTES];
	int rc = 0;

	for (unsigned place = 0; rc == 0 && place < IDENTITY_FORMERS_MAX; place++) {
		identity_switch_former(place, name);
		rc = identity_switch_drop(store, name, err);
	}
	return rc;
}

static int remove_files(const struct arguments *arguments, const char *data, struct err *err)
{
	static const char *const logs[] = { "link/spool.log",   "link/journal.log",   "link/history.log",
					    "link/history.old", "link/configuration", "link/direction",
					    "guard/settings" };
	int directory = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC), identity, store, rc;

	if (directory < 0)
		return err_errno(err, errno, "%s", data);
	rc = ask_password(arguments, data, directory, err);
	if (rc != 0) {
		close(directory);
		return rc;
	}
	identity = openat(directory, "identity", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (identity < 0)
		rc = err_errno(err, errno, "%s/identity", data);
	if (rc == 0)
		rc = identity_files_remove(identity, err);
	store = openat(directory, "link", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (rc == 0 && store >= 0)
		rc = identity_switch_drop(store, IDENTITY_CANDIDATE, err);
	if (rc == 0 && store >= 0)
		rc = drop_formers(store, err);
	if (store >= 0)
		close(store);
	for (size_t i = 0; rc == 0 && i < COUNT_OF(logs); i++)
		rc = files_remove(directory, logs[i], err);
	if (identity >= 0)
		close(identity);
	close(directory);
	return rc;
}

static int reset(const struct arguments *arguments, const char *data, struct err *err)
{
	struct err none;
	int rc;

	if (!arguments_given(arguments, "--yes"))
		return err_set(err, ERR_USAGE,
			       "this removes the identity of the agent in %.200s and every event that "
			       "the manager has not stored; say --yes if you mean it",
			       data);
	rc = prepared_file_waits(data) ? 0 : check_activated(data, err);
	if (rc)
		return rc;
	if (control_reachable(data, &none) == 0)
		return err_set(err, ERR_BUSY, "the agent runs; stop it first: muster-agent stop --data %.200s", data);
	return remove_files(arguments, data, err);
}

int local_reset(const struct arguments *arguments)
{
	struct err err = { 0 };
	bool json = false;
	char *data = NULL;
	int rc = local_output(arguments, &json, &err);

	if (rc == 0)
		data = local_data(arguments, &err);
	if (data == NULL)
		return local_failed(&err);
	rc = reset(arguments, data, &err);
	if (rc)
		rc = local_failed(&err);
	else if (json)
		local_print(json_pack("{s:b}", "ok", 1));
	else
		puts("The identity is removed. Quarantined files are kept. To activate again: muster-agent activate "
		     "--help");
	free(data);
	return rc;
}
