/* The life of configurations (endpoint/configuration.h). What arrives here was signed for this computer; it may
 * still be one that cannot be applied. The file may be damaged. */
#include "endpoint/configuration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint/configuration_file.h"
#include "endpoint/parts.h"

#define SHORT_TEXT_BYTES 160

static struct configuring *part(struct endpoint *endpoint)
{
	return &endpoint->configuring;
}

static const struct endpoint_configurer *shell(const struct endpoint *endpoint)
{
	return &endpoint->options.actor.configurer;
}

static void known_done(struct known_configuration *known)
{
	if (known->content != NULL)
		muster__wire__configuration__free_unpacked(known->content, NULL);
	*known = (struct known_configuration){ 0 };
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

/* --- the file --- */

static int pack_content(const Muster__Wire__Configuration *content, struct buf *out)
{
	size_t size = muster__wire__configuration__get_packed_size(content);
	uint8_t *room = buf_room(out, size + 1);

	if (room == NULL)
		return out->status;
	muster__wire__configuration__pack(content, room);
	buf_grow(out, size);
	return 0;
}

/* With `kept` as the one in force. */
static int save(struct endpoint *endpoint, const struct known_configuration *kept, struct err *err)
{
	const struct configuring *configuring = part(endpoint);
	const struct endpoint_storage *storage = &endpoint->storage;
	struct configuration_file file = { .has_kept = kept->content != NULL,
					   .has_refused = configuring->has_refused,
					   .failures = configuring->failures,
					   .listens_only = configuring->listens_only,
					   .attempts = configuring->attempts };
	struct buf packed, out;
	int rc = 0;

	buf_init(&packed, WIRE_SIGNED_MAX_BYTES + 1);
	buf_init(&out, CONFIGURATION_FILE_MAX_BYTES);
	if (file.has_kept)
		rc = pack_content(kept->content, &packed);
	file.packed = (struct bytes){ packed.data, packed.size };
	memcpy(file.kept, kept->fingerprint, SHA256_BYTES);
	memcpy(file.refused, configuring->refused, SHA256_BYTES);
	memcpy(file.attempted, configuring->attempted, SHA256_BYTES);
	memcpy(file.reason, configuring->reason, sizeof(file.reason));
	configuration_file_encode(&file, &endpoint->options.computer, &out);
	if (rc == 0)
		rc = out.status;
	if (rc != 0)
		err_set(err, rc, "the configuration cannot be written");
	else
		rc = storage->replace(storage->context, CONFIGURATION_FILE, out.data, out.size, err);
	buf_done(&packed);
	buf_done(&out);
	return rc;
}

/* --- refusing --- */

static time_us again_at(const struct endpoint *endpoint)
{
	span_us wait = ENDPOINT_AGAIN_US;

	if (endpoint->configuring.failures == 0)
		return 0;
	for (unsigned i = 1; i < endpoint->configuring.failures && wait < ENDPOINT_AGAIN_MAX_US; i++)
		wait *= 4;
	return endpoint_now(endpoint) + (wait < ENDPOINT_AGAIN_MAX_US ? wait : ENDPOINT_AGAIN_MAX_US);
}

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
	configuring->again_at = again_at(endpoint);
	configuring->attempts = 0;
	memcpy(configuring->refused, fingerprint, SHA256_BYTES);
	memcpy(configuring->reason, reason, sizeof(reason));
	save(endpoint, &configuring->kept, NULL);
	if (!known)
		note_refused(endpoint);
	tell(endpoint);
}

/* The one that is good is wanted again: what was wrong with another one is over, and so are its attempts. */
static void forget_others(struct endpoint *endpoint)
{
	struct configuring *configuring = part(endpoint);
	bool refused = configuring->has_refused;

	if (!refused && configuring->attempts == 0)
		return;
	configuring->has_refused = false;
	configuring->reason[0] = '\0';
	configuring->attempts = 0;
	save(endpoint, &configuring->kept, NULL); /* else an old reason is told again after a restart */
	if (refused)
		tell(endpoint);
}

/* --- the way to the manager --- */

static bool same_connection(const struct endpoint_connection *a, const struct endpoint_connection *b)
{
	return a->heartbeat_us == b->heartbeat_us && a->poll_us == b->poll_us && a->way == b->way &&
	       a->direction == b->direction;
}

static void use_connection(struct endpoint *endpoint, const struct endpoint_connection *connection)
{
	endpoint->configuring.used = *connection;
	endpoint->options.heartbeat_us = connection->heartbeat_us;
	endpoint->options.poll_us = connection->poll_us;
	direction_use(endpoint, connection->direction);
}

static void change_connection(struct endpoint *endpoint, const struct endpoint_connection *connection)
{
	if (same_connection(&part(endpoint)->used, connection))
		return;
	use_connection(endpoint, connection);
	timing_redial(endpoint);
	if (shell(endpoint)->redial != NULL)
		shell(endpoint)->redial(endpoint->options.actor.context, connection);
}

