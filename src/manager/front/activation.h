/* Activations from the manager that are under way (manager/front/front_activation.h). */
#ifndef MUSTER_MANAGER_FRONT_ACTIVATION_H
#define MUSTER_MANAGER_FRONT_ACTIVATION_H

#include "manager/front/front_activation.h"

#define ACTIVATIONS_MAX 8 /* at once: each holds a worker */

struct activations;

int activations_new(struct activations **ret_activations, struct err *err);
void activations_free(struct activations *activations); /* accepts NULL */

#endif
