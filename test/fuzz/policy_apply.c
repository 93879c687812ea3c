/* Policies as `muster policy apply -f` sends them: a body by its shape, values out of JSON, and the tree that they
 * make. What is taken is canonical, has an outcome for every policy, and given again changes nothing; what is refused
 * leaves the tree as it was. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "manager/api/decode.h"
#include "manager/api/policy_body.h"
#include "manager/api/shapes.h"
#include "policy/tree.h"
#include "require.h"

#define CHANGES_MAX 256 /* as manager/api/policies.c takes */

static struct policy_change changes[CHANGES_MAX];
static char *texts[CHANGES_MAX];

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

/* False: a value that no setting takes. */
static bool take_settings(const json_t *given, size_t *ret_count)
{
	bool good = json_object_size(given) <= CHANGES_MAX;
	const char *name;
	json_t *value;

	*ret_count = 0;
	if (!good)
		return false;
	json_object_foreach((json_t *)(uintptr_t)given, name, value)
	{
		texts[*ret_count] = policy_value_text(value);
		good = good && (texts[*ret_count] != NULL || json_is_null(value));
		changes[*ret_count] = (struct policy_change){ name, texts[*ret_count] };
		++*ret_count;
	}
	return good;
}

static struct policy_node *parent_of(const struct policy_tree *tree, const json_t *policy)
{
	const char *name = json_string_value(json_object_get(policy, "parent"));

	return name != NULL ? policy_find_name(tree, name) : policy_base(tree);
}

/* One policy be as described; false: refused. */
static bool put(struct policy_tree *tree, const json_t *policy, size_t number)
{
	const char *name = json_string_value(json_object_get(policy, "name"));
	struct policy_node *parent = parent_of(tree, policy), *node = policy_find_name(tree, name);
	struct uuid id = { { 2, (uint8_t)(number >> 8), (uint8_t)number } };
	size_t count;
	bool good = take_settings(json_object_get(policy, "settings"), &count) && parent != NULL;

	if (good && node == NULL)
		good = policy_create(tree, &id, name, parent, &node, NULL) == 0;
	else if (good && json_object_get(policy, "parent") != NULL && parent != policy_parent(node))
		good = policy_move(tree, node, parent, NULL) == 0;
	if (good && count > 0)
		good = policy_set(tree, node, changes, count, NULL, NULL, NULL) == 0;
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
	return good;
}

/* All or none; false: none. */
static bool apply(struct policy_tree *tree, const json_t *policies)
{
	bool good = true;

	for (size_t i = 0; good && i < json_array_size(policies); i++)
		good = put(tree, json_array_get(policies, i), i);
	good = good && policy_settle(tree, NULL) == 0;
	if (good)
		policy_commit(tree, NULL, NULL);
	else
		policy_rollback(tree);
	return good;
}

/* Of all that the tree holds, the order aside. */
static uint64_t look(const struct policy_tree *tree)
{
	struct buf text;
	uint64_t sum = policy_tree_policies(tree);

	buf_init(&text, CONF_VALUE_BYTES + 1);
	for (const struct policy_node *node = policy_base(tree); node != NULL; node = policy_next(tree, node)) {
		require(policy_outcome(node) != NULL && policy_outcome(node)->packed_size > 0);
		for (size_t i = 0; i < 8; i++)
			sum += (uint64_t)policy_outcome(node)->fingerprint[i] << 8 * i;
		for (unsigned id = 0; id < SETTINGS_COUNT; id++) {
			const char *own = policy_own(node, id);

			buf_reset(&text);
			if (own != NULL)
				require(setting_canonical(id, own, &text, NULL) == 0 &&
					strcmp(buf_text(&text), own) == 0);
		}
	}
	buf_done(&text);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct faults faults = { 0 };
	struct uuid id = { { 1 } };
	struct policy_tree *tree;
	struct policy_node *base;
	struct err err = { 0 };
	json_t *body = NULL;
	uint64_t before;
	bool taken;

	if (decode_body(&shape_policy_apply_request, data, size, &faults, &body, &err) != 0) {
		require(body == NULL && err.code != 0);
		faults_done(&faults);
		return 0;
	}
	require(policy_tree_new(1, digest, &tree, NULL) == 0);
	require(policy_create(tree, &id, POLICY_BASE, NULL, &base, NULL) == 0);
	require(policy_settle(tree, NULL) == 0);
	policy_commit(tree, NULL, NULL);
	before = look(tree);
	taken = apply(tree, json_object_get(body, "policies"));
	if (!taken)
		require(look(tree) == before);
	before = look(tree);
	/* What was taken is taken again, unless the body moves a policy to and fro, and then stands still. */
	if (taken && apply(tree, json_object_get(body, "policies")))
		require(policy_tree_policies(tree) > 0 && look(tree) != 0);
	policy_tree_free(tree);
	json_decref(body);
	return 0;
}
