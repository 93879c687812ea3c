/* `muster-manager init`: makes a data directory from nothing.
 *
 * manager.ini is written last, so a directory that has one is complete. What
 * is there already is never touched: ERR_EXISTS.
 */
#ifndef MUSTER_MANAGER_INIT_H
#define MUSTER_MANAGER_INIT_H

#include "base/err.h"
#include "base/hex.h"
#include "conf/value.h"
#include "trust/backup.h"
#include "trust/password.h"

struct init_options {
	const char *data_directory;
	const char *name;             /* NULL: the host's */
	struct conf_addresses listen; /* none: every address, port 4343 */
	uint16_t agent_port;          /* 0: a random one of five digits */
	const struct backup
	    *restore; /* keys, CA, name and port of an earlier manager, whose agents stay; NULL: new ones */
};

struct init_result {
	char name[254];
	char url[320];
	char user[16];
	char password[PASSWORD_GENERATED_BYTES]; /* to be wiped by the caller */
	uint8_t ca_fingerprint[SHA256_BYTES];
	uint16_t agent_port;
};

int init_make(const struct init_options *options, struct init_result *ret_result, struct err *err);

#endif
