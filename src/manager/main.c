/* muster-manager: what it is made of.
 *
 *   init    init_command.c  a data directory from nothing
 *   run     supervisor.c    starts and watches the roles:
 *             role keys       keys.c        private keys
 *             role front      front_role.c  connections, exchange, API, storage
 *             role courier    courier.c     syslog, mail, webhooks
 *   token   local_token.c   an API token for this machine
 */
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "manager/courier/courier.h"
#include "manager/front/front_role.h"
#include "manager/init.h"
#include "manager/init_command.h"
#include "manager/keys/keys.h"
#include "manager/layout.h"
#include "manager/listening.h"
#include "manager/local_token.h"
#include "manager/ports_show.h"
#include "manager/role_start.h"
#include "manager/run_lock.h"
#include "manager/server_certificate.h"
#include "manager/settings.h"
#include "manager/supervisor.h"
#include "os/env.h"
#include "store/store.h"

#define PREVIOUS_WAIT_US  (12 * SECOND_US)
#define PORTS_PATIENCE_US (3 * SECOND_US)

enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2 };

struct arguments {
	char *data; /* absolute; owned */
	struct init_options init;
	bool json, check_config, check, help;
	const char *role, *restore, *password_file;
	span_us expires;
	struct conf_addresses listen;
};

/* --- options: one table for all subcommands; each names the letters it takes --- */

