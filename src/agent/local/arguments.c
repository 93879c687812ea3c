/* Command lines from tables (agent/local/arguments.h). Input: what the caller of the program typed. */
#include "agent/local/arguments.h"

#include <stdio.h>
#include <string.h>

#include "base/units.h"

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* How many words of argv name this command: 0, 1 or 2. */
static int words_matched(const struct arguments_command *command, int argc, char **argv)
{
	const char *space = strchr(command->name, ' ');
	size_t first = space ? (size_t)(space - command->name) : strlen(command->name);

	if (argc < 1 || strlen(argv[0]) != first || strncmp(argv[0], command->name, first) != 0)
		return 0;
	if (space == NULL)
		return 1;
	return argc >= 2 && strcmp(argv[1], space + 1) == 0 ? 2 : 0;
}

static const struct arguments_command *find_command(const struct arguments_command *commands, int argc, char **argv,
						    int *ret_words)
{
	for (const struct arguments_command *command = commands; command->name != NULL; command++) {
		*ret_words = words_matched(command, argc, argv);
		if (*ret_words > 0)
			return command;
	}
	return NULL;
}

/* The row whose name is the first `length` bytes of word; -1 if none. */
static int find_option(const struct arguments_option *options, const char *word, size_t length)
{
	for (int i = 0; options[i].name != NULL; i++) {
		if (strlen(options[i].name) == length && strncmp(options[i].name, word, length) == 0)
			return i;
	}
	return -1;
}

/* Takes the option argv[*at] with its value; moves *at behind both. */
static int take_option(struct arguments *arguments, int argc, char **argv, int *at, struct err *err)
{
	const char *word = argv[*at];
	const char *equals = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;
	size_t length = equals ? (size_t)(equals - word) : strlen(word);
	const struct arguments_option *row;
	int index = find_option(arguments->command->options, word, length);

	if (index < 0)
		return err_set(err, ERR_USAGE, "'%s' knows no option %.*s", arguments->command->name, (int)length,
			       word);
	row = &arguments->command->options[index];
	if (arguments->values[index] != NULL)
		return err_set(err, ERR_USAGE, "%s is given twice", row->name);
	(*at)++;
	if (row->value == NULL) {
		if (equals)
			return err_set(err, ERR_USAGE, "%s takes no value", row->name);
		arguments->values[index] = "";
		return 0;
	}
	if (equals == NULL && *at >= argc)
		return err_set(err, ERR_USAGE, "%s needs a value: %s", row->name, row->value);
	arguments->values[index] = equals ? equals + 1 : argv[(*at)++];
	return 0;
}

static int check(const struct arguments *arguments, struct err *err)
{
	const struct arguments_command *command = arguments->command;

	for (int i = 0; command->options[i].name != NULL; i++) {
		if (command->options[i].required && arguments->values[i] == NULL)
			return err_set(err, ERR_USAGE, "'%s' needs %s %s", command->name, command->options[i].name,
				       command->options[i].value);
	}
	if (arguments->operand_count < command->operands_min)
		return err_set(err, ERR_USAGE, "'%s' needs %s", command->name, command->operands);
	if (arguments->operand_count > command->operands_max)
		return err_set(err, ERR_USAGE, "'%s' does not understand '%s'", command->name,
			       arguments->operands[command->operands_max]);
	return 0;
}

/* Options and operands in any order; what follows "--" is operands. */
static int parse_rest(struct arguments *arguments, int argc, char **argv, struct err *err)
{
	int at = 0, kept = 0;

	while (at < argc) {
		int rc;

		if (strcmp(argv[at], "--") == 0) {
			for (at++; at < argc; at++)
				argv[kept++] = argv[at];
			break;
		}
		if (is_help(argv[at])) {
			arguments->help = true;
			return 0;
		}
		if (argv[at][0] != '-' || argv[at][1] == '\0') {
			argv[kept++] = argv[at++];
			continue;
		}
		rc = take_option(arguments, argc, argv, &at, err);
		if (rc)
			return rc;
	}
	arguments->operands = (const char *const *)argv;
	arguments->operand_count = (size_t)kept;
	return check(arguments, err);
}

