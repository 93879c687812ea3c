/* Memberships at a real manager: deactivated, reactivated, revoked, deleted. Whoever is out is out at once: connections
 * of every kind are held open when it happens, and the test waits for their ends. */
#include <arpa/inet.h>
#include <dirent.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "line.h"
#include "os/env.h"
#include "trust/identity.h"

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
	fixture_finish(&fixture);
	return 0;
}

/* Killed, so that only what is durable counts. */
static void restart(void)
{
	unsigned started = fixture_log_count(&fixture, "\"front.started\"");

	kill(fixture.pid, SIGKILL);
	(void)fixture_wait(&fixture);
	fixture_run(&fixture);
	fixture_log_wait(&fixture, "\"front.started\"", started + 1);
}

/* --- what people do --- */

static json_t *ask(const struct agent *agent, const char *method, const char *what, const char *body, long status)
{
	char id[UUID_TEXT_BYTES], path[160];

	uuid_format(&agent->computer, id);
	snprintf(path, sizeof(path), "/api/v1/computers/%s%s", id, what);
	return fixture_api(&fixture, method, path, body, status);
}

static void expect_status(json_t *computer, const char *status, const char *cause)
{
	assert_string_equal(json_string_value(json_object_get(computer, "status")), status);
	assert_non_null(strstr(json_string_value(json_object_get(computer, "status_cause")), cause));
	assert_true(json_is_string(json_object_get(computer, "status_since")));
	json_decref(computer);
}

static bool is_connected(const struct agent *agent)
{
	json_t *computer = ask(agent, "GET", "", NULL, 200);
	bool connected = json_is_true(json_object_get(computer, "connected"));

	json_decref(computer);
	return connected;
}

static size_t events_of(const struct agent *agent, unsigned type)
{
	char id[UUID_TEXT_BYTES], path[160];

	uuid_format(&agent->computer, id);
	snprintf(path, sizeof(path), "/api/v1/events?computer=%s&type=%u", id, type);
	return fixture_count(&fixture, path);
}

static long report_once(struct agent *agent)
{
	Muster__Wire__Report report = agent_report(agent);

	return agent_exchange(agent, &report, NULL, NULL);
}

/* The answer's last_heard; the caller frees it. */
static char *last_heard(json_t *computer)
{
	char *text = strdup(json_string_value(json_object_get(computer, "last_heard")));

	json_decref(computer);
	return text;
}

static void report_item(struct agent *agent, const struct uuid *id)
{
	static const uint8_t sha256[SHA256_BYTES] = { [SHA256_BYTES - 1] = 2 };
	Muster__Wire__QuarantineItem item = MUSTER__WIRE__QUARANTINE_ITEM__INIT, *list[] = { &item };
	Muster__Wire__Report report = agent_report(agent);

	item.id = exchange_bytes(id->bytes, UUID_BYTES);
	item.path = exchange_bytes("/tmp/bad", 8);
	item.sha256 = exchange_bytes(sha256, sizeof(sha256));
	item.size = 900000;
	item.detection = (char *)(uintptr_t) "Test";
	item.quarantined_us = env_wall(env_system());
	report.quarantine = list;
	report.n_quarantine = 1;
	assert_int_equal(agent_exchange(agent, &report, NULL, NULL), 200);
}

static bool has_incoming(void)
{
	char path[160];
	DIR *directory;
	struct dirent *entry;
	bool found = false;

	snprintf(path, sizeof(path), "%s/front/quarantine/incoming", fixture.data);
	directory = opendir(path);
	while (directory != NULL && (entry = readdir(directory)) != NULL)
		found |= entry->d_name[0] != '.';
	if (directory != NULL)
		closedir(directory);
	return found;
}

/* --- tests --- */

