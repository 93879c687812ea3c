/* The file of a key that is in memory: does it still hold what this role read or wrote there?
 *
 * A look is one lstat(); only when it sees another file than before is that one read, once two looks have seen the
 * same: who puts a file there is not interrupted. What was put there is compared byte for byte (by its SHA-256) and
 * never used. It is never written over either: a file that was put there stays, or is set aside under a name of its
 * own. Whoever may write there is a person with the rights of root; what the file holds is untrusted.
 */
#ifndef MUSTER_MANAGER_KEYS_KEY_PLACE_H
#define MUSTER_MANAGER_KEYS_KEY_PLACE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hex.h"
#include "manager/layout.h"
#include "os/file_mark.h"

struct key_place {
	const char *name; /* below the data directory */
	char path[LAYOUT_PATH_BYTES];
	bool held;                   /* the key is in memory */
	struct file_mark last;       /* as it was at the last look, */
	struct file_mark judged;     /* and when it was found to be as `why` says */
	bool asked;                  /* or told, of the file of `last`: once */
	uint8_t right[SHA256_BYTES]; /* of the bytes that hold what is in memory */
	uint8_t tried[SHA256_BYTES]; /* of those written last: they are there if a failure came after the rename */
	char why[ERR_TEXT_BYTES];    /* "": the file holds what is in memory; else what is wrong with it */
};

/* Before the file is read at the start: what is found there is what memory will hold. name is kept. */
void key_place_begin(struct key_place *place, const char *data_directory, const char *name);
/* The same file, reached in another way from now on. */
void key_place_reach(struct key_place *place, const char *data_directory);

/* A file that nobody is about to write, and other than `judged`. */
bool key_place_is_news(struct key_place *place);
/* What is there now is what was judged last. */
bool key_place_is_settled(const struct key_place *place);
/* Reads it and sets `why`. ERR_DENIED, and nothing is set: this role may not read it. */
int key_place_judge(struct key_place *place, struct err *err);
/* The same, of the file of the last look that somebody else has opened. Closes fd. */
void key_place_judge_opened(struct key_place *place, int fd);

/* It cannot be read by anybody; text: why, as of the file of the last look. */
void key_place_give_up(struct key_place *place, const char *text);

/* Before it is written: nothing is lost by that. ERR_CONFLICT: there is what somebody has put there. When nothing is in
 * memory, what is there is set aside: it may be all that is left of a key. */
int key_place_clear(struct key_place *place, struct err *err);
/* A person wants it written anew out of memory. ERR_CONFLICT: there is something, and force is not said; else it is set
 * aside. */
int key_place_make_way(struct key_place *place, bool force, struct err *err);
/* Written, or attempted (rc): these bytes hold what is in memory, or is to be. */
void key_place_written(struct key_place *place, const struct buf *bytes, int rc);

#endif
