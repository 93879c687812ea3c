/* One order for several computers: all whose names fit a pattern, or all of a group. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"

#define AT_ONCE    20000 /* computers that the manager takes in one order */
#define NAMED_MAX  4     /* that were left out */
#define TEXT_BYTES 4096

/* What the manager answered, all requests together. */
struct order {
	json_t *computers; /* ids */
	json_t *items, *left_out;
};

bool order_is_for_many(const char *given)
{
	return strpbrk(given, "*?") != NULL;
}

static int gather(void *context, json_t *items, struct err *err)
{
	struct order *order = context;

	for (size_t i = 0; i < json_array_size(items); i++) {
		json_t *id = json_object_get(json_array_get(items, i), "id");

		if (!json_is_string(id))
			return err_set(err, ERR_FORMAT, "the answer is not a list of computers");
		json_array_append(order->computers, id);
	}
	return 0;
}

/* Who is meant: a filter of the list of computers. */
struct whom {
	const char *filter, *value;
	const char *nobody; /* what to say then, of the value */
};

static int find_all(struct cli *cli, const struct whom *whom, struct order *order, struct err *err)
{
	struct buf path;
	int rc;

	buf_init(&path, 64 * 1024);
	buf_append_text(&path, "/computers");
	query_add(&path, whom->filter, whom->value);
	rc = list_pages(cli, buf_text(&path), 0, gather, order, err);
	buf_done(&path);
	if (rc == 0 && json_array_size(order->computers) == 0)
		rc = err_set(err, ERR_NOT_FOUND, "%s '%.100s'; `muster computer list` shows them", whom->nobody,
			     whom->value);
	return rc;
}

static int ask(struct cli *cli, json_t *body, size_t first, struct order *order, struct err *err)
{
	json_t *some = json_array(), *answer = NULL;
	int rc;

	for (size_t i = first; i < first + AT_ONCE && i < json_array_size(order->computers); i++)
		json_array_append(some, json_array_get(order->computers, i));
	json_object_set_new(body, "computers", some);
	rc = cli_request(cli, "POST", "/commands", body, &answer, err);
	if (rc != 0)
		return rc;
	if (json_array_extend(order->items, json_object_get(answer, "items")) != 0 ||
	    json_array_extend(order->left_out, json_object_get(answer, "left_out")) != 0)
		rc = err_set(err, ERR_FORMAT, "the answer is not a list of commands");
	json_decref(answer);
	return rc;
}

/* "ID, ID, …" */
static void name_left_out(const json_t *left_out, struct buf *out)
{
	for (size_t i = 0; i < json_array_size(left_out) && i < NAMED_MAX; i++) {
		buf_append_text(out, i > 0 ? ", " : "");
		if (json_is_string(json_array_get(left_out, i)))
			table_clean(json_string_value(json_array_get(left_out, i)), out);
	}
	if (json_array_size(left_out) > NAMED_MAX)
		buf_append_text(out, ", …");
}

static int tell(struct cli *cli, const char *kind, struct order *order, struct err *err)
{
	size_t left_out = json_array_size(order->left_out), issued = json_array_size(order->items);
	struct buf names;
	int rc = cli_say(cli, json_pack("{sO, sO}", "items", order->items, "left_out", order->left_out), err,
			 "%s issued to %zu computer%s; `muster command list --kind %s` shows what comes of it", kind,
			 issued, issued == 1 ? "" : "s", kind);

	if (rc != 0 || left_out == 0)
		return rc;
	buf_init(&names, TEXT_BYTES);
	name_left_out(order->left_out, &names);
	rc = err_set(err, ERR_REFUSED, "%zu left out, deleted meanwhile or with too many open commands: %s", left_out,
		     buf_text(&names));
	buf_done(&names);
	return rc;
}

static int order_whom(struct cli *cli, const struct whom *whom, const json_t *given, struct err *err)
{
	struct order order = { json_array(), json_array(), json_array() };
	const char *kind = json_string_value(json_object_get(given, "kind"));
	json_t *body = json_copy((json_t *)(uintptr_t)given); /* computers are added to it */
	int rc = body != NULL ? 0 : err_set(err, ERR_MEMORY, "no memory");

	if (rc == 0 && cli_flag(cli, "watch"))
		rc = err_set(err, ERR_USAGE, "--watch follows one command, and '%.100s' may fit several computers",
			     whom->value);
	if (rc == 0)
		rc = find_all(cli, whom, &order, err);
	for (size_t first = 0; rc == 0 && first < json_array_size(order.computers); first += AT_ONCE)
		rc = ask(cli, body, first, &order, err);
	if (rc == 0)
		rc = tell(cli, kind, &order, err);
	json_decref(body);
	json_decref(order.computers);
	json_decref(order.items);
	json_decref(order.left_out);
	return rc;
}

int order_many(struct cli *cli, const char *pattern, const json_t *body, struct err *err)
{
	return order_whom(cli, &(struct whom){ "name", pattern, "no computer's name fits" }, body, err);
}

int order_group(struct cli *cli, const char *group, const json_t *body, struct err *err)
{
	return order_whom(cli, &(struct whom){ "group", group, "no computer is in the group" }, body, err);
}
