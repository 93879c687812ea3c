/* Another identity for this agent: of the same manager, when it was told to enrol
 * anew, or of another one, to which it moves.
 *
 * New first, old last: it enrols over connections of its own while the present
 * identity goes on. When the new one is whole on the disk (agent/identity_switch.h)
 * it is decided; what the old manager has not got yet is told to it if it can be
 * reached soon, else it moves along; then link ends, and is started again by
 * guard as the new one. When the new manager cannot be reached or verified, or
 * refuses, nothing has changed. Loop thread only.
 */
#ifndef MUSTER_AGENT_LINK_LINK_CANDIDATE_H
#define MUSTER_AGENT_LINK_LINK_CANDIDATE_H

#include "agent/link/link.h"

struct link_candidate;

/* What the manager is known by: one of the two at least. With a key it proves that before it is told anything. */
struct link_move {
	const char *manager; /* https://HOST:PORT */
	const char *token;   /* of that manager; "": none, and it lets this computer in without, or does not */
	bool has_authority, has_key;
	uint8_t authority[SHA256_BYTES]; /* fingerprint of its CA */
	uint8_t key[ENVELOPE_KEY_BYTES]; /* its server authentication key */
	uint16_t listen_port;            /* where to listen then; 0: as that manager says */
};

struct link_candidate *link_candidate_new(struct link *link, int store, struct err *err);
void link_candidate_free(struct link_candidate *candidate);
/* Reply.rekey: begins unless it is under way, or failed a short while ago. */
void link_candidate_rekey(struct link_candidate *candidate);
/* Is it under way, or decided? endpoint_actor's leaves. */
bool link_candidate_rekeys(const struct link_candidate *candidate);
/* done() is called once, with 0 when the new manager has taken this computer: it will leave the old one. ERR_FORMAT,
 * ERR_BUSY while another is under way, ERR_EXISTS: it is that manager's already; then done() is not called. */
int link_candidate_move(struct link_candidate *candidate, const struct link_move *move,
			void (*done)(void *argument, int rc, const struct err *err), void *argument, struct err *err);
/* done() is not called any more. */
void link_candidate_unwatch(struct link_candidate *candidate, const void *argument);
/* Ends link when what is to be told before was told. */
void link_candidate_step(struct link_candidate *candidate);
time_us link_candidate_due(const struct link_candidate *candidate);

#endif
