/* The exchange with a real manager: events once, held polls, commands, certificates that are not ours, an orderly
 * stop, and the death of each process while events arrive. */
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "agent.h"
#include "os/env.h"
#include "trust/authority.h"
#include "trust/fingerprint.h"
#include "trust/signing_key.h"
#include "wire/envelope.h"

static struct fixture fixture;

static int start(void **state)
{
	(void)state;
	fixture_start(&fixture, NULL);
	return 0;
}

static int end(void **state)
{
	(void)state;
	fixture_end(&fixture);
	return 0;
}

static size_t events_of(const struct agent *agent, unsigned type)
{
	char id[UUID_TEXT_BYTES], path[160];

	uuid_format(&agent->computer, id);
	snprintf(path, sizeof(path), "/api/v1/events?computer=%s&type=%u&limit=1000", id, type);
	return fixture_count(&fixture, path);
}

static void events_are_stored_once(void **state)
{
	struct agent agent;

	(void)state;
	agent_enrolled(&agent, &fixture, "events");
	agent_hello(&agent);
	assert_int_equal(agent_events(&agent, 1, 10), 10);
	assert_int_equal(agent_events(&agent, 1, 10), 10); /* the answer was lost: the same again */
	assert_int_equal(agent_events(&agent, 6, 10), 15);
	assert_int_equal(events_of(&agent, 5000), 15);
	agent_done(&agent);
}

/* Two that have one identity, or one that was set back: the numbers are known, the events are not. */
static void events_of_another_run_are_stored_too(void **state)
{
	struct agent agent;

	(void)state;
	agent_enrolled(&agent, &fixture, "copied");
	agent_hello(&agent);
	assert_int_equal(agent_events(&agent, 1, 10), 10);
	agent.marks = 1000;
	assert_int_equal(agent_events(&agent, 6, 2), 7); /* and nothing that it did not tell */
	assert_int_equal(events_of(&agent, 5000), 12);
	assert_int_equal(agent_events(&agent, 6, 3), 8); /* the answer was lost */
	assert_int_equal(events_of(&agent, 5000), 13);
	agent.marks = 2000; /* a third one */
	assert_int_equal(agent_events(&agent, 6, 3), 8);
	assert_int_equal(agent_events(&agent, 6, 7), 12); /* the last two are new to everybody */
	assert_int_equal(events_of(&agent, 5000), 13 + 7);
	agent.marks = 0;
	assert_int_equal(agent_events(&agent, 9, 4), 12);
	assert_int_equal(events_of(&agent, 5000), 20 + 2);
	agent.marks = 1000;
	assert_int_equal(agent_events(&agent, 6, 3), 8);
	assert_int_equal(events_of(&agent, 5000), 22);
	fixture_log_wait(&fixture, "exchange.numbered_twice", 4);
	agent_done(&agent);
}

static void bad_reports_are_refused(void **state)
{
	static uint8_t large[600 * 1024];
	struct call call = { .method = "POST", .path = "/agent/v1/exchange", .content_type = "application/x-protobuf" };
	struct agent agent, other;
	struct answer answer;
	Muster__Wire__Report report;

	(void)state;
	agent_enrolled(&agent, &fixture, "honest");
	agent_enrolled(&other, &fixture, "liar");
	call.body = "\x08\xff";
	call.size = 2;
	fixture_call(&fixture, &call, &answer); /* no certificate */
	assert_int_equal(answer.status, 401);
	answer_done(&answer);
	call.certificate = agent.certificate;
	call.key = buf_text(&agent.key);
	fixture_call(&fixture, &call, &answer);
	assert_int_equal(answer.status, 400);
	assert_non_null(strstr(buf_text(&answer.body), "detail"));
	answer_done(&answer);
	call.body = large;
	call.size = sizeof(large);
	fixture_call(&fixture, &call, &answer);
	assert_int_equal(answer.status, 413);
	answer_done(&answer);
	report = agent_report(&other); /* the computer of the report is not the certificate's */
	report.computer = exchange_bytes(agent.computer.bytes, UUID_BYTES);
	assert_int_equal(agent_exchange(&other, &report, NULL, NULL), 403);
	agent_hello(&agent);
	agent_done(&agent);
	agent_done(&other);
}

