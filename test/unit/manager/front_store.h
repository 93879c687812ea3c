/* A front with nothing but a database, settings and news, for tests of what it stores; its time is given_time.h's. */
#ifndef MUSTER_TEST_MANAGER_FRONT_STORE_H
#define MUSTER_TEST_MANAGER_FRONT_STORE_H

#include "../store/fixture.h"

#include "given_time.h"
#include "manager/front/front_state.h"

extern struct front front;

int front_begin(void);
void front_end(void);
/* One statement; id: its :id, or NULL. */
void front_run(const char *sql, const struct uuid *id);

#endif
