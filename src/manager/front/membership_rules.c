/* Memberships: which standing lets which ending happen (manager/front/membership_rules.h). */
#include "manager/front/membership_rules.h"

#include <string.h>

#include "fleet/event_types.h"

static const char *const standing_names[STANDINGS] = {
	[STANDING_MANAGED] = "managed", [STANDING_ADDED] = "added",     [STANDING_DEACTIVATED] = "deactivated",
	[STANDING_MOVED] = "moved",     [STANDING_REVOKED] = "revoked",
};

const char *standing_name(enum standing standing)
{
	return standing_names[standing];
}

enum standing standing_parse(const char *name)
{
	unsigned standing = 0;

	while (standing < STANDINGS && strcmp(standing_names[standing], name) != 0)
		standing++;
	return standing < STANDINGS ? (enum standing)standing : STANDING_REVOKED;
}

const struct ending membership_endings[ENDINGS] = {
	[ENDING_DEACTIVATE] = { .action = "computer.deactivate",
				.done = "was deactivated",
				.from = { [STANDING_MANAGED] = true },
				.refused = "the computer is not activated",
				.standing = STANDING_DEACTIVATED,
				.roster = ROSTER_DEACTIVATED,
				.status = "unmanaged",
				.cause = "deactivated by",
				.event = EVENT_DEACTIVATED },
	[ENDING_MOVE] = { .action = "computer.move",
			  .done = "moved to another manager",
			  .from = { [STANDING_MANAGED] = true },
			  .refused = "the computer is not activated",
			  .standing = STANDING_MOVED,
			  .roster = ROSTER_MOVED,
			  .status = "unmanaged",
			  .cause = "moved to",
			  .event = EVENT_COMPUTER_MOVED },
	[ENDING_REVOKE] = { .action = "computer.revoke",
			    .done = "lost its certificate",
			    .from = { [STANDING_MANAGED] = true,
				      [STANDING_DEACTIVATED] = true,
				      [STANDING_MOVED] = true },
			    .refused = "the computer has no certificate that could be revoked",
			    .standing = STANDING_REVOKED,
			    .roster = ROSTER_REVOKED,
			    .status = "reactivation_required",
			    .cause = "its certificate was revoked by",
			    .event = EVENT_DEACTIVATED,
			    .second_event = EVENT_CERTIFICATE_DELETED },
	[ENDING_UNINSTALL] = { .action = "computer.uninstall",
			       .done = "was uninstalled",
			       .from = { [STANDING_MANAGED] = true },
			       .refused = "the computer is not activated",
			       .standing = STANDING_REVOKED,
			       .roster = ROSTER_REVOKED,
			       .status = "unmanaged",
			       .cause = "uninstalled by",
			       .by = "an administrator of the computer",
			       .event = EVENT_COMPUTER_UNINSTALLED,
			       .second_event = EVENT_CERTIFICATE_DELETED },
	[ENDING_DELETE] = { .action = "computer.delete",
			    .done = "was deleted",
			    .from = { true, true, true, true, true },
			    .roster = ROSTER_DELETED,
			    .event = EVENT_COMPUTER_DELETED,
			    .deletes = true },
};

int ending_check(const struct ending *ending, enum standing standing, bool own, struct err *err)
{
	if (!ending->from[standing])
		return err_set(err, ERR_WRONG_STATE, "%s", ending->refused);
	return own ? 0
		   : err_set(err, ERR_UNTRUSTED,
			     "this is not the computer's certificate any more: it was activated anew meanwhile");
}

int standing_may_return(enum standing standing, const char *name, struct err *err)
{
	switch (standing) {
	case STANDING_DEACTIVATED:
	case STANDING_MOVED:
		return 0;
	case STANDING_MANAGED:
		return err_set(err, ERR_WRONG_STATE, "the computer is activated already");
	default:
		return err_set(err, ERR_WRONG_STATE,
			       "the computer has no valid certificate: activate its agent with a token "
			       "(muster token create --enrolment) under the name %.100s",
			       name);
	}
}
