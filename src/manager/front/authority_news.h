/* What is said when there are other authorities than before: events 937 and 938 and the audit log, once for each.
 *
 * keys has a change on its disk before front knows of it, and either may be killed in between. So what is said does
 * not come from the change: it is the difference between what keys has and what was told before, which is stored
 * with the event.
 */
#ifndef MUSTER_MANAGER_FRONT_AUTHORITY_NEWS_H
#define MUSTER_MANAGER_FRONT_AUTHORITY_NEWS_H

#include "manager/front/front.h"

/* Under the turn of the authorities (front/authorities.h); on a worker thread. actor: who wanted what may be new. Only
 * what keys has said in this run counts. Blocks. */
int authority_news_tell(struct front *front, const struct front_actor *actor, struct err *err);

#endif
