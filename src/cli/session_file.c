/* The file holds a token: nobody else may read it, and no link is followed. */
#include "cli/session_file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/units.h"
#include "os/files.h"

#define FILE_BYTES_MAX (64 * 1024)
#define FILE_NAME      "session.json"
#define CA_NAME        "ca.pem"

static const struct {
	const char *name;
	size_t offset;
} members[] = {
	{ "server", offsetof(struct session_file, server) },
	{ "ca", offsetof(struct session_file, ca) },
	{ "token", offsetof(struct session_file, token) },
	{ "user", offsetof(struct session_file, user) },
};

void session_file_wipe(struct session_file *session)
{
	explicit_bzero(session, sizeof(*session));
}

/* $XDG_CONFIG_HOME/muster or ~/.config/muster; with `make` its directories are made. */
static int open_directory(bool make, int *ret_fd, char *path, size_t size, struct err *err)
{
	const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	int length;

	if (base != NULL && base[0] == '/')
		length = snprintf(path, size, "%s", base);
	else if (home != NULL && home[0] == '/')
		length = snprintf(path, size, "%s/.config", home);
	else
		return err_set(err, ERR_NOT_FOUND, "neither HOME nor XDG_CONFIG_HOME is set");
	if (length < 0 || (size_t)length + 8 >= size)
		return err_set(err, ERR_LIMIT, "the path of the home directory is too long");
	if (make && mkdir(path, 0700) != 0 && errno != EEXIST)
		return err_errno(err, errno, "%s", path);
	memcpy(path + length, "/muster", 8);
	if (make && mkdir(path, 0700) != 0 && errno != EEXIST)
		return err_errno(err, errno, "%s", path);
	*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return *ret_fd >= 0 ? 0 : err_errno(err, errno, "%s", path);
}

/* A file that others can write could send the token to their server. */
static int check_mode(int directory, const char *path, struct err *err)
{
	struct stat st;

	if (fstatat(directory, FILE_NAME, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return err_errno(err, errno, "%s/" FILE_NAME, path);
	if (!S_ISREG(st.st_mode) || (st.st_mode & 077) != 0 || st.st_uid != geteuid())
		return err_set(err, ERR_DENIED,
			       "%s/" FILE_NAME " must be a file of yours that nobody else can read; "
			       "remove it and sign in again",
			       path);
	return 0;
}

static int decode(const struct buf *text, struct session_file *session, struct err *err)
{
	json_t *json = json_loadb(buf_text(text), text->size, 0, NULL);

	memset(session, 0, sizeof(*session));
	for (size_t i = 0; i < COUNT_OF(members); i++) {
		const char *value = json_string_value(json_object_get(json, members[i].name));

		if (value == NULL || strlen(value) >= SESSION_TEXT_BYTES) {
			json_decref(json);
			return err_set(err, ERR_FORMAT,
				       "the session file is damaged at \"%s\"; run `muster logout`, then sign in again",
				       members[i].name);
		}
		memcpy((char *)session + members[i].offset, value, strlen(value) + 1);
	}
	json_decref(json);
	return 0;
}

int session_file_read(struct session_file *ret_session, struct err *err)
{
	char path[SESSION_TEXT_BYTES];
	struct buf text;
	int directory = -1, rc = open_directory(false, &directory, path, sizeof(path), err);

	if (rc != 0)
		return rc;
	buf_init(&text, FILE_BYTES_MAX);
	rc = check_mode(directory, path, err);
	if (rc == 0)
		rc = files_read(directory, FILE_NAME, FILE_BYTES_MAX, &text, err);
	close(directory);
	if (rc == 0)
		rc = decode(&text, ret_session, err);
	buf_wipe(&text);
	return rc;
}

int session_file_write(const struct session_file *session, struct err *err)
{
	char path[SESSION_TEXT_BYTES], *text;
	json_t *json = json_object();
	int directory = -1, rc = open_directory(true, &directory, path, sizeof(path), err);

	for (size_t i = 0; i < COUNT_OF(members); i++)
		json_object_set_new(json, members[i].name, json_string((const char *)session + members[i].offset));
	text = json_dumps(json, JSON_INDENT(2));
	json_decref(json);
	if (rc == 0 && text == NULL)
		rc = err_set(err, ERR_FORMAT, "the session cannot be written: a name is not valid UTF-8");
	if (rc == 0) {
		rc = files_write(directory, FILE_NAME, text, strlen(text), 0600, err);
		close(directory);
	}
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	free(text);
	return rc;
}

int session_file_write_ca(const void *pem, size_t pem_size, char *ret_path, size_t size, struct err *err)
{
	char path[SESSION_TEXT_BYTES];
	int directory = -1, rc = open_directory(true, &directory, path, sizeof(path), err);

	if (rc != 0)
		return rc;
	rc = files_write(directory, CA_NAME, pem, pem_size, 0600, err);
	close(directory);
	if (rc == 0 && (size_t)snprintf(ret_path, size, "%s/" CA_NAME, path) >= size)
		rc = err_set(err, ERR_LIMIT, "the path of the home directory is too long");
	return rc;
}

int session_file_remove(struct err *err)
{
	char path[SESSION_TEXT_BYTES];
	int directory = -1, rc = open_directory(false, &directory, path, sizeof(path), err);

	if (rc != 0)
		return rc == ERR_NOT_FOUND ? 0 : rc;
	rc = files_remove(directory, FILE_NAME, err);
	close(directory);
	return rc;
}
