/* fleet/address.h: ranges and addresses as people, agents and sockets write them.
 * What is taken is written in one way, and means the same when read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/networks.h"
#include "require.h"

static void check_range(const char *text)
{
	struct address_range range, again;
	char written[ADDRESS_RANGE_TEXT_BYTES];

	if (address_range_parse(text, &range, NULL) != 0)
		return;
	require(range.first.family == range.last.family && address_compare(&range.first, &range.last) <= 0);
	require(address_range_holds(&range, &range.first) && address_range_holds(&range, &range.last));
	address_range_format(&range, written);
	require(address_range_parse(written, &again, NULL) == 0);
	require(address_compare(&range.first, &again.first) == 0 && address_compare(&range.last, &again.last) == 0);
}

static void check_table(const char *text)
{
	struct network network = { .name = "one", .rules = { true, 10, 60, 0 }, .range_count = 1 };
	struct address_range range;
	struct networks *networks;
	struct address behind;

	if (address_range_parse(text, &range, NULL) != 0)
		return;
	network.ranges = &range;
	require(networks_new(&network, 1, &networks, NULL) == 0);
	behind = address_next(&range.last);
	require(networks_find(networks, &range.first, NULL) != NULL);
	require(networks_find(networks, &range.last, NULL) != NULL);
	require(networks_find(networks, &behind, NULL) == NULL);
	networks_free(networks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct address address;

	require(text != NULL);
	check_range(text);
	check_table(text);
	if (address_parse(text, &address, NULL) == 0)
		require(address.family == 4 || address.family == 6);
	if (address_parse_peer(text, &address, NULL) == 0)
		require(address.family == 4 || address.family == 6);
	free(text);
	return 0;
}
