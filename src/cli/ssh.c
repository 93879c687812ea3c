/* The system's ssh: arguments and answers. What a host or ssh printed is untrusted. */
#include "cli/ssh.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"

#define KEY_TEXT_MAX_BYTES 4096
#define PREFIX             "SHA256:"
#define PRINT_BYTES        43 /* base64 of 32 bytes without padding */

/* --- what may stand where --- */

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static bool is_of(const char *text, const char *allowed, size_t most)
{
	size_t length = strspn(text, allowed);

	return length > 0 && length <= most && text[length] == '\0' && text[0] != '-';
}

bool ssh_is_host(const char *text)
{
	return is_of(text, LETTERS ".-_:", 253);
}

bool ssh_is_user(const char *text)
{
	return is_of(text, LETTERS ".-_", 64);
}

bool ssh_is_path(const char *text)
{
	size_t length = strlen(text);

	return length > 0 && length < SSH_TEXT_BYTES && strpbrk(text, "\"'\\%\n\r\t") == NULL;
}

/* --- arguments --- */

static void add(struct ssh_arguments *arguments, const char *word)
{
	if (arguments->count < SSH_ARGUMENTS_MAX)
		arguments->words[arguments->count++] = word;
	arguments->words[arguments->count] = NULL;
}

static void add_option(struct ssh_arguments *arguments, const char *option)
{
	add(arguments, "-o");
	add(arguments, option);
}

void ssh_arguments(const struct ssh_target *target, struct ssh_arguments *ret_arguments)
{
	/* Before the administrator's own configuration: the first value counts. */
	static const char *const always[] = {
		"StrictHostKeyChecking=yes",
		"UpdateHostKeys=no",
		"ConnectTimeout=20",
		"ServerAliveInterval=15",
		"ServerAliveCountMax=4",
		"ClearAllForwardings=yes",
		"ForwardAgent=no",
		"ForwardX11=no",
		"PermitLocalCommand=no",
		"ControlMaster=no",
		"ControlPath=none",
		"LogLevel=ERROR",
		"RequestTTY=no",
		"EscapeChar=none",
		"RemoteCommand=none",
		"SessionType=default",
		"StdinNull=no",
		"ForkAfterAuthentication=no",
	};
	static const char *const by_password[] = { "PreferredAuthentications=password,keyboard-interactive",
						   "PubkeyAuthentication=no", "NumberOfPasswordPrompts=1",
						   "BatchMode=no" };

	ret_arguments->count = 0;
	add(ret_arguments, "ssh");
	for (size_t i = 0; i < COUNT_OF(always); i++)
		add_option(ret_arguments, always[i]);
	for (size_t i = 0; target->password && i < COUNT_OF(by_password); i++)
		add_option(ret_arguments, by_password[i]);
	if (!target->password)
		add_option(ret_arguments, "BatchMode=yes");
	if (target->known_hosts != NULL) {
		snprintf(ret_arguments->known_hosts, sizeof(ret_arguments->known_hosts), "UserKnownHostsFile=\"%s\"",
			 target->known_hosts);
		add_option(ret_arguments, ret_arguments->known_hosts);
		add_option(ret_arguments, "GlobalKnownHostsFile=none");
		add_option(ret_arguments, "KnownHostsCommand=none");
	}
	if (target->identity != NULL) {
		add_option(ret_arguments, "IdentitiesOnly=yes");
		add(ret_arguments, "-i");
		add(ret_arguments, target->identity);
	}
	if (target->port != NULL) {
		add(ret_arguments, "-p");
		add(ret_arguments, target->port);
	}
	if (target->user != NULL) {
		add(ret_arguments, "-l");
		add(ret_arguments, target->user);
	}
	add(ret_arguments, "--");
	add(ret_arguments, target->host);
	add(ret_arguments, target->command);
}

/* --- failures --- */

static const struct {
	const char *name, *advice;
} failures[] = {
	[SSH_UNREACHABLE] = { "unreachable", "check the name, that it runs, and that its SSH port can be reached" },
	[SSH_HOST_KEY] = { "host_key",
			   "its host key is not known here, or is another one: compare it at the computer itself "
			   "(ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then add it to known_hosts or give "
			   "--host-key-fingerprint" },
	[SSH_DENIED] = { "denied", "the user, the key or the password is not accepted there" },
	[SSH_BROKEN] = { "broken", "the connection broke; run it again, what is there is kept" },
};
_Static_assert(COUNT_OF(failures) == SSH_FAILURES, "a row for each failure");

static const struct {
	const char *words;
	enum ssh_failure failure;
} sayings[] = {
	{ "Host key verification failed", SSH_HOST_KEY },
	{ "host key is known for", SSH_HOST_KEY },
	{ "REMOTE HOST IDENTIFICATION HAS CHANGED", SSH_HOST_KEY },
	{ "Permission denied", SSH_DENIED },
	{ "Too many authentication failures", SSH_DENIED },
	{ "Could not resolve hostname", SSH_UNREACHABLE },
	{ "Connection refused", SSH_UNREACHABLE },
	{ "Connection timed out", SSH_UNREACHABLE },
	{ "No route to host", SSH_UNREACHABLE },
	{ "Network is unreachable", SSH_UNREACHABLE },
	{ "banner exchange", SSH_UNREACHABLE },
	{ "kex_exchange_identification", SSH_UNREACHABLE },
};

