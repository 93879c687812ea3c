/* The life of configurations (endpoint/configuration.h). What arrives here was signed for this computer; it may
 * still be one that cannot be applied. */
#include "endpoint/configuration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint/configuration_parts.h"

#define SHORT_TEXT_BYTES 160

static struct configuring *part(struct endpoint *endpoint)
{
	return &endpoint->configuring;
}

static const struct endpoint_configurer *shell(const struct endpoint *endpoint)
{
	return &endpoint->options.actor.configurer;
}

static void copy_reason(char *out, const char *text)
{
	size_t size = strlen(text);

	if (size > ENDPOINT_REASON_MAX_BYTES)
		size = ENDPOINT_REASON_MAX_BYTES;
	while (size > 0 && text[size] != '\0' && ((uint8_t)text[size] & 0xc0) == 0x80) /* not inside a character */
		size--;
	memcpy(out, text, size);
	out[size] = '\0';
}

static void tell(struct endpoint *endpoint)
{
	revision_change(&endpoint->configuration_revision);
}

/* --- events --- */

static void note_applied(struct endpoint *endpoint)
{
	char fingerprint[SHA256_TEXT_BYTES];
	const struct text_field fields[] = { { "fingerprint", fingerprint } };

	hex_format(part(endpoint)->kept.fingerprint, SHA256_BYTES, fingerprint);
	endpoint_note(endpoint, EVENT_CONFIGURATION_APPLIED, fields, COUNT_OF(fields));
}

static void note_refused(struct endpoint *endpoint)
{
	char fingerprint[SHA256_TEXT_BYTES];
	const struct text_field fields[] = { { "cause", part(endpoint)->reason }, { "fingerprint", fingerprint } };

	hex_format(part(endpoint)->refused, SHA256_BYTES, fingerprint);
	endpoint_note(endpoint, EVENT_CONFIGURATION_REFUSED, fields, COUNT_OF(fields));
}

/* --- refusing --- */

/* A reason that cannot be written is told all the same. */
static void refuse(struct endpoint *endpoint, const uint8_t fingerprint[SHA256_BYTES], const char *why, bool in_force)
{
	struct configuring *configuring = part(endpoint);
	char reason[ENDPOINT_REASON_MAX_BYTES + 1];
	bool same = configuring->has_refused && memcmp(configuring->refused, fingerprint, SHA256_BYTES) == 0;
	bool known;

	copy_reason(reason, why[0] != '\0' ? why : "it could not be applied");
	known = same && strcmp(configuring->reason, reason) == 0;
	if (!same || !in_force)
		configuring->failures = 0;
	if (in_force && configuring->failures < UINT8_MAX)
		configuring->failures++;
	configuring->has_refused = true;
	configuring->again_at = configuration_again_at(endpoint);
	configuring->attempts = 0;
	memcpy(configuring->refused, fingerprint, SHA256_BYTES);
	memcpy(configuring->reason, reason, sizeof(reason));
	configuration_save(endpoint, &configuring->kept, NULL);
	if (!known)
		note_refused(endpoint);
	tell(endpoint);
}

/* The one that is good is wanted again: what was wrong with another one is over, and so are its attempts. */
static void forget_refused(struct endpoint *endpoint)
{
	struct configuring *configuring = part(endpoint);
	bool refused = configuring->has_refused;

	if (!refused && configuring->attempts == 0)
		return;
	configuring->has_refused = false;
	configuring->reason[0] = '\0';
	configuring->attempts = 0;
	configuration_save(endpoint, &configuring->kept, NULL); /* else an old reason is told again after a restart */
	if (refused)
		tell(endpoint);
}

/* --- the last good one --- */

static void restored(struct endpoint *endpoint, int rc, const char *why)
{
	struct configuring *configuring = part(endpoint);
	char text[ENDPOINT_REASON_MAX_BYTES + 64];

	if (rc == 0) {
		configuring->state = CONFIGURATION_STILL;
		if (configuring->lost) {
			configuring->lost = false;
			if (memcmp(configuring->refused, configuring->kept.fingerprint, SHA256_BYTES) == 0)
				forget_refused(endpoint);
			tell(endpoint);
		}
		return;
	}
	configuring->due = endpoint_now(endpoint) + ENDPOINT_RESTORE_AGAIN_US;
	if (configuring->lost || configuring->kept.content == NULL)
		return;
	configuring->lost = true;
	snprintf(text, sizeof(text), "the last good configuration could not be applied: %s", why);
	refuse(endpoint, configuring->kept.fingerprint, text, true);
}

