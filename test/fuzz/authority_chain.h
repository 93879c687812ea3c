/* Authorities that follow one another, as PEM blocks, for targets whose input says which of them are put together: so
 * a fuzzer gets behind signatures that it cannot make. Made once a program, with other keys each time: what a target
 * demands must hold for any. */
#ifndef MUSTER_TEST_AUTHORITY_CHAIN_H
#define MUSTER_TEST_AUTHORITY_CHAIN_H

#include <string.h>

#include "require.h"
#include "trust/authorities.h"

#define CHAIN_NOW         ((time_us)INT64_C(1795294800) * SECOND_US)
#define CHAIN_AUTHORITIES 4
#define CHAIN_BLOCK_BYTES 2048

static struct chain {
	char roots[CHAIN_AUTHORITIES][CHAIN_BLOCK_BYTES], keys[CHAIN_AUTHORITIES][CHAIN_BLOCK_BYTES];
	char links[CHAIN_AUTHORITIES][CHAIN_BLOCK_BYTES]; /* by which number i follows i - 1; none for 0 */
} chain;

/* The block of this number and kind in a text; false: there are not so many. */
static inline bool chain_block(const char *text, const char *kind, size_t number, char out[CHAIN_BLOCK_BYTES])
{
	char begin[64], end[64];
	const char *last;

	snprintf(begin, sizeof(begin), "-----BEGIN %s-----", kind);
	snprintf(end, sizeof(end), "-----END %s-----\n", kind);
	for (text = strstr(text, begin); text != NULL && number > 0; number--)
		text = strstr(text + 1, begin);
	last = text != NULL ? strstr(text, end) : NULL;
	if (last == NULL)
		return false;
	require((size_t)(last - text) + strlen(end) < CHAIN_BLOCK_BYTES);
	snprintf(out, CHAIN_BLOCK_BYTES, "%.*s", (int)((size_t)(last - text) + strlen(end)), text);
	return true;
}

/* Of the authority that issues now, and is number i. */
static inline void chain_take(const struct authorities *authorities, size_t i)
{
	struct buf pem, keys;
	size_t count = 0;
	char last[CHAIN_BLOCK_BYTES];

	buf_init(&pem, AUTHORITIES_MAX_BYTES);
	buf_init(&keys, AUTHORITIES_MAX_BYTES);
	require(authorities_pem(authorities, &pem, NULL) == 0 && authorities_keys_pem(authorities, &keys, NULL) == 0);
	require(chain_block(buf_text(&pem), "CERTIFICATE", 0, chain.roots[i]));
	require(chain_block(buf_text(&keys), "PRIVATE KEY", 0, chain.keys[i]));
	while (chain_block(buf_text(&pem), "CERTIFICATE", count, last))
		count++;
	require(count == 2 * i + 1); /* i + 1 roots, then the links, the newest first */
	if (i > 0)
		require(chain_block(buf_text(&pem), "CERTIFICATE", i + 1, chain.links[i]));
	buf_done(&keys);
	buf_done(&pem);
}

static inline void chain_make(void)
{
	struct authorities *authorities;
	struct authority *first;

	if (chain.roots[0][0] != '\0')
		return;
	require(authority_generate("Muster test", CHAIN_NOW, &first, NULL) == 0 &&
		authorities_new(first, &authorities, NULL) == 0);
	for (size_t i = 0; i < CHAIN_AUTHORITIES; i++) {
		if (i > 0)
			require(authorities_prepare(authorities, CHAIN_NOW, NULL) == 0 &&
				authorities_turn(authorities, NULL) == 0);
		chain_take(authorities, i);
	}
	authorities_free(authorities);
}

#endif
