/* A computer that was taken over, with its certificate and key, and nobodies without one, against a real manager: what
 * they do is theirs alone to suffer from. */
#include <signal.h>
#include <unistd.h>

#include "line.h"
#include "os/env.h"
#include "wire/limits.h"

static struct fixture fixture;

#define PLACES 96 /* for connections, of all */

static int start(void **state)
{
	char setting[64];

	(void)state;
	snprintf(setting, sizeof(setting), "[network]\nconnections = %d\n", PLACES);
	fixture_start(&fixture, setting);
	return 0;
}

static int end(void **state)
{
	(void)state;
	fixture_finish(&fixture);
	return 0;
}

static long report_once(struct agent *agent)
{
	Muster__Wire__Report report = agent_report(agent);

	return agent_exchange(agent, &report, NULL, NULL);
}

static json_t *ask(const struct agent *agent, const char *method, const char *what, long status)
{
	char id[UUID_TEXT_BYTES], path[160];

	uuid_format(&agent->computer, id);
	snprintf(path, sizeof(path), "/api/v1/computers/%s%s", id, what);
	return fixture_api(&fixture, method, path, NULL, status);
}

struct hoard {
	struct line lines[2 * PLACES];
	size_t count;
};

/* As many more as it gets. */
static void hoard_more(struct hoard *hoard, const struct agent *agent, size_t count)
{
	for (size_t i = 0; i < count; i++)
		hoard->count += line_try(&hoard->lines[hoard->count], agent);
}

static void hoard_done(struct hoard *hoard)
{
	while (hoard->count > 0)
		line_done(&hoard->lines[--hoard->count]);
}

/* Connections of agents that are known are never closed for others to have room. */
static void one_computer_does_not_take_all_places(void **state)
{
	struct agent taken_over, honest;
	struct hoard hoard = { .count = 0 };

	(void)state;
	agent_enrolled(&taken_over, &fixture, "taken-over");
	agent_enrolled(&honest, &fixture, "honest");
	hoard_more(&hoard, &taken_over, 2 * PLACES);
	assert_int_equal(report_once(&honest), 200);
	json_decref(fixture_api(&fixture, "GET", "/api/v1/computers", NULL, 200));
	hoard_done(&hoard);
	while (report_once(&taken_over) != 200)
		; /* until its ends have been heard */
	agent_done(&honest);
	agent_done(&taken_over);
}

/* Its certificate is as good as ever to TLS. */
static void nor_does_one_that_was_revoked(void **state)
{
	struct agent revoked, honest;
	struct hoard hoard = { .count = 0 };

	(void)state;
	agent_enrolled(&revoked, &fixture, "revoked");
	agent_enrolled(&honest, &fixture, "honest");
	json_decref(ask(&revoked, "POST", "/revoke", 200));
	hoard_more(&hoard, &revoked, 2 * PLACES);
	assert_int_equal(report_once(&honest), 200);
	json_decref(fixture_api(&fixture, "GET", "/api/v1/computers", NULL, 200));
	hoard_done(&hoard);
	agent_done(&honest);
	agent_done(&revoked);
}

/* Whoever reaches the port, without a certificate, a token or a name: each refusal would be a row, for ever. */
static void nonsense_does_not_fill_the_events(void **state)
{
	const struct call nonsense = { .method = "POST", .path = "/agent/v1/enrol", .body = "\xff\xff\xff", .size = 3 };
	struct answer answer;
	size_t told;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		fixture_call(&fixture, &nonsense, &answer);
		assert_true(answer.status == 400 || answer.status == 429);
		answer_done(&answer);
	}
	told = fixture_count(&fixture, "/api/v1/events?type=705&limit=1000");
	assert_true(told >= 1);
	assert_true(told <= 20);
}

#define FLOOD_EVENTS 60
#define FLOOD_BYTES  8000

