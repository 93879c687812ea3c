/* policy/tree.h: against a model that resolves everything anew, at random; and
 * each refusal by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "policy/tree.h"

static unsigned digests;

static void digest(const void *data, size_t size, uint8_t out[SHA256_BYTES])
{
	digests++;
	EVP_Digest(data, size, out, NULL, EVP_sha256(), NULL);
}

static uint64_t random_state;

static unsigned below(unsigned bound)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(random_state >> 33) % bound;
}

static struct uuid id_of(unsigned number)
{
	struct uuid id = { { 0 } };

	memcpy(id.bytes, &number, sizeof(number));
	id.bytes[15] = 7;
	return id;
}

static struct policy_tree *tree_with_base(void)
{
	struct policy_tree *tree = NULL;
	struct policy_node *base;
	struct uuid id = id_of(0);

	assert_int_equal(policy_tree_new(1, digest, &tree, NULL), 0);
	assert_int_equal(policy_create(tree, &id, POLICY_BASE, NULL, &base, NULL), 0);
	assert_int_equal(policy_settle(tree, NULL), 0);
	policy_commit(tree, NULL, NULL);
	return tree;
}

static struct policy_node *create(struct policy_tree *tree, unsigned number, const char *name,
				  struct policy_node *parent)
{
	struct policy_node *policy = NULL;
	struct uuid id = id_of(number);

	assert_int_equal(policy_create(tree, &id, name, parent, &policy, NULL), 0);
	return policy;
}

static struct policy_node *add(struct policy_tree *tree, unsigned number, struct policy_node *policy)
{
	struct policy_node *computer = NULL;
	struct uuid id = id_of(number);

	assert_int_equal(policy_computer_add(tree, &id, policy, &computer, NULL), 0);
	return computer;
}

static int set(struct policy_tree *tree, struct policy_node *node, const char *name, const char *value, struct err *err)
{
	const struct policy_change change = { name, value };

	return policy_set(tree, node, &change, 1, NULL, NULL, err);
}

static void commit(struct policy_tree *tree)
{
	assert_int_equal(policy_settle(tree, NULL), 0);
	policy_commit(tree, NULL, NULL);
}

/* --- what is refused --- */

static void circles_and_what_is_used_are_refused(void **state)
{
	struct policy_tree *tree = tree_with_base();
	struct policy_node *base = policy_base(tree);
	struct policy_node *servers = create(tree, 1, "Servers", base);
	struct policy_node *web = create(tree, 2, "Web", servers);
	struct policy_node *computer = add(tree, 100, web), *other;
	struct uuid id = id_of(3);
	struct err err = { 0 };

	(void)state;
	commit(tree);
	assert_int_equal(policy_move(tree, servers, web, &err), ERR_WRONG_STATE);
	assert_string_equal(err.text, "Web stands below Servers: the tree would become a circle");
	assert_int_equal(policy_move(tree, servers, servers, &err), ERR_WRONG_STATE);
	assert_int_equal(policy_move(tree, base, web, &err), ERR_WRONG_STATE);
	assert_int_equal(policy_move(tree, web, computer, &err), ERR_WRONG_STATE);
	assert_int_equal(policy_rename(tree, base, "other", &err), ERR_WRONG_STATE);
	assert_int_equal(policy_delete(tree, base, &err), ERR_WRONG_STATE);
	assert_int_equal(policy_delete(tree, servers, &err), ERR_WRONG_STATE);
	assert_string_equal(err.text, "1 policy stands below it, such as Web; move or delete it first");
	assert_int_equal(policy_delete(tree, web, &err), ERR_WRONG_STATE);
	assert_string_equal(err.text, "1 computer is assigned to it; assign another policy first");
	assert_int_equal(policy_create(tree, &id, "WEB", base, &other, &err), ERR_EXISTS);
	assert_int_equal(policy_create(tree, &id, "a\nb", base, &other, &err), ERR_RANGE);
	assert_int_equal(policy_create(tree, &id, "", base, &other, &err), ERR_RANGE);
	assert_int_equal(policy_create(tree, &id, "018f4e9a-0000-7000-8000-000000000000", base, &other, &err),
			 ERR_RANGE);
	assert_int_equal(policy_create(tree, &id, "second base", NULL, &other, &err), ERR_WRONG_STATE);
	id = id_of(2);
	assert_int_equal(policy_create(tree, &id, "same id", base, &other, &err), ERR_EXISTS);
	assert_int_equal(policy_rename(tree, web, "web", &err), 0);
	policy_tree_free(tree);
}

