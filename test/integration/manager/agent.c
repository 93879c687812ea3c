/* An agent's side of the link. */
#include "agent.h"

#include "os/env.h"
#include "trust/fingerprint.h"
#include "trust/identity.h"

#define ROOM_BYTES ((size_t)1024 * 1024)

void agent_init(struct agent *agent, struct fixture *fixture)
{
	struct err err = { 0 };

	*agent = (struct agent){ .fixture = fixture };
	buf_init(&agent->key, ROOM_BYTES);
	buf_init(&agent->request, ROOM_BYTES);
	assert_int_equal(identity_make(&agent->key, &agent->request, &err), 0);
	agent->attempt = env_uuid(env_system());
	agent->session = env_below(env_system(), UINT64_MAX) | 1;
}

void agent_done(struct agent *agent)
{
	buf_wipe(&agent->key);
	buf_done(&agent->key);
	buf_done(&agent->request);
	free(agent->certificate);
}

char *enrolment_token(struct fixture *fixture, int uses, const char *expires)
{
	char body[128], *token;
	json_t *made;

	snprintf(body, sizeof(body), "{\"uses\":%d,\"expires\":\"%s\"}", uses, expires);
	made = fixture_api(fixture, "POST", "/api/v1/enrolment-tokens", body, 201);
	token = strdup(json_string_value(json_object_get(made, "token")));
	json_decref(made);
	return token;
}

static void take_reply(struct agent *agent, const struct buf *body)
{
	Muster__Wire__EnrolReply *reply;
	struct arena *arena;
	struct err err = { 0 };

	assert_int_equal(exchange_enrol_reply_decode(body->data, body->size, &reply, &arena, &err), 0);
	agent->computer = exchange_uuid(&reply->computer);
	free(agent->certificate);
	agent->certificate = strndup((const char *)reply->certificate.data, reply->certificate.len);
	memcpy(agent->server_authentication, reply->server_authentication.data, 32);
	snprintf(agent->name, sizeof(agent->name), "%s", reply->name);
	arena_free(arena);
}

static void copy_detail(const struct buf *body, char *detail, size_t capacity)
{
	json_t *json = json_loadb(buf_text(body), body->size, 0, NULL);
	const char *text = json_string_value(json_object_get(json, "detail"));

	snprintf(detail, capacity, "%s", text != NULL ? text : "");
	json_decref(json);
}

static long enrol(struct agent *agent, const char *token, const char *name, long *ret_retry_after, char *detail,
		  size_t capacity)
{
	Muster__Wire__EnrolRequest request = MUSTER__WIRE__ENROL_REQUEST__INIT;
	Muster__Wire__Host host = MUSTER__WIRE__HOST__INIT;
	struct call call = { .method = "POST", .path = "/agent/v1/enrol", .content_type = "application/x-protobuf" };
	struct answer answer;
	struct err err = { 0 };
	struct buf packed;

	request.protocol = WIRE_PROTOCOL;
	request.token = (char *)(uintptr_t)token;
	request.attempt = exchange_bytes(agent->attempt.bytes, UUID_BYTES);
	request.request = exchange_bytes(agent->request.data, agent->request.size);
	request.name = (char *)(uintptr_t)name;
	request.session = token[0] == '\0' ? agent->session : 0;
	host.name = (char *)(uintptr_t) "host";
	request.host = &host;
	buf_init(&packed, ROOM_BYTES);
	if (exchange_enrol_request_encode(&request, &packed, &err) != 0)
		fail_msg("%s", err.text);
	call.body = packed.data;
	call.size = packed.size;
	if (token[0] == '\0') {
		call.certificate = agent->certificate;
		call.key = buf_text(&agent->key);
	}
	fixture_call(agent->fixture, &call, &answer);
	if (answer.status == 200)
		take_reply(agent, &answer.body);
	else if (detail != NULL)
		copy_detail(&answer.body, detail, capacity);
	if (ret_retry_after != NULL)
		*ret_retry_after = answer.retry_after;
	buf_done(&packed);
	answer_done(&answer);
	return answer.status;
}

long agent_enrol(struct agent *agent, const char *token, const char *name, long *ret_retry_after, char *detail,
		 size_t capacity)
{
	return enrol(agent, token, name, ret_retry_after, detail, capacity);
}

long agent_enrol_anew(struct agent *agent, const char *name, char *detail, size_t capacity)
{
	return enrol(agent, "", name, NULL, detail, capacity);
}

void agent_enrolled(struct agent *agent, struct fixture *fixture, const char *name)
{
	char *token = enrolment_token(fixture, 1, "1h");

	agent_init(agent, fixture);
	assert_int_equal(agent_enrol(agent, token, name, NULL, NULL, 0), 200);
	free(token);
}