static void a_held_poll_ends_with_its_computers_membership(void **state)
{
	Muster__Wire__Report report;
	char headers[200], said[4096];
	struct agent agent;
	struct line line;
	struct buf packed;
	json_t *answer;

	(void)state;
	agent_enrolled(&agent, &fixture, "holder");
	agent_hello(&agent);
	report = agent_report(&agent);
	report.hold_s = 3000;
	buf_init(&packed, 4096);
	assert_int_equal(exchange_report_encode(&report, &packed, NULL), 0);
	line_open(&line, &agent);
	snprintf(headers, sizeof(headers), "POST /agent/v1/exchange HTTP/1.1\r\nHost: m\r\nContent-Length: %zu\r\n\r\n",
		 packed.size);
	line_say(&line, headers, packed.data, packed.size);
	while (!is_connected(&agent))
		;
	expect_status(ask(&agent, "POST", "/deactivate", NULL, 200), "unmanaged", "deactivated by");
	line_end(&line, said, sizeof(said));
	assert_non_null(strstr(said, "403"));
	assert_non_null(strstr(said, "deactivated"));
	assert_non_null(strstr(said, "Retry-After: 600"));
	answer = ask(&agent, "POST", "/reactivate", NULL, 200);
	assert_int_equal(json_integer_value(json_object_get(answer, "back_within_s")), 600);
	json_decref(answer);
	json_decref(ask(&agent, "POST", "/deactivate", NULL, 200));
	line_done(&line);
	buf_done(&packed);
	agent_done(&agent);
}

static void an_upload_is_cut(void **state)
{
	static const char metadata[] =
	    "{\"key\":\"%064d\",\"sha256\":\"%064d\",\"size\":900000,\"sealed_size\":1000000,"
	    "\"path\":\"/tmp/bad\"}";
	char id[UUID_TEXT_BYTES], path[96], body[512], headers[300], said[4096], *piece = calloc(1, 300000);
	const struct uuid item = env_uuid(env_system());
	struct answer answer;
	struct agent agent;
	struct line line;
	struct call call;

	(void)state;
	agent_enrolled(&agent, &fixture, "sender");
	agent_hello(&agent);
	uuid_format(&item, id);
	snprintf(path, sizeof(path), "/agent/v1/quarantine/%s", id);
	snprintf(body, sizeof(body), metadata, 1, 2);
	report_item(&agent, &item);
	call = (struct call){ .method = "POST",
			      .path = path,
			      .body = body,
			      .size = strlen(body),
			      .certificate = agent.certificate,
			      .key = buf_text(&agent.key) };
	fixture_call(&fixture, &call, &answer);
	assert_int_equal(answer.status, 201);
	answer_done(&answer);
	line_open(&line, &agent);
	snprintf(
	    headers, sizeof(headers),
	    "PUT %s HTTP/1.1\r\nHost: m\r\nContent-Length: 1000000\r\nContent-Range: bytes 0-999999/1000000\r\n\r\n",
	    path);
	line_say(&line, headers, piece, 300000);
	while (!has_incoming())
		;
	json_decref(ask(&agent, "POST", "/revoke", NULL, 200));
	line_end(&line, said, sizeof(said));
	line_done(&line);
	free(piece);
	agent_done(&agent);
}

/* The manager has dialled this agent and waits for its answer. */
static void a_dialled_connection_is_cut(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	Muster__Wire__Host host = MUSTER__WIRE__HOST__INIT;
	char *addresses[] = { (char *)(uintptr_t) "127.0.0.1" }, said[4096];
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	Muster__Wire__Report report;
	struct agent agent;
	struct line line;

	(void)state;
	agent_enrolled(&agent, &fixture, "listener");
	agent_hello(&agent);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 4), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	report = agent_report(&agent);
	host.name = (char *)(uintptr_t) "host";
	host.addresses = addresses;
	host.n_addresses = 1;
	host.listen_port = ntohs(address.sin_port);
	report.host = &host;
	assert_int_equal(agent_exchange(&agent, &report, NULL, NULL), 200);
	json_decref(ask(&agent, "PUT", "/dial-address", "{\"dial_address\":\"127.0.0.1\"}", 200)); /* and dials */
	line_patience(listener);
	line.fd = accept(listener, NULL, NULL);
	assert_true(line.fd >= 0);
	line_patience(line.fd);
	line.context = line_context(&agent, TLS_server_method());
	line.ssl = SSL_new(line.context);
	SSL_set_fd(line.ssl, line.fd);
	assert_int_equal(SSL_accept(line.ssl), 1);
	assert_true(SSL_read(line.ssl, said, sizeof(said)) > 0); /* its opening: it waits for an answer now */
	json_decref(ask(&agent, "POST", "/deactivate", NULL, 200));
	line_end(&line, said, sizeof(said));
	line_done(&line);
	close(listener);
	agent_done(&agent);
}

