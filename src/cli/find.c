/* From what people call a computer or a user to its id. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "cli/cli.h"

#define LISTED_MAX 8 /* ids that an ambiguous name lists */

struct finding {
	const char *name; /* escaped as the manager shows it */
	size_t exact, alike;
	char exact_id[UUID_TEXT_BYTES], alike_id[UUID_TEXT_BYTES];
	struct buf ids; /* of all that fit */
};

static void remember(struct finding *finding, const char *id)
{
	if (finding->exact + finding->alike < LISTED_MAX) {
		buf_append_text(&finding->ids, finding->ids.size > 0 ? ", " : "");
		table_clean(id, &finding->ids);
	}
}

static int look(void *context, json_t *items, struct err *err)
{
	struct finding *finding = context;
	struct uuid uuid;

	(void)err;
	for (size_t i = 0; i < json_array_size(items); i++) {
		const json_t *item = json_array_get(items, i);
		const char *name = json_string_value(json_object_get(item, "name"));
		const char *id = json_string_value(json_object_get(item, "id"));

		if (name == NULL || id == NULL || uuid_parse(id, &uuid, NULL) != 0 ||
		    strcasecmp(name, finding->name) != 0)
			continue;
		remember(finding, id);
		if (strcmp(name, finding->name) == 0 && finding->exact++ == 0)
			snprintf(finding->exact_id, sizeof(finding->exact_id), "%s", id);
		else if (strcmp(name, finding->name) != 0 && finding->alike++ == 0)
			snprintf(finding->alike_id, sizeof(finding->alike_id), "%s", id);
	}
	return 0;
}

/* One of exactly this name; else the only one that differs in case alone. */
static int choose(const struct finding *finding, const char *what, const char *given, char *id, struct err *err)
{
	if (finding->exact == 1) {
		memcpy(id, finding->exact_id, UUID_TEXT_BYTES);
		return 0;
	}
	if (finding->exact == 0 && finding->alike == 1) {
		memcpy(id, finding->alike_id, UUID_TEXT_BYTES);
		return 0;
	}
	if (finding->exact + finding->alike == 0)
		return err_set(err, ERR_NOT_FOUND, "no %s is called '%.100s'; `muster %s list` shows them", what, given,
			       what);
	return err_set(err, ERR_CONFLICT, "%zu %ss are called '%.60s'; give the id of one: %s%s",
		       finding->exact + finding->alike, what, given, buf_text(&finding->ids),
		       finding->exact + finding->alike > LISTED_MAX ? ", …" : "");
}

static int find(struct cli *cli, const char *what, const char *path, const char *given, char *id, struct err *err)
{
	struct finding finding = { 0 };
	struct buf name;
	struct uuid uuid;
	int rc;

	if (uuid_parse(given, &uuid, NULL) == 0) {
		uuid_format(&uuid, id);
		return 0;
	}
	buf_init(&name, 4096);
	buf_init(&finding.ids, 4096);
	text_escape(&name, given, strlen(given));
	finding.name = buf_text(&name);
	rc = name.status != 0 ? err_set(err, ERR_USAGE, "the name is too long")
			      : list_pages(cli, path, 0, look, &finding, err);
	if (rc == 0)
		rc = choose(&finding, what, finding.name, id, err);
	buf_done(&name);
	buf_done(&finding.ids);
	return rc;
}

int find_computer(struct cli *cli, const char *given, char *id, struct err *err)
{
	struct buf path;
	int rc;

	buf_init(&path, 64 * 1024);
	buf_append_text(&path, "/computers");
	query_add(&path, "name", given);
	rc = find(cli, "computer", buf_text(&path), given, id, err);
	buf_done(&path);
	return rc;
}

int find_destination(struct cli *cli, const char *given, char *id, struct err *err)
{
	return find(cli, "destination", "/destinations", given, id, err);
}

int find_hypervisor(struct cli *cli, const char *given, char *id, struct err *err)
{
	return find(cli, "hypervisor", "/hypervisors", given, id, err);
}

int find_network(struct cli *cli, const char *given, char *id, struct err *err)
{
	return find(cli, "network", "/networks", given, id, err);
}

int find_user(struct cli *cli, const char *given, char *id, struct err *err)
{
	return find(cli, "user", "/users", given, id, err);
}

int find_request(struct cli *cli, const char *collection, find_one *find_id, const char *method, const char *rest,
		 const json_t *body, json_t **ret_json, struct err *err)
{
	char id[UUID_TEXT_BYTES];
	struct buf path;
	int rc = find_id(cli, cli->arguments.words[0], id, err);

	if (rc != 0)
		return rc;
	buf_init(&path, 256);
	rc = cli_id_path(collection, id, rest, &path, err);
	if (rc == 0)
		rc = cli_request(cli, method, buf_text(&path), body, ret_json, err);
	buf_done(&path);
	return rc;
}
