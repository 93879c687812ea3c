/* Messages between the agent's roles: whatever a taken-over peer sends. The
 * first byte chooses the decoder. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/messages.h"
#include "agent/scan_messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void both_ways(const uint8_t *data, size_t size)
{
	struct message_notice notice;
	struct buf out;

	if (message_unpack_notice(data, size, &notice) != 0)
		return;
	buf_init(&out, CHANNEL_PAYLOAD_MAX_BYTES);
	message_pack_notice(&out, &notice);
	/* What decodes encodes to the same bytes. */
	if (out.status == 0 && (out.size != size || memcmp(out.data, data, size) != 0))
		abort();
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	union {
		struct message_progress progress;
		struct message_component component;
		struct message_item item;
		struct message_answer answer;
		struct message_job_start start;
		struct message_target target;
		struct message_put put;
		struct message_settings settings;
		struct scan_version version;
		struct scan_loaded loaded;
		struct scan_gone gone;
		struct scan_verdict verdict;
		struct message_limits limits;
		uint64_t number;
	} room;
	uint32_t number;

	if (size == 0)
		return 0;
	data++;
	size--;
	switch (data[-1] % 16) {
	case 0:
		both_ways(data, size);
		break;
	case 1:
		message_unpack_progress(data, size, &room.progress);
		break;
	case 2:
		message_unpack_component(data, size, &room.component);
		break;
	case 3:
		message_unpack_item(data, size, &room.item);
		break;
	case 4:
		message_unpack_answer(data, size, &room.answer);
		break;
	case 5:
		message_unpack_job_start(data, size, &room.start);
		break;
	case 6:
		message_unpack_target(data, size, &room.target);
		break;
	case 7:
		message_unpack_put(data, size, &room.put);
		break;
	case 8:
		message_unpack_settings(data, size, &room.settings);
		break;
	case 9:
		scan_unpack_version(data, size, &room.version);
		break;
	case 10:
		scan_unpack_loaded(data, size, &room.loaded);
		break;
	case 11:
		scan_unpack_gone(data, size, &room.gone);
		break;
	case 12:
		scan_unpack_verdict(data, size, &room.verdict);
		break;
	case 13:
		scan_unpack_worker(data, size, &number, &room.limits);
		break;
	default:
		message_unpack_number(data, size, &room.number);
		break;
	}
	return 0;
}
