/* Changing policies and what computers override. Values are checked in policy/tree.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/api/decode.h"
#include "manager/api/handlers.h"
#include "manager/api/policy_body.h"
#include "manager/api/policy_json.h"
#include "trust/password.h"

#define CHANGES_MAX 256

/* --- settings out of JSON --- */

/* The changes of one policy or computer, with the texts made for them. */
struct settings {
	struct policy_change changes[CHANGES_MAX];
	char *texts[CHANGES_MAX];
	size_t count;
};

static void wipe(char *text)
{
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	free(text);
}

static void settings_free(struct settings *settings)
{
	for (size_t i = 0; settings != NULL && i < settings->count; i++)
		wipe(settings->texts[i]);
	free(settings);
}

/* *ret_settings NULL: none were given. False: it was answered. */
static bool take_settings(struct api_call *call, const json_t *given, struct settings **ret_settings)
{
	struct settings *settings;
	size_t faults = 0;
	const char *name;
	json_t *value;

	*ret_settings = NULL;
	if (given == NULL)
		return true;
	if (json_object_size(given) > CHANGES_MAX)
		return api_problem(call, 400, "Not valid", "At most %d settings can be given.", CHANGES_MAX) != 0;
	settings = calloc(1, sizeof(*settings));
	if (settings == NULL)
		return api_problem(call, 503, "Busy", "No memory.") != 0;
	json_object_foreach((json_t *)(uintptr_t)given, name, value)
	{
		char *text = policy_value_text(value);

		if (text == NULL && !json_is_null(value)) {
			api_problem_add(call, name,
					"must be text, a whole number, true, false, a list of paths, or null");
			faults++;
		}
		settings->texts[settings->count] = text;
		settings->changes[settings->count++] = (struct policy_change){ name, text };
	}
	if (faults == 0) {
		*ret_settings = settings;
		return true;
	}
	settings_free(settings);
	api_problem(call, 400, "Not valid", "Nothing was changed: see errors.");
	return false;
}

/* --- passwords --- */

/* The hash that a policy or computer has of its own now, of the setting. */
struct present {
	const struct front_policy_edit *edit;
	enum setting_id id;
	char hash[PASSWORD_ENCODED_BYTES];
};

static int find_present(const struct policy_tree *tree, void *argument, struct err *err)
{
	struct present *present = argument;
	const struct front_policy_edit *edit = present->edit;
	const struct policy_node *node = edit->kind == FRONT_POLICY_PUT && edit->name != NULL
					     ? policy_find_name(tree, edit->name)
					     : policy_find(tree, &edit->subject);
	const char *hash = node != NULL ? policy_own(node, present->id) : NULL;

	(void)err;
	snprintf(present->hash, sizeof(present->hash), "%s", hash != NULL ? hash : "");
	return 0;
}

/* What an export has in a password's place: the one that is there stays. */
static bool says_what_is_there(const struct front_policy_edit *edit, const char *text)
{
	return edit->kind == FRONT_POLICY_PUT && strcmp(text, SETTING_SHOWN_SECRET) == 0;
}

/* Into present.hash what is to be: a hash that was given as it is; the one that is there, if it is the same password,
 * so that giving it again changes nothing. */
static int hash_given(const struct front_policy_edit *edit, const char *text, struct present *present, struct err *err)
{
	if (says_what_is_there(edit, text))
		return present->hash[0] != '\0'
			   ? 0
			   : err_set(err, ERR_NOT_FOUND,
				     "there is none yet: give the password, or its hash (muster policy "
				     "hash-password), in place of \"%s\"",
				     text);
	if (password_is_encoded(text)) {
		snprintf(present->hash, sizeof(present->hash), "%s", text);
		return password_check_encoded(text, err);
	}
	if (present->hash[0] != '\0' && password_verify(text, present->hash, NULL) == 0)
		return 0;
	return password_hash(text, present->hash, err);
}

/* A password is replaced by its hash. */
static int seal(struct front *front, const struct front_policy_edit *edit, enum setting_id id, char **text,
		struct err *err)
{
	struct present present = { .edit = edit, .id = id };
	char *hash;
	int rc = front_policy_look(front, find_present, &present, err);

	if (rc == 0)
		rc = hash_given(edit, *text, &present, err);
	if (rc != 0)
		return rc;
	hash = strdup(present.hash);
	if (hash == NULL)
		return err_set(err, ERR_MEMORY, "no memory");
	wipe(*text);
	*text = hash;
	return 0;
}

