/* A new folder for a test's files, removed with what is in it. */
#ifndef MUSTER_TEST_TRUST_FOLDER_H
#define MUSTER_TEST_TRUST_FOLDER_H

#include <stddef.h>

/* cmocka setup and teardown: *state is the folder's path. */
int folder_setup(void **state);
int folder_teardown(void **state);
/* path of a file in it; valid until four calls later. */
const char *folder_file(void **state, const char *name);
/* Files in it, hidden ones too. */
size_t folder_count(void **state);

#endif
