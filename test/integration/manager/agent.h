/* An agent's side of the link, as small as tests need: key, certificate,
 * reports and their replies. */
#ifndef MUSTER_TEST_MANAGER_AGENT_H
#define MUSTER_TEST_MANAGER_AGENT_H

#include "fixture.h"
#include "wire/exchange.h"

struct agent {
	struct fixture *fixture;
	struct buf key;     /* PEM */
	struct buf request; /* PKCS#10 */
	char *certificate;  /* PEM, once enrolled */
	struct uuid computer;
	struct uuid attempt;
	uint8_t server_authentication[32];
	char name[256];
	uint64_t session, sequence;
	uint8_t configuration[SHA256_BYTES]; /* the last that it was given; told from then on, and so not given again */
	bool has_configuration;
	uint64_t marks; /* of event n: this and n; another one of two that number alike has others */
};

/* A key of its own; not enrolled. */
void agent_init(struct agent *agent, struct fixture *fixture);
void agent_done(struct agent *agent);
/* POST /agent/v1/enrol: the status; on 200 the agent is enrolled. detail may be NULL. */
long agent_enrol(struct agent *agent, const char *token, const char *name, long *ret_retry_after, char *detail,
		 size_t capacity);
/* The same with the certificate that it has in place of a token; on 200 it has another. */
long agent_enrol_anew(struct agent *agent, const char *name, char *detail, size_t capacity);
/* A token that may be used `uses` times; text is the caller's to free. */
char *enrolment_token(struct fixture *fixture, int uses, const char *expires);
/* Both in one, for tests that are about something else. */
void agent_enrolled(struct agent *agent, struct fixture *fixture, const char *name);

/* A report of this agent with the next sequence number; the caller fills in the rest. */
Muster__Wire__Report agent_report(struct agent *agent);
/* Sends it. ret_reply and ret_arena on 200 (NULL: not wanted). Returns the status, 0: no answer. */
long agent_exchange(struct agent *agent, const Muster__Wire__Report *report, Muster__Wire__Reply **ret_reply,
		    struct arena **ret_arena);
/* The first report with components and host, so that nothing is asked for any more. */
void agent_hello(struct agent *agent);
/* Sends events first to first + count - 1 of type 5000; the number acknowledged, -1: no good answer. */
int64_t agent_events(struct agent *agent, uint64_t first, size_t count);

#endif
