/* endpoint/move.h: nothing is left before the new is whole, and no manager is left untold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "endpoint/move.h"

static time_us now;

static time_us monotonic(void *context)
{
	(void)context;
	return now;
}

static void zeroes(void *context, void *out, size_t size)
{
	(void)context;
	memset(out, 0, size);
}

static const struct env env = { NULL, monotonic, monotonic, zeroes };

/* --- changing places, killed between any two steps --- */

struct disk {
	char identity, candidate; /* who is there; 0: nobody */
	bool ordered, order_beside;
	char formers[4];
	bool leaves;
};

static struct move_places look(const struct disk *disk, bool followed)
{
	return (struct move_places){ .ordered = disk->ordered,
				     .candidate = disk->candidate == 0 ? MOVE_CANDIDATE_NONE
						  : disk->ordered      ? MOVE_CANDIDATE_WHOLE
						  : disk->order_beside ? MOVE_CANDIDATE_WHOLE
								       : MOVE_CANDIDATE_UNDER_WAY,
				     .followed = followed };
}

static void take(struct disk *disk, enum move_step step, bool *followed)
{
	char before = disk->identity;

	switch (step) {
	case MOVE_EXCHANGE:
		disk->identity = disk->candidate;
		disk->candidate = before;
		disk->ordered = disk->order_beside;
		disk->order_beside = false;
		break;
	case MOVE_FOLLOW:
		*followed = true;
		break;
	case MOVE_KEEP_FORMER:
		strncat(disk->formers, &disk->candidate, 1);
		disk->candidate = 0;
		break;
	case MOVE_DROP_CANDIDATE:
		disk->candidate = 0;
		break;
	case MOVE_FORGET_ORDER:
		disk->ordered = false;
		break;
	case MOVE_DONE:
		break;
	}
}

/* A start that is killed after so many steps; true: it came to its end. */
static bool start(struct disk *disk, unsigned steps)
{
	bool followed = false;

	for (unsigned i = 0; i < steps; i++) {
		struct move_places places = look(disk, followed);
		enum move_step step = move_next(&places);

		if (step == MOVE_DONE)
			return true;
		take(disk, step, &followed);
	}
	return false;
}

static void whenever_it_is_killed_the_new_one_is_in_place_and_the_old_one_to_be_told(void **state)
{
	(void)state;
	for (unsigned first = 0; first < 6; first++) {
		for (unsigned second = 0; second < 6; second++) {
			struct disk disk = { .identity = 'A', .candidate = 'B', .order_beside = true };

			start(&disk, first);
			assert_true(disk.identity == 'A' || disk.identity == 'B');
			start(&disk, second);
			assert_true(start(&disk, 10));
			assert_int_equal(disk.identity, 'B');
			assert_string_equal(disk.formers, "A"); /* once, and not dropped by a second start */
			assert_false(disk.ordered);
			assert_int_equal(disk.candidate, 0);
		}
	}
}

static void one_that_is_under_way_stays_and_a_broken_one_goes(void **state)
{
	struct move_places places = { .candidate = MOVE_CANDIDATE_UNDER_WAY };

	(void)state;
	assert_int_equal(move_next(&places), MOVE_DONE);
	places.candidate = MOVE_CANDIDATE_BROKEN;
	assert_int_equal(move_next(&places), MOVE_DROP_CANDIDATE);
	places.candidate = MOVE_CANDIDATE_NONE;
	assert_int_equal(move_next(&places), MOVE_DONE);
}

/* --- asking, and leaving --- */

static void what_fails_changes_nothing_and_may_be_ordered_again_at_once(void **state)
{
	struct move_asking asking = { 0 };

	(void)state;
	now = HOUR_US;
	assert_int_equal(move_may_begin(&asking, true, now, NULL), 0);
	move_begun(&asking, true);
	assert_int_equal(move_may_begin(&asking, true, now, NULL), ERR_BUSY);
	assert_int_equal(move_may_begin(&asking, false, now, NULL), ERR_BUSY);
	move_failed(&asking, &env);
	assert_int_equal(move_may_begin(&asking, true, now, NULL), 0);
	assert_int_equal(move_may_begin(&asking, false, now, NULL), ERR_BUSY); /* the agent by itself waits */
	now += 15 * SECOND_US;
	assert_int_equal(move_may_begin(&asking, false, now, NULL), 0);
	for (int i = 0; i < 100; i++)
		move_failed(&asking, &env);
	assert_int_equal(asking.not_before, now + HOUR_US / 2);
}

static void the_old_manager_has_a_while_to_take_what_it_has_not_got(void **state)
{
	struct move_asking asking = { 0 };
	struct endpoint_status status = { .events_waiting = 3 };

	(void)state;
	now = HOUR_US;
	assert_false(move_leaves(&asking, &status, now));
	assert_int_equal(move_leaves_at(&asking), INT64_MAX);
	move_begun(&asking, true);
	assert_false(move_leaves(&asking, &status, now + DAY_US));
	move_decided(&asking, now);
	assert_false(move_leaves(&asking, &status, now));
	assert_false(move_leaves(&asking, &status, now + 19 * SECOND_US));
	assert_true(move_leaves(&asking, &status, move_leaves_at(&asking)));
	status.events_waiting = 0;
	assert_true(move_leaves(&asking, &status, now));
	assert_int_equal(move_may_begin(&asking, true, now, NULL), ERR_BUSY);
}

static void an_identity_of_the_same_manager_waits_for_nothing(void **state)
{
	struct move_asking asking = { 0 };
	const struct endpoint_status status = { .events_waiting = 3 };

	(void)state;
	move_begun(&asking, false);
	move_decided(&asking, now);
	assert_true(move_leaves(&asking, &status, now));
}

static void leave_is_taken_until_it_is_answered_for_a_week(void **state)
{
	struct move_farewell farewell;
	span_us wait, before = 0;
	unsigned times = 0;

	(void)state;
	now = HOUR_US;
	move_farewell_begin(&farewell, now);
	for (; move_farewell_again(&farewell, &env, &wait); times++) {
		assert_true(wait >= before && wait <= HOUR_US);
		before = wait;
		now += wait;
	}
	assert_true(now - farewell.begun > 7 * DAY_US);
	assert_true(times > 100);
	assert_true(move_farewell_settled(200) && move_farewell_settled(204));
	assert_true(move_farewell_settled(403) && move_farewell_settled(404)); /* it knows us no more */
	assert_false(move_farewell_settled(0) || move_farewell_settled(503) || move_farewell_settled(409));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whenever_it_is_killed_the_new_one_is_in_place_and_the_old_one_to_be_told),
		cmocka_unit_test(one_that_is_under_way_stays_and_a_broken_one_goes),
		cmocka_unit_test(what_fails_changes_nothing_and_may_be_ordered_again_at_once),
		cmocka_unit_test(the_old_manager_has_a_while_to_take_what_it_has_not_got),
		cmocka_unit_test(an_identity_of_the_same_manager_waits_for_nothing),
		cmocka_unit_test(leave_is_taken_until_it_is_answered_for_a_week),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
