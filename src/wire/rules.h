/* What each field of each message may hold: a table of rules and one walk.
 *
 * The walk follows protobuf-c's descriptors, so that a message nested anywhere
 * is checked by the same row. A field of text, bytes, parts or repeated values
 * without a row is refused (a unit test finds it first).
 */
#ifndef MUSTER_WIRE_RULES_H
#define MUSTER_WIRE_RULES_H

#include <stdbool.h>

#include "base/err.h"
#include "exchange.pb-c.h"

/* Checks message and all its parts; name begins the path in the error. Errors as in exchange.h. */
int rules_check(const ProtobufCMessage *message, const char *name, struct err *err);

/* For the test of completeness: whether the table has a row that fits this field. */
bool rules_cover(const ProtobufCMessageDescriptor *message, const ProtobufCFieldDescriptor *field);

#endif