static void the_depth_has_a_limit(void **state)
{
	struct policy_tree *tree = tree_with_base();
	struct policy_node *policy = policy_base(tree), *chain;
	struct uuid id = id_of(1000);
	struct err err = { 0 };
	char name[16];

	(void)state;
	for (unsigned i = 1; i <= POLICY_DEPTH_MAX; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		policy = create(tree, i, name, policy);
	}
	assert_int_equal(policy_create(tree, &id, "too deep", policy, &chain, &err), ERR_LIMIT);
	chain = create(tree, 1001, "a", policy_base(tree));
	create(tree, 1002, "b", chain);
	assert_int_equal(policy_move(tree, chain, policy_parent(policy), &err), ERR_LIMIT);
	policy_tree_free(tree);
}

static void note_fault(void *context, const char *name, const char *reason)
{
	buf_printf(context, "%s: %s\n", name, reason);
}

static void every_fault_is_told_and_nothing_is_set(void **state)
{
	static const struct policy_change changes[] = {
		{ "link.poll", "periodic" }, { "link.pol", "held" }, { "scan.cpu_limit", "900" },
		{ "link.poll", "held" },     { "nonsense", NULL },
	};
	struct policy_tree *tree = tree_with_base();
	struct err err = { 0 };
	struct buf told;

	(void)state;
	buf_init(&told, 4096);
	assert_int_equal(policy_set(tree, policy_base(tree), changes, COUNT_OF(changes), note_fault, &told, &err),
			 ERR_RANGE);
	assert_string_equal(buf_text(&told), "link.pol: there is no such setting; did you mean link.poll?\n"
					     "scan.cpu_limit: allowed: 1 to 100\n"
					     "link.poll: is given twice\n"
					     "nonsense: there is no such setting\n");
	assert_string_equal(err.text, "link.pol: there is no such setting; did you mean link.poll?");
	assert_null(policy_own(policy_base(tree), SETTING_LINK_POLL));
	buf_done(&told);
	policy_tree_free(tree);
}

/* --- inheritance --- */

static void values_come_from_the_nearest_that_sets_them(void **state)
{
	struct policy_tree *tree = tree_with_base();
	struct policy_node *servers = create(tree, 1, "Servers", policy_base(tree));
	struct policy_node *computer = add(tree, 100, servers);
	const struct policy_node *origin;

	(void)state;
	assert_string_equal(policy_value(computer, SETTING_LINK_POLL, &origin), "held");
	assert_null(origin);
	assert_int_equal(set(tree, policy_base(tree), "link.poll", "periodic", NULL), 0);
	assert_string_equal(policy_value(computer, SETTING_LINK_POLL, &origin), "periodic");
	assert_ptr_equal(origin, policy_base(tree));
	assert_int_equal(set(tree, servers, "link.poll", "held", NULL), 0);
	assert_string_equal(policy_value(computer, SETTING_LINK_POLL, &origin), "held");
	assert_ptr_equal(origin, servers);
	assert_int_equal(set(tree, computer, "link.poll", "periodic", NULL), 0);
	assert_string_equal(policy_value(computer, SETTING_LINK_POLL, &origin), "periodic");
	assert_ptr_equal(origin, computer);
	assert_int_equal(policy_own_count(computer), 1);
	assert_int_equal(set(tree, computer, "link.poll", NULL, NULL), 0);
	assert_int_equal(policy_own_count(computer), 0);
	assert_ptr_equal(policy_value(computer, SETTING_LINK_POLL, &origin), policy_own(servers, SETTING_LINK_POLL));
	commit(tree);
	assert_ptr_equal(policy_outcome(computer), policy_outcome(servers));
	policy_tree_free(tree);
}

