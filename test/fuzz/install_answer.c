/* What `muster computer install` reads from computers and from ssh-keyscan. The first byte chooses: lines of a
 * computer, with how ssh ended in the second; or offered host keys. What is kept fits into JSON and onto a terminal,
 * and a line for known_hosts is of the key that was asked for. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/text.h"
#include "base/units.h"
#include "cli/install_answer.h"
#include "require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t capacity)
{
	size_t length = strnlen(text, capacity);

	require(length < capacity && text_is_utf8(text, length));
	for (size_t i = 0; i < length; i++)
		require((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
}

static void check_answer(const struct install_answer *answer, const struct install_end *end)
{
	const char *cause = install_answer_cause(answer, end);
	char detail[INSTALL_ANSWER_DETAIL_MAX_BYTES];
	struct uuid computer;

	check_text(answer->state, sizeof(answer->state));
	check_text(answer->version, sizeof(answer->version));
	check_text(answer->name, sizeof(answer->name));
	check_text(answer->said, sizeof(answer->said));
	check_text(answer->last, sizeof(answer->last));
	require(answer->computer[0] == '\0' || uuid_parse(answer->computer, &computer, NULL) == 0);
	require(answer->answered == (answer->state[0] != '\0'));
	install_answer_detail(answer, end, detail);
	check_text(detail, sizeof(detail));
	require((cause == NULL) == (detail[0] == '\0') && (cause != NULL || (answer->answered && end->code == 0)));
}

static void read_lines(const uint8_t *data, size_t size)
{
	struct install_answer answer;
	struct install_end end;
	char *text, *rest, *line;

	if (size == 0)
		return;
	end = (struct install_end){ .code = (data[0] & 0x0f) == 15 ? 255 : (data[0] & 0x0f) - 1,
				    .timed_out = (data[0] & 0x10) != 0,
				    .interrupted = (data[0] & 0x20) != 0 };
	text = rest = strndup((const char *)data + 1, size - 1);
	require(text != NULL);
	install_answer_init(&answer);
	while ((line = strsep(&rest, "\n")) != NULL) {
		const char *step = install_answer_line(&answer, line);

		require(step == NULL || (step >= line && step <= line + strlen(line)));
	}
	check_answer(&answer, &end);
	free(text);
}

/* As ssh reads known_hosts: words apart at spaces and tabs, the key in the third. */
static void check_known(char *lines, const uint8_t fingerprint[SHA256_BYTES])
{
	char *line;

	while ((line = strsep(&lines, "\n")) != NULL && line[0] != '\0') {
		const char *host = strsep(&line, " \t"), *type = strsep(&line, " \t"), *key = strsep(&line, " \t");
		uint8_t bytes[4096], digest[SHA256_BYTES];
		size_t length, pad;
		char padded[4100];
		int count;

		require(host[0] != '@' && host[0] != '#' && type != NULL && key != NULL && line == NULL);
		length = strcspn(key, "=");
		pad = (4 - length % 4) % 4;
		require(length <= 4096);
		snprintf(padded, sizeof(padded), "%.*s%.*s", (int)length, key, (int)pad, "===");
		count = EVP_DecodeBlock(bytes, (const unsigned char *)padded, (int)(length + pad));
		require(count >= (int)pad);
		require(EVP_Digest(bytes, (size_t)count - pad, digest, NULL, EVP_sha256(), NULL) == 1);
		require(memcmp(digest, fingerprint, SHA256_BYTES) == 0);
	}
	require(lines == NULL);
}

static void read_keys(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), *rest = text, *given;
	uint8_t fingerprint[SHA256_BYTES];
	struct buf lines;
	struct err err = { 0 };

	require(text != NULL);
	given = strsep(&rest, "\n"); /* the fingerprint that was asked for, then the scan */
	if (rest != NULL && ssh_fingerprint_parse(given, fingerprint, NULL) == 0) {
		buf_init(&lines, 65536);
		if (ssh_known_hosts(rest, fingerprint, &lines, &err) == 0)
			check_known((char *)lines.data, fingerprint);
		else
			check_text(err.text, sizeof(err.text));
		buf_done(&lines);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 0 && data[0] % 2 == 0)
		read_lines(data + 1, size - 1);
	else if (size > 0)
		read_keys(data + 1, size - 1);
	return 0;
}
