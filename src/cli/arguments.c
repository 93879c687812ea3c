/* Arguments by the table. They come from the person who runs the program. */
#include "cli/arguments.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/units.h"

static const struct cli_option *find_in(const struct cli_option *options, const char *name, size_t length)
{
	for (; options != NULL && options->name != NULL; options++) {
		if (strlen(options->name) == length && strncmp(options->name, name, length) == 0)
			return options;
	}
	return NULL;
}

static const struct cli_option *find_option(const struct cli_table *table, const struct cli_verb *verb,
					    const char *name, size_t length)
{
	const struct cli_option *option = verb != NULL ? find_in(verb->options, name, length) : NULL;

	return option != NULL ? option : find_in(table->options, name, length);
}

/* "list, show, scan": the verbs of a noun, or with NULL all nouns. */
static const char *names_of(const struct cli_table *table, const char *noun, char *text, size_t size)
{
	size_t used = 0;
	const char *last = "";

	text[0] = '\0';
	for (size_t i = 0; i < table->verb_count; i++) {
		const struct cli_verb *row = &table->verbs[i];
		const char *name = noun == NULL ? row->noun : row->verb;

		if ((noun != NULL && strcmp(row->noun, noun) != 0) || (noun == NULL && strcmp(row->noun, last) == 0))
			continue;
		last = row->noun;
		if (used < size)
			used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "", name);
	}
	return text;
}

static bool noun_known(const struct cli_table *table, const char *noun)
{
	for (size_t i = 0; i < table->verb_count; i++) {
		if (strcmp(table->verbs[i].noun, noun) == 0)
			return true;
	}
	return false;
}

/* verb NULL: the row of a noun that stands alone. */
static const struct cli_verb *find_verb(const struct cli_table *table, const char *noun, const char *verb)
{
	for (size_t i = 0; i < table->verb_count; i++) {
		const struct cli_verb *row = &table->verbs[i];

		if (strcmp(row->noun, noun) == 0 &&
		    (row->verb == NULL || (verb != NULL && strcmp(row->verb, verb) == 0)))
			return row;
	}
	return NULL;
}

static int take_word(const struct cli_table *table, const char *word, struct cli_arguments *out, struct err *err)
{
	char names[256];

	if (out->noun == NULL) {
		if (!noun_known(table, word))
			return err_set(err, ERR_USAGE, "there is no '%.40s'; there are %s", word,
				       names_of(table, NULL, names, sizeof(names)));
		out->noun = word;
		out->verb = find_verb(table, word, NULL);
		return 0;
	}
	if (out->verb == NULL) {
		out->verb = find_verb(table, out->noun, word);
		if (out->verb == NULL)
			return err_set(err, ERR_USAGE, "%s has no '%.40s'; it has %s", out->noun, word,
				       names_of(table, out->noun, names, sizeof(names)));
		return 0;
	}
	if (out->count == CLI_ARGUMENTS_MAX)
		return err_set(err, ERR_USAGE, "more than %d arguments", CLI_ARGUMENTS_MAX);
	out->words[out->count++] = word;
	return 0;
}

static int give(struct cli_arguments *out, const struct cli_option *option, const char *value, struct err *err)
{
	if (out->given_count == CLI_GIVEN_MAX)
		return err_set(err, ERR_USAGE, "more than %d options", CLI_GIVEN_MAX);
	out->given[out->given_count++] = (struct cli_given){ option, value };
	if (strcmp(option->name, "help") == 0)
		out->ask = ASK_HELP;
	else if (strcmp(option->name, "version") == 0 && out->ask != ASK_HELP)
		out->ask = ASK_VERSION;
	return 0;
}

/* "--name", "--name=value", "-x", "-xvalue"; *place moves over a value that follows. */
static int take_option(const struct cli_table *table, int argc, char *const *argv, int *place,
		       struct cli_arguments *out, struct err *err)
{
	const char *text = argv[*place];
	bool letter = text[1] != '-';
	const char *name = letter ? text + 1 : text + 2;
	size_t length = letter ? 1 : strcspn(name, "=");
	const struct cli_option *option;
	const char *value = name[length] == '\0' ? NULL : name + length + (name[length] == '=');