static int mark(struct policy_tree *tree, struct policy_node *computer, bool appliance, struct err *err)
{
	return policy_set_appliance(tree, computer, appliance, err);
}

static void direction_is(const struct policy_node *computer, enum link_direction direction)
{
	const struct outcome *outcome = policy_outcome(computer);
	const struct policy_node *origin;

	assert_int_equal(outcome->effective.direction, direction);
	assert_string_equal(outcome->values[SETTING_LINK_DIRECTION], link_direction_name(direction));
	assert_string_equal(policy_value(computer, SETTING_LINK_DIRECTION, &origin), link_direction_name(direction));
	assert_ptr_equal(origin, policy_is_appliance(computer) ? computer : policy_parent(computer));
}

static void an_appliance_is_bidirectional_whatever_policies_say(void **state)
{
	struct policy_tree *tree = tree_with_base();
	struct policy_node *base = policy_base(tree), *other = create(tree, 1, "Other", base);
	struct policy_node *appliance = add(tree, 100, base), *computer = add(tree, 101, base);

	(void)state;
	assert_int_equal(mark(tree, appliance, true, NULL), 0);
	commit(tree);
	assert_int_equal(set(tree, base, "link.direction", "agent-initiated", NULL), 0);
	assert_int_equal(set(tree, base, "link.poll", "periodic", NULL), 0);
	assert_int_equal(set(tree, other, "link.direction", "manager-initiated", NULL), 0);
	commit(tree);
	direction_is(appliance, LINK_BIDIRECTIONAL);
	direction_is(computer, LINK_AGENT_INITIATED);
	/* Everything else it has of its policy. */
	assert_int_equal(policy_outcome(appliance)->effective.poll, LINK_POLL_PERIODIC);
	assert_int_equal(policy_own_count(appliance), 0);
	assert_int_equal(policy_move(tree, appliance, other, NULL), 0);
	assert_int_equal(policy_move(tree, computer, other, NULL), 0);
	commit(tree);
	direction_is(appliance, LINK_BIDIRECTIONAL);
	direction_is(computer, LINK_MANAGER_INITIATED);
	/* One becomes an appliance, the other is none any more; and what is rolled back was nothing. */
	assert_int_equal(mark(tree, computer, true, NULL), 0);
	assert_int_equal(mark(tree, appliance, false, NULL), 0);
	assert_int_equal(policy_settle(tree, NULL), 0);
	policy_rollback(tree);
	direction_is(appliance, LINK_BIDIRECTIONAL);
	direction_is(computer, LINK_MANAGER_INITIATED);
	assert_int_equal(mark(tree, computer, true, NULL), 0);
	assert_int_equal(mark(tree, appliance, false, NULL), 0);
	commit(tree);
	direction_is(appliance, LINK_MANAGER_INITIATED);
	direction_is(computer, LINK_BIDIRECTIONAL);
	policy_tree_free(tree);
}

static void what_an_appliance_cannot_be_is_refused(void **state)
{
	struct policy_tree *tree = tree_with_base();
	struct policy_node *base = policy_base(tree), *computer = add(tree, 100, base);
	struct err err = { 0 };

	(void)state;
	assert_int_equal(mark(tree, base, true, &err), ERR_WRONG_STATE);
	assert_int_equal(mark(tree, computer, true, NULL), 0);
	commit(tree);
	assert_int_equal(set(tree, computer, "link.direction", "agent-initiated", &err), ERR_WRONG_STATE);
	assert_non_null(strstr(err.text, "appliances are only bidirectional: link.direction = agent-initiated"));
	assert_null(policy_own(computer, SETTING_LINK_DIRECTION));
	assert_int_equal(set(tree, computer, "link.direction", "bidirectional", NULL), 0);
	assert_int_equal(set(tree, computer, "link.direction", NULL, NULL), 0);
	assert_int_equal(mark(tree, computer, false, NULL), 0);
	assert_int_equal(set(tree, computer, "link.direction", "agent-initiated", NULL), 0);
	commit(tree);
	assert_int_equal(mark(tree, computer, true, &err), ERR_WRONG_STATE);
	assert_non_null(strstr(err.text, "link.direction = agent-initiated of its own; have it inherit"));
	assert_false(policy_is_appliance(computer));
	policy_tree_free(tree);
}

