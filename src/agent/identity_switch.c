/* The exchange of identities (agent/identity_switch.h). Files are the agent's own, yet every piece is checked. */
#include "agent/identity_switch.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/prepared_file.h"
#include "os/files.h"

#define ORDER_FILE      "order.json"
#define ORDER_MAX_BYTES ((size_t)4 * 1024)
#define STORE           "link"
#define CANDIDATE_PATH  STORE "/" IDENTITY_CANDIDATE
#define FORMER_PATH     STORE "/" IDENTITY_FORMER

static int open_directory(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* --- what stands beside a candidate, and goes with it: that agent.ini has to follow --- */

static int store_order(int directory, uint16_t listen_port, const char *manager, struct err *err)
{
	json_t *root = json_pack("{s:i,s:s}", "listen_port", (int)listen_port, "manager", manager);
	char *text = root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;
	int rc = text != NULL ? files_write(directory, ORDER_FILE, text, strlen(text), 0600, err)
			      : err_set(err, ERR_MEMORY, "out of memory");

	free(text);
	json_decref(root);
	return rc;
}

/* False: none is there. A damaged one says nothing about agent.ini. */
static bool read_order(int directory, struct identity_switched *switched)
{
	struct buf text;
	json_t *root;
	const char *manager;
	int rc;

	buf_init(&text, ORDER_MAX_BYTES);
	rc = files_read(directory, ORDER_FILE, ORDER_MAX_BYTES, &text, NULL);
	root = rc == 0 ? json_loadb(buf_text(&text), text.size, 0, NULL) : NULL;
	buf_done(&text);
	manager = json_string_value(json_object_get(root, "manager"));
	if (manager != NULL && strlen(manager) < sizeof(switched->manager)) {
		json_int_t port = json_integer_value(json_object_get(root, "listen_port"));

		memcpy(switched->manager, manager, strlen(manager) + 1);
		switched->listen_port = port > 0 && port <= UINT16_MAX ? (uint16_t)port : 0;
	}
	json_decref(root);
	return rc == 0;
}

int identity_switch_decide(int directory, const struct agent_identity *identity, struct err *err)
{
	int rc = store_order(directory, identity->listen_port, identity->manager, err);

	return rc == 0 ? identity_files_store(directory, identity, geteuid(), getegid(), err) : rc;
}

int identity_switch_drop(int store, const char *name, struct err *err)
{
	int directory = open_directory(store, name), rc;

	if (directory < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "link/%s", name);
	rc = identity_files_remove(directory, err);
	if (rc == 0)
		rc = files_remove(directory, ORDER_FILE, err);
	close(directory);
	if (rc == 0 && unlinkat(store, name, AT_REMOVEDIR) != 0)
		rc = err_errno(err, errno, "link/%s", name);
	return rc;
}

/* --- at a start --- */

/* One that is under way stays for its retry; one that is decided and not whole cannot be used, and is dropped. */
static int check_candidate(int data, bool *ret_whole, struct err *err)
{
	struct agent_identity identity;
	int directory = open_directory(data, CANDIDATE_PATH), store, rc;

	*ret_whole = false;
	if (directory < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, CANDIDATE_PATH);
	agent_identity_init(&identity);
	rc = identity_files_load(directory, &identity, err);
	close(directory);
	*ret_whole = rc == 0;
	if (rc == 0)
		agent_identity_done(&identity);
	if (rc != ERR_UNTRUSTED && rc != ERR_FORMAT) /* whole, under way, or not to be read now */
		return 0;
	store = open_directory(data, STORE);
	if (store < 0)
		return err_errno(err, errno, STORE);
	rc = identity_switch_drop(store, IDENTITY_CANDIDATE, err);
	close(store);
	return rc;
}

static int exchange(int data, struct err *err)
{
	if (renameat2(data, "identity", data, CANDIDATE_PATH, RENAME_EXCHANGE) != 0)
		return err_errno(err, errno, "the new identity cannot take its place");
	return files_sync_directory(data, err);
}

/* identity/ is the new one: what was exchanged for it becomes the former one. */
static int finish(int data, int identity, struct err *err)
{
	int store = open_directory(data, STORE), rc;

	if (store < 0)
		return err_errno(err, errno, STORE);
	rc = identity_switch_drop(store, IDENTITY_FORMER, err);
	if (rc == 0 && renameat(data, CANDIDATE_PATH, data, FORMER_PATH) != 0 && errno != ENOENT)
		rc = err_errno(err, errno, CANDIDATE_PATH);
	if (rc == 0)
		rc = files_sync_directory(store, err);
	close(store);
	return rc == 0 ? files_remove(identity, ORDER_FILE, err) : rc;
}

int identity_switch_recover(int data, struct identity_switched *ret_switched,
			    int (*finished)(void *argument, const struct identity_switched *switched, struct err *err),
			    void *argument, struct err *err)
{
	struct identity_switched switched = { .done = false };
	int identity = open_directory(data, "identity"), rc = 0;
	bool whole = false;

	/* The order goes where the candidate goes: while it is in identity/, the exchange was made and not ended. */
	switched.done = identity >= 0 && read_order(identity, &switched);
	if (!switched.done)
		rc = check_candidate(data, &whole, err);
	if (rc == 0 && whole) {
		if (identity >= 0)
			close(identity);
		rc = exchange(data, err);
		identity = rc == 0 ? open_directory(data, "identity") : -1;
		switched.done = identity >= 0 && read_order(identity, &switched);
	}
	switched.first = switched.done && faccessat(data, CANDIDATE_PATH "/" PREPARED_FILE, F_OK, 0) == 0;
	if (rc == 0 && switched.done)
		rc = finished(argument, &switched, err);
	if (rc == 0 && switched.done)
		rc = finish(data, identity, err);
	if (identity >= 0)
		close(identity);
	if (rc == 0)
		*ret_switched = switched;
	return rc;
}
