/* What the operator's program does with whatever a manager answers, or whoever sits in its place: each command that
 * reads answers, from its arguments to what it prints. The first byte chooses the command, the second the form of the
 * output; each line behind is the answer to one request, "!" before the text of a refusal. Nothing that a terminal
 * would obey comes out, and what `policy export` writes is what `policy apply` reads.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/problem.h"
#include "os/env.h"
#include "require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WORDS 8
#define ID    "0193a000-0000-7000-8000-000000000001"

/* The ends of the table may grow: seeds choose by place. */
static const char *const lines[][WORDS] = {
	{ "policy", "export" },
	{ "policy", "tree" },
	{ "policy", "list" },
	{ "policy", "show", "base" },
	{ "policy", "settings" },
	{ "policy", "diff", "base", "Web" },
	{ "policy", "overrides" },
	{ "policy", "history", "base" },
	{ "policy", "set", "base", "scan.cpu_limit=10" },
	{ "policy", "revert", "base", "1" },
	{ "policy", "deleted" },
	{ "computer", "list" },
	{ "computer", "show", "web1" },
	{ "computer", "scan", "web1", "/srv", "--watch" },
	{ "computer", "heartbeat", "web*" },
	{ "computer", "verify", "--all" },
	{ "computer", "effective", "web1" },
	{ "computer", "history", "web1" },
	{ "computer", "reactivate", "web1" },
	{ "computer", "activate", "web1:20000" },
	{ "command", "watch", ID },
	{ "command", "list" },
	{ "event", "list" },
	{ "event", "types" },
	{ "event", "tail" },
	{ "alert", "list" },
	{ "alert", "summary" },
	{ "alert", "types" },
	{ "alert", "show", ID },
	{ "quarantine", "list" },
	{ "quarantine", "restore", ID, "--watch" },
	{ "token", "create", "--enrolment" },
	{ "token", "list" },
	{ "deployment", "script" },
	{ "user", "list" },
	{ "audit", "list" },
	{ "network", "list" },
	{ "network", "show", "branch" },
	{ "destination", "list" },
	{ "destination", "test", "siem" },
	{ "hypervisor", "list" },
	{ "hypervisor", "machines", "lab" },
	{ "hypervisor", "test", "lab" },
	{ "tls", "profiles" },
	{ "ports", "--check" },
	{ "settings", "list" },
	{ "settings", "set", "quarantine.capacity=1G" },
	{ "cert", "list" },
	{ "cert", "show" },
	{ "cert", "renew", "server" },
	{ "cert", "create" },
	{ "cert", "export", "-" },
	{ "cert", "list-mismatched", "-l", "-" },
	{ "computer", "move", "web*", "--manager", "other:1", "--ca-fingerprint",
	  "abababababababababababababababababababababababababababababababab" },
};

/* --- the manager, as client.h says it --- */

static struct {
	const char *at, *end;
} answers;

/* The next line; false: there is none. */
static bool next(const char **ret_text, size_t *ret_size)
{
	const char *end;

	if (answers.at == NULL || answers.at > answers.end)
		return false;
	end = memchr(answers.at, '\n', (size_t)(answers.end - answers.at));
	end = end != NULL ? end : answers.end;
	*ret_text = answers.at;
	*ret_size = (size_t)(end - answers.at);
	answers.at = end + 1;
	return true;
}

int client_new(const struct client_options *options, struct client **ret_client, struct err *err)
{
	(void)options;
	(void)ret_client;
	return err_set(err, ERR_CONNECT, "there is no other manager");
}

void client_free(struct client *client)
{
	(void)client;
}

