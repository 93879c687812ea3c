/* When the manager's authority is followed by another, and when that one's turn to issue comes.
 *
 * Pure: dates and counts in, a step out. The next root is prepared when two thirds of the present one's life are over
 * (or a person says so), and from then on goes with every certificate that agents are given. It issues as soon as each
 * agent that is waited for has it: each that is connected, until two weeks after it was told at the latest. Those who
 * are away or do not take it (an old version, a disk that fails) believe it by the certificate that leads to it. At the
 * latest it issues before a certificate could not be given its whole life any more.
 */
#ifndef MUSTER_TRUST_AUTHORITY_TURN_H
#define MUSTER_TRUST_AUTHORITY_TURN_H

#include <stddef.h>

#include "trust/renewal.h"

/* Before the present one's end: what is issued a moment before still has its whole life, and time to be replaced. */
#define AUTHORITY_LAST_PERIOD_US (2 * 365 * DAY_US)

/* Agents that are connected, were told and do not take it are waited for so long. */
#define AUTHORITY_PATIENCE_US (14 * DAY_US)

struct authority_state {
	struct renewal_life issuing;
	bool has_next;
	size_t without;  /* connected agents that have not got the next one */
	time_us told_by; /* when the last of them is told of it */
};

enum authority_step { AUTHORITY_STAYS, AUTHORITY_PREPARES, AUTHORITY_TURNS };
enum authority_step authority_step(const struct authority_state *state, time_us now);
/* From when on nobody is waited for; with a next one. */
time_us authority_turns_by(const struct authority_state *state);

/* Agents that were given their certificate without the newest root have another, spread over this: at most a tenth of
 * the pace at which connected agents are told anything (computers a second). */
span_us authority_spread(size_t computers, int64_t pace);
/* When the one with this seed (renewal_due()) has it, of those that are told from `since` on. */
time_us authority_told_at(time_us since, span_us spread, uint64_t seed);

#endif
