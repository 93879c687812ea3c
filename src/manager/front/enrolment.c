/* Enrolment decided (manager/front/enrolment.h): what is read. */
#include "manager/front/enrolment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "manager/front/front_policy.h"
#include "manager/front/membership.h"
#include "manager/front/records_json.h"
#include "manager/queries.h"
#include "trust/fingerprint.h"
#include "trust/token.h"

#define POLICY_DEFAULT "base"

/* --- the token's row --- */

static void copy_text(char *out, size_t capacity, const char *text)
{
	snprintf(out, capacity, "%s", text);
}

/* What the token fixes holds; what it leaves open the agent may choose. */
static int settle(const char *what, const char *fixed, const char *asked, const char *otherwise, char *out,
		  struct err *err)
{
	const char *chosen = fixed[0] != '\0' ? fixed : asked[0] != '\0' ? asked : otherwise;

	if (fixed[0] != '\0' && asked[0] != '\0' && strcasecmp(fixed, asked) != 0)
		return err_set(err, ERR_RANGE, "the token is for another %s than the one asked for", what);
	if (chosen[0] != '\0' && !text_is_name(chosen, WIRE_LABEL_MAX_BYTES))
		return err_set(err, ERR_RANGE, "the %s asked for is not a name", what);
	copy_text(out, WIRE_LABEL_MAX_BYTES + 1, chosen);
	return 0;
}

static int check_token_row(struct cursor *cursor, time_us now, bool again, struct err *err)
{
	if (!cursor_is_null(cursor, "revoked"))
		return err_set(err, ERR_DENIED, "the enrolment token was revoked");
	if (cursor_number(cursor, "expires") <= now)
		return err_set(err, ERR_EXPIRED, "the enrolment token has expired; ask for a new one");
	if (!again && !cursor_is_null(cursor, "uses_left") && cursor_number(cursor, "uses_left") <= 0)
		return err_set(err, ERR_EXPIRED,
			       "the enrolment token was used as often as it may be; ask for a new one");
	return 0;
}

static int read_token(struct enrolment *enrolment, struct store_session *session, struct err *err)
{
	const Muster__Wire__EnrolRequest *request = enrolment->request;
	struct cursor *cursor = cursor_open(session, &QUERY_ENROLMENT_TOKEN_BY_SECRET);
	char otherwise[STORED_TEXT_BYTES];
	int rc = 0, end;

	stored_setting_text(enrolment->front->stored, STORED_ENROLMENT_POLICY, otherwise, sizeof(otherwise));

	cursor_bind_bytes(cursor, "secret_sha256", enrolment->token_hash, SHA256_BYTES);
	if (cursor_next(cursor)) {
		rc = check_token_row(cursor, env_wall(enrolment->front->env), enrolment->again, err);
		if (rc == 0)
			rc = settle("policy", cursor_text(cursor, "policy"), request->policy, otherwise,
				    enrolment->policy, err);
		if (rc == 0)
			rc = settle("group", cursor_text(cursor, "group_name"), request->group, "", enrolment->group,
				    err);
		enrolment->appliance = cursor_number(cursor, "appliance") != 0;
	} else {
		rc = ERR_DENIED;
	}
	end = cursor_end(cursor, rc == 0 || (rc == ERR_DENIED && err->code == 0) ? err : NULL);
	if (end != 0)
		return end;
	return rc == ERR_DENIED && err->code == 0 ? err_set(err, ERR_DENIED, "the enrolment token is not known") : rc;
}

/* As the administrator said, or by the settings. */
static int settle_wishes(struct enrolment *enrolment, struct err *err)
{
	const Muster__Wire__EnrolRequest *request = enrolment->request;
	char otherwise[STORED_TEXT_BYTES];
	int rc;

	if (enrolment->facts.without_token && (request->policy[0] != '\0' || request->group[0] != '\0'))
		return err_set(err, ERR_RANGE,
			       "policy and group cannot be asked for without an enrolment token; the manager has them");
	stored_setting_text(enrolment->front->stored, STORED_ENROLMENT_POLICY, otherwise, sizeof(otherwise));
	rc = settle("policy", "", request->policy, otherwise, enrolment->policy, err);
	return rc == 0 ? settle("group", "", request->group, "", enrolment->group, err) : rc;
}

