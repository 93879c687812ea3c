/* How much one computer may have stored: a bound for one that was taken over, far above what others need.
 *
 * Each computer has an allowance of INTAKE_BURST_BYTES, which comes back with
 * INTAKE_BYTES_S. Past it its events and quarantined files stay with it, which its
 * agent is told, and everything else goes on: it is heard, obeys, and is shown.
 * Decision 0019. Thread-safe.
 */
#ifndef MUSTER_MANAGER_FRONT_INTAKE_H
#define MUSTER_MANAGER_FRONT_INTAKE_H

#include "base/env.h"
#include "base/err.h"
#include "base/hex.h"

#define INTAKE_BURST_BYTES                                                                                             \
	(128 * (int64_t)1024 * 1024) /* twice what an agent's spool holds, unless agent.ini says more */
#define INTAKE_BYTES_S     (64 * (int64_t)1024)
#define INTAKE_ROW_BYTES   256              /* what an event or a file costs besides its own size: rows, indexes */
#define INTAKE_WAIT_MAX_US (10 * SECOND_US) /* so that it goes on being heard in time */

struct intake;

int intake_new(const struct env *env, struct intake **ret_intake, struct err *err);
void intake_free(struct intake *intake); /* accepts NULL */
/* 0: this may be stored, and counts; else nothing counts, and how long to wait, INTAKE_WAIT_MAX_US at most. */
span_us intake_take(struct intake *intake, const struct uuid *computer, size_t bytes, size_t rows);
/* Computers that have not their whole allowance, or had not lately. */
size_t intake_count(struct intake *intake);

#endif
