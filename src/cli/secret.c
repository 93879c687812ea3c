/* Passwords: from a file, or typed without being shown. */
#include <string.h>

#include "cli/cli.h"
#include "os/secret_input.h"

int secret_read(const char *file, const char *prompt, struct buf *ret_secret, struct err *err)
{
	return secret_input(file, prompt, cli_interrupted, ret_secret, err);
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
