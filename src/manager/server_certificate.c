/* The listeners' certificate (manager/server_certificate.h). Files are the manager's own, settings the administrator's.
 */
#include "manager/server_certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "manager/layout.h"
#include "trust/authorities.h"
#include "trust/identity.h"
#include "trust/secret_file.h"

#define NAMES_MAX (CONF_ADDRESSES + 8)

static void add_name(const char **names, size_t *count, const char *name)
{
	for (size_t i = 0; i < *count; i++) {
		if (strcmp(names[i], name) == 0)
			return;
	}
	if (*count < NAMES_MAX)
		names[(*count)++] = name;
}

static bool is_wildcard(const char *host)
{
	return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0 || host[0] == '\0';
}

/* Every name by which somebody on this machine or outside may call the manager. */
static size_t list_names(const char *name, const char *host, const struct conf_addresses *listen, const char **names)
{
	size_t count = 0;

	add_name(names, &count, name);
	if (host[0] != '\0')
		add_name(names, &count, host);
	add_name(names, &count, "localhost");
	add_name(names, &count, "127.0.0.1");
	add_name(names, &count, "::1");
	for (size_t i = 0; i < listen->count; i++) {
		if (!is_wildcard(listen->items[i].host))
			add_name(names, &count, listen->items[i].host);
	}
	return count;
}

static int path_of(const char *directory, const char *name, char *path, struct err *err)
{
	if ((size_t)snprintf(path, LAYOUT_PATH_BYTES, "%s/%s", directory, name) >= LAYOUT_PATH_BYTES)
		return err_set(err, ERR_LIMIT, "the data directory's path is too long");
	return 0;
}

static int write_pair(const char *directory, const struct buf *key, const struct buf *certificate, struct err *err)
{
	char path[LAYOUT_PATH_BYTES];
	int rc = path_of(directory, LAYOUT_TLS_KEY, path, err);

	if (rc == 0)
		rc = secret_file_write(path, key->data, key->size, 0600, err);
	if (rc == 0)
		rc = path_of(directory, LAYOUT_TLS_CERTIFICATE, path, err);
	return rc == 0 ? secret_file_write(path, certificate->data, certificate->size, 0644, err) : rc;
}

int server_certificate_make(const char *directory, const char *name, const struct settings *settings,
			    const struct authority *authority, const struct env *env, struct err *err)
{
	const char *names[NAMES_MAX];
	char host[254] = "";
	struct buf key, request, certificate;
	int rc;

	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	buf_init(&key, SECRET_FILE_MAX_BYTES);
	buf_init(&request, SECRET_FILE_MAX_BYTES);
	buf_init(&certificate, SECRET_FILE_MAX_BYTES);
	rc = identity_make(&key, &request, err);
	if (rc == 0)
		rc = authority_certify_server(authority, request.data, request.size, names,
					      list_names(name, host, &settings->listen, names), env_wall(env),
					      &certificate, err);
	if (rc == 0)
		rc = write_pair(directory, &key, &certificate, err);
	buf_wipe(&key);
	buf_done(&key);
	buf_done(&request);
	buf_done(&certificate);
	return rc == 0 ? 0 : err_add(err, rc, "TLS certificate");
}

/* --- again --- */

static int give_to_front(const char *directory, struct err *err)
{
	static const char *const names[] = { LAYOUT_TLS_KEY, LAYOUT_TLS_CERTIFICATE };
	char path[LAYOUT_PATH_BYTES];
	struct stat facts;
	int rc = path_of(directory, LAYOUT_FRONT, path, err);

	if (rc != 0)
		return rc;
	if (stat(path, &facts) != 0)
		return err_errno(err, errno, "%s", path);
	for (size_t i = 0; rc == 0 && i < COUNT_OF(names); i++) {
		rc = path_of(directory, names[i], path, err);
		if (rc == 0 && geteuid() == 0 &&
		    fchownat(AT_FDCWD, path, facts.st_uid, facts.st_gid, AT_SYMLINK_NOFOLLOW) != 0)
			rc = err_errno(err, errno, "give %s to user %u", path, (unsigned)facts.st_uid);
	}
	return rc;
}

static int make_again(const char *directory, const struct settings *settings, const struct env *env, struct err *err)
{
	char key_path[LAYOUT_PATH_BYTES], certificate_path[LAYOUT_PATH_BYTES];
	struct authorities *authorities = NULL;
	int rc = path_of(directory, LAYOUT_KEYS_CA, key_path, err);

	if (rc == 0)
		rc = path_of(directory, LAYOUT_CA, certificate_path, err);
	if (rc == 0)
		rc = authorities_load(key_path, certificate_path, &authorities, err);
	if (rc == 0)
		rc = server_certificate_make(directory, settings->name, settings, authorities_issuing(authorities), env,
					     err);
	authorities_free(authorities);
	return rc == 0 ? give_to_front(directory, err) : rc;
}

int server_certificate_again(const char *directory, const struct env *env, struct err *err)
{
	struct settings settings;
	struct buf problems;
	int rc;

	buf_init(&problems, CONF_PROBLEMS_BYTES);
	rc = settings_load(directory, &settings, &problems, err);
	if (rc == 0) {
		rc = make_again(directory, &settings, env, err);
		conf_done(&settings_table, &settings);
	}
	if (rc != 0 && problems.size > 0)
		rc = err_set(err, rc, "%.*s", (int)strcspn(buf_text(&problems), "\n"), buf_text(&problems));
	buf_done(&problems);
	return rc;
}
