/* /certificates: those that the manager itself lives by. Names in them are escaped already. */
#include "manager/front/certificates.h"
#include "manager/front/authorities.h"

#include <string.h>

#include "manager/api/call_state.h"
#include "manager/api/handlers.h"
#include "manager/api/rows.h"

struct listing {
	const char *only; /* NULL: all */
	json_t *items;
	time_us now;
};

static json_t *certificate_json(const struct front_certificate *certificate, time_us now)
{
	const struct certificate_about *about = &certificate->about;
	bool renews = certificate->life.renews;

	return json_pack("{ss, ss, ss, ss, so, so, so, sI, sb, so, sb, ss, ss, so, so, ss?}", "name", certificate->name,
			 "purpose", certificate->purpose, "subject", about->subject, "issuer", about->issuer,
			 "fingerprint", json_sha256(about->fingerprint), "not_before", json_time(about->not_before),
			 "not_after", json_time(about->not_after), "days_left",
			 (json_int_t)certificate_days_left(about->not_after, now), "renews_itself", renews, "renews_at",
			 renews ? json_time(certificate_renew_at(&certificate->life)) : json_null(), "own",
			 certificate->own, "key", about->key_type, "file", certificate->file, "waits_for",
			 certificate->waits_for >= 0 ? json_integer((json_int_t)certificate->waits_for) : json_null(),
			 "turns_by", certificate->turns_by != 0 ? json_time(certificate->turns_by) : json_null(),
			 "problem", certificate->problem);
}

static int add(void *argument, const struct front_certificate *certificate)
{
	const struct listing *listing = argument;

	if (listing->only != NULL && strcmp(listing->only, certificate->name) != 0)
		return 0;
	return json_array_append_new(listing->items, certificate_json(certificate, listing->now)) == 0 ? 0 : ERR_MEMORY;
}

static int list(struct api_call *call, const char *only, json_t **ret_items, struct err *err)
{
	struct listing listing = { only, json_array(), env_wall(api_call_env(call)) };
	int rc = front_certificates(api_call_front(call), add, &listing, err);

	if (rc == 0)
		*ret_items = listing.items;
	else
		json_decref(listing.items);
	return rc == ERR_MEMORY ? err_set(err, rc, "no memory for the list of certificates") : rc;
}

int certificate_list(struct api_call *call, struct err *err)
{
	json_t *items = NULL;
	int rc = list(call, NULL, &items, err);

	return rc == 0 ? api_reply_json(call, 200, json_pack("{so, sn}", "items", items, "next")) : rc;
}

/* Another one, whose turn is yet to come: it is the answer. */
static int renew_authority(struct api_call *call, struct err *err)
{
	json_t *items = NULL, *one;
	int rc = front_authority_renew(api_call_front(call), api_call_actor(call), err);

	if (rc == 0)
		rc = list(call, "authority-next", &items, err);
	if (rc != 0)
		return rc;
	one = json_incref(json_array_get(items, 0));
	json_decref(items);
	return api_reply_json(call, 200, one);
}

int certificate_renew(struct api_call *call, struct err *err)
{
	const char *name = api_path_name(call);
	enum certificate_use use = certificates_use(name);
	json_t *items = NULL, *one;
	int rc = front_authority_ready(api_call_front(call), err);

	if (rc != 0)
		return rc;
	if (use == CERTIFICATE_USES && strcmp(name, "authority") == 0)
		return renew_authority(call, err);
	if (use == CERTIFICATE_USES)
		return err_set(err, ERR_NOT_FOUND, "The manager has no certificate of this name (GET /certificates).");
	rc = certificates_renew(api_call_front(call), use, api_call_actor(call), err);
	if (rc == 0)
		rc = list(call, name, &items, err);
	if (rc != 0)
		return rc;
	one = json_incref(json_array_get(items, 0));
	json_decref(items);
	return api_reply_json(call, 200, one);
}
