/* The link role as its own process, inside its sandbox, with this test as its guard and no manager in reach:
 * what is told is kept over any death, local requests are answered, causes are named. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/guard/guard.h"
#include "agent/identity_files.h"
#include "agent/link/link.h"
#include "agent/local/control_ask.h"
#include "agent/settings.h"
#include "endpoint/configuration_file.h"
#include "os/env.h"
#include "os/files.h"
#include "trust/authority.h"
#include "trust/identity.h"
#include "trust/signing_key.h"

#define WAIT_MS 20000

struct agent {
	char data[64];
	int listen_fd;
	pid_t pid;
	struct channel channel;
};

/* --- a data directory as `activate` leaves it --- */

static void make_identity(const char *data)
{
	struct agent_identity identity;
	struct authority *authority;
	struct signing_key *key;
	struct buf request;
	int root, directory;

	agent_identity_init(&identity);
	identity.computer = env_uuid(env_system());
	snprintf(identity.name, sizeof(identity.name), "test");
	snprintf(identity.manager, sizeof(identity.manager), "https://127.0.0.1:1");
	buf_init(&request, 4096);
	assert_int_equal(identity_make(&identity.key_pem, &request, NULL), 0);
	assert_int_equal(authority_generate("test", env_wall(env_system()), &authority, NULL), 0);
	assert_int_equal(authority_certify_agent(authority, request.data, request.size, &identity.computer,
						 env_wall(env_system()), &identity.certificate_pem, NULL, NULL),
			 0);
	assert_int_equal(authority_pem(authority, &identity.authority_pem, NULL), 0);
	assert_int_equal(signing_key_generate(&key, NULL), 0);
	signing_key_public(key, identity.manager_key);
	root = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(files_make_directory(root, "identity", 0700, geteuid(), getegid(), &directory, NULL), 0);
	assert_int_equal(files_make_directory(root, "link", 0700, geteuid(), getegid(), NULL, NULL), 0);
	assert_int_equal(files_make_directory(root, "run", 0755, geteuid(), getegid(), NULL, NULL), 0);
	assert_int_equal(identity_files_store(directory, &identity, geteuid(), getegid(), NULL), 0);
	close(directory);
	close(root);
	buf_done(&request);
	agent_identity_done(&identity);
	signing_key_free(key);
	authority_free(authority);
}

static void make_settings(const char *data)
{
	struct settings settings;
	char path[128];

	assert_int_equal(conf_init(&settings_table, &settings, NULL), 0);
	snprintf(path, sizeof(path), "%s/agent.ini", data);
	assert_int_equal(conf_write(&settings_table, &settings, path, 0644, NULL), 0);
	settings_done(&settings);
}

static int listen_on(const char *data)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/run/agent.sock", data);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* --- the role, started as guard starts it --- */

static void start(struct agent *agent)
{
	char *program = getenv("MUSTER_AGENT");
	const char *arguments[] = { "role", "link", "--data", agent->data, NULL };
	int control = fcntl(agent->listen_fd, F_DUPFD_CLOEXEC, 3);
	int pair[2];
	struct role_spawn spawn = { .program = program, .arguments = arguments, .fds = &control, .fd_count = 1 };

	assert_non_null(program);
	assert_int_equal(channel_pair(pair, NULL), 0);
	spawn.channel_fd = pair[1];
	assert_int_equal(role_spawn(&spawn, &agent->pid, NULL), 0);
	assert_int_equal(
	    channel_init(&agent->channel, pair[0], message_permits_guard, message_permits_guard_count, NULL), 0);
	close(control);
}

/* The next message of link's that is not `skip`; ITEM_LIST at the start is answered on the way. */
static void receive(struct agent *agent, struct channel_message *message)
{
	struct err err = { 0 };
	int rc = channel_receive_wait(&agent->channel, WAIT_MS, message, &err);

	if (rc)
		print_error("link: %s\n", err.text);
	assert_int_equal(rc, 0);
}

static void answer(struct agent *agent, uint32_t request, int code, const char *text)
{
	struct message_answer message = { .code = code,
					  .text = { .data = (const uint8_t *)text, .size = strlen(text) } };
	struct buf payload;

	buf_init(&payload, 4096);
	message_pack_answer(&payload, &message);
	assert_int_equal(channel_send(&agent->channel, MESSAGE_ANSWER, request, payload.data, payload.size, -1, NULL),
			 0);
	buf_done(&payload);
}

