/* Who may activate, and as which computer: the settings of specification
 * 30-trust "Enrolment" and what is known of the one who asks come to a way, or a
 * refusal with what to do next. Pure.
 */
#ifndef MUSTER_MANAGER_FRONT_ENROLMENT_RULES_H
#define MUSTER_MANAGER_FRONT_ENROLMENT_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "fleet/address.h"
#include "manager/front/cooldown.h"
#include "manager/front/roster.h"

#define ENROLMENT_RANGES_MAX 64

/* In the order of the words in the settings' rows (stored_settings.c). */
enum enrolment_allowed { ENROLMENT_ANY, ENROLMENT_KNOWN, ENROLMENT_ADDRESSES };
enum enrolment_without_token { WITHOUT_TOKEN_NO, WITHOUT_TOKEN_EXPECTED, WITHOUT_TOKEN_YES };
enum same_name { SAME_NAME_NUMBER, SAME_NAME_REFUSE, SAME_NAME_REACTIVATE };

struct enrolment_rules {
	enum enrolment_allowed allowed;
	struct address_range ranges[ENROLMENT_RANGES_MAX];
	size_t range_count;
	enum enrolment_without_token without_token;
	enum same_name same_name;
	bool reactivate_cloned, reactivate_unknown;
};

/* What the name asked for is here. */
enum enrolment_name {
	ENROLMENT_NAME_FREE,
	ENROLMENT_NAME_WAITS,  /* of a computer without a valid certificate: added, deactivated, moved, revoked */
	ENROLMENT_NAME_MANAGED /* of a computer that has an agent */
};

#define ENROLMENT_COPY_SPAN_US DAY_US

/* How many computers one identity makes, one by each agent that shows it: then they wait for one another. */
extern const struct cooldown_rule enrolment_copies;

struct enrolment_facts {
	struct address from; /* family 0: not known */
	enum enrolment_name name;
	bool by_manager; /* this manager dialled it, because an administrator said so */
	/* It showed nothing at all that says who it is: */
	bool without_token;
	bool expected; /* whoever the name waits for is known at the very address it came from */
	bool shut_out; /* the name waits, because people here deactivated or revoked its computer */
	/* It showed a certificate of ours in place of a token: */
	bool by_certificate;
	enum roster_standing standing;
	bool is_clone; /* two agents use that certificate, and it is the second one */
	bool too_many; /* others came with it before, and enrolment_copies says to wait */
	bool is_young; /* its computer was made for a copy itself, less than ENROLMENT_COPY_SPAN_US ago */
};

enum enrolment_way {
	ENROLMENT_NEW,
	ENROLMENT_NUMBERED, /* new, under another name */
	ENROLMENT_TAKES,    /* the computer of that name is its own from now on */
};

/* ERR_DENIED: a token is needed; ERR_UNTRUSTED: not from there, or not known; ERR_WRONG_STATE: the name. */
int enrolment_decide(const struct enrolment_rules *rules, const struct enrolment_facts *facts,
		     enum enrolment_way *ret_way, struct err *err);

/* Is an agent that shows a certificate of this standing to be told to take another identity by it, without a person?
 * Of an active computer the fleet says which of two agents that is. */
bool enrolment_rekeys(const struct enrolment_rules *rules, enum roster_standing standing);

/* "192.0.2.0/24, 2001:db8::/32": ranges separated by commas or spaces, "" for none. ERR_FORMAT, ERR_RANGE, ERR_LIMIT
 * name the one that is wrong. */
int enrolment_ranges_parse(const char *text, struct address_range ranges[ENROLMENT_RANGES_MAX], size_t *ret_count,
			   struct err *err);

#endif
