/* Requests and lines of the control socket (agent/control.h). Input: local users; untrusted. */
#include "agent/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/units.h"

enum control_part {
	PART_ITEM = 1,
	PART_OVERWRITE = 2,
	PART_LIMIT = 4,
	PART_PATHS = 8,
	PART_MOVE = 16,
	PART_PASSWORD = 32,
	PART_KEY = 64
};

static const struct {
	const char *name;
	unsigned parts;
} kinds[] = {
	[CONTROL_STATUS] = { "status", 0 },
	[CONTROL_SCAN] = { "scan", PART_PATHS },
	[CONTROL_CANCEL] = { "cancel", PART_ITEM },
	[CONTROL_HEARTBEAT] = { "heartbeat", 0 },
	[CONTROL_EVENTS] = { "events", PART_LIMIT },
	[CONTROL_SETTINGS] = { "settings", 0 },
	[CONTROL_QUARANTINE_LIST] = { "quarantine.list", 0 },
	[CONTROL_QUARANTINE_RESTORE] = { "quarantine.restore", PART_ITEM | PART_OVERWRITE },
	[CONTROL_QUARANTINE_DELETE] = { "quarantine.delete", PART_ITEM },
	[CONTROL_STOP] = { "stop", PART_PASSWORD },
	[CONTROL_TRUST] = { "trust", PART_KEY | PART_PASSWORD },
	[CONTROL_MOVE] = { "move", PART_MOVE | PART_PASSWORD },
	[CONTROL_UNINSTALL] = { "uninstall", PART_PASSWORD },
};

static int parse_kind(const json_t *root, enum control_kind *ret_kind, struct err *err)
{
	const char *name = json_string_value(json_object_get(root, "do"));

	if (name == NULL)
		return err_set(err, ERR_FORMAT, "a request must say what to do");
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		if (strcmp(kinds[i].name, name) == 0) {
			*ret_kind = (enum control_kind)i;
			return 0;
		}
	}
	return err_set(err, ERR_UNKNOWN, "this agent knows no request '%.64s'", name);
}

/* An escaped name as raw bytes with a NUL behind; free() it. */
static int parse_path(const json_t *value, char **ret_path, struct err *err)
{
	const char *text = json_string_value(value);
	struct buf raw;
	size_t size;
	int rc;

	if (text == NULL)
		return err_set(err, ERR_FORMAT, "a path must be a string");
	buf_init(&raw, CONTROL_PATH_MAX_BYTES);
	rc = text_unescape(text, &raw);
	if (rc == 0)
		rc = raw.status;
	if (rc)
		err_set(err, rc, "a path is too long or not escaped as it should be");
	else if (raw.size == 0 || raw.data[0] != '/' || memchr(raw.data, 0, raw.size) != NULL)
		rc = err_set(err, ERR_RANGE, "'%.200s' is not an absolute path", text);
	else
		*ret_path = (char *)buf_take(&raw, &size);
	buf_done(&raw);
	return rc;
}

static int parse_paths(const json_t *root, const char *name, char ***ret_paths, size_t *ret_count, struct err *err)
{
	const json_t *list = json_object_get(root, name);
	size_t count = json_array_size(list);

	if (list == NULL)
		return 0;
	if (!json_is_array(list))
		return err_set(err, ERR_FORMAT, "%s must be a list", name);
	if (count > CONTROL_PATHS_MAX)
		return err_set(err, ERR_LIMIT, "%s: %zu are more than %d", name, count, CONTROL_PATHS_MAX);
	*ret_paths = calloc(count ? count : 1, sizeof(**ret_paths));
	if (*ret_paths == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < count; i++) {
		int rc = parse_path(json_array_get(list, i), &(*ret_paths)[i], err);

		if (rc)
			return rc;
		*ret_count = i + 1;
	}
	return 0;
}

static int parse_key(const json_t *root, struct control_request *request, struct err *err)
{
	const char *key = json_string_value(json_object_get(root, "key"));

	if (key == NULL || strlen(key) != 2 * sizeof(request->key) ||
	    hex_parse(key, request->key, sizeof(request->key), NULL) != 0)
		return err_set(err, ERR_FORMAT, "the request names no key");
	return 0;
}

