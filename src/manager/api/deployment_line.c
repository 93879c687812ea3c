/* The line that installs an agent (deployment_line.h). For any shell that people paste into: sh, bash, dash, busybox,
 * zsh; therefore functions, and no variable that would have to be split. No '%' and no newline: cron reads it as well.
 */
#include "manager/api/deployment_line.h"

#include <string.h>

bool deployment_is_url(const char *text)
{
	static const char scheme[] = "https://";
	size_t length;

	if (strncmp(text, scheme, strlen(scheme)) != 0 || strlen(text) > DEPLOYMENT_URL_MAX_BYTES)
		return false;
	text += strlen(scheme);
	length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]");
	return length > 0 && text[0] != '-' && text[length] == '\0';
}

/* -q, --no-config: what is in root's own settings of curl or wget must not switch checks off. */
static const char fetchers[] =
    "if command -v curl >/dev/null;then k(){ curl -qfsSk \"$1\";};c(){ curl -qfsS --cacert ca.pem \"$1\";};"
    "else k(){ wget --no-config -nv -O- --no-check-certificate \"$1\";};"
    "c(){ wget --no-config -nv -O- --ca-certificate=ca.pem \"$1\";};fi;";

/* The certificate is written anew from what was compared: a reader that finds another one in the text that came (one
 * that is behind the first, or hidden in what this decoder passes over) never gets to see it. */
static const char authority[] = "k $MUSTER_MANAGER/ca.pem|sed -n '1,/-END/{/-----/!p;}'|base64 -d>ca;"
				"[ \"$(sha256sum<ca|cut -c-64)\" = $MUSTER_CA_FINGERPRINT ]||"
				"{ echo \"muster: $MUSTER_MANAGER did not give the CA certificate with this "
				"fingerprint: nothing was installed\">&2;"
				"exit 1;};"
				"{ echo -----BEGIN CERTIFICATE-----;base64 ca;echo -----END CERTIFICATE-----;}>ca.pem&&"
				"c $MUSTER_MANAGER/agent/v1/install.sh>install.sh&&sh install.sh";

static void put_work(const char *arguments, struct buf *out)
{
	buf_printf(out, "d=$(mktemp -d)&&cd \"$d\"&&trap 'rm -rf \"$d\"' EXIT||exit 1;%s%s%s)", fetchers, authority,
		   arguments);
}

/* Up to an hour by chance, so that a fleet does not come at once. */
#define JITTER "sleep $(($(od -An -N1 -tu1 /dev/urandom)*${MUSTER_JITTER-14}));"

static void put_once(const struct deployment_line *line, struct buf *out)
{
	buf_printf(out, "(export MUSTER_MANAGER=%s MUSTER_CA_FINGERPRINT=%s MUSTER_ENROLMENT_TOKEN=%s;", line->url,
		   line->fingerprint, line->token);
	put_work("", out);
	buf_append_text(out, "\n");
}

static void put_login(const struct deployment_line *line, struct buf *out)
{
	buf_printf(out, "(export MUSTER_MANAGER=%s MUSTER_CA_FINGERPRINT=%s MUSTER_ENROLMENT_TOKEN=%s;" JITTER,
		   line->url, line->fingerprint, line->token);
	put_work(" --quiet", out);
	buf_append_text(out, " 2>&1|logger -t muster-agent &\n");
}

/* The token stands in a line of its own: cron puts that into the environment, and not into arguments that others on the
 * computer can see. */
static void put_cron(const struct deployment_line *line, struct buf *out)
{
	buf_printf(out,
		   "# /etc/cron.d/muster-agent (owner root, mode 0600): installs Muster's agent, or updates it.\n"
		   "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
		   "MUSTER_MANAGER=%s\nMUSTER_CA_FINGERPRINT=%s\nMUSTER_ENROLMENT_TOKEN=%s\n%u %u * * * root (" JITTER,
		   line->url, line->fingerprint, line->token, line->minute, line->hour);
	put_work(" --quiet", out);
	buf_append_text(out, "\n");
}

void deployment_line(const struct deployment_line *line, struct buf *out)
{
	static void (*const forms[])(const struct deployment_line *line, struct buf *out) = {
		[DEPLOYMENT_ONCE] = put_once,
		[DEPLOYMENT_LOGIN] = put_login,
		[DEPLOYMENT_CRON] = put_cron,
	};

	forms[line->form](line, out);
}