/* Signed by our authority, but no computer of ours: a database restored from before. */
static void unknown_certificates_are_told_so(void **state)
{
	struct authority *authority;
	struct err err = { 0 };
	struct agent agent;
	struct buf certificate;
	char key[128], root[128];
	Muster__Wire__Report report;

	(void)state;
	snprintf(key, sizeof(key), "%s/keys/ca.key", fixture.data);
	snprintf(root, sizeof(root), "%s/ca.pem", fixture.data);
	assert_int_equal(authority_load(key, root, &authority, &err), 0);
	agent_init(&agent, &fixture);
	agent.computer = env_uuid(env_system());
	buf_init(&certificate, 65536);
	assert_int_equal(authority_certify_agent(authority, agent.request.data, agent.request.size, &agent.computer,
						 env_wall(env_system()), &certificate, NULL, &err),
			 0);
	agent.certificate = strdup(buf_text(&certificate));
	report = agent_report(&agent);
	assert_int_equal(agent_exchange(&agent, &report, NULL, NULL), 403);
	fixture_log_wait(&fixture, "Certificate not known", 1);
	while (fixture_count(&fixture, "/api/v1/events?type=771") == 0)
		; /* it is queued, and comes */
	buf_done(&certificate);
	authority_free(authority);
	agent_done(&agent);
}

/* --- held polls --- */

struct poll {
	struct agent *agent;
	pthread_t thread;
	long status;
	size_t commands;
	struct uuid command;
	bool verified;
	uint32_t return_after_ms;
	atomic_bool ended;
};

static bool command_is_for(const struct agent *agent, const Muster__Wire__Envelope *envelope, struct uuid *ret_id)
{
	struct envelope_key key;
	const struct envelope_acceptance acceptance = {
		.keys = &key,
		.key_count = 1,
		.computer = &agent->computer,
		.session = agent->session,
		.now = env_wall(env_system()),
		.verify = signing_key_verify,
		.digest = fingerprint_of,
	};
	Muster__Wire__Signed *content;
	struct arena *arena;
	bool is_command;

	memcpy(key.public_key, agent->server_authentication, sizeof(key.public_key));
	signing_key_fingerprint(key.public_key, key.fingerprint);
	if (envelope_accept(envelope, &acceptance, &content, &arena, NULL) != 0)
		return false;
	is_command = content->content_case == MUSTER__WIRE__SIGNED__CONTENT_COMMAND;
	if (is_command)
		*ret_id = exchange_uuid(&content->command->id);
	arena_free(arena);
	return is_command;
}

static void poll_once(struct poll *poll)
{
	Muster__Wire__Report report = agent_report(poll->agent);
	Muster__Wire__Reply *reply;
	struct arena *arena;

	report.hold_s = 50;
	poll->status = agent_exchange(poll->agent, &report, &reply, &arena);
	if (poll->status != 200)
		return;
	poll->commands = reply->n_commands;
	poll->return_after_ms = reply->return_after_ms;
	if (reply->n_commands == 1)
		poll->verified = command_is_for(poll->agent, reply->commands[0], &poll->command);
	arena_free(arena);
}

static void *poll_main(void *argument)
{
	struct poll *poll = argument;

	poll_once(poll);
	atomic_store(&poll->ended, true);
	return NULL;
}

static bool is_connected(const struct agent *agent)
{
	char id[UUID_TEXT_BYTES], path[128];
	json_t *computer;
	bool yes;

	uuid_format(&agent->computer, id);
	snprintf(path, sizeof(path), "/api/v1/computers/%s", id);
	computer = fixture_api(&fixture, "GET", path, NULL, 200);
	yes = json_is_true(json_object_get(computer, "connected"));
	json_decref(computer);
	return yes;
}

