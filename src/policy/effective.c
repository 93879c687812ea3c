/* Values in force, and as they travel. What effective_read() takes comes from
 * the manager, signed, and is checked value by value all the same. */
#include "policy/effective.h"

#include <stdlib.h>
#include <string.h>

int effective_init(struct effective *effective, struct err *err)
{
	static const char *const none[SETTINGS_COUNT];

	return effective_parse(none, effective, err);
}

void effective_done(struct effective *effective)
{
	for (unsigned id = 0; id < SETTINGS_COUNT; id++) {
		const struct conf_row *row = &policy_settings[id].value;
		union conf_value nothing = { 0 };

		conf_value_store(row, effective, &nothing);
	}
}

static int parse_one(enum setting_id id, const char *text, struct effective *effective, struct err *err)
{
	const struct conf_row *row = &policy_settings[id].value;
	union conf_value value = { 0 };
	int rc = conf_value_parse(row, text, &value, err);

	if (rc == 0)
		conf_value_store(row, effective, &value);
	return rc;
}

int effective_parse(const char *const values[SETTINGS_COUNT], struct effective *effective, struct err *err)
{
	struct effective made;
	int rc = 0;

	memset(&made, 0, sizeof(made));
	for (unsigned id = 0; rc == 0 && id < SETTINGS_COUNT; id++) {
		rc = parse_one(id, values[id] != NULL ? values[id] : setting_default(id), &made, err);
		if (rc != 0)
			err_add(err, rc, "%s", setting_name(id));
	}
	if (rc != 0)
		effective_done(&made);
	else
		*effective = made;
	return rc;
}

void effective_format(const struct effective *effective, enum setting_id id, struct buf *out)
{
	union conf_value value;

	conf_value_load(&policy_settings[id].value, effective, &value);
	conf_value_format(&policy_settings[id].value, &value, out);
}

/* --- reading --- */

static int copy_all(const struct effective *from, struct effective *ret_copy, struct err *err)
{
	struct buf texts[SETTINGS_COUNT];
	const char *values[SETTINGS_COUNT];
	int rc;

	for (unsigned id = 0; id < SETTINGS_COUNT; id++) {
		buf_init(&texts[id], CONF_VALUE_BYTES + 1);
		effective_format(from, id, &texts[id]);
		values[id] = buf_text(&texts[id]);
	}
	rc = effective_parse(values, ret_copy, err);
	for (unsigned id = 0; id < SETTINGS_COUNT; id++)
		buf_done(&texts[id]);
	return rc;
}

static int read_value(const Muster__Wire__Field *field, struct effective *effective, struct err *err)
{
	enum setting_id id = setting_find(field->name);
	char text[CONF_VALUE_BYTES + 1];

	if (id == SETTINGS_COUNT)
		return err_set(err, ERR_UNKNOWN, "this agent knows no such setting");
	if (field->value.len >= sizeof(text))
		return err_set(err, ERR_LIMIT, "longer than %d bytes", CONF_VALUE_BYTES);
	if (field->value.len > 0 && memchr(field->value.data, '\0', field->value.len) != NULL)
		return err_set(err, ERR_FORMAT, "control characters are not allowed");
	if (field->value.len > 0)
		memcpy(text, field->value.data, field->value.len);
	text[field->value.len] = '\0';
	return parse_one(id, text, effective, err);
}

static void note_problem(const Muster__Wire__Field *field, const struct err *why, struct buf *problems)
{
	int shown = field->value.len < 100 ? (int)field->value.len : 100;

	if (setting_is_secret(setting_find(field->name))) {
		buf_printf(problems, "%s: %s\n", field->name, why->text);
		return;
	}
	buf_printf(problems, "%s = %.*s: %s\n", field->name, shown, (const char *)field->value.data, why->text);
}

int effective_read(const Muster__Wire__Configuration *configuration, struct effective *effective, struct buf *problems,
		   struct err *err)
{
	struct effective made;
	size_t bad = 0;
	int rc = copy_all(effective, &made, err);

	if (rc != 0)
		return rc;
	for (size_t i = 0; i < configuration->n_settings; i++) {
		const Muster__Wire__Field *field = configuration->settings[i];
		struct err why = { 0 };

		if (read_value(field, &made, &why) == 0)
			continue;
		note_problem(field, &why, problems);
		if (bad++ == 0)
			err_set(err, ERR_FORMAT, "%s: %s", field->name, why.text);
	}
	if (bad > 0) {
		effective_done(&made);
		return ERR_FORMAT;
	}
	effective_done(effective);
	*effective = made;
	return 0;
}

/* --- packing --- */

int effective_pack(const char *const values[SETTINGS_COUNT], struct buf *out, struct err *err)
{
	Muster__Wire__Field fields[SETTINGS_COUNT];
	Muster__Wire__Field *list[SETTINGS_COUNT];
	Muster__Wire__Configuration configuration = MUSTER__WIRE__CONFIGURATION__INIT;
	uint8_t *room;
	size_t size;

	configuration.settings = list;
	for (unsigned id = 0; id < SETTINGS_COUNT; id++) {
		const char *text = values[id] != NULL ? values[id] : setting_default(id);
		Muster__Wire__Field *field = &fields[configuration.n_settings];

		if ((policy_settings[id].components & SETTING_BY_AGENT) == 0)
			continue;
		muster__wire__field__init(field);
		field->name = (char *)(uintptr_t)setting_name(id);
		field->value = exchange_bytes(text, strlen(text));
		list[configuration.n_settings++] = field;
	}
	size = muster__wire__configuration__get_packed_size(&configuration);
	room = size <= EFFECTIVE_PACKED_BYTES ? buf_room(out, size) : NULL;
	if (room == NULL)
		return err_set(err, ERR_LIMIT, "the configuration is larger than a message may be");
	muster__wire__configuration__pack(&configuration, room);
	buf_grow(out, size);
	return 0;
}
