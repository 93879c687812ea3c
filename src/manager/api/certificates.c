/* /certificates: those that the manager itself lives by. Names in them are escaped already. */
#include "manager/front/certificates.h"

#include "manager/api/call_state.h"
#include "manager/api/handlers.h"
#include "manager/api/rows.h"

struct listing {
	json_t *items;
	time_us now;
};

static int add(void *argument, const struct front_certificate *certificate)
{
	const struct listing *listing = argument;
	const struct certificate_about *about = &certificate->about;
	const struct certificate_life life = { about->not_before, about->not_after, certificate->renews };

	return json_array_append_new(
		   listing->items,
		   json_pack("{ss, ss, ss, ss, so, so, so, sI, sb, so, sb, ss}", "name", certificate->name, "purpose",
			     certificate->purpose, "subject", about->subject, "issuer", about->issuer, "fingerprint",
			     json_sha256(about->fingerprint), "not_before", json_time(about->not_before), "not_after",
			     json_time(about->not_after), "days_left",
			     (json_int_t)certificate_days_left(about->not_after, listing->now), "renews_itself",
			     certificate->renews, "renews_at",
			     certificate->renews ? json_time(certificate_renew_at(&life)) : json_null(), "own",
			     certificate->own, "file", certificate->file)) == 0
		   ? 0
		   : ERR_MEMORY;
}

int certificate_list(struct api_call *call, struct err *err)
{
	struct listing listing = { json_array(), env_wall(api_call_env(call)) };
	int rc = front_certificates(api_call_front(call), add, &listing, err);

	if (rc != 0) {
		json_decref(listing.items);
		return rc == ERR_MEMORY ? err_set(err, rc, "no memory for the list of certificates") : rc;
	}
	return api_reply_json(call, 200, json_pack("{so, sn}", "items", listing.items, "next"));
}
