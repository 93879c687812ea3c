/* What a computer answers while an agent is being installed on it over SSH.
 *
 * Lines come from the installation script there, from ssh, and from whatever
 * else that computer prints: untrusted. What is kept of them is escaped, whole
 * UTF-8, and believed in nothing but the table of results. Pure.
 */
#ifndef MUSTER_CLI_INSTALL_ANSWER_H
#define MUSTER_CLI_INSTALL_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/hex.h"
#include "cli/ssh.h"

#define INSTALL_ANSWER_LINE_MAX_BYTES   2048 /* what is behind that is not read */
#define INSTALL_ANSWER_SAID_BYTES       400
#define INSTALL_ANSWER_DETAIL_MAX_BYTES 1024

/* Start with install_answer_init(). */
struct install_answer {
	bool answered;            /* the script's result came; the four texts are its own */
	enum ssh_failure failure; /* the first that ssh spoke of; SSH_FAILURES: of none */
	char state[16];           /* "installed", "updated", "started", "unchanged" */
	char version[64];
	char computer[UUID_TEXT_BYTES]; /* an id, or "" */
	char name[256];
	char said[INSTALL_ANSWER_SAID_BYTES]; /* the script's last word of its own */
	char last[INSTALL_ANSWER_SAID_BYTES]; /* the last line of anybody that is not empty */
};

/* How ssh ended. */
struct install_end {
	int code; /* its exit code; negative: it could not be started */
	bool timed_out, interrupted;
};

void install_answer_init(struct install_answer *answer);
/* Takes a line without its end. When it tells of a step that begins, the answer is what that is called, a part of
 * line (to be escaped before it is shown); else NULL. */
const char *install_answer_line(struct install_answer *answer, const char *line);
/* NULL: it is installed; else why not, in a word: "unreachable", "script", … */
const char *install_answer_cause(const struct install_answer *answer, const struct install_end *end);
/* The same as a sentence with what was said last; "" when it is installed. detail has
 * INSTALL_ANSWER_DETAIL_MAX_BYTES. */
void install_answer_detail(const struct install_answer *answer, const struct install_end *end, char *detail);

#endif
