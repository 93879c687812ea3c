/* What link asks of guard and what guard tells it. Link talks to the network
 * and may have been taken over: it can ask for scans, for its own items, and
 * for the agent's end, and nothing else. */
#include "agent/guard/guard_link.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/guard/guard_items.h"
#include "agent/guard/guard_settings.h"
#include "agent/guard/notices.h"
#include "agent/path_list.h"
#include "base/log.h"
#include "fleet/event_types.h"

#define NOTICES_UNDER_WAY_MAX 64
#define SEND_WAIT_MS          2000

/* ---- to link ---- */

static int send_packed(struct guard *guard, uint16_t type, uint32_t request, const struct buf *out, int fd,
		       int timeout_ms)
{
	int code = out->status;

	if (code == 0)
		code = timeout_ms > 0
			   ? channel_send_wait(&guard->link, type, request, out->data, out->size, fd, timeout_ms, NULL)
			   : channel_send(&guard->link, type, request, out->data, out->size, fd, NULL);
	return code;
}

static void send_component(struct guard *guard, const struct message_component *component)
{
	struct buf out;

	if (guard->link.fd < 0)
		return;
	buf_init(&out, CHANNEL_PAYLOAD_MAX_BYTES);
	message_pack_component(&out, component);
	(void)send_packed(guard, MESSAGE_COMPONENT, 0, &out, -1, SEND_WAIT_MS);
	buf_done(&out);
}

static struct bytes bytes_of(const char *text)
{
	return (struct bytes){ (const uint8_t *)text, strlen(text) };
}

static void tell_guard(struct guard *guard)
{
	struct message_component component = {
		.name = "guard",
		.state = guard->missing[0] == '\0' ? COMPONENT_WORKING : COMPONENT_DEGRADED,
		.version = bytes_of(MUSTER_VERSION),
	};
	char detail[600] = "";

	if (guard->missing[0] != '\0')
		snprintf(detail, sizeof(detail), "not available here: %s", guard->missing);
	component.detail = bytes_of(detail);
	send_component(guard, &component);
}

static void tell_scan(struct guard *guard)
{
	static const enum message_component_state states[] = {
		[SCANNER_OFF] = COMPONENT_IDLE,      [SCANNER_STARTING] = COMPONENT_WORKING,
		[SCANNER_IDLE] = COMPONENT_IDLE,     [SCANNER_LOADING] = COMPONENT_WORKING,
		[SCANNER_READY] = COMPONENT_WORKING, [SCANNER_FAILED] = COMPONENT_FAILED,
	};
	const struct scan_loaded *loaded = scanner_loaded(guard->scanner);
	enum scanner_state state = scanner_state(guard->scanner);
	struct message_component component = { .name = "scan", .state = states[state] };
	char count[16], tag[2 * SCAN_VERSION_BYTES + 1];

	component.version = bytes_of(loaded->version.engine);
	if (state == SCANNER_FAILED)
		component.detail = bytes_of(scanner_failure(guard->scanner));
	if (loaded->signatures > 0) {
		snprintf(count, sizeof(count), "%u", loaded->signatures);
		hex_format(loaded->version.tag, SCAN_VERSION_BYTES, tag);
		(void)message_fields_add(&component.facts, "signatures", count, strlen(count));
		(void)message_fields_add(&component.facts, "signature_version", tag, strlen(tag));
	}
	(void)message_fields_add(&component.facts, "source", guard->signatures, strlen(guard->signatures));
	send_component(guard, &component);
}

void guard_link_started(struct guard *guard)
{
	guard->sent = guard->stored = outbox_finished(guard->outbox);
	guard->link_starts++;
	guard->link_waits = false;
	tell_guard(guard);
	tell_scan(guard);
}

static void send_event(struct guard *guard, struct notice_draft *draft)
{
	struct err err = { 0 };

	if (notice_send(draft, guard->outbox, &err) != 0)
		LOG(LOG_ERROR, "guard.event_lost", log_number("type", draft->notice.body.event.type), log_err(&err));
}

void guard_link_restarted(struct guard *guard, const char *role, const char *cause)
{
	struct notice_draft draft;

	notice_begin(&draft, EVENT_ROLE_RESTARTED, env_wall(guard->env));
	notice_text(&draft, "role", role);
	notice_text(&draft, "cause", cause);
	send_event(guard, &draft);
}

bool guard_link_waits(const struct guard *guard)
{
	return guard->link_waits;
}

