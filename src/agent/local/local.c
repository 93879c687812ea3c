/* Commands that people type (agent/local/local.h): the short ones, and what all share. Input: the command line, and
 * the running agent's answers. */
#include "agent/local/local.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/local/control_ask.h"
#include "agent/local/local_password.h"
#include "base/units.h"

/* --- what they share --- */

char *local_data(const struct arguments *arguments, struct err *err)
{
	const char *given = arguments_value(arguments, "--data");
	char *cwd, *path = NULL;

	given = given ? given : LOCAL_DATA_DEFAULT;
	if (*given == '\0') {
		err_set(err, ERR_USAGE, "--data names no directory");
		return NULL;
	}
	if (*given == '/')
		return strdup(given);
	cwd = getcwd(NULL, 0);
	if (cwd == NULL)
		err_errno(err, errno, "the working directory");
	else if (asprintf(&path, "%s/%s", cwd, given) < 0)
		err_set(err, ERR_MEMORY, "out of memory");
	free(cwd);
	return path;
}

int local_output(const struct arguments *arguments, bool *ret_json, struct err *err)
{
	const char *form = arguments_value(arguments, "-o");

	if (form != NULL && strcmp(form, "json") != 0 && strcmp(form, "text") != 0)
		return err_set(err, ERR_USAGE, "-o is text or json, not '%.32s'", form);
	*ret_json = form != NULL && strcmp(form, "json") == 0;
	return 0;
}

int local_failed(const struct err *err)
{
	fprintf(stderr, "muster-agent: %s\n", err->text);
	return err->code == ERR_USAGE ? 2 : 1;
}

const char *local_dial_advice(int code)
{
	static const struct {
		int code;
		const char *advice;
	} rows[] = {
		{ ERR_RESOLVE, "check the host name in the address, and this computer's name service" },
		{ ERR_CONNECT, "check that the manager runs, its port, and firewalls between" },
		{ ERR_TIMEOUT, "check that the manager runs, its port, and firewalls between" },
		{ ERR_UNTRUSTED,
		  "this may be another manager than you meant: compare the fingerprint with the one that "
		  "muster-manager init printed (muster cert list: authority)" },
		{ ERR_CLOCK, "check this computer's clock, and the manager's" },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (rows[i].code == code)
			return rows[i].advice;
	}
	return "";
}

const char *local_link_advice(const char *code)
{
	static const int codes[] = { ERR_RESOLVE, ERR_CONNECT, ERR_TIMEOUT, ERR_CLOCK };

	if (strcmp(err_name(ERR_UNTRUSTED), code) == 0)
		return "find out who answers there: where it is this computer's manager, set up anew without its keys, "
		       "restore them there (muster-manager init --restore FILE); where it is another manager that is "
		       "to have this computer: muster-agent reset, then activate";
	for (size_t i = 0; i < COUNT_OF(codes); i++) {
		if (strcmp(err_name(codes[i]), code) == 0)
			return local_dial_advice(codes[i]);
	}
	return "";
}

