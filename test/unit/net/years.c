/* Thirty years of a fleet: certificates follow one another, roots too, computers are off for up to three years, answers
 * get lost, the manager starts anew. Real keys, certificates and handshakes; the days are made up. Nobody is lost, and
 * nothing that has ended is used but to have another. */
#include <openssl/rand.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/tls.h"
#include "pair.h"
#include "trust/authorities.h"
#include "trust/authority_turn.h"
#include "trust/identity.h"
#include "trust/renewal.h"
#include "trust/roots.h"

#define AGENTS       24
#define YEARS        30
#define STEP_US      (10 * DAY_US)
#define OFF_MOST_US  (3 * 365 * DAY_US)
#define GRACE_US     (5 * 365 * DAY_US)
#define FIRST        ((time_us)1795294800 * SECOND_US)
#define BUNDLE_BYTES ((size_t)48 * 1024)

struct certificate {
	struct buf key, pem; /* pem: what its owner shows */
	struct certificate_facts facts;
	bool there;
};

struct manager {
	struct authorities *authorities;
	struct buf bundle;   /* what agents are given */
	struct buf clients;  /* whom it takes: the roots alone */
	struct buf leads_on; /* what goes behind a certificate of its own */
	struct buf first;    /* the root that issues */
	time_us newest;      /* when the newest root was made; 0: there is but one */
	struct certificate listener;
	struct tls_server *tls;
	unsigned prepared, successions, dropped, restarts, listener_renewals;
};

struct agent {
	struct uuid id;
	struct certificate mine;
	struct buf roots;
	struct certificate present, next; /* on record at the manager: fingerprints and ends */
	struct tls_client *tls;
	time_us off_until;
	time_us roots_made; /* of the newest root that it was given */
	unsigned renewals, renewed_after_its_end, lost;
};

static struct manager manager;
static struct agent agents[AGENTS];
static time_us now = FIRST;
static uint64_t chance_state = 88172645463325252u;
static unsigned handshakes;

/* The same years each time. */
static uint64_t chance(uint64_t below)
{
	chance_state ^= chance_state << 13;
	chance_state ^= chance_state >> 7;
	chance_state ^= chance_state << 17;
	return chance_state % below;
}

static void certificate_init(struct certificate *certificate)
{
	memset(certificate, 0, sizeof(*certificate));
	buf_init(&certificate->key, 65536);
	buf_init(&certificate->pem, 65536);
}

static void certificate_done(struct certificate *certificate)
{
	buf_wipe(&certificate->key);
	buf_done(&certificate->pem);
}

static void read_facts(struct certificate *certificate)
{
	assert_int_equal(certificate_read(certificate->pem.data, certificate->pem.size, &certificate->facts, NULL), 0);
	certificate->there = true;
	/* Nothing outlives its authority. */
	assert_true(certificate->facts.not_after <= authority_end(authorities_issuing(manager.authorities)));
}

static bool is_due(const struct certificate *certificate)
{
	const struct renewal_life life = { certificate->facts.not_before, certificate->facts.not_after };
	uint64_t seed;

	memcpy(&seed, certificate->facts.fingerprint, sizeof(seed));
	return renewal_due(&life, seed) <= now;
}

/* --- the manager --- */

/* What agents are given, whom listeners take, what goes behind a certificate: front/authorities.c. */
static void publish(void)
{
	struct buf links;

	buf_init(&links, BUNDLE_BYTES);
	buf_reset(&manager.bundle);
	buf_reset(&manager.clients);
	buf_reset(&manager.leads_on);
	buf_reset(&manager.first);
	assert_int_equal(authorities_pem(manager.authorities, &manager.bundle, NULL), 0);
	assert_int_equal(roots_split(buf_text(&manager.bundle), &manager.first, &manager.clients, &links, NULL), 0);
	buf_append(&manager.leads_on, links.data, links.size);
	buf_append(&manager.leads_on, manager.clients.data, manager.clients.size);
	assert_int_equal(manager.leads_on.status, 0);
	buf_done(&links);
}

static void make_listener(void)
{
	static const char *const names[] = { "manager.example.org" };
	struct buf request;

	certificate_done(&manager.listener);
	certificate_init(&manager.listener);
	buf_init(&request, 65536);
	assert_int_equal(identity_make(&manager.listener.key, &request, NULL), 0);
	assert_int_equal(authority_certify_server(authorities_issuing(manager.authorities), request.data, request.size,
						  names, 1, now, &manager.listener.pem, NULL),
			 0);
	read_facts(&manager.listener);
	buf_done(&request);
}

static void make_chain(struct buf *chain)
{
	buf_init(chain, 2 * BUNDLE_BYTES);
	buf_append(chain, manager.listener.pem.data, manager.listener.pem.size);
	buf_append(chain, manager.leads_on.data, manager.leads_on.size);
}