static int call_apply(struct endpoint *endpoint, const Muster__Wire__Configuration *content, struct buf *why)
{
	struct configuring *configuring = part(endpoint);

	configuring->order++;
	configuring->due = endpoint_now(endpoint) + ENDPOINT_APPLY_US;
	if (shell(endpoint)->apply == NULL)
		return 0;
	return shell(endpoint)->apply(endpoint->options.actor.context, content, configuring->order, why);
}

static void restore(struct endpoint *endpoint)
{
	struct configuring *configuring = part(endpoint);
	struct buf why;
	int rc;

	known_configuration_done(&configuring->candidate);
	configuration_change_way(endpoint, configuration_good_way(endpoint));
	configuring->state = CONFIGURATION_RESTORING;
	buf_init(&why, ENDPOINT_REASON_MAX_BYTES);
	rc = call_apply(endpoint, configuring->kept.content, &why);
	if (rc != ERR_BUSY)
		restored(endpoint, rc, buf_text(&why));
	buf_done(&why);
}

/* What was in force on probation is not kept. */
static void give_up(struct endpoint *endpoint, const char *why)
{
	uint8_t fingerprint[SHA256_BYTES];

	memcpy(fingerprint, part(endpoint)->candidate.fingerprint, SHA256_BYTES);
	restore(endpoint);
	refuse(endpoint, fingerprint, why, true);
}

/* --- the candidate --- */

static void keep(struct endpoint *endpoint)
{
	struct configuring *configuring = part(endpoint);
	struct configuring before = *configuring;
	struct err err = { 0 };
	char text[ERR_TEXT_BYTES + 32];

	configuring->has_refused = false;
	configuring->reason[0] = '\0';
	configuring->attempts = 0;
	if (configuration_save(endpoint, &configuring->candidate, &err) != 0) {
		*configuring = before;
		snprintf(text, sizeof(text), "it could not be kept: %s", err.text);
		give_up(endpoint, text);
		return;
	}
	known_configuration_done(&configuring->kept);
	configuring->kept = configuring->candidate;
	configuring->candidate = (struct known_configuration){ 0 };
	configuring->state = CONFIGURATION_STILL;
	configuring->lost = false;
	note_applied(endpoint);
	tell(endpoint);
}

static void try_connection(struct endpoint *endpoint)
{
	struct configuring *configuring = part(endpoint);
	const struct endpoint_connection *connection = &configuring->candidate.connection;

	configuring->state = CONFIGURATION_TRYING;
	configuring->due =
	    endpoint_now(endpoint) + (connection->patience_us > 0 ? connection->patience_us : ENDPOINT_PATIENCE_US);
	configuration_change_way(endpoint, connection);
}

static void candidate_applied(struct endpoint *endpoint, int rc, const char *why)
{
	const struct configuring *configuring = part(endpoint);

	if (rc != 0)
		give_up(endpoint, why);
	else if (configuration_same_way(&configuring->used, &configuring->candidate.connection))
		keep(endpoint);
	else
		try_connection(endpoint);
}

static void trial_failed(struct endpoint *endpoint)
{
	const struct configuring *configuring = part(endpoint);
	const struct endpoint_connection *connection = &configuring->candidate.connection;
	const char *cause = endpoint->status.last_error != 0 ? endpoint->status.last_error_text : "no contact";
	char text[SHORT_TEXT_BYTES + sizeof(endpoint->status.last_error_text)], span[TIME_TEXT_BYTES];

	span_format(connection->patience_us > 0 ? connection->patience_us : ENDPOINT_PATIENCE_US, span);
	snprintf(text, sizeof(text), "the manager was not reached with it within %s (%s), the way before is used again",
		 span, cause);
	give_up(endpoint, text);
}

bool configuration_on_trial(const struct endpoint *endpoint)
{
	return endpoint->configuring.state == CONFIGURATION_TRYING;
}

void configuration_reached(struct endpoint *endpoint)
{
	if (part(endpoint)->state == CONFIGURATION_TRYING)
		keep(endpoint);
}

void configuration_listens_only(struct endpoint *endpoint, bool listens_only)
{
	struct configuring *configuring = part(endpoint);

	if (configuring->listens_only == listens_only)
		return;
	configuring->listens_only = listens_only;
	configuration_save(endpoint, &configuring->kept,
			   NULL); /* what cannot be written is proven anew after the next start */
}

void endpoint_applied(struct endpoint *endpoint, uint64_t order, int code, const char *why)
{
	struct configuring *configuring = part(endpoint);

	if (order != configuring->order)
		return;
	if (configuring->state == CONFIGURATION_APPLYING)
		candidate_applied(endpoint, code, why);
	else if (configuring->state == CONFIGURATION_RESTORING)
		restored(endpoint, code, why);
}