static void the_deactivated_come_back(void **state)
{
	struct agent agent;
	json_t *problem;

	(void)state;
	agent_enrolled(&agent, &fixture, "leaver");
	agent_hello(&agent);
	json_decref(ask(&agent, "POST", "/reactivate", NULL, 409)); /* it is activated */
	expect_status(ask(&agent, "POST", "/deactivate", NULL, 200), "unmanaged", "deactivated by");
	json_decref(ask(&agent, "POST", "/deactivate", NULL, 409));
	assert_int_equal(report_once(&agent), 403);
	problem = ask(&agent, "POST", "/commands", "{\"kind\":\"heartbeat\"}", 409);
	assert_non_null(strstr(json_string_value(json_object_get(problem, "detail")), "not activated"));
	json_decref(problem);
	restart();
	assert_int_equal(report_once(&agent), 403);
	expect_status(ask(&agent, "GET", "", NULL, 200), "unmanaged", "deactivated by");
	expect_status(ask(&agent, "POST", "/reactivate", NULL, 200), "unknown", "activated, not heard yet");
	assert_int_equal(agent_events(&agent, 1, 3), 3);
	expect_status(ask(&agent, "GET", "", NULL, 200), "online", "");
	assert_int_equal(events_of(&agent, 708), 1);
	assert_int_equal(events_of(&agent, 704), 2);
	assert_int_equal(events_of(&agent, 930), 1);
	json_decref(ask(&agent, "POST", "/commands", "{\"kind\":\"heartbeat\"}", 201));
	agent_done(&agent);
}

static void the_last_sign_of_life_stays(void **state)
{
	char *stored, *heard, *shown;
	struct agent agent;

	(void)state;
	agent_enrolled(&agent, &fixture, "left");
	agent_hello(&agent);
	stored = last_heard(ask(&agent, "GET", "", NULL, 200));
	for (heard = strdup(stored); strcmp(heard, stored) == 0;
	     heard = last_heard(ask(&agent, "GET", "", NULL, 200))) {
		assert_int_equal(report_once(&agent), 200);
		free(heard);
	}
	shown = last_heard(ask(&agent, "POST", "/deactivate", NULL, 200));
	assert_string_equal(shown, heard);
	free(stored);
	free(heard);
	free(shown);
	agent_done(&agent);
}

static void the_revoked_do_not(void **state)
{
	struct agent agent;

	(void)state;
	agent_enrolled(&agent, &fixture, "stolen");
	agent_hello(&agent);
	json_decref(ask(&agent, "POST", "/commands", "{\"kind\":\"scan\"}", 201));
	expect_status(ask(&agent, "POST", "/revoke", NULL, 200), "reactivation_required", "revoked by");
	assert_int_equal(report_once(&agent), 403);
	json_decref(ask(&agent, "POST", "/reactivate", NULL, 409));
	json_decref(ask(&agent, "POST", "/revoke", NULL, 409));
	assert_int_equal(events_of(&agent, 931), 1);
	assert_int_equal(events_of(&agent, 708), 1);
	restart();
	assert_int_equal(report_once(&agent), 403);
	json_decref(ask(&agent, "DELETE", "", NULL, 204));
	assert_int_equal(report_once(&agent), 403);
	json_decref(ask(&agent, "GET", "", NULL, 404));
	agent_done(&agent);
}

