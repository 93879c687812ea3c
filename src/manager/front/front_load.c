/* What front reads at its start. */
#include "manager/front/front_load.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "manager/front/authorities.h"
#include "manager/front/membership.h"
#include "manager/front/policies.h"
#include "manager/front/quarantine.h"
#include "manager/layout.h"
#include "manager/queries.h"
#include "os/files.h"
#include "trust/signing_key.h"

#define PUBLIC_FILE_MAX_BYTES 65536

static int read_file(const struct front *front, const char *name, struct buf *out, struct err *err)
{
	char path[LAYOUT_PATH_BYTES];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", front->data_directory, name) >= sizeof(path))
		return err_set(err, ERR_LIMIT, "the data directory's path is too long");
	buf_init(out, PUBLIC_FILE_MAX_BYTES);
	return files_read(AT_FDCWD, path, PUBLIC_FILE_MAX_BYTES, out, err);
}

/* --- identity --- */

static int load_trust_key(struct front *front, struct err *err)
{
	struct front_identity *identity = &front->identity;
	struct buf pem;
	int rc = read_file(front, LAYOUT_TRUST_KEY, &pem, err);

	if (rc == 0)
		rc = signing_public_parse(pem.data, pem.size, identity->server_authentication, err);
	buf_done(&pem);
	if (rc == ERR_NOT_FOUND) /* keys says which one it is */
		return 0;
	return rc == 0 ? 0 : err_add(err, rc, "%s", LAYOUT_TRUST_KEY);
}

int front_load_identity(struct front *front, struct err *err)
{
	const struct settings *settings = &front->settings;
	struct buf pem;
	int rc = load_trust_key(front, err);

	if (rc != 0)
		return rc;
	if (settings->listen.count == 0)
		return err_set(err, ERR_RANGE, "[network] listen: give at least one address and port");
	if (asprintf(&front->url, "https://%s:%u", settings->name, (unsigned)settings->listen.items[0].port) < 0) {
		front->url = NULL;
		return err_set(err, ERR_MEMORY, "no memory");
	}
	front->identity.name = settings->name;
	front->identity.url = front->url;
	front->identity.agent_port = (uint16_t)settings->agent_port;
	rc = read_file(front, LAYOUT_CA, &pem, err);
	if (rc == 0)
		rc = authorities_begin(front, buf_text(&pem), err);
	buf_done(&pem);
	return rc == 0 ? 0 : err_add(err, rc, "%s", LAYOUT_CA);
}

/* --- computers --- */

static void copy_bytes(uint8_t out[SHA256_BYTES], struct bytes from)
{
	if (from.size == SHA256_BYTES)
		memcpy(out, from.data, SHA256_BYTES);
}

static size_t read_addresses(const char *text, struct address addresses[WIRE_ADDRESSES_MAX])
{
	json_t *list = json_loads(text, 0, NULL);
	size_t count = 0;

	for (size_t i = 0; i < json_array_size(list) && count < WIRE_ADDRESSES_MAX; i++) {
		const char *address = json_string_value(json_array_get(list, i));

		if (address != NULL && address_parse(address, &addresses[count], NULL) == 0)
			count++;
	}
	json_decref(list);
	return count;
}

/* activated: just now, and not at the start. */
static int add_computer(struct front *front, struct cursor *cursor, bool activated, struct err *err)
{
	struct fleet_computer computer = {
		.events_stored = (uint64_t)cursor_number(cursor, "acknowledged_event"),
		.missed = 2,
		.status_since = cursor_number(cursor, "status_since"),
		.last_heard = cursor_number(cursor, "last_heard"),
		.clock_offset_us = cursor_number(cursor, "clock_offset_us"),
		.clock_base_us = cursor_number(cursor, "clock_base_us"),
		.agent_interval_us = cursor_number(cursor, "agent_interval_us"),
	};
	struct address addresses[WIRE_ADDRESSES_MAX];
	struct shard *shard;
	int rc;

	cursor_uuid(cursor, "id", &computer.id);
	shard = shards_of(front->shards, &computer.id);
	cursor_uuid(cursor, "clock_boot", &computer.clock_boot);
	computer.status = fleet_status_parse(cursor_text(cursor, "status"));
	computer.offline_error = cursor_number(cursor, "offline_error") != 0;
	snprintf(computer.cause, sizeof(computer.cause), "%s", cursor_text(cursor, "status_cause"));
	link_direction_parse(cursor_text(cursor, "direction"), &computer.direction);
	computer.listen_port = (uint16_t)cursor_number(cursor, "listen_port");
	snprintf(computer.link_error, sizeof(computer.link_error), "%s", cursor_text(cursor, "link_error"));
	copy_bytes(computer.configuration, cursor_bytes(cursor, "config_fingerprint"));
	copy_bytes(computer.trusted_key, cursor_bytes(cursor, "trusted_key"));
	if (strcmp(cursor_text(cursor, "config_state"), "failed") == 0)
		computer.configuration_state = FLEET_CONFIGURATION_FAILED;
	policies_fill(front, &computer.id, &computer);
	(void)address_parse(cursor_text(cursor, "seen_from"), &computer.seen_from, NULL);
	computer.address_count = read_addresses(cursor_text(cursor, "addresses"), addresses);
	computer.addresses = addresses;
	computer.activated = activated;
	pthread_mutex_lock(&shard->lock);
	rc = fleet_add(shard->fleet, &computer, err);
	pthread_mutex_unlock(&shard->lock);
	return rc;
}

