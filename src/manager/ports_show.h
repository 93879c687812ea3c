/* The table of ports as JSON and as text. */
#ifndef MUSTER_MANAGER_PORTS_SHOW_H
#define MUSTER_MANAGER_PORTS_SHOW_H

#include <jansson.h>
#include <stdio.h>

#include "manager/ports.h"

/* A new array, an object a row. */
json_t *manager_ports_json(const struct manager_ports *ports);
/* With a line of titles. */
void manager_ports_print(const struct manager_ports *ports, FILE *out);

#endif
