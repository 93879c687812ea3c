/* The link role (agent/link.h): made of its parts, confined, run. */
#include "agent/link/link.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/guard/guard.h"
#include "agent/identity_switch.h"
#include "agent/link/link_candidate.h"
#include "agent/link/link_components.h"
#include "agent/link/link_configuration.h"
#include "agent/link/link_exchange.h"
#include "agent/link/link_farewell.h"
#include "agent/link/link_history.h"
#include "agent/link/link_items.h"
#include "agent/link/link_jobs.h"
#include "agent/link/link_listen.h"
#include "agent/link/link_local.h"
#include "agent/link/link_prepared.h"
#include "agent/link/link_renewal.h"
#include "agent/link/link_unload.h"
#include "agent/link/link_upload.h"
#include "agent/link/link_watch.h"
#include "agent/prepared_file.h"
#include "agent/users.h"
#include "base/log.h"
#include "os/env.h"
#include "os/reach.h"
#include "os/role.h"
#include "trust/fingerprint.h"
#include "trust/signing_key.h"

#define MEMORY_MAX_BYTES ((uint64_t)1 << 30)
#define STOP_WAIT_US     (2 * SECOND_US) /* for the last report */

static struct loop *signalled_loop;
static volatile sig_atomic_t signalled;

static void on_signal(int number)
{
	signalled = number;
	loop_stop(signalled_loop);
}

/* --- small services for the parts --- */

void link_wake(struct link *link)
{
	loop_timer_set(link->timer, 0);
}

struct event_field link_field(const char *name, const char *text)
{
	return (struct event_field){ .name = name, .value = { .data = (const uint8_t *)text, .size = strlen(text) } };
}

void link_event(struct link *link, uint32_t type, const struct event_field *fields, size_t count)
{
	time_us now = env_wall(link->env);
	struct err err;

	if (endpoint_event(link->endpoint, 0, type, now, fields, count, &err))
		LOG(LOG_ERROR, "link.event_not_kept", log_number("type", type), log_err(&err));
	link_history_add(link->history, type, now, fields, count);
	link_wake(link);
}

/* Guard answers, then ends us. */
static void on_stop_answered(void *argument, const struct message_answer *answer, int fd)
{
	(void)argument;
	(void)answer;
	(void)fd;
}

static void say_stop(struct link *link)
{
	struct err err;

	if (link_guard_ask(link->guard, MESSAGE_STOP, NULL, -1, on_stop_answered, NULL, &err))
		LOG(LOG_ERROR, "link.stop_not_sent", log_err(&err));
}

static void stop_now(void *argument)
{
	say_stop(argument);
}

void link_stop(struct link *link, const char *cause)
{
	struct event_field field = link_field("cause", cause);
	struct err err;

	if (link->stopping)
		return;
	link->stopping = true;
	link_event(link, EVENT_AGENT_STOPPED, &field, 1);
	if (endpoint_flush(link->endpoint, &err))
		LOG(LOG_ERROR, "link.spool_not_synced", log_err(&err));
	LOG(LOG_INFO, "agent.stopping", log_text("cause", cause));
	link->stop_timer = loop_timer_new(link->loop, stop_now, link);
	if (link->stop_timer)
		loop_timer_set(link->stop_timer, STOP_WAIT_US);
	else
		say_stop(link);
}

/* The last report is out: no reason to wait any longer. */
static void stop_early(struct link *link)
{
	struct endpoint_status status;

	endpoint_status(link->endpoint, &status);
	if (link->stopping && link->stop_timer && (status.events_waiting == 0 || !status.connected))
		loop_timer_set(link->stop_timer, 0);
}

/* --- what is due --- */

static time_us earliest(struct link *link)
{
	time_us due = endpoint_due(link->endpoint);
	time_us others[] = { link_exchange_due(link->exchange),   link_jobs_due(link->jobs),
			     link_local_due(link->local),         link_listen_due(link->listen),
			     link_candidate_due(link->candidate), link_renewal_due(link->renewal) };

	for (size_t i = 0; i < COUNT_OF(others); i++) {
		if (others[i] < due)
			due = others[i];
	}
	return due;
}

