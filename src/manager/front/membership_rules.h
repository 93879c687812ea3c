/* How a computer belongs to this manager, and which steps lead from where to where.
 *
 *   managed  ->  deactivated  ->  managed           its agent kept its identity
 *   managed  ->  moved        ->  managed           the same, and its agent went to another manager
 *   managed  ->  revoked                            its agent needs a new one, or was uninstalled
 *   any      ->  deleted
 *
 * Pure; manager/front/membership.h takes the steps.
 */
#ifndef MUSTER_MANAGER_FRONT_MEMBERSHIP_RULES_H
#define MUSTER_MANAGER_FRONT_MEMBERSHIP_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "manager/front/roster.h"

/* computer.standing in the database. */
enum standing { STANDING_MANAGED, STANDING_ADDED, STANDING_DEACTIVATED, STANDING_MOVED, STANDING_REVOKED, STANDINGS };
const char *standing_name(enum standing standing);
/* STANDING_REVOKED for a word that nobody knows: out until a person looks. */
enum standing standing_parse(const char *name);

enum ending_kind {
	ENDING_DEACTIVATE,
	ENDING_MOVE, /* its agent says that another manager has taken it */
	ENDING_REVOKE,
	ENDING_UNINSTALL, /* its agent says so */
	ENDING_DELETE,
	ENDINGS
};
struct ending {
	const char *action;
	bool from[STANDINGS];
	const char *refused; /* from any other */
	enum standing standing;
	enum roster_standing roster;
	const char *status, *cause; /* behind the cause the user's name, or the manager's */
	const char *by;             /* or this */
	uint32_t event, second_event;
	const char *done; /* what the computer was, or did */
	bool deletes;
};
extern const struct ending membership_endings[ENDINGS];

/* May it happen to a computer of that standing? own: a person asks, or its agent by the certificate that the computer
 * has now. ERR_WRONG_STATE; ERR_UNTRUSTED: by one that was replaced, which is not to end what has begun since. */
int ending_check(const struct ending *ending, enum standing standing, bool own, struct err *err);
/* May its agent come back with the certificate that it has? ERR_WRONG_STATE says what to do instead. */
int standing_may_return(enum standing standing, const char *name, struct err *err);

#endif