void guard_link_flush(struct guard *guard)
{
	guard->link_waits = false;
	while (guard->link.fd >= 0 && guard->sent < guard->stored + NOTICES_UNDER_WAY_MAX) {
		struct buf out;
		uint64_t number = 0;
		int code;

		buf_init(&out, CHANNEL_PAYLOAD_MAX_BYTES);
		code = outbox_next(guard->outbox, guard->sent, &out, &number, NULL);
		if (code == 0)
			code = send_packed(guard, MESSAGE_NOTICE, 0, &out, -1, 0);
		buf_done(&out);
		guard->link_waits = code == ERR_BUSY;
		if (code != 0)
			return;
		guard->sent = number;
	}
}

void guard_link_progress(void *context, const struct message_progress *progress)
{
	struct guard *guard = context;
	struct buf out;

	if (guard->link.fd < 0)
		return;
	buf_init(&out, CHANNEL_PAYLOAD_MAX_BYTES);
	message_pack_progress(&out, progress);
	(void)send_packed(guard, MESSAGE_JOB_PROGRESS, 0, &out, -1, 0);
	buf_done(&out);
}

/* ---- the scanner's hooks ---- */

void guard_link_verdict(void *context, uint64_t cookie, const struct scan_verdict *verdict)
{
	jobs_on_verdict(((struct guard *)context)->jobs, cookie, verdict);
}

void guard_link_lost(void *context, uint64_t cookie, const char *what)
{
	jobs_on_lost(((struct guard *)context)->jobs, cookie, what);
}

void guard_link_again(void *context, uint64_t cookie, bool begun)
{
	jobs_on_again(((struct guard *)context)->jobs, cookie, begun);
}

static void event_loaded(struct guard *guard)
{
	const struct scan_loaded *loaded = scanner_loaded(guard->scanner);
	struct notice_draft draft;
	char seconds[24];

	notice_begin(&draft, EVENT_ENGINE_LOADED, env_wall(guard->env));
	snprintf(seconds, sizeof(seconds), "%.2f", (double)loaded->duration_us / 1e6);
	notice_number(&draft, "signatures", loaded->signatures);
	notice_text(&draft, "version", loaded->version.engine);
	notice_text(&draft, "seconds", seconds);
	notice_text(&draft, "source", guard->signatures);
	send_event(guard, &draft);
}

static void event_failed(struct guard *guard)
{
	bool self_test = scanner_loaded(guard->scanner)->failure == SCAN_SELF_TEST_FAILED;
	struct notice_draft draft;

	notice_begin(&draft, self_test ? EVENT_ENGINE_SELF_TEST_FAILED : EVENT_ENGINE_NOT_LOADED, env_wall(guard->env));
	notice_text(&draft, "cause", scanner_failure(guard->scanner));
	send_event(guard, &draft);
}

void guard_link_scanner_changed(void *context)
{
	struct guard *guard = context;
	enum scanner_state state = scanner_state(guard->scanner);

	if (state == guard->scanner_told)
		return;
	guard->scanner_told = state;
	if (state == SCANNER_READY)
		event_loaded(guard);
	if (state == SCANNER_FAILED)
		event_failed(guard);
	tell_scan(guard);
}

/* ---- from link ---- */

void guard_link_answer(struct guard *guard, uint32_t request, int code, const struct err *err)
{
	struct message_answer message = { .code = code };
	struct buf out;

	if (code != 0)
		message.text = bytes_of(err->text);
	buf_init(&out, CHANNEL_PAYLOAD_MAX_BYTES);
	message_pack_answer(&out, &message);
	(void)send_packed(guard, MESSAGE_ANSWER, request, &out, -1, SEND_WAIT_MS);
	buf_done(&out);
}

static void recovered(void *context, const struct vault_item *item)
{
	struct guard *guard = context;

	if (item->item.state == ITEM_HELD)
		jobs_announce_item(guard->jobs, item);
	else
		guard_items_ended(guard, item);
}

int guard_link_recover(struct guard *guard, struct err *err)
{
	return vault_recover(guard->vault, recovered, guard, err);
}

static int target_of(const struct channel_message *message, struct message_target *target, struct err *err)
{
	int code = message_unpack_target(message->payload, message->size, target);

	return code == 0 ? 0 : err_set(err, code, "a request that does not decode");
}

