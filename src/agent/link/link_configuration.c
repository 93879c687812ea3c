/* Settings in force (agent/link/link_configuration.h). Configurations are signed by the manager, and still checked
 * value by value. */
#include "agent/link/link_configuration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/link/link_items.h"
#include "agent/path_list.h"
#include "agent/settings_message.h"
#include "base/log.h"

#define UNKNOWN_TEXT_BYTES 1024 /* of names that are shown */

struct link_configuration {
	struct link *link;
	struct effective own;      /* agent.ini over the defaults */
	struct effective in_force; /* guard has it */
	struct effective wanted;   /* guard was asked */
	bool by_policy[SETTINGS_COUNT], wanted_by_policy[SETTINGS_COUNT];
	char unknown[UNKNOWN_TEXT_BYTES], wanted_unknown[UNKNOWN_TEXT_BYTES];
	uint64_t order;
	unsigned asked; /* answers to come; the last one counts */
};

/* --- agent.ini --- */

/* "scan.cpu_limit" is [scan] cpu_limit. NULL: agent.ini has no such setting. */
static const struct conf_row *own_row(enum setting_id id)
{
	const char *name = setting_name(id), *dot = strchr(name, '.');
	char section[SETTING_NAME_MAX_BYTES + 1];

	snprintf(section, sizeof(section), "%.*s", (int)(dot - name), name);
	return conf_find(&settings_table, section, dot + 1);
}

/* Lists of paths have another form in policies. */
static void own_text(const struct settings *settings, enum setting_id id, struct buf *out)
{
	const struct conf_row *row = own_row(id);
	struct message_paths paths;
	union conf_value value;

	if (row == NULL) {
		buf_append_text(out, setting_default(id));
		return;
	}
	conf_value_load(row, settings, &value);
	if (policy_settings[id].value.type != CONF_PATHS) {
		conf_value_format(row, &value, out);
		return;
	}
	if (path_list_parse(value.text, &paths, NULL) != 0)
		paths.count = 0;
	for (size_t i = 0; i < paths.count; i++)
		conf_paths_add(out, paths.paths[i].data, paths.paths[i].size);
}

static int read_own(const struct settings *settings, struct effective *ret_own, struct err *err)
{
	struct buf texts[SETTINGS_COUNT];
	const char *values[SETTINGS_COUNT];
	int rc;

	for (unsigned id = 0; id < SETTINGS_COUNT; id++) {
		buf_init(&texts[id], 4 * CONF_VALUE_BYTES);
		own_text(settings, (enum setting_id)id, &texts[id]);
		values[id] = buf_text(&texts[id]);
	}
	rc = effective_parse(values, ret_own, err);
	for (unsigned id = 0; id < SETTINGS_COUNT; id++)
		buf_done(&texts[id]);
	return rc ? err_add(err, rc, "agent.ini") : 0;
}

static int copy(const struct effective *from, struct effective *ret_copy, struct err *err)
{
	int rc = effective_init(ret_copy, err);

	for (unsigned id = 0; rc == 0 && id < SETTINGS_COUNT; id++) {
		union conf_value value;
		struct buf text;

		buf_init(&text, 4 * CONF_VALUE_BYTES);
		effective_format(from, (enum setting_id)id, &text);
		rc = conf_value_parse(&policy_settings[id].value, buf_text(&text), &value, err);
		if (rc == 0)
			conf_value_store(&policy_settings[id].value, ret_copy, &value);
		buf_done(&text);
	}
	return rc;
}

/* --- reading a configuration --- */

struct reading {
	struct effective values;
	bool by_policy[SETTINGS_COUNT];
	char unknown[UNKNOWN_TEXT_BYTES];
};

static void note_unknown(struct reading *reading, const char *name)
{
	size_t used = strlen(reading->unknown);

	snprintf(reading->unknown + used, sizeof(reading->unknown) - used, "%s%s", used > 0 ? ", " : "", name);
}

/* Those that the table knows; list has room for all. */
static void select_known(const Muster__Wire__Configuration *configuration, Muster__Wire__Field **list,
			 Muster__Wire__Configuration *ret_known, struct reading *reading)
{
	muster__wire__configuration__init(ret_known);
	ret_known->settings = list;
	for (size_t i = 0; i < configuration->n_settings; i++) {
		enum setting_id id = setting_find(configuration->settings[i]->name);

		if (id == SETTINGS_COUNT) {
			note_unknown(reading, configuration->settings[i]->name);
			continue;
		}
		reading->by_policy[id] = true;
		list[ret_known->n_settings++] = configuration->settings[i];
	}
}

