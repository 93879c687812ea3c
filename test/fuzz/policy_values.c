/* policy/: settings as people and files give them, a line "NAME=VALUE" each, or
 * "NAME" to inherit again. What the tree takes is canonical: given again it
 * changes nothing, and an agent reads what was packed of it. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/tree.h"
#include "require.h"

#define CHANGES_MAX 64

/* Any digest will do that tells the texts of one run apart. */
static void digest(const void *data, size_t size, uint8_t out[SHA256_BYTES])
{
	const uint8_t *bytes = data;
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3u;
	memset(out, 0, SHA256_BYTES);
	memcpy(out, &hash, sizeof(hash));
	memcpy(out + 8, &size, sizeof(size));
}

static size_t split(char *text, struct policy_change *changes)
{
	size_t count = 0;

	for (char *line = text, *next; line != NULL && count < CHANGES_MAX; line = next) {
		char *equals;

		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		equals = strchr(line, '=');
		if (equals != NULL)
			*equals++ = '\0';
		changes[count++] = (struct policy_change){ line, equals };
	}
	return count;
}

static void count_fault(void *context, const char *name, const char *reason)
{
	require(name != NULL && reason != NULL && reason[0] != '\0');
	++*(size_t *)context;
}

static void check_canonical(const struct policy_node *policy)
{
	struct buf text;

	buf_init(&text, CONF_VALUE_BYTES + 1);
	for (unsigned id = 0; id < SETTINGS_COUNT; id++) {
		const char *own = policy_own(policy, id);

		buf_reset(&text);
		if (own != NULL)
			require(setting_canonical(id, own, &text, NULL) == 0 && strcmp(buf_text(&text), own) == 0);
	}
	buf_done(&text);
}

static void check_read(const struct outcome *outcome)
{
	Muster__Wire__Configuration *configuration =
	    muster__wire__configuration__unpack(NULL, outcome->packed_size, outcome->packed);
	struct effective effective;
	struct buf problems;

	buf_init(&problems, EFFECTIVE_PROBLEMS_BYTES);
	require(configuration != NULL && effective_init(&effective, NULL) == 0);
	require(effective_read(configuration, &effective, &problems, NULL) == 0 && problems.size == 0);
	effective_done(&effective);
	muster__wire__configuration__free_unpacked(configuration, NULL);
	buf_done(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_change changes[CHANGES_MAX];
	struct uuid id = { { 1 } };
	struct policy_tree *tree;
	struct policy_node *base;
	struct err err = { 0 };
	size_t count, faults = 0;
	char *text = malloc(size + 1);
	int rc;

	if (text == NULL)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	require(policy_tree_new(1, digest, &tree, NULL) == 0);
	require(policy_create(tree, &id, POLICY_BASE, NULL, &base, NULL) == 0);
	count = split(text, changes);
	rc = policy_set(tree, base, changes, count, count_fault, &faults, &err);
	require(rc == 0 ? faults == 0 : rc == ERR_RANGE && faults > 0 && policy_own_count(base) == 0);
	check_canonical(base);
	require(policy_settle(tree, NULL) == 0);
	policy_commit(tree, NULL, NULL);
	check_read(policy_outcome(base));
	policy_tree_free(tree);
	free(text);
	return 0;
}