/* As much as a report holds; what the answer acknowledges, and when it wants the next one. */
static uint64_t flood_once(struct agent *agent, uint64_t first, uint32_t *ret_return_after_ms)
{
	static uint8_t text[FLOOD_BYTES];
	static Muster__Wire__Event events[FLOOD_EVENTS];
	static Muster__Wire__Field fields[FLOOD_EVENTS];
	Muster__Wire__Event *list[FLOOD_EVENTS];
	Muster__Wire__Field *of_each[FLOOD_EVENTS];
	Muster__Wire__Report report = agent_report(agent);
	Muster__Wire__Reply *reply;
	struct arena *arena;
	uint64_t acknowledged;

	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < FLOOD_EVENTS; i++) {
		muster__wire__event__init(&events[i]);
		muster__wire__field__init(&fields[i]);
		fields[i].name = (char *)(uintptr_t) "text";
		fields[i].value = exchange_bytes(text, sizeof(text));
		of_each[i] = &fields[i];
		events[i].number = events[i].mark = first + i;
		events[i].time_us = env_wall(env_system());
		events[i].type = 5000;
		events[i].fields = &of_each[i];
		events[i].n_fields = 1;
		list[i] = &events[i];
	}
	report.events = list;
	report.n_events = report.events_waiting = FLOOD_EVENTS;
	assert_int_equal(agent_exchange(agent, &report, &reply, &arena), 200);
	acknowledged = reply->acknowledged_event;
	*ret_return_after_ms = reply->return_after_ms;
	arena_free(arena);
	return acknowledged;
}

/* The manager's disk is everybody's. Whoever floods is heard as before, and keeps what is too much. */
static void one_computer_does_not_fill_the_disk(void **state)
{
	struct agent flooder, honest;
	uint32_t return_after_ms = 0;
	uint64_t next = 1;

	(void)state;
	agent_enrolled(&flooder, &fixture, "flooder");
	agent_enrolled(&honest, &fixture, "quiet");
	for (unsigned i = 0; i < 400 && return_after_ms == 0; i++) {
		uint64_t acknowledged = flood_once(&flooder, next, &return_after_ms);

		assert_int_equal(acknowledged, return_after_ms == 0 ? next + FLOOD_EVENTS - 1 : 0);
		next += return_after_ms == 0 ? FLOOD_EVENTS : 0;
	}
	assert_true(return_after_ms > 0);
	assert_true(next * FLOOD_BYTES < 160 * (uint64_t)MIB);
	assert_true(next * FLOOD_BYTES > 100 * (uint64_t)MIB);
	assert_int_equal(agent_events(&honest, 1, 1000), 1000);
	assert_int_equal(report_once(&flooder), 200);
	fixture_log_wait(&fixture, "exchange.held_back", 1);
	agent_done(&honest);
	agent_done(&flooder);
}

/* ret_certificate: PEM, the caller's to free; NULL: not wanted. */
static long renew(const struct agent *agent, char **ret_certificate)
{
	Muster__Wire__RenewRequest message = MUSTER__WIRE__RENEW_REQUEST__INIT;
	struct call call = { .method = "POST",
			     .path = "/agent/v1/renew",
			     .content_type = "application/x-protobuf",
			     .certificate = agent->certificate,
			     .key = buf_text(&agent->key) };
	struct answer answer;
	struct buf packed;

	message.protocol = WIRE_PROTOCOL;
	message.request = exchange_bytes(agent->request.data, agent->request.size);
	buf_init(&packed, 65536);
	assert_int_equal(exchange_renew_request_encode(&message, &packed, NULL), 0);
	call.body = packed.data;
	call.size = packed.size;
	fixture_call(&fixture, &call, &answer);
	if (answer.status == 200 && ret_certificate != NULL) {
		Muster__Wire__RenewReply *reply;
		struct arena *arena;

		assert_int_equal(exchange_renew_reply_decode(answer.body.data, answer.body.size, &reply, &arena, NULL),
				 0);
		*ret_certificate = strndup((const char *)reply->certificate.data, reply->certificate.len);
		arena_free(arena);
	}
	buf_done(&packed);
	answer_done(&answer);
	return answer.status;
}