static int read_attempt(struct enrolment *enrolment, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_COMPUTER_BY_ATTEMPT);
	struct uuid made_for = { 0 };
	bool deleted = false;
	int rc;

	cursor_bind_bytes(cursor, "enrolment_attempt", enrolment->attempt_hash, SHA256_BYTES);
	enrolment->again = cursor_next(cursor);
	if (enrolment->again) {
		struct bytes fingerprint = cursor_bytes(cursor, "certificate_fingerprint");

		cursor_uuid(cursor, "id", &enrolment->computer);
		copy_text(enrolment->name, sizeof(enrolment->name), cursor_text(cursor, "name"));
		if (cursor_is_null(cursor, "revoked"))
			copy_text(enrolment->certificate, sizeof(enrolment->certificate),
				  cursor_text(cursor, "certificate_pem"));
		deleted = !cursor_is_null(cursor, "deleted");
		if (fingerprint.size == SHA256_BYTES)
			memcpy(enrolment->replaced, fingerprint.data, SHA256_BYTES);
		cursor_uuid(cursor, "origin", &made_for);
	}
	rc = cursor_end(cursor, err);
	if (rc == 0 && deleted)
		rc = err_set(err, ERR_WRONG_STATE, "this attempt's computer was deleted meanwhile; enrol anew");
	/* Made by the certificate that it shows now: being a clone is forgotten when the manager starts again. */
	if (rc == 0 && enrolment->again && !uuid_is_zero(&made_for) && uuid_equal(&made_for, &enrolment->origin))
		enrolment->facts.is_clone = true;
	return rc;
}

/* --- a certificate in place of a token --- */

static bool comes_with_certificate(const struct enrolment *enrolment)
{
	return enrolment->request->token[0] == '\0' && enrolment->request->session != 0 && enrolment->has_certificate;
}

static void read_standing(struct enrolment *enrolment)
{
	struct shard *shard;

	enrolment->facts.by_certificate = true;
	enrolment->facts.standing = roster_find(enrolment->front->roster, enrolment->shown, &enrolment->origin);
	if (enrolment->facts.standing == ROSTER_UNKNOWN)
		return;
	shard = shards_of(enrolment->front->shards, &enrolment->origin);
	pthread_mutex_lock(&shard->lock);
	enrolment->facts.is_clone = fleet_is_clone(shard->fleet, &enrolment->origin, enrolment->request->session);
	pthread_mutex_unlock(&shard->lock);
}

/* Whose copies they are: a computer's, whichever of its certificates they show. */
static void name_copied(const struct enrolment *enrolment, char name[SHA256_TEXT_BYTES])
{
	if (uuid_is_zero(&enrolment->origin)) /* nobody's that we know */
		hex_format(enrolment->shown, SHA256_BYTES, name);
	else
		uuid_format(&enrolment->origin, name);
}

static bool makes_copy(const struct enrolment *enrolment)
{
	return enrolment->facts.by_certificate && !enrolment->again;
}

static bool must_wait(const struct enrolment *enrolment)
{
	char name[SHA256_TEXT_BYTES];

	name_copied(enrolment, name);
	return makes_copy(enrolment) && cooldown_left(enrolment->front->copies, name) > 0;
}

void enrolment_count_copy(const struct enrolment *enrolment)
{
	char name[SHA256_TEXT_BYTES];

	name_copied(enrolment, name);
	if (makes_copy(enrolment))
		cooldown_failed(enrolment->front->copies, name);
}

static bool was_copied_lately(const struct enrolment *enrolment, struct cursor *row)
{
	return !cursor_is_null(row, "origin") &&
	       cursor_number(row, "enrolled") + ENROLMENT_COPY_SPAN_US > env_wall(enrolment->front->env);
}

