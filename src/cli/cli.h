/* What a verb's function works with: arguments, the manager, the output. */
#ifndef MUSTER_CLI_CLI_H
#define MUSTER_CLI_CLI_H

#include <stdbool.h>

#include "base/env.h"
#include "cli/arguments.h"
#include "cli/client.h"
#include "cli/table.h"

enum cli_output { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_CSV };

struct cli {
	struct cli_arguments arguments;
	enum cli_output output;
	const struct env *env;
	struct client *client; /* NULL until cli_connect() */
	const char *ca;        /* in place of --ca, MUSTER_CA and the session's; NULL: as they say */
	size_t width;          /* of standard output when it is a terminal, else 0 */
	size_t error_width;    /* of standard error likewise */
};

/* True once the person pressed Ctrl-C. */
bool cli_interrupted(void);
/* Waits, at most until an interruption. */
void cli_wait(span_us span);

const char *cli_option(const struct cli *cli, const char *name);
static inline bool cli_flag(const struct cli *cli, const char *name)
{
	return cli_option(cli, name) != NULL;
}

/* --- connection.c: which manager, as whom --- */

/* The server that was given or is remembered; ERR_USAGE when none is. Longest: SESSION_TEXT_BYTES. */
int cli_server(const struct cli *cli, char *server, size_t size, struct err *err);
/* Makes cli->client from options, environment and the session file. ERR_USAGE when no server is known. */
int cli_connect(struct cli *cli, struct err *err);
/* cli_connect(), then client_request(). */
int cli_request(struct cli *cli, const char *method, const char *path, const json_t *body, json_t **ret_json,
		struct err *err);
/* "/computers/" and an id that a person gave: what is not a plain id is ERR_USAGE. */
int cli_id_path(const char *collection, const char *id, const char *rest, struct buf *path, struct err *err);

/* --- output.c --- */

/* Writes to standard output; ERR_IO when that fails (disk full, pipe closed). */
int cli_print(const char *text, size_t size, struct err *err);
/* For the person, on standard error, whatever goes to standard output: what a terminal would obey is written as text.
 */
void cli_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A text of the manager's answer; "" when it is not there, or no text. */
const char *cli_text(const json_t *json, const char *name);
/* Whether the person reads Japanese: LC_ALL, LC_MESSAGES, LANG, the first of them that says anything. */
bool cli_japanese(void);
/* A single object, by -o. Takes json over. */
int cli_show(struct cli *cli, json_t *json, struct err *err);
/* A sentence for the person (table output only), else json. Takes json over; it may be NULL. What a terminal would obey
 * is written as text. */
int cli_say(struct cli *cli, json_t *json, struct err *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* "Delete web1?" on a terminal, unless --yes. ERR_CANCELLED: no. */
int cli_confirm(struct cli *cli, struct err *err, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* --- list.c: lists, page by page --- */

enum list_kind { LIST_PLAIN, LIST_COMPUTER, LIST_MOMENT };

struct list_parameter {
	const char *option; /* also the query's name */
	enum list_kind kind;
};

struct list {
	const char *path;
	const struct list_parameter *parameters;
	size_t parameter_count;
	const struct column *columns;
	size_t column_count;
	const char *nothing; /* said when the list is empty */
};
int list_run(struct cli *cli, const struct list *list, struct err *err);
/* Calls on_page for each page until all are read, `limit` entries were (0: no limit), or it returns an error. */
int list_pages(struct cli *cli, const char *path, uint64_t limit,
	       int (*on_page)(void *context, json_t *items, struct err *err), void *context, struct err *err);
/* The items of an answer that holds the whole list, by -o. Takes json over. */
int list_show(struct cli *cli, json_t *json, const struct column *columns, size_t count, const char *nothing,
	      struct err *err);
/* Adds the options that were given as query parameters. */
int list_query(struct cli *cli, const struct list_parameter *parameters, size_t count, struct buf *path,
	       struct err *err);

/* --- find.c --- */

/* The id of a computer given by id or by a name that only one has. id: UUID_TEXT_BYTES. */
int find_computer(struct cli *cli, const char *given, char *id, struct err *err);
int find_destination(struct cli *cli, const char *given, char *id, struct err *err);
int find_hypervisor(struct cli *cli, const char *given, char *id, struct err *err);
int find_network(struct cli *cli, const char *given, char *id, struct err *err);
int find_user(struct cli *cli, const char *given, char *id, struct err *err);
/* A request about the one that the first argument names, of a collection ("/networks") that find_id() looks in. */
typedef int find_one(struct cli *cli, const char *given, char *id, struct err *err);
int find_request(struct cli *cli, const char *collection, find_one *find_id, const char *method, const char *rest,
		 const json_t *body, json_t **ret_json, struct err *err);

/* --- order_many.c --- */

/* Whether it is a pattern (with * or ?) in place of one computer's name. */
bool order_is_for_many(const char *given);
/* Issues what body asks for to all computers whose names fit, and says to how
 * many. ERR_REFUSED, when it has been said, if some were left out; ERR_USAGE with --watch. */
int order_many(struct cli *cli, const char *pattern, const json_t *body, struct err *err);
/* The same for all computers of a group. */
int order_group(struct cli *cli, const char *group, const json_t *body, struct err *err);

/* --- watch.c --- */

/* Follows a command to its end; ERR_REFUSED when it did not succeed, ERR_CANCELLED when interrupted. Prints the end. */
int watch_command(struct cli *cli, const char *id, struct err *err);

/* --- secret.c --- */

/* Set for ssh, which asks for the password by starting this program with a prompt: the file that holds it. */
#define CLI_ASKPASS "MUSTER_ASKPASS"
/* Prints the first line of that file; the exit code. */
int secret_answer(const char *file);

/* A line from a file ("-": standard input), or asked for on the terminal without echo; wiped by the caller. */
int secret_read(const char *file, const char *prompt, struct buf *ret_secret, struct err *err);
int secret_ask_new(const char *file, struct buf *ret_secret, struct err *err);

#endif
