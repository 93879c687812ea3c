/* Policies as those who handle API requests see them (policy/tree.h has the rules).
 *
 * Looking happens with the tree held still; changing is all or nothing: checked,
 * computed, stored with its history, audit entries and events in one write, then
 * in force. Agents get what changed for them at the pace of the setting
 * policy.rollout_rate; others are not contacted. Worker threads only; blocks.
 */
#ifndef MUSTER_MANAGER_FRONT_FRONT_POLICY_H
#define MUSTER_MANAGER_FRONT_FRONT_POLICY_H

#include <jansson.h>

#include "manager/front/front.h"
#include "policy/tree.h"

/* Calls look() with the tree; it must not block, nor keep pointers. Returns what it returns. */
int front_policy_look(struct front *front, int (*look)(const struct policy_tree *tree, void *argument, struct err *err),
		      void *argument, struct err *err);

/* How far computers are with the configuration they should have. */
struct front_configuration_counts {
	uint64_t computers, pending, sent, applied, failed;
};
/* Inside look(): of the computers right below a policy. */
void front_policy_counts(struct front *front, const struct policy_node *policy,
			 struct front_configuration_counts *ret_counts);

enum front_policy_edit_kind {
	FRONT_POLICY_CREATE, /* name, parent (NULL: base), changes */
	FRONT_POLICY_CHANGE, /* of a policy or a computer: name, parent, changes, each if given */
	FRONT_POLICY_DELETE,
	FRONT_POLICY_PUT, /* by name: created if missing, then changed; what changes does not name is inherited */
};

enum front_appliance { FRONT_APPLIANCE_KEEP, FRONT_APPLIANCE_NO, FRONT_APPLIANCE_YES };

struct front_policy_edit {
	enum front_policy_edit_kind kind;
	struct uuid subject; /* create, put: set by the call */
	bool computer;       /* the subject is a computer, and then: */
	enum front_appliance appliance;
	const char *name;   /* NULL: as it is */
	const char *parent; /* id or name of a policy; NULL: as it is. Of a computer: its policy */
	const struct policy_change *changes;
	size_t change_count;
	uint64_t version; /* the subject's must be this; 0: any */
	uint64_t reverts; /* to this version, for the traces; 0: an ordinary change */
	/* Create: a deleted policy again, which is `subject` and whose last version was this; 0: a new one. */
	uint64_t restores;
};

struct front_policy_result {
	uint64_t affected;  /* computers for which something changes */
	uint64_t contacted; /* of them those whose agent gets another configuration */
	char *changes;      /* JSON: [{subject, name, action, changes[{name, old, new}]}]; free() */
};
/* Values of secret settings in a list of changes [{name, old, new}], replaced by what may be shown of them. */
void front_policy_changes_hide(json_t *changes);
/* Does them in order, as one. dry_run: only says what would be. fault() is told
 * each setting that is wrong. ERR_NOT_FOUND, ERR_EXISTS, ERR_RANGE (settings, names),
 * ERR_WRONG_STATE, ERR_LIMIT; ERR_CONFLICT: another version. */
int front_policy_edit(struct front *front, struct front_policy_edit *edits, size_t count, bool dry_run,
		      const struct front_actor *actor,
		      void (*fault)(void *context, const char *name, const char *reason), void *context,
		      struct front_policy_result *ret_result, struct err *err);

/* Back to how the policy or computer was as of that version. Nothing to do is no error. */
int front_policy_revert(struct front *front, const struct uuid *subject, bool computer, uint64_t version,
			uint64_t expected, const struct front_actor *actor, struct front_policy_result *ret_result,
			struct err *err);

/* A deleted policy again, with the id, the settings, the name and the parent it had; name and parent: others, NULL:
 * those. fault() as above. ERR_NOT_FOUND: no such policy was ever deleted; ERR_WRONG_STATE: it is there, or its parent
 * is not; ERR_EXISTS: another one has its name. */
int front_policy_restore(struct front *front, const struct uuid *subject, const char *name, const char *parent,
			 const struct front_actor *actor,
			 void (*fault)(void *context, const char *name, const char *reason), void *context,
			 struct front_policy_result *ret_result, struct err *err);

/* The policy's name as it is written, of an id or a name in any case. ERR_NOT_FOUND. */
int front_policy_name(struct front *front, const char *given, char name[POLICY_NAME_MAX_BYTES + 1], struct err *err);

#endif