/* Held when it returns, or over already. */
static void poll_begin(struct poll *poll, struct agent *agent)
{
	*poll = (struct poll){ .agent = agent };
	assert_int_equal(pthread_create(&poll->thread, NULL, poll_main, poll), 0);
	while (!is_connected(agent) && !atomic_load(&poll->ended))
		;
}

static json_t *issue(const struct agent *agent, const char *body)
{
	char id[UUID_TEXT_BYTES], path[128];

	uuid_format(&agent->computer, id);
	snprintf(path, sizeof(path), "/api/v1/computers/%s/commands", id);
	return fixture_api(&fixture, "POST", path, body, 201);
}

static void expect_state(const char *id, const char *state)
{
	char path[128];
	json_t *command;

	snprintf(path, sizeof(path), "/api/v1/commands/%s", id);
	command = fixture_api(&fixture, "GET", path, NULL, 200);
	assert_string_equal(json_string_value(json_object_get(command, "state")), state);
	json_decref(command);
}

static void report_end(struct agent *agent, const struct uuid *id, Muster__Wire__CommandState__State end_state)
{
	Muster__Wire__CommandState command = MUSTER__WIRE__COMMAND_STATE__INIT;
	Muster__Wire__CommandState *commands[] = { &command };
	Muster__Wire__Report report = agent_report(agent);
	Muster__Wire__Reply *reply;
	struct arena *arena;

	command.id = exchange_bytes(id->bytes, UUID_BYTES);
	command.state = end_state;
	report.commands = commands;
	report.n_commands = 1;
	assert_int_equal(agent_exchange(agent, &report, &reply, &arena), 200);
	assert_int_equal(reply->n_acknowledged_commands, 1);
	assert_memory_equal(reply->acknowledged_commands[0].data, id->bytes, UUID_BYTES);
	arena_free(arena);
}

static void report_progress(struct agent *from, const struct uuid *id, uint64_t done)
{
	Muster__Wire__CommandState command = MUSTER__WIRE__COMMAND_STATE__INIT;
	Muster__Wire__Progress progress = MUSTER__WIRE__PROGRESS__INIT;
	Muster__Wire__CommandState *commands[] = { &command };
	Muster__Wire__Report report = agent_report(from);

	progress.files_total = 100;
	progress.files_done = done;
	command.id = exchange_bytes(id->bytes, UUID_BYTES);
	command.state = MUSTER__WIRE__COMMAND_STATE__STATE__RUNNING;
	command.progress = &progress;
	report.commands = commands;
	report.n_commands = 1;
	assert_int_equal(agent_exchange(from, &report, NULL, NULL), 200);
}

/* It is queued behind the answer: asked for until it is there. */
static void expect_progress(const char *id, uint64_t done)
{
	char path[128];
	uint64_t seen = UINT64_MAX;

	snprintf(path, sizeof(path), "/api/v1/commands/%s", id);
	while (seen != done) {
		json_t *command = fixture_api(&fixture, "GET", path, NULL, 200);
		const json_t *progress = json_object_get(command, "progress");

		seen = (uint64_t)json_integer_value(json_object_get(progress, "files_done"));
		json_decref(command);
	}
	expect_state(id, "running");
}

static void a_command_wakes_a_held_poll(void **state)
{
	struct agent agent;
	struct poll poll;
	json_t *command;
	char id[UUID_TEXT_BYTES];

	(void)state;
	agent_enrolled(&agent, &fixture, "waiting");
	agent_hello(&agent);
	poll_begin(&poll, &agent);
	command = issue(&agent, "{\"kind\":\"scan\",\"paths\":[\"/usr/share\"]}");
	pthread_join(poll.thread, NULL);
	assert_int_equal(poll.status, 200);
	assert_int_equal(poll.commands, 1);
	assert_true(poll.verified);
	uuid_format(&poll.command, id);
	assert_string_equal(id, json_string_value(json_object_get(command, "id")));
	report_progress(&agent, &poll.command, 40);
	expect_progress(id, 40);
	report_end(&agent, &poll.command, MUSTER__WIRE__COMMAND_STATE__STATE__SUCCEEDED);
	expect_state(id, "succeeded");
	json_decref(command);
	agent_done(&agent);
}

