/* Reading passwords (os/secret_input.h). Input: a file that the caller named, or a person. */
#include "os/secret_input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* The first line, without its end. */
static int read_line(int fd, const char *name, bool (*interrupted)(void), struct buf *out, struct err *err)
{
	for (;;) {
		char byte;
		ssize_t n = read(fd, &byte, 1);

		if (n < 0 && errno == EINTR && (interrupted == NULL || !interrupted()))
			continue;
		if (n < 0)
			return err_errno(err, errno, "%s", name);
		if (n == 0 || byte == '\n')
			break;
		if (byte != '\r' && buf_append_byte(out, (uint8_t)byte) != 0)
			return err_set(err, ERR_LIMIT, "%s: longer than %d bytes", name, SECRET_INPUT_MAX_BYTES);
	}
	return out->size > 0 ? 0 : err_set(err, ERR_FORMAT, "%s: the first line is empty", name);
}

static int ask(const char *prompt, bool (*interrupted)(void), struct buf *out, struct err *err)
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
	rc = read_line(fd, prompt, interrupted, out, err);
	tcsetattr(fd, TCSAFLUSH, &before);
	dprintf(fd, "\n");
	close(fd);
	return rc;
}

int secret_input(const char *file, const char *prompt, bool (*interrupted)(void), struct buf *ret_secret,
		 struct err *err)
{
	int fd, rc;

	buf_init(ret_secret, SECRET_INPUT_MAX_BYTES + 1);
	if (file == NULL)
		return ask(prompt, interrupted, ret_secret, err);
	if (strcmp(file, "-") == 0)
		return read_line(STDIN_FILENO, "standard input", interrupted, ret_secret, err);
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_errno(err, errno, "%s", file);
	rc = read_line(fd, file, interrupted, ret_secret, err);
	close(fd);
	return rc;
}
