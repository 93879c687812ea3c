/* libvirt URIs, taken apart and put together (hypervisor_uri.h). Untrusted. */
#include "manager/hypervisor/hypervisor_uri.h"

#include <stdbool.h>
#include <string.h>

#include "base/units.h"

enum transport { LOCAL, TLS, SSH, TRANSPORTS };

struct piece {
	const char *at;
	size_t size;
};

struct parts {
	struct piece driver;
	enum transport transport;
	struct piece user, host, port, path;
};

static const char *const drivers[] = { "qemu", "xen", "lxc", "vz", "ch", "test" };
static const struct {
	const char *name;
	enum transport transport;
} transports[] = { { "unix", LOCAL }, { "tls", TLS }, { "ssh", SSH }, { "libssh", SSH } };

static bool is(struct piece piece, const char *word)
{
	return piece.size == strlen(word) && memcmp(piece.at, word, piece.size) == 0;
}

static bool is_made_of(struct piece piece, const char *extra)
{
	for (size_t i = 0; i < piece.size; i++) {
		char c = piece.at[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!plain && (c == '\0' || strchr(extra, c) == NULL))
			return false;
	}
	return piece.size > 0;
}

/* Up to any of these letters, or to the end. */
static struct piece until(const char **at, const char *letters)
{
	struct piece piece = { *at, strcspn(*at, letters) };

	*at += piece.size;
	return piece;
}

static int take_scheme(const char **at, struct parts *parts, struct err *err)
{
	bool known = false;

	parts->driver = until(at, "+:");
	for (size_t i = 0; i < COUNT_OF(drivers); i++)
		known = known || is(parts->driver, drivers[i]);
	if (!known)
		return err_set(err, ERR_FORMAT, "begins with the kind of hypervisor: qemu, xen, lxc, vz, ch or test");
	parts->transport = TRANSPORTS;
	if (**at == '+') {
		struct piece name;

		++*at;
		name = until(at, ":");
		for (size_t i = 0; i < COUNT_OF(transports); i++) {
			if (is(name, transports[i].name))
				parts->transport = transports[i].transport;
		}
		if (parts->transport == TRANSPORTS)
			return err_set(err, ERR_FORMAT, "is reached by +tls or +ssh, or is on this computer");
	}
	if (strncmp(*at, "://", 3) != 0)
		return err_set(err, ERR_FORMAT, "needs :// behind the kind of hypervisor, as in qemu:///system");
	*at += 3;
	return 0;
}

static int take_port(struct piece port, struct err *err)
{
	char text[8] = "";
	uint64_t number;

	if (port.size < sizeof(text))
		memcpy(text, port.at, port.size);
	return number_parse(text, 1, 65535, &number, NULL) == 0 ? 0 : err_set(err, ERR_FORMAT, "has no such port");
}

/* Where a port may begin: behind the brackets of an IPv6 address. */
static const char *find_port(struct piece host)
{
	const char *from = host.at;

	if (host.size > 0 && host.at[0] == '[')
		from = memchr(host.at, ']', host.size);
	return host.size > 0 && from != NULL ? memchr(from, ':', host.size - (size_t)(from - host.at)) : NULL;
}

static bool is_host(struct piece host)
{
	if (host.at[0] != '[')
		return is_made_of(host, ".-_");
	return host.size > 2 && host.at[host.size - 1] == ']' &&
	       is_made_of((struct piece){ host.at + 1, host.size - 2 }, ":.");
}

static int take_authority(const char **at, struct parts *parts, struct err *err)
{
	struct piece whole = until(at, "/?#");
	const char *sign = whole.size > 0 ? memchr(whole.at, '@', whole.size) : NULL;
	const char *colon;

	parts->host = whole;
	if (sign != NULL) {
		parts->user = (struct piece){ whole.at, (size_t)(sign - whole.at) };
		parts->host = (struct piece){ sign + 1, whole.size - parts->user.size - 1 };
		if (!is_made_of(parts->user, "._-") || parts->user.at[0] == '-')
			return err_set(err, ERR_FORMAT, "has a user with letters that names do not have");
	}
	colon = find_port(parts->host);
	if (colon != NULL) {
		parts->port = (struct piece){ colon + 1, parts->host.size - (size_t)(colon + 1 - parts->host.at) };
		parts->host.size = (size_t)(colon - parts->host.at);
		if (take_port(parts->port, err) != 0)
			return ERR_FORMAT;
	}
	if (parts->host.size == 0)
		return whole.size == 0 ? 0 : err_set(err, ERR_FORMAT, "names no host");
	if (!is_host(parts->host))
		return err_set(err, ERR_FORMAT, "has a host with letters that names do not have");
	return 0;
}

