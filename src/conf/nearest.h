/* The setting that somebody may have meant: for messages about names that there are none of. Pure. */
#ifndef MUSTER_CONF_NEAREST_H
#define MUSTER_CONF_NEAREST_H

#include "conf/conf.h"

#define NEAREST_BYTES 130 /* "[SECTION] KEY" of a table, with its NUL */

/* "[network] https_port" for "network" and "https_prot", aliases too; or one of this key in another section. Names are
 * outside bytes of any length. False: nothing is near. */
bool conf_nearest(const struct conf_table *table, const char *section, const char *key, char near[NEAREST_BYTES]);

#endif