static long leave(struct agent *agent, const char *body)
{
	const struct call call = {
		.method = "POST",
		.path = "/agent/v1/leave",
		.content_type = "application/json",
		.certificate = agent->certificate,
		.key = buf_text(&agent->key),
		.body = body,
		.size = strlen(body),
	};
	struct answer answer;
	long status;

	fixture_call(agent->fixture, &call, &answer);
	status = answer.status;
	answer_done(&answer);
	return status;
}

static void the_uninstalled_are_out(void **state)
{
	static const char *const senseless[] = { "",
						 "{}",
						 "[]",
						 "{\"uninstalled\":false}",
						 "{\"uninstalled\":1}",
						 "{\"manager\":7}",
						 "{\"uninstalled\":true" };
	struct agent agent, again;
	char *token;

	(void)state;
	agent_enrolled(&agent, &fixture, "removed");
	agent_hello(&agent);
	for (size_t i = 0; i < COUNT_OF(senseless); i++)
		assert_int_equal(leave(&agent, senseless[i]), 400);
	assert_int_equal(report_once(&agent), 200);
	assert_int_equal(leave(&agent, "{\"uninstalled\":true}"), 204);
	assert_int_equal(leave(&agent, "{\"uninstalled\":true}"), 403);
	assert_int_equal(report_once(&agent), 403);
	expect_status(ask(&agent, "GET", "", NULL, 200), "unmanaged", "uninstalled by");
	assert_int_equal(events_of(&agent, 719), 1);
	assert_int_equal(events_of(&agent, 931), 1);
	json_decref(ask(&agent, "POST", "/reactivate", NULL, 409)); /* nobody has its key any more */
	restart();
	assert_int_equal(report_once(&agent), 403);
	/* Installed again it is the same computer. */
	agent_init(&again, &fixture);
	token = enrolment_token(&fixture, 1, "1h");
	assert_int_equal(agent_enrol(&again, token, "removed", NULL, NULL, 0), 200);
	assert_true(uuid_equal(&again.computer, &agent.computer));
	assert_int_equal(report_once(&again), 200);
	assert_int_equal(report_once(&agent), 403);
	free(token);
	agent_done(&again);
	agent_done(&agent);
}

/* --- an identity that goes on without one of its agents --- */

static void set_reactivation(bool allowed)
{
	json_decref(fixture_api(
	    &fixture, "PATCH", "/api/v1/settings",
	    allowed ? "{\"enrolment.reactivate_cloned\":\"yes\"}" : "{\"enrolment.reactivate_cloned\":\"no\"}", 200));
}

/* The same key and certificate, as a disk that was copied has them. */
static void copy_agent(struct agent *copy, const struct agent *agent)
{
	char *certificate = strdup(agent->certificate);

	agent_init(copy, &fixture); /* a run of its own, and what it asks with when it is told to */
	copy->computer = agent->computer;
	copy->certificate = certificate;
	buf_reset(&copy->key);
	assert_int_equal(buf_append(&copy->key, agent->key.data, agent->key.size), 0);
}

/* Its certificate is followed by another, of another key, which it has not used yet. */
static void given_another(struct agent *agent)
{
	Muster__Wire__RenewRequest message = MUSTER__WIRE__RENEW_REQUEST__INIT;
	struct call call = { .method = "POST",
			     .path = "/agent/v1/renew",
			     .content_type = "application/x-protobuf",
			     .certificate = agent->certificate,
			     .key = buf_text(&agent->key) };
	Muster__Wire__RenewReply *reply;
	struct answer answer;
	struct arena *arena;
	struct agent next;
	struct buf packed;

	agent_init(&next, &fixture);
	buf_init(&packed, 65536);
	message.protocol = WIRE_PROTOCOL;
	message.request = exchange_bytes(next.request.data, next.request.size);
	assert_int_equal(exchange_renew_request_encode(&message, &packed, NULL), 0);
	call.body = packed.data;
	call.size = packed.size;
	fixture_call(&fixture, &call, &answer);
	assert_int_equal(answer.status, 200);
	assert_int_equal(exchange_renew_reply_decode(answer.body.data, answer.body.size, &reply, &arena, NULL), 0);
	free(agent->certificate);
	agent->certificate = strndup((const char *)reply->certificate.data, reply->certificate.len);
	buf_reset(&agent->key);
	assert_int_equal(buf_append(&agent->key, next.key.data, next.key.size), 0);
	arena_free(arena);
	answer_done(&answer);
	buf_done(&packed);
	agent_done(&next);
}

