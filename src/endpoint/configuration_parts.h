/* What the parts of configurations' life share (endpoint/configuration.h): what is known of one, what of it is on the
 * disk (configuration_kept.c), and the way to the manager that it brings (configuration_way.c). */
#ifndef MUSTER_ENDPOINT_CONFIGURATION_PARTS_H
#define MUSTER_ENDPOINT_CONFIGURATION_PARTS_H

#include "endpoint/parts.h"

/* --- configuration_kept.c --- */
void known_configuration_done(struct known_configuration *known);
/* With `kept` as the one in force; replaces the file. Blocks on the disk. */
int configuration_save(struct endpoint *endpoint, const struct known_configuration *kept, struct err *err);
/* Takes what the file has; one that is damaged counts as none, and event 6010 is told. */
int configuration_load(struct endpoint *endpoint, struct err *err);
/* When the one that failed in force may be tried again, by how often it has. */
time_us configuration_again_at(const struct endpoint *endpoint);

/* --- configuration_way.c --- */
bool configuration_same_way(const struct endpoint_connection *a, const struct endpoint_connection *b);
/* The last good one's, or agent.ini's. */
const struct endpoint_connection *configuration_good_way(const struct endpoint *endpoint);
/* From now on, without a word to the shell. */
void configuration_use_way(struct endpoint *endpoint, const struct endpoint_connection *connection);
/* From now on, if it is another one: what is under way is dropped, and the shell dials anew. */
void configuration_change_way(struct endpoint *endpoint, const struct endpoint_connection *connection);

#endif
