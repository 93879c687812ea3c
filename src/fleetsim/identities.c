/* Reading and writing identities; see identities.h. */
#include "fleetsim/identities.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/pack.h"
#include "os/files.h"
#include "trust/identity.h"
#include "wire/limits.h"

#define MAGIC          "muster-fleet-sim 1"
#define AGENTS_MAX     1000000
#define KEY_MAX_BYTES  4096
#define FILE_MAX_BYTES ((size_t)2 << 30)

static int take_slot(struct identity *slot, struct unpack *in)
{
	struct bytes certificate;

	unpack_fixed(in, slot->computer.bytes, UUID_BYTES);
	unpack_fixed(in, slot->manager_key, ENVELOPE_KEY_BYTES);
	certificate = unpack_bytes(in, WIRE_CERTIFICATE_MAX_BYTES);
	if (in->status != 0 || certificate.size == 0)
		return in->status;
	slot->certificate_pem = strndup((const char *)certificate.data, certificate.size);
	return slot->certificate_pem != NULL ? 0 : ERR_MEMORY;
}

static int make_slots(struct identities *identities, size_t count)
{
	identities->slots = calloc(count, sizeof(*identities->slots));
	identities->count = identities->slots != NULL ? count : 0;
	return identities->slots != NULL ? 0 : ERR_MEMORY;
}

static int take_file(struct identities *identities, const struct buf *file, size_t wanted, const char *name,
		     struct err *err)
{
	struct unpack in;
	char magic[sizeof(MAGIC)];
	struct bytes key;
	size_t count;
	int rc;

	unpack_init(&in, file->data, file->size);
	unpack_text(&in, magic, sizeof(magic));
	key = unpack_bytes(&in, KEY_MAX_BYTES);
	count = unpack_u32(&in);
	if (in.status != 0 || strcmp(magic, MAGIC) != 0 || count > AGENTS_MAX)
		return err_set(err, ERR_FORMAT, "%s holds no identities of muster-fleet-sim", name);
	buf_append(&identities->key_pem, key.data, key.size);
	rc = make_slots(identities, wanted > count ? wanted : count);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = take_slot(&identities->slots[i], &in);
	if (rc == 0)
		rc = unpack_end(&in);
	return rc == 0 ? 0 : err_set(err, rc, "%s is damaged; delete it to enrol anew", name);
}

static int load(struct identities *identities, const char *name, size_t wanted, struct err *err)
{
	struct buf file;
	int rc;

	buf_init(&file, FILE_MAX_BYTES);
	rc = files_read(AT_FDCWD, name, FILE_MAX_BYTES, &file, err);
	if (rc == 0)
		rc = take_file(identities, &file, wanted, name, err);
	buf_wipe(&file);
	return rc;
}

int identities_open(struct identities *identities, const char *file, size_t count, struct err *err)
{
	struct buf request;
	int rc = ERR_NOT_FOUND;

	*identities = (struct identities){ 0 };
	buf_init(&identities->key_pem, KEY_MAX_BYTES);
	if (file != NULL)
		rc = load(identities, file, count, err);
	if (rc == ERR_NOT_FOUND) {
		if (make_slots(identities, count) != 0)
			return err_set(err, ERR_MEMORY, "no memory for %zu agents", count);
		buf_init(&request, WIRE_REQUEST_MAX_BYTES);
		rc = identity_make(&identities->key_pem, &request, err);
		buf_done(&request);
	}
	return rc;
}

int identities_store(const struct identities *identities, const char *file, struct err *err)
{
	struct buf out;
	int rc;

	if (file == NULL)
		return 0;
	buf_init(&out, FILE_MAX_BYTES);
	pack_text(&out, MAGIC);
	pack_bytes(&out, identities->key_pem.data, identities->key_pem.size);
	pack_u32(&out, (uint32_t)identities->count);
	for (size_t i = 0; i < identities->count; i++) {
		const struct identity *slot = &identities->slots[i];

		buf_append(&out, slot->computer.bytes, UUID_BYTES);
		buf_append(&out, slot->manager_key, ENVELOPE_KEY_BYTES);
		pack_text(&out, slot->certificate_pem != NULL ? slot->certificate_pem : "");
	}
	rc = out.status != 0 ? err_set(err, out.status, "no memory to keep the identities")
			     : files_write(AT_FDCWD, file, out.data, out.size, 0600, err);
	buf_wipe(&out);
	return rc;
}

void identities_done(struct identities *identities)
{
	for (size_t i = 0; identities->slots != NULL && i < identities->count; i++)
		free(identities->slots[i].certificate_pem);
	free(identities->slots);
	buf_wipe(&identities->key_pem);
}
