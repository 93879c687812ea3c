/* The line that installs an agent, as text to be pasted or stored. Pure.
 *
 * What it does on the new computer: fetches the manager's CA certificate from
 * somebody who says to be the manager, compares the SHA-256 of its DER with the
 * one in the line, and writes it out anew from the very bytes that were compared;
 * only with that CA it fetches install.sh and runs it. Nothing that came from
 * the network is executed or believed before.
 */
#ifndef MUSTER_MANAGER_API_DEPLOYMENT_LINE_H
#define MUSTER_MANAGER_API_DEPLOYMENT_LINE_H

#include <stdbool.h>

#include "base/buf.h"

enum deployment_form { DEPLOYMENT_ONCE, DEPLOYMENT_LOGIN, DEPLOYMENT_CRON };

/* cron(8) cuts longer ones. */
#define DEPLOYMENT_LINE_MAX_BYTES 998
#define DEPLOYMENT_URL_MAX_BYTES  200

struct deployment_line {
	const char *url;         /* deployment_is_url() */
	const char *fingerprint; /* 64 hexadecimal digits */
	const char *token;
	enum deployment_form form;
	unsigned minute, hour; /* cron: when, before chance is added */
};

/* https://HOST[:PORT] without anything that a shell or cron would take for more than text. */
bool deployment_is_url(const char *text);
void deployment_line(const struct deployment_line *line, struct buf *out);

#endif
