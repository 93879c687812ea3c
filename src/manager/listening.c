/* Listeners and their TLS profiles. The settings come from the administrator. */
#include "manager/listening.h"

#include <string.h>

#include "base/units.h"
#include "manager/layout.h"

#define BETWEEN " ,\t"

/* Names for one port; or, with port 0, for all that no other part names. */
struct part {
	uint64_t port;
	const char *text;
	size_t size;
};

/* Bytes of "4345:", 0: no port stands there. */
static size_t port_size(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits > 0 && text[digits] == ':' ? digits + 1 : 0;
}

static int read_port(const char *text, size_t size, uint64_t *ret_port, struct err *err)
{
	char number[8];

	if (size > sizeof(number))
		return err_set(err, ERR_RANGE, "there is no port %.*s...", (int)sizeof(number), text);
	memcpy(number, text, size - 1);
	number[size - 1] = '\0';
	if (number_parse(number, 1, UINT16_MAX, ret_port, NULL) != 0)
		return err_set(err, ERR_RANGE, "there is no port %s", number);
	return 0;
}

/* The next part from *at on; its text is NULL at the end. */
static int next_part(const char **at, struct part *ret_part, struct err *err)
{
	const char *text = *at + strspn(*at, BETWEEN);
	struct part part = { 0 };
	size_t size = port_size(text);
	int rc = size > 0 ? read_port(text, size, &part.port, err) : 0;

	if (rc != 0)
		return rc;
	if (*text != '\0')
		part.text = text + size;
	for (text += size; *text != '\0' && port_size(text) == 0; text += strspn(text, BETWEEN))
		text += strcspn(text, BETWEEN);
	part.size = part.text != NULL ? (size_t)(text - part.text) : 0;
	*at = text;
	*ret_part = part;
	return 0;
}

/* False: nothing listens on that port. */
static bool give(struct listening *listening, uint64_t port, tls_profile_set profiles)
{
	bool given = false;

	for (size_t i = 0; i < listening->count; i++) {
		if (port == 0 || listening->items[i].address->port == port) {
			listening->items[i].profiles = profiles;
			given = true;
		}
	}
	return given;
}

static int take_part(struct listening *listening, const struct part *part, struct err *err)
{
	char names[CONF_VALUE_BYTES];
	tls_profile_set profiles;
	int rc;

	if (part->size >= sizeof(names))
		return err_set(err, ERR_LIMIT, "too long");
	memcpy(names, part->text, part->size);
	names[part->size] = '\0';
	rc = tls_profiles_parse(names, &profiles, err);
	if (rc == 0 && !give(listening, part->port, profiles))
		rc = err_set(err, ERR_RANGE,
			     "nothing listens on port %u: neither [network] listen nor console_listen names it",
			     (unsigned)part->port);
	return rc;
}

static void add_all(struct listening *plan, const struct conf_addresses *addresses, bool console)
{
	for (size_t i = 0; i < addresses->count; i++) {
		plan->items[plan->count].address = &addresses->items[i];
		plan->items[plan->count].profiles = TLS_PROFILE_MODERN;
		plan->items[plan->count++].console = console;
	}
	plan->console |= console && addresses->count > 0;
}

static void settle_rsa(struct listening *plan, bool wanted)
{
	for (size_t i = 0; i < plan->count; i++) {
		tls_profile_set profiles = plan->items[i].profiles;

		plan->items[i].rsa_only = tls_profiles_rsa_only(profiles);
		if (plan->items[i].console) { /* one certificate, of either kind */
			plan->items[i].rsa = plan->items[i].rsa_only;
			plan->console_rsa |= tls_profiles_want_rsa(profiles);
		} else {
			plan->items[i].rsa = wanted || tls_profiles_want_rsa(profiles);
			plan->rsa |= plan->items[i].rsa;
		}
	}
}

int listening_plan(const struct settings *settings, struct listening *ret_listening, struct err *err)
{
	struct listening plan = { .rsa = settings->rsa_certificate };
	const char *at = settings->tls_profiles;
	struct part part;
	int rc;

	add_all(&plan, &settings->listen, false);
	add_all(&plan, &settings->console_listen, true);
	while ((rc = next_part(&at, &part, err)) == 0 && part.text != NULL) {
		rc = take_part(&plan, &part, err);
		if (rc != 0)
			break;
	}
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < plan.count; i++)
		plan.all |= plan.items[i].profiles;
	settle_rsa(&plan, settings->rsa_certificate);
	*ret_listening = plan;
	return 0;
}

/* --- what may and can be served --- */

static void add_problem(struct buf *problems, size_t *count, const char *setting, const char *what)
{
	++*count;
	buf_printf(problems, "%s: [network] %s: %s\n", LAYOUT_SETTINGS, setting, what);
}

static void check_legacy(const struct settings *settings, const struct listening *plan, struct buf *problems,
			 size_t *count)
{
	tls_profile_set legacy = tls_profiles_legacy(plan->all);
	struct buf text;

	if (legacy == 0 || settings->legacy_tls == LEGACY_TLS_ACCEPT_RISK)
		return;
	buf_init(&text, CONF_VALUE_BYTES);
	tls_profiles_format(legacy, &text);
	buf_append_text(&text, ": whoever records such connections can read them later, and TLS 1.0 can be attacked "
			       "while they last; if old agents leave no choice, set legacy_tls = accept-risk");
	add_problem(problems, count, "tls_profiles", buf_text(&text));
	buf_done(&text);
}

/* Each set once, whichever listeners have it. */
static bool seen_before(const struct listening *plan, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (plan->items[i].profiles == plan->items[index].profiles)
			return true;
	}
	return false;
}

int listening_check(const struct settings *settings, struct buf *problems, struct err *err)
{
	struct listening plan;
	struct err why = { 0 };
	size_t count = 0;

	if (listening_plan(settings, &plan, &why) != 0) {
		add_problem(problems, &count, "tls_profiles", why.text);
	} else {
		check_legacy(settings, &plan, problems, &count);
		for (size_t i = 0; i < plan.count; i++) {
			if (!seen_before(&plan, i) && tls_profiles_check(plan.items[i].profiles, &why) != 0)
				add_problem(problems, &count, "tls_profiles", why.text);
		}
	}
	return count == 0
		   ? 0
		   : err_set(err, ERR_REFUSED, "%s: %zu problem%s", LAYOUT_SETTINGS, count, count == 1 ? "" : "s");
}
