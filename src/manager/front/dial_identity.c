/* With which key and certificate the manager dials: front/dial.key, front/dial.pem.
 *
 * Made at the first start (of a data directory from before there were any,
 * too), and anew before the certificate ends. The files are our own. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "manager/front/dialler_parts.h"
#include "manager/layout.h"
#include "trust/identity.h"
#include "trust/secret_file.h"

#define RENEW_BEFORE_US (30 * DAY_US)

struct paths {
	char key[LAYOUT_PATH_BYTES], certificate[LAYOUT_PATH_BYTES];
};

static int read_files(const struct paths *paths, struct buf *key, struct buf *certificate, struct err *err)
{
	int rc = secret_file_read(paths->key, true, key, err);

	return rc == 0 ? secret_file_read(paths->certificate, false, certificate, err) : rc;
}

/* Of this authority, with this key, and not about to end. */
static int check(struct front *front, const struct buf *key, const struct buf *certificate, struct err *err)
{
	struct certificate_facts facts;
	int rc = certificate_read(certificate->data, certificate->size, &facts, err);

	if (rc == 0)
		rc = certificate_matches_key(buf_text(certificate), buf_text(key), err);
	if (rc == 0)
		rc = certificate_signed_by(buf_text(certificate), front->ca_pem, err);
	if (rc == 0 && facts.not_after - env_wall(front->env) < RENEW_BEFORE_US)
		rc = err_set(err, ERR_EXPIRED, "the dialling certificate ends soon");
	return rc;
}

static int make(struct front *front, const struct paths *paths, struct buf *key, struct buf *certificate,
		struct err *err)
{
	char pem[MESSAGE_CERTIFICATE_MAX_BYTES];
	struct buf request;
	int rc;

	buf_init(&request, SECRET_FILE_MAX_BYTES);
	rc = identity_make(key, &request, err);
	if (rc == 0)
		rc = signer_certify_manager(front->signer, request.data, request.size, pem, err);
	if (rc == 0)
		rc = buf_append_text(certificate, pem);
	if (rc == 0)
		rc = secret_file_write(paths->key, key->data, key->size, 0600, err);
	if (rc == 0)
		rc = secret_file_write(paths->certificate, certificate->data, certificate->size, 0644, err);
	if (rc == 0)
		LOG(LOG_INFO, "dial.certified", log_text("file", LAYOUT_DIAL_CERTIFICATE));
	buf_done(&request);
	return rc;
}

static int load_or_make_alone(struct front *front, struct buf *key, struct buf *certificate, struct err *err)
{
	struct paths paths;
	struct err why = { 0 };

	snprintf(paths.key, sizeof(paths.key), "%s/%s", front->data_directory, LAYOUT_DIAL_KEY);
	snprintf(paths.certificate, sizeof(paths.certificate), "%s/%s", front->data_directory, LAYOUT_DIAL_CERTIFICATE);
	if (read_files(&paths, key, certificate, &why) == 0 && check(front, key, certificate, &why) == 0)
		return 0;
	if (why.code != ERR_NOT_FOUND)
		LOG(LOG_WARNING, "dial.certificate_replaced", log_err(&why));
	buf_wipe(key);
	buf_done(certificate);
	buf_init(key, SECRET_FILE_MAX_BYTES);
	buf_init(certificate, SECRET_FILE_MAX_BYTES);
	return make(front, &paths, key, certificate, err);
}

/* The dialler and whoever activates agents may ask at once. */
static int load_or_make(struct front *front, struct buf *key, struct buf *certificate, struct err *err)
{
	static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
	int rc;

	pthread_mutex_lock(&turn);
	rc = load_or_make_alone(front, key, certificate, err);
	pthread_mutex_unlock(&turn);
	return rc;
}

int dial_identity(struct front *front, bool any_peer, struct tls_client **ret_tls, struct err *err)
{
	struct tls_client_options options = { .ca_pem = front->ca_pem,
					      .any_host_name = true, /* who it is says its certificate */
					      .own_library = true,
					      .dials_clients = !any_peer,
					      .by_proof = !any_peer,
					      .any_peer = any_peer };
	struct buf key, certificate;
	int rc;

	buf_init(&key, SECRET_FILE_MAX_BYTES);
	buf_init(&certificate, SECRET_FILE_MAX_BYTES);
	rc = load_or_make(front, &key, &certificate, err);
	if (rc == 0) {
		options.certificate_pem = buf_text(&certificate);
		options.key_pem = buf_text(&key);
		*ret_tls = tls_client_new(&options, err);
		rc = *ret_tls != NULL ? 0 : err->code;
	}
	buf_wipe(&key);
	buf_done(&key);
	buf_done(&certificate);
	return rc == 0 ? 0 : err_add(err, rc, "certificate for dialling agents");
}
