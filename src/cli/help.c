/* Help, completion and manual, from the same rows. */
#include "cli/help.h"

#include <stdbool.h>
#include <string.h>

#include "base/units.h"

#define COLUMNS 78
#define INDENT  26

static const char *dashes(const struct cli_option *option)
{
	return strlen(option->name) == 1 ? "-" : "--";
}

/* Words from `column` on, further lines indented. */
static void append_wrapped(struct buf *out, const char *text, size_t column, size_t indent)
{
	while (*text != '\0') {
		size_t size = strcspn(text, " ");

		if (column > indent && column + 1 + size > COLUMNS) {
			buf_printf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			buf_append_text(out, " ");
			column++;
		}
		buf_append(out, text, size);
		column += size;
		text += size;
		text += strspn(text, " ");
	}
	buf_append_text(out, "\n");
}

static void append_row(struct buf *out, const char *name, const char *help)
{
	if (strlen(name) + 4 > INDENT)
		buf_printf(out, "  %s\n%*s", name, INDENT, "");
	else
		buf_printf(out, "  %-*s", INDENT - 2, name);
	append_wrapped(out, help, INDENT, INDENT);
}

static void append_options(struct buf *out, const char *title, const struct cli_option *options)
{
	if (options == NULL)
		return;
	buf_printf(out, "\n%s:\n", title);
	for (; options->name != NULL; options++) {
		struct buf name;

		buf_init(&name, 128);
		buf_printf(&name, "%s%s%s%s", dashes(options), options->name, options->value != NULL ? " " : "",
			   options->value != NULL ? options->value : "");
		append_row(out, buf_text(&name), options->help);
		buf_done(&name);
	}
}

static const char *noun_help(const struct cli_table *table, const char *noun)
{
	for (size_t i = 0; i < table->noun_count; i++) {
		if (strcmp(table->nouns[i].noun, noun) == 0)
			return table->nouns[i].help;
	}
	return "";
}

static bool first_of_noun(const struct cli_table *table, size_t place)
{
	return place == 0 || strcmp(table->verbs[place - 1].noun, table->verbs[place].noun) != 0;
}

/* "computer scan COMPUTER [PATH...]" */
static void append_usage(struct buf *out, const struct cli_verb *row)
{
	buf_printf(out, "%s%s%s%s%s", row->noun, row->verb != NULL ? " " : "", row->verb != NULL ? row->verb : "",
		   row->arguments[0] != '\0' ? " " : "", row->arguments);
}

static void help_of_program(const struct cli_table *table, struct buf *out)
{
	buf_printf(out, "%s: see and steer a fleet of protected computers\n\nusage: %s [OPTION...] NOUN VERB ...\n\n",
		   table->program, table->program);
	for (size_t i = 0; i < table->verb_count; i++) {
		const struct cli_verb *row = &table->verbs[i];
		struct buf name;

		buf_init(&name, 256);
		append_usage(&name, row);
		append_row(out, buf_text(&name), row->help);
		buf_done(&name);
	}
	append_options(out, "Options", table->options);
	buf_printf(out, "\nExit: 0 done, 1 refused or failed, 2 wrong usage. More: %s NOUN VERB --help\n",
		   table->program);
}

static void help_of_noun(const struct cli_table *table, const char *noun, struct buf *out)
{
	buf_printf(out, "usage: %s %s VERB ...\n\n", table->program, noun);
	append_wrapped(out, noun_help(table, noun), 0, 0);
	buf_append_text(out, "\n");
	for (size_t i = 0; i < table->verb_count; i++) {
		const struct cli_verb *row = &table->verbs[i];
		struct buf name;

		if (strcmp(row->noun, noun) != 0)
			continue;
		buf_init(&name, 256);
		buf_printf(&name, "%s %s", row->verb != NULL ? row->verb : "", row->arguments);
		append_row(out, buf_text(&name), row->help);
		buf_done(&name);
	}
}

static void help_of_verb(const struct cli_table *table, const struct cli_verb *row, struct buf *out)
{
	buf_printf(out, "usage: %s ", table->program);
	append_usage(out, row);
	buf_printf(out, "%s\n\n", row->options != NULL ? " [OPTION...]" : "");
	append_wrapped(out, row->help, 0, 0);
	if (row->detail != NULL)
		append_wrapped(out, row->detail, 0, 0);
	append_options(out, "Options", row->options);
	append_options(out, "Options of every verb", table->options);
}

void help_text(const struct cli_table *table, const char *noun, const struct cli_verb *verb, struct buf *out)
{
	if (verb != NULL)
		help_of_verb(table, verb, out);
	else if (noun != NULL)
		help_of_noun(table, noun, out);
	else
		help_of_program(table, out);
}

static void append_names(struct buf *out, const struct cli_option *options)
{
	for (; options != NULL && options->name != NULL; options++)
		buf_printf(out, " %s%s", dashes(options), options->name);
}

/* Cases "noun verb --option" that offer the words of options that have some. */
static void append_words(struct buf *out, const char *prefix, const struct cli_option *options)
{
	for (; options != NULL && options->name != NULL; options++) {
		if (options->words != NULL)
			buf_printf(out, "\t\"%s%s%s\") words=\"%s\" ;;\n", prefix, dashes(options), options->name,
				   options->words);
	}
}