static void start_manager(void)
{
	uint8_t ticket_key[TLS_TICKET_KEY_BYTES];
	struct err err = { 0 };
	struct buf chain;

	RAND_bytes(ticket_key, sizeof(ticket_key));
	make_chain(&chain);
	tls_server_free(manager.tls);
	manager.tls = tls_server_new(buf_text(&chain), buf_text(&manager.listener.key), buf_text(&manager.clients),
				     ticket_key, &err);
	assert_non_null(manager.tls);
	buf_done(&chain);
	manager.restarts++;
}

/* Without a restart. */
static void reload(void)
{
	struct buf chain;

	make_chain(&chain);
	assert_int_equal(tls_server_certify(manager.tls, buf_text(&chain), buf_text(&manager.listener.key), NULL), 0);
	assert_int_equal(tls_server_trust(manager.tls, buf_text(&manager.clients), NULL), 0);
	buf_done(&chain);
}

static void first_manager(void)
{
	struct authority *authority;

	buf_init(&manager.bundle, BUNDLE_BYTES);
	buf_init(&manager.clients, BUNDLE_BYTES);
	buf_init(&manager.leads_on, BUNDLE_BYTES);
	buf_init(&manager.first, BUNDLE_BYTES);
	certificate_init(&manager.listener);
	assert_int_equal(authority_generate("Muster CA of a test", now, &authority, NULL), 0);
	assert_int_equal(authorities_new(authority, &manager.authorities, NULL), 0);
	publish();
	make_listener();
	start_manager();
}

/* Connected, and without the newest root. */
static size_t without(void)
{
	size_t count = 0;

	for (size_t i = 0; i < AGENTS; i++)
		count += agents[i].off_until <= now && agents[i].roots_made < manager.newest;
	return count;
}

static bool follow_the_rule(void)
{
	const struct authority_state state = { { authority_end(authorities_issuing(manager.authorities)) -
						     AUTHORITY_VALIDITY_DAYS * DAY_US,
						 authority_end(authorities_issuing(manager.authorities)) },
					       authorities_next(manager.authorities) != NULL,
					       without(),
					       manager.newest };

	switch (authority_step(&state, now)) {
	case AUTHORITY_PREPARES:
		assert_int_equal(authorities_prepare(manager.authorities, now, NULL), 0);
		manager.newest = now;
		manager.prepared++;
		return true;
	case AUTHORITY_TURNS:
		assert_int_equal(authorities_turn(manager.authorities, NULL), 0);
		manager.successions++;
		return true;
	default:
		return false;
	}
}

/* What it does each day. */
static void manager_day(void)
{
	bool changed = follow_the_rule();
	size_t dropped = authorities_drop(manager.authorities, now - GRACE_US);

	manager.dropped += (unsigned)dropped;
	if (changed || dropped > 0)
		publish();
	/* Its own certificate is of the one that issues. */
	if (is_due(&manager.listener) ||
	    certificate_signed_by(buf_text(&manager.listener.pem), buf_text(&manager.first), NULL) != 0) {
		make_listener();
		manager.listener_renewals++;
		changed = true;
	}
	if (changed || dropped > 0)
		reload();
	if (chance(30) == 0)
		start_manager();
	assert_true(now < authority_end(authorities_issuing(manager.authorities)));
	assert_true(now < manager.listener.facts.not_after);
}

/* --- agents --- */

static void certify(struct agent *agent, struct certificate *certificate)
{
	struct buf request;

	certificate_init(certificate);
	buf_init(&request, 65536);
	assert_int_equal(identity_make(&certificate->key, &request, NULL), 0);
	assert_int_equal(authority_certify_agent(authorities_issuing(manager.authorities), request.data, request.size,
						 &agent->id, now, &certificate->pem, NULL, NULL),
			 0);
	read_facts(certificate);
	buf_done(&request);
}

/* As link does it: link.c tls_options(). */
static void agent_tls(struct agent *agent)
{
	const struct tls_client_options options = { .ca_pem = buf_text(&agent->roots),
						    .certificate_pem = buf_text(&agent->mine.pem),
						    .key_pem = buf_text(&agent->mine.key),
						    .any_host_name = true,
						    .agent = true,
						    .by_proof = true,
						    .proven = agent->mine.facts.not_before + AUTHORITY_BACKDATE_US };
	struct err err = { 0 };

	if (agent->tls == NULL)
		agent->tls = tls_client_new(&options, &err);
	else
		assert_int_equal(tls_client_renew(agent->tls, &options, &err), 0);
	assert_non_null(agent->tls);
}

static void enrol(struct agent *agent)
{
	memset(agent, 0, sizeof(*agent));
	RAND_bytes(agent->id.bytes, sizeof(agent->id.bytes));
	buf_init(&agent->roots, BUNDLE_BYTES);
	buf_append(&agent->roots, manager.clients.data, manager.clients.size);
	certify(agent, &agent->mine);
	agent->present.facts = agent->mine.facts;
	agent->present.there = true;
	agent->roots_made = manager.newest;
	agent_tls(agent);
}