enum ssh_failure ssh_failure_of(const char *line)
{
	for (size_t i = 0; i < COUNT_OF(sayings); i++) {
		if (strstr(line, sayings[i].words) != NULL)
			return sayings[i].failure;
	}
	return SSH_FAILURES;
}

const char *ssh_failure_name(enum ssh_failure failure)
{
	return failures[failure < SSH_FAILURES ? failure : SSH_BROKEN].name;
}

const char *ssh_failure_advice(enum ssh_failure failure)
{
	return failures[failure < SSH_FAILURES ? failure : SSH_BROKEN].advice;
}

/* --- host keys --- */

/* Standard base64 of a known length, padded by us. */
static int decode(const char *text, size_t length, uint8_t *out, size_t *ret_size)
{
	char padded[KEY_TEXT_MAX_BYTES + 4];
	size_t pad = (4 - length % 4) % 4;
	int size;

	if (length == 0 || length > KEY_TEXT_MAX_BYTES || pad == 3)
		return ERR_FORMAT;
	memcpy(padded, text, length);
	memset(padded + length, '=', pad);
	size = EVP_DecodeBlock(out, (const unsigned char *)padded, (int)(length + pad));
	if (size < 0 || (size_t)size < pad)
		return ERR_FORMAT;
	*ret_size = (size_t)size - pad;
	return 0;
}

int ssh_fingerprint_parse(const char *text, uint8_t fingerprint[SHA256_BYTES], struct err *err)
{
	uint8_t bytes[SHA256_BYTES + 3];
	size_t size = 0;

	if (strncmp(text, PREFIX, strlen(PREFIX)) != 0 || strlen(text) != strlen(PREFIX) + PRINT_BYTES ||
	    decode(text + strlen(PREFIX), PRINT_BYTES, bytes, &size) != 0 || size != SHA256_BYTES)
		return err_set(err, ERR_FORMAT,
			       "'%.80s' is no fingerprint of a host key: SHA256:… as ssh-keygen -lf prints it", text);
	memcpy(fingerprint, bytes, SHA256_BYTES);
	return 0;
}

/* "HOST TYPE BASE64", a space between: how long that is, and where the third word begins. ssh takes words apart at more
 * than spaces, and has lines of other kinds: what it could read otherwise than we do is no key's line, 0. */
static size_t key_line(const char *line, size_t length, size_t *ret_third)
{
	size_t at = 0;

	if (length == 0 || line[0] == '#' || line[0] == '@')
		return 0;
	for (int i = 0; i < 3; i++) {
		if (i > 0 && (at == length || line[at++] != ' '))
			return 0;
		*ret_third = at;
		while (at < length && line[at] > ' ' && line[at] <= '~')
			at++;
		if (at == *ret_third)
			return 0;
	}
	return at == length || line[at] == ' ' || line[at] == '\r' ? at : 0;
}

/* The SHA-256 of the key itself. */
static int fingerprint_of_key(const char *word, size_t length, uint8_t fingerprint[SHA256_BYTES])
{
	uint8_t key[KEY_TEXT_MAX_BYTES];
	size_t size = 0;

	while (length > 0 && word[length - 1] == '=')
		length--;
	if (decode(word, length, key, &size) != 0)
		return ERR_FORMAT;
	return EVP_Digest(key, size, fingerprint, NULL, EVP_sha256(), NULL) == 1 ? 0 : ERR_INTERNAL;
}

static void add_offered(const uint8_t fingerprint[SHA256_BYTES], struct buf *offered)
{
	unsigned char text[64];

	EVP_EncodeBlock(text, fingerprint, SHA256_BYTES);
	buf_printf(offered, "%s" PREFIX "%.*s", offered->size > 0 ? ", " : "", PRINT_BYTES, (const char *)text);
}

int ssh_known_hosts(const char *scan, const uint8_t fingerprint[SHA256_BYTES], struct buf *ret_lines, struct err *err)
{
	struct buf offered;
	int rc = 0;

	buf_init(&offered, 400);
	while (*scan != '\0') {
		size_t length = strcspn(scan, "\n");
		uint8_t found[SHA256_BYTES];
		size_t third = 0, end = key_line(scan, length, &third);

		if (end != 0 && fingerprint_of_key(scan + third, end - third, found) == 0) {
			if (memcmp(found, fingerprint, SHA256_BYTES) == 0) {
				buf_append(ret_lines, scan, end);
				buf_append_byte(ret_lines, '\n');
			} else {
				add_offered(found, &offered);
			}
		}
		scan += length + (scan[length] == '\n');
	}
	if (ret_lines->size == 0)
		rc = err_set(err, ERR_UNTRUSTED, "its host keys are others: %s",
			     offered.size > 0 ? buf_text(&offered) : "none was offered");
	else
		rc = ret_lines->status;
	buf_done(&offered);
	return rc;
}