static const struct option options[] = {
	{ "data", required_argument, NULL, 'd' },
	{ "listen", required_argument, NULL, 'l' },
	{ "name", required_argument, NULL, 'n' },
	{ "agent-port", required_argument, NULL, 'p' },
	{ "output", required_argument, NULL, 'o' },
	{ "check-config", no_argument, NULL, 'c' },
	{ "check", no_argument, NULL, 'k' },
	{ "role", required_argument, NULL, 'r' },
	{ "expires", required_argument, NULL, 'e' },
	{ "restore", required_argument, NULL, 'R' },
	{ "password-file", required_argument, NULL, 'P' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int usage_error(const char *command, const char *text)
{
	fprintf(stderr, "muster-manager: %s\nTry: muster-manager %s --help\n", text, command);
	return EXIT_USAGE;
}

static int take_listen(struct arguments *arguments, const char *text, struct err *err)
{
	static const struct conf_row row = { .key = "listen", .type = CONF_LISTEN };
	union conf_value value;
	int rc = conf_value_parse(&row, text, &value, err);

	for (size_t i = 0; rc == 0 && i < value.addresses.count; i++) {
		if (arguments->listen.count == CONF_ADDRESSES)
			return err_set(err, ERR_LIMIT, "--listen: at most %d addresses", CONF_ADDRESSES);
		arguments->listen.items[arguments->listen.count++] = value.addresses.items[i];
	}
	return rc == 0 ? 0 : err_add(err, rc, "--listen %s", text);
}

/* The roles get an absolute path: what they may open is said by path. */
static char *below_here(const char *path)
{
	char *here = get_current_dir_name();
	char *whole = NULL;

	if (here == NULL || asprintf(&whole, "%s/%s", here, path) < 0)
		whole = NULL;
	free(here);
	return whole;
}

static int take_option(struct arguments *arguments, int letter, char *text, struct err *err)
{
	uint64_t number;
	int rc = 0;

	switch (letter) {
	case 'd':
		free(arguments->data);
		if (text[0] == '/')
			arguments->data = strdup(text);
		else
			arguments->data = below_here(text);
		return arguments->data != NULL ? 0 : err_set(err, ERR_MEMORY, "no memory");
	case 'l':
		return take_listen(arguments, text, err);
	case 'n':
		arguments->init.name = text;
		return 0;
	case 'p':
		rc = number_parse(text, 1, 65535, &number, err);
		arguments->init.agent_port = rc == 0 ? (uint16_t)number : 0;
		return rc == 0 ? 0 : err_add(err, rc, "--agent-port");
	case 'o':
		arguments->json = strcmp(text, "json") == 0;
		if (!arguments->json && strcmp(text, "text") != 0)
			return err_set(err, ERR_USAGE, "-o: text or json");
		return 0;
	case 'c':
		arguments->check_config = true;
		return 0;
	case 'k':
		arguments->check = true;
		return 0;
	case 'r':
		arguments->role = text;
		return 0;
	case 'R':
		arguments->restore = text;
		return 0;
	case 'P':
		arguments->password_file = text;
		return 0;
	case 'e':
		rc = span_parse(text, &arguments->expires, err);
		return rc == 0 ? 0 : err_add(err, rc, "--expires");
	default:
		arguments->help = true;
		return 0;
	}
}

/* --- subcommands --- */

static int command_init(struct arguments *arguments, struct err *err)
{
	const struct init_wish wish = { .restore = arguments->restore,
					.password_file = arguments->password_file,
					.json = arguments->json };

	arguments->init.data_directory = arguments->data;
	arguments->init.listen = arguments->listen;
	return init_command(&arguments->init, &wish, err);
}

/* Whether its ports can be had, unless it is this manager that has them. */
static int check_ports(const char *data, const struct settings *settings, struct buf *problems, struct err *err)
{
	char path[LAYOUT_PATH_BYTES];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", data, LAYOUT_DATABASE) >= sizeof(path) ||
	    store_check_free(path, NULL) != 0)
		return 0;
	return manager_ports_check(settings, problems, err);
}

static int check_settings(const struct arguments *arguments, bool show, struct err *err)
{
	struct settings settings;
	struct buf problems, text;
	int rc;

	buf_init(&problems, CONF_PROBLEMS_BYTES);
	buf_init(&text, CONF_PROBLEMS_BYTES);
	rc = settings_load(arguments->data, &settings, &problems, err);
	if (rc == 0) {
		rc = listening_check(&settings, &problems, err);
		if (rc == 0 && show)
			rc = check_ports(arguments->data, &settings, &problems, err);
		if (rc == 0 && show) {
			conf_show(&settings_table, &settings, &text);
			printf("%s", buf_text(&text));
		}
		conf_done(&settings_table, &settings);
	}
	if (rc != 0)
		fprintf(stderr, "%s", buf_text(&problems));
	buf_done(&problems);
	buf_done(&text);
	return rc;
}

/* The front of a manager that was killed holds its database until it has finished what it had begun, its keys role the
 * lock. */
static int become_the_one(const char *data, int *lock, struct err *err)
{
	char path[LAYOUT_PATH_BYTES];
	int rc = *lock >= 0 ? 0 : run_lock_take(data, lock, err);

	if (rc != 0)
		return rc;
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", data, LAYOUT_DATABASE) >= sizeof(path))
		return 0; /* said where the settings are read */
	rc = store_check_free(path, err);
	return rc == 0 ? 0 : err_add(err, rc, "a manager runs already on this data directory");
}

/* Before anything is started, a role that holds keys least of all: of several that begin at once one goes on. What one
 * before it has begun takes [process] stop_grace at most, which is 10 s where nobody changed it. */
static int be_the_only_one(const char *data, int *ret_lock, struct err *err)
{
	const struct env *env = env_system();
	time_us give_up = env_monotonic(env) + PREVIOUS_WAIT_US;
	int lock = -1, rc = become_the_one(data, &lock, err);

	while (rc == ERR_BUSY && env_monotonic(env) < give_up) {
		(void)poll(NULL, 0, 50);
		rc = become_the_one(data, &lock, err);
	}
	if (rc != 0 && lock >= 0)
		close(lock);
	if (rc == 0)
		*ret_lock = lock;
	return rc;
}

/* Said before anything is started: the roles' log comes later and is longer. */
static int check_listen(const char *data, struct err *err)
{
	struct settings settings;
	struct buf problems;
	int rc;

	buf_init(&problems, CONF_PROBLEMS_BYTES);
	rc = settings_load(data, &settings, &problems, err);
	if (rc == 0) {
		rc = manager_ports_check(&settings, &problems, err);
		conf_done(&settings_table, &settings);
	}
	if (rc != 0)
		fprintf(stderr, "%s", buf_text(&problems));
	buf_done(&problems);
	return rc;
}

static int command_certificate(struct arguments *arguments, struct err *err)
{
	int rc = server_certificate_again(arguments->data, env_system(), err);

	if (rc == 0)
		printf("made: %s/%s, %s/%s\n", arguments->data, LAYOUT_TLS_KEY, arguments->data,
		       LAYOUT_TLS_CERTIFICATE);
	return rc;
}

static int run_alone(const char *data, int lock, struct err *err)
{
	int rc = check_listen(data, err);

	if (rc != 0)
		return rc;
	log_setup("muster-manager", "supervisor", 2, LOG_INFO, env_system_wall);
	return supervisor_run(data, lock) == 0
		   ? 0
		   : err_set(err, ERR_REFUSED, "the manager could not run; the log lines above say why");
}

static int command_run(struct arguments *arguments, struct err *err)
{
	int lock, rc = check_settings(arguments, arguments->check_config, err);

	if (rc != 0 || arguments->check_config)
		return rc;
	/* Else the ports, which are taken first, would be all that is complained about. */
	rc = be_the_only_one(arguments->data, &lock, err);
	if (rc != 0)
		return rc;
	rc = run_alone(arguments->data, lock, err);
	close(lock);
	return rc;
}

/* --- ports --- */

static void tell_silent(const char *data, const struct settings *settings, struct manager_ports *ports)
{
	struct buf problems;
	bool blocked;

	buf_init(&problems, CONF_PROBLEMS_BYTES);
	blocked = check_ports(data, settings, &problems, NULL) != 0;
	for (size_t i = 0; i < ports->count; i++) {
		struct port_row *row = &ports->rows[i];

		if (row->state == PORT_SILENT && !blocked)
			snprintf(row->detail, sizeof(row->detail), "the manager does not run; the port is free");
	}
	if (blocked)
		fprintf(stderr, "%s", buf_text(&problems));
	buf_done(&problems);
}

static int command_ports(struct arguments *arguments, struct err *err)
{
	static struct manager_ports ports;
	struct settings settings;
	struct buf problems;
	json_t *json;
	int rc;

	buf_init(&problems, CONF_PROBLEMS_BYTES);
	rc = settings_load(arguments->data, &settings, &problems, err);
	if (rc != 0) {
		fprintf(stderr, "%s", buf_text(&problems));
		buf_done(&problems);
		return rc;
	}
	manager_ports_of_settings(&settings, &ports);
	ports_try(ports.rows, ports.count, PORTS_PATIENCE_US);
	if (arguments->check)
		tell_silent(arguments->data, &settings, &ports);
	for (size_t i = 0; arguments->check && i < ports.count; i++) {
		if (ports.rows[i].state == PORT_SILENT)
			rc = ERR_REFUSED;
	}
	if (arguments->json) {
		json = manager_ports_json(&ports);
		json_dumpf(json, stdout, JSON_INDENT(2));
		printf("\n");
		json_decref(json);
	} else {
		manager_ports_print(&ports, stdout);
	}
	conf_done(&settings_table, &settings);
	buf_done(&problems);
	return rc == 0 ? 0 : err_set(err, rc, "not all of this manager's ports are listened on");
}

static int command_token(struct arguments *arguments, struct err *err)
{
	struct account_secret secret;
	enum account_role role;
	int rc = account_role_parse(arguments->role, &role, err);

	if (rc != 0)
		return err_add(err, ERR_USAGE, "--role %s", arguments->role);
	rc = local_token_make(arguments->data, role, arguments->expires, &secret, err);
	if (rc != 0)
		return rc;
	printf("%s\n", secret.text);
	explicit_bzero(&secret, sizeof(secret));
	return 0;
}

static const struct subcommand {
	const char *name;
	const char *letters; /* short options and getopt's letters that it takes */
	int (*run)(struct arguments *arguments, struct err *err);
	const char *summary;
	const char *help;
} subcommands[] = {
	{ "init", "dlnpoRPh", command_init,
	  "set up a data directory: keys, certificates, database, first administrator",
	  "usage: muster-manager init --data DIR [--listen ADDR:PORT]... [--name NAME] [--agent-port N] [-o json]\n"
	  "                           [--restore FILE --password-file FILE]\n\n"
	  "Sets up a manager in DIR and prints the first administrator's password once. A directory that was set\n"
	  "up before is never touched.\n\n"
	  "  --data DIR           where everything is kept; made if missing\n"
	  "  --listen ADDR:PORT   for console, API and agents; may be given several times (default: every address,\n"
	  "                       port 4343)\n"
	  "  --name NAME          host name by which agents and people reach the manager (default: this host's)\n"
	  "  --agent-port N       port on which agents will listen (default: a random one of five digits)\n"
	  "  -o, --output json    what was made as one JSON object\n"
	  "  --restore FILE       a manager that was elsewhere before: with the keys, CA, name and agent port of its\n"
	  "                       backup (muster cert backup), so that its agents go on. For its computers, policies\n"
	  "                       and users put its database in the place of DIR/front/muster.db before the first "
	  "run;\n"
	  "                       without it agents come back with the setting enrolment.reactivate_unknown\n"
	  "  --password-file FILE the backup's password is the first line; - is standard input\n" },
	{ "run", "dch", command_run, "run the manager until SIGTERM",
	  "usage: muster-manager run --data DIR [--check-config]\n\n"
	  "Runs the manager in the foreground; log lines (JSON) go to stderr. SIGTERM and SIGINT stop it in order.\n\n"
	  "  --data DIR       as given to `init`\n"
	  "  --check-config   read DIR/manager.ini, list every problem or every setting, and exit\n" },
	{ "ports", "dkoh", command_ports, "list this manager's ports and whether they are listened on",
	  "usage: muster-manager ports --data DIR [--check] [-o json]\n\n"
	  "Lists the ports of DIR/manager.ini: from whom, to whom, what for, which setting says so, and whether this\n"
	  "machine listens there now. Works without a running manager; `muster ports` asks one that runs, and shows\n"
	  "destinations and hypervisors as well.\n\n"
	  "  --check              exit 1 unless all are listened on, and say of those that are not whether they could\n"
	  "                       be: taken by another program, or in need of a privilege\n"
	  "  -o, --output json    one JSON array\n" },
	{ "certificate", "dh", command_certificate, "make the certificate of the agents' listeners anew",
	  "usage: muster-manager certificate --data DIR\n\n"
	  "Makes front/tls.key and front/tls.pem anew, for the name and the addresses in DIR/manager.ini, signed by "
	  "the\n"
	  "manager's own authority, whom agents trust. For a manager that has another name now, or whose files were\n"
	  "lost or replaced. A manager that runs takes it up within seconds; it renews it by itself in any case.\n" },
	{ "token", "dreh", command_token, "print a new API token, for scripts on this machine",
	  "usage: muster-manager token --data DIR [--role ROLE] [--expires DURATION]\n\n"
	  "Writes a new API token into the database and prints it. Works beside a running manager.\n\n"
	  "  --role ROLE          viewer, operator, administrator (default) or auditor\n"
	  "  --expires DURATION   how long it is valid, as 30m, 1h (default), 7d\n" },
};

static void print_help(FILE *out)
{
	fprintf(out, "usage: muster-manager COMMAND --data DIR [OPTION...]\n\nThe server of Muster: agents' exchange, "
		     "commands, events, quarantine, REST API.\n\n");
	for (size_t i = 0; i < COUNT_OF(subcommands); i++)
		fprintf(out, "  %-11s %s\n", subcommands[i].name, subcommands[i].summary);
	fprintf(out, "\n  --version, --help; muster-manager COMMAND --help says more.\n");
}

static int parse(const struct subcommand *command, int argc, char **argv, struct arguments *arguments)
{
	struct err err = { 0 };
	int letter;

	opterr = 0;
	while ((letter = getopt_long(argc, argv, ":o:h", options, NULL)) != -1) {
		char text[300];

		if (letter == '?' || letter == ':' || strchr(command->letters, letter) == NULL) {
			snprintf(text, sizeof(text), letter == ':' ? "%s needs a value" : "%s is not an option of `%s`",
				 argv[optind - 1], command->name);
			return usage_error(command->name, text);
		}
		if (take_option(arguments, letter, optarg, &err) != 0)
			return usage_error(command->name, err.text);
	}
	if (optind < argc)
		return usage_error(command->name, "unexpected arguments");
	if (arguments->data == NULL && !arguments->help)
		return usage_error(command->name, "--data DIR is needed");
	return EXIT_DONE;
}

static int run_subcommand(const struct subcommand *command, int argc, char **argv)
{
	struct arguments arguments = { .role = "administrator", .expires = HOUR_US };
	struct err err = { 0 };
	int code = parse(command, argc, argv, &arguments);

	if (code == EXIT_DONE && arguments.help) {
		printf("%s", command->help);
	} else if (code == EXIT_DONE) {
		int rc = command->run(&arguments, &err);

		code = rc == 0 ? EXIT_DONE : rc == ERR_USAGE ? EXIT_USAGE : EXIT_REFUSED;
		if (rc != 0)
			fprintf(stderr, "muster-manager: %s\n", err.text);
	}
	free(arguments.data);
	return code;
}

/* How the supervisor starts a role: role NAME --data DIR. */
static int run_role(int argc, char **argv)
{
	if (argc != 5 || strcmp(argv[3], "--data") != 0)
		return usage_error("run", "roles are started by `muster-manager run`");
	if (strcmp(argv[2], ROLE_NAME_KEYS) == 0)
		return keys_main(argv[4]);
	if (strcmp(argv[2], ROLE_NAME_FRONT) == 0)
		return front_main(argv[4]);
	if (strcmp(argv[2], ROLE_NAME_COURIER) == 0)
		return courier_main(argv[4]);
	return usage_error("run", "there is no such role");
}

int main(int argc, char **argv)
{
	if (argc >= 2 && strcmp(argv[1], "role") == 0)
		return run_role(argc, argv);
	if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
		printf("muster-manager %s\n", MUSTER_VERSION);
		return EXIT_DONE;
	}
	if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		print_help(stdout);
		return EXIT_DONE;
	}
	for (size_t i = 0; argc >= 2 && i < COUNT_OF(subcommands); i++) {
		if (strcmp(argv[1], subcommands[i].name) == 0)
			return run_subcommand(&subcommands[i], argc - 1, argv + 1);
	}
	if (argc >= 2)
		fprintf(stderr, "muster-manager: there is no command '%s'\n", argv[1]);
	print_help(stderr);
	return EXIT_USAGE;
}
