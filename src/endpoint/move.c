/* One identity follows another (endpoint/move.h). */
#include "endpoint/move.h"

#define AGAIN_US            (30 * SECOND_US) /* after a failure; doubled up to an hour */
#define AGAIN_MAX_US        HOUR_US
#define LEAVE_WAIT_US       (20 * SECOND_US) /* for the present manager to take what it has not got */
#define FAREWELL_AGAIN_US   (5 * SECOND_US)
#define FAREWELL_GIVE_UP_US (7 * DAY_US)
#define DOUBLINGS           12

/* Around a wait that doubles with each failure, up to an hour. */
static span_us jittered(const struct env *env, span_us first, unsigned failures)
{
	span_us wait = first << (failures < DOUBLINGS ? failures : DOUBLINGS);

	wait = wait < AGAIN_MAX_US ? wait : AGAIN_MAX_US;
	return wait / 2 + (span_us)env_below(env, (uint64_t)wait);
}

/* --- asking --- */

int move_may_begin(const struct move_asking *asking, bool moves, time_us now, struct err *err)
{
	if (asking->under_way || asking->decided)
		return err_set(err, ERR_BUSY, "another identity is being taken already");
	return moves || now >= asking->not_before ? 0 : err_set(err, ERR_BUSY, "it failed a short while ago");
}

void move_begun(struct move_asking *asking, bool moves)
{
	asking->under_way = true;
	asking->moves = moves;
}

void move_failed(struct move_asking *asking, const struct env *env)
{
	asking->under_way = false;
	asking->not_before = env_monotonic(env) + jittered(env, AGAIN_US, asking->failures);
	asking->failures++;
}

void move_decided(struct move_asking *asking, time_us now)
{
	asking->decided = true;
	asking->leave_by = now + (asking->moves ? LEAVE_WAIT_US : 0);
}

bool move_leaves(const struct move_asking *asking, const struct endpoint_status *status, time_us now)
{
	if (!asking->decided)
		return false;
	return !asking->moves || status->events_waiting == 0 || now >= asking->leave_by;
}

time_us move_leaves_at(const struct move_asking *asking)
{
	return asking->decided ? asking->leave_by : INT64_MAX;
}

/* --- changing places --- */

enum move_step move_next(const struct move_places *places)
{
	if (!places->ordered) {
		if (places->candidate == MOVE_CANDIDATE_WHOLE)
			return MOVE_EXCHANGE;
		return places->candidate == MOVE_CANDIDATE_BROKEN ? MOVE_DROP_CANDIDATE : MOVE_DONE;
	}
	if (!places->followed)
		return MOVE_FOLLOW;
	return places->candidate != MOVE_CANDIDATE_NONE ? MOVE_KEEP_FORMER : MOVE_FORGET_ORDER;
}

/* --- taking leave --- */

void move_farewell_begin(struct move_farewell *farewell, time_us now)
{
	*farewell = (struct move_farewell){ .begun = now };
}

bool move_farewell_settled(int status)
{
	return status == 200 || status == 204 || status == 403 || status == 404;
}

bool move_farewell_again(struct move_farewell *farewell, const struct env *env, span_us *ret_wait)
{
	if (env_monotonic(env) - farewell->begun > FAREWELL_GIVE_UP_US)
		return false;
	*ret_wait = jittered(env, FAREWELL_AGAIN_US, farewell->failures);
	farewell->failures++;
	return true;
}