/* Another attempt of the same agent, with the certificate that it had before. */
static void copy_of(struct agent *copy, const struct agent *agent, const char *certificate)
{
	agent_init(copy, &fixture);
	copy->certificate = strdup(certificate);
	buf_reset(&copy->key);
	buf_append(&copy->key, agent->key.data, agent->key.size);
	buf_reset(&copy->request);
	buf_append(&copy->request, agent->request.data, agent->request.size);
}

/* Uses another certificate from now on; the one before, the caller's to free. */
static char *leave_behind(struct agent *agent)
{
	char *former = agent->certificate;

	assert_int_equal(renew(agent, &agent->certificate), 200);
	assert_int_equal(report_once(agent), 200);
	return former;
}

/* It says that its identity has gone on without it. How many computers that makes of one. */
static unsigned multiply(const struct agent *agent, const char *former, unsigned times)
{
	unsigned made = 0;

	for (unsigned i = 0; i < times; i++) {
		struct agent copy;
		long status;

		copy_of(&copy, agent, former);
		status = agent_enrol_anew(&copy, "legion", NULL, 0);
		assert_true(status == 200 || status == 503);
		made += status == 200;
		agent_done(&copy);
	}
	return made;
}

/* Each of many computers would have a share of its own. */
static void one_computer_does_not_become_a_legion(void **state)
{
	struct agent agent, copy;
	unsigned made, of_copies;
	char *former;

	(void)state;
	agent_enrolled(&agent, &fixture, "one");
	former = leave_behind(&agent);
	copy_of(&copy, &agent, former);
	assert_int_equal(agent_enrol_anew(&copy, "legion", NULL, 0), 200);
	made = multiply(&agent, former, 100);
	free(former);
	former = leave_behind(&copy); /* which is a computer itself now */
	of_copies = multiply(&copy, former, 5);
	free(former);
	assert_true(made >= 1 && made <= 60); /* so many at once, and few a minute */
	assert_int_equal(of_copies, 0);
	agent_done(&copy);
	agent_done(&agent);
}

/* Each renewal is a signature of the authority, rows and an event. */
static void one_computer_does_not_renew_all_day(void **state)
{
	char id[UUID_TEXT_BYTES], path[160];
	struct agent agent;
	unsigned given = 0;

	(void)state;
	agent_enrolled(&agent, &fixture, "renewer");
	for (unsigned i = 0; i < 100; i++) {
		long status = renew(&agent, NULL);

		assert_true(status == 200 || status == 503);
		given += status == 200;
	}
	assert_true(given >= 1);
	assert_true(given <= 20);
	uuid_format(&agent.computer, id);
	snprintf(path, sizeof(path), "/api/v1/events?type=936&computer=%s&limit=1000", id);
	assert_int_equal(fixture_count(&fixture, path), given);
	assert_int_equal(report_once(&agent), 200);
	agent_done(&agent);
}

/* What a computer says of the manager that it has gone to is shown to people. */
static void last_words_are_shown_escaped(void **state)
{
	char body[4000] = "{\"manager\": \"", *at = body + strlen(body);
	struct call call = { .method = "POST", .path = "/agent/v1/leave" };
	struct answer answer;
	struct agent agent;
	json_t *computer;
	const char *cause;

	(void)state;
	agent_enrolled(&agent, &fixture, "leaver");
	at += sprintf(at, "=1+1\\u001b[2J\\r\\n<b>\\u202e");
	for (unsigned i = 0; i < 1200; i++) /* cut in the midst of a character, wherever that is done */
		at += sprintf(at, "%s", i % 2 == 0 ? "\xc3\xa4" : "\xe2\x82\xac");
	strcpy(at, "\"}");
	call.body = body;
	call.size = strlen(body);
	call.certificate = agent.certificate;
	call.key = buf_text(&agent.key);
	fixture_call(&fixture, &call, &answer);
	assert_true(answer.status == 204 || answer.status == 400);
	answer_done(&answer);
	computer = ask(&agent, "GET", "", 200);
	cause = json_string_value(json_object_get(computer, "status_cause"));
	assert_non_null(cause);
	for (const char *c = cause; *c != '\0'; c++)
		assert_true((unsigned char)*c >= 0x20 && *c != 0x7f);
	assert_null(strstr(cause, "\xe2\x80\xae"));
	json_decref(computer);
	json_decref(fixture_api(&fixture, "GET", "/api/v1/computers?limit=100", NULL, 200));
	json_decref(fixture_api(&fixture, "GET", "/api/v1/events?limit=100", NULL, 200));
	json_decref(fixture_api(&fixture, "GET", "/api/v1/audit?limit=100", NULL, 200));
	agent_done(&agent);
}

