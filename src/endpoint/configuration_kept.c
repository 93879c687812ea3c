/* What of configurations is on the disk (endpoint/configuration_file.h): the last good one, the one that was refused
 * and why, and how often one was begun with. The file may be damaged. */
#include <stdio.h>
#include <string.h>

#include "endpoint/configuration_file.h"
#include "endpoint/configuration_parts.h"

void known_configuration_done(struct known_configuration *known)
{
	if (known->content != NULL)
		muster__wire__configuration__free_unpacked(known->content, NULL);
	*known = (struct known_configuration){ 0 };
}

time_us configuration_again_at(const struct endpoint *endpoint)
{
	span_us wait = ENDPOINT_AGAIN_US;

	if (endpoint->configuring.failures == 0)
		return 0;
	for (unsigned i = 1; i < endpoint->configuring.failures && wait < ENDPOINT_AGAIN_MAX_US; i++)
		wait *= 4;
	return endpoint_now(endpoint) + (wait < ENDPOINT_AGAIN_MAX_US ? wait : ENDPOINT_AGAIN_MAX_US);
}

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

int configuration_save(struct endpoint *endpoint, const struct known_configuration *kept, struct err *err)
{
	const struct configuring *configuring = &endpoint->configuring;
	const struct endpoint_storage *storage = &endpoint->storage;
	struct configuration_file file = { .has_kept = kept->content != NULL,
					   .has_refused = configuring->has_refused,
					   .failures = configuring->failures,
					   .listens_only = configuring->listens_only,
					   .listens_on = endpoint->options.machine,
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

/* On another machine, with other addresses, it is not where the manager dials: this is a copy, or was moved. */
static bool same_machine(const struct endpoint *endpoint, const struct uuid *before)
{
	const struct uuid *now = &endpoint->options.machine;

	return uuid_is_zero(before) || uuid_is_zero(now) || uuid_equal(before, now);
}

static void take_file(struct endpoint *endpoint, const struct configuration_file *file)
{
	struct configuring *configuring = &endpoint->configuring;

	configuring->has_refused = file->has_refused;
	configuring->failures = file->failures;
	configuring->again_at = configuration_again_at(endpoint);
	configuring->attempts = file->attempts;
	configuring->listens_only = file->listens_only && same_machine(endpoint, &file->listens_on);
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

int configuration_load(struct endpoint *endpoint, struct err *err)
{
	const struct endpoint_storage *storage = &endpoint->storage;
	struct configuration_file file;
	struct buf bytes;
	int rc, decoded;

	buf_init(&bytes, CONFIGURATION_FILE_MAX_BYTES + 1);
	rc = storage->read(storage->context, CONFIGURATION_FILE, &bytes, err);
	if (rc == 0) {
		decoded = configuration_file_decode(bytes.data, bytes.size, &endpoint->options.computer, &file);
		if (decoded == 0)
			take_file(endpoint, &file);
		else if (decoded != ERR_NOT_FOUND)
			note_damage(endpoint, bytes.size);
	}
	buf_done(&bytes);
	return rc;
}