static void renew(struct agent *agent)
{
	given_another(agent);
	assert_int_equal(report_once(agent), 200);
}

/* Told to take another identity, it takes one, and works with it. */
static void takes_its_own(struct agent *agent, const char *name, const char *numbered)
{
	const struct uuid before = agent->computer;
	Muster__Wire__Report report = agent_report(agent);
	Muster__Wire__Reply *reply;
	struct arena *arena;
	struct buf key;

	buf_init(&key, 65536);
	assert_int_equal(agent_exchange(agent, &report, &reply, &arena), 200);
	assert_true(reply->rekey);
	assert_int_equal(reply->n_commands, 0);
	arena_free(arena);
	agent->attempt = env_uuid(env_system());
	buf_reset(&agent->request);
	assert_int_equal(identity_make(&key, &agent->request, NULL), 0);
	assert_int_equal(agent_enrol_anew(agent, name, NULL, 0), 200);
	buf_reset(&agent->key);
	assert_int_equal(buf_append(&agent->key, key.data, key.size), 0);
	buf_done(&key);
	assert_false(uuid_equal(&agent->computer, &before));
	assert_string_equal(agent->name, numbered);
	agent_hello(agent);
	assert_int_equal(events_of(agent, 717), 1);
}

static void expect_rekeyed(struct agent *agent)
{
	Muster__Wire__Report report = agent_report(agent);
	Muster__Wire__Reply *reply;
	struct arena *arena;

	assert_int_equal(agent_exchange(agent, &report, &reply, &arena), 200);
	assert_true(reply->rekey);
	arena_free(arena);
}

/* One of two agents that have one identity is told to move, and leaves with it. */
static void who_is_left_by_its_copy_gets_an_identity_of_its_own(void **state)
{
	struct agent agent, copy;

	(void)state;
	agent_enrolled(&agent, &fixture, "left-behind");
	agent_hello(&agent);
	copy_agent(&copy, &agent);
	assert_int_equal(leave(&copy, "{\"manager\":\"https://other.example:4343\"}"), 204);
	assert_int_equal(leave(&copy, "{\"manager\":\"https://other.example:4343\"}"), 403); /* its answer was lost */
	set_reactivation(false);
	assert_int_equal(report_once(&agent), 403);
	while (fixture_count(&fixture, "/api/v1/computers?name=left-behind-clone") == 0) /* shown to people */
		;
	set_reactivation(true);
	restart();
	takes_its_own(&agent, "left-behind", "left-behind-2");
	expect_status(ask(&copy, "GET", "", NULL, 200), "unmanaged", "moved to https://other.example:4343");
	agent_done(&copy);
	agent_done(&agent);
}

/* As from a backup: it has the certificate that another has followed, and the manager has been started again since. */
static void who_was_set_back_before_a_renewal_comes_back(void **state)
{
	struct agent agent, earlier;

	(void)state;
	agent_enrolled(&agent, &fixture, "restored");
	agent_hello(&agent);
	copy_agent(&earlier, &agent);
	renew(&agent);
	expect_rekeyed(&earlier);
	set_reactivation(false);
	assert_int_equal(report_once(&earlier), 403);
	while (fixture_count(&fixture, "/api/v1/computers?name=restored-clone") == 0)
		;
	restart();
	assert_int_equal(report_once(&earlier), 403);
	assert_int_equal(agent_enrol_anew(&earlier, "restored", NULL, 0), 403);
	set_reactivation(true);
	takes_its_own(&earlier, "restored", "restored-2");
	assert_int_equal(events_of(&agent, 717), 1); /* an alert of the computer whose certificate it was */
	assert_int_equal(report_once(&agent), 200);  /* which goes on */
	agent_done(&earlier);
	agent_done(&agent);
}

