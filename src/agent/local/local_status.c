/* `muster-agent status`: the agent in words, or as JSON. Input: the running agent's answer. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/identity_files.h"
#include "agent/local/control_ask.h"
#include "agent/local/local.h"
#include "agent/prepared_file.h"

static int keep(void *argument, const json_t *line)
{
	json_t **status = argument;

	if (line == NULL)
		return 0;
	json_decref(*status);
	*status = json_deep_copy(line);
	json_object_del(*status, "type");
	return 0;
}

static void print_component(const json_t *component)
{
	const json_t *facts = json_object_get(component, "facts"), *value;
	const char *name, *detail = local_text(component, "detail");
	json_t *iterable = (json_t *)(uintptr_t)facts;
	bool first = true;

	printf("  %-8s %s", local_text(component, "name"), local_text(component, "state"));
	if (*detail)
		printf(": %s", detail);
	json_object_foreach(iterable, name, value)
	{
		printf("%s%s %s", first ? " (" : ", ", name, json_string_value(value) ? json_string_value(value) : "");
		first = false;
	}
	puts(first ? "" : ")");
}

static void print_scan(const json_t *scan)
{
	const json_t *progress = json_object_get(scan, "progress");

	printf("  %s (%s): ", local_text(scan, "id"), local_text(scan, "origin"));
	if (json_is_true(json_object_get(progress, "counting")))
		printf("counting, %lld files so far", (long long)local_number(progress, "files_total"));
	else
		printf("%lld of %lld files", (long long)local_number(progress, "files_done"),
		       (long long)local_number(progress, "files_total"));
	printf(", %lld detections%s\n", (long long)local_number(progress, "detections"),
	       json_is_true(json_object_get(progress, "paused")) ? ", paused" : "");
}

static void print_list(const char *title, const json_t *list, void (*print)(const json_t *))
{
	const json_t *item;
	size_t i;

	if (json_array_size(list) == 0)
		return;
	puts(title);
	json_array_foreach(list, i, item) print(item);
}

/* The manager does not know the computer, or not any more. */
static void print_next(const json_t *status, const char *data)
{
	bool awaited = json_is_true(json_object_get(status, "not_on_record"));

	if (awaited)
		puts("Next       nothing here, if the manager is to have its computers back: this one waits for\n"
		     "           `muster settings set enrolment.reactivate_unknown=yes` there, and asks every 10 "
		     "minutes");
	printf("%s       to come back%s: muster-agent stop --data %s && muster-agent reset --yes --data %s,\n"
	       "           then activate again with a new token (muster-agent activate --help)\n",
	       awaited ? "Or  " : "Next", awaited ? " alone" : "", data, data);
}

static void print_configuration(const json_t *configuration)
{
	const char *fingerprint = local_text(configuration, "fingerprint");
	const char *refused = local_text(configuration, "refused");

	if (*fingerprint)
		printf("Settings   the manager's (%.16s...)\n", fingerprint);
	else
		puts("Settings   agent.ini's; the manager has sent none");
	if (json_is_true(json_object_get(configuration, "under_way")))
		puts("           others are being tried");
	if (*refused)
		printf("Refused    %s\n", refused);
}

/* Nobody has activated it yet. */
static void print_prepared(const json_t *status)
{
	const json_t *link = json_object_get(status, "link");

	printf("Agent      running, version %s\n", local_text(status, "version"));
	puts("State      prepared, not activated: waits for its manager (muster computer activate HOST)");
	printf("Accepts    the manager with the key %s, and no other\n", local_text(status, "trusted_key_fingerprint"));
	if (json_is_true(json_object_get(link, "listening")))
		printf("Listens    on port %lld; %lld others refused\n", (long long)local_number(link, "port"),
		       (long long)local_number(link, "refused"));
	else
		printf("Listens    not on port %lld: %s\n", (long long)local_number(link, "port"),
		       local_text(link, "problem"));
}

static void print_cause(const json_t *status)
{
	const char *advice = local_link_advice(local_text(status, "cause_code"));

	printf("Cause      %s\n", local_text(status, "cause"));
	if (*advice != '\0')
		printf("Next       %s\n", advice);
}