static void step(void *argument)
{
	struct link *link = argument;
	time_us now = env_monotonic(link->env), due;
	struct err err = { 0 };

	if (endpoint_tick(link->endpoint, &err))
		LOG(LOG_ERROR, "endpoint.tick_failed", log_err(&err));
	link_jobs_step(link->jobs);
	link_listen_step(link->listen);
	link_renewal_step(link->renewal);
	link_exchange_step(link->exchange);
	link_local_step(link->local);
	link_candidate_step(link->candidate);
	stop_early(link);
	due = earliest(link);
	if (due != INT64_MAX)
		loop_timer_set(link->timer, due > now ? due - now : MILLISECOND_US);
}

/* --- guard's side --- */

/* As the manager takes it: values are cut at the limits of the wire. */
static int take_event(struct link *link, uint64_t number, const struct message_event *event, struct err *err)
{
	const char *origin = event->type == EVENT_SCAN_STARTED ? link_jobs_origin(link->jobs, event) : NULL;
	struct event_field fields[MESSAGE_FIELDS_MAX + 1];
	size_t count = event->fields.count;
	int rc;

	for (size_t i = 0; i < count; i++) {
		fields[i].name = event->fields.fields[i].name;
		fields[i].value = event->fields.fields[i].value;
		if (fields[i].value.size > WIRE_FIELD_VALUE_MAX_BYTES)
			fields[i].value.size = WIRE_FIELD_VALUE_MAX_BYTES;
	}
	if (origin) /* guard does not know it */
		fields[count++] = link_field("origin", origin);
	if (number <= endpoint_source(link->endpoint))
		return 0;
	rc = endpoint_event(link->endpoint, number, event->type, event->time, fields, count, err);
	if (rc == ERR_LIMIT || rc == ERR_FORMAT) { /* never acceptable: sending it again would not help */
		LOG(LOG_ERROR, "link.event_not_kept", log_number("type", event->type), log_err(err));
		rc = 0;
	}
	link_history_add(link->history, event->type, event->time, fields, count);
	if (event->type == EVENT_MALWARE_DETECTED || event->type == EVENT_NOT_FULLY_SCANNED)
		link_jobs_event(link->jobs, event);
	return rc;
}

static int on_notice(void *context, const struct message_notice *notice, struct err *err)
{
	struct link *link = context;

	link_wake(link);
	switch (notice->kind) {
	case NOTICE_EVENT:
		return take_event(link, notice->number, &notice->body.event, err);
	case NOTICE_JOB_ENDED:
		return link_jobs_ended(link->jobs, &notice->body.ended, err);
	case NOTICE_ITEM:
		return link_items_changed(link->items, &notice->body.item, err);
	}
	return 0;
}

static int on_flush(void *context, struct err *err)
{
	struct link *link = context;

	return endpoint_flush(link->endpoint, err);
}

static void on_progress(void *context, const struct message_progress *progress)
{
	struct link *link = context;

	link_jobs_progress(link->jobs, progress);
}

static void on_component(void *context, const struct message_component *component)
{
	struct link *link = context;
	struct err err;

	if (link_components_set(link->components, component, &err))
		LOG(LOG_WARNING, "link.component_not_taken", log_err(&err));
	link_wake(link);
}

static void on_guard_gone(void *context, const char *why)
{
	struct link *link = context;
	const struct event_field field = link_field("cause", "its guard ended");

	LOG(link->stopping ? LOG_INFO : LOG_WARNING, "link.guard_gone", log_text("cause", why));
	if (!link->stopping) /* by a signal to it alone: told when there is a link again */
		link_event(link, EVENT_AGENT_STOPPED, &field, 1);
	link->exit_status = link->stopping ? 0 : 1;
	loop_stop(link->loop);
}

/* --- the endpoint's actor --- */

/* A move that the manager ordered: it is told how that ended before it is left. */
struct ordered_move {
	struct link *link;
	struct uuid command;
};