static int take_text(const json_t *root, const char *name, bool needed, size_t most, char **ret_text, struct err *err)
{
	const char *text = json_string_value(json_object_get(root, name));

	if (text == NULL)
		return needed ? err_set(err, ERR_FORMAT, "the request says no %s", name) : 0;
	if (strlen(text) > most)
		return err_set(err, ERR_LIMIT, "the %s is longer than %zu bytes", name, most);
	*ret_text = strdup(text);
	return *ret_text != NULL ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

/* By what the other manager is known: its authority, its key, or both. */
static int parse_known_by(const json_t *root, struct control_request *request, struct err *err)
{
	const char *fingerprint = json_string_value(json_object_get(root, "authority"));
	int rc = 0;

	request->has_authority = fingerprint != NULL;
	request->has_key = json_object_get(root, "key") != NULL;
	if (!request->has_authority && !request->has_key)
		return err_set(err, ERR_FORMAT, "the request says neither authority nor key");
	if (request->has_authority)
		rc = hex_parse(fingerprint, request->authority, SHA256_BYTES, err);
	return rc == 0 && request->has_key ? parse_key(root, request, err) : rc;
}

static int parse_move(const json_t *root, struct control_request *request, struct err *err)
{
	json_int_t port = json_integer_value(json_object_get(root, "listen_port"));
	int rc = parse_known_by(root, request, err);

	if (rc == 0 && (port < 0 || port > UINT16_MAX))
		rc = err_set(err, ERR_RANGE, "listen_port must be between 1 and 65535");
	request->listen_port = (uint16_t)port;
	if (rc == 0)
		rc = take_text(root, "manager", true, CONTROL_TEXT_MAX_BYTES, &request->manager, err);
	return rc == 0 ? take_text(root, "token", false, CONTROL_TEXT_MAX_BYTES, &request->token, err) : rc;
}

static int parse_parts(const json_t *root, unsigned parts, struct control_request *request, struct err *err)
{
	int rc = 0;

	if (parts & PART_ITEM) {
		const char *item = json_string_value(json_object_get(root, "item"));

		if (item == NULL)
			return err_set(err, ERR_FORMAT, "the request names no item");
		rc = uuid_parse(item, &request->item, err);
	}
	if (rc == 0 && (parts & PART_OVERWRITE))
		request->overwrite = json_is_true(json_object_get(root, "overwrite"));
	if (rc == 0 && (parts & PART_LIMIT)) {
		json_int_t limit = json_integer_value(json_object_get(root, "limit"));

		if (limit < 0 || limit > CONTROL_EVENTS_MAX)
			return err_set(err, ERR_RANGE, "limit must be between 1 and %d", CONTROL_EVENTS_MAX);
		request->limit = (uint32_t)limit;
	}
	if (rc == 0 && (parts & PART_MOVE))
		rc = parse_move(root, request, err);
	if (rc == 0 && (parts & PART_PASSWORD))
		rc = take_text(root, "password", false, CONTROL_PASSWORD_MAX, &request->password, err);
	if (rc == 0 && (parts & PART_PATHS)) {
		rc = parse_paths(root, "paths", &request->paths, &request->path_count, err);
		if (rc == 0)
			rc = parse_paths(root, "exclude", &request->exclude, &request->exclude_count, err);
	}
	if (rc == 0 && (parts & PART_KEY))
		rc = parse_key(root, request, err);
	return rc;
}

int control_request_parse(const void *line, size_t size, struct control_request *ret_request, struct err *err)
{
	struct control_request request = { 0 };
	json_error_t problem;
	json_t *root;
	int rc;

	if (size > CONTROL_REQUEST_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "a request is larger than %zu bytes", CONTROL_REQUEST_MAX_BYTES);
	root = json_loadb(line, size, JSON_REJECT_DUPLICATES, &problem);
	if (!json_is_object(root)) {
		json_decref(root);
		return err_set(err, ERR_FORMAT, "a request is not a JSON object");
	}
	rc = parse_kind(root, &request.kind, err);
	if (rc == 0)
		rc = parse_parts(root, kinds[request.kind].parts, &request, err);
	json_decref(root);
	if (rc)
		control_request_done(&request);
	else
		*ret_request = request;
	return rc;
}

static void free_paths(char **paths, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(paths[i]);
	free(paths);
}

static void free_secret(char *text)
{
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	free(text);
}

void control_request_done(struct control_request *request)
{
	free_paths(request->paths, request->path_count);
	free_paths(request->exclude, request->exclude_count);
	free(request->manager);
	free_secret(request->token);
	free_secret(request->password);
	*request = (struct control_request){ 0 };
}

json_t *control_name(const void *bytes, size_t size)
{
	struct buf text;
	json_t *value;

	buf_init(&text, 4 * size + 1);
	text_escape(&text, bytes, size);
	value = text.status ? NULL : json_string(buf_text(&text));
	buf_done(&text);
	return value;
}

static json_t *names(char *const *paths, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, control_name(paths[i], strlen(paths[i])));
	return list;
}