static void print_words(const json_t *status, const char *data)
{
	bool connected = json_is_true(json_object_get(status, "connected"));
	const char *last = local_text(status, "last_exchange"), *limits = local_text(status, "limits");
	json_int_t interval = json_integer_value(json_object_get(status, "network_interval_s"));

	printf("Agent      running, version %s\n", local_text(status, "version"));
	printf("Computer   %s (%s)\n", local_text(status, "name"), local_text(status, "computer"));
	printf("Manager    %s\n", local_text(status, "manager"));
	printf("Link       %s since %s\n", connected ? "connected" : "not connected", local_text(status, "since"));
	if (!connected)
		print_cause(status);
	if (json_is_true(json_object_get(status, "deactivated")))
		printf("Next       nothing here: it waits for `muster computer reactivate %s` on the manager\n",
		       local_text(status, "name"));
	else if (json_is_true(json_object_get(status, "revoked")))
		print_next(status, data);
	printf("Key        %s: orders signed with it are taken, and no others\n",
	       local_text(status, "trusted_key_fingerprint"));
	printf("Exchange   last worked %s\n", *last ? last : "never since the agent started");
	printf("Waiting    %lld events, %lld files to send\n", (long long)local_number(status, "events_waiting"),
	       (long long)local_number(status, "uploads_waiting"));
	if (local_number(status, "events_dropped"))
		printf("Dropped    %lld events: the spool was full\n",
		       (long long)local_number(status, "events_dropped"));
	print_configuration(json_object_get(status, "configuration"));
	if (json_is_true(json_object_get(status, "unload_password")))
		puts("Password   asked for before the agent is stopped, moved, reset or uninstalled");
	print_list("Components", json_object_get(status, "components"), print_component);
	print_list("Scans", json_object_get(status, "scans"), print_scan);
	if (interval > 0)
		printf("Network    one that the manager cannot reach: reports every %lld min%s\n",
		       (long long)(interval / 60),
		       json_is_true(json_object_get(status, "network_polls")) ? ", nothing is held open" : "");
	if (*limits)
		printf("Limited    link runs without: %s\n", limits);
}

/* No agent runs there: say at least whether there is one to start. */
static int not_running(const char *data, bool json, struct err *err)
{
	struct agent_identity who;
	char path[4200];
	char id[UUID_TEXT_BYTES];
	struct err cause;
	int directory;

	memset(&who, 0, sizeof(who));
	snprintf(path, sizeof(path), "%s/identity", data);
	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0 || identity_files_who(directory, &who, &cause) != 0) {
		if (directory >= 0)
			close(directory);
		err_set(err, ERR_NOT_FOUND,
			prepared_file_waits(data)
			    ? "no agent runs on %.200s; it is prepared, and waits for its manager once it runs"
			    : "no agent runs on %.200s, and it is not activated (muster-agent activate --help)",
			data);
		return local_failed(err);
	}
	close(directory);
	uuid_format(&who.computer, id);
	if (json) {
		local_print(json_pack("{s:s,s:s,s:s,s:b,s:b,s:s}", "computer", id, "name", who.name, "manager",
				      who.manager, "running", 0, "connected", 0, "cause", err->text));
		return 1;
	}
	printf("Agent      not running\nComputer   %s (%s)\nManager    %s\n", who.name, id, who.manager);
	return local_failed(err);
}

int local_status(const struct arguments *arguments)
{
	struct control_request request = { .kind = CONTROL_STATUS };
	struct err err = { 0 };
	json_t *status = NULL;
	char *data = NULL;
	bool json = false;
	int rc = local_output(arguments, &json, &err);

	if (rc == 0)
		data = local_data(arguments, &err);
	if (data == NULL)
		return local_failed(&err);
	rc = control_ask(data, &request, keep, &status, NULL, &err);
	if (rc == ERR_NOT_FOUND) {
		rc = not_running(data, json, &err);
	} else if (rc) {
		rc = local_failed(&err);
	} else if (json) {
		json_object_set_new(status, "running", json_true());
		json_object_set_new(status, "pid", json_integer(control_guard(data)));
		local_print(json_incref(status));
	} else if (json_is_true(json_object_get(status, "prepared"))) {
		print_prepared(status);
	} else {
		print_words(status, data);
	}
	json_decref(status);
	free(data);
	return rc;
}
