/* A table of options; see options.h. */
#include "fleetsim/options.h"

#include <string.h>
#include <unistd.h>

#include "trust/token.h"

struct row {
	const char *name;
	const char *value; /* what its value is called; NULL: it takes none */
	bool required;
	int (*take)(struct options *options, const char *text, struct err *err);
	const char *help;
};

static int take_number(const char *text, uint64_t min, uint64_t max, unsigned *ret_number, struct err *err)
{
	uint64_t number;
	int rc = number_parse(text, min, max, &number, err);

	if (rc == 0)
		*ret_number = (unsigned)number;
	return rc;
}

/* "200" or "200/s". */
static int take_rate(const char *text, uint64_t max, unsigned *ret_rate, struct err *err)
{
	char digits[24];
	size_t size = strlen(text);

	if (size > 2 && strcmp(text + size - 2, "/s") == 0)
		size -= 2;
	if (size >= sizeof(digits))
		return err_set(err, ERR_RANGE, "'%.32s' is too large", text);
	memcpy(digits, text, size);
	digits[size] = '\0';
	return take_number(digits, 1, max, ret_rate, err);
}

static int take_span(const char *text, span_us min, span_us max, span_us *ret_span, struct err *err)
{
	span_us span;
	int rc = span_parse(text, &span, err);

	if (rc == 0 && (span < min || span > max))
		rc = err_set(err, ERR_RANGE, "'%s' is out of range", text);
	if (rc == 0)
		*ret_span = span;
	return rc;
}

static int take_server(struct options *options, const char *text, struct err *err)
{
	return manager_url_parse(text, &options->server, err);
}

static int take_ca(struct options *options, const char *text, struct err *err)
{
	(void)err;
	options->ca_file = text;
	return 0;
}

static int take_token(struct options *options, const char *text, struct err *err)
{
	options->token = text;
	options->api_token = token_check(text, TOKEN_API, NULL) == 0;
	return options->api_token ? 0 : token_check(text, TOKEN_ENROLMENT, err);
}

static int take_agents(struct options *options, const char *text, struct err *err)
{
	return take_number(text, 1, OPTIONS_AGENTS_MAX, &options->agents, err);
}

static int take_heartbeat(struct options *options, const char *text, struct err *err)
{
	options->heartbeat_given = true;
	return take_span(text, SECOND_US, HOUR_US, &options->heartbeat, err);
}

static int take_poll(struct options *options, const char *text, struct err *err)
{
	return take_span(text, MILLISECOND_US, HOUR_US, &options->poll, err);
}

static int take_duration(struct options *options, const char *text, struct err *err)
{
	return take_span(text, SECOND_US, 30 * DAY_US, &options->duration, err);
}

static int take_ramp(struct options *options, const char *text, struct err *err)
{
	return take_rate(text, OPTIONS_AGENTS_MAX, &options->ramp, err);
}

static int take_events(struct options *options, const char *text, struct err *err)
{
	return take_rate(text, 10000000, &options->events, err);
}

static int take_scans(struct options *options, const char *text, struct err *err)
{
	(void)text;
	(void)err;
	options->scans = true;
	return 0;
}

static int take_fan_out(struct options *options, const char *text, struct err *err)
{
	(void)text;
	(void)err;
	options->fan_out = true;
	return 0;
}

static int take_identities(struct options *options, const char *text, struct err *err)
{
	(void)err;
	options->identities = text;
	return 0;
}

static int take_threads(struct options *options, const char *text, struct err *err)
{
	return take_number(text, 1, OPTIONS_THREADS_MAX, &options->threads, err);
}

static int take_direction(struct options *options, const char *text, struct err *err)
{
	if (link_direction_parse(text, &options->direction))
		return 0;
	return err_set(err, ERR_USAGE, "'%.40s' is no direction: bidirectional, manager-initiated or agent-initiated",
		       text);
}

static int take_listen_port(struct options *options, const char *text, struct err *err)
{
	return take_number(text, 1, UINT16_MAX, &options->listen_port, err);
}

static int take_output(struct options *options, const char *text, struct err *err)
{
	options->json = strcmp(text, "json") == 0;
	if (options->json || strcmp(text, "text") == 0)
		return 0;
	return err_set(err, ERR_USAGE, "'%.40s' is no format: text or json", text);
}

static const struct row rows[] = {
	{ "--server", "URL", true, take_server, "the manager, https://HOST:PORT" },
	{ "--ca", "FILE", true, take_ca, "its CA certificate (ca.pem of its data directory)" },
	{ "--token", "T", true, take_token,
	  "enrolment token good for N uses; or an API token (administrator), which makes one" },
	{ "--agents", "N", true, take_agents, "how many agents" },
	{ "--heartbeat", "S", false, take_heartbeat,
	  "longest time between exchanges (default: 60s, then what the policy says)" },
	{ "--poll", "S", false, take_poll,
	  "ask every S instead of leaving a poll with the manager (default: held polls, then what the policy says)" },
	{ "--duration", "S", false, take_duration,
	  "end this long after all agents are connected, or none more was for 30 s (default: until Ctrl-C)" },
	{ "--ramp", "N/s", false, take_ramp, "agents that are started a second (default 200/s)" },
	{ "--events", "N/s", false, take_events, "events made a second, all agents together (default 0)" },
	{ "--scans", NULL, false, take_scans,
	  "scans that are commanded take 10 s, with progress; without it they succeed at once" },
	{ "--fan-out", NULL, false, take_fan_out,
	  "when all are connected, order a heartbeat of each through the API and time its arrival; needs an API "
	  "token" },
	{ "--identities", "FILE", false, take_identities,
	  "keep the agents' certificates in FILE and use them again in the next run, so that the manager's computers "
	  "stay the same" },
	{ "--direction", "D", false, take_direction,
	  "agent-initiated (default): agents dial; manager-initiated: each listens on an address of its own and is "
	  "dialled; bidirectional: both" },
	{ "--listen-port", "P", false, take_listen_port,
	  "where agents listen; needed with --identities of an earlier run (default: as enrolment says)" },
	{ "--threads", "N", false, take_threads, "threads that carry the agents (default: one a processor)" },
	{ "-o", "FORMAT", false, take_output, "text (default) or json: the summary on standard output" },
};

