/* The manager's address (agent/manager_url.h). Input: what a person typed. */
#include "agent/manager_url.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/units.h"

static bool host_characters(const char *host, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)host[i];

		if (!isalnum(c) && strchr("-._:%", c) == NULL)
			return false;
	}
	return true;
}

static int parse_port(const char *text, uint16_t *ret_port, struct err *err)
{
	uint64_t port = MANAGER_URL_DEFAULT_PORT;

	if (*text == ':' && number_parse(text + 1, 1, 65535, &port, NULL))
		return err_set(err, ERR_FORMAT, "'%.16s' is not a port between 1 and 65535", text + 1);
	if (*text != ':' && *text != '\0')
		return err_set(err, ERR_FORMAT, "'%.32s' is not understood behind the host", text);
	*ret_port = (uint16_t)port;
	return 0;
}

int manager_url_parse(const char *text, struct manager_url *ret_url, struct err *err)
{
	char rest[MANAGER_URL_HOST_BYTES + 16];
	struct manager_url url = { 0 };
	const char *host = rest, *end;
	size_t size;
	int rc;

	if (strncmp(text, "https://", 8) != 0)
		return err_set(err, ERR_FORMAT,
			       "the manager's address must begin with https://, as in "
			       "https://manager.example:4343");
	size = strcspn(text + 8, "/");
	if (size >= sizeof(rest) || (text[8 + size] == '/' && text[9 + size] != '\0'))
		return err_set(err, ERR_FORMAT, "the manager's address is https://HOST:PORT and nothing behind");
	memcpy(rest, text + 8, size);
	rest[size] = '\0';
	if (*host == '[') {
		host++;
		end = strchr(host, ']');
		rc = end ? parse_port(end + 1, &url.port, err) : err_set(err, ERR_FORMAT, "']' is missing");
	} else {
		end = host + strcspn(host, ":");
		rc = parse_port(end, &url.port, err);
	}
	if (rc)
		return rc;
	size = (size_t)(end - host);
	if (size == 0 || size >= sizeof(url.host) || !host_characters(host, size))
		return err_set(err, ERR_FORMAT, "'%.*s' is not a host name or address", (int)(size < 64 ? size : 64),
			       host);
	memcpy(url.host, host, size);
	*ret_url = url;
	return 0;
}
