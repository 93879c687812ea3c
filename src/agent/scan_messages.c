/* Encoding of the messages around the scan program. Pure; input untrusted. */
#include "agent/scan_messages.h"

#include "base/err.h"

#define SMALL 1024

const struct channel_permit scan_permits_guard[] = {
	{ SCAN_VERSION, "version", SMALL, false },
	{ SCAN_LOADED, "loaded", SMALL, false },
	{ SCAN_WORKER, "worker", SMALL, true },
	{ SCAN_WORKER_GONE, "worker gone", SMALL, false },
};
const struct channel_permit scan_permits_scan[] = {
	{ SCAN_LOAD, "load", 0, false },
	{ SCAN_WORKER_START, "worker start", SMALL, false },
	{ SCAN_WORKER_KILL, "worker kill", SMALL, false },
};
const struct channel_permit scan_permits_worker[] = { { SCAN_FILE, "file", 0, true } };
const struct channel_permit scan_permits_verdicts[] = { { SCAN_VERDICT, "verdict", SMALL, false } };
const size_t scan_permits_guard_count = COUNT_OF(scan_permits_guard);
const size_t scan_permits_scan_count = COUNT_OF(scan_permits_scan);
const size_t scan_permits_worker_count = COUNT_OF(scan_permits_worker);
const size_t scan_permits_verdicts_count = COUNT_OF(scan_permits_verdicts);

static unsigned choice(struct unpack *in, unsigned max)
{
	uint8_t value = unpack_u8(in);

	if (value > max && in->status == 0)
		in->status = ERR_FORMAT;
	return value;
}

void scan_pack_version(struct buf *out, const struct scan_version *version)
{
	buf_append(out, version->tag, SCAN_VERSION_BYTES);
	pack_text(out, version->engine);
}

static void unpack_version(struct unpack *in, struct scan_version *version)
{
	unpack_fixed(in, version->tag, SCAN_VERSION_BYTES);
	unpack_text(in, version->engine, sizeof(version->engine));
}

int scan_unpack_version(const void *data, size_t size, struct scan_version *ret_version)
{
	struct unpack in;

	unpack_init(&in, data, size);
	unpack_version(&in, ret_version);
	return unpack_end(&in);
}

void scan_pack_loaded(struct buf *out, const struct scan_loaded *loaded)
{
	pack_u8(out, (uint8_t)loaded->failure);
	pack_u32(out, loaded->signatures);
	pack_u64(out, loaded->duration_us);
	scan_pack_version(out, &loaded->version);
	pack_text(out, loaded->text);
}

int scan_unpack_loaded(const void *data, size_t size, struct scan_loaded *ret_loaded)
{
	struct unpack in;

	unpack_init(&in, data, size);
	ret_loaded->failure = (enum scan_load_failure)choice(&in, SCAN_SELF_TEST_FAILED);
	ret_loaded->signatures = unpack_u32(&in);
	ret_loaded->duration_us = unpack_u64(&in);
	unpack_version(&in, &ret_loaded->version);
	unpack_text(&in, ret_loaded->text, sizeof(ret_loaded->text));
	return unpack_end(&in);
}

void scan_pack_gone(struct buf *out, const struct scan_gone *gone)
{
	pack_u32(out, gone->number);
	pack_u32(out, gone->signal);
	pack_u32(out, gone->exit_code);
}

int scan_unpack_gone(const void *data, size_t size, struct scan_gone *ret_gone)
{
	struct unpack in;

	unpack_init(&in, data, size);
	ret_gone->number = unpack_u32(&in);
	ret_gone->signal = unpack_u32(&in);
	ret_gone->exit_code = unpack_u32(&in);
	return unpack_end(&in);
}

void scan_pack_verdict(struct buf *out, const struct scan_verdict *verdict)
{
	pack_u8(out, (uint8_t)verdict->outcome);
	pack_u64(out, verdict->duration_us);
	pack_text(out, verdict->name);
}

int scan_unpack_verdict(const void *data, size_t size, struct scan_verdict *ret_verdict)
{
	struct unpack in;

	unpack_init(&in, data, size);
	ret_verdict->outcome = (enum scan_outcome)choice(&in, SCAN_UNREADABLE);
	ret_verdict->duration_us = unpack_u64(&in);
	unpack_text(&in, ret_verdict->name, sizeof(ret_verdict->name));
	return unpack_end(&in);
}

void scan_pack_worker(struct buf *out, uint32_t number, const struct message_limits *limits)
{
	pack_u32(out, number);
	if (limits != NULL)
		message_pack_limits(out, limits);
}

int scan_unpack_worker(const void *data, size_t size, uint32_t *ret_number, struct message_limits *ret_limits)
{
	struct unpack in;

	unpack_init(&in, data, size);
	*ret_number = unpack_u32(&in);
	if (ret_limits != NULL)
		message_unpack_limits(&in, ret_limits);
	return unpack_end(&in);
}
