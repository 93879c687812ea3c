/* Settings kept in the database. Values come from people and are checked by their rows. */
#include "manager/front/stored_settings.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "conf/value.h"
#include "manager/front/enrolment_rules.h"
#include "manager/front/front_policy.h"
#include "manager/front/front_state.h"
#include "manager/queries.h"

/* `key` is the whole name. */
static const struct conf_row rows[STORED_COUNT] = {
	[STORED_QUARANTINE_CAPACITY] = { .key = "quarantine.capacity",
					 .type = CONF_SIZE,
					 .max = INT64_MAX,
					 .initial = "10GB",
					 .help = "The most that quarantined files may take on the manager's disk. When "
						 "it is "
						 "full, files stay on their computers." },
	[STORED_QUARANTINE_LARGEST] = { .key = "quarantine.max_file_size",
					.type = CONF_SIZE,
					.flags = CONF_MAY_BE_UNLIMITED,
					.max = INT64_MAX,
					.initial = "unlimited",
					.help = "The largest quarantined file that the manager takes, whatever "
						"policies say. "
						"Larger ones stay on their computers. Each computer's own limit is the "
						"policy's setting of this name." },
	[STORED_EVENT_RETENTION] = { .key = "events.retention",
				     .type = CONF_SPAN,
				     .flags = CONF_MAY_BE_UNLIMITED,
				     .min = DAY_US,
				     .max = 3650 * DAY_US,
				     .initial = "90d",
				     .help = "Events older than this are removed." },
	[STORED_UNDELIVERED_RETENTION] = { .key = "events.retention_undelivered",
					   .type = CONF_SPAN,
					   .flags = CONF_MAY_BE_UNLIMITED,
					   .min = 0,
					   .max = 3650 * DAY_US,
					   .initial = "30d",
					   .help =
					       "How much longer events are kept that an enabled destination has not "
					       "got "
					       "yet. What is removed after that is told as an event, with how many." },
	[STORED_COMMAND_TIMEOUT] = { .key = "commands.timeout",
				     .type = CONF_SPAN,
				     .min = MINUTE_US,
				     .max = 90 * DAY_US,
				     .initial = "1d",
				     .help =
					 "A command that did not end this long after it was issued, and was given no "
					 "time-out of its own, has timed out." },
	[STORED_SAME_NAME] = { .key = "enrolment.same_name",
			       .type = CONF_CHOICE,
			       .choices = "number refuse reactivate",
			       .initial = "number",
			       .help =
				   "What happens when a computer activates under a name that another one has: it gets "
				   "a number behind its name, it is refused, or it becomes that computer, whose agent "
				   "of before is shut out. One that waits to be activated is always taken." },
	[STORED_ENROLMENT_ALLOWED] = { .key = "enrolment.allowed",
				       .type = CONF_CHOICE,
				       .choices = "any known addresses",
				       .initial = "any",
				       .help = "Whose agents may activate themselves: any computer's, "
					       "only those of computers that are known here and wait for it (muster "
					       "computer add), or those that come from one of enrolment.addresses." },
	[STORED_ENROLMENT_ADDRESSES] = { .key = "enrolment.addresses",
					 .type = CONF_TEXT,
					 .max = STORED_TEXT_BYTES - 1,
					 .initial = "",
					 .help = "From where agents may activate themselves while enrolment.allowed "
						 "is addresses: 192.0.2.0/24, 2001:db8::/32, 192.0.2.10-192.0.2.20, "
						 "one address; several with commas between." },
	[STORED_WITHOUT_TOKEN] = { .key = "enrolment.without_token",
				   .type = CONF_CHOICE,
				   .choices = "no expected yes",
				   .initial = "no",
				   .help =
				       "Whose agents need no enrolment token to activate themselves, or to move here: "
				       "none; those of computers that wait under their name and come from the very "
				       "address known of them (muster computer add NAME --address ADDRESS); or all "
				       "that enrolment.allowed names. A name and an address can be borrowed: a "
				       "token is the safer way. Computers that were deactivated or revoked, and "
				       "names that an agent has, take a token in any case." },
	[STORED_ENROLMENT_POLICY] = { .key = "enrolment.policy",
				      .type = CONF_TEXT,
				      .min = 1,
				      .max = 255,
				      .initial = "base",
				      .help = "The policy of computers that activate without one of their token's or "
					      "their own." },
	[STORED_OWN_NAME] = { .key = "enrolment.own_name",
			      .type = CONF_BOOLEAN,
			      .initial = "yes",
			      .help =
				  "May an agent say under which name it activates? Otherwise it has its host name." },
	[STORED_REACTIVATE_CLONED] = { .key = "enrolment.reactivate_cloned",
				       .type = CONF_BOOLEAN,
				       .initial = "yes",
				       .help = "When two live agents have one identity: is the second one given one "
					       "of its own, as a new computer, without a person? Otherwise it is "
					       "refused and has to be activated." },
	[STORED_REACTIVATE_UNKNOWN] = { .key = "enrolment.reactivate_unknown",
					.type = CONF_BOOLEAN,
					.initial = "no",
					.help = "When an agent comes with a certificate of this manager whose computer "
						"is not here (deleted, or a database from an older backup): does it "
						"become a computer again, without a person? Otherwise it is refused." },
	[STORED_ROLLOUT_RATE] = { .key = "policy.rollout_rate",
				  .type = CONF_NUMBER,
				  .min = 1,
				  .max = 100000,
				  .initial = "500",
				  .help = "How many connected agents a second are told of a changed policy." },
	[STORED_VERIFY_INTERVAL] = { .key = "computers.verify_interval",
				     .type = CONF_SPAN,
				     .flags = CONF_MAY_BE_UNLIMITED,
				     .min = HOUR_US,
				     .max = 365 * DAY_US,
				     .initial = "1d",
				     .help = "How often the connections of all computers are verified." },
	[STORED_ALERT_RETENTION] = { .key = "alerts.retention",
				     .type = CONF_SPAN,
				     .flags = CONF_MAY_BE_UNLIMITED,
				     .min = DAY_US,
				     .max = 3650 * DAY_US,
				     .initial = "365d",
				     .help = "Alerts that ended longer ago are removed." },
	[STORED_DISK_FREE] = { .key = "alerts.disk_free",
			       .type = CONF_SIZE,
			       .max = INT64_MAX,
			       .initial = "1GB",
			       .help = "Less room than this on the disk of the manager's data is an alert." },
	[STORED_DATABASE_SIZE] = { .key = "alerts.database_size",
				   .type = CONF_SIZE,
				   .max = INT64_MAX,
				   .initial = "20GB",
				   .help = "A database larger than this is an alert." },
	[STORED_RENEWAL_GRACE] = { .key = "certificates.renewal_grace",
				   .type = CONF_SPAN,
				   .flags = CONF_MAY_BE_UNLIMITED,
				   .max = 36500 * DAY_US,
				   .initial = "1825d",
				   .help =
				       "How long after its certificate has ended an agent that was away may still have "
				       "another for it. After that it must be activated again." },
	[STORED_CERTIFICATE_SOON] = { .key = "certificates.warn_before",
				      .type = CONF_SPAN,
				      .min = DAY_US,
				      .max = 3650 * DAY_US,
				      .initial = "60d",
				      .help =
					  "How long before its end a certificate of the manager that was not renewed "
					  "is an alert." },
	[STORED_CERTIFICATE_CRITICAL] = { .key = "certificates.critical_before",
					  .type = CONF_SPAN,
					  .min = 0,
					  .max = 3650 * DAY_US,
					  .initial = "7d",
					  .help =
					      "How long before its end that alert is critical, whatever severity its "
					      "type has." },
};