/* The agent takes what it was given, as link_renewal.c and identity_files.c do. */
static void take(struct agent *agent, struct certificate *given)
{
	struct buf roots;

	buf_init(&roots, BUNDLE_BYTES);
	assert_int_equal(roots_follow(buf_text(&agent->roots), buf_text(&manager.bundle), &roots, NULL), 0);
	assert_int_equal(certificate_matches_key(buf_text(&given->pem), buf_text(&given->key), NULL), 0);
	assert_int_equal(certificate_signed_by(buf_text(&given->pem), buf_text(&roots), NULL), 0);
	buf_done(&agent->roots);
	agent->roots = roots;
	certificate_done(&agent->mine);
	agent->mine = *given;
	agent->roots_made = manager.newest;
	agent_tls(agent);
}

static void renew(struct agent *agent)
{
	struct certificate given;

	certify(agent, &given);
	agent->next.facts = given.facts;
	agent->next.there = true;
	if (chance(4) == 0) { /* killed before the answer came */
		certificate_done(&given);
		agent->lost++;
		return;
	}
	take(agent, &given);
	agent->renewals++;
}

static bool is_known(const struct certificate *known, const uint8_t fingerprint[SHA256_BYTES])
{
	return known->there && memcmp(known->facts.fingerprint, fingerprint, SHA256_BYTES) == 0;
}

/* A handshake; false: what the agent showed has ended, and it may have another, and does. */
static bool contact(struct agent *agent)
{
	struct pair pair = pair_new(manager.tls, agent->tls, "manager.example.org", TLS1_3_VERSION);
	uint8_t fingerprint[SHA256_BYTES];

	pair_shake_hands(&pair);
	handshakes++;
	assert_int_not_equal(tls_peer_certificate(pair.server, fingerprint), TLS_PEER_NONE);
	pair_free(&pair);
	if (is_known(&agent->next, fingerprint)) {
		agent->present = agent->next;
		agent->next.there = false;
	}
	assert_true(is_known(&agent->present, fingerprint));
	if (agent->present.facts.not_after <= now) {
		assert_true(renewal_in_grace(agent->present.facts.not_after, now, GRACE_US));
		agent->renewed_after_its_end++;
		renew(agent);
		return false;
	}
	if (is_due(&agent->present) || agent->roots_made < manager.newest)
		renew(agent);
	return true;
}

static void agent_day(struct agent *agent)
{
	if (agent->off_until > now)
		return;
	if (chance(60) == 0) {
		span_us most = chance(3) == 0 ? OFF_MOST_US : 60 * DAY_US;

		agent->off_until = now + (span_us)chance((uint64_t)most);
		return;
	}
	/* A handshake where something may be new, and now and then. */
	if (agent->off_until != 0 || agent->next.there || is_due(&agent->present) ||
	    agent->roots_made < manager.newest || chance(24) == 0)
		contact(agent);
	agent->off_until = 0;
}

static void nobody_is_lost(void **state)
{
	unsigned renewals = 0, late = 0, lost = 0;

	(void)state;
	first_manager();
	for (size_t i = 0; i < AGENTS; i++)
		enrol(&agents[i]);
	for (; now < FIRST + YEARS * 365 * DAY_US; now += STEP_US) {
		manager_day();
		for (size_t i = 0; i < AGENTS; i++)
			agent_day(&agents[i]);
	}
	for (size_t i = 0; i < AGENTS; i++) {
		unsigned tries = 0;

		while (!contact(&agents[i]))
			assert_true(++tries < 50);
		renewals += agents[i].renewals;
		late += agents[i].renewed_after_its_end;
		lost += agents[i].lost;
	}
	print_message(
	    "%d years: %u roots (%u dropped), %u starts, %u certificates of the listener, %u of agents (%u after their "
	    "end, %u answers lost), %u handshakes\n",
	    YEARS, manager.successions + 1, manager.dropped, manager.restarts, manager.listener_renewals + 1, renewals,
	    late, lost, handshakes);
	assert_true(manager.successions >= 3 && manager.dropped >= 1 && manager.restarts > 5);
	assert_true(renewals > AGENTS * YEARS / 2 && late > 0 && lost > 0);
}

static int end(void **state)
{
	(void)state;
	for (size_t i = 0; i < AGENTS; i++) {
		certificate_done(&agents[i].mine);
		buf_done(&agents[i].roots);
		tls_client_free(agents[i].tls);
	}
	tls_server_free(manager.tls);
	authorities_free(manager.authorities);
	certificate_done(&manager.listener);
	buf_done(&manager.bundle);
	buf_done(&manager.clients);
	buf_done(&manager.leads_on);
	buf_done(&manager.first);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(nobody_is_lost) };

	return cmocka_run_group_tests_name("unit/net/years", tests, NULL, end);
}