/* agent.ini's [local] never_delete: what stands there is not replaced, what was taken from there not deleted. */
static int check_never_delete(struct guard *guard, struct message_target *target, bool restore, struct err *err)
{
	struct vault_item item;
	uint8_t key[VAULT_KEY_BYTES];
	int fd = -1;

	if (vault_open_item(guard->vault, &target->id, &fd, &item, key, NULL) != 0)
		return 0; /* what is asked for says why */
	close(fd);
	OPENSSL_cleanse(key, sizeof(key));
	if (!exclusions_match(guard->never_delete, item.path))
		return 0;
	if (!restore)
		return err_set(err, ERR_DENIED,
			       "%.300s is in never_delete of this computer's agent.ini: its file stays in quarantine",
			       item.path);
	if (target->overwrite && access(item.path, F_OK) == 0)
		return err_set(err, ERR_DENIED,
			       "%.300s is in never_delete of this computer's agent.ini: what stands there is not "
			       "replaced",
			       item.path);
	target->overwrite = false;
	return 0;
}

/* Answered when it is done. */
static int item_end(struct guard *guard, const struct channel_message *message, struct err *err)
{
	struct message_target target;
	int code = target_of(message, &target, err);

	if (code == 0)
		code = check_never_delete(guard, &target, message->type == MESSAGE_ITEM_RESTORE, err);
	return code == 0 ? guard_items_end(guard, message, &target, err) : code;
}

static int item_put(struct guard *guard, const struct channel_message *message, struct err *err)
{
	struct message_put put;
	int code = message_unpack_put(message->payload, message->size, &put);

	code = code == 0 ? guard_items_put(guard, message, &put, err)
			 : err_set(err, code, "a request that does not decode");
	OPENSSL_cleanse(put.key, sizeof(put.key));
	return code;
}

static int job_start(struct guard *guard, const struct channel_message *message, struct err *err)
{
	struct message_job_start start;
	int code = message_unpack_job_start(message->payload, message->size, &start);

	if (code == 0)
		code = path_list_excludes_none_of(&start.excludes, guard->never_exclude, err);
	if (code == ERR_DENIED)
		return code;
	return jobs_start(guard->jobs, message->payload, message->size, err);
}

static int job_pause(struct guard *guard, const struct channel_message *message, struct err *err)
{
	struct message_target target;
	int code = target_of(message, &target, err);

	return code == 0 ? jobs_pause(guard->jobs, &target.id, message->type == MESSAGE_JOB_PAUSE, err) : code;
}

static int job_cancel(struct guard *guard, const struct channel_message *message, struct err *err)
{
	struct message_target target;
	int code = target_of(message, &target, err);

	return code == 0 ? jobs_cancel(guard->jobs, &target.id, err) : code;
}

struct listing {
	struct guard *guard;
	uint32_t request;
};

static int list_item(void *context, const struct vault_item *item)
{
	struct listing *listing = context;
	struct buf out;
	int code;

	buf_init(&out, CHANNEL_PAYLOAD_MAX_BYTES);
	message_pack_item(&out, &item->item);
	code = send_packed(listing->guard, MESSAGE_ITEM, listing->request, &out, -1, SEND_WAIT_MS);
	buf_done(&out);
	return code;
}

static int item_list(struct guard *guard, const struct channel_message *message, struct err *err)
{
	struct listing listing = { .guard = guard, .request = message->request };
	size_t unreadable = 0;
	int code = vault_list(guard->vault, list_item, &listing, &unreadable, err);

	if (code != 0)
		return err_set(err, code, "the list could not be sent: %s", err_name(code));
	if (unreadable > 0)
		LOG(LOG_WARNING, "guard.vault_items_unreadable", log_number("count", (int64_t)unreadable));
	return 0;
}

/* Answers itself: with a file. */
static int item_open(struct guard *guard, const struct channel_message *message, struct err *err)
{
	struct message_answer reply = { .has_item = true };
	struct message_target target;
	struct vault_item item;
	struct buf out;
	int fd = -1;
	int code = target_of(message, &target, err);

	if (code == 0)
		code = vault_open_item(guard->vault, &target.id, &fd, &item, reply.key, err);
	if (code != 0)
		return code;
	reply.item = item.item;
	buf_init(&out, CHANNEL_PAYLOAD_MAX_BYTES);
	message_pack_answer(&out, &reply);
	(void)send_packed(guard, MESSAGE_ANSWER_FILE, message->request, &out, fd, SEND_WAIT_MS);
	buf_wipe(&out);
	OPENSSL_cleanse(reply.key, sizeof(reply.key));
	close(fd);
	return 0;
}