void local_print(json_t *root)
{
	json_dumpf(root, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(root);
}

const char *local_text(const json_t *root, const char *name)
{
	const char *text = json_string_value(json_object_get(root, name));

	return text ? text : "";
}

json_int_t local_number(const json_t *root, const char *name)
{
	return json_integer_value(json_object_get(root, name));
}

/* Asks and collects the answer lines without their "type" in a list. */
static int collect(void *argument, const json_t *line)
{
	json_t *copy;

	if (line == NULL)
		return ERR_CANCELLED;
	copy = json_deep_copy(line);
	json_object_del(copy, "type");
	json_array_append_new(argument, copy);
	return 0;
}

/* One request whose answer is a list, or nothing. *ret_list: the caller's. */
static int ask(const struct arguments *arguments, const struct control_request *request, bool *ret_json,
	       json_t **ret_list, struct err *err)
{
	json_t *list = json_array();
	char *data = NULL;
	int rc = local_output(arguments, ret_json, err);

	if (rc == 0)
		data = local_data(arguments, err);
	if (rc == 0 && data == NULL)
		rc = err->code;
	if (rc == 0)
		rc = control_ask(data, request, collect, list, NULL, err);
	free(data);
	if (rc)
		json_decref(list);
	else
		*ret_list = list;
	return rc;
}

/* The same, printed at once where JSON is wanted: then *ret_list is NULL, and nothing is left to show. */
static int ask_list(const struct arguments *arguments, const struct control_request *request, json_t **ret_list,
		    struct err *err)
{
	json_t *list = NULL;
	bool json = false;
	int rc = ask(arguments, request, &json, &list, err);

	if (rc == 0 && json) {
		local_print(list);
		list = NULL;
	}
	if (rc == 0)
		*ret_list = list;
	return rc;
}

/* --- requests without an answer --- */

static int ask_simple(const struct arguments *arguments, const struct control_request *request, const char *done,
		      struct err *err)
{
	json_t *list;
	bool json;
	int rc = ask(arguments, request, &json, &list, err);

	if (rc != 0)
		return rc;
	json_decref(list);
	if (json)
		local_print(json_pack("{s:b}", "ok", 1));
	else
		puts(done);
	return 0;
}

static int failed_with_advice(const struct err *err, const char *advice)
{
	if (*advice == '\0')
		return local_failed(err);
	fprintf(stderr, "muster-agent: %s; %s\n", err->text, advice);
	return 1;
}

static int simple(const struct arguments *arguments, const struct control_request *request, const char *done)
{
	bool dials = request->kind == CONTROL_MOVE;
	struct err err = { 0 };

	if (ask_simple(arguments, request, done, &err) == 0)
		return 0;
	return failed_with_advice(&err, dials ? local_dial_advice(err.code) : "");
}

int local_heartbeat(const struct arguments *arguments)
{
	struct control_request request = { .kind = CONTROL_HEARTBEAT };
	struct err err = { 0 };
	int rc = ask_simple(arguments, &request, "The manager has heard from this computer.", &err);

	return rc == 0 ? 0 : failed_with_advice(&err, local_link_advice(err_name(err.code)));
}

int local_guarded(const struct arguments *arguments, struct control_request *request, const char *done)
{
	struct err err = { 0 };
	char *data = local_data(arguments, &err);
	int rc = data != NULL ? local_password(arguments, data, &request->password, &err) : err.code;

	rc = rc == 0 ? simple(arguments, request, done) : local_failed(&err);
	local_password_free(request->password);
	free(data);
	return rc;
}

int local_stop(const struct arguments *arguments)
{
	struct control_request request = { .kind = CONTROL_STOP };

	return local_guarded(arguments, &request, "The agent is stopping.");
}

static int item_request(const struct arguments *arguments, enum control_kind kind, const char *done)
{
	struct control_request request = { .kind = kind };
	struct err err = { 0 };

	if (uuid_parse(arguments->operands[0], &request.item, &err)) {
		err_set(&err, ERR_USAGE, "'%.64s' is not the id of an item (muster-agent quarantine list)",
			arguments->operands[0]);
		return local_failed(&err);
	}
	request.overwrite = kind == CONTROL_QUARANTINE_RESTORE && arguments_given(arguments, "--overwrite");
	return simple(arguments, &request, done);
}

int local_quarantine_restore(const struct arguments *arguments)
{
	return item_request(arguments, CONTROL_QUARANTINE_RESTORE, "The file is back in its place.");
}

int local_quarantine_delete(const struct arguments *arguments)
{
	return item_request(arguments, CONTROL_QUARANTINE_DELETE, "The file is deleted from quarantine.");
}

/* --- lists --- */

int local_quarantine_list(const struct arguments *arguments)
{
	struct control_request request = { .kind = CONTROL_QUARANTINE_LIST };
	struct err err = { 0 };
	json_t *list, *item;
	size_t i;

	if (ask_list(arguments, &request, &list, &err) != 0)
		return local_failed(&err);
	if (list == NULL)
		return 0;
	if (json_array_size(list) == 0)
		puts("Nothing is in quarantine.");
	else
		printf("%-36s  %-8s  %-24s  %-28s  %s\n", "ID", "STATE", "SINCE", "DETECTION", "PATH");
	json_array_foreach(list, i, item)
	    printf("%-36s  %-8s  %-24s  %-28s  %s\n", local_text(item, "id"), local_text(item, "state"),
		   local_text(item, "quarantined_at"), local_text(item, "detection"), local_text(item, "path"));
	json_decref(list);
	return 0;
}

int local_events(const struct arguments *arguments)
{
	struct control_request request = { .kind = CONTROL_EVENTS };
	const char *limit = arguments_value(arguments, "--limit");
	struct err err = { 0 };
	json_t *list, *event;
	uint64_t number = 0;
	size_t i;

	if (limit && number_parse(limit, 1, CONTROL_EVENTS_MAX, &number, NULL)) {
		err_set(&err, ERR_USAGE, "--limit is a number between 1 and %d", CONTROL_EVENTS_MAX);
		return local_failed(&err);
	}
	request.limit = (uint32_t)number;
	if (ask_list(arguments, &request, &list, &err) != 0)
		return local_failed(&err);
	if (list == NULL)
		return 0;
	json_array_foreach(list, i, event)
	    printf("%s  %-7s  %5lld  %s\n", local_text(event, "time"), local_text(event, "severity"),
		   (long long)local_number(event, "type_id"), local_text(event, "text"));
	json_decref(list);
	return 0;
}

int local_settings(const struct arguments *arguments)
{
	struct control_request request = { .kind = CONTROL_SETTINGS };
	struct err err = { 0 };
	json_t *list, *setting;
	size_t i;

	if (ask_list(arguments, &request, &list, &err) != 0)
		return local_failed(&err);
	if (list == NULL)
		return 0;
	printf("%-28s  %-10s  %s\n", "NAME", "ORIGIN", "VALUE");
	json_array_foreach(list, i, setting)
	    printf("%-28s  %-10s  %s%s\n", local_text(setting, "name"), local_text(setting, "origin"),
		   local_text(setting, "value"), json_is_true(json_object_get(setting, "locked")) ? "  (locked)" : "");
	json_decref(list);
	return 0;
}