static void expect_ordered(const json_t *items, const struct poll *poll, const struct agent *agent)
{
	char command[UUID_TEXT_BYTES], computer[UUID_TEXT_BYTES];
	const json_t *item;
	size_t i;

	assert_int_equal(poll->status, 200);
	assert_int_equal(poll->commands, 1);
	assert_true(poll->verified);
	uuid_format(&poll->command, command);
	uuid_format(&agent->computer, computer);
	json_array_foreach(items, i, item)
	{
		if (strcmp(json_string_value(json_object_get(item, "computer")), computer) == 0) {
			assert_string_equal(json_string_value(json_object_get(item, "id")), command);
			return;
		}
	}
	fail_msg("%s has no command", computer);
}

/* Each gets an order of its own, signed for it, and serials go on from there. */
static void one_order_wakes_several_polls(void **state)
{
	struct agent agents[2];
	struct poll polls[2];
	char ids[2][UUID_TEXT_BYTES], body[256];
	json_t *answer;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		agent_enrolled(&agents[i], &fixture, i == 0 ? "one of several" : "another of several");
		agent_hello(&agents[i]);
		uuid_format(&agents[i].computer, ids[i]);
		poll_begin(&polls[i], &agents[i]);
	}
	snprintf(body, sizeof(body), "{\"kind\":\"heartbeat\",\"computers\":[\"%s\",\"%s\"]}", ids[0], ids[1]);
	answer = fixture_api(&fixture, "POST", "/api/v1/commands", body, 201);
	assert_int_equal(json_array_size(json_object_get(answer, "items")), 2);
	for (size_t i = 0; i < 2; i++) {
		pthread_join(polls[i].thread, NULL);
		expect_ordered(json_object_get(answer, "items"), &polls[i], &agents[i]);
		report_end(&agents[i], &polls[i].command, MUSTER__WIRE__COMMAND_STATE__STATE__SUCCEEDED);
	}
	poll_begin(&polls[0], &agents[0]);
	json_decref(issue(&agents[0], "{\"kind\":\"heartbeat\"}"));
	pthread_join(polls[0].thread, NULL);
	assert_true(polls[0].verified);
	json_decref(answer);
	agent_done(&agents[0]);
	agent_done(&agents[1]);
}

static void a_command_that_was_not_sent_is_cancelled_at_once(void **state)
{
	struct agent agent;
	json_t *command;
	char path[128];

	(void)state;
	agent_enrolled(&agent, &fixture, "absent");
	command = issue(&agent, "{\"kind\":\"heartbeat\"}");
	snprintf(path, sizeof(path), "/api/v1/commands/%s/cancel", json_string_value(json_object_get(command, "id")));
	json_decref(fixture_api(&fixture, "POST", path, NULL, 201));
	expect_state(json_string_value(json_object_get(command, "id")), "cancelled");
	json_decref(command);
	agent_done(&agent);
}

static void deleting_a_computer_ends_its_poll(void **state)
{
	struct agent agent;
	struct poll poll;
	char id[UUID_TEXT_BYTES], path[128];

	(void)state;
	agent_enrolled(&agent, &fixture, "deleted");
	agent_hello(&agent);
	poll_begin(&poll, &agent);
	uuid_format(&agent.computer, id);
	snprintf(path, sizeof(path), "/api/v1/computers/%s", id);
	json_decref(fixture_api(&fixture, "DELETE", path, NULL, 204));
	pthread_join(poll.thread, NULL);
	assert_int_equal(poll.status, 403);
	agent_done(&agent);
}

/* --- deaths --- */

