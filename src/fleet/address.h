/* Internet addresses, and ranges of them, as text and as numbers.
 *
 * An IPv4 address written as IPv6 (::ffff:192.0.2.1, as a socket for both
 * families shows it) is the IPv4 address; the two families are apart, so that
 * ::/0 holds no IPv4 address. Text is untrusted. Pure; nothing allocates.
 */
#ifndef MUSTER_FLEET_ADDRESS_H
#define MUSTER_FLEET_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Ordered by its bytes: the family, then the number, big endian (of IPv4 in the first four). */
struct address {
	uint8_t family; /* 4 or 6; 0: none */
	uint8_t bytes[16];
};

struct address_range {
	struct address first, last; /* of one family, first <= last */
};

#define ADDRESS_TEXT_BYTES       46
#define ADDRESS_RANGE_TEXT_BYTES 94

/* "192.0.2.1", "2001:db8::1"; a zone ("%eth0") is left out. ERR_FORMAT. */
int address_parse(const char *text, struct address *ret_address, struct err *err);
/* The same of "192.0.2.1:50000" and "[2001:db8::1]:50000", as http_peer() writes it. */
int address_parse_peer(const char *text, struct address *ret_address, struct err *err);
void address_format(const struct address *address, char *text); /* ADDRESS_TEXT_BYTES; "" for none */
int address_compare(const struct address *a, const struct address *b);
bool address_is_loopback(const struct address *address);
/* The one behind it; behind the last of a family stands what is greater than all of it. */
struct address address_next(const struct address *address);

/* "192.0.2.0/24", "192.0.2.10-192.0.2.20", or one address. A prefix with bits of the
 * host set is refused, as it is mostly a slip. ERR_FORMAT, ERR_RANGE with what is wrong. */
int address_range_parse(const char *text, struct address_range *ret_range, struct err *err);
/* A prefix where it is one, one address, else "first-last". */
void address_range_format(const struct address_range *range, char *text); /* ADDRESS_RANGE_TEXT_BYTES */
bool address_range_holds(const struct address_range *range, const struct address *address);
/* By how many addresses they hold; negative: a holds fewer. */
int address_range_compare_size(const struct address_range *a, const struct address_range *b);

#endif
