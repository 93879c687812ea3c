/* Parts of messages as JSON, escaped (base/text.h), as the database holds them
 * and the API shows them (doc/contract.md). NULL: no memory. The caller's to free.
 */
#ifndef MUSTER_MANAGER_FRONT_RECORDS_JSON_H
#define MUSTER_MANAGER_FRONT_RECORDS_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "fleet/fleet.h"

/* Bytes from outside as an escaped JSON string. */
json_t *json_escaped(const void *bytes, size_t size);

char *json_of_fields(Muster__Wire__Field *const *fields, size_t count);
char *json_of_progress(const Muster__Wire__Progress *progress);
/* {"code":…,"text":…, fields…} of a command that ended. reported may be NULL. */
char *json_of_result(const Muster__Wire__CommandState *reported, const char *code, const char *text);
char *json_of_addresses(char *const *addresses, size_t count);
/* The stored array with the reported components put over those of the same name; full: in place of all. */
char *json_of_components(const char *stored, Muster__Wire__Component *const *components, size_t count, bool full);
/* The version of signatures in force that a component's facts tell, "" if none. */
const char *patterns_of_components(Muster__Wire__Component *const *components, size_t count);

#endif