static void equal_outcomes_are_one(void **state)
{
	struct policy_tree *tree = tree_with_base();
	struct policy_node *a = create(tree, 1, "a", policy_base(tree)), *b = create(tree, 2, "b", policy_base(tree));
	struct policy_node *computer = add(tree, 100, b);

	(void)state;
	assert_int_equal(set(tree, a, "scan.cpu_limit", "50", NULL), 0);
	assert_int_equal(set(tree, computer, "scan.cpu_limit", "50", NULL), 0);
	commit(tree);
	assert_ptr_equal(policy_outcome(b), policy_outcome(policy_base(tree)));
	assert_ptr_equal(policy_outcome(a), policy_outcome(computer));
	assert_int_equal(policy_outcome(a)->effective.cpu_limit_percent, 50);
	assert_memory_not_equal(policy_outcome(a)->fingerprint, policy_outcome(b)->fingerprint, SHA256_BYTES);
	policy_tree_free(tree);
}

static void what_the_manager_applies_is_not_in_the_fingerprint(void **state)
{
	struct policy_tree *tree = tree_with_base();
	struct policy_node *a = create(tree, 1, "a", policy_base(tree));

	(void)state;
	assert_int_equal(set(tree, a, "link.missed_heartbeats", "unlimited", NULL), 0);
	commit(tree);
	assert_ptr_not_equal(policy_outcome(a), policy_outcome(policy_base(tree)));
	assert_memory_equal(policy_outcome(a)->fingerprint, policy_outcome(policy_base(tree))->fingerprint,
			    SHA256_BYTES);
	assert_int_equal(policy_outcome(a)->effective.missed_heartbeats, CONF_UNLIMITED);
	policy_tree_free(tree);
}

/* How much is computed for a change of the base policy with so many computers below, one of them with a value of its
 * own. */
static unsigned cost_of_change(unsigned computers)
{
	struct policy_tree *tree = tree_with_base();
	struct policy_node *a = create(tree, 1, "a", policy_base(tree));
	unsigned before;

	create(tree, 2, "b", a);
	for (unsigned i = 0; i < computers; i++)
		add(tree, 100 + i, i % 2 == 0 ? a : policy_base(tree));
	assert_int_equal(set(tree, add(tree, 50, a), "scan.cpu_limit", "50", NULL), 0);
	commit(tree);
	before = digests;
	assert_int_equal(set(tree, policy_base(tree), "link.poll", "periodic", NULL), 0);
	commit(tree);
	policy_tree_free(tree);
	return digests - before;
}

static void a_change_is_computed_once_per_outcome(void **state)
{
	(void)state;
	assert_int_equal(cost_of_change(10), cost_of_change(10000));
	/* Three policies of one outcome and the computer's: a key for each, and two configurations. */
	assert_int_equal(cost_of_change(10000), 6);
}

/* --- at random, against a model --- */

#define POLICIES   24
#define COMPUTERS  60
#define FIRST      1000 /* number of the first computer */
#define TURNS      1500
#define MODEL_NAME "p%u"

/* What the tree should hold: per node its parent and values; resolved anew each time. */
struct model_node {
	bool there;
	unsigned number; /* its id: another each time it is created */
	unsigned parent;
	char values[SETTINGS_COUNT][16]; /* "": inherited */
};
struct model {
	struct model_node policies[POLICIES];
	struct model_node computers[COMPUTERS];
};

static const char *model_value(const struct model *model, const struct model_node *node, unsigned id)
{
	while (node->values[id][0] == '\0' && node != &model->policies[0])
		node = &model->policies[node->parent];
	return node->values[id][0] != '\0' ? node->values[id] : setting_default(id);
}

static void resolve(const struct model *model, unsigned computer, char out[SETTINGS_COUNT][16])
{
	for (unsigned id = 0; id < SETTINGS_COUNT; id++)
		snprintf(out[id], 16, "%s", model_value(model, &model->computers[computer], id));
}

