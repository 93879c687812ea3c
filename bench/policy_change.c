/* A change of the base policy with many computers below: how long until every
 * fingerprint is known and those affected are listed. Prints what is found as JSON.
 *
 * usage: muster-bench-policy COMPUTERS POLICIES ROUNDS
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/tree.h"

struct told {
	size_t affected, contacted;
	uint8_t sum;
};

static void digest(const void *data, size_t size, uint8_t out[SHA256_BYTES])
{
	EVP_Digest(data, size, out, NULL, EVP_sha256(), NULL);
}

static void on_changed(void *context, const struct uuid *computer, const struct outcome *before,
		       const struct outcome *after)
{
	struct told *told = context;

	told->affected++;
	told->contacted += before == NULL || memcmp(before->fingerprint, after->fingerprint, SHA256_BYTES) != 0;
	told->sum ^= computer->bytes[0] ^ after->fingerprint[0];
}

static void need(int rc)
{
	if (rc == 0)
		return;
	fprintf(stderr, "%s\n", err_name(rc));
	exit(1);
}

static struct uuid id_of(uint64_t number, uint8_t kind)
{
	struct uuid id = { { 0 } };

	memcpy(id.bytes, &number, sizeof(number));
	id.bytes[15] = kind;
	return id;
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void set(struct policy_tree *tree, struct policy_node *node, const char *name, unsigned number)
{
	char value[32];
	const struct policy_change change = { name, value };

	snprintf(value, sizeof(value), "%u", number);
	need(policy_set(tree, node, &change, 1, NULL, NULL, NULL));
}

/* Policies three deep, each eighth with a value of its own; one computer in a hundred with its own. */
static void build(struct policy_tree *tree, uint64_t computers, uint64_t policies, struct policy_node **nodes)
{
	struct uuid id = id_of(0, 1);

	need(policy_create(tree, &id, POLICY_BASE, NULL, &nodes[0], NULL));
	for (uint64_t i = 1; i < policies; i++) {
		char name[32];

		id = id_of(i, 1);
		snprintf(name, sizeof(name), "policy %llu", (unsigned long long)i);
		need(policy_create(tree, &id, name, nodes[(i - 1) / 8], &nodes[i], NULL));
		if (i % 8 == 0)
			set(tree, nodes[i], "scan.cpu_limit", (unsigned)(1 + i % 99));
	}
	for (uint64_t i = 0; i < computers; i++) {
		struct policy_node *computer;

		id = id_of(i, 2);
		need(policy_computer_add(tree, &id, nodes[i % policies], &computer, NULL));
		if (i % 100 == 0)
			set(tree, computer, "scan.cpu_limit", (unsigned)(1 + i / 100 % 97));
	}
	need(policy_settle(tree, NULL));
	policy_commit(tree, NULL, NULL);
}

int main(int argc, char **argv)
{
	uint64_t computers = 0, policies = 0, rounds = 0;
	struct policy_tree *tree;
	struct policy_node **nodes;
	struct told told = { 0 };
	double best = 1e9, built;

	if (argc != 4 || number_parse(argv[1], 1, 10000000, &computers, NULL) != 0 ||
	    number_parse(argv[2], 1, POLICIES_MAX, &policies, NULL) != 0 ||
	    number_parse(argv[3], 1, 1000, &rounds, NULL) != 0)
		return 2;
	nodes = calloc(policies, sizeof(struct policy_node *));
	if (nodes == NULL)
		return 1;
	need(policy_tree_new(1, digest, &tree, NULL));
	built = now_s();
	build(tree, computers, policies, nodes);
	built = now_s() - built;
	for (unsigned i = 0; i < rounds; i++) {
		double began = now_s(), took;

		told = (struct told){ 0 };
		set(tree, nodes[0], "link.poll_interval", 61 + i);
		need(policy_settle(tree, NULL));
		policy_commit(tree, on_changed, &told);
		took = now_s() - began;
		best = took < best ? took : best;
	}
	printf("{\"seconds\":%.6f,\"built_s\":%.3f,\"computers\":%llu,\"policies\":%llu,\"affected\":%zu,"
	       "\"contacted\":%zu}\n",
	       best, built, (unsigned long long)computers, (unsigned long long)policies, told.affected, told.contacted);
	policy_tree_free(tree);
	free(nodes);
	return 0;
}