static const char *const type_names[] = {
	[CONF_TEXT] = "text", [CONF_PATH] = "text",       [CONF_NUMBER] = "number", [CONF_SPAN] = "duration",
	[CONF_SIZE] = "size", [CONF_BOOLEAN] = "boolean", [CONF_CHOICE] = "choice", [CONF_LISTEN] = "text",
};

struct stored_settings {
	pthread_rwlock_t lock;
	union conf_value values[STORED_COUNT];
	bool is_default[STORED_COUNT];
};

static int64_t as_number(enum stored_setting which, const union conf_value *value)
{
	if (rows[which].type == CONF_BOOLEAN)
		return value->boolean;
	return rows[which].type == CONF_CHOICE ? value->choice : value->number;
}

int64_t stored_setting_number(struct stored_settings *settings, enum stored_setting which)
{
	int64_t number;

	pthread_rwlock_rdlock(&settings->lock);
	number = as_number(which, &settings->values[which]);
	pthread_rwlock_unlock(&settings->lock);
	return number;
}

void stored_setting_text(struct stored_settings *settings, enum stored_setting which, char *text, size_t capacity)
{
	pthread_rwlock_rdlock(&settings->lock);
	snprintf(text, capacity, "%s", settings->values[which].text != NULL ? settings->values[which].text : "");
	pthread_rwlock_unlock(&settings->lock);
}

