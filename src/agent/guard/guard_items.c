/* Restoring, deleting and taking back items, one after the other (guard_items.h). */
#include "agent/guard/guard_items.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/guard/notices.h"
#include "base/log.h"
#include "fleet/event_types.h"

struct item_request {
	uint16_t type;
	uint32_t request;
	uint64_t link_start; /* which link asked */
	struct message_target target;
	int fd; /* the copy, for MESSAGE_ITEM_PUT */
	uint8_t key[MESSAGE_ITEM_KEY_BYTES];
	struct item_request *next;
};

struct guard_items {
	struct item_request *first, **last;
	size_t count;
	struct vault_work *work; /* of the first */
};

struct guard_items *guard_items_new(void)
{
	struct guard_items *items = calloc(1, sizeof(*items));

	if (items != NULL)
		items->last = &items->first;
	return items;
}

static void drop_first(struct guard_items *items)
{
	struct item_request *first = items->first;

	vault_work_free(items->work);
	items->work = NULL;
	items->first = first->next;
	if (items->first == NULL)
		items->last = &items->first;
	items->count--;
	if (first->fd >= 0)
		close(first->fd);
	OPENSSL_cleanse(first->key, sizeof(first->key));
	free(first);
}

void guard_items_free(struct guard_items *items)
{
	if (items == NULL)
		return;
	while (items->first != NULL)
		drop_first(items);
	free(items);
}

/* ---- requests ---- */

static int add(struct guard *guard, const struct channel_message *message, const struct uuid *id,
	       struct item_request **ret_added, struct err *err)
{
	struct guard_items *items = guard->items;
	struct item_request *added = NULL;

	if (items->count == GUARD_ITEMS_MAX)
		return err_set(err, ERR_BUSY, "%d requests for quarantined files wait already", GUARD_ITEMS_MAX);
	added = calloc(1, sizeof(*added));
	if (added == NULL)
		return err_set(err, ERR_MEMORY, "no memory");
	added->type = message->type;
	added->request = message->request;
	added->link_start = guard->link_starts;
	added->target.id = *id;
	added->fd = -1;
	*items->last = added;
	items->last = &added->next;
	items->count++;
	*ret_added = added;
	return 0;
}

int guard_items_end(struct guard *guard, const struct channel_message *message, const struct message_target *target,
		    struct err *err)
{
	struct item_request *added = NULL;
	int code = add(guard, message, &target->id, &added, err);

	if (code == 0)
		added->target = *target;
	return code;
}

int guard_items_put(struct guard *guard, const struct channel_message *message, const struct message_put *put,
		    struct err *err)
{
	struct item_request *added = NULL;
	int fd = fcntl(message->fd, F_DUPFD_CLOEXEC, 3);
	int code;

	if (fd < 0)
		return err_errno(err, errno, "the copy");
	code = add(guard, message, &put->item.id, &added, err);
	if (code != 0) {
		close(fd);
		return code;
	}
	added->fd = fd;
	memcpy(added->key, put->key, sizeof(added->key));
	return 0;
}

/* ---- ends and their notices ---- */

/* The event: restored, or deleted. */
static int tell_end(struct guard *guard, const struct vault_item *item, uint32_t type, struct err *err)
{
	struct notice_draft draft;

	notice_begin(&draft, type, env_wall(guard->env));
	notice_text(&draft, "file", item->path);
	notice_text(&draft, "detection", item->item.detection);
	notice_uuid(&draft, "item", &item->item.id);
	return notice_send(&draft, guard->outbox, err);
}

/* Only what is not in the outbox yet: nothing left it since the mark was made. */
static int announce_end(struct guard *guard, const struct vault_item *item, struct err *err)
{
	struct message_notice notice = { .kind = NOTICE_ITEM, .body.item = item->item };
	uint32_t type = item->item.state == ITEM_RESTORED ? EVENT_RESTORED : EVENT_QUARANTINE_DELETED;
	int code = 0;

	if (!outbox_holds_item(guard->outbox, type, &item->item.id))
		code = tell_end(guard, item, type, err);
	if (code == 0)
		code = outbox_append(guard->outbox, &notice, err);
	return code == 0 ? vault_settle_end(guard->vault, &item->item.id, err) : code;
}

void guard_items_ended(struct guard *guard, const struct vault_item *item)
{
	struct err err = { 0 };

	/* Not settled: guard's loop tries again. */
	if (announce_end(guard, item, &err) != 0)
		LOG(LOG_ERROR, "guard.item_not_announced", log_uuid("item", &item->item.id), log_err(&err));
}

/* An item must not end before its coming was told: nothing of it would be left to tell. */
static int settle_first(struct guard *guard, struct err *err)
{
	int code = vault_unsettled(guard->vault) ? guard_link_recover(guard, err) : 0;

	if (code == 0 && vault_unsettled(guard->vault))
		code = err_set(err, ERR_IO, "what happened before could not be written yet (is the disk full?)");
	return code;
}

/* ---- work ---- */

static int begin(struct guard *guard, const struct item_request *request, struct err *err)
{
	static const uint8_t no_key[MESSAGE_ITEM_KEY_BYTES];
	bool has_key = memcmp(request->key, no_key, sizeof(no_key)) != 0;
	struct vault_work **work = &guard->items->work;

	if (request->type == MESSAGE_ITEM_PUT)
		return vault_put(guard->vault, &request->target.id, request->fd, has_key ? request->key : NULL, work,
				 err);
	return vault_restore(guard->vault, &request->target.id, request->target.overwrite, work, err);
}

/* Link knows whether it asks again what it had asked before it died. A file that was restored may have been changed or
 * removed since: to say "restored" once more would be wrong. */
static int ended(struct guard *guard, const struct item_request *request, const struct vault_item *item,
		 struct err *err)
{
	bool restore = request->type == MESSAGE_ITEM_RESTORE;

	if (item->ended_before && restore)
		return err_set(err, ERR_WRONG_STATE, "this item was restored before");
	if (item->ended_before)
		return 0;
	LOG(LOG_INFO, restore ? "guard.item_restored" : "guard.item_deleted", log_uuid("item", &request->target.id),
	    log_text("file", item->path));
	guard_items_ended(guard, item);
	return 0;
}

/* *ret_done: answered with what is returned. */
static int work(struct guard *guard, const struct item_request *request, bool *ret_done, struct err *err)
{
	struct vault_item item;
	int code = 0;

	*ret_done = true;
	if (guard->items->work == NULL && request->type != MESSAGE_ITEM_PUT)
		code = settle_first(guard, err);
	if (code != 0)
		return code;
	if (request->type == MESSAGE_ITEM_DELETE) {
		code = vault_delete(guard->vault, &request->target.id, &item, err);
		return code == 0 ? ended(guard, request, &item, err) : code;
	}
	if (guard->items->work == NULL)
		code = begin(guard, request, err);
	if (code == 0)
		code = vault_work_step(guard->items->work, ret_done, &item, err);
	if (code != 0 || !*ret_done) {
		*ret_done |= code != 0;
		return code;
	}
	return request->type == MESSAGE_ITEM_RESTORE ? ended(guard, request, &item, err) : 0;
}

bool guard_items_step(struct guard *guard)
{
	struct guard_items *items = guard->items;
	struct err err = { 0 };
	bool done;
	int code;

	if (items->first == NULL)
		return false;
	code = work(guard, items->first, &done, &err);
	if (done) {
		if (items->first->link_start == guard->link_starts && guard->link.fd >= 0)
			guard_link_answer(guard, items->first->request, code, &err);
		drop_first(items);
	}
	return items->first != NULL;
}
