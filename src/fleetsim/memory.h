/* An endpoint's storage that forgets: simulated agents are not restarted
 * within a run, and the endpoint holds in memory all that it still needs.
 * Every read finds an empty file, every write succeeds. */
#ifndef MUSTER_FLEETSIM_MEMORY_H
#define MUSTER_FLEETSIM_MEMORY_H

#include "endpoint/storage.h"

struct endpoint_storage memory_storage(void);

#endif
