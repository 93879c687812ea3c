/* muster-agent prepare: this agent accepts one manager alone, and waits for it. Input: a file that an administrator
 * brought (muster cert export). */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/local/activate.h"
#include "agent/local/control_ask.h"
#include "agent/local/key_read.h"
#include "agent/local/local.h"
#include "agent/prepared_file.h"
#include "agent/settings.h"
#include "agent/users.h"
#include "trust/signing_key.h"

struct preparation {
	const char *data;
	uint8_t key[ENVELOPE_KEY_BYTES];
	uint64_t listen_port; /* 0: as agent.ini has it */
};

static int read_arguments(const struct arguments *arguments, struct preparation *preparation, struct err *err)
{
	const char *port = arguments_value(arguments, "--listen-port");

	if (port != NULL && number_parse(port, 1, UINT16_MAX, &preparation->listen_port, NULL) != 0)
		return err_set(err, ERR_USAGE, "--listen-port is a number between 1 and 65535");
	return key_read(arguments_value(arguments, "--trust"), preparation->key, err);
}

static int check_free(const char *data, int directory, struct err *err)
{
	struct agent_identity who;

	if (identity_files_who(directory, &who, NULL) == 0)
		return err_set(err, ERR_EXISTS,
			       "this agent belongs to %.200s as %.100s; to leave that manager first: muster-agent "
			       "reset --data %.200s --yes",
			       who.manager, who.name, data);
	if (control_reachable(data, NULL) == 0)
		return err_set(err, ERR_BUSY, "the agent runs; stop it first: muster-agent stop --data %.200s", data);
	return 0;
}

static int take_port(const struct preparation *preparation, struct settings *settings, struct err *err)
{
	char path[4200];

	if (preparation->listen_port != 0)
		settings->listen_port = (int64_t)preparation->listen_port;
	if (settings->listen_port == 0)
		return err_set(err, ERR_USAGE,
			       "--listen-port is missing: the port of this manager's agents (`muster ports` shows it)");
	snprintf(path, sizeof(path), "%s/%s", preparation->data, SETTINGS_FILE);
	return conf_write(&settings_table, settings, path, 0644, err);
}

/* The key last: with it the agent is prepared. */
static int prepare_in(const struct preparation *preparation, struct settings *settings, struct err *err)
{
	struct agent_users users;
	int directory = -1;
	int rc = users_choose(settings, &users, err);

	if (rc == 0)
		rc = activation_directories(preparation->data, users.link_uid, users.link_gid, &directory, err);
	if (rc == 0)
		rc = check_free(preparation->data, directory, err);
	if (rc == 0)
		rc = take_port(preparation, settings, err);
	if (rc == 0)
		rc = prepared_file_store(directory, preparation->key, users.link_uid, users.link_gid, err);
	if (directory >= 0)
		close(directory);
	return rc;
}

static void print_prepared(const struct preparation *preparation, int64_t port, bool json)
{
	uint8_t fingerprint[SHA256_BYTES];
	char text[SHA256_TEXT_BYTES];

	signing_key_fingerprint(preparation->key, fingerprint);
	hex_format(fingerprint, sizeof(fingerprint), text);
	if (json)
		local_print(json_pack("{s:b,s:s,s:I}", "ok", 1, "fingerprint", text, "listen_port", (json_int_t)port));
	else
		printf(
		    "This agent accepts the manager with the key %s alone.\nNext: muster-agent run --data %s, and on "
		    "the manager: muster computer activate HOST (it listens on port %lld)\n",
		    text, preparation->data, (long long)port);
}

int local_prepare(const struct arguments *arguments)
{
	struct preparation preparation = { .data = NULL };
	struct settings settings;
	struct err err = { 0 };
	bool json = false;
	char *data = NULL;
	int rc = local_output(arguments, &json, &err);

	if (rc == 0)
		rc = read_arguments(arguments, &preparation, &err);
	if (rc == 0 && (data = local_data(arguments, &err)) == NULL)
		rc = err.code;
	preparation.data = data;
	if (rc == 0)
		rc = activation_settings(data, &settings, &err);
	if (rc == 0) {
		rc = prepare_in(&preparation, &settings, &err);
		if (rc == 0)
			print_prepared(&preparation, settings.listen_port, json);
		settings_done(&settings);
	}
	free(data);
	return rc == 0 ? 0 : local_failed(&err);
}
