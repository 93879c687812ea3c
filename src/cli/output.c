/* What goes to standard output, and a question before what cannot be undone. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

#define SENTENCE_BYTES ((size_t)64 * 1024)

int cli_print(const char *text, size_t size, struct err *err)
{
	if (fwrite(text, 1, size, stdout) != size || fflush(stdout) != 0) {
		/* `muster event list | head`: whoever read has had enough, and wants no complaint. */
		if (errno == EPIPE)
			_exit(1);
		return err_errno(err, errno, "standard output");
	}
	return 0;
}

static int print_json(const json_t *json, struct err *err)
{
	char *text = json_dumps(json, JSON_INDENT(2) | JSON_ENCODE_ANY);
	int rc;

	if (text == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	rc = cli_print(text, strlen(text), err);
	free(text);
	return rc == 0 ? cli_print("\n", 1, err) : rc;
}

static int print_csv(const json_t *json, struct err *err)
{
	struct column columns[TABLE_COLUMNS_MAX];
	struct table table;
	struct buf out;
	json_t *rows = json_array();
	size_t count = 0;
	int rc;

	for (void *at = json_object_iter((json_t *)json); at != NULL && count < TABLE_COLUMNS_MAX;
	     at = json_object_iter_next((json_t *)json, at))
		columns[count++] = (struct column){ NULL, json_object_iter_key(at), COLUMN_TEXT };
	json_array_append(rows, (json_t *)json);
	buf_init(&out, TABLE_BYTES_MAX);
	table_init(&table, columns, count, 0);
	table_csv(&table, rows, &out);
	rc = out.status != 0 ? err_set(err, out.status, "the output is too large")
			     : cli_print(buf_text(&out), out.size, err);
	buf_wipe(&out);
	json_decref(rows);
	return rc;
}

static int print_object(const json_t *json, struct err *err)
{
	struct buf out;
	int rc;

	buf_init(&out, TABLE_BYTES_MAX);
	table_object(json, &out);
	rc = cli_print(buf_text(&out), out.size, err);
	buf_wipe(&out);
	return rc;
}

const char *cli_text(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	return text != NULL ? text : "";
}

/* Line by line: the sentence's own ends of lines stay. */
static void format_clean(const char *format, va_list arguments, struct buf *out)
{
	struct buf raw;

	buf_init(&raw, SENTENCE_BYTES);
	buf_vprintf(&raw, format, arguments);
	for (char *at = raw.status == 0 ? (char *)(uintptr_t)buf_text(&raw) : NULL; at != NULL;) {
		char *end = strchr(at, '\n');

		if (end != NULL)
			*end = '\0';
		table_clean(at, out);
		if (end != NULL)
			buf_append_byte(out, '\n');
		at = end != NULL ? end + 1 : NULL;
	}
	buf_wipe(&raw);
}

void cli_warn(const char *format, ...)
{
	va_list arguments;
	struct buf text;

	buf_init(&text, 4 * SENTENCE_BYTES);
	va_start(arguments, format);
	format_clean(format, arguments, &text);
	va_end(arguments);
	fputs(text.status == 0 ? buf_text(&text) : "…", stderr);
	buf_wipe(&text);
}

bool cli_japanese(void)
{
	static const char *const variables[] = { "LC_ALL", "LC_MESSAGES", "LANG" };
	const char *said = NULL;

	for (size_t i = 0; i < COUNT_OF(variables) && (said == NULL || said[0] == '\0'); i++)
		said = getenv(variables[i]);
	return said != NULL && strncmp(said, "ja", 2) == 0 && strchr("_.@", said[2]) != NULL;
}

int cli_show(struct cli *cli, json_t *json, struct err *err)
{
	int rc = cli->output == OUTPUT_JSON  ? print_json(json, err)
		 : cli->output == OUTPUT_CSV ? print_csv(json, err)
					     : print_object(json, err);

	json_decref(json);
	return rc;
}

int cli_say(struct cli *cli, json_t *json, struct err *err, const char *format, ...)
{
	va_list arguments;
	struct buf text;
	int rc;

	if (cli->output != OUTPUT_TABLE) {
		if (json != NULL)
			return cli_show(cli, json, err);
		return cli->output == OUTPUT_JSON ? cli_print("{}\n", 3, err) : 0;
	}
	json_decref(json);
	buf_init(&text, 4 * SENTENCE_BYTES);
	va_start(arguments, format);
	format_clean(format, arguments, &text);
	va_end(arguments);
	buf_append_text(&text, "\n");
	rc = cli_print(buf_text(&text), text.size, err);
	buf_done(&text);
	return rc;
}

int cli_confirm(struct cli *cli, struct err *err, const char *format, ...)
{
	char answer[16] = "";
	va_list arguments;

	if (cli_flag(cli, "yes") || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return 0;
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs(" [y/N] ", stderr);
	if (fgets(answer, sizeof(answer), stdin) == NULL || (answer[0] != 'y' && answer[0] != 'Y'))
		return err_set(err, ERR_CANCELLED, "not done");
	return 0;
}