/* At its start link gives guard its settings, and asks for all items. */
static void settle_with(struct agent *agent, int settings_code, const char *text, struct message_settings *ret_settings)
{
	struct channel_message message;

	receive(agent, &message);
	assert_int_equal(message.type, MESSAGE_SETTINGS);
	assert_int_equal(message_unpack_settings(message.payload, message.size, ret_settings), 0);
	answer(agent, message.request, settings_code, text);
	receive(agent, &message);
	assert_int_equal(message.type, MESSAGE_ITEM_LIST);
	answer(agent, message.request, 0, "");
}

static void settle(struct agent *agent)
{
	struct message_settings settings;

	settle_with(agent, 0, "", &settings);
}

static void end(struct agent *agent, int number)
{
	int status;

	assert_int_equal(kill(agent->pid, number), 0);
	assert_int_equal(waitpid(agent->pid, &status, 0), agent->pid);
	if (number == SIGTERM)
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	channel_done(&agent->channel);
}

static int setup(void **state)
{
	struct agent *agent = calloc(1, sizeof(*agent));

	snprintf(agent->data, sizeof(agent->data), "/tmp/muster-agent-link-XXXXXX");
	assert_non_null(mkdtemp(agent->data));
	make_identity(agent->data);
	make_settings(agent->data);
	agent->listen_fd = listen_on(agent->data);
	*state = agent;
	return 0;
}

static int teardown(void **state)
{
	struct agent *agent = *state;
	char command[128];

	close(agent->listen_fd);
	snprintf(command, sizeof(command), "rm -rf -- '%s'", agent->data);
	assert_int_equal(system(command), 0);
	free(agent);
	return 0;
}

/* --- asking it --- */

static int keep_line(void *argument, const json_t *line)
{
	json_array_append_new(argument, line ? json_deep_copy(line) : json_null());
	return 0;
}

static json_t *status(struct agent *agent)
{
	struct control_request request = { .kind = CONTROL_STATUS };
	json_t *lines = json_array(), *first;
	struct err err = { 0 };

	assert_int_equal(control_ask(agent->data, &request, keep_line, lines, NULL, &err), 0);
	first = json_incref(json_array_get(lines, 0));
	json_decref(lines);
	return first;
}

static json_int_t events_waiting(struct agent *agent)
{
	json_t *line = status(agent);
	json_int_t count = json_integer_value(json_object_get(line, "events_waiting"));

	json_decref(line);
	return count;
}

/* --- notices --- */

static void send_notice(struct agent *agent, uint64_t number)
{
	struct message_notice notice = { .number = number,
					 .kind = NOTICE_EVENT,
					 .body.event = { .type = EVENT_MALWARE_DETECTED, .time = 1 } };
	struct buf payload;

	buf_init(&payload, 4096);
	message_fields_add(&notice.body.event.fields, "file", "/a\nb\xff", 5);
	message_pack_notice(&payload, &notice);
	assert_int_equal(
	    channel_send_wait(&agent->channel, MESSAGE_NOTICE, 0, payload.data, payload.size, -1, WAIT_MS, NULL), 0);
	buf_done(&payload);
}

/* Until link says that everything up to `number` is durable. */
static void wait_stored(struct agent *agent, uint64_t number)
{
	struct channel_message message;
	uint64_t stored = 0;

	while (stored < number) {
		receive(agent, &message);
		assert_int_equal(message.type, MESSAGE_NOTICE_STORED);
		assert_int_equal(message_unpack_number(message.payload, message.size, &stored), 0);
	}
	assert_int_equal(stored, number);
}

static void told_events_survive_any_death_and_count_once(void **state)
{
	struct agent *agent = *state;
	json_int_t own; /* of link itself: started, manager unreachable */

	start(agent);
	settle(agent);
	for (uint64_t number = 1; number <= 50; number++)
		send_notice(agent, number);
	wait_stored(agent, 50);
	end(agent, SIGKILL);

	start(agent);
	settle(agent);
	for (uint64_t number = 1; number <= 60; number++) /* guard did not hear the answer and tells all again */
		send_notice(agent, number);
	wait_stored(agent, 60);
	end(agent, SIGTERM);

	start(agent);
	settle(agent);
	own = events_waiting(agent) - 60;
	assert_in_range(own, 3, 8); /* three times started, one stopped, at most one "unreachable" a run */
	end(agent, SIGTERM);
}