static void format_key(const struct control_request *request, json_t *root)
{
	char key[2 * sizeof(request->key) + 1];

	hex_format(request->key, sizeof(request->key), key);
	json_object_set_new(root, "key", json_string(key));
}

static void format_move(const struct control_request *request, json_t *root)
{
	char authority[SHA256_TEXT_BYTES];

	hex_format(request->authority, SHA256_BYTES, authority);
	if (request->has_authority)
		json_object_set_new(root, "authority", json_string(authority));
	if (request->has_key)
		format_key(request, root);
	if (request->listen_port != 0)
		json_object_set_new(root, "listen_port", json_integer(request->listen_port));
	json_object_set_new(root, "manager", json_string(request->manager));
	if (request->token != NULL)
		json_object_set_new(root, "token", json_string(request->token));
}

char *control_request_format(const struct control_request *request)
{
	unsigned parts = kinds[request->kind].parts;
	json_t *root = json_pack("{s:s}", "do", kinds[request->kind].name);
	char *text, *line = NULL;

	if (parts & PART_ITEM) {
		char item[UUID_TEXT_BYTES];

		uuid_format(&request->item, item);
		json_object_set_new(root, "item", json_string(item));
	}
	if (parts & PART_OVERWRITE)
		json_object_set_new(root, "overwrite", json_boolean(request->overwrite));
	if (parts & PART_LIMIT)
		json_object_set_new(root, "limit", json_integer(request->limit));
	if (parts & PART_MOVE)
		format_move(request, root);
	if ((parts & PART_PASSWORD) && request->password != NULL)
		json_object_set_new(root, "password", json_string(request->password));
	if (parts & PART_PATHS) {
		json_object_set_new(root, "paths", names(request->paths, request->path_count));
		json_object_set_new(root, "exclude", names(request->exclude, request->exclude_count));
	}
	if (parts & PART_KEY)
		format_key(request, root);
	text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	if (text != NULL && asprintf(&line, "%s\n", text) < 0)
		line = NULL;
	free(text);
	return line;
}

json_t *control_end_line(int rc, const struct err *err)
{
	if (rc == 0)
		return json_pack("{s:s,s:b}", "type", "end", "ok", 1);
	return json_pack("{s:s,s:b,s:s,s:o}", "type", "end", "ok", 0, "code", err_name(rc), "error",
			 control_name(err->text, strlen(err->text)));
}

bool control_line(const struct buf *in, size_t max_bytes, size_t *ret_size, int *ret_rc)
{
	const uint8_t *newline = in->size ? memchr(in->data, '\n', in->size) : NULL;
	size_t size = newline ? (size_t)(newline - in->data) : in->size;

	*ret_rc = size > max_bytes ? ERR_LIMIT : 0;
	if (newline == NULL || *ret_rc)
		return false;
	*ret_size = size;
	return true;
}
