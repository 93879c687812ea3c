/* Passwords: from a file, or typed without being shown. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/cli.h"

#define SECRET_BYTES_MAX 256

/* The first line, without its end. */
static int read_line(int fd, const char *name, struct buf *out, struct err *err)
{
	for (;;) {
		char byte;
		ssize_t n = read(fd, &byte, 1);

		if (n < 0 && errno == EINTR && !cli_interrupted())
			continue;
		if (n < 0)
			return err_errno(err, errno, "%s", name);
		if (n == 0 || byte == '\n')
			break;
		if (byte != '\r' && buf_append_byte(out, (uint8_t)byte) != 0)
			return err_set(err, ERR_LIMIT, "%s: longer than %d bytes", name, SECRET_BYTES_MAX);
	}
	return out->size > 0 ? 0 : err_set(err, ERR_FORMAT, "%s: the first line is empty", name);
}

static int ask(const char *prompt, struct buf *out, struct err *err)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct termios before, silent;
	int rc;

	if (fd < 0 || tcgetattr(fd, &before) != 0) {
		if (fd >= 0)
			close(fd);
		return err_set(err, ERR_USAGE, "no terminal to ask for the %s; give it with --password-file", prompt);
	}
	silent = before;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(fd, TCSAFLUSH, &silent);
	dprintf(fd, "%s: ", prompt);
	rc = read_line(fd, prompt, out, err);
	tcsetattr(fd, TCSAFLUSH, &before);
	dprintf(fd, "\n");
	close(fd);
	return rc;
}

int secret_read(const char *file, const char *prompt, struct buf *ret_secret, struct err *err)
{
	int fd, rc;

	buf_init(ret_secret, SECRET_BYTES_MAX + 1);
	if (file == NULL)
		return ask(prompt, ret_secret, err);
	if (strcmp(file, "-") == 0)
		return read_line(STDIN_FILENO, "standard input", ret_secret, err);
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_errno(err, errno, "%s", file);
	rc = read_line(fd, file, ret_secret, err);
	close(fd);
	return rc;
}

int secret_answer(const char *file)
{
	struct buf secret;
	int rc = secret_read(file, "password", &secret, NULL);

	if (rc == 0)
		rc = cli_print(buf_text(&secret), secret.size, NULL);
	buf_wipe(&secret);
	return rc == 0 ? 0 : 1;
}

int secret_ask_new(const char *file, struct buf *ret_secret, struct err *err)
{
	struct buf again;
	int rc = secret_read(file, "new password", ret_secret, err);

	if (rc != 0 || file != NULL)
		return rc;
	rc = secret_read(NULL, "new password again", &again, err);
	if (rc == 0 && strcmp(buf_text(ret_secret), buf_text(&again)) != 0)
		rc = err_set(err, ERR_USAGE, "the two passwords differ");
	buf_wipe(&again);
	return rc;
}