static int find(const char *name)
{
	for (int i = 0; i < STORED_COUNT; i++) {
		if (strcmp(rows[i].key, name) == 0)
			return i;
	}
	return -1;
}

/* --- opening --- */

static void take_stored(struct stored_settings *settings, const char *name, const char *text)
{
	struct err err = { 0 };
	union conf_value value;
	int which = find(name);

	if (which < 0)
		return;
	if (conf_value_parse(&rows[which], text, &value, &err) != 0) {
		LOG(LOG_WARNING, "settings.stored_value_refused", log_text("name", name), log_err(&err));
		return;
	}
	conf_value_done(&rows[which], &settings->values[which]);
	settings->values[which] = value;
	settings->is_default[which] = false;
}

static int read_all(struct store_session *session, void *argument, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_SETTING_ALL);

	while (cursor_next(cursor))
		take_stored(argument, cursor_text(cursor, "name"), cursor_text(cursor, "value"));
	return cursor_end(cursor, err);
}

int stored_settings_open(struct store *store, struct stored_settings **ret_settings, struct err *err)
{
	struct stored_settings *settings = calloc(1, sizeof(*settings));
	int rc = 0;

	if (settings == NULL)
		return err_set(err, ERR_MEMORY, "settings: no memory");
	pthread_rwlock_init(&settings->lock, NULL);
	for (size_t i = 0; i < STORED_COUNT && rc == 0; i++) {
		settings->is_default[i] = true;
		rc = conf_value_parse(&rows[i], rows[i].initial, &settings->values[i], err);
	}
	if (rc == 0)
		rc = store_read(store, read_all, settings, err);
	if (rc != 0) {
		stored_settings_free(settings);
		return rc;
	}
	*ret_settings = settings;
	return 0;
}

void stored_settings_free(struct stored_settings *settings)
{
	if (settings == NULL)
		return;
	for (size_t i = 0; i < STORED_COUNT; i++)
		conf_value_done(&rows[i], &settings->values[i]);
	pthread_rwlock_destroy(&settings->lock);
	free(settings);
}

/* --- for API handlers (manager/front/front.h) --- */

size_t front_setting_count(const struct front *front)
{
	(void)front;
	return STORED_COUNT;
}

int front_setting_at(struct front *front, size_t index, struct front_setting *ret_setting, struct err *err)
{
	struct stored_settings *settings = front->stored;
	const struct conf_row *row;
	struct buf text, allowed;

	if (index >= STORED_COUNT)
		return err_set(err, ERR_NOT_FOUND, "there is no such setting");
	row = &rows[index];
	buf_init(&text, sizeof(ret_setting->value) - 1);
	buf_init(&allowed, sizeof(ret_setting->allowed) - 1);
	conf_value_allowed(row, &allowed);
	pthread_rwlock_rdlock(&settings->lock);
	conf_value_format(row, &settings->values[index], &text);
	ret_setting->is_default = settings->is_default[index];
	pthread_rwlock_unlock(&settings->lock);
	ret_setting->name = row->key;
	ret_setting->type = type_names[row->type];
	ret_setting->help = row->help;
	ret_setting->default_text = row->initial;
	snprintf(ret_setting->value, sizeof(ret_setting->value), "%s", buf_text(&text));
	snprintf(ret_setting->allowed, sizeof(ret_setting->allowed), "%s", buf_text(&allowed));
	buf_done(&text);
	buf_done(&allowed);
	return 0;
}