static bool model_below(const struct model *model, unsigned policy, unsigned above)
{
	for (; policy != 0; policy = model->policies[policy].parent) {
		if (policy == above)
			return true;
	}
	return above == 0;
}

static bool model_used(const struct model *model, unsigned policy)
{
	for (unsigned i = 1; i < POLICIES; i++) {
		if (model->policies[i].there && model->policies[i].parent == policy)
			return true;
	}
	for (unsigned i = 0; i < COMPUTERS; i++) {
		if (model->computers[i].there && model->computers[i].parent == policy)
			return true;
	}
	return false;
}

static struct policy_node *node_of(struct policy_tree *tree, unsigned number)
{
	struct uuid id = id_of(number);

	return policy_find(tree, &id);
}

static struct policy_node *policy_of(struct policy_tree *tree, const struct model *model, unsigned which)
{
	return node_of(tree, model->policies[which].number);
}

static void random_set(struct policy_tree *tree, struct model_node *node, unsigned number)
{
	static const struct {
		enum setting_id id;
		const char *values[3];
	} some[] = {
		{ SETTING_LINK_HEARTBEAT_INTERVAL, { "10s", "1m", "10m" } },
		{ SETTING_LINK_MISSED_HEARTBEATS, { "0", "2", "unlimited" } },
		{ SETTING_SCAN_CPU_LIMIT, { "10", "50", "100" } },
		{ SETTING_SCAN_EXCLUDE_PATHS, { "/a", "/b", "/a,/b" } },
	};
	unsigned which = below(COUNT_OF(some)), value = below(4);
	const char *text = value < 3 ? some[which].values[value] : NULL;

	assert_int_equal(set(tree, node_of(tree, number), setting_name(some[which].id), text, NULL), 0);
	snprintf(node->values[some[which].id], 16, "%s", text != NULL ? text : "");
}

static void random_policy_step(struct policy_tree *tree, struct model *model, unsigned which)
{
	struct model_node *node = &model->policies[which];
	unsigned parent = below(POLICIES), kind = below(4);
	static unsigned last = 100000;
	char name[16];

	if (!model->policies[parent].there)
		parent = 0;
	snprintf(name, sizeof(name), MODEL_NAME, which);
	if (!node->there) {
		*node = (struct model_node){ .there = true, .parent = parent, .number = ++last };
		create(tree, node->number, name, policy_of(tree, model, parent));
	} else if (kind == 0 && which != 0) {
		int rc = policy_move(tree, policy_of(tree, model, which), policy_of(tree, model, parent), NULL);

		assert_int_equal(rc != 0, model_below(model, parent, which));
		if (rc == 0)
			node->parent = parent;
	} else if (kind == 1 && which != 0) {
		bool used = model_used(model, which);

		assert_int_equal(policy_delete(tree, policy_of(tree, model, which), NULL) != 0, used);
		node->there = used;
	} else {
		random_set(tree, node, node->number);
	}
}

static void random_computer_step(struct policy_tree *tree, struct model *model, unsigned which)
{
	struct model_node *node = &model->computers[which];
	unsigned parent = below(POLICIES);

	if (!model->policies[parent].there)
		parent = 0;
	if (!node->there) {
		add(tree, FIRST + which, policy_of(tree, model, parent));
		*node = (struct model_node){ .there = true, .parent = parent };
	} else if (below(2) == 0) {
		assert_int_equal(policy_move(tree, node_of(tree, FIRST + which), policy_of(tree, model, parent), NULL),
				 0);
		node->parent = parent;
	} else {
		random_set(tree, node, FIRST + which);
	}
}

struct told {
	unsigned times[COMPUTERS];
};

static void on_changed(void *context, const struct uuid *computer, const struct outcome *before,
		       const struct outcome *after)
{
	struct told *told = context;
	unsigned number;

	memcpy(&number, computer->bytes, sizeof(number));
	assert_ptr_not_equal(before, after);
	assert_non_null(after);
	told->times[number - FIRST]++;
}