/* --- one arrives --- */

static int check(struct endpoint *endpoint, const Muster__Wire__Configuration *content,
		 struct endpoint_connection *connection, struct buf *why)
{
	int rc = 0;

	*connection = part(endpoint)->own;
	if (shell(endpoint)->check != NULL)
		rc = shell(endpoint)->check(endpoint->options.actor.context, content, connection, why);
	if (connection->heartbeat_us <= 0)
		connection->heartbeat_us = ENDPOINT_HEARTBEAT_DEFAULT_US;
	return rc;
}

/* Nothing to do for the one that is in force, or under way; another under way is given up for it. */
static bool is_good(struct endpoint *endpoint, const uint8_t fingerprint[SHA256_BYTES])
{
	struct configuring *configuring = part(endpoint);

	if (configuring->kept.content == NULL || memcmp(configuring->kept.fingerprint, fingerprint, SHA256_BYTES) != 0)
		return false;
	if (configuring->candidate.content != NULL || configuring->lost)
		restore(endpoint);
	if (!configuring->lost)
		forget_refused(endpoint);
	return true;
}

static bool is_under_way(const struct configuring *configuring, const uint8_t fingerprint[SHA256_BYTES])
{
	return configuring->candidate.content != NULL &&
	       memcmp(configuring->candidate.fingerprint, fingerprint, SHA256_BYTES) == 0;
}

static bool must_wait(const struct endpoint *endpoint, const uint8_t fingerprint[SHA256_BYTES])
{
	const struct configuring *configuring = &endpoint->configuring;

	return configuring->has_refused && endpoint_now(endpoint) < configuring->again_at &&
	       memcmp(configuring->refused, fingerprint, SHA256_BYTES) == 0;
}

static int remember_attempt(struct endpoint *endpoint, const uint8_t fingerprint[SHA256_BYTES], struct err *err)
{
	struct configuring *configuring = part(endpoint);

	if (configuring->attempts == 0 || memcmp(configuring->attempted, fingerprint, SHA256_BYTES) != 0)
		configuring->attempts = 0;
	configuring->attempts++;
	memcpy(configuring->attempted, fingerprint, SHA256_BYTES);
	return configuration_save(endpoint, &configuring->kept, err);
}

static void apply(struct endpoint *endpoint, struct known_configuration *candidate)
{
	struct configuring *configuring = part(endpoint);
	struct buf why;
	int rc;

	if (configuring->state == CONFIGURATION_TRYING)
		configuration_change_way(endpoint, configuration_good_way(endpoint));
	known_configuration_done(&configuring->candidate);
	configuring->candidate = *candidate;
	configuring->state = CONFIGURATION_APPLYING;
	buf_init(&why, ENDPOINT_REASON_MAX_BYTES);
	rc = call_apply(endpoint, configuring->candidate.content, &why);
	if (rc != ERR_BUSY)
		candidate_applied(endpoint, rc, buf_text(&why));
	buf_done(&why);
}

/* Refused without a touch: another candidate that is under way ends all the same, the manager wants this one. */
static void refuse_arrived(struct endpoint *endpoint, struct known_configuration *candidate, const char *why)
{
	if (part(endpoint)->candidate.content != NULL)
		restore(endpoint);
	refuse(endpoint, candidate->fingerprint, why, false);
	known_configuration_done(candidate);
}

void configuration_arrived(struct endpoint *endpoint, const void *packed, size_t size,
			   const uint8_t fingerprint[SHA256_BYTES])
{
	struct known_configuration candidate = { 0 };
	struct buf why;
	struct err err = { 0 };

	if (is_good(endpoint, fingerprint) || is_under_way(part(endpoint), fingerprint) ||
	    must_wait(endpoint, fingerprint))
		return;
	candidate.content = muster__wire__configuration__unpack(NULL, size, packed);
	if (candidate.content == NULL)
		return; /* no memory; the manager sends it again */
	memcpy(candidate.fingerprint, fingerprint, SHA256_BYTES);
	buf_init(&why, ENDPOINT_REASON_MAX_BYTES);
	if (check(endpoint, candidate.content, &candidate.connection, &why) != 0)
		refuse_arrived(endpoint, &candidate, buf_text(&why));
	else if (remember_attempt(endpoint, fingerprint, &err) != 0)
		refuse_arrived(endpoint, &candidate, err.text);
	else
		apply(endpoint, &candidate);
	buf_done(&why);
}