/* An event that is dated in the future goes by when it arrived; what the agent said of its time is kept. */
static void check_in_order(const json_t *events)
{
	const char *after = "9999";
	size_t i, ahead = 0;
	const json_t *event;

	json_array_foreach(json_object_get(events, "items"), i, event)
	{
		const char *time = json_string_value(json_object_get(event, "time"));
		const char *happened = json_string_value(json_object_get(event, "happened"));
		const char *received = json_string_value(json_object_get(event, "received"));

		assert_true(strcmp(happened, after) <= 0);
		assert_string_equal(happened, strcmp(time, received) > 0 ? received : time);
		ahead += strcmp(time, received) > 0;
		after = happened;
	}
	assert_true(ahead > 0);
}

static void expect_none_in(const char *query)
{
	json_t *events = fixture_api(&fixture, "GET", query, NULL, 200);

	assert_int_equal(json_array_size(json_object_get(events, "items")), 0);
	json_decref(events);
}

/* Numbers and times at the ends of what fits; everybody else goes on. */
static void numbers_at_their_ends_harm_nobody(void **state)
{
	static const uint64_t numbers[] = { INT64_MAX, 1, INT64_MAX };
	static const int64_t times[] = { WIRE_TIME_MAX_US, 0, 1 };
	struct agent agent, honest;
	json_t *events;

	(void)state;
	agent_enrolled(&agent, &fixture, "extreme");
	agent_enrolled(&honest, &fixture, "calm");
	agent.sequence = UINT64_MAX - 100;
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		for (size_t j = 0; j < COUNT_OF(times); j++) {
			Muster__Wire__Report report = agent_report(&agent);
			Muster__Wire__Event event = MUSTER__WIRE__EVENT__INIT, *list[] = { &event };

			event.number = numbers[i];
			event.time_us = times[j];
			event.type = 5000;
			event.mark = UINT64_MAX - j;
			report.events = list;
			report.n_events = 1;
			report.events_waiting = UINT64_MAX;
			(void)agent_exchange(&agent, &report, NULL, NULL);
		}
	}
	assert_int_equal(report_once(&honest), 200);
	events = fixture_api(&fixture, "GET", "/api/v1/events?limit=1000", NULL, 200);
	check_in_order(events);
	json_decref(events);
	expect_none_in("/api/v1/events?since=2200-01-01T00:00:00Z");
	json_decref(ask(&agent, "GET", "", 200));
	agent_done(&agent);
	agent_done(&honest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_computer_does_not_take_all_places),
		cmocka_unit_test(nor_does_one_that_was_revoked),
		cmocka_unit_test(one_computer_does_not_fill_the_disk),
		cmocka_unit_test(one_computer_does_not_become_a_legion),
		cmocka_unit_test(one_computer_does_not_renew_all_day),
		cmocka_unit_test(last_words_are_shown_escaped),
		cmocka_unit_test(numbers_at_their_ends_harm_nobody),
		cmocka_unit_test(nonsense_does_not_fill_the_events), /* last: this address has to wait afterwards */
	};

	return cmocka_run_group_tests_name("integration/manager/hostile", tests, start, end);
}