static void check_all(struct policy_tree *tree, const struct model *model)
{
	size_t policies = 0, computers = 0;

	for (unsigned i = 0; i < POLICIES; i++) {
		if (model->policies[i].there)
			assert_non_null(policy_of(tree, model, i));
		policies += model->policies[i].there;
	}
	for (unsigned i = 0; i < COMPUTERS; i++) {
		const struct policy_node *computer = node_of(tree, FIRST + i);
		char values[SETTINGS_COUNT][16];

		assert_int_equal(computer != NULL, model->computers[i].there);
		if (computer == NULL)
			continue;
		computers++;
		resolve(model, i, values);
		for (unsigned id = 0; id < SETTINGS_COUNT; id++) {
			assert_string_equal(policy_value(computer, id, NULL), values[id]);
			assert_string_equal(policy_outcome(computer)->values[id], values[id]);
		}
	}
	assert_int_equal(policy_tree_policies(tree), policies);
	assert_int_equal(policy_tree_computers(tree), computers);
}

/* Told are exactly those whose resolved values differ. */
static void check_told(const struct told *told, const struct model *before, const struct model *after)
{
	for (unsigned i = 0; i < COMPUTERS; i++) {
		char old[SETTINGS_COUNT][16], new[SETTINGS_COUNT][16];
		bool changed;

		memset(old, 0, sizeof(old));
		memset(new, 0, sizeof(new));
		if (before->computers[i].there)
			resolve(before, i, old);
		if (after->computers[i].there)
			resolve(after, i, new);
		changed = before->computers[i].there != after->computers[i].there;
		for (unsigned id = 0; id < SETTINGS_COUNT; id++)
			changed = changed || strcmp(old[id], new[id]) != 0;
		assert_int_equal(told->times[i], changed);
	}
}

static void random_changes_agree_with_the_model(void **state)
{
	struct policy_tree *tree = tree_with_base();
	static struct model model, before;

	(void)state;
	memset(&model, 0, sizeof(model));
	model.policies[0].there = true;
	random_state = 20261121;
	for (unsigned turn = 0; turn < TURNS; turn++) {
		struct told told = { { 0 } };

		before = model;
		for (unsigned step = 1 + below(6); step > 0; step--) {
			if (below(2) == 0)
				random_policy_step(tree, &model, below(POLICIES));
			else
				random_computer_step(tree, &model, below(COMPUTERS));
		}
		if (below(4) > 0)
			assert_int_equal(policy_settle(tree, NULL), 0);
		else
			goto undone;
		if (below(4) > 0) {
			policy_commit(tree, on_changed, &told);
			check_told(&told, &before, &model);
			check_all(tree, &model);
			continue;
		}
	undone:
		policy_rollback(tree);
		model = before;
		check_all(tree, &model);
	}
	policy_tree_free(tree);
}

static void policies_are_listed_parents_first_and_by_name(void **state)
{
	struct policy_tree *tree = tree_with_base();
	struct policy_node *b = create(tree, 1, "b", policy_base(tree)), *policy = NULL;
	char names[64] = "";

	(void)state;
	create(tree, 2, "A", policy_base(tree));
	create(tree, 3, "z", b);
	create(tree, 4, "c", policy_base(tree));
	while ((policy = policy_next(tree, policy)) != NULL)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%u%s ", policy_depth(policy),
			 policy_name(policy));
	assert_string_equal(names, "0base 1A 1b 2z 1c ");
	assert_ptr_equal(policy_find_name(tree, "Z"), node_of(tree, 3));
	policy_tree_free(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(circles_and_what_is_used_are_refused),
		cmocka_unit_test(the_depth_has_a_limit),
		cmocka_unit_test(every_fault_is_told_and_nothing_is_set),
		cmocka_unit_test(values_come_from_the_nearest_that_sets_them),
		cmocka_unit_test(an_appliance_is_bidirectional_whatever_policies_say),
		cmocka_unit_test(what_an_appliance_cannot_be_is_refused),
		cmocka_unit_test(equal_outcomes_are_one),
		cmocka_unit_test(what_the_manager_applies_is_not_in_the_fingerprint),
		cmocka_unit_test(a_change_is_computed_once_per_outcome),
		cmocka_unit_test(random_changes_agree_with_the_model),
		cmocka_unit_test(policies_are_listed_parents_first_and_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
