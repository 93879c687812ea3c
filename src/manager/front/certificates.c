/* The manager's certificates, by a table of what they are for. The files are our own or an administrator's. */
#include "manager/front/certificates.h"

#include <stdio.h>
#include <string.h>

#include "manager/front/front_state.h"
#include "manager/front/tls_listeners.h"
#include "manager/layout.h"
#include "trust/identity.h"
#include "trust/secret_file.h"

static bool rsa_is_served(const struct front *front)
{
	return tls_listeners_plan(front->listeners)->rsa;
}

static const struct use {
	const char *name, *purpose, *file;
	bool (*wanted)(const struct front *front); /* NULL: always */
	bool renews;
} uses[] = {
	{ "server", "shown to agents, browsers and programs that connect", LAYOUT_TLS_CERTIFICATE, NULL, false },
	{ "server-rsa", "the same, for those that need an RSA key", LAYOUT_TLS_RSA_CERTIFICATE, rsa_is_served, true },
	{ "dialling", "shown to agents that the manager dials", LAYOUT_DIAL_CERTIFICATE, NULL, true },
};

struct telling {
	int (*each)(void *argument, const struct front_certificate *certificate);
	void *argument;
};

static int tell_root(void *argument, const struct certificate_about *about)
{
	const struct telling *telling = argument;
	const struct front_certificate certificate = { .name = "authority",
						       .purpose = "signs all others and those of agents",
						       .file = LAYOUT_CA,
						       .about = *about };

	return telling->each(telling->argument, &certificate);
}

static int read_use(const struct front *front, const struct use *use, struct front_certificate *certificate,
		    struct err *err)
{
	char path[LAYOUT_PATH_BYTES];
	struct buf pem;
	int rc;

	buf_init(&pem, SECRET_FILE_MAX_BYTES);
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", front->data_directory, use->file) >= sizeof(path))
		rc = err_set(err, ERR_LIMIT, "the data directory's path is too long");
	else
		rc = secret_file_read(path, false, &pem, err);
	if (rc == 0)
		rc = certificate_about(pem.data, pem.size, &certificate->about, err);
	if (rc == 0) {
		certificate->own = certificate_signed_by(buf_text(&pem), front->ca_pem, NULL) != 0;
		certificate->renews = use->renews && !certificate->own;
	}
	buf_done(&pem);
	return rc == 0 ? 0 : err_add(err, rc, "certificate %s", use->name);
}

/* One that is not there yet is no error: it is made when it is needed. */
static int tell_use(struct front *front, const struct use *use, const struct telling *telling, struct err *err)
{
	struct front_certificate certificate = { .name = use->name, .purpose = use->purpose, .file = use->file };
	int rc;

	if (use->wanted != NULL && !use->wanted(front))
		return 0;
	rc = read_use(front, use, &certificate, err);
	if (rc == ERR_NOT_FOUND)
		return 0;
	return rc == 0 ? telling->each(telling->argument, &certificate) : rc;
}

int front_certificates(struct front *front, int (*each)(void *argument, const struct front_certificate *certificate),
		       void *argument, struct err *err)
{
	struct telling telling = { each, argument };
	int rc = certificate_each(front->ca_pem, strlen(front->ca_pem), tell_root, &telling, err);

	for (size_t i = 0; rc == 0 && i < COUNT_OF(uses); i++)
		rc = tell_use(front, &uses[i], &telling, err);
	return rc;
}