static int notice_stored(struct guard *guard, const struct channel_message *message, struct err *err)
{
	uint64_t number = 0;
	int code = message_unpack_number(message->payload, message->size, &number);

	if (code != 0 || number > guard->sent)
		return err_set(err, ERR_DENIED, "it stored what was not sent");
	if (number <= guard->stored)
		return 0;
	guard->stored = number;
	return outbox_stored(guard->outbox, number, err);
}

/* On disk before it is in force: a guard that starts again has what link believes it has. */
static int settings(struct guard *guard, const struct channel_message *message, struct err *err)
{
	struct message_settings given;
	int code = message_unpack_settings(message->payload, message->size, &given);

	if (code != 0)
		return err_set(err, code, "settings that do not decode");
	code = path_list_excludes_none_of(&given.excludes, guard->never_exclude, err);
	if (code == 0 && !jobs_configured(guard->jobs, message->payload, message->size))
		code = guard_settings_save(guard->guard, message->payload, message->size, err);
	return code == 0 ? jobs_configure(guard->jobs, &given, err) : code;
}

static int nothing(struct guard *guard, const struct channel_message *message, struct err *err)
{
	(void)guard;
	(void)message;
	(void)err;
	return 0;
}

static int starts_anew(struct guard *guard, const struct channel_message *message, struct err *err)
{
	(void)message;
	(void)err;
	guard->link_starts_anew = true;
	return 0;
}

static const struct {
	enum message_type type;
	int (*handle)(struct guard *guard, const struct channel_message *message, struct err *err);
	enum { ANSWER_ALWAYS, ANSWER_ERRORS, ANSWER_NEVER } answer;
} requests[] = {
	{ MESSAGE_JOB_START, job_start, ANSWER_ALWAYS },    { MESSAGE_JOB_PAUSE, job_pause, ANSWER_ALWAYS },
	{ MESSAGE_JOB_RESUME, job_pause, ANSWER_ALWAYS },   { MESSAGE_JOB_CANCEL, job_cancel, ANSWER_ALWAYS },
	{ MESSAGE_ITEM_RESTORE, item_end, ANSWER_ERRORS },  { MESSAGE_ITEM_DELETE, item_end, ANSWER_ERRORS },
	{ MESSAGE_ITEM_LIST, item_list, ANSWER_ALWAYS },    { MESSAGE_ITEM_OPEN, item_open, ANSWER_ERRORS },
	{ MESSAGE_ITEM_PUT, item_put, ANSWER_ERRORS },      { MESSAGE_NOTICE_STORED, notice_stored, ANSWER_NEVER },
	{ MESSAGE_SETTINGS, settings, ANSWER_ALWAYS },      { MESSAGE_STOP, nothing, ANSWER_ALWAYS },
	{ MESSAGE_STARTS_ANEW, starts_anew, ANSWER_NEVER },
};

static int handle(struct guard *guard, const struct channel_message *message)
{
	struct err err = { 0 };
	int code = 0;

	for (size_t i = 0; i < COUNT_OF(requests); i++) {
		if (requests[i].type != message->type)
			continue;
		code = requests[i].handle(guard, message, &err);
		if (requests[i].answer == ANSWER_ALWAYS || (requests[i].answer == ANSWER_ERRORS && code != 0))
			guard_link_answer(guard, message->request, code, &err);
		else if (code == ERR_DENIED)
			return code;
	}
	return message->type == MESSAGE_STOP ? ERR_WRONG_STATE : 0;
}

int guard_link_serve(struct guard *guard)
{
	struct err err = { 0 };

	for (;;) {
		struct channel_message message;
		int code = channel_receive(&guard->link, &message, &err);

		if (code == ERR_BUSY)
			return 0;
		if (code == 0) {
			code = handle(guard, &message);
			if (message.fd >= 0)
				close(message.fd);
		}
		if (code == ERR_WRONG_STATE)
			return code;
		if (code != 0) {
			if (code != ERR_CLOSED)
				LOG(LOG_ERROR, "guard.link_broke_the_rules", log_err(&err));
			(void)starter_kill(guard->starter, STARTER_LINK, NULL);
			channel_done(&guard->link);
			return code;
		}
	}
}
