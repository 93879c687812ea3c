/* The keys' files, told of (manager/front/key_files.h). What keys says of them is shown, and nothing else. */
#include "manager/front/key_files.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "manager/front/front_state.h"

struct key_files {
	struct front *front;
	pthread_mutex_t turn; /* of whoever asks keys and tells */
	bool told, silent;    /* what is known was told; that keys could not be asked was logged */
	pthread_mutex_t lock; /* of what follows */
	struct message_key_files known;
};

int key_files_new(struct front *front, struct key_files **ret_files, struct err *err)
{
	struct key_files *files = calloc(1, sizeof(*files));

	if (files == NULL)
		return err_set(err, ERR_MEMORY, "key files: no memory");
	files->front = front;
	pthread_mutex_init(&files->turn, NULL);
	pthread_mutex_init(&files->lock, NULL);
	*ret_files = files;
	return 0;
}

void key_files_free(struct key_files *files)
{
	if (files == NULL)
		return;
	pthread_mutex_destroy(&files->turn);
	pthread_mutex_destroy(&files->lock);
	free(files);
}

void front_key_files(struct front *front, struct message_key_files *ret_files)
{
	pthread_mutex_lock(&front->key_files->lock);
	*ret_files = front->key_files->known;
	pthread_mutex_unlock(&front->key_files->lock);
}

bool front_key_files_in_order(struct front *front)
{
	struct message_key_files known;
	bool in_order = true;

	front_key_files(front, &known);
	for (size_t i = 0; i < KEPT_KEYS; i++)
		in_order &= known.items[i].why[0] == '\0';
	return in_order;
}

/* --- telling --- */

struct telling {
	struct front *front;
	const struct message_key_files *now;
	const struct front_actor *actor; /* who had them written anew; NULL: nobody */
};

/* The events raise and resolve the alert. A key that is not even in memory any more has alerts of its own. */
static int tell_one(const struct telling *telling, struct store_session *session, size_t number, struct err *err)
{
	const char *file = kept_key_files[number], *why = telling->now->items[number].why;
	const struct front_field fields[] = { { "file", file }, { "cause", why } };
	bool open = false;
	int rc = alerting_is_open(session, ALERT_KEY_FILE_LOST, file, &open, err);

	if (rc != 0)
		return rc;
	if (why[0] != '\0' && !open)
		return front_event(telling->front, session, EVENT_KEY_FILE_LOST, NULL, fields, COUNT_OF(fields), err);
	if (why[0] != '\0')
		return alerting_tell_state(telling->front, session, ALERT_KEY_FILE_LOST, true, file, why, err);
	if (open && telling->now->items[number].held)
		return front_event(telling->front, session, EVENT_KEY_FILE_BACK, NULL, fields, 1, err);
	return open ? alerting_tell_state(telling->front, session, ALERT_KEY_FILE_LOST, false, file, "", err) : 0;
}

static int write_told(struct store_session *session, void *argument, struct err *err)
{
	const struct telling *telling = argument;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < KEPT_KEYS; i++)
		rc = tell_one(telling, session, i, err);
	if (rc == 0 && telling->actor != NULL)
		rc = front_audit(telling->front, session, telling->actor, "key_files.write", "", "", "done", err);
	return rc;
}

static bool same(const struct message_key_files *a, const struct message_key_files *b)
{
	bool equal = true;

	for (size_t i = 0; i < KEPT_KEYS; i++)
		equal &= a->items[i].held == b->items[i].held && strcmp(a->items[i].why, b->items[i].why) == 0;
	return equal;
}

/* Under the turn. */
static int take(struct key_files *files, const struct message_key_files *now, const struct front_actor *actor,
		struct err *err)
{
	struct telling telling = { files->front, now, actor };
	bool changed = !same(&files->known, now);
	int rc;

	pthread_mutex_lock(&files->lock);
	files->known = *now;
	pthread_mutex_unlock(&files->lock);
	if (files->told && !changed && actor == NULL)
		return 0;
	rc = store_write_wait(files->front->store, write_told, &telling, err);
	files->told = rc == 0;
	return rc;
}

void key_files_review(void *argument)
{
	struct front *front = argument;
	struct key_files *files = front->key_files;
	struct message_key_files now;
	struct err err = { 0 };
	int rc;

	pthread_mutex_lock(&files->turn);
	rc = signer_key_files(front->signer, &now, &err);
	if (rc == 0)
		rc = take(files, &now, NULL, &err);
	if (rc != 0 && !files->silent)
		LOG(LOG_ERROR, "key_files.not_known", log_err(&err));
	files->silent = rc != 0;
	pthread_mutex_unlock(&files->turn);
}

int front_key_files_write(struct front *front, bool force, const struct front_actor *actor, struct err *err)
{
	struct key_files *files = front->key_files;
	struct message_key_files now;
	int rc;

	pthread_mutex_lock(&files->turn);
	rc = signer_write_key_files(front->signer, force, &now, err);
	if (rc == 0)
		rc = take(files, &now, actor, err);
	pthread_mutex_unlock(&files->turn);
	return rc;
}
