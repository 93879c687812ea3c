/* Link's side of TLS (link_tls.h). Input: the identity's files, the policy's profile. */
#include "agent/link/link_tls.h"

#include "base/log.h"

struct tls_client_options link_tls_options(const struct link *link)
{
	return (struct tls_client_options){ .ca_pem = buf_text(&link->identity.authority_pem),
					    .certificate_pem = buf_text(&link->identity.certificate_pem),
					    .key_pem = buf_text(&link->identity.key_pem),
					    .any_host_name = true,
					    .agent = true,
					    .profiles = link->profiles,
					    .by_proof = true,
					    .proven = identity_proven(&link->identity) };
}

int link_tls_new(struct link *link, struct err *err)
{
	const struct tls_client_options options = link_tls_options(link);

	link->tls = tls_client_new(&options, err);
	return link->tls ? 0 : err->code;
}

int link_tls_renew(struct link *link, struct err *err)
{
	const struct tls_client_options options = link_tls_options(link);
	int rc = tls_client_renew(link->tls, &options, err);

	if (rc == 0)
		return 0;
	LOG(LOG_ERROR, "link.identity_not_used", log_err(err)); /* it is at the next start, which guard sees to */
	link->exit_status = 1;
	loop_stop(link->loop);
	return rc;
}

void link_tls_use(struct link *link, tls_profile_set profiles)
{
	struct err err;
	struct buf names;

	if (profiles == link->profiles)
		return;
	link->profiles = profiles;
	buf_init(&names, 256);
	tls_profiles_format(profiles != 0 ? profiles : TLS_PROFILE_MODERN, &names);
	LOG(LOG_INFO, "link.tls_profile", log_text("profile", buf_text(&names)));
	buf_done(&names);
	link_tls_renew(link, &err);
}

tls_profile_set link_tls_elsewhere(const struct link *link)
{
	return tls_profiles_fips(link->profiles) ? link->profiles : link->profiles | TLS_PROFILE_MODERN;
}

void link_tls_use_kept(struct link *link)
{
	struct endpoint_configuration_state state;

	endpoint_configuration_state(link->endpoint, &state);
	link_tls_use(link, state.connection->way);
}
