/* Destinations: what their rows mean, and deliveries made for them. What
 * administrators typed is checked here. */
#include "manager/front/destination.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define DATAGRAM_MAX_BYTES 8192 /* longer ones are cut: receivers do it anyway */
#define MESSAGE_MAX_BYTES  (32 * 1024)

const char *const destination_kinds[] = { "syslog", "email", "webhook", NULL };
const char *const destination_contents[] = { "events", "alerts", NULL };
const char *const destination_formats[] = { "cef", "json", NULL };

static const struct scheme {
	const char *name;
	enum destination_kind kind;
	enum delivery_kind delivery;
	bool needs_port;
	bool local_only;
} schemes[] = {
	{ "udp", DESTINATION_SYSLOG, DELIVERY_DATAGRAM, true, false },
	{ "tcp", DESTINATION_SYSLOG, DELIVERY_STREAM, true, false },
	{ "tls", DESTINATION_SYSLOG, DELIVERY_STREAM, true, false },
	{ "smtp", DESTINATION_EMAIL, DELIVERY_MAIL, false, false },
	{ "smtps", DESTINATION_EMAIL, DELIVERY_MAIL, false, false },
	{ "smtp-plain", DESTINATION_EMAIL, DELIVERY_MAIL, false, false },
	{ "https", DESTINATION_WEBHOOK, DELIVERY_POST, false, false },
	{ "http", DESTINATION_WEBHOOK, DELIVERY_POST, false, true },
};

/* --- URLs --- */

static const struct scheme *scheme_of(const char *url)
{
	for (size_t i = 0; i < COUNT_OF(schemes); i++) {
		size_t size = strlen(schemes[i].name);

		if (strncmp(url, schemes[i].name, size) == 0 && strncmp(url + size, "://", 3) == 0)
			return &schemes[i];
	}
	return NULL;
}

static bool is_local(const char *host)
{
	static const char *const names[] = { "localhost", "127.0.0.1", "[::1]" };

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		size_t size = strlen(names[i]);

		if (strncmp(host, names[i], size) == 0 &&
		    (host[size] == '\0' || host[size] == ':' || host[size] == '/'))
			return true;
	}
	return false;
}

static bool has_port(const char *host)
{
	const char *colon = strrchr(host, ':');

	return colon != NULL && colon != host && number_parse(colon + 1, 1, 65535, &(uint64_t){ 0 }, NULL) == 0;
}

static bool printable(const char *url)
{
	for (; *url != '\0'; url++) {
		if (*url <= 32 || *url >= 127)
			return false;
	}
	return true;
}

static int find_scheme(const char *url, const struct scheme **ret_scheme, struct err *err)
{
	const struct scheme *scheme = scheme_of(url);
	const char *host = scheme != NULL ? url + strlen(scheme->name) + 3 : NULL;

	if (scheme == NULL)
		return err_set(err, ERR_FORMAT,
			       "begins with none of udp:// tcp:// tls:// (syslog), smtp:// smtps:// smtp-plain:// "
			       "(mail), https:// (webhook)");
	if (host[0] == '\0' || host[0] == '/' || host[0] == ':' || !printable(url))
		return err_set(err, ERR_FORMAT, "names no host");
	if (strchr(host, '@') != NULL)
		return err_set(err, ERR_FORMAT, "holds a user: give user and password by themselves");
	if (scheme->needs_port && !has_port(host))
		return err_set(err, ERR_FORMAT,
			       "needs a port at its end (514 for udp and tcp, 6514 for tls are usual)");
	if (scheme->local_only && !is_local(host))
		return err_set(err, ERR_FORMAT, "is not encrypted: use https, or http to this machine alone");
	*ret_scheme = scheme;
	return 0;
}

int destination_kind_of(const char *url, enum destination_kind *ret_kind, struct err *err)
{
	const struct scheme *scheme;
	int rc = find_scheme(url, &scheme, err);

	if (rc == 0)
		*ret_kind = scheme->kind;
	return rc;
}

/* --- checks --- */

static int check_mail(const struct destination *destination, const char **ret_member, struct err *err)
{
	*ret_member = "from";
	if (!forward_is_address(destination->from))
		return err_set(err, ERR_FORMAT, "is not a mail address; mail needs one");
	*ret_member = "to";
	if (destination->to_count == 0)
		return err_set(err, ERR_RANGE, "is empty; mail needs at least one address");
	for (size_t i = 0; i < destination->to_count; i++) {
		if (!forward_is_address(destination->to[i]))
			return err_set(err, ERR_FORMAT, "'%s' is not a mail address", destination->to[i]);
	}
	*ret_member = "user";
	if (strncmp(destination->url, "smtp-plain:", 11) == 0 && destination->user[0] != '\0')
		return err_set(err, ERR_DENIED,
			       "a password is not sent without TLS: use smtp:// (STARTTLS) or smtps://");
	return 0;
}