Muster__Wire__Report agent_report(struct agent *agent)
{
	static Muster__Wire__Clock clock = MUSTER__WIRE__CLOCK__INIT;
	static uint8_t boot[16] = { 1 };
	Muster__Wire__Report report = MUSTER__WIRE__REPORT__INIT;

	clock.wall_us = env_wall(env_system());
	clock.monotonic_us = env_monotonic(env_system());
	clock.boot_id = exchange_bytes(boot, sizeof(boot));
	report.protocol = WIRE_PROTOCOL;
	report.computer = exchange_bytes(agent->computer.bytes, UUID_BYTES);
	report.session = agent->session;
	report.sequence = ++agent->sequence;
	report.clock = &clock;
	if (agent->has_configuration)
		report.configuration = exchange_bytes(agent->configuration, SHA256_BYTES);
	return report;
}

/* It is kept as any agent would: else it comes again a second later, in the answer to what a test waits for. */
static void keep_configuration(struct agent *agent, const Muster__Wire__Envelope *envelope)
{
	Muster__Wire__Signed *content;
	struct arena *arena;
	uint8_t *packed;
	size_t size;

	assert_int_equal(exchange_signed_decode(envelope->payload.data, envelope->payload.len, &content, &arena, NULL),
			 0);
	size = muster__wire__configuration__get_packed_size(content->configuration);
	packed = malloc(size + 1);
	assert_non_null(packed);
	muster__wire__configuration__pack(content->configuration, packed);
	fingerprint_of(packed, size, agent->configuration);
	agent->has_configuration = true;
	free(packed);
	arena_free(arena);
}

long agent_exchange(struct agent *agent, const Muster__Wire__Report *report, Muster__Wire__Reply **ret_reply,
		    struct arena **ret_arena)
{
	struct call call = {
		.method = "POST",
		.path = "/agent/v1/exchange",
		.content_type = "application/x-protobuf",
		.certificate = agent->certificate,
		.key = buf_text(&agent->key),
	};
	Muster__Wire__Reply *reply = NULL;
	struct arena *arena = NULL;
	struct answer answer;
	struct err err = { 0 };
	struct buf packed;
	long status;

	buf_init(&packed, ROOM_BYTES);
	if (exchange_report_encode(report, &packed, &err) != 0)
		fail_msg("%s", err.text);
	call.body = packed.data;
	call.size = packed.size;
	fixture_call(agent->fixture, &call, &answer);
	status = answer.status;
	if (status == 200 && exchange_reply_decode(answer.body.data, answer.body.size, &reply, &arena, &err) != 0)
		fail_msg("%s", err.text);
	if (status == 200 && reply->configuration != NULL)
		keep_configuration(agent, reply->configuration);
	if (status == 200 && ret_reply != NULL) {
		*ret_reply = reply;
		*ret_arena = arena;
	} else {
		arena_free(arena);
	}
	if (status != 200 && status != 0)
		fprintf(stderr, "exchange: %ld %s\n", status, buf_text(&answer.body));
	buf_done(&packed);
	answer_done(&answer);
	return status;
}

void agent_hello(struct agent *agent)
{
	Muster__Wire__Report report = agent_report(agent);
	Muster__Wire__Host host = MUSTER__WIRE__HOST__INIT;
	Muster__Wire__Component component = MUSTER__WIRE__COMPONENT__INIT;
	Muster__Wire__Component *components[] = { &component };

	host.name = (char *)(uintptr_t) "host";
	host.os = (char *)(uintptr_t) "Debian";
	component.name = (char *)(uintptr_t) "link";
	component.state = (char *)(uintptr_t) "working";
	report.full = true;
	report.host = &host;
	report.components = components;
	report.n_components = 1;
	assert_int_equal(agent_exchange(agent, &report, NULL, NULL), 200);
}

int64_t agent_events(struct agent *agent, uint64_t first, size_t count)
{
	Muster__Wire__Report report = agent_report(agent);
	Muster__Wire__Event *events = calloc(count, sizeof(*events));
	Muster__Wire__Event **list = calloc(count, sizeof(*list));
	Muster__Wire__Reply *reply;
	struct arena *arena;
	int64_t acknowledged = -1;

	for (size_t i = 0; i < count; i++) {
		muster__wire__event__init(&events[i]);
		events[i].number = first + i;
		events[i].time_us = env_wall(env_system());
		events[i].type = 5000;
		events[i].mark = agent->marks + first + i;
		list[i] = &events[i];
	}
	report.events = list;
	report.n_events = count;
	report.events_waiting = count;
	if (agent_exchange(agent, &report, &reply, &arena) == 200) {
		acknowledged = (int64_t)reply->acknowledged_event;
		arena_free(arena);
	}
	free(list);
	free(events);
	return acknowledged;
}
