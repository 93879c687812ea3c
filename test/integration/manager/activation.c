/* Who becomes a computer of a real manager, and as which: the settings of activation, computers that are taken over,
 * clones and unknown agents. */
#include "agent.h"
#include "os/env.h"

static struct fixture fixture;

static int start(void **state)
{
	(void)state;
	fixture_start(&fixture, "\n[exchange]\nclone_settle = 1s\n");
	return 0;
}

static int end(void **state)
{
	(void)state;
	fixture_finish(&fixture);
	return 0;
}

static void set(const char *settings, long status)
{
	json_decref(fixture_api(&fixture, "PATCH", "/api/v1/settings", settings, status));
}

static long enrol(struct agent *agent, const char *name, char *detail, size_t capacity)
{
	char *token = enrolment_token(&fixture, 1, "1h");
	long status = agent_enrol(agent, token, name, NULL, detail, capacity);

	free(token);
	return status;
}

static json_t *show(const struct agent *agent)
{
	char id[UUID_TEXT_BYTES], path[160];

	uuid_format(&agent->computer, id);
	snprintf(path, sizeof(path), "/api/v1/computers/%s", id);
	return fixture_api(&fixture, "GET", path, NULL, 200);
}

static void expect(const struct agent *agent, const char *member, const char *value)
{
	json_t *computer = show(agent);

	assert_string_equal(json_string_value(json_object_get(computer, member)), value);
	json_decref(computer);
}

static size_t events_of(const struct agent *agent, unsigned type)
{
	char id[UUID_TEXT_BYTES], path[160];

	uuid_format(&agent->computer, id);
	snprintf(path, sizeof(path), "/api/v1/events?computer=%s&type=%u&limit=1000", id, type);
	return fixture_count(&fixture, path);
}

static long report_once(struct agent *agent, bool *ret_rekey)
{
	Muster__Wire__Report report = agent_report(agent);
	Muster__Wire__Reply *reply;
	struct arena *arena;
	long status = agent_exchange(agent, &report, &reply, &arena);

	if (status == 200 && ret_rekey != NULL)
		*ret_rekey = reply->rekey;
	if (status == 200)
		arena_free(arena);
	return status;
}

/* The same identity on another machine: another run with the same key and certificate. */
static void copy(struct agent *clone, const struct agent *agent)
{
	agent_init(clone, &fixture);
	clone->computer = agent->computer;
	clone->certificate = strdup(agent->certificate);
	buf_reset(&clone->key);
	buf_append(&clone->key, agent->key.data, agent->key.size);
	buf_reset(&clone->request);
	buf_append(&clone->request, agent->request.data, agent->request.size);
}

/* --- settings --- */

static void addresses_and_knowledge_decide_who_may(void **state)
{
	struct agent first, second, third;
	json_t *planned;
	char detail[512], id[UUID_TEXT_BYTES];

	(void)state;
	agent_init(&first, &fixture);
	agent_init(&second, &fixture);
	agent_init(&third, &fixture);
	set("{\"enrolment.allowed\":\"addresses\",\"enrolment.addresses\":\"192.0.2.0/24, 2001:db8::/32\"}", 200);
	assert_int_equal(enrol(&first, "elsewhere", detail, sizeof(detail)), 403);
	assert_non_null(strstr(detail, "address"));
	set("{\"enrolment.addresses\":\"192.0.2.0/24, 127.0.0.0/8, ::1\"}", 200);
	assert_int_equal(enrol(&first, "here", NULL, 0), 200);
	set("{\"enrolment.addresses\":\"127.0.0.1/8\"}", 400);
	set("{\"enrolment.addresses\":\"everywhere\"}", 400);
	set("{\"enrolment.allowed\":\"known\"}", 200);
	assert_int_equal(enrol(&second, "planned", detail, sizeof(detail)), 403);
	assert_non_null(strstr(detail, "muster computer add"));
	assert_int_equal(enrol(&second, "here", NULL, 0), 403); /* it has an agent */
	planned = fixture_api(&fixture, "POST", "/api/v1/computers", "{\"name\":\"planned\",\"group\":\"lab\"}", 201);
	assert_string_equal(json_string_value(json_object_get(planned, "status")), "activation_required");
	json_decref(fixture_api(&fixture, "POST", "/api/v1/computers", "{\"name\":\"planned\"}", 409));
	assert_int_equal(enrol(&second, "planned", NULL, 0), 200);
	uuid_format(&second.computer, id);
	assert_string_equal(json_string_value(json_object_get(planned, "id")), id);
	json_decref(planned);
	expect(&second, "group", "lab");
	expect(&second, "status_cause", "activated, not heard yet");
	agent_hello(&second);
	assert_int_equal(agent_events(&second, 1, 2), 2);
	set("{\"enrolment.allowed\":null,\"enrolment.addresses\":null}", 200);
	assert_int_equal(enrol(&third, "anybody", NULL, 0), 200);
	agent_done(&first);
	agent_done(&second);
	agent_done(&third);
}

