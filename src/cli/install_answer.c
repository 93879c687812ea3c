/* The answer of a computer, line by line. All of it is untrusted. */
#include "cli/install_answer.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/units.h"
#include "cli/table.h"

#define SSH_FAILED 255

static const char *const states[] = { "installed", "updated", "started", "unchanged" };

void install_answer_init(struct install_answer *answer)
{
	*answer = (struct install_answer){ .failure = SSH_FAILURES };
}

/* The beginning of valid UTF-8, cut between two characters. */
static void keep(const char *text, size_t length, char *out, size_t capacity)
{
	if (length >= capacity) {
		length = capacity - 1;
		while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
			length--;
	}
	memcpy(out, text, length);
	out[length] = '\0';
}

static void clean(const char *line, struct buf *out)
{
	char whole[INSTALL_ANSWER_LINE_MAX_BYTES + 1];

	snprintf(whole, sizeof(whole), "%s", line);
	buf_init(out, INSTALL_ANSWER_LINE_MAX_BYTES * 4 + 1); /* a byte is four when it is escaped */
	table_clean(whole, out);
}

static void keep_clean(const char *line, char *out, size_t capacity)
{
	struct buf text;

	clean(line, &text);
	keep(buf_text(&text), text.size, out, capacity);
	buf_done(&text);
}

/* The next word; the rest is where it stopped. */
static const char *take_word(const char *text, char *out, size_t capacity)
{
	size_t length = strcspn(text, " ");

	keep(text, length, out, capacity);
	return text + length + (text[length] == ' ');
}

/* "STATE VERSION COMPUTER NAME"; a state that nobody knows is no result. */
static void take_result(struct install_answer *answer, const char *line)
{
	struct uuid computer;
	const char *at;
	char state[sizeof(answer->state)];
	struct buf text;
	bool known = false;

	clean(line, &text);
	at = take_word(buf_text(&text), state, sizeof(state));
	for (size_t i = 0; i < COUNT_OF(states); i++)
		known = known || strcmp(state, states[i]) == 0;
	if (known) {
		memcpy(answer->state, state, sizeof(state));
		at = take_word(at, answer->version, sizeof(answer->version));
		at = take_word(at, answer->computer, sizeof(answer->computer));
		keep(at, strlen(at), answer->name, sizeof(answer->name));
		if (uuid_parse(answer->computer, &computer, NULL) != 0)
			answer->computer[0] = '\0';
		answer->answered = true;
	}
	buf_done(&text);
}

static const char *behind(const char *line, const char *mark)
{
	size_t length = strlen(mark);

	return strncmp(line, mark, length) == 0 ? line + length : NULL;
}

const char *install_answer_line(struct install_answer *answer, const char *line)
{
	const char *step = behind(line, "==> "), *result = behind(line, "muster-result ");
	const char *word = behind(line, "muster: ");
	enum ssh_failure failure;

	if (step != NULL)
		return step;
	if (result != NULL) {
		take_result(answer, result);
		return NULL;
	}
	if (word != NULL)
		keep_clean(word, answer->said, sizeof(answer->said));
	failure = ssh_failure_of(line);
	if (answer->failure == SSH_FAILURES)
		answer->failure = failure;
	if (line[0] != '\0')
		keep_clean(line, answer->last, sizeof(answer->last));
	return NULL;
}

/* --- what it comes to --- */

static bool is_installed(const struct install_answer *answer, const struct install_end *end)
{
	return end->code == 0 && answer->answered && !end->interrupted && !end->timed_out;
}

/* ssh says 255 of itself; but so may the script, which then has said why. */
static bool ssh_failed(const struct install_answer *answer, const struct install_end *end)
{
	return end->code == SSH_FAILED && answer->said[0] == '\0';
}

const char *install_answer_cause(const struct install_answer *answer, const struct install_end *end)
{
	if (end->interrupted)
		return "interrupted";
	if (end->timed_out)
		return "timed_out";
	if (is_installed(answer, end))
		return NULL;
	if (end->code < 0)
		return "no_ssh";
	return ssh_failed(answer, end) ? ssh_failure_name(answer->failure) : "script";
}

void install_answer_detail(const struct install_answer *answer, const struct install_end *end, char *detail)
{
	const size_t capacity = INSTALL_ANSWER_DETAIL_MAX_BYTES;
	const char *said = answer->said[0] != '\0' ? answer->said : answer->last;

	detail[0] = '\0';
	if (is_installed(answer, end))
		return;
	if (end->interrupted || end->timed_out)
		snprintf(detail, capacity, "%s while: %s", end->interrupted ? "interrupted" : "took too long",
			 answer->last[0] != '\0' ? answer->last : "installing");
	else if (ssh_failed(answer, end))
		snprintf(detail, capacity, "%s%s%s", ssh_failure_advice(answer->failure),
			 answer->last[0] != '\0' ? ": " : "", answer->last);
	else
		snprintf(detail, capacity, "%s", said[0] != '\0' ? said : "it ended without a word");
}
