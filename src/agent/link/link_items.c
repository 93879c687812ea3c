/* Quarantined files as link sees them (agent/link/link_items.h). */
#include "agent/link/link_items.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/link/link_configuration.h"
#include "agent/link/link_fetch.h"
#include "base/log.h"

#define OPERATIONS_MAX 256

/* One restore, delete or list under way. */
struct operation {
	struct link_items *items;
	enum message_type type;
	struct uuid item;
	bool overwrite;
	bool commanded;
	struct uuid command;
	bool again;                       /* it ran when link last ended: it may be done already */
	bool fetched;                     /* the manager's copy was asked for */
	char missing[ERR_TEXT_BYTES / 2]; /* what guard missed, if so */
	struct control_client *client;
	struct operation *next;
};

struct link_items {
	struct link *link;
	struct operation *first;
	size_t count;
	void (*settled)(struct link *link);
	struct link_fetch *fetch;
};

static struct operation *add(struct link_items *items, enum message_type type, const struct uuid *item, struct err *err)
{
	struct operation *operation;

	if (items->count == OPERATIONS_MAX) {
		err_set(err, ERR_BUSY, "%d restores and deletes are under way already", OPERATIONS_MAX);
		return NULL;
	}
	operation = calloc(1, sizeof(*operation));
	if (operation == NULL) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	*operation = (struct operation){ .items = items, .type = type, .item = *item, .next = items->first };
	items->first = operation;
	items->count++;
	return operation;
}

static void drop(struct operation *operation)
{
	struct link_items *items = operation->items;
	struct operation **at = &items->first;

	while (*at != operation)
		at = &(*at)->next;
	*at = operation->next;
	items->count--;
	free(operation);
}

/* --- ends --- */

static void end_command(struct operation *operation, int code, const char *text)
{
	struct link *link = operation->items->link;
	char id[UUID_TEXT_BYTES];
	struct event_field field;
	struct err err;

	uuid_format(&operation->item, id);
	field = link_field("item", id);
	if (endpoint_end(link->endpoint, &operation->command, code ? COMMAND_FAILED : COMMAND_SUCCEEDED,
			 code ? err_name(code) : "", text, &field, 1, &err))
		LOG(LOG_ERROR, "quarantine.end_not_kept", log_uuid("command", &operation->command), log_err(&err));
}

static void finish(struct operation *operation, int code, const char *text)
{
	struct link *link = operation->items->link;
	struct err err;

	err_set(&err, code, "%s", text);
	LOG(code ? LOG_WARNING : LOG_INFO,
	    operation->type == MESSAGE_ITEM_RESTORE ? "quarantine.restore" : "quarantine.delete",
	    log_uuid("item", &operation->item), log_err(&err));
	if (operation->commanded)
		end_command(operation, code, text);
	if (operation->client)
		control_client_end(operation->client, code, &err);
	drop(operation);
	link_wake(link);
}

/* --- restore from the manager's copy --- */

static int ask(struct operation *operation, struct err *err);

static void on_put(void *argument, const struct message_answer *answer, int fd)
{
	struct operation *operation = argument;
	char text[ERR_TEXT_BYTES];
	struct err err = { 0 };

	(void)fd;
	snprintf(text, sizeof(text), "%.*s", (int)answer->text.size, (const char *)answer->text.data);
	if (answer->code)
		finish(operation, answer->code, text);
	else if (ask(operation, &err))
		finish(operation, err.code, err.text);
}

static void on_fetched(void *argument, int fd, const struct message_put *put, const struct err *err)
{
	struct operation *operation = argument;
	struct err problem;
	struct buf payload;
	int rc;

	if (fd < 0) {
		err_set(&problem, err->code, "%s; %s", operation->missing, err->text);
		finish(operation, err->code, problem.text);
		return;
	}
	buf_init(&payload, CHANNEL_PAYLOAD_MAX_BYTES);
	message_pack_put(&payload, put);
	rc = link_guard_ask(operation->items->link->guard, MESSAGE_ITEM_PUT, &payload, fd, on_put, operation, &problem);
	buf_wipe(&payload);
	buf_done(&payload);
	if (rc)
		finish(operation, rc, problem.text);
}