static const struct row *find_row(const char *word, size_t length)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (strlen(rows[i].name) == length && memcmp(rows[i].name, word, length) == 0)
			return &rows[i];
	}
	return NULL;
}

static int take_word(struct options *options, int argc, char **argv, int *at, bool *given, struct err *err)
{
	const char *word = argv[(*at)++];
	const char *equals = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;
	const struct row *row = find_row(word, equals != NULL ? (size_t)(equals - word) : strlen(word));
	const char *value = equals != NULL ? equals + 1 : NULL;
	int rc;

	if (row == NULL)
		return err_set(err, ERR_USAGE, "'%.64s' is not understood", word);
	if (given[row - rows])
		return err_set(err, ERR_USAGE, "%s is given twice", row->name);
	given[row - rows] = true;
	if (row->value == NULL && value != NULL)
		return err_set(err, ERR_USAGE, "%s takes no value", row->name);
	if (row->value != NULL && value == NULL && *at < argc)
		value = argv[(*at)++];
	if (row->value != NULL && value == NULL)
		return err_set(err, ERR_USAGE, "%s needs a value: %s", row->name, row->value);
	rc = row->take(options, value, err);
	if (rc != 0)
		err_add(err, rc, "%s", row->name);
	return rc != 0 ? ERR_USAGE : 0;
}

static int check(const struct options *options, const bool *given, struct err *err)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (rows[i].required && !given[i])
			return err_set(err, ERR_USAGE, "%s %s is missing", rows[i].name, rows[i].value);
	}
	if (options->fan_out && !options->api_token)
		return err_set(err, ERR_USAGE, "--fan-out orders through the API: --token must be an API token");
	if (link_direction_agent_listens(options->direction) && strncmp(options->server.host, "127.", 4) != 0 &&
	    strcmp(options->server.host, "localhost") != 0)
		return err_set(err, ERR_USAGE,
			       "--direction %s: agents have addresses of their own to listen on only with a manager on "
			       "the loopback interface",
			       link_direction_name(options->direction));
	return 0;
}

static unsigned processors(void)
{
	long count = sysconf(_SC_NPROCESSORS_ONLN);

	return count < 1 ? 1 : count > OPTIONS_THREADS_MAX ? OPTIONS_THREADS_MAX : (unsigned)count;
}

int options_parse(int argc, char **argv, struct options *ret_options, struct err *err)
{
	struct options options = {
		.heartbeat = 60 * SECOND_US, .ramp = 200, .threads = processors(), .direction = LINK_AGENT_INITIATED
	};
	bool given[COUNT_OF(rows)] = { false };
	int at = 1, rc = 0;

	for (int i = 1; i < argc; i++) {
		options.help |= strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
		options.version |= strcmp(argv[i], "--version") == 0;
	}
	while (rc == 0 && at < argc && !options.help && !options.version)
		rc = take_word(&options, argc, argv, &at, given, err);
	if (rc == 0 && !options.help && !options.version)
		rc = check(&options, given, err);
	if (options.threads > options.agents && options.agents > 0)
		options.threads = options.agents;
	if (rc == 0)
		*ret_options = options;
	return rc;
}

static const char before[] = "usage: muster-fleet-sim --server URL --ca FILE --token T --agents N [OPTION...]\n"
			     "\n"
			     "Plays a fleet of agents in one process against a real manager: they enrol, keep\n"
			     "polls held, tell events, obey commands. Made for sizing a manager; use a manager\n"
			     "set up for it, since each agent becomes a computer there.\n"
			     "\n";
static const char after[] = "\n"
			    "What is like real agents: TLS with a certificate and a UUID of each agent's own,\n"
			    "messages, reports, spool and command life are the code of muster-agent. What is\n"
			    "not: one P-256 key pair serves all agents; events and commands are kept in memory;\n"
			    "nothing is scanned; what --fan-out orders is verified and answered when all agents\n"
			    "have received it. Against a manager on the loopback interface each agent has\n"
			    "an address of its own in 127.16.0.0/12, on which it also listens.\n"
			    "\n"
			    "Figures are shown on standard error while it runs. Exit status: 0 all agents were\n"
			    "connected and every event was acknowledged, 1 not so, 2 wrong usage.\n";

void options_help(FILE *out)
{
	fputs(before, out);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char name[32];

		snprintf(name, sizeof(name), "%s %s", rows[i].name, rows[i].value != NULL ? rows[i].value : "");
		fprintf(out, "  %-20s %s\n", name, rows[i].help);
	}
	fputs(after, out);
}
