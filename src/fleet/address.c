/* Addresses and ranges. Text comes from people, from peers' sockets and from agents. */
#include "fleet/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"

__extension__ typedef unsigned __int128 address_number;

static unsigned width_bytes(const struct address *address)
{
	return address->family == 4 ? 4 : 16;
}

/* --- one address --- */

static bool parse_both(const char *text, struct address *address)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct in6_addr six;

	*address = (struct address){ .family = 4 };
	if (inet_pton(AF_INET, text, address->bytes) == 1)
		return true;
	if (inet_pton(AF_INET6, text, &six) != 1)
		return false;
	if (memcmp(six.s6_addr, mapped, sizeof(mapped)) == 0) {
		memcpy(address->bytes, six.s6_addr + 12, 4);
		return true;
	}
	address->family = 6;
	memcpy(address->bytes, six.s6_addr, 16);
	return true;
}

static int parse_piece(const char *text, size_t size, struct address *ret_address, struct err *err)
{
	char copy[ADDRESS_TEXT_BYTES];
	struct address parsed;

	if (size >= sizeof(copy))
		return err_set(err, ERR_FORMAT, "an address is not that long");
	memcpy(copy, text, size);
	copy[size] = '\0';
	if (size == 0 || !parse_both(copy, &parsed))
		return err_set(err, ERR_FORMAT, "'%s' is no IPv4 or IPv6 address", copy);
	*ret_address = parsed;
	return 0;
}

int address_parse(const char *text, struct address *ret_address, struct err *err)
{
	return parse_piece(text, strcspn(text, "%"), ret_address, err);
}

int address_parse_peer(const char *text, struct address *ret_address, struct err *err)
{
	const char *colon = strrchr(text, ':');
	size_t size = colon != NULL ? (size_t)(colon - text) : strlen(text);

	if (text[0] == '[')
		return parse_piece(text + 1, strcspn(text + 1, "%]"), ret_address, err);
	return parse_piece(text, size, ret_address, err);
}

void address_format(const struct address *address, char *text)
{
	text[0] = '\0';
	if (address->family != 0)
		inet_ntop(address->family == 4 ? AF_INET : AF_INET6, address->bytes, text, ADDRESS_TEXT_BYTES);
}

int address_compare(const struct address *a, const struct address *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool address_is_loopback(const struct address *address)
{
	static const struct address six = { 6, { [15] = 1 } };

	return (address->family == 4 && address->bytes[0] == 127) || address_compare(address, &six) == 0;
}

struct address address_next(const struct address *address)
{
	struct address next = *address;

	for (unsigned i = width_bytes(address); i > 0; i--) {
		if (++next.bytes[i - 1] != 0)
			return next;
	}
	next.family = (uint8_t)(address->family + 1);
	return next;
}

/* --- ranges --- */

static unsigned width_bits(const struct address *address)
{
	return 8 * width_bytes(address);
}

/* Sets all bits behind the prefix; true if some were set before. */
static bool fill_host_bits(struct address *address, unsigned prefix)
{
	bool any = false;

	for (unsigned bit = prefix; bit < width_bits(address); bit++) {
		uint8_t mask = (uint8_t)(0x80 >> (bit % 8));

		any = any || (address->bytes[bit / 8] & mask) != 0;
		address->bytes[bit / 8] |= mask;
	}
	return any;
}

static void clear_host_bits(struct address *address, unsigned prefix)
{
	for (unsigned bit = prefix; bit < width_bits(address); bit++)
		address->bytes[bit / 8] &= (uint8_t) ~(0x80 >> (bit % 8));
}

/* An IPv4 prefix may be written behind an IPv4 address in IPv6 form: ::ffff:10.0.0.0/104. */
static int parse_prefix(const char *text, bool written_as_six, struct address_range *range, struct err *err)
{
	unsigned shift = written_as_six && range->first.family == 4 ? 96 : 0;
	unsigned most = width_bits(&range->first) + shift;
	uint64_t prefix;

	if (number_parse(text, shift, most, &prefix, NULL) != 0)
		return err_set(err, ERR_RANGE, "the prefix length '%.20s' is no number from %u to %u", text, shift,
			       most);
	range->last = range->first;
	if (fill_host_bits(&range->last, (unsigned)prefix - shift)) {
		char right[ADDRESS_TEXT_BYTES];

		clear_host_bits(&range->first, (unsigned)prefix - shift);
		address_format(&range->first, right);
		return err_set(err, ERR_RANGE, "the address has bits set behind its prefix; did you mean %s/%u?", right,
			       (unsigned)prefix - shift);
	}
	return 0;
}

static int parse_last(const char *text, struct address_range *range, struct err *err)
{
	int rc = parse_piece(text, strlen(text), &range->last, err);

	if (rc != 0)
		return rc;
	if (range->first.family != range->last.family)
		return err_set(err, ERR_RANGE, "one end is IPv4, the other IPv6");
	if (address_compare(&range->first, &range->last) > 0)
		return err_set(err, ERR_RANGE, "it ends before it begins; turn it round");
	return 0;
}

int address_range_parse(const char *text, struct address_range *ret_range, struct err *err)
{
	size_t size = strcspn(text, "/-");
	struct address_range range;
	int rc = parse_piece(text, size, &range.first, err);

	if (rc == 0 && text[size] == '/')
		rc = parse_prefix(text + size + 1, memchr(text, ':', size) != NULL, &range, err);
	else if (rc == 0 && text[size] == '-')
		rc = parse_last(text + size + 1, &range, err);
	else
		range.last = range.first;
	if (rc == 0)
		*ret_range = range;
	return rc;
}

static address_number number_of(const struct address *address)
{
	address_number number = 0;

	for (unsigned i = 0; i < width_bytes(address); i++)
		number = number << 8 | address->bytes[i];
	return number;
}

/* One less than how many it holds: all of IPv6 would not fit. */
static address_number span_of(const struct address_range *range)
{
	return number_of(&range->last) - number_of(&range->first);
}

/* True if it is a prefix, of *ret_bits. */
static bool is_prefix(const struct address_range *range, unsigned *ret_bits)
{
	address_number span = span_of(range);
	unsigned bits = width_bits(&range->first);

	if ((span & (span + 1)) != 0 || (number_of(&range->first) & span) != 0)
		return false;
	for (; span != 0; span >>= 1)
		bits--;
	*ret_bits = bits;
	return true;
}

void address_range_format(const struct address_range *range, char *text)
{
	char first[ADDRESS_TEXT_BYTES], last[ADDRESS_TEXT_BYTES];
	unsigned bits = 0;

	address_format(&range->first, first);
	address_format(&range->last, last);
	if (!is_prefix(range, &bits))
		snprintf(text, ADDRESS_RANGE_TEXT_BYTES, "%s-%s", first, last);
	else if (bits == width_bits(&range->first))
		snprintf(text, ADDRESS_RANGE_TEXT_BYTES, "%s", first);
	else
		snprintf(text, ADDRESS_RANGE_TEXT_BYTES, "%s/%u", first, bits);
}

bool address_range_holds(const struct address_range *range, const struct address *address)
{
	return address_compare(&range->first, address) <= 0 && address_compare(address, &range->last) <= 0;
}

int address_range_compare_size(const struct address_range *a, const struct address_range *b)
{
	address_number of_a = span_of(a), of_b = span_of(b);

	return of_a == of_b ? 0 : of_a < of_b ? -1 : 1;
}