/* Sends `total` events, ten a report, again until acknowledged; kills `role` every now and then. */
static void survive(const char *name, const char *role, uint64_t total)
{
	const char *restarted = strcmp(role, "front") == 0 ? "\"front.started\"" : "\"keys.started\"";
	struct agent agent;
	uint64_t stored = 0, next_kill = 20;

	agent_enrolled(&agent, &fixture, name);
	agent_hello(&agent);
	while (stored < total) {
		int64_t acknowledged;

		if (stored >= next_kill) {
			unsigned before = fixture_log_count(&fixture, restarted);

			next_kill += 40;
			kill(fixture_role(&fixture, role), SIGKILL);
			agent_events(&agent, stored + 1, 10); /* into whatever is there now */
			fixture_log_wait(&fixture, restarted, before + 1);
		}
		acknowledged = agent_events(&agent, stored + 1, 10);
		if (acknowledged >= 0) {
			assert_true((uint64_t)acknowledged >= stored);
			stored = (uint64_t)acknowledged;
		}
	}
	assert_int_equal(events_of(&agent, 5000), stored);
	agent_done(&agent);
}

static void front_dies_and_nothing_is_lost(void **state)
{
	(void)state;
	survive("front-dies", "front", 150);
}

static void keys_dies_and_commands_are_signed_again(void **state)
{
	struct agent agent;
	json_t *command;

	(void)state;
	survive("keys-dies", "keys", 60);
	agent_enrolled(&agent, &fixture, "after-keys"); /* certified by the new keys role */
	agent_hello(&agent);
	kill(fixture_role(&fixture, "keys"), SIGKILL);
	command = issue(&agent, "{\"kind\":\"heartbeat\"}");
	assert_non_null(command);
	json_decref(command);
	agent_done(&agent);
}

/* The supervisor takes its roles with it; what was acknowledged is there after the next start. */
static void supervisor_dies_and_nothing_is_lost(void **state)
{
	struct agent agent;
	int64_t stored;
	struct poll poll;

	(void)state;
	agent_enrolled(&agent, &fixture, "all-die");
	agent_hello(&agent);
	stored = agent_events(&agent, 1, 25);
	assert_int_equal(stored, 25);
	json_decref(issue(&agent, "{\"kind\":\"heartbeat\"}"));
	kill(fixture.pid, SIGKILL);
	assert_int_equal(fixture_wait(&fixture), -1);
	{
		unsigned before = fixture_log_count(&fixture, "\"front.started\"");

		fixture_run(&fixture);
		fixture_log_wait(&fixture, "\"front.started\"", before + 1);
	}
	assert_int_equal(events_of(&agent, 5000), 25);
	assert_int_equal(agent_events(&agent, 1, 30), 30);
	assert_int_equal(events_of(&agent, 5000), 30);
	(void)poll;
	agent_done(&agent);
}

/* Last: the manager is gone afterwards. */
static void an_orderly_stop_answers_held_polls(void **state)
{
	struct agent agent;
	struct poll poll;

	(void)state;
	agent_enrolled(&agent, &fixture, "stopping");
	agent_hello(&agent);
	poll_begin(&poll, &agent);
	assert_int_equal(fixture_stop(&fixture), 0);
	pthread_join(poll.thread, NULL);
	assert_int_equal(poll.status, 200);
	assert_true(poll.return_after_ms > 0);
	agent_done(&agent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_are_stored_once),
		cmocka_unit_test(events_of_another_run_are_stored_too),
		cmocka_unit_test(bad_reports_are_refused),
		cmocka_unit_test(unknown_certificates_are_told_so),
		cmocka_unit_test(a_command_wakes_a_held_poll),
		cmocka_unit_test(one_order_wakes_several_polls),
		cmocka_unit_test(a_command_that_was_not_sent_is_cancelled_at_once),
		cmocka_unit_test(deleting_a_computer_ends_its_poll),
		cmocka_unit_test(front_dies_and_nothing_is_lost),
		cmocka_unit_test(keys_dies_and_commands_are_signed_again),
		cmocka_unit_test(supervisor_dies_and_nothing_is_lost),
		cmocka_unit_test(an_orderly_stop_answers_held_polls),
	};

	return cmocka_run_group_tests_name("integration/manager/exchange", tests, start, end);
}
