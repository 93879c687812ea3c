/* From a computer's outcome to the envelope that its agent gets. */
#include "manager/front/configuration.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "fleet/event_types.h"
#include "manager/front/order.h"
#include "manager/front/policies.h"
#include "trust/fingerprint.h"
#include "wire/envelope.h"

#define VALID_US (7 * DAY_US) /* it is sent at once; a new one is made for each sending */

static int pack_signed(const struct front *front, const struct signed_configuration *made, const struct buf *packed,
		       uint64_t serial, struct buf *out, struct err *err)
{
	Muster__Wire__Signed content = MUSTER__WIRE__SIGNED__INIT;
	int rc;

	content.version = WIRE_ENVELOPE_VERSION;
	content.computer = exchange_bytes(made->computer.bytes, UUID_BYTES);
	content.session = made->session;
	content.serial = serial;
	content.issued_us = env_wall(front->env);
	content.expires_us = content.issued_us + VALID_US;
	content.content_case = MUSTER__WIRE__SIGNED__CONTENT_CONFIGURATION;
	content.configuration = muster__wire__configuration__unpack(NULL, packed->size, packed->data);
	if (content.configuration == NULL)
		return err_set(err, ERR_MEMORY, "no memory for the configuration");
	rc = envelope_payload(&content, out, err);
	muster__wire__configuration__free_unpacked(content.configuration, NULL);
	return rc;
}

static int sign_stamped(struct front *front, const struct signed_configuration *made, const struct buf *packed,
			uint64_t serial, struct buf *envelope, struct err *err)
{
	struct buf payload;
	int rc;

	buf_init(&payload, WIRE_SIGNED_MAX_BYTES);
	rc = pack_signed(front, made, packed, serial, &payload, err);
	if (rc == 0)
		rc = signer_envelope(front->signer, payload.data, payload.size, envelope, err);
	buf_done(&payload);
	return rc;
}

static int sign(struct front *front, const struct signed_configuration *made, const struct buf *packed, uint64_t serial,
		struct buf *envelope, struct err *err)
{
	int rc = sign_stamped(front, made, packed, serial, envelope, err);

	for (int stamps = 1; rc == ERR_CLOCK && stamps < ORDER_STAMPS_MAX; stamps++) {
		buf_reset(envelope);
		rc = sign_stamped(front, made, packed, serial, envelope, err);
	}
	return rc;
}

static int make(struct front *front, struct signed_configuration *made, struct err *err)
{
	struct buf packed, envelope;
	uint64_t serial = 0;
	int rc;

	buf_init(&packed, EFFECTIVE_PACKED_BYTES);
	buf_init(&envelope, WIRE_ENVELOPE_MAX_BYTES);
	rc = policies_configuration(front, &made->computer, &packed, &serial, err);
	if (rc == 0) {
		fingerprint_of(packed.data, packed.size, made->fingerprint);
		rc = sign(front, made, &packed, serial, &envelope, err);
	}
	if (rc == 0)
		rc = exchange_envelope_decode(envelope.data, envelope.size, &made->envelope, &made->arena, err);
	buf_done(&packed);
	buf_done(&envelope);
	return rc;
}

struct signed_configuration *signed_configuration_new(struct front *front, const struct uuid *computer,
						      uint64_t session)
{
	struct signed_configuration *made = calloc(1, sizeof(*made));
	struct err err = { 0 };
	struct front_field field = { "cause", err.text };

	if (made == NULL)
		return NULL;
	made->computer = *computer;
	made->session = session;
	if (make(front, made, &err) == 0)
		return made;
	LOG(LOG_ERROR, "configuration.not_sent", log_uuid("computer", computer), log_err(&err));
	front_event_later(front, EVENT_POLICY_SEND_FAILED, computer, &field, 1);
	free(made);
	return NULL;
}

void signed_configuration_free(struct signed_configuration *configuration)
{
	if (configuration == NULL)
		return;
	arena_free(configuration->arena);
	free(configuration);
}

void signed_configuration_sent(struct front *front, const struct signed_configuration *configuration)
{
	char fingerprint[SHA256_TEXT_BYTES];
	const struct front_field field = { "fingerprint", fingerprint };

	hex_format(configuration->fingerprint, SHA256_BYTES, fingerprint);
	front_event_later(front, EVENT_POLICY_SENT, &configuration->computer, &field, 1);
}