static void a_spool_cut_short_keeps_what_is_whole(void **state)
{
	struct agent *agent = *state;
	json_int_t before;
	struct stat st;
	char path[128];

	start(agent);
	settle(agent);
	for (uint64_t number = 1; number <= 20; number++)
		send_notice(agent, number);
	wait_stored(agent, 20);
	before = events_waiting(agent);
	end(agent, SIGKILL);

	snprintf(path, sizeof(path), "%s/link/spool.log", agent->data);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - 3), 0);
	start(agent);
	settle(agent);
	assert_in_range(events_waiting(agent), before - 1, before + 4);
	send_notice(agent, 21);
	wait_stored(agent, 21);
	end(agent, SIGTERM);
}

static void status_names_the_cause(void **state)
{
	struct agent *agent = *state;
	struct control_request request = { .kind = CONTROL_HEARTBEAT };
	struct err err = { 0 };
	json_t *line;

	start(agent);
	settle(agent);
	assert_int_equal(control_ask(agent->data, &request, NULL, NULL, NULL, &err), ERR_CONNECT);
	line = status(agent);
	assert_true(json_is_false(json_object_get(line, "connected")));
	assert_string_equal(json_string_value(json_object_get(line, "cause_code")), "connect");
	assert_string_equal(json_string_value(json_object_get(line, "manager")), "https://127.0.0.1:1");
	json_decref(line);
	end(agent, SIGTERM);
}

/* --- a local scan, guard played by a child of this test --- */

static void play_guard(struct agent *agent)
{
	struct message_notice ended = { .number = 1, .kind = NOTICE_JOB_ENDED };
	struct message_job_start *job = calloc(1, sizeof(*job));
	struct message_progress progress = { .files_total = 7, .files_done = 3 };
	struct channel_message message;
	struct buf payload;

	receive(agent, &message);
	assert_int_equal(message.type, MESSAGE_JOB_START);
	assert_int_equal(message_unpack_job_start(message.payload, message.size, job), 0);
	assert_int_equal(job->paths.count, 1);
	assert_memory_equal(job->paths.paths[0].data, "/some\nwhere", 11);
	progress.job = job->job;
	answer(agent, message.request, 0, "");
	buf_init(&payload, 4096);
	message_pack_progress(&payload, &progress);
	channel_send(&agent->channel, MESSAGE_JOB_PROGRESS, 0, payload.data, payload.size, -1, NULL);
	buf_reset(&payload);
	ended.body.ended.outcome = OUTCOME_SUCCEEDED;
	ended.body.ended.last = progress;
	ended.body.ended.last.files_done = 7;
	ended.body.ended.last.detections = 2;
	message_pack_notice(&payload, &ended);
	channel_send(&agent->channel, MESSAGE_NOTICE, 0, payload.data, payload.size, -1, NULL);
	buf_done(&payload);
	free(job);
	wait_stored(agent, 1);
}

static void a_local_scan_streams_to_its_end(void **state)
{
	struct agent *agent = *state;
	char path[] = "/some\nwhere";
	char *paths[] = { path };
	struct control_request request = { .kind = CONTROL_SCAN, .paths = paths, .path_count = 1 };
	json_t *lines = json_array(), *last = NULL;
	struct err err = { 0 };
	int waited;
	pid_t guard;

	start(agent);
	settle(agent);
	guard = fork();
	if (guard == 0) {
		play_guard(agent);
		_exit(0);
	}
	assert_int_equal(control_ask(agent->data, &request, keep_line, lines, &last, &err), 0);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(last, "result"), "files_done")), 7);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(last, "result"), "detections")), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(lines, 0), "type")), "started");
	assert_string_equal(json_string_value(json_object_get(json_array_get(lines, 1), "type")), "progress");
	waitpid(guard, &waited, 0);
	assert_true(WIFEXITED(waited) && WEXITSTATUS(waited) == 0);
	json_decref(lines);
	json_decref(last);
	end(agent, SIGTERM);
}

static void a_refused_scan_tells_why(void **state)
{
	struct agent *agent = *state;
	char path[] = "/nowhere";
	char *paths[] = { path };
	struct control_request request = { .kind = CONTROL_SCAN, .paths = paths, .path_count = 1 };
	struct err err = { 0 };
	int waited;
	pid_t guard;

	start(agent);
	settle(agent);
	guard = fork();
	if (guard == 0) {
		struct channel_message message;

		receive(agent, &message);
		answer(agent, message.request, ERR_NOT_FOUND, "there is no /nowhere");
		_exit(0);
	}
	assert_int_equal(control_ask(agent->data, &request, NULL, NULL, NULL, &err), ERR_NOT_FOUND);
	assert_string_equal(err.text, "there is no /nowhere");
	waitpid(guard, &waited, 0);
	end(agent, SIGTERM);
}