/* --- asking guard --- */

static void on_done(void *argument, const struct message_answer *answer, int fd)
{
	struct operation *operation = argument;
	char text[ERR_TEXT_BYTES];
	struct err err = { 0 };

	(void)fd;
	snprintf(text, sizeof(text), "%.*s", (int)answer->text.size, (const char *)answer->text.data);
	if (answer->code == ERR_NOT_FOUND && operation->type == MESSAGE_ITEM_RESTORE && !operation->fetched) {
		operation->fetched = true;
		snprintf(operation->missing, sizeof(operation->missing), "%.255s", text);
		if (link_fetch_start(operation->items->fetch, &operation->item, on_fetched, operation, &err))
			finish(operation, err.code, err.text);
		return;
	}
	if (operation->again && (answer->code == ERR_NOT_FOUND || answer->code == ERR_WRONG_STATE))
		finish(operation, 0, ""); /* done before link was started again */
	else
		finish(operation, answer->code, text);
}

static int ask(struct operation *operation, struct err *err)
{
	return link_guard_target(operation->items->link->guard, operation->type, &operation->item, operation->overwrite,
				 on_done, operation, err);
}

int link_items_command(struct link_items *items, const struct endpoint_command *command, struct err *err)
{
	bool restore = command->kind == COMMAND_RESTORE;
	struct uuid item =
	    exchange_uuid(restore ? &command->content->restore->item : &command->content->delete_item->id);
	struct operation *operation = add(items, restore ? MESSAGE_ITEM_RESTORE : MESSAGE_ITEM_DELETE, &item, err);
	int rc;

	if (operation == NULL)
		return err->code;
	operation->overwrite = restore && command->content->restore->overwrite;
	operation->commanded = true;
	operation->command = command->id;
	operation->again = command->again;
	rc = ask(operation, err);
	if (rc)
		drop(operation);
	return rc;
}

/* --- local users --- */

static const char *const state_names[] = {
	[ITEM_HELD] = "held", [ITEM_RESTORED] = "restored", [ITEM_DELETED] = "deleted"
};

static json_t *item_line(const struct message_item *item)
{
	char id[UUID_TEXT_BYTES], sha256[SHA256_TEXT_BYTES], quarantined[TIME_TEXT_BYTES];

	uuid_format(&item->id, id);
	hex_format(item->sha256, SHA256_BYTES, sha256);
	time_format(item->quarantined, quarantined);
	return json_pack("{s:s,s:s,s:o,s:s,s:I,s:o,s:s,s:s}", "type", "item", "id", id, "path",
			 control_name(item->path.data, item->path.size), "sha256", sha256, "size",
			 (json_int_t)item->size, "detection", control_name(item->detection, strlen(item->detection)),
			 "quarantined_at", quarantined, "state", state_names[item->state]);
}

static void on_local_item(void *argument, const struct message_item *item)
{
	struct operation *operation = argument;

	/* Those that ended are in the list for the manager. */
	if (operation->client && item->state == ITEM_HELD)
		control_client_line(operation->client, item_line(item));
}

static void on_local_listed(void *argument, const struct message_answer *answer, int fd)
{
	struct operation *operation = argument;
	struct err err;

	(void)fd;
	err_set(&err, answer->code, "%.*s", (int)answer->text.size, (const char *)answer->text.data);
	if (operation->client)
		control_client_end(operation->client, answer->code, &err);
	drop(operation);
}

int link_items_local(struct link_items *items, const struct control_request *request, struct control_client *client,
		     struct err *err)
{
	static const struct {
		enum control_kind kind;
		enum message_type type;
	} rows[] = { { CONTROL_QUARANTINE_LIST, MESSAGE_ITEM_LIST },
		     { CONTROL_QUARANTINE_RESTORE, MESSAGE_ITEM_RESTORE },
		     { CONTROL_QUARANTINE_DELETE, MESSAGE_ITEM_DELETE } };
	enum message_type type = MESSAGE_ITEM_LIST;
	struct operation *operation;
	int rc;

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (rows[i].kind == request->kind)
			type = rows[i].type;
	}
	operation = add(items, type, &request->item, err);
	if (operation == NULL)
		return err->code;
	operation->overwrite = request->overwrite;
	if (type == MESSAGE_ITEM_LIST)
		rc = link_guard_list(items->link->guard, on_local_item, on_local_listed, operation, err);
	else
		rc = ask(operation, err);
	if (rc)
		drop(operation);
	else
		operation->client = client;
	return rc;
}

