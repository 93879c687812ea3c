/* muster-sim: the two cores in a simulated world, many seeds, every rule checked.
 *
 *   muster-sim [--seeds N] [--seed S] [--steps N] [--clean] [--break NAME] [--self-check] [--verbose]
 *   muster-sim --machines N --days D [--progress] ...    a large fleet over weeks
 *   muster-sim --copies ...                              copies of machines in every world
 *   muster-sim --managers N ...                          else one or two, by the seed: agents move between them
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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
	[BREAK_CHAIN_CUT] = "chain-cut",
	[BREAK_LEFT_FIRST] = "left-first",
	[BREAK_FORMER_FORGOTTEN] = "former-forgotten",
	[BREAK_NUMBER_TRUSTED] = "number-trusted",
	[BREAK_LEAVES_TALKING] = "leaves-talking",
	[BREAK_TOLD_KEPT] = "told-kept",
	[BREAK_STRANDED] = "stranded",
	[BREAK_PLACE_STALE] = "place-stale",
};

static const char usage_text[] =
    "usage: muster-sim [--seeds N] [--seed S] [--steps N | --machines N --days D [--progress]]\n"
    "                  [--managers N] [--copies] [--clean] [--break NAME] [--self-check] [--verbose]\n";

static const char help_text[] =
    "  --seeds N      so many worlds, from seed 1 on (200)\n"
    "  --seed S       this one alone\n"
    "  --steps N      how long a small world lives, of one to four machines (3000)\n"
    "  --machines N   a fleet instead, with nights and weekends; with --days D\n"
    "  --managers N   one to three, between which agents move; else one or two, by the seed\n"
    "  --copies       machines are copied with their agents' identity in every small world, else in every second one\n"
    "  --clean        nothing fails\n"
    "  --break NAME   a rule is broken on purpose, and has to be noticed; --self-check: each of them\n"
    "  --progress     says each day of a fleet how far it is\n"
    "  --verbose      says what happens\n";

/* Without copies there is nothing to notice. */
bool needs_copies(enum sim_break broken)
{
	return broken == BREAK_LEAVES_TALKING || broken == BREAK_STRANDED || broken == BREAK_TOLD_KEPT;
}

/* Take more of the same machine than a small stay of a large fleet brings. */
static bool needs_small_form(enum sim_break broken)
{
	return broken == BREAK_JOURNAL_LOST || broken == BREAK_FLOOR_UNCHECKED || needs_copies(broken);
}

struct run {
	struct sim_options options;
	uint64_t first, count;
	bool self_check;
};

static void print_failure(const struct sim_options *options, const char *text)
{
	printf("[  FAILED  ] seed %llu: %s\n  again: muster-sim --seed %llu", (unsigned long long)options->seed, text,
	       (unsigned long long)options->seed);
	if (options->machines > 0)
		printf(" --machines %u --days %u", options->machines, options->days);
	else
		printf(" --steps %u", options->steps);
	if (options->managers > 0)
		printf(" --managers %u", options->managers);
	printf("%s%s%s%s --verbose\n", options->copies ? " --copies" : "", options->faults ? "" : " --clean",
	       options->broken ? " --break " : "", options->broken ? break_names[options->broken] : "");
}

