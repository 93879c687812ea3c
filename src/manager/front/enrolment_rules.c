/* Who may activate, decided (manager/front/enrolment_rules.h). */
#include "manager/front/enrolment_rules.h"

#include <string.h>

/* Five hundred machines copied from one with its agent get their identities within hours; who has stolen one
 * certificate makes no computers without end by it before somebody looks at the alert. */
const struct cooldown_rule enrolment_copies = { 32, 30 * SECOND_US };

static bool is_in(const struct enrolment_rules *rules, const struct address *address)
{
	for (size_t i = 0; i < rules->range_count; i++) {
		if (address_range_holds(&rules->ranges[i], address))
			return true;
	}
	return false;
}

/* What an agent is that shows a certificate of ours, by the standing of that certificate. */
static bool is_unknown(enum roster_standing standing)
{
	return standing == ROSTER_UNKNOWN || standing == ROSTER_DELETED;
}

/* An identity has gone on without this agent: another that held it has moved away with it, or has used the certificate
 * that followed. This one is a copy, or was set back to a state of before; whichever it is, the identity is not its. */
static bool is_left_behind(enum roster_standing standing)
{
	return standing == ROSTER_MOVED || standing == ROSTER_REPLACED;
}

bool enrolment_rekeys(const struct enrolment_rules *rules, enum roster_standing standing)
{
	return (is_unknown(standing) && rules->reactivate_unknown) ||
	       (is_left_behind(standing) && rules->reactivate_cloned);
}

/* Whoever comes with a certificate of ours in place of a token. */
static int decide_by_certificate(const struct enrolment_rules *rules, const struct enrolment_facts *facts,
				 enum enrolment_way *ret_way, struct err *err)
{
	bool clone = (facts->standing == ROSTER_ACTIVE && facts->is_clone) || is_left_behind(facts->standing);

	if (enrolment_rekeys(rules, facts->standing) || (clone && rules->reactivate_cloned)) {
		if (facts->is_young) /* else one would become two, and each of them two, within minutes */
			return err_set(
			    err, ERR_BUSY,
			    "this computer was made for a copy of another one less than a day ago, and makes "
			    "no others yet: activate this one with a token, or wait");
		if (facts->too_many)
			return err_set(err, ERR_BUSY,
				       "many agents came with this identity and took one of their own; the next one "
				       "may shortly");
		*ret_way = facts->name == ENROLMENT_NAME_FREE ? ENROLMENT_NEW : ENROLMENT_NUMBERED;
		return 0;
	}
	if (facts->standing == ROSTER_ACTIVE && !facts->is_clone)
		return err_set(err, ERR_UNTRUSTED,
			       "this identity is not known to be in use twice; report with it first");
	return err_set(err, ERR_UNTRUSTED, "this identity is not to be renewed without a token: %s",
		       clone                         ? "the setting enrolment.reactivate_cloned is no"
		       : is_unknown(facts->standing) ? "the setting enrolment.reactivate_unknown is no"
						     : "its certificate was revoked, or its computer deactivated");
}

/* Whoever comes without a token says a name and has an address, and neither is a secret: it never takes the place of an
 * agent that is here, nor of one that people sent away. */
static int check_without_token(const struct enrolment_rules *rules, const struct enrolment_facts *facts,
			       struct err *err)
{
	if (rules->without_token == WITHOUT_TOKEN_NO)
		return err_set(err, ERR_DENIED,
			       "an enrolment token is needed: an administrator of this manager makes one (muster token "
			       "create --enrolment), give it with --token (muster computer move: --enrolment-token); "
			       "the setting enrolment.without_token says "
			       "who needs none");
	if (facts->name == ENROLMENT_NAME_WAITS && facts->shut_out)
		return err_set(err, ERR_UNTRUSTED,
			       "the computer of this name was deactivated or revoked here: it needs an enrolment "
			       "token (muster token create --enrolment)");
	if (facts->name == ENROLMENT_NAME_MANAGED && rules->same_name == SAME_NAME_REACTIVATE)
		return err_set(err, ERR_UNTRUSTED,
			       "to become the computer that has this name takes an enrolment token (muster token "
			       "create --enrolment)");
	if (rules->without_token == WITHOUT_TOKEN_EXPECTED && !facts->expected)
		return err_set(err, ERR_UNTRUSTED,
			       "no computer of this name is expected from this address: add it first (muster computer "
			       "add NAME --address ADDRESS), or give a token (muster token create --enrolment)");
	return 0;
}

static int decide_managed(const struct enrolment_rules *rules, enum enrolment_way *ret_way, struct err *err)
{
	if (rules->same_name == SAME_NAME_REFUSE)
		return err_set(err, ERR_WRONG_STATE,
			       "a computer with this name is enrolled already; choose another with --name");
	*ret_way = rules->same_name == SAME_NAME_REACTIVATE ? ENROLMENT_TAKES : ENROLMENT_NUMBERED;
	return 0;
}

int enrolment_decide(const struct enrolment_rules *rules, const struct enrolment_facts *facts,
		     enum enrolment_way *ret_way, struct err *err)
{
	bool takes = facts->name == ENROLMENT_NAME_WAITS ||
		     (facts->name == ENROLMENT_NAME_MANAGED && rules->same_name == SAME_NAME_REACTIVATE);
	int rc;

	if (facts->by_certificate)
		return decide_by_certificate(rules, facts, ret_way, err);
	rc = facts->without_token ? check_without_token(rules, facts, err) : 0;
	if (rc != 0)
		return rc;
	if (!facts->by_manager && rules->allowed == ENROLMENT_ADDRESSES && !is_in(rules, &facts->from))
		return err_set(err, ERR_UNTRUSTED,
			       "no computer may activate from this address (settings enrolment.allowed, "
			       "enrolment.addresses)");
	if (!facts->by_manager && rules->allowed == ENROLMENT_KNOWN && !takes)
		return err_set(err, ERR_UNTRUSTED,
			       "only computers that are known here may activate, and none of this name waits for it: "
			       "add it first (muster computer add), or see the setting enrolment.allowed");
	if (facts->name == ENROLMENT_NAME_MANAGED)
		return decide_managed(rules, ret_way, err);
	*ret_way = takes ? ENROLMENT_TAKES : ENROLMENT_NEW;
	return 0;
}

int enrolment_ranges_parse(const char *text, struct address_range ranges[ENROLMENT_RANGES_MAX], size_t *ret_count,
			   struct err *err)
{
	size_t count = 0;

	for (const char *at = text + strspn(text, ", "); *at != '\0';) {
		size_t length = strcspn(at, ", ");
		char one[ADDRESS_RANGE_TEXT_BYTES];
		int rc;

		if (count == ENROLMENT_RANGES_MAX)
			return err_set(err, ERR_LIMIT, "at most %d ranges of addresses", ENROLMENT_RANGES_MAX);
		if (length >= sizeof(one))
			return err_set(err, ERR_FORMAT, "'%.40s…' is no range of addresses", at);
		memcpy(one, at, length);
		one[length] = '\0';
		rc = address_range_parse(one, &ranges[count], err);
		if (rc != 0)
			return rc;
		count++;
		at += length;
		at += strspn(at, ", ");
	}
	*ret_count = count;
	return 0;
}
