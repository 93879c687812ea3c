/* The place of a key's file (manager/keys/key_place.h). */
#include "manager/keys/key_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trust/fingerprint.h"
#include "trust/secret_file.h"

#define ASIDE_MAX 9

static void path_below(struct key_place *place, const char *data_directory)
{
	snprintf(place->path, sizeof(place->path), "%s/%s", data_directory, place->name);
}

void key_place_begin(struct key_place *place, const char *data_directory, const char *name)
{
	struct buf bytes;

	*place = (struct key_place){ .name = name };
	path_below(place, data_directory);
	buf_init(&bytes, SECRET_FILE_MAX_BYTES);
	file_mark_look(place->path, &place->judged);
	place->last = place->judged;
	if (secret_file_read(place->path, true, &bytes, NULL) == 0)
		fingerprint_of(bytes.data, bytes.size, place->right);
	memcpy(place->tried, place->right, SHA256_BYTES);
	buf_wipe(&bytes);
}

void key_place_reach(struct key_place *place, const char *data_directory)
{
	path_below(place, data_directory);
}

/* --- looking --- */

bool key_place_is_news(struct key_place *place)
{
	struct file_mark now;
	bool steady;

	file_mark_look(place->path, &now);
	steady = file_mark_is(&now, &place->last);
	if (!steady)
		place->asked = false;
	place->last = now;
	return steady && !file_mark_is(&now, &place->judged);
}

bool key_place_is_settled(const struct key_place *place)
{
	struct file_mark now;

	file_mark_look(place->path, &now);
	return file_mark_is(&now, &place->judged);
}

static bool holds(const uint8_t digest[SHA256_BYTES], const struct buf *bytes)
{
	uint8_t found[SHA256_BYTES];

	fingerprint_of(bytes->data, bytes->size, found);
	return memcmp(found, digest, SHA256_BYTES) == 0;
}

/* The path is another one here than people know. */
static void say(struct key_place *place, const char *text)
{
	size_t length = strlen(place->path);

	if (strncmp(text, place->path, length) == 0)
		snprintf(place->why, sizeof(place->why), "%s%.300s", place->name, text + length);
	else
		snprintf(place->why, sizeof(place->why), "%s: %.300s", place->name, text);
}

static void say_what_is_there(struct key_place *place, const struct buf *bytes)
{
	place->why[0] = '\0';
	if (!holds(place->right, bytes))
		say(place, "it does not hold what this manager works with; it is damaged, of another manager, or of "
			   "another day");
}

int key_place_judge(struct key_place *place, struct err *err)
{
	struct file_mark before;
	struct err why = { 0 };
	struct buf bytes;
	int rc;

	buf_init(&bytes, SECRET_FILE_MAX_BYTES);
	file_mark_look(place->path, &before);
	rc = secret_file_read(place->path, true, &bytes, &why);
	if (rc == 0)
		say_what_is_there(place, &bytes);
	else if (rc != ERR_DENIED)
		say(place, why.text);
	buf_wipe(&bytes);
	if (rc == ERR_DENIED)
		return err_set(err, rc, "%s", why.text);
	place->judged = place->last = before;
	return 0;
}

/* The very file, and all of it. */
static int read_opened(const struct key_place *place, int fd, struct buf *bytes, struct err *why)
{
	struct stat facts;
	struct file_mark mark;
	uint8_t *room;
	ssize_t size;

	if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode) || facts.st_size > SECRET_FILE_MAX_BYTES)
		return err_set(why, ERR_FORMAT, "it is not a key's file");
	mark = (struct file_mark){ facts.st_ino, facts.st_size, facts.st_ctim };
	if (!file_mark_is(&mark, &place->last)) /* the next look sees another one */
		return ERR_BUSY;
	if ((facts.st_mode & 077) != 0)
		return err_set(why, ERR_UNTRUSTED, "others may use this secret file (mode %04o); make it 0600",
			       (unsigned)(facts.st_mode & 07777));
	room = buf_room(bytes, (size_t)facts.st_size + 1);
	size = room != NULL ? pread(fd, room, (size_t)facts.st_size, 0) : -1;
	if (size != facts.st_size)
		return err_set(why, ERR_IO, "it cannot be read");
	buf_grow(bytes, (size_t)size);
	return 0;
}