/* agent.ini's: in force only without a configuration. */
void configuration_own_direction(struct endpoint *endpoint, enum link_direction direction)
{
	struct configuring *configuring = part(endpoint);

	configuring->own.direction = direction;
	if (configuring->kept.content == NULL && configuring->candidate.content == NULL)
		use_connection(endpoint, &configuring->own);
}

static const struct endpoint_connection *good_connection(const struct endpoint *endpoint)
{
	const struct configuring *configuring = &endpoint->configuring;

	return configuring->kept.content != NULL ? &configuring->kept.connection : &configuring->own;
}

/* --- the last good one --- */

static void restored(struct endpoint *endpoint, int rc, const char *why)
{
	struct configuring *configuring = part(endpoint);
	char text[ENDPOINT_REASON_MAX_BYTES + 64];

	if (rc == 0) {
		if (configuring->lost)
			tell(endpoint);
		configuring->lost = false;
		configuring->state = CONFIGURATION_STILL;
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

	known_done(&configuring->candidate);
	change_connection(endpoint, good_connection(endpoint));
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
	if (save(endpoint, &configuring->candidate, &err) != 0) {
		*configuring = before;
		snprintf(text, sizeof(text), "it could not be kept: %s", err.text);
		give_up(endpoint, text);
		return;
	}
	known_done(&configuring->kept);
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
	change_connection(endpoint, connection);
}

static void candidate_applied(struct endpoint *endpoint, int rc, const char *why)
{
	const struct configuring *configuring = part(endpoint);

	if (rc != 0)
		give_up(endpoint, why);
	else if (same_connection(&configuring->used, &configuring->candidate.connection))
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
	save(endpoint, &configuring->kept, NULL); /* what cannot be written is proven anew after the next start */
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
		forget_others(endpoint);
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
	return save(endpoint, &configuring->kept, err);
}

static void apply(struct endpoint *endpoint, struct known_configuration *candidate)
{
	struct configuring *configuring = part(endpoint);
	struct buf why;
	int rc;

	if (configuring->state == CONFIGURATION_TRYING)
		change_connection(endpoint, good_connection(endpoint));
	known_done(&configuring->candidate);
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
	known_done(candidate);
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

static void take_file(struct endpoint *endpoint, const struct configuration_file *file)
{
	struct configuring *configuring = part(endpoint);

	configuring->has_refused = file->has_refused;
	configuring->failures = file->failures;
	configuring->again_at = again_at(endpoint);
	configuring->attempts = file->attempts;
	configuring->listens_only = file->listens_only;
	memcpy(configuring->refused, file->refused, SHA256_BYTES);
	memcpy(configuring->attempted, file->attempted, SHA256_BYTES);
	memcpy(configuring->reason, file->reason, sizeof(configuring->reason));
	if (!file->has_kept)
		return;
	configuring->kept.content = muster__wire__configuration__unpack(NULL, file->packed.size, file->packed.data);
	memcpy(configuring->kept.fingerprint, file->kept, SHA256_BYTES);
}

static void note_damage(struct endpoint *endpoint, size_t size)
{
	char bytes[24];
	const struct text_field fields[] = { { "log", CONFIGURATION_FILE }, { "bytes", bytes }, { "places", "1" } };

	snprintf(bytes, sizeof(bytes), "%zu", size);
	endpoint_note(endpoint, EVENT_LOG_DAMAGED, fields, COUNT_OF(fields));
}

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
		known_done(&configuring->kept);
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
	const struct endpoint_storage *storage = &endpoint->storage;
	struct configuration_file file;
	struct buf bytes;
	int rc;

	part(endpoint)->own = (struct endpoint_connection){ .heartbeat_us = endpoint->options.heartbeat_us,
							    .poll_us = endpoint->options.poll_us,
							    .way = endpoint->options.way,
							    .direction = endpoint->options.direction };
	buf_init(&bytes, CONFIGURATION_FILE_MAX_BYTES + 1);
	rc = storage->read(storage->context, CONFIGURATION_FILE, &bytes, err);
	if (rc == 0) {
		int decoded = configuration_file_decode(bytes.data, bytes.size, &endpoint->options.computer, &file);

		if (decoded == 0)
			take_file(endpoint, &file);
		else if (decoded != ERR_NOT_FOUND)
			note_damage(endpoint, bytes.size);
		check_kept(endpoint);
		check_attempts(endpoint);
		use_connection(endpoint, good_connection(endpoint));
	}
	buf_done(&bytes);
	return rc;
}

void configuration_start(struct endpoint *endpoint)
{
	restore(endpoint);
}

void configuration_done(struct endpoint *endpoint)
{
	known_done(&part(endpoint)->kept);
	known_done(&part(endpoint)->candidate);
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