/* One problem a line becomes one sentence. */
static void join_lines(const struct buf *lines, struct buf *out)
{
	for (size_t i = 0; i < lines->size; i++) {
		if (lines->data[i] != '\n')
			buf_append_byte(out, lines->data[i]);
		else if (i + 1 < lines->size)
			buf_append_text(out, "; ");
	}
}

/* configuration NULL: agent.ini alone. On success the caller's to effective_done(). */
static int read_configuration(const struct link_configuration *own, const Muster__Wire__Configuration *configuration,
			      struct reading *reading, struct buf *why)
{
	Muster__Wire__Configuration known;
	Muster__Wire__Field **list = NULL;
	struct buf problems;
	struct err err = { 0 };
	int rc;

	memset(reading, 0, sizeof(*reading));
	rc = copy(&own->own, &reading->values, &err);
	if (rc == 0 && configuration != NULL) {
		list = calloc(configuration->n_settings + 1, sizeof(struct Muster__Wire__Field *));
		rc = list != NULL ? 0 : err_set(&err, ERR_MEMORY, "out of memory");
	}
	buf_init(&problems, EFFECTIVE_PROBLEMS_BYTES);
	if (rc == 0 && configuration != NULL) {
		select_known(configuration, list, &known, reading);
		rc = effective_read(&known, &reading->values, &problems, &err);
	}
	if (rc != 0 && problems.size > 0)
		join_lines(&problems, why);
	else if (rc != 0)
		buf_append_text(why, err.text);
	if (rc != 0)
		effective_done(&reading->values);
	buf_done(&problems);
	free(list);
	return rc;
}

/* --- excluded paths, as guard takes them --- */

_Static_assert(CONF_PATHS_MAX <= MESSAGE_PATHS_MAX, "a list that the manager takes must fit guard's message");

struct excludes {
	struct message_paths paths;
	struct buf bytes; /* what paths point into */
};

static int take_excludes(const char *text, struct excludes *excludes, struct err *err)
{
	size_t position = 0, sizes[MESSAGE_PATHS_MAX] = { 0 }, at = 0;
	struct buf path;

	excludes->paths.count = 0;
	buf_init(&excludes->bytes, 4 * CONF_VALUE_BYTES);
	buf_init(&path, MESSAGE_PATH_MAX_BYTES - 1);
	while (conf_paths_next(text, &position, &path)) {
		if (excludes->paths.count == MESSAGE_PATHS_MAX)
			break;
		sizes[excludes->paths.count++] = path.size;
		buf_append(&excludes->bytes, path.data, path.size);
		buf_append_byte(&excludes->bytes, '\0');
	}
	buf_done(&path);
	for (size_t i = 0; i < excludes->paths.count && excludes->bytes.status == 0; i++) {
		excludes->paths.paths[i] = (struct bytes){ excludes->bytes.data + at, sizes[i] };
		at += sizes[i] + 1;
	}
	if (text[position] != '\0' || excludes->bytes.status != 0)
		return err_set(err, ERR_LIMIT, "scan.exclude_paths: more than guard takes");
	return 0;
}

/* What this computer's owner does not leave to the manager. Guard checks the same; here all problems are told. */
static int check_limits(const struct link *link, const struct effective *values, struct buf *why)
{
	struct message_paths never;
	struct excludes excludes;
	struct err err = { 0 };
	int rc = take_excludes(values->exclude_paths, &excludes, &err);

	if (rc == 0)
		rc = path_list_parse(link->settings.never_exclude, &never, &err);
	if (rc == 0)
		rc = path_list_excludes_none_of(&excludes.paths, &never, &err);
	if (rc != 0)
		buf_printf(why, "scan.exclude_paths: %s", err.text);
	buf_done(&excludes.bytes);
	return rc;
}

/* modern, and what cannot be read, is no way of its own. */
static uint32_t way_of(const struct effective *values)
{
	tls_profile_set profiles = TLS_PROFILE_MODERN;
	struct buf name;

	buf_init(&name, CONF_VALUE_BYTES);
	effective_format(values, SETTING_LINK_TLS_PROFILE, &name);
	if (tls_profiles_parse(buf_text(&name), &profiles, NULL) != 0)
		profiles = TLS_PROFILE_MODERN;
	buf_done(&name);
	return profiles == TLS_PROFILE_MODERN ? 0 : profiles;
}

static void connection_of(const struct effective *values, struct endpoint_connection *connection)
{
	connection->way = way_of(values);
	connection->heartbeat_us = values->heartbeat_interval_us;
	connection->poll_us = values->poll == LINK_POLL_PERIODIC ? values->poll_interval_us : 0;
	connection->direction = (enum link_direction)values->direction;
}

