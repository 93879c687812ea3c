/* Commands as orders. */
#include "manager/front/order.h"

#include <jansson.h>
#include <stdlib.h>

#include "manager/front/records_json.h"
#include "manager/keys/order_check.h"
#include "wire/exchange.h"

/* Where clocks differ by less, agents obey: as far as ENVELOPE_EARLY_TOLERANCE_US goes the other way. Time-outs are
 * kept by clocks that nobody sets. */
#define EXPIRY_MARGIN_US DAY_US

time_us order_expires(time_us issued, span_us timeout)
{
	span_us life = timeout > 0 ? timeout + EXPIRY_MARGIN_US : ORDER_VALID_MAX_US;

	return issued + (life < ORDER_VALID_MAX_US ? life : ORDER_VALID_MAX_US);
}

static ProtobufCBinaryData *byte_fields(const struct bytes *items, size_t count)
{
	ProtobufCBinaryData *fields = calloc(count > 0 ? count : 1, sizeof(*fields));

	if (fields == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++)
		fields[i] = exchange_bytes(items[i].data, items[i].size);
	return fields;
}

static int encode(const struct order *order, Muster__Wire__Command *command, struct buf *out, struct err *err)
{
	Muster__Wire__Signed content = MUSTER__WIRE__SIGNED__INIT;

	command->id = exchange_bytes(order->id.bytes, UUID_BYTES);
	command->timeout_us = order->timeout;
	content.version = WIRE_ENVELOPE_VERSION;
	content.computer = exchange_bytes(order->computer.bytes, UUID_BYTES);
	content.session = order->session;
	content.serial = order->serial;
	content.issued_us = order->issued;
	content.expires_us = order_expires(order->issued, order->timeout);
	content.content_case = MUSTER__WIRE__SIGNED__CONTENT_COMMAND;
	content.command = command;
	return exchange_signed_encode(&content, out, err);
}

static int pack_scan(const struct order *order, Muster__Wire__Command *command, struct buf *out, struct err *err)
{
	const struct front_command *arguments = order->arguments;
	Muster__Wire__Scan scan = MUSTER__WIRE__SCAN__INIT;
	int rc = ERR_MEMORY;

	scan.n_paths = arguments->path_count;
	scan.paths = byte_fields(arguments->paths, arguments->path_count);
	scan.n_exclude = arguments->exclude_count;
	scan.exclude = byte_fields(arguments->exclude, arguments->exclude_count);
	command->kind_case = MUSTER__WIRE__COMMAND__KIND_SCAN;
	command->scan = &scan;
	if (scan.paths != NULL && scan.exclude != NULL)
		rc = encode(order, command, out, err);
	else
		err_set(err, rc, "no memory for the scan's paths");
	command->scan = NULL; /* it ends here */
	free(scan.paths);
	free(scan.exclude);
	return rc;
}

int order_pack(const struct order *order, struct buf *out, struct err *err)
{
	Muster__Wire__Command command = MUSTER__WIRE__COMMAND__INIT;
	Muster__Wire__Target target = MUSTER__WIRE__TARGET__INIT;
	Muster__Wire__Restore restore = MUSTER__WIRE__RESTORE__INIT;
	Muster__Wire__Nothing nothing = MUSTER__WIRE__NOTHING__INIT;
	Muster__Wire__Move move = MUSTER__WIRE__MOVE__INIT;

	target.id = exchange_bytes(order->target.bytes, UUID_BYTES);
	command.kind_case = (Muster__Wire__Command__KindCase)order->kind;
	switch (order->kind) {
	case COMMAND_SCAN:
		return pack_scan(order, &command, out, err);
	case COMMAND_PAUSE:
	case COMMAND_RESUME:
	case COMMAND_CANCEL:
	case COMMAND_DELETE_ITEM:
		command.pause = &target; /* one union: the case tells which */
		break;
	case COMMAND_HEARTBEAT:
		command.heartbeat = &nothing;
		break;
	case COMMAND_RESTORE:
		restore.item = target.id;
		restore.overwrite = order->arguments->overwrite;
		command.restore = &restore;
		break;
	case COMMAND_MOVE:
		move.manager = (char *)(uintptr_t)order->arguments->manager;
		if (order->arguments->token != NULL)
			move.token = (char *)(uintptr_t)order->arguments->token;
		move.authority = exchange_bytes(order->arguments->authority, SHA256_BYTES);
		command.move = &move;
		break;
	default:
		return err_set(err, ERR_UNKNOWN, "no such kind of command");
	}
	return encode(order, &command, out, err);
}

int order_pack_again(const struct bytes *payload, uint64_t session, struct buf *out, struct err *err)
{
	Muster__Wire__Signed *content;
	struct arena *arena;
	int rc = exchange_signed_decode(payload->data, payload->size, &content, &arena, err);

	if (rc != 0)
		return rc;
	content->session = session;
	rc = exchange_signed_encode(content, out, err);
	arena_free(arena);
	return rc;
}

_Static_assert((int)COMMAND_SCAN == (int)MUSTER__WIRE__COMMAND__KIND_SCAN &&
		   (int)COMMAND_MOVE == (int)MUSTER__WIRE__COMMAND__KIND_MOVE,
	       "kinds are numbered as in the message");

static void set(json_t **object, const char *name, json_t *value)
{
	if (*object != NULL && json_object_set_new(*object, name, value) != 0) {
		json_decref(*object);
		*object = NULL;
	}
}

static json_t *paths_json(const struct bytes *paths, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; array != NULL && i < count; i++) {
		if (json_array_append_new(array, json_escaped(paths[i].data, paths[i].size)) != 0) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}

char *order_arguments_json(const struct order *order)
{
	json_t *object = json_object();
	char target[UUID_TEXT_BYTES];
	char *text = NULL;

	if (order->kind == COMMAND_SCAN) {
		set(&object, "paths", paths_json(order->arguments->paths, order->arguments->path_count));
		set(&object, "exclude", paths_json(order->arguments->exclude, order->arguments->exclude_count));
	}
	if (!uuid_is_zero(&order->target)) {
		uuid_format(&order->target, target);
		set(&object, "target", json_string(target));
	}
	if (order->kind == COMMAND_MOVE) /* its token is nobody's to read */
		set(&object, "manager", json_escaped(order->arguments->manager, strlen(order->arguments->manager)));
	if (order->kind == COMMAND_RESTORE)
		set(&object, "overwrite", json_boolean(order->arguments->overwrite));
	if (object != NULL)
		text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	return text;
}

struct uuid order_stored_target(const char *arguments_json)
{
	json_t *object = json_loads(arguments_json, 0, NULL);
	const char *text = json_string_value(json_object_get(object, "target"));
	struct uuid target = { 0 };

	if (text != NULL && uuid_parse(text, &target, NULL) != 0)
		target = (struct uuid){ 0 };
	json_decref(object);
	return target;
}