static int say_where_help_is(const struct arguments_command *command, int rc, struct err *err)
{
	char what[ERR_TEXT_BYTES];

	if (err == NULL)
		return rc;
	snprintf(what, sizeof(what), "%s", err->text);
	return err_set(err, rc, "%.400s; see muster-agent %s --help", what, command->name);
}

int arguments_parse(const struct arguments_command *commands, int argc, char **argv, struct arguments *ret_arguments,
		    struct err *err)
{
	struct arguments arguments = { .program = argc > 0 ? argv[0] : "" };
	int words = 0, rc;

	if (argc < 2 || is_help(argv[1]) || (argc == 2 && strcmp(argv[1], "help") == 0))
		arguments.help = true;
	else if (strcmp(argv[1], "--version") == 0)
		arguments.version = true;
	if (arguments.help || arguments.version) {
		*ret_arguments = arguments;
		return argc < 2 ? err_set(err, ERR_USAGE, "a command is missing; see muster-agent --help") : 0;
	}
	arguments.command = find_command(commands, argc - 1, argv + 1, &words);
	if (arguments.command == NULL)
		return err_set(err, ERR_USAGE, "there is no command '%.64s'; see muster-agent --help", argv[1]);
	rc = parse_rest(&arguments, argc - 1 - words, argv + 1 + words, err);
	if (rc != 0)
		return say_where_help_is(arguments.command, rc, err);
	*ret_arguments = arguments;
	return 0;
}

const char *arguments_value(const struct arguments *arguments, const char *name)
{
	int index = find_option(arguments->command->options, name, strlen(name));

	return index < 0 ? NULL : arguments->values[index];
}

bool arguments_given(const struct arguments *arguments, const char *name)
{
	return arguments_value(arguments, name) != NULL;
}

static const char *base_name(const char *program)
{
	const char *slash = strrchr(program, '/');

	return slash ? slash + 1 : program;
}

static void help_of_command(const struct arguments *arguments, struct buf *out)
{
	const struct arguments_command *command = arguments->command;

	buf_printf(out, "usage: %s %s", base_name(arguments->program), command->name);
	if (command->operands[0] != '\0')
		buf_printf(out, " %s", command->operands);
	buf_append_text(out, command->options[0].name ? " [options]\n\n" : "\n\n");
	buf_printf(out, "%s\n", command->summary);
	if (command->help[0] != '\0')
		buf_printf(out, "\n%s\n", command->help);
	if (command->options[0].name)
		buf_append_text(out, "\nOptions:\n");
	for (const struct arguments_option *option = command->options; option->name != NULL; option++) {
		struct buf name;

		buf_init(&name, 256);
		buf_printf(&name, "%s%s%s", option->name, option->value ? " " : "", option->value ? option->value : "");
		buf_printf(out, "  %-24s %s%s\n", buf_text(&name), option->help, option->required ? " (required)" : "");
		buf_done(&name);
	}
	buf_printf(out, "  %-24s %s\n", "--help", "this text");
}

void arguments_help(const struct arguments *arguments, const struct arguments_command *commands, const char *about,
		    struct buf *out)
{
	if (arguments->command != NULL) {
		help_of_command(arguments, out);
		return;
	}
	buf_printf(out, "usage: %s COMMAND [options]\n\n%s\n\nCommands:\n", base_name(arguments->program), about);
	for (const struct arguments_command *command = commands; command->name != NULL; command++) {
		if (!command->hidden)
			buf_printf(out, "  %-20s %s\n", command->name, command->summary);
	}
	buf_printf(out,
		   "\n%s COMMAND --help tells more; --version prints the version.\n"
		   "Exit status: 0 done, 1 refused or failed, 2 wrong usage.\n",
		   base_name(arguments->program));
}
