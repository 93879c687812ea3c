/* A manager's public key, as an administrator brings it to an agent. */
#ifndef MUSTER_AGENT_LOCAL_KEY_READ_H
#define MUSTER_AGENT_LOCAL_KEY_READ_H

#include "wire/envelope.h"

/* The file of `muster cert export FILE`. ERR_NOT_FOUND, ERR_FORMAT say what was expected. Blocks. */
int key_read(const char *path, uint8_t key[ENVELOPE_KEY_BYTES], struct err *err);

#endif