static void names_and_policies_are_the_managers(void **state)
{
	struct agent named, unnamed, placed;

	(void)state;
	agent_init(&named, &fixture);
	agent_init(&unnamed, &fixture);
	agent_init(&placed, &fixture);
	assert_int_equal(enrol(&named, "my own name", NULL, 0), 200);
	assert_string_equal(named.name, "my own name");
	expect(&named, "policy", "base");
	set("{\"enrolment.own_name\":\"no\"}", 200);
	assert_int_equal(enrol(&unnamed, "my own name", NULL, 0), 200);
	assert_string_equal(unnamed.name, "host");
	set("{\"enrolment.own_name\":\"yes\",\"enrolment.policy\":\"nowhere\"}", 400);
	json_decref(fixture_api(&fixture, "POST", "/api/v1/policies", "{\"name\":\"arrivals\"}", 201));
	set("{\"enrolment.own_name\":\"yes\",\"enrolment.policy\":\"arrivals\"}", 200);
	assert_int_equal(enrol(&placed, "placed", NULL, 0), 200);
	expect(&placed, "policy", "arrivals");
	set("{\"enrolment.policy\":null}", 200);
	agent_done(&named);
	agent_done(&unnamed);
	agent_done(&placed);
}

static void a_computer_is_reactivated_by_its_name(void **state)
{
	struct agent before, after, waiting;
	char path[200], id[UUID_TEXT_BYTES];

	(void)state;
	agent_enrolled(&before, &fixture, "reinstalled");
	agent_hello(&before);
	assert_int_equal(agent_events(&before, 1, 3), 3);
	agent_init(&after, &fixture);
	set("{\"enrolment.same_name\":\"reactivate\"}", 200);
	assert_int_equal(enrol(&after, "reinstalled", NULL, 0), 200);
	set("{\"enrolment.same_name\":null}", 200);
	assert_memory_equal(&before.computer, &after.computer, sizeof(struct uuid));
	assert_int_equal(report_once(&before, NULL), 403);
	agent_hello(&after);
	assert_int_equal(agent_events(&after, 1, 3), 3); /* it counts from one again, and nothing is taken for known */
	assert_int_equal(events_of(&after, 5000), 6);
	/* One that was revoked is taken without that setting. */
	uuid_format(&after.computer, id);
	snprintf(path, sizeof(path), "/api/v1/computers/%s/revoke", id);
	json_decref(fixture_api(&fixture, "POST", path, NULL, 200));
	agent_init(&waiting, &fixture);
	assert_int_equal(enrol(&waiting, "reinstalled", NULL, 0), 200);
	assert_memory_equal(&waiting.computer, &after.computer, sizeof(struct uuid));
	assert_int_equal(report_once(&after, NULL), 403);
	agent_hello(&waiting);
	expect(&waiting, "status", "online");
	agent_done(&before);
	agent_done(&after);
	agent_done(&waiting);
}

/* --- clones --- */

/* Both speak until the second is found out, as after a machine was copied while its agent ran. */
static long until_found(struct agent *agent, struct agent *clone, bool *ret_rekey)
{
	time_us until = env_monotonic(env_system()) + 5 * MINUTE_US;
	long status = 200;

	*ret_rekey = false;
	assert_int_equal(report_once(clone, NULL), 200);
	while (!*ret_rekey && status == 200 && env_monotonic(env_system()) < until) {
		assert_int_equal(report_once(agent, NULL), 200);
		status = report_once(clone, ret_rekey);
	}
	return status;
}

static void a_clone_gets_an_identity_of_its_own(void **state)
{
	struct agent agent, clone, again;
	bool rekey;

	(void)state;
	agent_enrolled(&agent, &fixture, "template");
	agent_hello(&agent);
	assert_int_equal(agent_events(&agent, 1, 5), 5);
	copy(&clone, &agent);
	assert_int_equal(agent_enrol_anew(&clone, "template", NULL, 0), 403); /* nobody knows it for a clone yet */
	assert_int_equal(until_found(&agent, &clone, &rekey), 200);
	assert_true(rekey);
	copy(&again, &clone);
	again.session = clone.session;
	assert_int_equal(agent_enrol_anew(&clone, "template", NULL, 0), 200);
	assert_memory_not_equal(&clone.computer, &agent.computer, sizeof(struct uuid));
	assert_string_equal(clone.name, "template-2");
	/* The answer was lost: the same attempt gives the same computer. */
	again.attempt = clone.attempt;
	assert_int_equal(agent_enrol_anew(&again, "template", NULL, 0), 200);
	assert_memory_equal(&clone.computer, &again.computer, sizeof(struct uuid));
	agent_hello(&again);
	assert_int_equal(agent_events(&again, 4, 3), 6); /* its spool goes on where it was */
	assert_int_equal(events_of(&again, 5000), 3);
	assert_int_equal(events_of(&agent, 717), 1);
	assert_int_equal(events_of(&again, 717), 1);
	agent_hello(&agent);
	expect(&agent, "status", "online");
	expect(&again, "status", "online");
	agent_done(&agent);
	agent_done(&clone);
	agent_done(&again);
}

