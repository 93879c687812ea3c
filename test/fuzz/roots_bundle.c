/* The authorities that a manager gives an agent (trust/roots.h). First byte: bit 0 clear, the rest is what was trusted,
 * a NUL, and what is given, as they came. Bit 0 set: a byte a certificate of authorities that follow one another: bits
 * 0 and 1 which one, bit 2 its link instead of its root, bit 3 it was trusted (a root alone can be) and not given, bit
 * 4 it is damaged in the middle. Then it is known which roots must come out. */
#include "authority_chain.h"
#include "trust/roots.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_MAX_BYTES 65536
#define PIECES_MAX     24

struct said {
	bool trusted[CHAIN_AUTHORITIES], roots[CHAIN_AUTHORITIES], links[CHAIN_AUTHORITIES];
	bool damaged;
};

static size_t count(const char *text, const char *what)
{
	size_t found = 0;

	for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what))
		found++;
	return found;
}

/* What came out is roots alone, all of them given; told again, the same comes out. */
static void check(const struct buf *out, const char *given)
{
	struct buf first, roots, links, again;

	buf_init(&first, TEXT_MAX_BYTES);
	buf_init(&roots, TEXT_MAX_BYTES);
	buf_init(&links, TEXT_MAX_BYTES);
	buf_init(&again, TEXT_MAX_BYTES);
	require(roots_split(buf_text(out), &first, &roots, &links, NULL) == 0);
	require(links.size == 0 && strcmp(buf_text(&roots), buf_text(out)) == 0);
	require(roots_follow(buf_text(out), given, &again, NULL) == 0);
	require(strcmp(buf_text(&again), buf_text(out)) == 0);
	buf_done(&first);
	buf_done(&roots);
	buf_done(&links);
	buf_done(&again);
}

static int follow(const char *trusted, const char *given, struct buf *out)
{
	int rc;

	buf_init(out, TEXT_MAX_BYTES);
	rc = roots_follow(trusted, given, out, NULL);
	if (rc == 0)
		check(out, given);
	return rc;
}

static void as_they_came(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\0', size);
	uint8_t nobody[SHA256_BYTES] = { 0 };
	struct buf trusted, given, out;

	buf_init(&trusted, TEXT_MAX_BYTES);
	buf_init(&given, TEXT_MAX_BYTES);
	require(buf_append(&trusted, data, end != NULL ? (size_t)(end - data) : size) == 0);
	if (end != NULL)
		require(buf_append(&given, end + 1, size - (size_t)(end - data) - 1) == 0);
	(void)follow(buf_text(&trusted), buf_text(&given), &out);
	buf_reset(&out);
	require(roots_find(buf_text(&given), nobody, &out, NULL) != 0);
	buf_done(&out);
	buf_done(&trusted);
	buf_done(&given);
}

static void say(uint8_t byte, struct said *said, struct buf *trusted, struct buf *given)
{
	size_t which = byte & 3;
	bool link = (byte & 4) != 0 && which > 0, was_trusted = (byte & 8) != 0 && !link;
	const char *block = link ? chain.links[which] : chain.roots[which];
	struct buf *out = was_trusted ? trusted : given;
	size_t at = out->size;

	require(buf_append_text(out, block) == 0);
	if (byte & 16) {
		out->data[at + strlen(block) / 2] ^= 1;
		said->damaged = true;
		return;
	}
	if (was_trusted)
		said->trusted[which] = true;
	else if (link)
		said->links[which] = true;
	else
		said->roots[which] = true;
}

/* By the very words of doc/protocol.md: it is trusted, or its predecessor is or follows, and says so. A link needs the
 * predecessor's root among those that are trusted, or given and good. */
static void compare(const struct said *said, int rc, const char *out)
{
	size_t good = 0;
	bool before = false; /* the predecessor speaks for the next one */

	for (size_t i = 0; i < CHAIN_AUTHORITIES; i++) {
		bool is_good = said->roots[i] && (said->trusted[i] || (i > 0 && said->links[i] && before));

		require(count(out, chain.roots[i]) == 0 || is_good);
		require(!is_good || strstr(out, chain.roots[i]) != NULL);
		good += is_good;
		before = said->trusted[i] || is_good;
	}
	require((rc == 0) == (good > 0));
}

static void as_said(const uint8_t *data, size_t size)
{
	struct said said = { .damaged = false };
	struct buf trusted, given, out;
	int rc;

	chain_make();
	buf_init(&trusted, TEXT_MAX_BYTES);
	buf_init(&given, TEXT_MAX_BYTES);
	for (size_t i = 0; i < size && i < PIECES_MAX; i++)
		say(data[i], &said, &trusted, &given);
	rc = follow(buf_text(&trusted), buf_text(&given), &out);
	if (!said.damaged) /* what becomes of PEM that is damaged in the midst of others is OpenSSL's to say */
		compare(&said, rc, buf_text(&out));
	buf_done(&out);
	buf_done(&trusted);
	buf_done(&given);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > TEXT_MAX_BYTES / 2)
		return 0;
	if (data[0] & 1)
		as_said(data + 1, size - 1);
	else
		as_they_came(data + 1, size - 1);
	return 0;
}
