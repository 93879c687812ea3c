/* The clock by which certificates and sessions end, set forward by a test: for the whole of its program, OpenSSL's own
 * look at it included. A program that uses ahead_s has it, others have the system's. */
#ifndef MUSTER_TEST_NET_CLOCK_AHEAD_H
#define MUSTER_TEST_NET_CLOCK_AHEAD_H

#include <stdint.h>

extern int64_t ahead_s;

#endif