/* False: it was answered. */
static bool seal_secrets(struct api_call *call, const struct front_policy_edit *edit, struct settings *settings)
{
	size_t faults = 0;

	for (size_t i = 0; settings != NULL && i < settings->count; i++) {
		enum setting_id id = setting_find(settings->changes[i].name);
		struct err err = { 0 };

		if (!setting_is_secret(id) || settings->texts[i] == NULL || settings->texts[i][0] == '\0')
			continue;
		if (seal(api_call_front(call), edit, id, &settings->texts[i], &err) != 0) {
			api_problem_add(call, settings->changes[i].name, "%s", err.text);
			faults++;
		}
		settings->changes[i].value = settings->texts[i];
	}
	if (faults > 0)
		api_problem(call, 400, "Not valid", "Nothing was changed: see errors.");
	return faults == 0;
}

/* --- doing it --- */

struct faulty {
	struct api_call *call;
	size_t count;
};

static void on_fault(void *context, const char *name, const char *reason)
{
	struct faulty *faulty = context;

	faulty->count++;
	api_problem_add(faulty->call, name, "%s", reason);
}

/* True: it was answered, as a problem. *ret_rc is what the handler returns then. */
static bool failed(struct api_call *call, int rc, const struct faulty *faulty, const struct err *err, int *ret_rc)
{
	*ret_rc = rc;
	if (rc == 0)
		return false;
	if (faulty->count > 0)
		*ret_rc = api_problem(call, 400, "Not valid", "Nothing was changed: see errors.");
	else if (rc == ERR_CONFLICT)
		*ret_rc = api_problem(call, 412, "Changed by somebody else", "%s", err->text);
	return true;
}

static int edit_one(struct api_call *call, struct front_policy_edit *edit, const json_t *given, bool *ret_done,
		    struct err *err)
{
	struct front_policy_result result = { 0 };
	struct faulty faulty = { call, 0 };
	struct settings *settings;
	int rc;

	*ret_done = false;
	if (!take_settings(call, given, &settings))
		return 0;
	if (!seal_secrets(call, edit, settings)) {
		settings_free(settings);
		return 0;
	}
	if (settings != NULL) {
		edit->changes = settings->changes;
		edit->change_count = settings->count;
	}
	edit->version = edit->kind == FRONT_POLICY_CREATE ? 0 : api_if_match(call);
	rc = front_policy_edit(api_call_front(call), edit, 1, false, api_call_actor(call), on_fault, &faulty, &result,
			       err);
	free(result.changes);
	settings_free(settings);
	if (!failed(call, rc, &faulty, err, &rc))
		*ret_done = true;
	return rc;
}

static const char *text_of(const json_t *body, const char *name)
{
	return json_string_value(json_object_get(body, name));
}

int policy_add(struct api_call *call, struct err *err)
{
	const json_t *body = api_body(call);
	struct front_policy_edit edit = { .kind = FRONT_POLICY_CREATE,
					  .name = text_of(body, "name"),
					  .parent = text_of(body, "parent") };
	bool done;
	int rc = edit_one(call, &edit, json_object_get(body, "settings"), &done, err);

	return done ? policy_reply(call, 201, &edit.subject, err) : rc;
}

int policy_change(struct api_call *call, struct err *err)
{
	const json_t *body = api_body(call);
	struct front_policy_edit edit = { .kind = FRONT_POLICY_CHANGE,
					  .subject = *api_path_id(call),
					  .name = text_of(body, "name"),
					  .parent = text_of(body, "parent") };
	bool done;
	int rc = edit_one(call, &edit, json_object_get(body, "settings"), &done, err);

	return done ? policy_reply(call, 200, &edit.subject, err) : rc;
}

int policy_remove(struct api_call *call, struct err *err)
{
	struct front_policy_edit edit = { .kind = FRONT_POLICY_DELETE, .subject = *api_path_id(call) };
	bool done;
	int rc = edit_one(call, &edit, NULL, &done, err);

	return done ? api_reply_empty(call) : rc;
}

static enum front_appliance appliance_of(const json_t *body)
{
	const json_t *given = json_object_get(body, "appliance");

	if (!json_is_boolean(given))
		return FRONT_APPLIANCE_KEEP;
	return json_is_true(given) ? FRONT_APPLIANCE_YES : FRONT_APPLIANCE_NO;
}

