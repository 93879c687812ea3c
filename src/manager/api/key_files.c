/* /key-files: whether the files of the manager's keys hold what it works with. */
#include "manager/front/key_files.h"

#include <string.h>

#include "manager/api/call_state.h"
#include "manager/api/handlers.h"
#include "manager/api/rows.h"

static json_t *file_json(const char *name, bool held, const char *why)
{
	return json_pack("{ss, sb, sb, so}", "file", name, "in_memory", held, "in_order", held && why[0] == '\0',
			 "problem", why[0] != '\0' ? json_shown(why, strlen(why)) : json_null());
}

int key_file_list(struct api_call *call, struct err *err)
{
	struct message_key_files files;
	json_t *items = json_array();

	(void)err;
	front_key_files(api_call_front(call), &files);
	for (size_t i = 0; i < KEPT_KEYS; i++)
		json_array_append_new(items, file_json(kept_key_files[i], files.items[i].held, files.items[i].why));
	return api_reply_json(call, 200, json_pack("{so, sn}", "items", items, "next"));
}

int key_file_write(struct api_call *call, struct err *err)
{
	bool force = json_is_true(json_object_get(api_body(call), "force"));
	int rc = front_key_files_write(api_call_front(call), force, api_call_actor(call), err);

	return rc == 0 ? key_file_list(call, err) : rc;
}