static int check_profile(tls_profile_set profiles, struct buf *why)
{
	struct err err = { 0 };
	int rc = tls_profiles_check(profiles, &err);

	if (rc != 0)
		buf_printf(why, "%s: %s", setting_name(SETTING_LINK_TLS_PROFILE), err.text);
	return rc;
}

int link_configuration_check(void *context, const Muster__Wire__Configuration *configuration,
			     struct endpoint_connection *connection, struct buf *why)
{
	const struct link *link = context;
	struct reading reading;
	int rc = read_configuration(link->configuration, configuration, &reading, why);

	if (rc != 0)
		return rc;
	rc = check_limits(link, &reading.values, why);
	if (rc == 0)
		connection_of(&reading.values, connection);
	if (rc == 0 && connection->way != 0)
		rc = check_profile(connection->way, why);
	effective_done(&reading.values);
	return rc;
}

/* --- putting in force --- */

static void take_wanted(struct link_configuration *configuration)
{
	struct effective before = configuration->in_force;
	bool limit = before.quarantine_max_file_bytes != configuration->wanted.quarantine_max_file_bytes;

	configuration->in_force = configuration->wanted;
	memset(&configuration->wanted, 0, sizeof(configuration->wanted));
	effective_done(&before);
	memcpy(configuration->by_policy, configuration->wanted_by_policy, sizeof(configuration->by_policy));
	memcpy(configuration->unknown, configuration->wanted_unknown, sizeof(configuration->unknown));
	if (limit)
		link_items_again(configuration->link->items);
	link_tell_self(configuration->link);
}

static void on_answer(void *argument, const struct message_answer *answer, int fd)
{
	struct link_configuration *configuration = argument;
	struct link *link = configuration->link;
	char text[ERR_TEXT_BYTES];

	(void)fd;
	if (--configuration->asked > 0)
		return; /* another one was sent after it */
	snprintf(text, sizeof(text), "%.*s", (int)answer->text.size, (const char *)answer->text.data);
	if (answer->code == 0)
		take_wanted(configuration);
	else
		LOG(LOG_WARNING, "configuration.refused_by_guard", log_text("cause", text));
	endpoint_applied(link->endpoint, configuration->order, answer->code, text);
	link_wake(link);
}

static int ask_guard(struct link_configuration *configuration, const struct effective *values, struct err *err)
{
	struct message_settings *settings = calloc(1, sizeof(*settings));
	struct excludes excludes = { .bytes = { 0 } };
	struct buf payload;
	int rc = settings != NULL ? 0 : err_set(err, ERR_MEMORY, "out of memory");

	buf_init(&payload, CHANNEL_PAYLOAD_MAX_BYTES);
	if (rc == 0)
		rc = take_excludes(values->exclude_paths, &excludes, err);
	if (rc == 0)
		rc = settings_message(&configuration->link->settings, settings, err);
	if (rc == 0) {
		settings->limits.file_bytes_max = (uint64_t)values->scan_max_file_bytes;
		settings->cpu_percent = (uint32_t)values->cpu_limit_percent;
		settings->excludes = excludes.paths;
		message_pack_settings(&payload, settings);
		rc = link_guard_ask(configuration->link->guard, MESSAGE_SETTINGS, &payload, -1, on_answer,
				    configuration, err);
	}
	buf_done(&excludes.bytes);
	buf_done(&payload);
	free(settings);
	return rc;
}

int link_configuration_apply(void *context, const Muster__Wire__Configuration *wire, uint64_t order, struct buf *why)
{
	struct link_configuration *configuration = ((struct link *)context)->configuration;
	struct reading reading;
	struct err err = { 0 };
	int rc = read_configuration(configuration, wire, &reading, why);

	if (rc != 0)
		return rc;
	rc = ask_guard(configuration, &reading.values, &err);
	if (rc != 0) {
		buf_append_text(why, err.text);
		effective_done(&reading.values);
		return rc;
	}
	configuration->asked++;
	configuration->order = order;
	effective_done(&configuration->wanted);
	configuration->wanted = reading.values;
	memcpy(configuration->wanted_by_policy, reading.by_policy, sizeof(reading.by_policy));
	memcpy(configuration->wanted_unknown, reading.unknown, sizeof(reading.unknown));
	return ERR_BUSY;
}

/* --- showing --- */

static void show_line(struct control_client *client, const char *name, const char *value, const char *origin,
		      bool locked)
{
	json_t *text = json_string(value); /* lists of paths are escaped already */

	if (text == NULL)
		text = control_name(value, strlen(value));
	control_client_line(client, json_pack("{s:s,s:s,s:o,s:s,s:b}", "type", "setting", "name", name, "value", text,
					      "origin", origin, "locked", locked));
}

