/* muster computer install: agents on computers that are reached over SSH.
 *
 * The line of `muster deployment script` goes to each as the input of a shell
 * there: neither it nor a password is ever an argument of a program, here or
 * there. What hosts print is untrusted: shown escaped, believed in nothing but
 * the table of results.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/units.h"
#include "cli/children.h"
#include "cli/cli.h"
#include "cli/deployment.h"
#include "cli/install_answer.h"
#include "cli/ssh.h"
#include "os/files.h"

#define AT_ONCE_DEFAULT   8
#define AT_ONCE_MOST      64
#define TIMEOUT_DEFAULT   (15 * MINUTE_US)
#define SCAN_TIMEOUT      (30 * SECOND_US)
#define ENVIRONMENT_MORE  4
#define KNOWN_HOSTS_BYTES 65536
#define PATH_BYTES        4200

/* sudo reads one line more than it needs where no password is wanted: the shell takes that line away. */
#define WITH_ROOT "exec sh -s"
#define WITH_SUDO                                                                                                      \
	"exec sh -c 'if sudo -n true 2>/dev/null; then IFS= read -r _; exec sudo -n sh -s; fi; exec sudo -S -p \"\" "  \
	"sh -s'"

struct host {
	char *given; /* [USER@]HOST, owned */
	const char *name, *user;
	struct ssh_arguments arguments;
	struct install_answer answer;
};

struct installing {
	struct cli *cli;
	struct host *hosts;
	struct child *children;
	size_t count, at_once;
	span_us timeout;
	const char **environment;
	char askpass[PATH_BYTES], program[PATH_BYTES];
	int password_fd;
	struct buf password, sudo_password;
	struct buf input;     /* of each */
	char known_hosts[64]; /* of our own making, "" if none */
};

/* --- what was asked for --- */

