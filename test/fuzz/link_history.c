/* The local history of events as a crash or a stranger left it: history.log and
 * history.old, parted by the first zero byte behind the first byte, which is how
 * many events are asked for. Shown are JSON objects, no more than were asked for. */
#include <string.h>

#include "agent/link/link_history.h"
#include "scratch_directory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count_line(void *context, json_t *line)
{
	size_t *count = context;

	require(json_is_object(line));
	json_decref(line);
	(*count)++;
}

static size_t show(struct link_history *history, uint32_t limit)
{
	size_t count = 0;

	link_history_show(history, limit, count_line, &count);
	require(count <= (limit ? limit : LINK_HISTORY_DEFAULT));
	return count;
}

static void read_history(int directory, uint32_t limit)
{
	static const struct event_field field = { "path", { (const uint8_t *)"/etc", 4 } };
	struct link_history *history = link_history_new(directory, NULL);

	require(history != NULL);
	show(history, limit);
	/* Behind a torn line the new one is lost with it; behind that, each is whole. */
	link_history_add(history, 2000, INT64_C(1795294800000000), &field, 1);
	link_history_add(history, 2000, INT64_C(1795294800000000), &field, 1);
	require(show(history, limit) >= 1);
	link_history_free(history);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int directory = -1;
	const uint8_t *parting;
	size_t old_size;

	if (size == 0 || size > 256 * KIB)
		return 0;
	if (directory < 0)
		directory = scratch_directory();
	parting = memchr(data + 1, 0, size - 1);
	old_size = parting ? (size_t)(parting - data) - 1 : 0;
	close(scratch_file(directory, "history.old", data + 1, old_size));
	close(scratch_file(directory, "history.log", parting ? parting + 1 : data + 1,
			   parting ? size - old_size - 2 : size - 1));
	read_history(directory, data[0]);
	return 0;
}