	if (letter && name[0] == 'h')
		option = find_option(table, NULL, "help", 4);
	else if (letter != (length == 1))
		option = NULL;
	else
		option = find_option(table, out->verb, name, length);
	if (option == NULL)
		return err_set(err, ERR_USAGE, "unknown option %.60s; see --help", text);
	if (option->value == NULL)
		return value != NULL ? err_set(err, ERR_USAGE, "%.60s: the option takes no value", text)
				     : give(out, option, "", err);
	if (value == NULL && *place + 1 < argc)
		value = argv[++*place];
	if (value == NULL)
		return err_set(err, ERR_USAGE, "%s needs a value: %s", text, option->value);
	return give(out, option, value, err);
}

static int check_words(const struct cli_option *option, const char *value, struct err *err)
{
	size_t length = strlen(value);

	for (const char *word = option->words; word != NULL && *word != '\0';) {
		size_t size = strcspn(word, " ");

		if (size == length && strncmp(word, value, size) == 0)
			return 0;
		word += size + (word[size] == ' ');
	}
	return err_set(err, ERR_USAGE, "%s%s: '%.40s' is none of: %s", strlen(option->name) == 1 ? "-" : "--",
		       option->name, value, option->words);
}

static int check_count(const struct cli_verb *verb, size_t count, struct err *err)
{
	if (count >= verb->least && count <= verb->most)
		return 0;
	return err_set(err, ERR_USAGE, "too %s arguments: expected %s; see --help",
		       count < verb->least ? "few" : "many", verb->arguments[0] != '\0' ? verb->arguments : "none");
}

static int check_complete(const struct cli_table *table, const struct cli_arguments *arguments, struct err *err)
{
	char names[256];
	int rc = 0;

	if (arguments->ask != ASK_RUN)
		return 0;
	if (arguments->noun == NULL)
		return err_set(err, ERR_USAGE, "nothing to do was given; there are %s; see --help",
			       names_of(table, NULL, names, sizeof(names)));
	if (arguments->verb == NULL)
		return err_set(err, ERR_USAGE, "%s: what to do with it? There are %s", arguments->noun,
			       names_of(table, arguments->noun, names, sizeof(names)));
	/* A status may be any word; the format of output may not. */
	for (size_t i = 0; rc == 0 && i < arguments->given_count; i++) {
		if (arguments->given[i].option->words != NULL && strcmp(arguments->given[i].option->name, "state") != 0)
			rc = check_words(arguments->given[i].option, arguments->given[i].value, err);
	}
	return rc != 0 ? rc : check_count(arguments->verb, arguments->count, err);
}

int arguments_parse(const struct cli_table *table, int argc, char *const *argv, struct cli_arguments *ret_arguments,
		    struct err *err)
{
	bool options = true;
	int rc = 0;

	memset(ret_arguments, 0, sizeof(*ret_arguments));
	for (int i = 1; rc == 0 && i < argc; i++) {
		if (options && strcmp(argv[i], "--") == 0)
			options = false;
		else if (options && argv[i][0] == '-' && argv[i][1] != '\0')
			rc = take_option(table, argc, argv, &i, ret_arguments, err);
		else
			rc = take_word(table, argv[i], ret_arguments, err);
	}
	return rc != 0 ? rc : check_complete(table, ret_arguments, err);
}

const char *arguments_option(const struct cli_arguments *arguments, const char *name)
{
	for (size_t i = arguments->given_count; i > 0; i--) {
		if (strcmp(arguments->given[i - 1].option->name, name) == 0)
			return arguments->given[i - 1].value;
	}
	return NULL;
}

int arguments_check_server(const char *url, struct err *err)
{
	static const char scheme[] = "https://";
	const char *host = url + sizeof(scheme) - 1;
	size_t length;

	if (strncasecmp(url, scheme, sizeof(scheme) - 1) != 0)
		return err_set(err, ERR_USAGE, "server '%.100s': expected https://HOST:PORT", url);
	length = strcspn(host, "/");
	if (length == 0 || (host[length] == '/' && host[length + 1] != '\0') || strpbrk(host, "@?# ") != NULL)
		return err_set(err, ERR_USAGE, "server '%.100s': expected https://HOST:PORT and nothing behind", url);
	return 0;
}
