/* Resources whose rows people make, change, delete or revoke: by one
 * description each.
 *
 * A description names the statements, the members of a body with the columns
 * that they go to, and what is particular: rules over several members, whom a
 * change concerns. Every change is one write with its audit entry. What a
 * description leaves out (NULL, 0) the resource does not have.
 */
#ifndef MUSTER_MANAGER_API_RESOURCE_H
#define MUSTER_MANAGER_API_RESOURCE_H

#include "manager/api/rows.h"

enum resource_kind {
	RESOURCE_TEXT,
	RESOURCE_TRUTH, /* true for a new one without it */
	RESOURCE_TEXTS, /* stored as JSON; empty for a new one without it */
};

struct resource_member {
	const char *name;   /* in the body */
	const char *column; /* and parameter of `insert` and `update` */
	enum resource_kind kind;
	const char *initial; /* of text: what a new one has without it; NULL: it is always given */
	bool secret;         /* never shown, nor in the audit log */
};

struct resource {
	const char *name; /* "enrolment_token": of actions in the audit log */
	const char *what; /* "enrolment token": in sentences */
	struct list list; /* its `row` is also how one is shown */
	bool versioned;   /* has a member "version", which is its ETag */
	/* by_id (:id), remove (:id), revoke (:id, :revoked), count (as `count`); insert and update have :id and a
	 * parameter a member, insert also :created and :created_by. */
	const struct store_statement *by_id, *insert, *update, *remove, *revoke, *count;
	int64_t most; /* of them */
	const struct resource_member *members;
	size_t member_count;
	/* What a new one has besides, when the body does not say it. */
	void (*initial)(json_t *values, const json_t *body);
	/* All members as they are to be, before anything is written. False: it was answered. */
	bool (*check)(struct api_call *call, const json_t *values);
	/* Once a change is stored. */
	void (*changed)(struct front *front);
};

/* Handlers: each answers the call. They block. */
int resource_list(struct api_call *call, const struct resource *resource, struct err *err);
int resource_show(struct api_call *call, const struct resource *resource, struct err *err);
int resource_create(struct api_call *call, const struct resource *resource, struct err *err);
int resource_change(struct api_call *call, const struct resource *resource, struct err *err);
int resource_remove(struct api_call *call, const struct resource *resource, struct err *err);
int resource_revoke(struct api_call *call, const struct resource *resource, struct err *err);

/* The one with this id as JSON, the caller's; ERR_NOT_FOUND. */
int resource_json(struct api_call *call, const struct resource *resource, const struct uuid *id, json_t **ret_json,
		  struct err *err);
/* Answers with it. */
int resource_reply(struct api_call *call, const struct resource *resource, int status, const struct uuid *id,
		   struct err *err);
/* When the body's `expires` says that it ends; `life` from now if it does not. ERR_RANGE: in the past. */
int resource_expires(struct api_call *call, span_us life, time_us *ret_expires, struct err *err);

#endif
