/* From bytes of a request to checked JSON: query strings and bodies. Pure. */
#ifndef MUSTER_MANAGER_API_DECODE_H
#define MUSTER_MANAGER_API_DECODE_H

#include <stdint.h>

#include "base/err.h"
#include "manager/api/shape.h"

#define DECODE_BODY_MAX_BYTES  (1024 * 1024)
#define DECODE_DEPTH_MAX       16
#define DECODE_QUERY_MAX_BYTES 8192
#define DECODE_PARAMETERS_MAX  64

/* A query string ("a=1&b=%20", may be "") as an object of the shape's types
 * (numbers and booleans converted, the rest text). Repeated, malformed and
 * unknown parameters are faults. NULL when there was a fault. The caller's. */
json_t *decode_query(const struct shape *shape, const char *query, struct faults *faults);

/* A body: JSON of an object, UTF-8, no repeated keys, at most
 * DECODE_BODY_MAX_BYTES and DECODE_DEPTH_MAX deep. ERR_FORMAT and ERR_LIMIT say
 * where; what does not fit the shape is in faults, with ERR_RANGE. An empty
 * body is an empty object. */
int decode_body(const struct shape *shape, const uint8_t *bytes, size_t size, struct faults *faults, json_t **ret_json,
		struct err *err);

#endif
