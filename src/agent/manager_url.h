/* The manager's address as people give it: https://HOST:PORT. Pure. */
#ifndef MUSTER_AGENT_MANAGER_URL_H
#define MUSTER_AGENT_MANAGER_URL_H

#include <stdint.h>

#include "base/err.h"

#define MANAGER_URL_HOST_BYTES   256
#define MANAGER_URL_DEFAULT_PORT 4343

struct manager_url {
	char host[MANAGER_URL_HOST_BYTES]; /* name or address, no brackets */
	uint16_t port;
};

/* "https://HOST[:PORT][/]", IPv6 in brackets. ERR_FORMAT says what is wrong. */
int manager_url_parse(const char *text, struct manager_url *ret_url, struct err *err);

#endif
