/* Who may activate, decided (manager/front/enrolment_rules.h). */
#include "manager/front/enrolment_rules.h"

#include <string.h>

static bool is_in(const struct enrolment_rules *rules, const struct address *address)
{
	for (size_t i = 0; i < rules->range_count; i++) {
		if (address_range_holds(&rules->ranges[i], address))
			return true;
	}
	return false;
}

/* Whoever comes with a certificate of ours in place of a token. */
static int decide_by_certificate(const struct enrolment_rules *rules, const struct enrolment_facts *facts,
				 enum enrolment_way *ret_way, struct err *err)
{
	bool unknown = facts->standing == ROSTER_UNKNOWN || facts->standing == ROSTER_DELETED;
	bool clone = facts->standing == ROSTER_ACTIVE && facts->is_clone;

	if ((unknown && rules->reactivate_unknown) || (clone && rules->reactivate_cloned)) {
		*ret_way = facts->name == ENROLMENT_NAME_FREE ? ENROLMENT_NEW : ENROLMENT_NUMBERED;
		return 0;
	}
	if (facts->standing == ROSTER_ACTIVE && !facts->is_clone)
		return err_set(err, ERR_UNTRUSTED,
			       "this identity is not known to be in use twice; report with it first");
	return err_set(err, ERR_UNTRUSTED, "this identity is not to be renewed without a token: %s",
		       clone     ? "the setting enrolment.reactivate_cloned is no"
		       : unknown ? "the setting enrolment.reactivate_unknown is no"
				 : "its certificate was revoked, or its computer deactivated");
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

	if (facts->by_certificate)
		return decide_by_certificate(rules, facts, ret_way, err);
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
