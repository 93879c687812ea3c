/* An agent that waits for its manager: DIR/identity/prepared.pub, put there by
 * `muster-agent prepare --trust FILE`.
 *
 * It holds the server authentication key of the one manager that may activate
 * this agent (specification 30-trust "Enrolment"). As long as it is there and
 * no computer.json is, the agent is prepared and not activated. Belongs to the
 * link user; removed with the activation, and by `reset`. Calls block.
 */
#ifndef MUSTER_AGENT_PREPARED_FILE_H
#define MUSTER_AGENT_PREPARED_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "wire/envelope.h"

#define PREPARED_FILE "prepared.pub"

/* directory: open descriptor of DIR/identity. */
int prepared_file_store(int directory, const uint8_t key[ENVELOPE_KEY_BYTES], uid_t uid, gid_t gid, struct err *err);
/* ERR_NOT_FOUND: not prepared; ERR_FORMAT: damaged, and no manager may activate it. */
int prepared_file_load(int directory, uint8_t key[ENVELOPE_KEY_BYTES], struct err *err);
int prepared_file_remove(int directory, struct err *err);
/* Whether the agent whose data directory this is waits to be activated. */
bool prepared_file_waits(const char *data);

#endif