/* --- settings --- */

static void keep_configuration(struct agent *agent, const char *exclude_paths)
{
	static const char *const names[] = { "future.setting", "link.heartbeat_interval", "scan.exclude_paths" };
	const char *values[] = { "on", "20s", exclude_paths };
	Muster__Wire__Configuration configuration = MUSTER__WIRE__CONFIGURATION__INIT;
	Muster__Wire__Field fields[COUNT_OF(names)], *list[COUNT_OF(names)];
	struct configuration_file file = { .has_kept = true, .kept = { 0xab } };
	struct agent_identity identity;
	uint8_t packed[512];
	struct buf out;
	int root = open(agent->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int directory = openat(root, "identity", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int store = openat(root, "link", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		muster__wire__field__init(&fields[i]);
		fields[i].name = (char *)(uintptr_t)names[i];
		fields[i].value = exchange_bytes(values[i], strlen(values[i]));
		list[i] = &fields[i];
	}
	configuration.settings = list;
	configuration.n_settings = COUNT_OF(names);
	file.packed.data = packed;
	file.packed.size = muster__wire__configuration__pack(&configuration, packed);
	agent_identity_init(&identity);
	assert_int_equal(identity_files_load(directory, &identity, NULL), 0);
	buf_init(&out, CONFIGURATION_FILE_MAX_BYTES);
	configuration_file_encode(&file, &identity.computer, &out);
	assert_int_equal(files_write(store, CONFIGURATION_FILE, out.data, out.size, 0600, NULL), 0);
	agent_identity_done(&identity);
	buf_done(&out);
	close(store);
	close(directory);
	close(root);
}

static json_t *setting(struct agent *agent, const char *name)
{
	struct control_request request = { .kind = CONTROL_SETTINGS };
	json_t *lines = json_array(), *line, *found = NULL;
	struct err err = { 0 };
	size_t i;

	assert_int_equal(control_ask(agent->data, &request, keep_line, lines, NULL, &err), 0);
	json_array_foreach(lines, i, line)
	{
		if (strcmp(json_string_value(json_object_get(line, "name")), name) == 0)
			found = json_incref(line);
	}
	json_decref(lines);
	assert_non_null(found);
	return found;
}

static void shows(struct agent *agent, const char *name, const char *value, const char *origin, bool locked)
{
	json_t *line = setting(agent, name);

	assert_string_equal(json_string_value(json_object_get(line, "value")), value);
	assert_string_equal(json_string_value(json_object_get(line, "origin")), origin);
	assert_int_equal(json_is_true(json_object_get(line, "locked")), locked);
	json_decref(line);
}

static bool status_says(struct agent *agent, const char *member, const char *part)
{
	json_t *line = status(agent), *configuration = json_object_get(line, "configuration");
	const char *text = json_string_value(json_object_get(configuration, member));
	bool said = text != NULL && strstr(text, part) != NULL;

	json_decref(line);
	return said;
}

static void settings_of_the_file_until_the_manager_sends_some(void **state)
{
	struct agent *agent = *state;

	start(agent);
	settle(agent);
	shows(agent, "link.heartbeat_interval", "10m", "default", false);
	shows(agent, "scan.paths", "/", "default", false);
	assert_false(status_says(agent, "fingerprint", ""));
	end(agent, SIGKILL);

	keep_configuration(agent, "/var/cache");
	for (int i = 0; i < 2; i++) {
		struct message_settings settings;

		start(agent);
		settle_with(agent, 0, "", &settings);
		assert_int_equal(settings.excludes.count, 1);
		assert_memory_equal(settings.excludes.paths[0].data, "/var/cache", 10);
		assert_true(status_says(agent, "fingerprint", "ab00"));
		shows(agent, "link.heartbeat_interval", "20s", "policy", true);
		shows(agent, "scan.exclude_paths", "/var/cache", "policy", true);
		shows(agent, "scan.cpu_limit", "100", "default", false);
		end(agent, SIGKILL);
	}
}

static void what_the_table_does_not_know_is_passed_over_and_shown(void **state)
{
	struct agent *agent = *state;
	json_t *line;
	const char *unknown;

	keep_configuration(agent, "");
	start(agent);
	settle(agent);
	shows(agent, "link.heartbeat_interval", "20s", "policy", true);
	line = status(agent);
	unknown = json_string_value(json_object_get(
	    json_object_get(json_array_get(json_object_get(line, "components"), 0), "facts"), "settings_not_known"));
	assert_string_equal(unknown, "future.setting");
	json_decref(line);
	end(agent, SIGTERM);
}

static void local_limits_hold_against_the_manager(void **state)
{
	struct agent *agent = *state;
	struct message_settings given;
	struct settings settings;
	char path[128];

	snprintf(path, sizeof(path), "%s/agent.ini", agent->data);
	assert_int_equal(conf_init(&settings_table, &settings, NULL), 0);
	free(settings.never_exclude);
	settings.never_exclude = strdup("/srv/uploads");
	assert_int_equal(conf_write(&settings_table, &settings, path, 0644, NULL), 0);
	settings_done(&settings);
	keep_configuration(agent, "/srv");
	start(agent);
	settle_with(agent, 0, "", &given);
	assert_int_equal(given.excludes.count, 0);
	assert_true(status_says(agent, "refused", "/srv cannot be excluded: /srv/uploads is in never_exclude"));
	shows(agent, "link.heartbeat_interval", "10m", "default", false);
	shows(agent, "local.never_exclude", "/srv/uploads", "agent.ini", false);
	end(agent, SIGTERM);
}

static void what_guard_refuses_is_not_in_force(void **state)
{
	struct agent *agent = *state;
	struct message_settings given;

	keep_configuration(agent, "/var/cache");
	start(agent);
	settle_with(agent, ERR_SPACE, "no space left", &given);
	assert_int_equal(given.excludes.count, 1);
	assert_true(status_says(agent, "refused", "could not be applied: no space left"));
	shows(agent, "scan.exclude_paths", "", "default", false);
	end(agent, SIGTERM);
}

static void stop_is_passed_on_after_event_5003(void **state)
{
	struct agent *agent = *state;
	struct control_request stop = { .kind = CONTROL_STOP };
	struct channel_message message;
	struct err err = { 0 };

	start(agent);
	settle(agent);
	assert_int_equal(control_ask(agent->data, &stop, NULL, NULL, NULL, &err), 0);
	receive(agent, &message);
	assert_int_equal(message.type, MESSAGE_STOP);
	end(agent, SIGTERM);
}

static void a_message_that_is_not_permitted_ends_link(void **state)
{
	struct agent *agent = *state;
	int waited;

	start(agent);
	settle(agent);
	channel_send(&agent->channel, MESSAGE_STOP, 0, NULL, 0, -1, NULL);
	assert_int_equal(waitpid(agent->pid, &waited, 0), agent->pid);
	assert_true(WIFEXITED(waited) && WEXITSTATUS(waited) == 1);
	channel_done(&agent->channel);
}

static void bad_lines_and_crowds_do_not_hurt(void **state)
{
	struct agent *agent = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fds[40];
	json_t *line;

	start(agent);
	settle(agent);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/run/agent.sock", agent->data);
	for (size_t i = 0; i < COUNT_OF(fds); i++) {
		fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(fds[i], (struct sockaddr *)&address, sizeof(address)), 0);
		(void)!send(fds[i], "{\"do\":", 6, MSG_NOSIGNAL); // who came last is refused already
	}
	for (size_t i = 0; i < COUNT_OF(fds); i++)
		close(fds[i]);
	line = status(agent);
	assert_string_equal(json_string_value(json_object_get(line, "name")), "test");
	json_decref(line);
	end(agent, SIGTERM);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(told_events_survive_any_death_and_count_once),
		TEST(a_spool_cut_short_keeps_what_is_whole),
		TEST(status_names_the_cause),
		TEST(a_local_scan_streams_to_its_end),
		TEST(a_refused_scan_tells_why),
		TEST(settings_of_the_file_until_the_manager_sends_some),
		TEST(what_the_table_does_not_know_is_passed_over_and_shown),
		TEST(local_limits_hold_against_the_manager),
		TEST(what_guard_refuses_is_not_in_force),
		TEST(stop_is_passed_on_after_event_5003),
		TEST(a_message_that_is_not_permitted_ends_link),
		TEST(bad_lines_and_crowds_do_not_hurt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
