/* What the manager has certificates for: one row each, with who signs it and who is given it. */
#include <string.h>

#include "manager/front/certificates_parts.h"
#include "manager/front/dialler.h"
#include "manager/front/front_state.h"
#include "manager/front/tls_listeners.h"
#include "manager/layout.h"
#include "trust/secret_file.h"

static bool rsa_is_wanted(const struct front *front)
{
	return tls_listeners_plan(front->listeners)->rsa;
}

static bool console_is_wanted(const struct front *front)
{
	return tls_listeners_plan(front->listeners)->console;
}

static bool console_wants_rsa(const struct front *front)
{
	return tls_listeners_plan(front->listeners)->console_rsa;
}

static void give_to_listeners(struct front *front)
{
	tls_listeners_certified(front->listeners);
}

static void give_to_dialler(struct front *front)
{
	dialler_certified(front->dialler);
}

static int copy_chain(void *argument, const struct certified_key *pair, struct err *err)
{
	(void)err;
	return buf_append(argument, pair->chain.data, pair->chain.size);
}

/* With the names of the one that is served now. */
static int sign_as_server(struct front *front, const struct buf *request, char *pem, struct err *err)
{
	struct buf like;
	int rc;

	buf_init(&like, SECRET_FILE_MAX_BYTES);
	rc = certificates_lend(front->certificates, CERTIFICATE_SERVER, copy_chain, &like, err);
	if (rc == 0)
		rc = signer_certify_server(front->signer, (struct bytes){ request->data, request->size },
					   buf_text(&like), pem, err);
	buf_done(&like);
	return rc;
}

static int sign_as_dialler(struct front *front, const struct buf *request, char *pem, struct err *err)
{
	return signer_certify_manager(front->signer, request->data, request->size, pem, err);
}

const struct certificate_row certificate_uses[CERTIFICATE_USES] = {
	[CERTIFICATE_SERVER] = { "server",
				 "shown to agents, browsers and programs that connect",
				 { LAYOUT_TLS_KEY, LAYOUT_TLS_CERTIFICATE },
				 false,
				 NULL,
				 NULL,
				 sign_as_server,
				 give_to_listeners },
	[CERTIFICATE_SERVER_RSA] = { "server-rsa",
				     "the same, for those that need an RSA key",
				     { LAYOUT_TLS_RSA_KEY, LAYOUT_TLS_RSA_CERTIFICATE },
				     false,
				     rsa_is_wanted,
				     rsa_is_wanted,
				     sign_as_server,
				     give_to_listeners },
	[CERTIFICATE_CONSOLE] = { "console",
				  "shown to browsers and programs that connect where no agent does",
				  { LAYOUT_CONSOLE_KEY, LAYOUT_CONSOLE_CERTIFICATE },
				  true,
				  console_is_wanted,
				  console_wants_rsa,
				  sign_as_server,
				  give_to_listeners },
	[CERTIFICATE_DIALLING] = { "dialling",
				   "shown to agents that the manager dials",
				   { LAYOUT_DIAL_KEY, LAYOUT_DIAL_CERTIFICATE },
				   false,
				   NULL,
				   NULL,
				   sign_as_dialler,
				   give_to_dialler },
};

enum certificate_use certificates_use(const char *name)
{
	size_t use = 0;

	while (use < CERTIFICATE_USES && strcmp(certificate_uses[use].name, name) != 0)
		use++;
	return (enum certificate_use)use;
}

bool certificate_wants_rsa(const struct front *front, enum certificate_use use)
{
	const struct certificate_row *row = &certificate_uses[use];

	return row->rsa != NULL && row->rsa(front);
}

bool certificate_is_wanted(const struct front *front, enum certificate_use use)
{
	const struct certificate_row *row = &certificate_uses[use];

	return row->wanted == NULL || row->wanted(front);
}