static void on_ordered_move(void *argument, int rc, const struct err *err)
{
	struct ordered_move *ordered = argument;
	struct err cause = { 0 };

	if (endpoint_end(ordered->link->endpoint, &ordered->command, rc == 0 ? COMMAND_SUCCEEDED : COMMAND_FAILED,
			 rc == 0 ? "" : err_name(rc), rc == 0 ? "" : err->text, NULL, 0, &cause) != 0)
		LOG(LOG_ERROR, "command.end_not_kept", log_uuid("command", &ordered->command), log_err(&cause));
	link_wake(ordered->link);
	free(ordered);
}

static int start_move(struct link *link, const struct endpoint_command *command, struct err *err)
{
	const Muster__Wire__Move *content = command->content->move;
	struct link_move move = { .manager = content->manager, .token = content->token, .has_authority = true };
	struct ordered_move *ordered = malloc(sizeof(*ordered));
	int rc;

	if (ordered == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	*ordered = (struct ordered_move){ link, command->id };
	memcpy(move.authority, content->authority.data, SHA256_BYTES);
	rc = link_candidate_move(link->candidate, &move, on_ordered_move, ordered, err);
	if (rc != 0)
		free(ordered);
	return rc;
}

static int act_start(void *context, const struct endpoint_command *command, struct err *err)
{
	struct link *link = context;

	LOG(LOG_INFO, "command.started", log_uuid("command", &command->id),
	    log_text("kind", command_kind_name(command->kind)), log_number("again", command->again));
	if (command->kind == COMMAND_MOVE)
		return start_move(link, command, err);
	return command->kind == COMMAND_SCAN ? link_jobs_command(link->jobs, command, err)
					     : link_items_command(link->items, command, err);
}

static int act_pause(void *context, const struct uuid *command, const struct uuid *by, struct err *err)
{
	return link_jobs_steer(((struct link *)context)->jobs, MESSAGE_JOB_PAUSE, command, by, err);
}

static int act_resume(void *context, const struct uuid *command, const struct uuid *by, struct err *err)
{
	return link_jobs_steer(((struct link *)context)->jobs, MESSAGE_JOB_RESUME, command, by, err);
}

static int act_cancel(void *context, const struct uuid *command, const struct uuid *by, struct err *err)
{
	return link_jobs_steer(((struct link *)context)->jobs, MESSAGE_JOB_CANCEL, command, by, err);
}

static void act_upload(void *context, const struct uuid *item)
{
	link_uploads_want(((struct link *)context)->uploads, item);
}

static void act_rekey(void *context)
{
	link_candidate_rekey(((struct link *)context)->candidate);
}

static void act_renew(void *context)
{
	link_renewal_want(((struct link *)context)->renewal);
}

static bool act_wants_turn(void *context)
{
	return link_listen_wants_turn(context);
}

/* What cannot be had was refused by link_configuration_check(). */
static void use_profiles(struct link *link, tls_profile_set profiles)
{
	struct err err;
	struct buf names;

	if (profiles == link->profiles)
		return;
	link->profiles = profiles;
	buf_init(&names, 256);
	tls_profiles_format(profiles != 0 ? profiles : TLS_PROFILE_MODERN, &names);
	LOG(LOG_INFO, "link.tls_profile", log_text("profile", buf_text(&names)));
	buf_done(&names);
	link_tls_renew(link, &err);
}

/* As the configuration says that was in force when the agent stopped. */
static void use_kept_profiles(struct link *link)
{
	struct endpoint_configuration_state state;

	endpoint_configuration_state(link->endpoint, &state);
	use_profiles(link, state.connection->way);
}

/* Another way to the manager is tried: what is under way on the old one does not count. */
static void act_redial(void *context, const struct endpoint_connection *connection)
{
	struct link *link = context;

	LOG(LOG_INFO, "link.redials", log_number("heartbeat_s", connection->heartbeat_us / SECOND_US),
	    log_number("poll_s", connection->poll_us / SECOND_US));
	use_profiles(link, connection->way);
	link_exchange_redial(link->exchange);
	link_wake(link);
}

static void act_trace(void *context, const struct uuid *command, const char *from, const char *to)
{
	(void)context;
	LOG(LOG_DEBUG, "command.moved", log_uuid("command", command), log_text("from", from), log_text("to", to));
}

static void act_noted(void *context, uint32_t type, time_us time, const struct event_field *fields, size_t count)
{
	link_history_add(((struct link *)context)->history, type, time, fields, count);
}

/* --- making --- */

/* What link opens before it gives up its rights. */
struct opened {
	const char *shown; /* the data directory as people name it */
	char data[4200];
	int identity, store;
	uid_t owner;
};

static int open_directories(const char *data_directory, const struct agent_users *users, struct opened *opened,
			    struct err *err)
{
	struct stat st;
	int data, rc = reach_directory(data_directory, users->link_uid, users->link_gid, opened->data,
				       sizeof(opened->data), err);

	if (rc)
		return rc;
	data = open(opened->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (data < 0 || fstat(data, &st) != 0)
		return err_errno(err, errno, "%s", data_directory);
	opened->owner = st.st_uid;
	opened->identity = openat(data, "identity", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	opened->store = openat(data, "link", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (opened->identity < 0 || opened->store < 0)
		rc = err_errno(err, errno, "%s: identity and link directories", data_directory);
	close(data);
	return rc;
}

static int confine(struct link *link, const struct agent_users *users, const struct opened *opened, struct err *err)
{
	char store[4300], identity[4300];
	const char *const reads[] = {
		"/etc", "/run/systemd/resolve", "/usr/share/zoneinfo", "/usr/lib", "/lib", "/usr/lib64", NULL
	};
	const char *const writes[] = { store, identity, NULL };
	struct role_confinement confinement = { .name = "link",
						.uid = users->link_uid,
						.gid = users->link_gid,
						.needs = ROLE_NETWORK | ROLE_FILES | ROLE_THREADS,
						.read_paths = reads,
						.write_paths = writes,
						.memory_max_bytes = MEMORY_MAX_BYTES };
	int rc;

	snprintf(store, sizeof(store), "%s/link", opened->data);
	snprintf(identity, sizeof(identity), "%s/identity", opened->data); /* the manager's key follows its successor */
	tzset();
	rc = role_confine(&confinement, link->missing, sizeof(link->missing), err);
	if (rc == 0 && link->missing[0] != '\0')
		LOG(LOG_WARNING, "role.limited", log_text("missing", link->missing));
	return rc;
}

static int forget_direction(const char *data_directory, struct err *err)
{
	char path[4200];
	int store, rc;

	snprintf(path, sizeof(path), "%s/link", data_directory);
	store = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (store < 0)
		return err_errno(err, errno, "%s", path);
	rc = link_listen_forget(store, err);
	close(store);
	return rc;
}

/* A new identity whose files are whole takes the place of the one before: as root, or as whoever started us. */
static int follow_switch(void *argument, const struct identity_switched *switched, struct err *err)
{
	const char *data_directory = argument;
	struct settings settings;
	struct buf problems;
	char path[4200];
	char *url;
	int rc;

	rc = forget_direction(data_directory, err);
	if (rc != 0 || switched->manager[0] == '\0')
		return rc;
	buf_init(&problems, CONF_PROBLEMS_BYTES);
	rc = settings_load(data_directory, &settings, &problems, err);
	buf_done(&problems);
	if (rc)
		return rc;
	url = strdup(switched->manager);
	if (url == NULL) {
		settings_done(&settings);
		return err_set(err, ERR_MEMORY, "out of memory");
	}
	free(settings.manager_url);
	settings.manager_url = url;
	if (switched->listen_port != 0)
		settings.listen_port = switched->listen_port;
	snprintf(path, sizeof(path), "%s/%s", data_directory, SETTINGS_FILE);
	rc = conf_write(&settings_table, &settings, path, 0644, err);
	settings_done(&settings);
	return rc;
}

static int take_candidate(struct link *link, const char *data_directory, struct err *err)
{
	struct identity_switched switched = { .done = false };
	int data = open(data_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = data >= 0
		     ? identity_switch_recover(data, &switched, follow_switch, (void *)(uintptr_t)data_directory, err)
		     : err_errno(err, errno, "%s", data_directory);

	if (data >= 0)
		close(data);
	link->switched = switched.done;
	link->first_identity = switched.first;
	return rc;
}

/* Or the key of the manager that it waits for. */
static int load_identity(struct link *link, int directory, struct err *err)
{
	int rc = identity_files_load(directory, &link->identity, err);

	link->prepared = rc == ERR_NOT_FOUND && prepared_file_load(directory, link->accepted, NULL) == 0;
	if (link->prepared)
		return 0;
	return rc == 0 ? manager_url_parse(link->identity.manager, &link->manager, err) : rc;
}

/* All that needs files outside of link/, or the rights of whoever started us. */
static int prepare(struct link *link, const char *data_directory, struct opened *opened, struct err *err)
{
	struct agent_users users;
	struct buf problems;
	int rc;

	rc = take_candidate(link, data_directory, err);
	if (rc)
		return rc;
	buf_init(&problems, CONF_PROBLEMS_BYTES);
	rc = settings_load(data_directory, &link->settings, &problems, err);
	if (rc && problems.size)
		LOG(LOG_ERROR, "settings.refused", log_text("problems", buf_text(&problems)));
	buf_done(&problems);
	if (rc)
		return rc;
	log_set_level((enum log_level)link->settings.log_level);
	rc = users_resolve(&link->settings, &users, err);
	if (rc == 0)
		rc = open_directories(data_directory, &users, opened, err);
	if (rc == 0)
		rc = load_identity(link, opened->identity, err);
	host_read(&link->host, link->settings.machine_uuid);
	if (rc == 0 && !link->prepared)
		link->farewell = link_farewell_new(link, opened->store, err);
	if (rc == 0)
		rc = confine(link, &users, opened, err);
	return rc;
}

/* The key stays for the listener; it is wiped with the identity. */
static struct tls_client_options tls_options(struct link *link)
{
	return (struct tls_client_options){ .ca_pem = buf_text(&link->identity.authority_pem),
					    .certificate_pem = buf_text(&link->identity.certificate_pem),
					    .key_pem = buf_text(&link->identity.key_pem),
					    .any_host_name = true,
					    .agent = true,
					    .profiles = link->profiles,
					    .by_proof = true,
					    .proven = identity_proven(&link->identity) };
}

static int make_tls(struct link *link, struct err *err)
{
	const struct tls_client_options options = tls_options(link);

	link->tls = tls_client_new(&options, err);
	return link->tls ? 0 : err->code;
}

int link_tls_renew(struct link *link, struct err *err)
{
	const struct tls_client_options options = tls_options(link);
	int rc = tls_client_renew(link->tls, &options, err);

	if (rc == 0)
		return 0;
	LOG(LOG_ERROR, "link.identity_not_used", log_err(err)); /* it is at the next start, which guard sees to */
	link->exit_status = 1;
	loop_stop(link->loop);
	return rc;
}

static void digest(const void *data, size_t size, uint8_t out[SHA256_BYTES])
{
	fingerprint_of(data, size, out);
}

static int make_endpoint(struct link *link, const struct opened *opened, struct err *err)
{
	struct endpoint_connection own = link_configuration_own(link->configuration);
	struct envelope_key key;
	struct endpoint_options options = { .env = link->env,
					    .storage = link_storage_table(link->storage),
					    .actor = { .context = link,
						       .start = act_start,
						       .pause = act_pause,
						       .resume = act_resume,
						       .cancel = act_cancel,
						       .upload = act_upload,
						       .rekey = act_rekey,
						       .renew = act_renew,
						       .wants_turn = act_wants_turn,
						       .configurer = { .check = link_configuration_check,
								       .apply = link_configuration_apply,
								       .redial = act_redial },
						       .noted = act_noted,
						       .trace = act_trace },
					    .computer = link->identity.computer,
					    .keys = &key,
					    .key_count = 1,
					    .verify = signing_key_verify,
					    .digest = digest,
					    .heartbeat_us = own.heartbeat_us,
					    .poll_us = own.poll_us,
					    .direction = link_listen_proven(link, opened->store),
					    .spool_bytes = (uint64_t)link->settings.spool_bytes };

	memcpy(key.public_key, link->identity.manager_key, sizeof(key.public_key));
	signing_key_fingerprint(key.public_key, key.fingerprint);
	memcpy(options.boot_id, link->host.boot_id, sizeof(options.boot_id));
	return endpoint_new(&options, &link->endpoint, err);
}

#define MAKE(part, call)                                                                                               \
	do {                                                                                                           \
		link->part = (call);                                                                                   \
		if (link->part == NULL)                                                                                \
			return err->code;                                                                              \
	} while (0)

/* Parts that the endpoint may call from endpoint_new() on come before it. */
static int make_parts(struct link *link, const struct opened *opened, struct err *err)
{
	static const struct link_guard_handlers handlers = { .notice = on_notice,
							     .flush = on_flush,
							     .progress = on_progress,
							     .component = on_component,
							     .gone = on_guard_gone };
	struct link_guard_handlers table = handlers;
	int rc;

	table.context = link;
	link->store = opened->store;
	link->identity_directory = opened->identity;
	MAKE(loop, loop_new(err));
	err_set(err, ERR_MEMORY, "out of memory");
	MAKE(timer, loop_timer_new(link->loop, step, link));
	rc = make_tls(link, err);
	if (rc == 0)
		rc = link_storage_new(opened->store, opened->identity, &link->storage, err);
	if (rc)
		return rc;
	MAKE(history, link_history_new(opened->store, err));
	MAKE(guard, link_guard_new(link->loop, ROLE_CHANNEL_FD, &table, err));
	MAKE(jobs, link_jobs_new(link, err));
	MAKE(items, link_items_new(link, opened->store, err));
	MAKE(uploads, link_uploads_new(link, err));
	MAKE(configuration, link_configuration_new(link, err));
	MAKE(candidate, link_candidate_new(link, opened->store, err));
	rc = make_endpoint(link, opened, err);
	if (rc)
		return rc;
	use_kept_profiles(link);
	MAKE(components, link_components_new(link->endpoint, err));
	MAKE(exchange, link_exchange_new(link, err));
	MAKE(renewal, link_renewal_new(link, opened->identity, err));
	MAKE(listen, link_listen_new(link, opened->store, err));
	MAKE(local, link_local_new(link, GUARD_CONTROL_FD, opened->owner, err));
	MAKE(watch, link_watch_new(link, opened->store, opened->shown, err));
	return 0;
}

void link_tell_self(struct link *link)
{
	const char *problem = link_listen_problem(link->listen);
	const char *unknown = link_configuration_unknown(link->configuration);
	struct message_component self = { .name = "link",
					  .state = problem[0] != '\0' ? COMPONENT_DEGRADED : COMPONENT_WORKING };
	Muster__Wire__Host message;
	char *addresses[HOST_ADDRESSES_MAX];
	struct err err;

	host_message(&link->host, addresses, &message);
	message.listen_port = link_listen_port(link->listen);
	message.direction = endpoint_direction(link->endpoint);
	if (endpoint_host(link->endpoint, &message, &err))
		LOG(LOG_ERROR, "link.host_not_taken", log_err(&err));
	self.version = link_field("version", MUSTER_VERSION).value;
	self.detail = link_field("detail", problem).value;
	if (link->missing[0] != '\0')
		message_fields_add(&self.facts, "limits", link->missing, strlen(link->missing));
	if (unknown[0] != '\0')
		message_fields_add(&self.facts, "settings_not_known", unknown, strlen(unknown));
	on_component(link, &self);
}

static void report_switch(struct link *link)
{
	char computer[UUID_TEXT_BYTES];
	struct event_field fields[2];

	if (link->switch_reported || link->first_identity) /* the first one is no change */
		return;
	uuid_format(&link->identity.computer, computer);
	fields[0] = link_field("computer", computer);
	fields[1] = link_field("manager", link->identity.manager);
	link_event(link, EVENT_IDENTITY_CHANGED, fields, COUNT_OF(fields));
	link->switch_reported = true;
}

/* The order to switch is forgotten once the event is durable: killed before, the next start tells it. */
int link_tell_switch(struct link *link, struct err *err)
{
	int rc;

	if (!link->switched)
		return 0;
	report_switch(link);
	rc = endpoint_flush(link->endpoint, err);
	if (rc == 0)
		rc = identity_switch_told(link->identity_directory, err);
	link->switched = rc != 0;
	return rc;
}

static void report_self(struct link *link)
{
	struct event_field field = link_field("version", MUSTER_VERSION);
	struct err err = { 0 };

	link_tell_self(link);
	link_event(link, EVENT_AGENT_STARTED, &field, 1);
	link_unload_tell(link);
	if (link_tell_switch(link, &err) != 0)
		LOG(LOG_ERROR, "link.switch_not_told", log_err(&err));
	link_farewell_begin(link->farewell);
	link_listen_begin(link->listen);
}

static void on_settled(struct link *link)
{
	link_jobs_settled(link->jobs);
	link_wake(link);
}

static void set_signals(struct link *link)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	signalled_loop = link->loop;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

static void free_parts(struct link *link)
{
	link_watch_free(link->watch);
	link_local_free(link->local);
	link_candidate_free(link->candidate);
	link_farewell_free(link->farewell);
	link_exchange_free(link->exchange);
	link_renewal_free(link->renewal);
	link_uploads_free(link->uploads);
	link_items_free(link->items);
	link_listen_free(link->listen); /* last: its TLS carries connections that the others took over */
	link_jobs_free(link->jobs);
	link_components_free(link->components);
	link_guard_free(link->guard);
	endpoint_free(link->endpoint);
	link_configuration_free(link->configuration);
	link_history_free(link->history);
	link_storage_free(link->storage);
	tls_client_free(link->tls);
	loop_timer_free(link->stop_timer);
	loop_timer_free(link->timer);
	loop_free(link->loop);
	agent_identity_done(&link->identity);
	settings_done(&link->settings);
}

static int run(struct link *link, const struct opened *opened, struct err *err)
{
	int rc = make_parts(link, opened, err);

	if (rc == 0)
		rc = link_items_begin(link->items, on_settled, err);
	if (rc)
		return rc;
	set_signals(link);
	report_self(link);
	link_wake(link);
	loop_run(link->loop);
	if (signalled && !link->stopping) {
		struct event_field field = link_field("cause", "ended by a signal");

		link_event(link, EVENT_AGENT_STOPPED, &field, 1);
	}
	return endpoint_flush(link->endpoint, err);
}

/* Until its manager has dialled: then link ends, and is started again as an agent of that manager. */
static int run_prepared(struct link *link, const struct opened *opened, struct err *err)
{
	MAKE(loop, loop_new(err));
	set_signals(link);
	return link_prepared_run(link, opened->store, opened->owner, err);
}

int link_main(const char *data_directory)
{
	struct link link = { .env = env_system(), .store = -1 };
	struct opened opened = { .shown = data_directory, .identity = -1, .store = -1 };
	struct err err = { 0 };
	int rc;

	log_setup("muster-agent", "link", STDERR_FILENO, LOG_INFO, env_system_wall);
	agent_identity_init(&link.identity);
	rc = prepare(&link, data_directory, &opened, &err);
	if (rc == 0)
		rc = link.prepared ? run_prepared(&link, &opened, &err) : run(&link, &opened, &err);
	if (rc)
		LOG(LOG_ERROR, "link.failed", log_err(&err));
	free_parts(&link);
	if (opened.identity >= 0)
		close(opened.identity);
	if (opened.store >= 0)
		close(opened.store);
	return rc ? 1 : link.exit_status;
}
