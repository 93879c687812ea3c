/* What the manager listens with, as JSON. */
#ifndef MUSTER_MANAGER_API_TLS_PROFILES_H
#define MUSTER_MANAGER_API_TLS_PROFILES_H

#include <jansson.h>

#include "manager/listening.h"

/* Names of the profiles that any listener accepts: a new array. */
json_t *tls_profiles_enabled(const struct listening *plan);

#endif