int computer_change(struct api_call *call, struct err *err)
{
	const json_t *body = api_body(call);
	struct front_policy_edit edit = { .kind = FRONT_POLICY_CHANGE,
					  .subject = *api_path_id(call),
					  .computer = true,
					  .appliance = appliance_of(body),
					  .parent = text_of(body, "policy") };
	bool done;
	int rc = edit_one(call, &edit, json_object_get(body, "settings"), &done, err);

	return done ? computer_settings_reply(call, &edit.subject, err) : rc;
}

static int revert(struct api_call *call, bool computer, struct err *err)
{
	uint64_t version = (uint64_t)json_integer_value(json_object_get(api_body(call), "version"));
	struct front_policy_result result = { 0 };
	struct faulty faulty = { call, 0 };
	int rc = front_policy_revert(api_call_front(call), api_path_id(call), computer, version, api_if_match(call),
				     api_call_actor(call), &result, err);

	free(result.changes);
	if (failed(call, rc, &faulty, err, &rc))
		return rc;
	return computer ? computer_settings_reply(call, api_path_id(call), err)
			: policy_reply(call, 200, api_path_id(call), err);
}

int policy_restore(struct api_call *call, struct err *err)
{
	const json_t *body = api_body(call);
	struct front_policy_result result = { 0 };
	struct faulty faulty = { call, 0 };
	int rc = front_policy_restore(api_call_front(call), api_path_id(call), text_of(body, "name"),
				      text_of(body, "parent"), api_call_actor(call), on_fault, &faulty, &result, err);

	free(result.changes);
	if (failed(call, rc, &faulty, err, &rc))
		return rc;
	return policy_reply(call, 201, api_path_id(call), err);
}

int policy_revert(struct api_call *call, struct err *err)
{
	return revert(call, false, err);
}

int computer_revert(struct api_call *call, struct err *err)
{
	return revert(call, true, err);
}

/* --- several, as described --- */

struct described {
	struct front_policy_edit *edits;
	struct settings **settings;
	size_t count;
};

static void described_free(struct described *described)
{
	for (size_t i = 0; described->settings != NULL && i < described->count; i++)
		settings_free(described->settings[i]);
	free(described->settings);
	free(described->edits);
}

/* False: it was answered. */
static bool take_described(struct api_call *call, const json_t *policies, struct described *described)
{
	described->count = json_array_size(policies);
	described->edits = calloc(described->count, sizeof(*described->edits));
	described->settings = calloc(described->count, sizeof(struct settings *));
	if (described->edits == NULL || described->settings == NULL)
		return api_problem(call, 503, "Busy", "No memory.") != 0;
	for (size_t i = 0; i < described->count; i++) {
		const json_t *policy = json_array_get(policies, i);
		struct front_policy_edit *edit = &described->edits[i];

		if (!take_settings(call, json_object_get(policy, "settings"), &described->settings[i]))
			return false;
		*edit = (struct front_policy_edit){ .kind = FRONT_POLICY_PUT,
						    .name = text_of(policy, "name"),
						    .parent = text_of(policy, "parent") };
		if (!seal_secrets(call, edit, described->settings[i]))
			return false;
		if (described->settings[i] != NULL) {
			edit->changes = described->settings[i]->changes;
			edit->change_count = described->settings[i]->count;
		}
	}
	return true;
}

int policy_apply(struct api_call *call, struct err *err)
{
	const json_t *body = api_body(call);
	bool dry_run = json_is_true(json_object_get(body, "dry_run"));
	struct described described = { 0 };
	struct front_policy_result result = { 0 };
	struct faulty faulty = { call, 0 };
	int rc = 0;

	if (!take_described(call, json_object_get(body, "policies"), &described)) {
		described_free(&described);
		return 0;
	}
	rc = front_policy_edit(api_call_front(call), described.edits, described.count, dry_run, api_call_actor(call),
			       on_fault, &faulty, &result, err);
	described_free(&described);
	if (failed(call, rc, &faulty, err, &rc))
		return rc;
	rc = api_reply_json(call, 200,
			    json_pack("{sb, sI, sI, so}", "dry_run", dry_run, "affected", (json_int_t)result.affected,
				      "contacted", (json_int_t)result.contacted, "changes",
				      json_loads(result.changes, 0, NULL)));
	free(result.changes);
	return rc;
}