double sim_cpu_seconds(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Once a simulated day: how far, how fast, how long still. Seconds are of this process's processor time. */
void progress_day(const struct sim *sim, unsigned day)
{
	double took = sim_cpu_seconds() - sim->began_s;

	printf("seed %llu: day %u of %u, %.1f million exchanges, %.0f a second, %.0f s, about %.0f s to go\n",
	       (unsigned long long)sim->options.seed, day, sim->options.days, (double)sim->counts.exchanges / 1e6,
	       (double)sim->counts.exchanges / (took > 0 ? took : 1), took, took / day * (sim->options.days - day));
	fflush(stdout);
}

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
			print_failure(&options, text);
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
	const unsigned managers = run->options.managers;
	int missed = 0, caught = 0;

	for (int broken = BREAK_NOTHING + 1; broken < BREAKS; broken++) {
		run->options.broken = (enum sim_break)broken;
		run->options.managers = needs_copies(run->options.broken) ? 1 : managers; /* and no moves */
		if (run->options.machines > 0 && needs_small_form(run->options.broken))
			continue;
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
	fputs(usage_text, stderr);
	return 2;
}

static int parse(int argc, char **argv, struct run *run)
{
	static const struct option names[] = {
		{ "seeds", required_argument, NULL, 'n' }, { "seed", required_argument, NULL, 's' },
		{ "steps", required_argument, NULL, 't' }, { "clean", no_argument, NULL, 'c' },
		{ "break", required_argument, NULL, 'b' }, { "self-check", no_argument, NULL, 'x' },
		{ "verbose", no_argument, NULL, 'v' },     { "machines", required_argument, NULL, 'm' },
		{ "days", required_argument, NULL, 'd' },  { "managers", required_argument, NULL, 'g' },
		{ "copies", no_argument, NULL, 'k' },      { "help", no_argument, NULL, 'h' },
		{ "progress", no_argument, NULL, 'p' },    { 0 },
	};
	uint64_t number = 0;
	int option, broken;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (strchr("nstmdg", option) != NULL && number_parse(optarg, 0, INT32_MAX, &number, NULL) != 0)
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
		case 'k':
			run->options.copies = true;
			break;
		case 'b':
			broken = parse_break(optarg);
			if (broken < 0)
				return usage();
			run->options.broken = (enum sim_break)broken;
			break;
		case 'm':
			run->options.machines = (unsigned)number;
			break;
		case 'd':
			run->options.days = (unsigned)number;
			break;
		case 'g':
			if (number == 0 || number > SIM_MANAGERS_MAX)
				return usage();
			run->options.managers = (unsigned)number;
			break;
		case 'h':
			printf("%s%s", usage_text, help_text);
			exit(0);
		case 'p':
			run->options.progress = true;
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
	return optind == argc && (run->options.machines > 0) == (run->options.days > 0) ? 0 : usage();
}

static void print_counts(const struct sim_counts *counts)
{
	printf("%llu steps, %llu exchanges, %llu talks dialled, %llu faults, %llu crashes, %llu commands, %llu events "
	       "stored, %lld days "
	       "simulated, %.0f s of processor time\n",
	       (unsigned long long)counts->steps, (unsigned long long)counts->exchanges,
	       (unsigned long long)counts->talks, (unsigned long long)counts->faults,
	       (unsigned long long)counts->crashes, (unsigned long long)counts->commands,
	       (unsigned long long)counts->events, (long long)(counts->simulated / DAY_US), sim_cpu_seconds());
	printf("%llu times a machine was set back to an earlier state of its disk\n",
	       (unsigned long long)counts->set_back);
	printf("%llu roll-overs of the server authentication key with %llu signatures, %llu orders signed anew\n",
	       (unsigned long long)counts->roll_overs, (unsigned long long)counts->succession_signatures,
	       (unsigned long long)counts->orders_renewed);
	printf("%llu moves ordered, %llu refused or failed, %llu done, %llu managers told that they were left; %llu "
	       "events that the one before has, too\n",
	       (unsigned long long)counts->moves_ordered, (unsigned long long)counts->moves_refused,
	       (unsigned long long)counts->moves, (unsigned long long)counts->farewells,
	       (unsigned long long)counts->events_at_both);
	printf("%llu times offline by the arithmetic, %llu told, %llu over before they could be told; %llu alerts "
	       "raised in all\n",
	       (unsigned long long)counts->declared, (unsigned long long)counts->stored,
	       (unsigned long long)counts->excused, (unsigned long long)counts->alerts);
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
	print_counts(&counts);
	printf("[  PASSED  ] %llu test(s).\n", (unsigned long long)(run.count - failures));
	if (failures > 0)
		printf("[  FAILED  ] %llu test(s).\n", (unsigned long long)failures);
	return failures == 0 ? 0 : 1;
}