static int read_computers(struct store_session *session, void *argument, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_COMPUTER_ALL);
	int rc = 0, end;

	while (rc == 0 && cursor_next(cursor))
		rc = add_computer(argument, cursor, false, err);
	end = cursor_end(cursor, rc == 0 ? err : NULL);
	return rc != 0 ? rc : end;
}

static int read_roster(struct store_session *session, void *argument, struct err *err)
{
	struct front *front = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_EXCHANGE_ROSTER);
	int rc = 0, end;

	while (rc == 0 && cursor_next(cursor)) {
		uint8_t fingerprint[SHA256_BYTES] = { 0 };
		struct uuid computer;

		cursor_uuid(cursor, "id", &computer);
		copy_bytes(fingerprint, cursor_bytes(cursor, "certificate_fingerprint"));
		rc = roster_put(front->roster, fingerprint, &computer, standing_of_row(cursor), err);
		roster_describe(front->roster, fingerprint, cursor_number(cursor, "certificate_not_after"),
				cursor_number(cursor, "certificate_roots"));
	}
	end = cursor_end(cursor, rc == 0 ? err : NULL);
	return rc != 0 ? rc : end;
}

static int read_next(struct store_session *session, void *argument, struct err *err)
{
	struct front *front = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_RENEWAL_ROSTER);
	int rc = 0, end;

	while (rc == 0 && cursor_next(cursor)) {
		uint8_t fingerprint[SHA256_BYTES] = { 0 };
		struct uuid computer;

		cursor_uuid(cursor, "id", &computer);
		copy_bytes(fingerprint, cursor_bytes(cursor, "next_fingerprint"));
		rc = roster_put(front->roster, fingerprint, &computer, standing_of_row(cursor), err);
		roster_next(front->roster, fingerprint);
		roster_describe(front->roster, fingerprint, cursor_number(cursor, "next_not_after"),
				cursor_number(cursor, "next_roots"));
	}
	end = cursor_end(cursor, rc == 0 ? err : NULL);
	return rc != 0 ? rc : end;
}

static int read_formers(struct store_session *session, void *argument, struct err *err)
{
	struct front *front = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_RENEWAL_FORMERS);
	int rc = 0, end;

	while (rc == 0 && cursor_next(cursor)) {
		enum roster_standing standing =
		    cursor_is_null(cursor, "revoked") ? standing_of_row(cursor) : ROSTER_REVOKED;
		uint8_t fingerprint[SHA256_BYTES] = { 0 };
		struct uuid computer;

		cursor_uuid(cursor, "id", &computer);
		copy_bytes(fingerprint, cursor_bytes(cursor, "fingerprint"));
		rc = roster_put(front->roster, fingerprint, &computer, standing, err);
		roster_describe(front->roster, fingerprint, cursor_number(cursor, "not_after"), 0);
		roster_replaced(front->roster, fingerprint);
	}
	end = cursor_end(cursor, rc == 0 ? err : NULL);
	return rc != 0 ? rc : end;
}

struct load_one {
	struct front *front;
	const struct uuid *computer;
};

/* Whatever was known of its agent's silence counts no more: it was not to speak. */
static int read_computer(struct store_session *session, void *argument, struct err *err)
{
	const struct load_one *one = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_COMPUTER_BY_ID);
	int rc = 0, end;

	cursor_bind_uuid(cursor, "id", one->computer);
	if (cursor_next(cursor))
		rc = add_computer(one->front, cursor, true, err);
	end = cursor_end(cursor, rc == 0 ? err : NULL);
	return rc != 0 ? rc : end;
}

int front_load_computer(struct front *front, const struct uuid *computer, struct err *err)
{
	struct load_one one = { front, computer };

	return store_read(front->store, read_computer, &one, err);
}

int front_load_computers(struct front *front, struct err *err)
{
	int rc = store_read(front->store, read_computers, front, err);

	if (rc == 0)
		rc = store_read(front->store, read_formers, front, err);
	if (rc == 0)
		rc = store_read(front->store, read_roster, front, err);
	if (rc == 0)
		rc = store_read(front->store, read_next, front, err);
	if (rc == 0)
		shards_listen(front->shards);
	return rc;
}

/* --- quarantine --- */

int front_load_quarantine(struct front *front, struct err *err)
{
	char path[LAYOUT_PATH_BYTES];
	int rc;

	snprintf(path, sizeof(path), "%s/%s", front->data_directory, LAYOUT_QUARANTINE);
	rc = files_make_directory(AT_FDCWD, path, 0700, (uid_t)-1, (gid_t)-1, &front->quarantine_fd, err);
	if (rc == 0)
		rc = files_make_directory(front->quarantine_fd, "incoming", 0700, (uid_t)-1, (gid_t)-1,
					  &front->incoming_fd, err);
	if (rc == 0)
		rc = quarantine_sweep(front, err);
	return rc == 0 ? 0 : err_add(err, rc, "quarantine");
}
