/* What a fuzz target demands of what it runs: prints the demand and ends. */
#ifndef MUSTER_TEST_REQUIRE_H
#define MUSTER_TEST_REQUIRE_H

#include <stdio.h>
#include <stdlib.h>

#define require(demand)                                                                                                \
	do {                                                                                                           \
		if (!(demand)) {                                                                                       \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #demand);                           \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

#endif
