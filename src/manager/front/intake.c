/* Allowances of computers (manager/front/intake.h). What they are for comes from agents. */
#include "manager/front/intake.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/map.h"

#define BURST_US   (INTAKE_BURST_BYTES * SECOND_US / INTAKE_BYTES_S)
#define SWEEP_FROM 1024

struct allowance {
	struct uuid computer;
	time_us whole_at; /* monotonic */
};

struct intake {
	const struct env *env;
	pthread_mutex_t lock;
	struct map *allowances;
	size_t sweep_at; /* so many of them */
};

int intake_new(const struct env *env, struct intake **ret_intake, struct err *err)
{
	struct intake *intake = calloc(1, sizeof(*intake));
	uint64_t seed;

	env->random(env->context, &seed, sizeof(seed));
	if (intake != NULL)
		intake->allowances = map_new(seed);
	if (intake == NULL || intake->allowances == NULL) {
		free(intake);
		return err_set(err, ERR_MEMORY, "allowances of computers: no memory");
	}
	intake->env = env;
	intake->sweep_at = SWEEP_FROM;
	pthread_mutex_init(&intake->lock, NULL);
	*ret_intake = intake;
	return 0;
}

void intake_free(struct intake *intake)
{
	size_t position = 0;
	void *allowance;

	if (intake == NULL)
		return;
	while ((allowance = map_next(intake->allowances, &position, NULL, NULL)) != NULL)
		free(allowance);
	map_free(intake->allowances);
	pthread_mutex_destroy(&intake->lock);
	free(intake);
}

/* Under the lock: whoever has its whole allowance again needs no entry. */
static void sweep(struct intake *intake, time_us now)
{
	size_t position = 0;
	struct allowance *allowance;

	while ((allowance = map_next(intake->allowances, &position, NULL, NULL)) != NULL) {
		if (allowance->whole_at > now)
			continue;
		map_remove(intake->allowances, allowance->computer.bytes, UUID_BYTES);
		free(allowance);
	}
	intake->sweep_at = 2 * map_count(intake->allowances);
	if (intake->sweep_at < SWEEP_FROM)
		intake->sweep_at = SWEEP_FROM;
}

static struct allowance *find_or_make(struct intake *intake, const struct uuid *computer, time_us now)
{
	struct allowance *allowance = map_get(intake->allowances, computer->bytes, UUID_BYTES);

	if (allowance != NULL)
		return allowance;
	if (map_count(intake->allowances) >= intake->sweep_at)
		sweep(intake, now);
	allowance = calloc(1, sizeof(*allowance));
	if (allowance == NULL)
		return NULL;
	allowance->computer = *computer;
	if (map_set(intake->allowances, allowance->computer.bytes, UUID_BYTES, allowance) == 0)
		return allowance;
	free(allowance);
	return NULL;
}

static span_us take(struct allowance *allowance, span_us cost, time_us now)
{
	time_us whole_at = allowance->whole_at > now ? allowance->whole_at : now;
	span_us over = whole_at + cost - now - BURST_US;

	if (over > 0)
		return over < INTAKE_WAIT_MAX_US ? over : INTAKE_WAIT_MAX_US;
	allowance->whole_at = whole_at + cost;
	return 0;
}

span_us intake_take(struct intake *intake, const struct uuid *computer, size_t bytes, size_t rows)
{
	span_us cost = ((span_us)bytes + (span_us)rows * INTAKE_ROW_BYTES) * SECOND_US / INTAKE_BYTES_S;
	time_us now = env_monotonic(intake->env);
	struct allowance *allowance;
	span_us wait;

	pthread_mutex_lock(&intake->lock);
	allowance = find_or_make(intake, computer, now);
	wait = allowance != NULL ? take(allowance, cost, now) : 0;
	pthread_mutex_unlock(&intake->lock);
	return wait;
}

size_t intake_count(struct intake *intake)
{
	size_t count;

	pthread_mutex_lock(&intake->lock);
	count = map_count(intake->allowances);
	pthread_mutex_unlock(&intake->lock);
	return count;
}
