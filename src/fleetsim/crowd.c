/* A thread and its agents; see crowd.h. */
#include "fleetsim/crowd.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "fleetsim/agent.h"

#define RAMP_STEP_US    (10 * MILLISECOND_US)
#define EVENT_STEP_US   (20 * MILLISECOND_US)
#define END_STEP_US     (50 * MILLISECOND_US)
#define ENROLLING_MAX   64 /* at a time, a thread: a ramp steeper than the manager waits for it */
#define START_AT_ONCE   16
#define REPLIES_AT_ONCE 16 /* then others are received */
/* Agents act upon an order for all when no more replies came for so long, or so long after it. */
#define FAN_OUT_QUIET_US SECOND_US
#define FAN_OUT_HELD_US  (10 * SECOND_US)
#define EVENT_BURST      200 /* for one agent in one step */

static time_us now_of(const struct crowd *crowd)
{
	return env_monotonic(crowd->plan->env);
}

/* This thread's part of something that is for all agents together. */
static double share(const struct crowd *crowd, unsigned rate)
{
	return (double)rate * (double)crowd->count / (double)crowd->plan->options->agents;
}

/* --- the start --- */

static void ramp(void *argument)
{
	struct crowd *crowd = argument;
	double seconds = (double)(now_of(crowd) - crowd->began) / (double)SECOND_US;
	size_t wanted = (size_t)(seconds * share(crowd, crowd->plan->options->ramp)) + 1;

	if (crowd->finishing)
		return;
	for (int i = 0; i < START_AT_ONCE && crowd->started < crowd->count && crowd->started < wanted &&
			crowd->enrolling < ENROLLING_MAX;
	     i++)
		agent_start(crowd->agents[crowd->started++]);
	if (crowd->started < crowd->count)
		loop_timer_set(crowd->ramp_timer, RAMP_STEP_US);
}

/* --- events --- */

/* Round and round, some for each; what an agent with many waiting does not take stays owed, for a second at most. */
static void make_owed(struct crowd *crowd)
{
	unsigned owed = (unsigned)crowd->events_owed, each = owed / (unsigned)crowd->count + 1, made = 0;

	if (each > EVENT_BURST)
		each = EVENT_BURST;
	for (size_t i = 0; i < crowd->count && made < owed; i++) {
		unsigned left = owed - made;

		made += agent_make_events(crowd->agents[crowd->next_agent], left < each ? left : each);
		crowd->next_agent = (crowd->next_agent + 1) % crowd->count;
	}
	crowd->events_owed -= made;
}

static void events(void *argument)
{
	struct crowd *crowd = argument;
	time_us now = now_of(crowd);
	double rate = share(crowd, crowd->plan->options->events), most;

	if (crowd->finishing)
		return;
	loop_timer_set(crowd->event_timer, EVENT_STEP_US);
	if (figures_get(&crowd->figures, FIGURE_CONNECTED) < crowd->count && crowd->events_at == 0)
		return; /* they begin when all are there */
	if (crowd->events_at != 0)
		crowd->events_owed += rate * (double)(now - crowd->events_at) / (double)SECOND_US;
	crowd->events_at = now;
	make_owed(crowd);
	most = rate > 1 ? rate : 1;
	if (crowd->events_owed > most) {
		figures_add(&crowd->figures, FIGURE_EVENTS_HELD_BACK, (int64_t)(crowd->events_owed - most));
		crowd->events_owed = most;
	}
}

/* --- replies --- */

static void take_replies(void *argument)
{
	struct crowd *crowd = argument;

	crowd->acting = atomic_load(&crowd->plan->ordered) != 0;
	for (int i = 0; i < REPLIES_AT_ONCE && crowd->inbox != NULL; i++) {
		struct agent_lane *lane = crowd->inbox;

		crowd->inbox = lane->next;
		if (crowd->inbox == NULL)
			crowd->inbox_end = &crowd->inbox;
		agent_take_reply(lane);
	}
	if (crowd->inbox != NULL)
		loop_timer_set(crowd->inbox_timer, 0);
}

/* Verifying and answering an order for all takes the processors of all these
 * machines; here it would take those of the manager, while others wait. */
static bool held_back(struct crowd *crowd)
{
	time_us ordered = atomic_load(&crowd->plan->ordered);

	if (ordered == 0 || crowd->acting)
		return false;
	crowd->acting = env_wall(crowd->plan->env) - ordered > FAN_OUT_HELD_US;
	return !crowd->acting;
}

void crowd_inbox(struct crowd *crowd, struct agent_lane *lane)
{
	if (held_back(crowd))
		loop_timer_set(crowd->inbox_timer, FAN_OUT_QUIET_US);
	else if (crowd->inbox == NULL)
		loop_timer_set(crowd->inbox_timer, 0);
	lane->next = NULL;
	*crowd->inbox_end = lane;
	crowd->inbox_end = &lane->next;
}

