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
#include "endpoint/move.h"
#include "os/files.h"

#define ORDER_FILE      "order.json"
#define ORDER_MAX_BYTES ((size_t)4 * 1024)
#define STORE           "link"
#define CANDIDATE_PATH  STORE "/" IDENTITY_CANDIDATE

static int open_directory(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* --- what stands beside a candidate, and goes with it: that agent.ini has to follow --- */

static int store_order(int directory, const struct agent_identity *identity, bool leaves, struct err *err)
{
	json_t *root = json_pack("{s:i,s:s,s:b}", "listen_port", (int)identity->listen_port, "manager",
				 identity->manager, "leaves", leaves);
	char *text = root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;
	int rc = text != NULL ? files_write(directory, ORDER_FILE, text, strlen(text), 0600, err)
			      : err_set(err, ERR_MEMORY, "out of memory");

	free(text);
	json_decref(root);
	return rc;
}

/* False: none is there. A damaged one says nothing about agent.ini. */
static bool read_order(int directory, struct identity_switched *switched, bool *ret_leaves)
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
	*ret_leaves = json_is_true(json_object_get(root, "leaves"));
	json_decref(root);
	return rc == 0;
}

int identity_switch_decide(int directory, const struct agent_identity *identity, bool leaves, struct err *err)
{
	int rc = store_order(directory, identity, leaves, err);

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

/* --- identities that their managers are to be told of --- */

static bool has(int store, const char *name)
{
	return faccessat(store, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void identity_switch_former(unsigned place, char name[IDENTITY_FORMER_BYTES])
{
	snprintf(name, IDENTITY_FORMER_BYTES, place == 0 ? IDENTITY_FORMER : IDENTITY_FORMER ".%u", place);
}

bool identity_switch_find_former(int store, unsigned from, unsigned *ret_place, char name[IDENTITY_FORMER_BYTES])
{
	for (unsigned i = 0; i < IDENTITY_FORMERS_MAX; i++) {
		unsigned place = (from + i) % IDENTITY_FORMERS_MAX;

		identity_switch_former(place, name);
		if (has(store, name)) {
			*ret_place = place;
			return true;
		}
	}
	return false;
}

/* A place for one more. When all are taken the first one's manager is given up. */
static int free_former(int store, char name[IDENTITY_FORMER_BYTES], struct err *err)
{
	for (unsigned place = 0; place < IDENTITY_FORMERS_MAX; place++) {
		identity_switch_former(place, name);
		if (!has(store, name))
			return 0;
	}
	identity_switch_former(0, name);
	return identity_switch_drop(store, name, err);
}

/* --- at a start --- */

/* What is done at this start, step after step (endpoint/move.h). */
struct recovery {
	int data, store;
	bool leaves; /* the manager of the identity before is to be told */
	struct identity_switched switched;
	struct move_places places;
	int (*finished)(void *argument, const struct identity_switched *switched, struct err *err);
	void *argument;
};

static enum move_candidate look_at_candidate(const struct recovery *recovery)
{
	struct agent_identity identity;
	int directory = open_directory(recovery->store, IDENTITY_CANDIDATE), rc;

	if (directory < 0)
		return errno == ENOENT ? MOVE_CANDIDATE_NONE : MOVE_CANDIDATE_UNDER_WAY;
	agent_identity_init(&identity);
	rc = identity_files_load(directory, &identity, NULL);
	close(directory);
	if (rc == 0)
		agent_identity_done(&identity);
	if (rc == ERR_UNTRUSTED || rc == ERR_FORMAT)
		return MOVE_CANDIDATE_BROKEN;
	return rc == 0 ? MOVE_CANDIDATE_WHOLE : MOVE_CANDIDATE_UNDER_WAY;
}

static void look(struct recovery *recovery)
{
	int identity = open_directory(recovery->data, "identity");

	recovery->places.ordered = identity >= 0 && read_order(identity, &recovery->switched, &recovery->leaves);
	recovery->places.candidate = look_at_candidate(recovery);
	if (identity >= 0)
		close(identity);
}

static int exchange(const struct recovery *recovery, struct err *err)
{
	if (renameat2(recovery->data, "identity", recovery->data, CANDIDATE_PATH, RENAME_EXCHANGE) != 0)
		return err_errno(err, errno, "the new identity cannot take its place");
	return files_sync_directory(recovery->data, err);
}

static int follow(struct recovery *recovery, struct err *err)
{
	recovery->switched.done = true;
	recovery->switched.first = has(recovery->store, IDENTITY_CANDIDATE "/" PREPARED_FILE);
	recovery->places.followed = true;
	return recovery->finished(recovery->argument, &recovery->switched, err);
}

/* identity/ is the new one: what was exchanged for it is the former one. */
static int keep_former(const struct recovery *recovery, struct err *err)
{
	char name[IDENTITY_FORMER_BYTES];
	int rc;

	if (!recovery->leaves)
		return identity_switch_drop(recovery->store, IDENTITY_CANDIDATE, err);
	rc = free_former(recovery->store, name, err);
	if (rc == 0 && renameat(recovery->store, IDENTITY_CANDIDATE, recovery->store, name) != 0)
		rc = err_errno(err, errno, CANDIDATE_PATH);
	return rc == 0 ? files_sync_directory(recovery->store, err) : rc;
}

static int take_step(struct recovery *recovery, enum move_step step, struct err *err)
{
	switch (step) {
	case MOVE_DROP_CANDIDATE:
		return identity_switch_drop(recovery->store, IDENTITY_CANDIDATE, err);
	case MOVE_EXCHANGE:
		return exchange(recovery, err);
	case MOVE_FOLLOW:
		return follow(recovery, err);
	case MOVE_KEEP_FORMER:
		return keep_former(recovery, err);
	case MOVE_FORGET_ORDER: /* identity_switch_told() */
	case MOVE_DONE:
		break;
	}
	return 0;
}

int identity_switch_recover(int data, struct identity_switched *ret_switched,
			    int (*finished)(void *argument, const struct identity_switched *switched, struct err *err),
			    void *argument, struct err *err)
{
	struct recovery recovery = { .data = data, .finished = finished, .argument = argument };
	enum move_step step = MOVE_DONE;
	int rc = 0;

	recovery.store = open_directory(data, STORE);
	if (recovery.store < 0)
		return err_errno(err, errno, STORE);
	do {
		look(&recovery);
		step = move_next(&recovery.places);
		rc = take_step(&recovery, step, err);
	} while (rc == 0 && step != MOVE_DONE && step != MOVE_FORGET_ORDER);
	close(recovery.store);
	if (rc == 0)
		*ret_switched = recovery.switched;
	return rc;
}

int identity_switch_told(int identity, struct err *err)
{
	return files_remove(identity, ORDER_FILE, err);
}