int destination_check(const struct destination *destination, const char **ret_member, struct err *err)
{
	enum destination_kind kind;
	int rc;

	*ret_member = "url";
	rc = destination_kind_of(destination->url, &kind, err);
	if (rc == 0 && kind == DESTINATION_EMAIL)
		rc = check_mail(destination, ret_member, err);
	if (rc == 0 && kind != DESTINATION_EMAIL && destination->to_count > 0) {
		*ret_member = "to";
		rc = err_set(err, ERR_RANGE, "is for mail alone");
	}
	if (rc == 0 && kind != DESTINATION_WEBHOOK && destination->secret[0] != '\0') {
		*ret_member = "secret";
		rc = err_set(err, ERR_RANGE, "is for webhooks alone");
	}
	if (rc == 0 && strlen(destination->ca_pem) > DELIVERY_CA_MAX_BYTES) {
		*ret_member = "ca";
		rc = err_set(err, ERR_LIMIT, "is longer than %d bytes", DELIVERY_CA_MAX_BYTES);
	}
	return rc;
}

/* --- rows --- */

static int word(const char *const *words, const char *text)
{
	for (int i = 0; words[i] != NULL; i++) {
		if (strcmp(words[i], text) == 0)
			return i;
	}
	return 0;
}

static void read_recipients(const char *text, struct destination *destination)
{
	json_t *list = json_loads(text, 0, NULL);
	json_t *value;
	size_t i;

	json_array_foreach(list, i, value)
	{
		if (i < DELIVERY_RECIPIENTS_MAX && json_is_string(value))
			snprintf(destination->to[destination->to_count++], DELIVERY_NAME_BYTES, "%s",
				 json_string_value(value));
	}
	json_decref(list);
}

#define COPY(place, column) snprintf(place, sizeof(place), "%s", cursor_text(cursor, column))

int destination_read(struct cursor *cursor, struct destination *ret_destination, struct err *err)
{
	struct destination *destination = ret_destination;
	const struct scheme *scheme;

	*destination = (struct destination){ 0 };
	cursor_uuid(cursor, "id", &destination->id);
	COPY(destination->name, "name");
	COPY(destination->url, "url");
	COPY(destination->from, "mail_from");
	COPY(destination->user, "user_name");
	COPY(destination->password, "password");
	COPY(destination->secret, "secret");
	scheme = scheme_of(destination->url);
	destination->kind = scheme != NULL ? scheme->kind : DESTINATION_SYSLOG;
	destination->content = (enum destination_content)word(destination_contents, cursor_text(cursor, "content"));
	destination->least = event_severity_of(cursor_text(cursor, "least_severity"));
	destination->format = (enum forward_format)word(destination_formats, cursor_text(cursor, "format"));
	destination->facility = forward_facility(cursor_text(cursor, "facility"));
	read_recipients(cursor_text(cursor, "mail_to"), destination);
	destination->enabled = cursor_number(cursor, "enabled") != 0;
	destination->position = cursor_number(cursor, "position");
	destination->failing = !cursor_is_null(cursor, "failing_since");
	destination->ca_pem = strdup(cursor_text(cursor, "ca_pem"));
	return destination->ca_pem != NULL ? 0 : err_set(err, ERR_MEMORY, "no memory");
}

void destination_done(struct destination *destination)
{
	free(destination->ca_pem);
	OPENSSL_cleanse(destination, sizeof(*destination));
}

/* --- what goes there --- */

bool destination_wants(const struct destination *destination, const struct forward_event *event, bool forwarded)
{
	if (destination->content == DESTINATION_ALERTS)
		return event->number == EVENT_ALERT_CHANGED;
	return forwarded && event->severity >= destination->least;
}

/* Not within a character. */
static void cut(struct buf *text, size_t max)
{
	if (text->size <= max)
		return;
	while (max > 0 && (text->data[max] & 0xC0) == 0x80)
		max--;
	text->size = max;
	text->data[max] = '\0';
}

static bool add_message(struct buf *content, struct buf *message, bool framed, struct delivery *delivery,
			size_t offsets[DELIVERY_PARTS_MAX])
{
	size_t before = content->size;

	if (delivery->part_count == DELIVERY_PARTS_MAX)
		return false;
	if (framed)
		forward_frame(message->data, message->size, content);
	else
		buf_append(content, message->data, message->size);
	if (content->status == 0) {
		offsets[delivery->part_count++] = before;
		return true;
	}
	content->status = 0;
	content->size = before;
	return false;
}

static void compose_syslog(const struct destination *destination, bool datagrams, const struct forward_origin *origin,
			   const struct forward_event *events, size_t count, struct buf *content,
			   struct delivery *delivery, size_t *ret_used)
{
	size_t offsets[DELIVERY_PARTS_MAX] = { 0 };
	bool fits = true;
	struct buf message;

