/* What an exchange or a tick of the fleet changes, made ready for the database.
 *
 * records_make() turns fleet_rows (fleet/fleet.h) into values and JSON on the
 * thread that heard the report, so that the writer only binds and steps.
 * records_write() runs inside a write function; afterwards the records tell
 * what to publish and which quarantined files are wanted. Alerts follow from
 * the rows in the same write (manager/front/alerting.h). Field values are from
 * outside: they are escaped here, once.
 */
#ifndef MUSTER_MANAGER_FRONT_RECORDS_H
#define MUSTER_MANAGER_FRONT_RECORDS_H

#include <stdbool.h>

#include "base/env.h"
#include "fleet/fleet.h"
#include "manager/front/front.h"
#include "store/store.h"

struct records;

#define RECORDS_WANTED_MAX 64 /* files asked for in one reply */

/* full: components are all there are. ERR_MEMORY, ERR_LIMIT. */
int records_make(const struct fleet_rows *rows, bool full, const struct env *env, struct records **ret_records,
		 struct err *err);
void records_free(struct records *records); /* accepts NULL */

/* A store_function's body. largest: the largest file to ask for, 0: none.
 * ERR_CONFLICT: the events do not follow the stored floor. */
int records_write(struct records *records, struct front *front, struct store_session *session, uint64_t largest,
		  struct err *err);

/* After the commit. */
const struct front_news *records_news(const struct records *records, size_t *ret_count);
const struct uuid *records_wanted(const struct records *records, size_t *ret_count);
struct records_count {
	uint64_t stored, repeated;
	uint64_t beside; /* of those stored: another one has their number */
};
struct records_count records_count(const struct records *records);
/* Which machine the computer says it is; NULL: it does not say. */
const struct uuid *records_machine(const struct records *records, const struct uuid **ret_computer);

#endif
