/* Whether the files of the keys are still what this role has in memory, or, of a key that is missing, whether there is
 * one again.
 *
 * Looked at every second while the role waits, by lstat() of two files: that sees what inotify does not (a file system
 * that was mounted over, one of another machine), needs no permission, and costs nothing that could be measured. What
 * people put there is often root's alone to read, and this role has given up root: the supervisor opens it
 * (MESSAGE_OPEN_KEY). A key that is missing is taken up by a new start of the role, but never while another one is in
 * its memory alone. Another folder than at the start is none to write in (Landlock): with the right files in it, it is
 * a reason for a new start, too.
 */
#ifndef MUSTER_MANAGER_KEYS_KEY_WATCH_H
#define MUSTER_MANAGER_KEYS_KEY_WATCH_H

#include "base/units.h"
#include "manager/keys/key_place.h"
#include "manager/messages.h"

#define KEY_WATCH_LOOK_MS 1000

struct key_watch {
	struct key_place *places[KEPT_KEYS];
	struct channel *supervisor; /* who is asked to open what this role may not read */
	ino_t folder;               /* that this role may write in */
	time_us look_at;            /* monotonic */
};

/* At the start, when the folder is reached: another one in its place is not for this role to write in. */
void key_watch_begin(struct key_watch *watch, const char *data_directory);
/* A look, if its time has come. True: this role is to end, and to be started anew with the rights to read. */
bool key_watch_look(struct key_watch *watch, time_us now);
/* At once, of keys that are in memory: a person asks. */
void key_watch_look_now(struct key_watch *watch);
/* The supervisor's answer. Closes message->fd. */
void key_watch_opened(struct key_watch *watch, const struct channel_message *message);
void key_watch_state(const struct key_watch *watch, struct message_key_files *ret_files);

#endif