	buf_init(&message, 4 * MIB);
	for (*ret_used = 0; fits && *ret_used < count; *ret_used += fits ? 1 : 0) {
		buf_reset(&message);
		forward_syslog(origin, &events[*ret_used], destination->format, destination->facility, &message);
		cut(&message, datagrams ? DATAGRAM_MAX_BYTES : MESSAGE_MAX_BYTES);
		fits = add_message(content, &message, !datagrams, delivery, offsets);
	}
	buf_done(&message);
	if (!datagrams) {
		delivery->part_count = 1;
		delivery->parts[0] = (struct bytes){ content->data, content->size };
		return;
	}
	for (size_t i = 0; i < delivery->part_count; i++) {
		size_t end = i + 1 < delivery->part_count ? offsets[i + 1] : content->size;

		delivery->parts[i] = (struct bytes){ content->data + offsets[i], end - offsets[i] };
	}
}

static int sign(const struct destination *destination, const struct buf *content, time_us now,
		struct delivery *delivery, struct err *err)
{
	uint8_t mac[SHA256_BYTES];
	char hex[SHA256_TEXT_BYTES];
	unsigned size = sizeof(mac);
	struct buf text;
	int rc = 0;

	if (destination->secret[0] == '\0')
		return 0;
	buf_init(&text, DELIVERY_CONTENT_BYTES + 64);
	buf_printf(&text, "%lld.", (long long)(now / SECOND_US));
	buf_append(&text, content->data, content->size);
	if (text.status != 0 || HMAC(EVP_sha256(), destination->secret, (int)strlen(destination->secret), text.data,
				     text.size, mac, &size) == NULL)
		rc = err_set(err, ERR_INTERNAL, "the webhook's content could not be signed");
	hex_format(mac, sizeof(mac), hex);
	if (rc == 0)
		snprintf(delivery->header, sizeof(delivery->header), "Muster-Signature: t=%lld,v1=%s",
			 (long long)(now / SECOND_US), hex);
	buf_done(&text);
	return rc;
}

static void write_whole(const struct destination *destination, const struct forward_origin *origin,
			const struct forward_event *events, size_t count, time_us now, struct buf *content)
{
	const char *to[DELIVERY_RECIPIENTS_MAX];
	const struct forward_mail mail = {
		.from = destination->from, .to = to, .to_count = destination->to_count, .now = now
	};

	for (size_t i = 0; i < destination->to_count; i++)
		to[i] = destination->to[i];
	if (destination->kind == DESTINATION_EMAIL)
		forward_mail(origin, &mail, events, count, content);
	else
		forward_webhook(origin, events, count, content);
}

/* One message about as many as fit; an event that does not even fit alone loses its fields. */
static int compose_whole(const struct destination *destination, const struct forward_origin *origin,
			 const struct forward_event *events, size_t count, time_us now, struct buf *content,
			 struct delivery *delivery, size_t *ret_used, struct err *err)
{
	struct forward_event bare = events[0];

	for (*ret_used = count;; *ret_used /= 2) {
		buf_reset(content);
		write_whole(destination, origin, events, *ret_used, now, content);
		if (content->status == 0 || *ret_used == 1)
			break;
	}
	if (content->status != 0) {
		bare.field_count = 0;
		buf_reset(content);
		write_whole(destination, origin, &bare, 1, now, content);
	}
	if (content->status != 0)
		return err_set(err, content->status, "event %u could not be written down", (unsigned)bare.number);
	delivery->part_count = 1;
	delivery->parts[0] = (struct bytes){ content->data, content->size };
	return destination->kind == DESTINATION_WEBHOOK ? sign(destination, content, now, delivery, err) : 0;
}

int destination_compose(const struct destination *destination, const struct forward_origin *origin,
			const struct forward_event *events, size_t count, time_us now, struct buf *content,
			struct delivery *delivery, size_t *ret_used, struct err *err)
{
	const struct scheme *scheme;
	int rc = find_scheme(destination->url, &scheme, err);

	if (rc != 0)
		return err_add(err, rc, "%s", destination->url);
	*delivery = (struct delivery){ .kind = scheme->delivery };
	snprintf(delivery->url, sizeof(delivery->url), "%s", destination->url);
	snprintf(delivery->user, sizeof(delivery->user), "%s", destination->user);
	snprintf(delivery->password, sizeof(delivery->password), "%s", destination->password);
	snprintf(delivery->from, sizeof(delivery->from), "%s", destination->from);
	delivery->to_count = destination->to_count;
	memcpy(delivery->to, destination->to, sizeof(delivery->to));
	delivery->ca = (struct bytes){ (const uint8_t *)destination->ca_pem, strlen(destination->ca_pem) };
	if (destination->kind != DESTINATION_SYSLOG)
		return compose_whole(destination, origin, events, count, now, content, delivery, ret_used, err);
	compose_syslog(destination, scheme->delivery == DELIVERY_DATAGRAM, origin, events, count, content, delivery,
		       ret_used);
	return content->status != 0 ? err_set(err, content->status, "no memory") : 0;
}