static void a_clone_is_refused_and_shown(void **state)
{
	struct agent agent, clone, activated;
	bool rekey;

	(void)state;
	set("{\"enrolment.reactivate_cloned\":false}", 200);
	agent_enrolled(&agent, &fixture, "golden");
	agent_hello(&agent);
	copy(&clone, &agent);
	assert_int_equal(until_found(&agent, &clone, &rekey), 403);
	assert_int_equal(agent_enrol_anew(&clone, "golden", NULL, 0), 403);
	while (fixture_count(&fixture, "/api/v1/computers?name=golden-clone&state=activation_required") == 0)
		; /* a worker does it */
	assert_int_equal(events_of(&agent, 275), 1);
	assert_true(fixture_count(&fixture, "/api/v1/alerts?type=duplicate_identity&state=open") > 0);
	assert_int_equal(report_once(&clone, NULL), 403);
	assert_int_equal(fixture_count(&fixture, "/api/v1/computers?name=golden-clone*"), 1); /* shown once */
	agent_init(&activated, &fixture);
	assert_int_equal(enrol(&activated, "golden-clone", NULL, 0), 200); /* a person does it */
	agent_hello(&activated);
	expect(&activated, "status", "online");
	set("{\"enrolment.reactivate_cloned\":null}", 200);
	agent_done(&agent);
	agent_done(&clone);
	agent_done(&activated);
}

/* --- agents that nobody knows any more --- */

static void an_unknown_agent_becomes_a_computer_again(void **state)
{
	struct agent agent, again;
	char id[UUID_TEXT_BYTES], path[160];
	bool rekey = false;

	(void)state;
	agent_enrolled(&agent, &fixture, "deleted");
	agent_hello(&agent);
	uuid_format(&agent.computer, id);
	snprintf(path, sizeof(path), "/api/v1/computers/%s", id);
	json_decref(fixture_api(&fixture, "DELETE", path, NULL, 204));
	assert_int_equal(report_once(&agent, NULL), 403);
	agent.attempt = env_uuid(env_system());
	assert_int_equal(agent_enrol_anew(&agent, "deleted", NULL, 0), 403);
	while (fixture_count(&fixture, "/api/v1/events?type=771") == 0)
		; /* it is queued, and comes */
	set("{\"enrolment.reactivate_unknown\":\"yes\"}", 200);
	assert_int_equal(report_once(&agent, &rekey), 200);
	assert_true(rekey);
	copy(&again, &agent);
	again.attempt = agent.attempt;
	again.session = agent.session;
	assert_int_equal(agent_enrol_anew(&agent, "deleted", NULL, 0), 200);
	assert_int_equal(agent_enrol_anew(&again, "deleted", NULL, 0), 200);
	assert_memory_equal(&agent.computer, &again.computer, sizeof(struct uuid));
	set("{\"enrolment.reactivate_unknown\":null}", 200);
	assert_string_equal(again.name, "deleted");
	agent_hello(&again);
	assert_int_equal(agent_events(&again, 1, 3), 3);
	assert_int_equal(events_of(&again, 716), 1);
	expect(&again, "status", "online");
	agent_done(&agent);
	agent_done(&again);
}

/* Whoever has stolen one certificate makes computers by it, each of them with an alert, but not as fast as it can. */
static void one_certificate_makes_no_computers_without_end(void **state)
{
	unsigned made = 0;
	struct agent agent, copied;
	char id[UUID_TEXT_BYTES], path[160], detail[256] = "";
	long status = 200;

	(void)state;
	agent_enrolled(&agent, &fixture, "stolen");
	uuid_format(&agent.computer, id);
	snprintf(path, sizeof(path), "/api/v1/computers/%s", id);
	json_decref(fixture_api(&fixture, "DELETE", path, NULL, 204));
	set("{\"enrolment.reactivate_unknown\":\"yes\"}", 200);
	while (status == 200 && made < 1000) {
		copy(&copied, &agent);
		status = agent_enrol_anew(&copied, "stolen", detail, sizeof(detail));
		made += status == 200;
		agent_done(&copied);
	}
	assert_int_equal(status, 503);
	assert_non_null(strstr(detail, "many agents"));
	assert_in_range(made, 32, 100);
	set("{\"enrolment.reactivate_unknown\":null}", 200);
	agent_done(&agent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_and_knowledge_decide_who_may),
		cmocka_unit_test(names_and_policies_are_the_managers),
		cmocka_unit_test(a_computer_is_reactivated_by_its_name),
		cmocka_unit_test(a_clone_gets_an_identity_of_its_own),
		cmocka_unit_test(a_clone_is_refused_and_shown),
		cmocka_unit_test(an_unknown_agent_becomes_a_computer_again),
		cmocka_unit_test(one_certificate_makes_no_computers_without_end),
	};

	return cmocka_run_group_tests_name("integration/manager/activation", tests, start, end);
}
