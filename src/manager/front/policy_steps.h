/* One edit of the tree on its way: inner header of policy_edit.c and policy_rows.c. */
#ifndef MUSTER_MANAGER_FRONT_POLICY_STEPS_H
#define MUSTER_MANAGER_FRONT_POLICY_STEPS_H

#include <jansson.h>

#include "manager/front/policies.h"

enum step_action { STEP_CREATE, STEP_CHANGE, STEP_DELETE, STEP_REVERT, STEP_RESTORE };

struct policy_step {
	enum step_action action;
	struct uuid subject;
	bool is_computer;
	bool appliance; /* afterwards */
	bool renamed;
	struct uuid parent;                          /* afterwards; of a computer: its policy; zero: none */
	char name[POLICY_NAME_MAX_BYTES + 17];       /* afterwards, or as it was when deleted */
	char former[POLICY_NAME_MAX_BYTES + 1];      /* a policy's name before */
	char parent_name[POLICY_NAME_MAX_BYTES + 1]; /* afterwards */
	uint64_t version;                            /* before; afterwards one more */
	uint64_t reverts;
	json_t *changes; /* [{name, old, new}]; empty: nothing to do */
};

struct policy_steps {
	struct front *front;
	const struct front_actor *actor;
	struct policy_step *steps;
	size_t count;
	uint64_t revision; /* to store */
};

/* A store_function: rows, history, audit entries, events of all steps. */
int policy_steps_write(struct store_session *session, void *steps, struct err *err);
/* The present version of step->subject, and a computer's name. ERR_NOT_FOUND. */
int policy_step_read(struct front *front, struct policy_step *step, struct err *err);
/* "create", "change", "delete", "revert", "restore" */
const char *policy_step_name(enum step_action action);

#endif