void key_place_judge_opened(struct key_place *place, int fd)
{
	struct err why = { 0 };
	struct buf bytes;
	int rc;

	buf_init(&bytes, SECRET_FILE_MAX_BYTES + 1);
	rc = read_opened(place, fd, &bytes, &why);
	if (rc == 0)
		say_what_is_there(place, &bytes);
	else if (rc != ERR_BUSY)
		say(place, why.text);
	if (rc != ERR_BUSY)
		place->judged = place->last;
	buf_wipe(&bytes);
	close(fd);
}

void key_place_give_up(struct key_place *place, const char *text)
{
	say(place, text);
	place->judged = place->last;
}

/* --- writing --- */

/* Nothing is there, or what this role put there. */
static bool is_free(const struct key_place *place)
{
	struct file_mark now;
	struct buf bytes;
	int rc;

	file_mark_look(place->path, &now);
	if (file_mark_is(&now, &place->judged) && place->why[0] == '\0')
		return true;
	buf_init(&bytes, SECRET_FILE_MAX_BYTES);
	rc = secret_file_read(place->path, true, &bytes, NULL);
	if (rc == 0 && !holds(place->right, &bytes) && !holds(place->tried, &bytes))
		rc = ERR_CONFLICT;
	buf_wipe(&bytes);
	return rc == 0 || rc == ERR_NOT_FOUND;
}

/* As rename(), but EEXIST where there is something; this role alone writes here. */
static int rename_to_free(const char *path, const char *aside)
{
	if (renameat2(AT_FDCWD, path, AT_FDCWD, aside, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS) /* a file system that does not know it */
		return -1;
	if (access(aside, F_OK) != 0)
		return rename(path, aside);
	errno = EEXIST;
	return -1;
}

/* Under the first free name of NAME.replaced, NAME.replaced.2, …; nothing there is no error. ERR_LIMIT: all are taken.
 */
static int set_aside(struct key_place *place, struct err *err)
{
	for (int number = 1; number <= ASIDE_MAX; number++) {
		char aside[LAYOUT_PATH_BYTES + 32];

		if (number == 1)
			snprintf(aside, sizeof(aside), "%s.replaced", place->path);
		else
			snprintf(aside, sizeof(aside), "%s.replaced.%d", place->path, number);
		if (rename_to_free(place->path, aside) == 0 || errno == ENOENT)
			return 0;
		if (errno != EEXIST)
			return err_errno(err, errno, "%s: set aside", place->name);
	}
	return err_set(err, ERR_LIMIT, "%s.replaced and its followers, up to %d, are there already: move them away",
		       place->name, ASIDE_MAX);
}

int key_place_clear(struct key_place *place, struct err *err)
{
	if (!place->held)
		return set_aside(place, err);
	return is_free(place)
		   ? 0
		   : err_set(
			 err, ERR_CONFLICT,
			 "%s is not as this manager left it, and is not written over. `muster cert rewrite --force` "
			 "sets what is there aside and writes the file anew; then try again",
			 place->name);
}

int key_place_make_way(struct key_place *place, bool force, struct err *err)
{
	if (is_free(place))
		return 0;
	return force
		   ? set_aside(place, err)
		   : err_set(
			 err, ERR_CONFLICT,
			 "%s: there is a file that is not as this manager left it, and it was not touched. "
			 "`muster cert rewrite --force` sets it aside (%s.replaced) and writes what the manager has in "
			 "memory",
			 place->name, place->name);
}

void key_place_written(struct key_place *place, const struct buf *bytes, int rc)
{
	fingerprint_of(bytes->data, bytes->size, place->tried);
	if (rc != 0) /* the next look says what came of it */
		return;
	memcpy(place->right, place->tried, SHA256_BYTES);
	file_mark_look(place->path, &place->judged);
	place->last = place->judged;
	place->why[0] = '\0';
	place->held = true;
}
