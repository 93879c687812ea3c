/* The files of the manager's keys, told of: one that vanished, cannot be read or holds something else, while the key is
 * in memory still (keys/key_watch.h). Event 941 and a critical alert say so once, over restarts as well; event 942 ends
 * both. A key that is missing altogether is told of elsewhere (front/authority_loss.h, front/server_keys.h).
 */
#ifndef MUSTER_MANAGER_FRONT_KEY_FILES_H
#define MUSTER_MANAGER_FRONT_KEY_FILES_H

#include "manager/front/front.h"
#include "manager/messages.h"

struct key_files;

/* ERR_MEMORY. */
int key_files_new(struct front *front, struct key_files **ret_files, struct err *err);
void key_files_free(struct key_files *files); /* accepts NULL */

/* Every few seconds: asks keys, and tells what has changed. Argument: the front. Worker threads; blocks. */
void key_files_review(void *front);

/* As keys said last; nothing held before it has said anything. Any thread. */
void front_key_files(struct front *front, struct message_key_files *ret_files);
/* False: a key is in memory alone. Any thread. */
bool front_key_files_in_order(struct front *front);
/* Has those written anew that are not as they should be, out of memory. ERR_CONFLICT: something is there, and force is
 * not said, by which it is set aside. Worker threads; blocks. */
int front_key_files_write(struct front *front, bool force, const struct front_actor *actor, struct err *err);

#endif