/* What the manager says of the network we are in stands before the configuration. */
static bool network_value(const struct link_configuration *configuration, enum setting_id id, struct buf *value)
{
	struct endpoint_status status;
	char interval[TIME_TEXT_BYTES];

	endpoint_status(configuration->link->endpoint, &status);
	if (status.pace_us == 0 || (id != SETTING_LINK_HEARTBEAT_INTERVAL && !status.pace_periodic))
		return false;
	if (id != SETTING_LINK_HEARTBEAT_INTERVAL && id != SETTING_LINK_POLL && id != SETTING_LINK_POLL_INTERVAL)
		return false;
	span_format(status.pace_us, interval);
	buf_reset(value);
	buf_append_text(value, id == SETTING_LINK_POLL ? "periodic" : interval);
	return true;
}

static void show_setting(const struct link_configuration *configuration, enum setting_id id,
			 struct control_client *client)
{
	bool policy = configuration->by_policy[id];
	struct buf value, initial;
	struct effective defaults;
	const char *origin = "policy";

	buf_init(&value, 4 * CONF_VALUE_BYTES);
	buf_init(&initial, 4 * CONF_VALUE_BYTES);
	effective_format(&configuration->in_force, id, &value);
	if (!policy && effective_init(&defaults, NULL) == 0) {
		effective_format(&defaults, id, &initial);
		origin = strcmp(buf_text(&value), buf_text(&initial)) == 0 ? "default" : "agent.ini";
		effective_done(&defaults);
	}
	if (network_value(configuration, id, &value))
		origin = "network";
	show_line(client, setting_name(id), setting_shown(id, buf_text(&value)), origin, policy);
	buf_done(&value);
	buf_done(&initial);
}

/* Settings of agent.ini that policies do not have; never locked. */
static void show_own(const struct link_configuration *configuration, const struct conf_row *row,
		     struct control_client *client)
{
	char name[SETTING_NAME_MAX_BYTES + 1];
	union conf_value value;
	struct buf text;
	bool initial;

	snprintf(name, sizeof(name), "%s.%s", row->section, row->key);
	if (setting_find(name) != SETTINGS_COUNT || (row->flags & CONF_SECRET) != 0)
		return;
	buf_init(&text, 4 * CONF_VALUE_BYTES);
	conf_value_load(row, &configuration->link->settings, &value);
	conf_value_format(row, &value, &text);
	initial = strcmp(buf_text(&text), row->initial != NULL ? row->initial : "") == 0;
	show_line(client, name, buf_text(&text), initial ? "default" : "agent.ini", false);
	buf_done(&text);
}

void link_configuration_show(const struct link_configuration *configuration, struct control_client *client)
{
	for (unsigned id = 0; id < SETTINGS_COUNT; id++) {
		if (policy_settings[id].components & SETTING_BY_AGENT)
			show_setting(configuration, (enum setting_id)id, client);
	}
	for (size_t i = 0; i < settings_table.count; i++)
		show_own(configuration, &settings_table.rows[i], client);
}

/* --- the object --- */

struct endpoint_connection link_configuration_own(const struct link_configuration *configuration)
{
	struct endpoint_connection connection = { 0 };

	connection_of(&configuration->own, &connection);
	return connection;
}

const struct effective *link_configuration_in_force(const struct link_configuration *configuration)
{
	return &configuration->in_force;
}

uint64_t link_configuration_upload_max(const struct link_configuration *configuration)
{
	return configuration->by_policy[SETTING_QUARANTINE_MAX_FILE_SIZE]
		   ? (uint64_t)configuration->in_force.quarantine_max_file_bytes
		   : UINT64_MAX;
}

const char *link_configuration_unknown(const struct link_configuration *configuration)
{
	return configuration->unknown;
}

struct link_configuration *link_configuration_new(struct link *link, struct err *err)
{
	struct link_configuration *configuration = calloc(1, sizeof(*configuration));
	int rc;

	if (configuration == NULL) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	configuration->link = link;
	rc = read_own(&link->settings, &configuration->own, err);
	if (rc == 0)
		rc = copy(&configuration->own, &configuration->in_force, err);
	if (rc != 0) {
		link_configuration_free(configuration);
		return NULL;
	}
	return configuration;
}

void link_configuration_free(struct link_configuration *configuration)
{
	if (configuration == NULL)
		return;
	effective_done(&configuration->own);
	effective_done(&configuration->in_force);
	effective_done(&configuration->wanted);
	free(configuration);
}