static int read_host(struct installing *installing, size_t index, const char *given, struct err *err)
{
	struct host *host = &installing->hosts[index];
	char *at;

	install_answer_init(&host->answer);
	host->given = strdup(given);
	if (host->given == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	host->user = cli_option(installing->cli, "user");
	host->name = host->given;
	at = strrchr(host->given, '@');
	if (at != NULL) {
		*at = '\0';
		host->user = host->given;
		host->name = at + 1;
	}
	if (!ssh_is_host(host->name))
		return err_set(err, ERR_USAGE, "'%.100s' is no host name or address", given);
	if (host->user != NULL && !ssh_is_user(host->user))
		return err_set(err, ERR_USAGE, "'%.100s' is no user name", host->user);
	return 0;
}

static int read_numbers(struct installing *installing, struct err *err)
{
	const char *port = cli_option(installing->cli, "port"), *parallel = cli_option(installing->cli, "parallel");
	const char *timeout = cli_option(installing->cli, "timeout");
	uint64_t number = AT_ONCE_DEFAULT;

	if (port != NULL && number_parse(port, 1, 65535, &number, NULL) != 0)
		return err_set(err, ERR_USAGE, "--port '%.40s' is not a number from 1 to 65535", port);
	number = AT_ONCE_DEFAULT;
	if (parallel != NULL && number_parse(parallel, 1, AT_ONCE_MOST, &number, NULL) != 0)
		return err_set(err, ERR_USAGE, "--parallel '%.40s' is not a number from 1 to %d", parallel,
			       AT_ONCE_MOST);
	installing->at_once = (size_t)number;
	installing->timeout = TIMEOUT_DEFAULT;
	if (timeout != NULL && (span_parse(timeout, &installing->timeout, NULL) != 0 || installing->timeout <= 0))
		return err_set(err, ERR_USAGE, "--timeout '%.40s' is no duration such as 10m", timeout);
	return 0;
}

static int check_files(const struct cli *cli, struct err *err)
{
	static const char *const files[] = { "identity-file", "known-hosts" };

	for (size_t i = 0; i < COUNT_OF(files); i++) {
		const char *file = cli_option(cli, files[i]);

		if (file != NULL && !ssh_is_path(file))
			return err_set(err, ERR_USAGE, "--%s: ssh does not take quotes, '\\' or '%%' in names",
				       files[i]);
		if (file != NULL && access(file, R_OK) != 0)
			return err_errno(err, errno, "--%s %s", files[i], file);
	}
	if (cli_option(cli, "identity-file") != NULL && cli_option(cli, "password-file") != NULL)
		return err_set(err, ERR_USAGE, "give --identity-file or --password-file, not both");
	if (cli_option(cli, "sudo-password-file") != NULL && !cli_flag(cli, "sudo"))
		return err_set(err, ERR_USAGE, "--sudo-password-file is for --sudo: give that too");
	if (cli_option(cli, "known-hosts") != NULL && cli_option(cli, "host-key-fingerprint") != NULL)
		return err_set(err, ERR_USAGE, "give --known-hosts or --host-key-fingerprint, not both");
	return 0;
}

static int read_request(struct installing *installing, struct err *err)
{
	struct cli *cli = installing->cli;
	int rc;

	installing->count = cli->arguments.count;
	installing->hosts = calloc(installing->count, sizeof(*installing->hosts));
	installing->children = calloc(installing->count, sizeof(*installing->children));
	if (installing->hosts == NULL || installing->children == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	rc = read_numbers(installing, err);
	if (rc == 0)
		rc = check_files(cli, err);
	for (size_t i = 0; rc == 0 && i < installing->count; i++)
		rc = read_host(installing, i, cli->arguments.words[i], err);
	if (rc == 0 && installing->count > 1 && cli_option(cli, "host-key-fingerprint") != NULL)
		rc = err_set(err, ERR_USAGE, "--host-key-fingerprint is of one host: give --known-hosts for several");
	return rc;
}

/* --- passwords --- */

/* In memory that this process alone has a descriptor of; ssh asks this very program, which opens it by /proc. */
static int keep_password(struct installing *installing, const struct buf *password, struct err *err)
{
	int fd = memfd_create("password", MFD_CLOEXEC);
	int rc = fd >= 0 ? files_write_all(fd, password->data, password->size, err) : err_errno(err, errno, "memory");

	if (rc != 0) {
		if (fd >= 0)
			close(fd);
		return rc;
	}
	installing->password_fd = fd;
	snprintf(installing->askpass, sizeof(installing->askpass), CLI_ASKPASS "=/proc/%d/fd/%d", (int)getpid(), fd);
	return 0;
}

static int read_passwords(struct installing *installing, struct err *err)
{
	const char *file = cli_option(installing->cli, "password-file");
	const char *sudo_file = cli_option(installing->cli, "sudo-password-file");
	int rc = file != NULL ? secret_read(file, "password", &installing->password, err) : 0;

	if (rc == 0 && file != NULL)
		rc = keep_password(installing, &installing->password, err);
	if (rc == 0 && sudo_file != NULL)
		rc = secret_read(sudo_file, "password for sudo", &installing->sudo_password, err);
	return rc;
}

static bool is_variable(const char *entry, const char *name)
{
	size_t length = strlen(name);

	return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

/* Ours, without the API's token, and with what ssh is to ask for the password. */
static int make_environment(struct installing *installing, struct err *err)
{
	static const char *const replaced[] = { "MUSTER_TOKEN", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", CLI_ASKPASS };
	size_t count = 0, kept = 0;
	ssize_t length;

	while (environ[count] != NULL)
		count++;
	installing->environment = calloc(count + ENVIRONMENT_MORE, sizeof(*installing->environment));
	if (installing->environment == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < count; i++) {
		bool keep = true;

		for (size_t j = 0; j < COUNT_OF(replaced); j++)
			keep = keep && !is_variable(environ[i], replaced[j]);
		if (keep)
			installing->environment[kept++] = environ[i];
	}
	if (installing->askpass[0] == '\0')
		return 0;
	snprintf(installing->program, sizeof(installing->program), "SSH_ASKPASS=");
	length = readlink("/proc/self/exe", installing->program + strlen("SSH_ASKPASS="),
			  sizeof(installing->program) - strlen("SSH_ASKPASS=") - 1);
	if (length <= 0)
		return err_errno(err, errno, "this program's own path");
	installing->program[strlen("SSH_ASKPASS=") + (size_t)length] = '\0';
	installing->environment[kept++] = installing->program;
	installing->environment[kept++] = "SSH_ASKPASS_REQUIRE=force";
	installing->environment[kept] = installing->askpass;
	return 0;
}

/* --- the host's key, by its fingerprint --- */

static void collect(struct child *child, const char *line)
{
	struct buf *scan = child->context;

	buf_append_text(scan, line);
	buf_append_byte(scan, '\n');
}

static int scan_host(const struct installing *installing, struct buf *scan, struct err *err)
{
	const char *port = cli_option(installing->cli, "port");
	const char *const arguments[] = {
		"ssh-keyscan", "-T", "20", "-p", port != NULL ? port : "22", "--", installing->hosts[0].name, NULL
	};
	struct child child = {
		.arguments = arguments, .environment = installing->environment, .input = "", .context = scan
	};
	struct children children = { .items = &child,
				     .count = 1,
				     .at_once = 1,
				     .timeout = SCAN_TIMEOUT,
				     .env = installing->cli->env,
				     .cancelled = cli_interrupted,
				     .on_line = collect };
	int rc = children_run(&children, err);

	if (rc == 0 && child.interrupted)
		rc = err_set(err, ERR_CANCELLED, "interrupted");
	return rc == 0 ? scan->status : rc;
}

static int write_known_hosts(struct installing *installing, const struct buf *lines, struct err *err)
{
	char path[] = "/tmp/muster-known-hosts-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);
	int rc = fd >= 0 ? files_write_all(fd, lines->data, lines->size, err) : err_errno(err, errno, "%s", path);

	if (fd >= 0) {
		snprintf(installing->known_hosts, sizeof(installing->known_hosts), "%s", path);
		close(fd);
	}
	return rc;
}

static int learn_host_key(struct installing *installing, struct err *err)
{
	const char *given = cli_option(installing->cli, "host-key-fingerprint");
	uint8_t fingerprint[SHA256_BYTES];
	struct buf scan, lines;
	int rc;

	if (given == NULL)
		return 0;
	if (ssh_fingerprint_parse(given, fingerprint, err) != 0)
		return err->code = ERR_USAGE;
	buf_init(&scan, KNOWN_HOSTS_BYTES);
	buf_init(&lines, KNOWN_HOSTS_BYTES);
	rc = scan_host(installing, &scan, err);
	if (rc == 0)
		rc = ssh_known_hosts(buf_text(&scan), fingerprint, &lines, err);
	if (rc == 0)
		rc = write_known_hosts(installing, &lines, err);
	buf_done(&scan);
	buf_done(&lines);
	return rc == 0 ? 0 : err_add(err, rc, "%s", installing->hosts[0].name);
}

/* --- what hosts say --- */

static void tell(const struct installing *installing, const struct host *host, const char *line)
{
	struct buf text;

	if (installing->cli->output != OUTPUT_TABLE)
		return;
	buf_init(&text, CHILDREN_LINE_MAX_BYTES * 8);
	table_clean(line, &text);
	fprintf(stderr, "%s: %s\n", host->name, buf_text(&text));
	buf_done(&text);
}

struct listening {
	struct installing *installing;
	struct host *host;
};

static void on_line(struct child *child, const char *line)
{
	const struct listening *listening = child->context;
	const char *step = install_answer_line(&listening->host->answer, line);

	if (step != NULL)
		tell(listening->installing, listening->host, step);
}

static void on_begin(struct child *child)
{
	const struct listening *listening = child->context;

	tell(listening->installing, listening->host, "Connecting");
}

/* --- the results --- */

static struct install_end end_of(const struct child *child)
{
	return (struct install_end){ .code = child->code,
				     .timed_out = child->timed_out,
				     .interrupted = child->interrupted };
}

static json_t *text_or_null(const char *text)
{
	return text != NULL && text[0] != '\0' ? json_string(text) : json_null();
}

static void on_end(struct child *child)
{
	const struct listening *listening = child->context;
	char detail[INSTALL_ANSWER_DETAIL_MAX_BYTES], line[INSTALL_ANSWER_DETAIL_MAX_BYTES + 16];
	const struct install_end end = end_of(child);

	if (install_answer_cause(&listening->host->answer, &end) == NULL)
		return;
	install_answer_detail(&listening->host->answer, &end, detail);
	snprintf(line, sizeof(line), "Failed: %s", detail);
	tell(listening->installing, listening->host, line);
}

static json_t *row_of(const struct host *host, const struct install_end *end)
{
	const struct install_answer *answer = &host->answer;
	const char *cause = install_answer_cause(answer, end);
	char detail[INSTALL_ANSWER_DETAIL_MAX_BYTES];

	install_answer_detail(answer, end, detail);
	return json_pack("{ss, ss, so, so, so, so, so}", "host", host->name, "result",
			 cause != NULL ? "failed" : answer->state, "cause", text_or_null(cause), "name",
			 text_or_null(answer->name), "agent_version", text_or_null(answer->version), "computer",
			 text_or_null(answer->computer), "detail", text_or_null(detail));
}

static int show(struct installing *installing, struct err *err)
{
	static const struct column columns[] = {
		{ "HOST", "host", COLUMN_TEXT },
		{ "RESULT", "result", COLUMN_TEXT },
		{ "CAUSE", "cause", COLUMN_TEXT },
		{ "NAME", "name", COLUMN_TEXT },
		{ "VERSION", "agent_version", COLUMN_TEXT },
		{ "COMPUTER", "computer", COLUMN_ID },
		{ NULL, "detail", COLUMN_TEXT },
	};
	json_t *rows = json_array();
	size_t failed = 0;
	int rc;

	for (size_t i = 0; i < installing->count; i++) {
		const struct install_end end = end_of(&installing->children[i]);

		json_array_append_new(rows, row_of(&installing->hosts[i], &end));
		failed += install_answer_cause(&installing->hosts[i].answer, &end) != NULL;
	}
	rc = list_show(installing->cli, json_pack("{so}", "items", rows), columns, COUNT_OF(columns), "No hosts.", err);
	if (rc == 0 && failed > 0)
		rc = err_set(err, ERR_REFUSED, "%zu of %zu failed", failed, installing->count);
	return rc;
}

/* --- all of it --- */

static int make_input(struct installing *installing, const char *script, struct err *err)
{
	const struct buf *password =
	    installing->sudo_password.size > 0 ? &installing->sudo_password : &installing->password;

	if (script == NULL)
		return err_set(err, ERR_FORMAT, "the manager's answer holds no script");
	buf_init(&installing->input, CHILDREN_INPUT_MAX_BYTES);
	if (cli_flag(installing->cli, "sudo")) {
		buf_append(&installing->input, password->data, password->size);
		buf_append_byte(&installing->input, '\n');
	}
	buf_append_text(&installing->input, "export MUSTER_REPORT=1\n");
	buf_append_text(&installing->input, script);
	return installing->input.status;
}

static void prepare(struct installing *installing, struct listening *listening)
{
	struct cli *cli = installing->cli;
	const struct ssh_target shared = {
		.port = cli_option(cli, "port"),
		.identity = cli_option(cli, "identity-file"),
		.known_hosts =
		    installing->known_hosts[0] != '\0' ? installing->known_hosts : cli_option(cli, "known-hosts"),
		.password = installing->askpass[0] != '\0',
		.command = cli_flag(cli, "sudo") ? WITH_SUDO : WITH_ROOT,
	};

	for (size_t i = 0; i < installing->count; i++) {
		struct ssh_target target = shared;

		target.host = installing->hosts[i].name;
		target.user = installing->hosts[i].user;
		ssh_arguments(&target, &installing->hosts[i].arguments);
		listening[i] = (struct listening){ installing, &installing->hosts[i] };
		installing->children[i] = (struct child){ .arguments = installing->hosts[i].arguments.words,
							  .environment = installing->environment,
							  .input = installing->input.data,
							  .input_size = installing->input.size,
							  .context = &listening[i] };
	}
}

static int run_all(struct installing *installing, struct err *err)
{
	struct listening *listening = calloc(installing->count, sizeof(*listening));
	struct children children = { .items = installing->children,
				     .count = installing->count,
				     .at_once = installing->at_once,
				     .timeout = installing->timeout,
				     .env = installing->cli->env,
				     .cancelled = cli_interrupted,
				     .on_begin = on_begin,
				     .on_line = on_line,
				     .on_end = on_end };
	int rc;

	if (listening == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	prepare(installing, listening);
	rc = children_run(&children, err);
	free(listening);
	return rc;
}

/* Uses that are left are nobody's. */
static void end_token(struct cli *cli, const json_t *deployment)
{
	const char *id = json_string_value(json_object_get(deployment, "id"));
	struct err told = { 0 };
	struct buf path;

	buf_init(&path, 128);
	if (id == NULL || cli_id_path("/enrolment-tokens", id, "", &path, &told) != 0 ||
	    cli_request(cli, "DELETE", buf_text(&path), NULL, NULL, &told) != 0)
		fprintf(stderr, "muster: the enrolment token is still good until it expires: %s\n", told.text);
	buf_done(&path);
}

static int install(struct installing *installing, struct err *err)
{
	json_t *deployment = NULL;
	int rc = deployment_request(installing->cli, "once", installing->count, &deployment, err);

	if (rc != 0)
		return rc;
	rc = make_input(installing, json_string_value(json_object_get(deployment, "script")), err);
	if (rc == 0)
		rc = run_all(installing, err);
	end_token(installing->cli, deployment);
	json_decref(deployment);
	return rc == 0 ? show(installing, err) : rc;
}

static void done(struct installing *installing)
{
	for (size_t i = 0; installing->hosts != NULL && i < installing->count; i++)
		free(installing->hosts[i].given);
	free(installing->hosts);
	free(installing->children);
	free((void *)installing->environment);
	buf_wipe(&installing->password);
	buf_wipe(&installing->sudo_password);
	buf_wipe(&installing->input);
	if (installing->password_fd >= 0)
		close(installing->password_fd);
	if (installing->known_hosts[0] != '\0')
		(void)unlink(installing->known_hosts);
}

int verb_computer_install(struct cli *cli, struct err *err)
{
	struct installing installing = { .cli = cli, .password_fd = -1 };
	int rc = read_request(&installing, err);

	if (rc == 0)
		rc = read_passwords(&installing, err);
	if (rc == 0)
		rc = make_environment(&installing, err);
	if (rc == 0)
		rc = learn_host_key(&installing, err);
	if (rc == 0)
		rc = install(&installing, err);
	done(&installing);
	return rc;
}
