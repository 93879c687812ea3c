/* What `muster login` remembers: ~/.config/muster/session.json, mode 0600. */
#ifndef MUSTER_CLI_SESSION_FILE_H
#define MUSTER_CLI_SESSION_FILE_H

#include <stddef.h>

#include "base/err.h"

#define SESSION_TEXT_BYTES 4096

struct session_file {
	char server[SESSION_TEXT_BYTES];
	char ca[SESSION_TEXT_BYTES]; /* "": the system's authorities */
	char token[SESSION_TEXT_BYTES];
	char user[SESSION_TEXT_BYTES];
};

/* ERR_NOT_FOUND: nobody is signed in. ERR_DENIED: others could read or write it. Blocks. */
int session_file_read(struct session_file *ret_session, struct err *err);
int session_file_write(const struct session_file *session, struct err *err);
/* Keeps the manager's authority as ca.pem beside the session; ret_path: where. Blocks. */
int session_file_write_ca(const void *pem, size_t pem_size, char *ret_path, size_t size, struct err *err);
/* No file is no error. */
int session_file_remove(struct err *err);
void session_file_wipe(struct session_file *session);

#endif
