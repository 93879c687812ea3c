/* muster: the operator's program. Exits 0 done, 1 refused or failed, 2 wrong usage. */
#include <curl/curl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/help.h"
#include "os/env.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	/* Once more ends the program, whatever it waits for. */
	if (interrupted)
		_exit(1);
	interrupted = 1;
}

bool cli_interrupted(void)
{
	return interrupted != 0;
}

void cli_wait(span_us span)
{
	if (!cli_interrupted())
		poll(NULL, 0, (int)(span / MILLISECOND_US));
}

/* Cells across when fd is a terminal, else 0. */
static size_t width_of(int fd)
{
	struct winsize size;

	if (!isatty(fd))
		return 0;
	return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20 ? size.ws_col : 80;
}

static enum cli_output output_of(const struct cli_arguments *arguments)
{
	const char *name = arguments_option(arguments, "o");

	if (name == NULL || strcmp(name, "table") == 0)
		return OUTPUT_TABLE;
	return strcmp(name, "json") == 0 ? OUTPUT_JSON : OUTPUT_CSV;
}

static int print_help(const struct cli_arguments *arguments, struct err *err)
{
	struct buf out;
	int rc;

	buf_init(&out, 1024 * 1024);
	help_text(&cli_table, arguments->noun, arguments->verb, &out);
	rc = cli_print(buf_text(&out), out.size, err);
	buf_done(&out);
	return rc;
}

/* "muster: computer scan: what was wrong" */
static int fail(const struct cli_arguments *arguments, int rc, const struct err *err)
{
	const struct cli_verb *verb = arguments->verb;

	cli_warn("muster: %s%s%s%s%s\n", verb != NULL ? verb->noun : "", verb != NULL && verb->verb != NULL ? " " : "",
		 verb != NULL && verb->verb != NULL ? verb->verb : "", verb != NULL ? ": " : "",
		 err->text[0] != '\0' ? err->text : err_name(rc));
	return rc == ERR_USAGE ? 2 : 1;
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
	static struct cli cli;
	struct err err = { 0 };
	const char *askpass = getenv(CLI_ASKPASS);
	int rc;

	if (askpass != NULL && argc == 2)
		return secret_answer(askpass);
	rc = arguments_parse(&cli_table, argc, argv, &cli.arguments, &err);

	/* Wide characters need a locale that knows them; output is UTF-8 in any case. */
	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
		setlocale(LC_CTYPE, "");
	catch_signals();
	cli.output = output_of(&cli.arguments);
	cli.env = env_system();
	cli.width = width_of(STDOUT_FILENO);
	cli.error_width = width_of(STDERR_FILENO);
	if (rc == 0 && cli.arguments.ask == ASK_HELP) {
		rc = print_help(&cli.arguments, &err);
	} else if (rc == 0 && cli.arguments.ask == ASK_VERSION) {
		rc = cli_print("muster " MUSTER_VERSION "\n", strlen("muster " MUSTER_VERSION "\n"), &err);
	} else if (rc == 0) {
		curl_global_init(CURL_GLOBAL_DEFAULT);
		rc = cli.arguments.verb->run(&cli, &err);
		client_free(cli.client);
		curl_global_cleanup();
	}
	return rc != 0 ? fail(&cli.arguments, rc, &err) : 0;
}