int front_setting_get(struct front *front, const char *name, struct front_setting *ret_setting, struct err *err)
{
	int which = find(name);

	if (which < 0)
		return err_set(err, ERR_UNKNOWN, "there is no setting '%.64s'", name);
	return front_setting_at(front, (size_t)which, ret_setting, err);
}

struct change {
	struct front *front;
	const struct front_field *values;
	size_t count;
	const struct front_actor *actor;
};

static int write_change(struct store_session *session, void *argument, struct err *err)
{
	const struct change *change = argument;
	int rc = 0;

	for (size_t i = 0; i < change->count && rc == 0; i++) {
		const struct front_field *field = &change->values[i];
		const struct store_statement *statement =
		    field->value != NULL ? &QUERY_SETTING_SET : &QUERY_SETTING_UNSET;
		struct cursor *cursor = cursor_open(session, statement);

		cursor_bind_text(cursor, "name", field->name);
		if (field->value != NULL)
			cursor_bind_text(cursor, "value", field->value);
		rc = cursor_run(cursor, err);
		if (rc == 0)
			rc = front_audit(change->front, session, change->actor, "setting.set", field->name,
					 field->value != NULL ? field->value : "", "done", err);
	}
	return rc;
}

/* What a row of the table cannot say. */
static int check_addresses(struct front *front, const char *text, struct err *err)
{
	struct address_range ranges[ENROLMENT_RANGES_MAX];
	size_t count;

	(void)front;
	return enrolment_ranges_parse(text, ranges, &count, err);
}

static int check_policy(struct front *front, const char *text, struct err *err)
{
	char name[POLICY_NAME_MAX_BYTES + 1];

	return front_policy_name(front, text, name, NULL) == 0
		   ? 0
		   : err_set(err, ERR_RANGE, "there is no policy '%.100s'", text);
}

static int (*const checks[STORED_COUNT])(struct front *front, const char *text, struct err *err) = {
	[STORED_ENROLMENT_ADDRESSES] = check_addresses,
	[STORED_ENROLMENT_POLICY] = check_policy,
};

static int check_change(struct front *front, const struct front_field *field, union conf_value *ret_value,
			int *ret_which, struct err *err)
{
	int rc;

	*ret_which = find(field->name);
	if (*ret_which < 0)
		return err_set(err, ERR_UNKNOWN, "there is no setting '%.64s'", field->name);
	rc = conf_value_parse(&rows[*ret_which], field->value != NULL ? field->value : rows[*ret_which].initial,
			      ret_value, err);
	if (rc == 0 && checks[*ret_which] != NULL) {
		rc = checks[*ret_which](front, ret_value->text != NULL ? ret_value->text : "", err);
		if (rc != 0)
			conf_value_done(&rows[*ret_which], ret_value);
	}
	return rc == 0 ? 0 : err_add(err, rc, "%s", field->name);
}

int front_setting_set(struct front *front, const struct front_field *values, size_t count,
		      const struct front_actor *actor, struct err *err)
{
	struct change change = { front, values, count, actor };
	union conf_value parsed[STORED_COUNT];
	int which[STORED_COUNT], rc = 0;
	size_t parsed_count = 0;

	if (count > STORED_COUNT)
		return err_set(err, ERR_LIMIT, "more settings than there are");
	for (; parsed_count < count && rc == 0; parsed_count += rc == 0)
		rc = check_change(front, &values[parsed_count], &parsed[parsed_count], &which[parsed_count], err);
	if (rc == 0)
		rc = store_write_wait(front->store, write_change, &change, err);
	if (rc != 0) {
		for (size_t i = 0; i < parsed_count; i++)
			conf_value_done(&rows[which[i]], &parsed[i]);
		return rc;
	}
	pthread_rwlock_wrlock(&front->stored->lock);
	for (size_t i = 0; i < count; i++) {
		conf_value_done(&rows[which[i]], &front->stored->values[which[i]]);
		front->stored->values[which[i]] = parsed[i];
		front->stored->is_default[which[i]] = values[i].value == NULL;
	}
	pthread_rwlock_unlock(&front->stored->lock);
	return 0;
}
