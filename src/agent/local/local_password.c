/* Getting the unload password (agent/local/local_password.h). Input: the command line, a file, a person. */
#include "agent/local/local_password.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/local/control_ask.h"
#include "agent/local_action.h"
#include "os/secret_input.h"

static int look(void *argument, const json_t *line)
{
	bool *asks = argument;

	*asks |= json_is_true(json_object_get(line, "unload_password"));
	return 0;
}

/* What cannot be found out is found out by the command itself. */
static bool is_asked_for(const char *data)
{
	struct control_request request = { .kind = CONTROL_STATUS };
	char hash[LOCAL_ACTION_HASH_BYTES];
	struct err err = { 0 };
	bool asks = false;
	int directory;

	if (control_ask(data, &request, look, &asks, NULL, &err) != ERR_NOT_FOUND)
		return asks;
	directory = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return false;
	asks = local_action_stored_hash(directory, hash, &err) == 0 && hash[0] != '\0';
	close(directory);
	return asks;
}

static bool is_a_terminal(void)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	bool is = fd >= 0 && isatty(fd) == 1;

	if (fd >= 0)
		close(fd);
	return is;
}

int local_password(const struct arguments *arguments, const char *data, char **ret_password, struct err *err)
{
	const char *given = arguments_value(arguments, "--password"),
		   *file = arguments_value(arguments, "--password-file");
	struct buf secret;
	char *password = NULL;
	int rc = 0;

	if (given != NULL && file != NULL)
		return err_set(err, ERR_USAGE, "--password and --password-file are two ways to give one password");
	if (given == NULL && file == NULL && (!is_asked_for(data) || !is_a_terminal())) {
		*ret_password = NULL;
		return 0;
	}
	if (given != NULL) {
		password = strdup(given);
	} else {
		rc = secret_input(file, "unload password", NULL, &secret, err);
		if (rc == 0)
			password = strdup(buf_text(&secret));
		buf_wipe(&secret);
	}
	if (rc == 0 && password == NULL)
		rc = err_set(err, ERR_MEMORY, "out of memory");
	if (rc == 0)
		*ret_password = password;
	return rc;
}

void local_password_free(char *password)
{
	if (password != NULL)
		explicit_bzero(password, strlen(password));
	free(password);
}
