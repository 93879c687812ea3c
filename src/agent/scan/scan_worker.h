/* A worker: one forked child of the scan program, in a sandbox of its own. */
#ifndef MUSTER_AGENT_SCAN_SCAN_WORKER_H
#define MUSTER_AGENT_SCAN_SCAN_WORKER_H

#include "agent/scan/scan_engine.h"

/* Confines itself to a directory of its own below `temporary`, then answers FILEs
 * from the channel until guard closes it. Never returns. */
void scan_worker_run(struct scan_engine *engine, uint32_t number, int channel_fd, int temporary,
		     const struct message_limits *limits) __attribute__((noreturn));

#endif