/* It goes on with the policy and group of the computer that it was, or was copied from. */
static int read_origin(struct enrolment *enrolment, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_COMPUTER_BY_ID);

	copy_text(enrolment->policy, sizeof(enrolment->policy), POLICY_DEFAULT);
	cursor_bind_uuid(cursor, "id", &enrolment->origin);
	if (cursor_next(cursor)) {
		copy_text(enrolment->policy, sizeof(enrolment->policy), cursor_text(cursor, "policy"));
		copy_text(enrolment->group, sizeof(enrolment->group), cursor_text(cursor, "group_name"));
		enrolment->appliance = cursor_number(cursor, "appliance") != 0;
		enrolment->facts.is_young = !enrolment->again && was_copied_lately(enrolment, cursor);
	}
	return cursor_end(cursor, err);
}

/* --- the name --- */

/* The agent's own name for itself, or where it may have none, its machine's. */
static int check_name(struct enrolment *enrolment, struct err *err)
{
	const Muster__Wire__EnrolRequest *request = enrolment->request;
	bool own = stored_setting_number(enrolment->front->stored, STORED_OWN_NAME) != 0;
	bool given = enrolment->facts.by_certificate || enrolment->facts.by_manager;
	const char *name = own || given ? request->name : "";

	if (enrolment->again)
		return 0;
	if (name[0] == '\0' && request->host != NULL)
		name = request->host->name;
	if (!text_is_name(name, WIRE_LABEL_MAX_BYTES))
		return err_set(err, ERR_RANGE,
			       "the computer's name must be 1 to %d bytes of printable text; give one with --name",
			       WIRE_LABEL_MAX_BYTES);
	copy_text(enrolment->name, sizeof(enrolment->name), name);
	return 0;
}

/* What the row of the computer that waits says of whoever comes without a token. */
static void read_expected(struct enrolment *enrolment, struct cursor *row)
{
	enum standing standing = standing_parse(cursor_text(row, "standing"));
	struct address known;

	enrolment->facts.shut_out = standing != STANDING_ADDED && standing != STANDING_MOVED;
	enrolment->facts.expected = !enrolment->facts.shut_out && enrolment->from.family != 0 &&
				    address_parse(cursor_text(row, "dial_address"), &known, NULL) == 0 &&
				    address_compare(&known, &enrolment->from) == 0;
}

/* Whose name it is: one that waits to be activated goes before one that has an agent. */
static int read_name(struct enrolment *enrolment, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_COMPUTER_BY_NAME);

	enrolment->facts.name = ENROLMENT_NAME_FREE;
	cursor_bind_text(cursor, "name", enrolment->name);
	while (enrolment->facts.name != ENROLMENT_NAME_WAITS && cursor_next(cursor)) {
		bool waits = !cursor_is_null(cursor, "revoked");
		struct bytes fingerprint = cursor_bytes(cursor, "certificate_fingerprint");

		if (!waits && enrolment->facts.name != ENROLMENT_NAME_FREE)
			continue;
		enrolment->facts.name = waits ? ENROLMENT_NAME_WAITS : ENROLMENT_NAME_MANAGED;
		cursor_uuid(cursor, "id", &enrolment->computer);
		if (waits)
			read_expected(enrolment, cursor);
		if (fingerprint.size == SHA256_BYTES)
			memcpy(enrolment->replaced, fingerprint.data, SHA256_BYTES);
	}
	return cursor_end(cursor, err);
}

static int read_all(struct store_session *session, void *argument, struct err *err)
{
	struct enrolment *enrolment = argument;
	int rc = read_attempt(enrolment, session, err);

	if (rc == 0 && enrolment->facts.by_certificate)
		rc = read_origin(enrolment, session, err);
	else if (rc == 0 && (enrolment->facts.by_manager || enrolment->facts.without_token))
		rc = settle_wishes(enrolment, err);
	else if (rc == 0)
		rc = read_token(enrolment, session, err);
	if (rc == 0)
		rc = check_name(enrolment, err);
	if (rc == 0 && !enrolment->again)
		rc = read_name(enrolment, session, err);
	return rc;
}