static int check_way(struct parts *parts, struct err *err)
{
	bool far = parts->host.size > 0;

	if (parts->transport == TRANSPORTS)
		parts->transport = far ? TLS : LOCAL;
	if (is(parts->driver, "test") && (far || parts->transport != LOCAL))
		return err_set(err, ERR_FORMAT, "of the test driver names no host: test:///default");
	if (parts->transport == LOCAL && far)
		return err_set(err, ERR_FORMAT, "of this computer names no host: qemu:///system");
	if (parts->transport != LOCAL && !far)
		return err_set(err, ERR_FORMAT, "names no host: qemu+ssh://USER@HOST/system");
	if (parts->transport == SSH && parts->user.size == 0)
		return err_set(err, ERR_FORMAT, "names no user: qemu+ssh://USER@HOST/system");
	if (parts->transport != SSH && parts->user.size > 0)
		return err_set(err, ERR_FORMAT, "names a user, which only +ssh needs");
	return 0;
}

static int check_path(const struct parts *parts, struct err *err)
{
	bool test = is(parts->driver, "test");

	if (*(parts->path.at + parts->path.size) != '\0')
		return err_set(err, ERR_FORMAT,
			       "takes no options: keys and certificates lie in the manager's "
			       "directory hypervisor/");
	if (!test && !is(parts->path, "/system"))
		return err_set(err, ERR_FORMAT,
			       "ends in /system: the hypervisor that belongs to the computer, "
			       "not to a user");
	if (test && (!is_made_of(parts->path, "/._-") || parts->path.size < 2 || parts->path.at[1] == '.' ||
		     memchr(parts->path.at + 1, '/', parts->path.size - 1) != NULL))
		return err_set(err, ERR_FORMAT,
			       "of the test driver is test:///default, or test:///NAME of a file in "
			       "the manager's directory hypervisor/");
	return 0;
}

static int take_apart(const char *uri, struct parts *ret_parts, struct err *err)
{
	struct parts parts = { 0 };
	const char *at = uri;
	int rc;

	if (strlen(uri) >= HYPERVISOR_URI_BYTES)
		return err_set(err, ERR_FORMAT, "is longer than %d bytes", HYPERVISOR_URI_BYTES - 1);
	rc = take_scheme(&at, &parts, err);
	if (rc == 0)
		rc = take_authority(&at, &parts, err);
	if (rc == 0)
		rc = check_way(&parts, err);
	parts.path = until(&at, "?#");
	if (rc == 0)
		rc = check_path(&parts, err);
	if (rc == 0)
		*ret_parts = parts;
	return rc;
}

int hypervisor_uri_check(const char *uri, struct err *err)
{
	struct parts parts;

	return take_apart(uri, &parts, err);
}

/* --- for libvirt --- */

static void put(struct buf *out, const char *before, struct piece piece)
{
	if (piece.size == 0)
		return;
	buf_append_text(out, before);
	buf_append(out, piece.at, piece.size);
}

/* A path as the value of an option. */
static void put_path(struct buf *out, const char *path)
{
	for (; *path != '\0'; path++) {
		if (is_made_of((struct piece){ path, 1 }, "/._-"))
			buf_append_byte(out, (uint8_t)*path);
		else
			buf_printf(out, "%%%02X", (unsigned)(uint8_t)*path);
	}
}

void hypervisor_uri_compose(const char *uri, const char *directory, struct buf *out)
{
	static const char *const schemes[TRANSPORTS] = { "", "+tls", "+libssh" };
	struct parts parts;

	if (take_apart(uri, &parts, NULL) != 0) {
		out->status = ERR_FORMAT;
		return;
	}
	buf_append(out, parts.driver.at, parts.driver.size);
	buf_printf(out, "%s://", schemes[parts.transport]);
	put(out, "", parts.user);
	put(out, parts.user.size > 0 ? "@" : "", parts.host);
	put(out, ":", parts.port);
	if (is(parts.driver, "test") && !is(parts.path, "/default"))
		put_path(out, directory);
	put(out, "", parts.path);
	if (parts.transport == TLS) {
		buf_append_text(out, "?pkipath=");
		put_path(out, directory);
	} else if (parts.transport == SSH) {
		buf_append_text(out, "?sshauth=privkey&known_hosts_verify=normal&keyfile=");
		put_path(out, directory);
		buf_append_text(out, "/id&known_hosts=");
		put_path(out, directory);
		buf_append_text(out, "/known_hosts");
	}
}
