/* What is said when the keys role cannot use the key of the certificate authority: event 939 and an alert, once, over
 * restarts as well; and event 940 once it can again.
 */
#ifndef MUSTER_MANAGER_FRONT_AUTHORITY_LOSS_H
#define MUSTER_MANAGER_FRONT_AUTHORITY_LOSS_H

struct front;

/* Under the turn of the authorities (front/authorities.h); on a worker thread. Writes only what changes. Blocks. */
void authority_loss_tell(struct front *front);

#endif