/* --- the end --- */

static void end_now(struct crowd *crowd)
{
	loop_timer_clear(crowd->inbox_timer);
	for (size_t i = 0; i < crowd->count; i++) {
		agent_count_silence(crowd->agents[i]);
		agent_free(crowd->agents[i]);
		crowd->agents[i] = NULL;
	}
	loop_stop(crowd->loop);
}

static void check_end(void *argument)
{
	struct crowd *crowd = argument;

	if (figures_get(&crowd->figures, FIGURE_EVENTS_WAITING) == 0 || now_of(crowd) >= crowd->give_up_at)
		end_now(crowd);
	else
		loop_timer_set(crowd->end_timer, END_STEP_US);
}

static void finish(void *argument)
{
	struct crowd *crowd = argument;

	crowd->finishing = true;
	loop_timer_set(crowd->end_timer, 0);
}

void crowd_finish(struct crowd *crowd, span_us patience)
{
	if (crowd->loop == NULL)
		return;
	crowd->give_up_at = now_of(crowd) + patience;
	if (loop_post(crowd->loop, finish, crowd) != 0)
		loop_stop(crowd->loop);
}

/* --- making --- */

static void *run(void *argument)
{
	struct crowd *crowd = argument;

	loop_timer_set(crowd->ramp_timer, 0);
	if (crowd->plan->options->events > 0)
		loop_timer_set(crowd->event_timer, 0);
	loop_run(crowd->loop);
	return NULL;
}

static int make_timers(struct crowd *crowd)
{
	crowd->ramp_timer = loop_timer_new(crowd->loop, ramp, crowd);
	crowd->event_timer = loop_timer_new(crowd->loop, events, crowd);
	crowd->end_timer = loop_timer_new(crowd->loop, check_end, crowd);
	crowd->inbox_timer = loop_timer_new(crowd->loop, take_replies, crowd);
	return crowd->ramp_timer != NULL && crowd->event_timer != NULL && crowd->end_timer != NULL &&
		       crowd->inbox_timer != NULL
		   ? 0
		   : ERR_MEMORY;
}

static int make_agents(struct crowd *crowd)
{
	const struct options *options = crowd->plan->options;

	crowd->count = (options->agents - crowd->index + options->threads - 1) / options->threads;
	crowd->agents = calloc(crowd->count, sizeof(struct agent *));
	for (size_t i = 0; crowd->agents != NULL && i < crowd->count; i++) {
		crowd->agents[i] = agent_new(crowd, (uint32_t)(crowd->index + i * options->threads));
		if (crowd->agents[i] == NULL)
			return ERR_MEMORY;
	}
	return crowd->agents != NULL ? 0 : ERR_MEMORY;
}

/* Signals are the main thread's. */
static int start_thread(struct crowd *crowd)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&crowd->thread, NULL, run, crowd);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

static void crowd_free(struct crowd *crowd)
{
	for (size_t i = 0; crowd->agents != NULL && i < crowd->count; i++)
		agent_free(crowd->agents[i]);
	free(crowd->agents);
	crowd->agents = NULL;
	tls_client_free(crowd->tls);
	tls_server_free(crowd->tls_server);
	loop_timer_free(crowd->ramp_timer);
	loop_timer_free(crowd->event_timer);
	loop_timer_free(crowd->end_timer);
	loop_timer_free(crowd->inbox_timer);
	loop_free(crowd->loop);
	crowd->loop = NULL;
}

int crowd_start(struct crowd *crowd, const struct fleet_plan *plan, unsigned index, struct err *err)
{
	const struct tls_client_options tls = { .ca_pem = plan->ca_pem,
						.key_pem = plan->key_pem,
						.any_host_name = true,
						.own_library = true,
						.agent = true };
	int rc = 0;

	*crowd = (struct crowd){ .plan = plan, .index = index, .began = env_monotonic(plan->env) };
	crowd->inbox_end = &crowd->inbox;
	figures_init(&crowd->figures);
	crowd->loop = loop_new(err);
	if (crowd->loop == NULL)
		return err->code;
	crowd->tls = tls_client_new(&tls, err);
	if (crowd->tls == NULL)
		rc = err->code;
	else if (make_timers(crowd) != 0 || make_agents(crowd) != 0)
		rc = err_set(err, ERR_MEMORY, "no memory for the agents");
	else if (start_thread(crowd) != 0)
		rc = err_set(err, ERR_IO, "a thread cannot be started");
	if (rc != 0)
		crowd_free(crowd);
	return rc;
}

void crowd_join(struct crowd *crowd)
{
	if (crowd->loop == NULL)
		return;
	pthread_join(crowd->thread, NULL);
	crowd_free(crowd);
}