/* Without the dates, so that it is the same reason each time; event 4030 has them. */
void configuration_out_of_date(struct endpoint *endpoint, const uint8_t fingerprint[SHA256_BYTES], int dates)
{
	const struct configuring *configuring = part(endpoint);
	bool in_force =
	    configuring->kept.content != NULL && memcmp(configuring->kept.fingerprint, fingerprint, SHA256_BYTES) == 0;

	if (!in_force && !is_under_way(configuring, fingerprint))
		refuse(endpoint, fingerprint,
		       dates == ERR_EXPIRED ? "it has expired by the clock of this computer: the manager's clock, or "
					      "this one, is wrong"
					    : "it comes from the future by the clock of this computer: the manager's "
					      "clock, or this one, is wrong",
		       false);
}

/* --- start --- */

/* A last good one that is not acceptable any more (another version of the agent, other local limits). */
static void check_kept(struct endpoint *endpoint)
{
	struct configuring *configuring = part(endpoint);
	char text[ENDPOINT_REASON_MAX_BYTES + 64];
	uint8_t fingerprint[SHA256_BYTES];
	struct buf why;

	if (configuring->kept.content == NULL)
		return;
	buf_init(&why, ENDPOINT_REASON_MAX_BYTES);
	if (check(endpoint, configuring->kept.content, &configuring->kept.connection, &why) != 0) {
		snprintf(text, sizeof(text), "it was in force, and is not acceptable any more: %s", buf_text(&why));
		memcpy(fingerprint, configuring->kept.fingerprint, SHA256_BYTES);
		known_configuration_done(&configuring->kept);
		refuse(endpoint, fingerprint, text, false);
	}
	buf_done(&why);
}

/* The agent stopped while it was applied or tried: by chance, or because of it. */
static void check_attempts(struct endpoint *endpoint)
{
	struct configuring *configuring = part(endpoint);
	char text[SHORT_TEXT_BYTES];
	uint8_t fingerprint[SHA256_BYTES];

	if (configuring->attempts < ENDPOINT_ATTEMPTS_MAX)
		return;
	snprintf(text, sizeof(text), "the agent stopped %u times while it was being applied",
		 (unsigned)configuring->attempts);
	memcpy(fingerprint, configuring->attempted, SHA256_BYTES);
	refuse(endpoint, fingerprint, text, true);
}

int configuration_open(struct endpoint *endpoint, struct err *err)
{
	int rc;

	part(endpoint)->own = (struct endpoint_connection){ .heartbeat_us = endpoint->options.heartbeat_us,
							    .poll_us = endpoint->options.poll_us,
							    .way = endpoint->options.way,
							    .direction = endpoint->options.direction };
	rc = configuration_load(endpoint, err);
	if (rc != 0)
		return rc;
	check_kept(endpoint);
	check_attempts(endpoint);
	configuration_use_way(endpoint, configuration_good_way(endpoint));
	return 0;
}

void configuration_start(struct endpoint *endpoint)
{
	restore(endpoint);
}

void configuration_done(struct endpoint *endpoint)
{
	known_configuration_done(&part(endpoint)->kept);
	known_configuration_done(&part(endpoint)->candidate);
}

/* --- time, displays --- */

time_us configuration_due(const struct endpoint *endpoint)
{
	return endpoint->configuring.state == CONFIGURATION_STILL ? ENDPOINT_NEVER : endpoint->configuring.due;
}

void configuration_tick(struct endpoint *endpoint)
{
	struct configuring *configuring = part(endpoint);

	if (endpoint_now(endpoint) < configuration_due(endpoint))
		return;
	switch (configuring->state) {
	case CONFIGURATION_STILL:
		break;
	case CONFIGURATION_APPLYING:
		give_up(endpoint, "the agent's components did not answer in time");
		break;
	case CONFIGURATION_TRYING:
		trial_failed(endpoint);
		break;
	case CONFIGURATION_RESTORING:
		restore(endpoint);
		break;
	}
}

const uint8_t *configuration_in_force(const struct endpoint *endpoint)
{
	const struct configuring *configuring = &endpoint->configuring;

	return configuring->kept.content != NULL && !configuring->lost ? configuring->kept.fingerprint : NULL;
}

void endpoint_configuration_state(const struct endpoint *endpoint, struct endpoint_configuration_state *out)
{
	const struct configuring *configuring = &endpoint->configuring;

	*out = (struct endpoint_configuration_state){ .kept = configuring->kept.content,
						      .fingerprint = configuration_in_force(endpoint),
						      .under_way = configuring->candidate.content != NULL,
						      .refused = configuring->reason,
						      .connection = &configuring->used };
}
