/* muster-sim: the two cores in a simulated world, many seeds, every rule checked.
 *
 *   muster-sim [--seeds N] [--seed S] [--steps N] [--clean] [--break NAME] [--self-check] [--verbose]
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "world.h"

static const char *const break_names[BREAKS] = {
	[BREAK_NOTHING] = "nothing",
	[BREAK_ACKNOWLEDGE_EARLY] = "acknowledge-early",
	[BREAK_NO_SYNC] = "no-sync",
	[BREAK_JOURNAL_LOST] = "journal-lost",
	[BREAK_FLOOR_UNCHECKED] = "floor-unchecked",
	[BREAK_DEAF_LIVENESS] = "deaf-liveness",
	[BREAK_NOT_RESTORED] = "not-restored",
	[BREAK_ALERT_LOST] = "alert-lost",
	[BREAK_ALERT_KEPT] = "alert-kept",
};

struct run {
	struct sim_options options;
	uint64_t first, count;
	bool self_check;
};

/* The number of seeds that failed; with stop at the first. */
static uint64_t run_seeds(const struct run *run, bool quiet, bool stop, struct sim_counts *counts)
{
	uint64_t failures = 0;

	for (uint64_t seed = run->first; seed < run->first + run->count; seed++) {
		struct sim_options options = run->options;
		char text[512];

		options.seed = seed;
		if (sim_run(&options, text, sizeof(text), counts))
			continue;
		failures++;
		if (!quiet)
			printf(
			    "[  FAILED  ] seed %llu: %s\n  again: muster-sim --seed %llu --steps %u%s%s%s --verbose\n",
			    (unsigned long long)seed, text, (unsigned long long)seed, options.steps,
			    options.faults ? "" : " --clean", options.broken ? " --break " : "",
			    options.broken ? break_names[options.broken] : "");
		fflush(stdout);
		if (stop)
			break;
	}
	return failures;
}

/* Each rule broken on purpose must be noticed within the seeds. */
static int self_check(struct run *run)
{
	struct sim_counts counts = { 0 };
	int missed = 0, caught = 0;

	for (int broken = BREAK_NOTHING + 1; broken < BREAKS; broken++) {
		run->options.broken = (enum sim_break)broken;
		if (run_seeds(run, true, true, &counts) > 0) {
			caught++;
			continue;
		}
		printf("[  FAILED  ] \"%s\" was not noticed in %llu seeds\n", break_names[broken],
		       (unsigned long long)run->count);
		missed++;
	}
	printf("[  PASSED  ] %d test(s).\n", caught);
	return missed == 0 ? 0 : 1;
}

static int parse_break(const char *name)
{
	for (int i = 0; i < BREAKS; i++) {
		if (strcmp(break_names[i], name) == 0)
			return i;
	}
	return -1;
}

static int usage(void)
{
	fprintf(stderr, "usage: muster-sim [--seeds N] [--seed S] [--steps N] [--clean] [--break NAME] [--self-check] "
			"[--verbose]\n");
	return 2;
}

static int parse(int argc, char **argv, struct run *run)
{
	static const struct option names[] = {
		{ "seeds", required_argument, NULL, 'n' }, { "seed", required_argument, NULL, 's' },
		{ "steps", required_argument, NULL, 't' }, { "clean", no_argument, NULL, 'c' },
		{ "break", required_argument, NULL, 'b' }, { "self-check", no_argument, NULL, 'x' },
		{ "verbose", no_argument, NULL, 'v' },     { 0 },
	};
	uint64_t number = 0;
	int option, broken;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (strchr("nst", option) != NULL && number_parse(optarg, 0, INT32_MAX, &number, NULL) != 0)
			return usage();
		switch (option) {
		case 'n':
			run->count = number;
			break;
		case 's':
			run->first = number;
			run->count = 1;
			break;
		case 't':
			run->options.steps = (unsigned)number;
			break;
		case 'c':
			run->options.faults = false;
			break;
		case 'b':
			broken = parse_break(optarg);
			if (broken < 0)
				return usage();
			run->options.broken = (enum sim_break)broken;
			break;
		case 'x':
			run->self_check = true;
			break;
		case 'v':
			run->options.verbose = true;
			break;
		default:
			return usage();
		}
	}
	return optind == argc ? 0 : usage();
}

int main(int argc, char **argv)
{
	struct run run = { .options = { .steps = 3000, .faults = true }, .first = 1, .count = 200 };
	struct sim_counts counts = { 0 };
	uint64_t failures;
	int rc = parse(argc, argv, &run);

	if (rc != 0)
		return rc;
	if (run.self_check)
		return self_check(&run);
	failures = run_seeds(&run, false, false, &counts);
	printf("%llu steps, %llu exchanges, %llu crashes, %llu commands, %llu events stored, %lld days simulated\n",
	       (unsigned long long)counts.steps, (unsigned long long)counts.exchanges,
	       (unsigned long long)counts.crashes, (unsigned long long)counts.commands,
	       (unsigned long long)counts.events, (long long)(counts.simulated / DAY_US));
	printf("[  PASSED  ] %llu test(s).\n", (unsigned long long)(run.count - failures));
	if (failures > 0)
		printf("[  FAILED  ] %llu test(s).\n", (unsigned long long)failures);
	return failures == 0 ? 0 : 1;
}