void link_items_unwatch(struct link_items *items, const struct control_client *client)
{
	for (struct operation *operation = items->first; operation != NULL; operation = operation->next) {
		if (operation->client == client)
			operation->client = NULL;
	}
}

/* --- states for the manager --- */

int link_items_changed(struct link_items *items, const struct message_item *item, struct err *err)
{
	static const Muster__Wire__QuarantineItem__State states[] = {
		[ITEM_HELD] = MUSTER__WIRE__QUARANTINE_ITEM__STATE__HELD,
		[ITEM_RESTORED] = MUSTER__WIRE__QUARANTINE_ITEM__STATE__RESTORED,
		[ITEM_DELETED] = MUSTER__WIRE__QUARANTINE_ITEM__STATE__DELETED
	};
	Muster__Wire__QuarantineItem message = MUSTER__WIRE__QUARANTINE_ITEM__INIT;
	int rc;

	message.id = exchange_bytes(item->id.bytes, UUID_BYTES);
	message.path = exchange_bytes(item->path.data, item->path.size);
	message.sha256 = exchange_bytes(item->sha256, SHA256_BYTES);
	message.size = item->size;
	message.detection = (char *)(uintptr_t)item->detection;
	message.quarantined_us = item->quarantined;
	message.state = states[item->state];
	if (item->state == ITEM_HELD && item->size > link_configuration_upload_max(items->link->configuration))
		message.state = MUSTER__WIRE__QUARANTINE_ITEM__STATE__TOO_LARGE;
	rc = endpoint_item(items->link->endpoint, &message, err);
	link_wake(items->link);
	return rc;
}

static void on_item(void *argument, const struct message_item *item)
{
	struct link_items *items = argument;
	struct err err;

	if (link_items_changed(items, item, &err))
		LOG(LOG_ERROR, "quarantine.item_not_taken", log_uuid("item", &item->id), log_err(&err));
}

static void on_listed(void *argument, const struct message_answer *answer, int fd)
{
	struct link_items *items = argument;
	struct err err;

	(void)fd;
	if (answer->code) {
		err_set(&err, answer->code, "%.*s", (int)answer->text.size, (const char *)answer->text.data);
		LOG(LOG_ERROR, "quarantine.not_listed", log_err(&err));
	}
	items->settled(items->link);
}

int link_items_begin(struct link_items *items, void (*settled)(struct link *link), struct err *err)
{
	items->settled = settled;
	return link_guard_list(items->link->guard, on_item, on_listed, items, err);
}

static void on_listed_again(void *argument, const struct message_answer *answer, int fd)
{
	(void)argument;
	(void)fd;
	if (answer->code)
		LOG(LOG_ERROR, "quarantine.not_listed", log_text("code", err_name(answer->code)));
}

void link_items_again(struct link_items *items)
{
	struct err err;

	if (link_guard_list(items->link->guard, on_item, on_listed_again, items, &err))
		LOG(LOG_ERROR, "quarantine.not_listed", log_err(&err));
}

struct link_items *link_items_new(struct link *link, int directory, struct err *err)
{
	struct link_items *items = calloc(1, sizeof(*items));

	if (items == NULL) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	items->link = link;
	items->fetch = link_fetch_new(link, directory, err);
	if (items->fetch == NULL) {
		free(items);
		return NULL;
	}
	return items;
}

struct link_fetch *link_items_fetch(const struct link_items *items)
{
	return items->fetch;
}

void link_items_free(struct link_items *items)
{
	if (items == NULL)
		return;
	link_fetch_free(items->fetch);
	while (items->first != NULL)
		drop(items->first);
	free(items);
}
