/* Who this agent is: DIR/identity, written by `activate`, read by link.
 *
 *   key.pem          private key, made here, never leaves
 *   cert.pem         certificate from the manager
 *   ca.pem           the manager's authority, pinned by fingerprint at activation
 *   manager.pub      the manager's server authentication key (Ed25519)
 *   computer.json    id, name, manager; written last: with it the agent is activated
 *   renewed          a certificate that follows, with its key and roots, until the
 *                    three files above are written anew: it goes before them
 *   attempt.json     while an activation is under way: its id, so that a retry
 *                    gives the same computer, not another one
 *   attempt-key.pem  the key of that attempt
 *
 * Files are 0600 and belong to the link user. Calls block on the disk.
 */
#ifndef MUSTER_AGENT_IDENTITY_FILES_H
#define MUSTER_AGENT_IDENTITY_FILES_H

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/units.h"
#include "wire/envelope.h"

#define IDENTITY_NAME_BYTES 256
#define IDENTITY_URL_BYTES  1025

struct agent_identity {
	struct uuid computer;
	char name[IDENTITY_NAME_BYTES];
	char manager[IDENTITY_URL_BYTES];
	struct buf key_pem; /* secret */
	struct buf certificate_pem;
	struct buf authority_pem;
	uint8_t manager_key[ENVELOPE_KEY_BYTES];
	uint16_t listen_port; /* as enrolment told it, for agent.ini; not kept here */
};

void agent_identity_init(struct agent_identity *identity);
void agent_identity_done(struct agent_identity *identity); /* wipes the key */

/* directory: open descriptor of DIR/identity. ERR_NOT_FOUND: not activated. The
 * pieces are checked against one another (ERR_UNTRUSTED, ERR_FORMAT). */
int identity_files_load(int directory, struct agent_identity *ret_identity, struct err *err);
/* Only who and where, for displays; no key is read. */
int identity_files_who(int directory, struct agent_identity *ret_identity, struct err *err);
/* Stores that alone. */
int identity_files_who_store(int directory, const struct agent_identity *identity, uid_t uid, gid_t gid,
			     struct err *err);
/* Stores all, computer.json last, and forgets the attempt. */
int identity_files_store(int directory, const struct agent_identity *identity, uid_t uid, gid_t gid, struct err *err);
/* Replaces the manager's key alone, as a whole: what is trusted from then on. */
int identity_files_trust(int directory, const uint8_t key[ENVELOPE_KEY_BYTES], uid_t uid, gid_t gid, struct err *err);
/* Another key, certificate and roots for the same computer: checked, then all of them or none, over any crash. What is
 * in force is *identity afterwards. Owners are those of the directory. */
int identity_files_renew(int directory, struct agent_identity *identity, const struct buf *key_pem,
			 const struct buf *certificate_pem, const struct buf *authority_pem, struct err *err);
/* A moment that has certainly passed: its certificate was issued then. */
time_us identity_proven(const struct agent_identity *identity);
/* Removes what a kill left of files that were being written: keys, perhaps, that nobody uses. At a start. */
void identity_files_sweep(int directory);
/* Removes everything, computer.json first. */
int identity_files_remove(int directory, struct err *err);

struct enrol_attempt {
	struct uuid id;
	struct buf key_pem; /* secret */
};

/* The attempt for this manager and token that an earlier activate left, or a
 * new one, stored before anything is sent. */
int identity_attempt(int directory, const char *manager, const char *token, const struct uuid *fresh,
		     struct enrol_attempt *ret_attempt, struct err *err);
void identity_attempt_done(struct enrol_attempt *attempt);

#endif