/* The policy as it is written; the name may come in any case, from the token or the agent. */
static int check_policy(struct enrolment *enrolment, struct err *err)
{
	char name[sizeof(enrolment->policy)];

	copy_text(name, sizeof(name), enrolment->policy);
	if (front_policy_name(enrolment->front, name, enrolment->policy, NULL) == 0)
		return 0;
	return err_set(err, ERR_RANGE,
		       "there is no policy '%.100s'; create it (muster policy create) or choose another with --policy",
		       name);
}

static int read_rules(struct enrolment *enrolment, struct err *err)
{
	struct stored_settings *stored = enrolment->front->stored;
	struct enrolment_rules *rules = &enrolment->rules;
	char ranges[STORED_TEXT_BYTES];

	rules->allowed = (enum enrolment_allowed)stored_setting_number(stored, STORED_ENROLMENT_ALLOWED);
	rules->without_token = (enum enrolment_without_token)stored_setting_number(stored, STORED_WITHOUT_TOKEN);
	rules->same_name = (enum same_name)stored_setting_number(stored, STORED_SAME_NAME);
	rules->reactivate_cloned = stored_setting_number(stored, STORED_REACTIVATE_CLONED) != 0;
	rules->reactivate_unknown = stored_setting_number(stored, STORED_REACTIVATE_UNKNOWN) != 0;
	stored_setting_text(stored, STORED_ENROLMENT_ADDRESSES, ranges, sizeof(ranges));
	return enrolment_ranges_parse(ranges, rules->ranges, &rules->range_count, err);
}

/* Of a repeated attempt only what may have been forgotten meanwhile is decided anew. */
static int decide(struct enrolment *enrolment, struct err *err)
{
	int rc;

	if (enrolment->again && enrolment->facts.without_token && enrolment->rules.without_token != WITHOUT_TOKEN_NO)
		return 0; /* whoever knows the attempt's id made it */
	if (enrolment->again && !enrolment->facts.by_certificate && !enrolment->facts.without_token)
		return 0;
	enrolment->facts.too_many = must_wait(enrolment);
	rc = enrolment_decide(&enrolment->rules, &enrolment->facts, &enrolment->way, err);
	if (rc == 0 && !enrolment->again && enrolment->way != ENROLMENT_TAKES)
		enrolment->computer = env_uuid(enrolment->front->env);
	return rc;
}

int enrolment_prepare(struct enrolment *enrolment, struct err *err)
{
	struct err form = { 0 };
	int rc;

	enrolment->facts =
	    (struct enrolment_facts){ .from = enrolment->from, .by_manager = enrolment->dialled_by != NULL };
	enrolment->way = ENROLMENT_NEW;
	if (comes_with_certificate(enrolment))
		read_standing(enrolment);
	else if (!enrolment->facts.by_manager && enrolment->request->token[0] == '\0')
		enrolment->facts.without_token = true;
	else if (!enrolment->facts.by_manager && token_check(enrolment->request->token, TOKEN_ENROLMENT, &form) != 0)
		return err_set(err, ERR_DENIED, "the enrolment token is not one: %s", form.text);
	token_hash(enrolment->request->token, enrolment->token_hash);
	fingerprint_of(enrolment->request->attempt.data, enrolment->request->attempt.len, enrolment->attempt_hash);
	rc = read_rules(enrolment, err);
	if (rc == 0)
		rc = store_read(enrolment->front->store, read_all, enrolment, err);
	if (rc == 0)
		rc = decide(enrolment, err);
	if (rc == 0 && !enrolment->again && enrolment->way != ENROLMENT_TAKES)
		rc = check_policy(enrolment, err);
	return rc;
}