/* Both were told to have another certificate, and the second one asked before the first one had used its own. */
static void copies_that_renew_at_once_lose_nobody(void **state)
{
	struct agent agent, copy;

	(void)state;
	agent_enrolled(&agent, &fixture, "renewers");
	agent_hello(&agent);
	copy_agent(&copy, &agent);
	given_another(&copy);
	renew(&agent);
	expect_rekeyed(&copy);
	restart();
	takes_its_own(&copy, "renewers", "renewers-2");
	assert_int_equal(report_once(&agent), 200);
	agent_done(&copy);
	agent_done(&agent);
}

/* What a person ended opens nothing with an earlier certificate either; nor what another agent has taken. */
static void an_earlier_certificate_of_one_that_is_out_opens_nothing(void **state)
{
	struct agent agent, earlier, taker;
	char *token;

	(void)state;
	agent_enrolled(&agent, &fixture, "put-out");
	agent_hello(&agent);
	copy_agent(&earlier, &agent);
	renew(&agent);
	expect_rekeyed(&earlier);
	json_decref(ask(&agent, "POST", "/deactivate", NULL, 200));
	assert_int_equal(report_once(&earlier), 403);
	json_decref(ask(&agent, "POST", "/reactivate", NULL, 200));
	expect_rekeyed(&earlier);
	json_decref(ask(&agent, "POST", "/revoke", NULL, 200));
	assert_int_equal(report_once(&earlier), 403);
	assert_int_equal(agent_enrol_anew(&earlier, "put-out", NULL, 0), 403);
	restart();
	assert_int_equal(report_once(&earlier), 403);
	agent_init(&taker, &fixture);
	token = enrolment_token(&fixture, 1, "1h");
	assert_int_equal(agent_enrol(&taker, token, "put-out", NULL, NULL, 0), 200);
	assert_true(uuid_equal(&taker.computer, &agent.computer));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(report_once(&taker), 200);
		assert_int_equal(report_once(&earlier), 403);
		assert_int_equal(report_once(&agent), 403);
		assert_int_equal(agent_enrol_anew(&earlier, "put-out", NULL, 0), 403);
		assert_int_equal(agent_enrol_anew(&agent, "put-out", NULL, 0), 403);
		if (i == 0)
			restart();
	}
	free(token);
	agent_done(&taker);
	agent_done(&earlier);
	agent_done(&agent);
}

static void commands_and_alerts_end_with_it(void **state)
{
	json_t *command, *now;
	char path[160];
	struct agent agent;

	(void)state;
	agent_enrolled(&agent, &fixture, "busy");
	agent_hello(&agent);
	command = ask(&agent, "POST", "/commands", "{\"kind\":\"scan\"}", 201);
	json_decref(ask(&agent, "POST", "/deactivate", NULL, 200));
	snprintf(path, sizeof(path), "/api/v1/commands/%s", json_string_value(json_object_get(command, "id")));
	now = fixture_api(&fixture, "GET", path, NULL, 200);
	assert_string_equal(json_string_value(json_object_get(now, "state")), "cancelled");
	json_decref(now);
	json_decref(command);
	agent_done(&agent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_held_poll_ends_with_its_computers_membership),
		cmocka_unit_test(an_upload_is_cut),
		cmocka_unit_test(a_dialled_connection_is_cut),
		cmocka_unit_test(the_deactivated_come_back),
		cmocka_unit_test(the_last_sign_of_life_stays),
		cmocka_unit_test(the_revoked_do_not),
		cmocka_unit_test(the_uninstalled_are_out),
		cmocka_unit_test(who_is_left_by_its_copy_gets_an_identity_of_its_own),
		cmocka_unit_test(who_was_set_back_before_a_renewal_comes_back),
		cmocka_unit_test(copies_that_renew_at_once_lose_nobody),
		cmocka_unit_test(an_earlier_certificate_of_one_that_is_out_opens_nothing),
		cmocka_unit_test(commands_and_alerts_end_with_it),
	};

	return cmocka_run_group_tests_name("integration/manager/membership", tests, start, end);
}
