/* The system's ssh as Muster uses it: its arguments, the password's way to it,
 * and what its failures mean. Host keys are always checked; nobody is asked.
 */
#ifndef MUSTER_CLI_SSH_H
#define MUSTER_CLI_SSH_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hex.h"

#define SSH_ARGUMENTS_MAX 64
#define SSH_TEXT_BYTES    512

struct ssh_target {
	const char *host, *user; /* ssh_is_host(), ssh_is_user(); user NULL: as ssh is configured */
	const char *port;        /* digits, or NULL */
	const char *identity;    /* file of a private key, or NULL */
	const char *known_hosts; /* file that alone counts, or NULL: as ssh is configured */
	bool password;           /* sign in with a password, which ssh asks SSH_ASKPASS for */
	const char *command;     /* run there */
};

struct ssh_arguments {
	const char *words[SSH_ARGUMENTS_MAX + 1]; /* argv, ended by NULL */
	size_t count;
	char known_hosts[SSH_TEXT_BYTES + 64];
};

/* Names that are neither options of ssh nor more than a name to it. */
bool ssh_is_host(const char *text);
bool ssh_is_user(const char *text);
/* A file's name that ssh's own quoting and '%' leave alone. */
bool ssh_is_path(const char *text);
/* The texts of target must outlive the arguments. Pure. */
void ssh_arguments(const struct ssh_target *target, struct ssh_arguments *ret_arguments);

enum ssh_failure { SSH_UNREACHABLE, SSH_HOST_KEY, SSH_DENIED, SSH_BROKEN, SSH_FAILURES };
/* What ssh meant that ended with 255, by a line that it printed; SSH_FAILURES: that line says nothing. Pure. */
enum ssh_failure ssh_failure_of(const char *line);
const char *ssh_failure_name(enum ssh_failure failure);   /* "unreachable", "host_key", "denied", "broken" */
const char *ssh_failure_advice(enum ssh_failure failure); /* a sentence: what to do */

/* "SHA256:" and 43 characters, as ssh-keygen -l prints it. ERR_FORMAT. Pure. */
int ssh_fingerprint_parse(const char *text, uint8_t fingerprint[SHA256_BYTES], struct err *err);
/* Of what ssh-keyscan printed, the lines of keys with this fingerprint, as known_hosts takes them: three words each,
 * and nothing that ssh could read as another key. ERR_UNTRUSTED when there is none; the error names those that were
 * offered. Pure. */
int ssh_known_hosts(const char *scan, const uint8_t fingerprint[SHA256_BYTES], struct buf *ret_lines, struct err *err);

#endif