int client_request_if(struct client *client, const char *method, const char *path, uint64_t version, const json_t *body,
		      json_t **ret_json, struct err *err)
{
	const char *text;
	size_t size;
	json_t *json = NULL;
	int rc = 0;

	(void)client;
	(void)method;
	(void)path;
	(void)version;
	(void)body;
	if (!next(&text, &size))
		return err_set(err, ERR_REFUSED, "no answer");
	if (size > 0 && text[0] == '!')
		return problem_error(400, text + 1, size - 1, 0, err);
	if (size > 0)
		json = json_loadb(text, size, 0, NULL);
	if (size > 0 && json == NULL)
		rc = err_set(err, ERR_FORMAT, "the answer is not JSON");
	if (rc == 0 && ret_json != NULL)
		*ret_json = json;
	else
		json_decref(json);
	return rc;
}

int client_request(struct client *client, const char *method, const char *path, const json_t *body, json_t **ret_json,
		   struct err *err)
{
	return client_request_if(client, method, path, 0, body, ret_json, err);
}

int client_stream(struct client *client, const char *path, const char *last_event,
		  int (*on_bytes)(void *context, const void *bytes, size_t size), void *context, struct err *err)
{
	const char *text;
	size_t size;

	(void)client;
	(void)path;
	(void)last_event;
	while (next(&text, &size)) {
		int rc = on_bytes(context, text, size);

		if (rc == 0)
			rc = on_bytes(context, "\n", 1);
		if (rc != 0)
			return rc;
	}
	return err_set(err, ERR_REFUSED, "no answer");
}

void query_add(struct buf *path, const char *name, const char *value)
{
	buf_printf(path, "?%s=%s", name, value);
}

/* Whoever waits for more would wait for ever. */
bool cli_interrupted(void)
{
	return answers.at == NULL || answers.at > answers.end;
}

void cli_wait(span_us span)
{
	(void)span;
}

/* --- what comes out --- */

static void check_shown(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		require(((unsigned char)text[i] >= ' ' || text[i] == '\n' || text[i] == '\t') && text[i] != 0x7f);
}

static void check_exported(const char *text, size_t size)
{
	json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL), *policies, *policy;
	size_t i;

	require(json != NULL);
	policies = json_object_get(json, "policies");
	require(json_is_array(policies));
	json_array_foreach(policies, i, policy)
	{
		require(json_is_string(json_object_get(policy, "name")));
		require(json_is_object(json_object_get(policy, "settings")));
		require(json_object_get(policy, "parent") == NULL || json_is_string(json_object_get(policy, "parent")));
	}
	json_decref(json);
}

static int run(struct cli *cli, size_t line, struct err *err)
{
	char *words[WORDS + 1] = { (char *)(uintptr_t) "muster" };
	int count = 1;

	while (count <= WORDS && lines[line][count - 1] != NULL) {
		words[count] = (char *)(uintptr_t)lines[line][count - 1];
		count++;
	}
	require(arguments_parse(&cli_table, count, words, &cli->arguments, err) == 0);
	return cli->arguments.verb->run(cli, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cli cli;
	struct err err = { 0 };
	FILE *out = stdout, *error = stderr;
	char *shown = NULL, *warned = NULL;
	size_t shown_size = 0, warned_size = 0, line;
	int rc;

	if (size < 2 || setlocale(LC_CTYPE, "C.UTF-8") == NULL)
		return 0;
	memset(&cli, 0, sizeof(cli));
	cli.output = (enum cli_output)(data[1] % 3);
	cli.env = env_system();
	cli.client = (struct client *)&answers; /* not looked into */
	answers.at = (const char *)data + 2;
	answers.end = (const char *)data + size;
	line = data[0] % COUNT_OF(lines);
	stdout = open_memstream(&shown, &shown_size);
	stderr = open_memstream(&warned, &warned_size);
	require(stdout != NULL && stderr != NULL);
	rc = run(&cli, line, &err);
	if (rc != 0)
		cli_warn("%s\n", err.text);
	fclose(stdout);
	fclose(stderr);
	stdout = out;
	stderr = error;
	if (cli.output == OUTPUT_TABLE && line != 0)
		check_shown(shown, shown_size);
	check_shown(warned, warned_size);
	if (line == 0 && rc == 0)
		check_exported(shown, shown_size);
	free(shown);
	free(warned);
	return 0;
}
