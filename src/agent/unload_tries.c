/* Counting wrong unload passwords (agent/unload_tries.h). Input: the file, which may be damaged. */
#include "agent/unload_tries.h"

#include <string.h>

#include "base/pack.h"

#define MAGIC          0x5455534du /* "MSUT" */
#define CHECKSUM_BYTES 4

static span_us whole_wait(const struct unload_tries *tries)
{
	span_us wait = UNLOAD_TRIES_WAIT_US;

	if (tries->count < UNLOAD_TRIES_FREE)
		return 0;
	for (uint32_t i = UNLOAD_TRIES_FREE; i < tries->count && wait < UNLOAD_TRIES_WAIT_MAX_US; i++)
		wait *= 2;
	return wait < UNLOAD_TRIES_WAIT_MAX_US ? wait : UNLOAD_TRIES_WAIT_MAX_US;
}

span_us unload_tries_wait(struct unload_tries *tries, time_us now)
{
	span_us wait = whole_wait(tries);

	if (now < tries->last)
		tries->last = now;
	return now - tries->last < wait ? wait - (now - tries->last) : 0;
}

void unload_tries_begin(struct unload_tries *tries, const struct unload_refusal *attempt)
{
	if (tries->untold_count == UNLOAD_TRIES_UNTOLD_MAX) {
		tries->untold_count--;
		memmove(tries->untold, tries->untold + 1, tries->untold_count * sizeof(*tries->untold));
	}
	tries->untold[tries->untold_count++] = *attempt;
	tries->count += tries->count < UINT32_MAX;
	tries->last = attempt->time;
}

void unload_tries_right(struct unload_tries *tries)
{
	tries->count = 0;
	tries->untold_count -= tries->untold_count > 0;
}

void unload_tries_encode(const struct unload_tries *tries, struct buf *out)
{
	size_t start = out->size;

	pack_u32(out, MAGIC);
	pack_u32(out, tries->count);
	pack_u64(out, (uint64_t)tries->last);
	pack_u8(out, (uint8_t)tries->untold_count);
	for (size_t i = 0; i < tries->untold_count; i++) {
		pack_u64(out, (uint64_t)tries->untold[i].time);
		pack_u8(out, tries->untold[i].action);
		pack_u32(out, tries->untold[i].uid);
	}
	if (out->status == 0)
		pack_u32(out, crc32c(0, out->data + start, out->size - start));
}

static time_us unpack_time(struct unpack *in)
{
	uint64_t time = unpack_u64(in);

	if (time > INT64_MAX && in->status == 0)
		in->status = ERR_FORMAT;
	return (time_us)time;
}

static bool whole(const uint8_t *bytes, size_t size)
{
	struct unpack in;

	unpack_init(&in, bytes + size - CHECKSUM_BYTES, CHECKSUM_BYTES);
	return crc32c(0, bytes, size - CHECKSUM_BYTES) == unpack_u32(&in);
}

int unload_tries_decode(const void *bytes, size_t size, struct unload_tries *ret_tries)
{
	struct unload_tries tries = { 0 };
	struct unpack in;

	if (size < CHECKSUM_BYTES || size > UNLOAD_TRIES_FILE_MAX_BYTES || !whole(bytes, size))
		return ERR_FORMAT;
	unpack_init(&in, bytes, size - CHECKSUM_BYTES);
	if (unpack_u32(&in) != MAGIC)
		return ERR_FORMAT;
	tries.count = unpack_u32(&in);
	tries.last = unpack_time(&in);
	tries.untold_count = unpack_u8(&in);
	if (tries.untold_count > UNLOAD_TRIES_UNTOLD_MAX)
		return ERR_FORMAT;
	for (size_t i = 0; i < tries.untold_count; i++) {
		tries.untold[i].time = unpack_time(&in);
		tries.untold[i].action = unpack_u8(&in);
		tries.untold[i].uid = unpack_u32(&in);
	}
	if (unpack_end(&in) != 0)
		return unpack_end(&in);
	*ret_tries = tries;
	return 0;
}