void help_completion(const struct cli_table *table, struct buf *out)
{
	buf_printf(out,
		   "# Completion of %s for bash, made by: %s completion bash\n"
		   "_%s()\n{\n"
		   "\tlocal current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} noun= verb= words= "
		   "word skip= i\n"
		   "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		   "\t\tword=${COMP_WORDS[i]}\n"
		   "\t\tif [ -n \"$skip\" ]; then skip=; continue; fi\n"
		   "\t\tcase $word in\n",
		   table->program, table->program, table->program);
	for (const struct cli_option *option = table->options; option->name != NULL; option++) {
		if (option->value != NULL)
			buf_printf(out, "\t\t%s%s) skip=1 ;;\n", dashes(option), option->name);
	}
	buf_append_text(out,
			"\t\t-*) ;;\n"
			"\t\t*) if [ -z \"$noun\" ]; then noun=$word; elif [ -z \"$verb\" ]; then verb=$word; fi ;;\n"
			"\t\tesac\n\tdone\n\tcase \"$noun $verb\" in\n");
	buf_append_text(out, "\t\" \") words=\"");
	for (size_t i = 0; i < table->verb_count; i++) {
		if (first_of_noun(table, i))
			buf_printf(out, " %s", table->verbs[i].noun);
	}
	append_names(out, table->options);
	buf_append_text(out, "\" ;;\n");
	for (size_t i = 0; i < table->verb_count; i++) {
		if (!first_of_noun(table, i) || table->verbs[i].verb == NULL)
			continue;
		buf_printf(out, "\t\"%s \") words=\"", table->verbs[i].noun);
		for (size_t k = i; k < table->verb_count && strcmp(table->verbs[k].noun, table->verbs[i].noun) == 0;
		     k++)
			buf_printf(out, "%s%s", k > i ? " " : "", table->verbs[k].verb);
		buf_append_text(out, "\" ;;\n");
	}
	for (size_t i = 0; i < table->verb_count; i++) {
		const struct cli_verb *row = &table->verbs[i];

		buf_printf(out, "\t\"%s %s\"%s) words=\"", row->noun, row->verb != NULL ? row->verb : "",
			   row->verb != NULL ? "" : "*");
		if (row->arguments[0] >= 'a' && row->arguments[0] <= 'z')
			buf_printf(out, "%s ", row->arguments);
		append_names(out, row->options);
		append_names(out, table->options);
		buf_append_text(out, "\" ;;\n");
	}
	buf_append_text(out, "\tesac\n\tcase \"$noun $verb $before\" in\n");
	for (size_t i = 0; i < table->verb_count; i++) {
		struct buf prefix;

		if (table->verbs[i].verb == NULL)
			continue;
		buf_init(&prefix, 128);
		buf_printf(&prefix, "%s %s ", table->verbs[i].noun, table->verbs[i].verb);
		append_words(out, buf_text(&prefix), table->verbs[i].options);
		buf_done(&prefix);
	}
	buf_append_text(out, "\tesac\n\tcase $before in\n\t-o) words=\"table json csv\" ;;\n"
			     "\t--ca|--file|--password-file|--current-file)\n"
			     "\t\tCOMPREPLY=($(compgen -f -- \"$current\")); return ;;\n\tesac\n"
			     "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n}\n");
	buf_printf(out, "complete -F _%s %s\n", table->program, table->program);
}

/* roff: backslashes and dashes escaped, no line that begins with a dot. */
static void append_roff(struct buf *out, const char *text)
{
	if (*text == '.' || *text == '\'')
		buf_append_text(out, "\\&");
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			buf_append_text(out, "\\e");
		else if (*text == '-')
			buf_append_text(out, "\\-");
		else
			buf_append_byte(out, (uint8_t)*text);
	}
}

static void manual_options(struct buf *out, const struct cli_option *options)
{
	for (; options != NULL && options->name != NULL; options++) {
		buf_append_text(out, ".TP\n.B ");
		append_roff(out, dashes(options));
		append_roff(out, options->name);
		if (options->value != NULL)
			buf_printf(out, " \\fI%s\\fR", options->value);
		buf_append_text(out, "\n");
		append_roff(out, options->help);
		buf_append_text(out, "\n");
	}
}

static void manual_verb(struct buf *out, const struct cli_verb *row)
{
	struct buf usage;

	buf_init(&usage, 256);
	append_usage(&usage, row);
	buf_append_text(out, ".SS ");
	append_roff(out, buf_text(&usage));
	buf_append_text(out, "\n");
	append_roff(out, row->help);
	buf_append_text(out, ".\n");
	if (row->detail != NULL) {
		append_roff(out, row->detail);
		buf_append_text(out, "\n");
	}
	manual_options(out, row->options);
	buf_done(&usage);
}

void help_manual(const struct cli_table *table, struct buf *out)
{
	buf_printf(out, ".TH MUSTER 1 \"\" \"Muster " MUSTER_VERSION "\" \"User Commands\"\n.SH NAME\n");
	append_roff(out, "muster - see and steer a fleet of protected computers");
	buf_append_text(out, "\n.SH SYNOPSIS\n.B muster\n[\\fIOPTION\\fR...] \\fINOUN VERB\\fR ...\n.SH OPTIONS\n");
	manual_options(out, table->options);
	buf_append_text(out, ".SH COMMANDS\n");
	for (size_t i = 0; i < table->verb_count; i++)
		manual_verb(out, &table->verbs[i]);
	buf_append_text(out, ".SH EXIT STATUS\n0 done, 1 refused or failed, 2 wrong usage.\n"
			     ".SH ENVIRONMENT\n.TP\n.B MUSTER_SERVER\nThe manager, https://HOST:PORT.\n"
			     ".TP\n.B MUSTER_CA\nThe manager's CA certificate (PEM).\n"
			     ".TP\n.B MUSTER_TOKEN\nAPI token.\n"
			     ".SH FILES\n.TP\n.B ~/.config/muster/session.json\nWhat login remembers, mode 0600.\n");
}
