/* Deciding, and the words for people. Pure; texts are escaped already. */
#include "alerts/alerts.h"

#include <inttypes.h>
#include <string.h>

void alert_settings_default(struct alert_settings *settings)
{
	for (size_t kind = 0; kind < ALERT_KINDS; kind++) {
		settings->enabled[kind] = true;
		settings->severity[kind] = alert_definitions[kind].severity;
	}
}

enum alert_severity alert_severity_of(const struct alert_settings *settings, const struct alert_fact *fact)
{
	return fact->critical ? ALERT_CRITICAL : settings->severity[fact->kind];
}

enum alert_change alert_decide(const struct alert_settings *settings, const struct alert_fact *fact,
			       const char *open_detail, enum alert_severity open_severity)
{
	bool open = open_detail != NULL;

	if (fact->holds && !open)
		return settings->enabled[fact->kind] ? ALERT_RAISE : ALERT_UNCHANGED;
	if (fact->holds && open_severity == alert_severity_of(settings, fact) && strcmp(open_detail, fact->detail) == 0)
		return ALERT_UNCHANGED;
	if (fact->holds)
		return ALERT_AMEND;
	return open && alert_definitions[fact->kind].resolves ? ALERT_RESOLVE : ALERT_UNCHANGED;
}

int alert_may_dismiss(enum alert_kind kind, enum alert_state state, struct err *err)
{
	if (state != ALERT_OPEN)
		return err_set(err, ERR_WRONG_STATE, "The alert has ended already (%s).", alert_state_name(state));
	if (!alert_definitions[kind].dismissible)
		return err_set(
		    err, ERR_WRONG_STATE,
		    "An alert of the type %s ends by itself, when its cause has ended; it cannot be dismissed.",
		    alert_definitions[kind].name);
	return 0;
}

void alert_names(const char *const *names, size_t count, uint64_t total, enum alert_language language, struct buf *out)
{
	static const char *const between[ALERT_LANGUAGES] = { ", ", "、" };
	static const char *const last[ALERT_LANGUAGES] = { " and ", "、" };

	if (count > total)
		total = count;
	for (size_t i = 0; i < count; i++) {
		bool is_last = i == count - 1 && total == count;

		if (i > 0)
			buf_append_text(out, is_last ? last[language] : between[language]);
		buf_append_text(out, names[i]);
	}
	if (total > count && language == ALERT_JAPANESE)
		buf_printf(out, "、ほか %" PRIu64 " 台", total - count);
	else if (total > count)
		buf_printf(out, " and %" PRIu64 " more", total - count);
}

void alert_text(enum alert_kind kind, enum alert_language language, const char *computer, const char *subject,
		const char *detail, struct buf *out)
{
	const struct {
		const char *name, *value;
	} values[] = { { "{computer}", computer }, { "{subject}", subject }, { "{detail}", detail } };
	const char *at = alert_definitions[kind].text[language];

	while (*at != '\0') {
		size_t which = 0, plain = strcspn(at, "{");

		buf_append(out, at, plain);
		at += plain;
		while (which < COUNT_OF(values) && strncmp(at, values[which].name, strlen(values[which].name)) != 0)
			which++;
		if (*at == '\0')
			break;
		if (which == COUNT_OF(values)) {
			buf_append_byte(out, (uint8_t)*at++);
			continue;
		}
		buf_append_text(out, values[which].value != NULL && values[which].value[0] != '\0' ? values[which].value
												   : "-");
		at += strlen(values[which].name);
		/* A value that is a sentence brings its own full stop. */
		if (*at == '.' && out->size > 0 && out->data[out->size - 1] == '.')
			at++;
	}
}
