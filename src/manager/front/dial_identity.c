/* With which key and certificate the manager dials (front/certificates.h). */
#include "manager/front/authorities.h"
#include "manager/front/certificates.h"
#include "manager/front/dialler_parts.h"

#define CHAIN_MAX_BYTES ((size_t)256 * 1024)

struct making {
	struct tls_client_options options;
	const char *leads_on; /* behind the certificate */
	struct tls_client *made;
};

static int make_client(void *argument, const struct certified_key *pair, struct err *err)
{
	struct making *making = argument;
	struct buf chain;

	/* What leads to our root is for agents that do not know it yet. */
	buf_init(&chain, CHAIN_MAX_BYTES);
	buf_append(&chain, pair->chain.data, pair->chain.size);
	buf_append_text(&chain, making->leads_on);
	making->options.certificate_pem = buf_text(&chain);
	making->options.key_pem = buf_text(&pair->key);
	making->made = chain.status == 0 ? tls_client_new(&making->options, err) : NULL;
	if (chain.status != 0)
		err_set(err, chain.status, "no room for the chain of certificates");
	buf_done(&chain);
	if (making->made == NULL)
		return err->code;
	tls_client_hand_over(making->made);
	return 0;
}

int dial_identity(struct front *front, bool any_peer, struct tls_client **ret_tls, struct err *err)
{
	const struct front_authorities *authorities = authorities_now(front);
	struct making making = { .options = { .ca_pem = authorities->roots,
					      .any_host_name = true, /* who it is says its certificate */
					      .own_library = true,
					      .dials_clients = !any_peer,
					      .by_proof = !any_peer,
					      .any_peer = any_peer },
				 .leads_on = authorities->chain };
	int rc = certificates_ensure(front, CERTIFICATE_DIALLING, err);

	/* One that could not be made anew in time is used to its end. */
	if (certificates_lend(front->certificates, CERTIFICATE_DIALLING, make_client, &making, rc == 0 ? err : NULL) ==
	    0)
		rc = 0;
	else if (rc == 0)
		rc = err->code;
	if (rc == 0)
		*ret_tls = making.made;
	return rc == 0 ? 0 : err_add(err, rc, "certificate for dialling agents");
}
