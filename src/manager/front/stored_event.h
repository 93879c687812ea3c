/* An event as it was stored, with the raw values of its fields. */
#ifndef MUSTER_MANAGER_FRONT_STORED_EVENT_H
#define MUSTER_MANAGER_FRONT_STORED_EVENT_H

#include <jansson.h>

#include "fleet/event_types.h"
#include "store/store.h"

#define STORED_EVENT_FIELDS_MAX 32 /* more of one event are left out */

/* Fields are stored escaped, as JSON; names stay so, values are as they were reported. */
struct stored_fields {
	json_t *object;
	struct buf raw;
	size_t count;
	struct event_field list[STORED_EVENT_FIELDS_MAX]; /* names point into object, values into raw */
};

/* json: of the column `fields`. Never fails: what does not decode is no field. Free with stored_fields_done(). */
void stored_fields_read(struct stored_fields *fields, const char *json);
void stored_fields_done(struct stored_fields *fields);

#endif
