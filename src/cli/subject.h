/* A policy or a computer as what has settings: found by its name or id, asked, and changed unless somebody else changed
 * it meanwhile. The first argument of the command names it. Requests block.
 */
#ifndef MUSTER_CLI_SUBJECT_H
#define MUSTER_CLI_SUBJECT_H

#include "cli/cli.h"

/* The id of a policy given by id or by its name in any case, among the items of a list; ret_there false: none has it.
 * id: UUID_TEXT_BYTES. */
int subject_id(struct cli *cli, const char *list, const char *given, char *id, bool *ret_there, struct err *err);
/* Of a policy that is there; ERR_NOT_FOUND. */
int subject_policy(struct cli *cli, const char *given, char *id, struct err *err);
/* A request about it; rest: "/settings". */
int subject_ask(struct cli *cli, bool computer, const char *method, const char *rest, const json_t *body,
		json_t **ret_json, struct err *err);
/* Sends the change for the version that is there; body's settings, if it has any, decide whether it may be repeated
 * after a change of somebody else's, which else is ERR_CONFLICT. */
int subject_change(struct cli *cli, bool computer, const char *method, const char *rest, const json_t *body,
		   json_t **ret_json, struct err *err);
/* The same, then shows what came of it. Takes body over. */
int subject_change_shown(struct cli *cli, bool computer, const char *method, const char *rest, json_t *body,
			 struct err *err);
/* A policy, or a computer's settings, by -o. Takes json over. */
int subject_show(struct cli *cli, bool computer, json_t *json, struct err *err);
/* What changed, on one line: "a: 1 (was 2); b: inherited (was 3)". */
void subject_describe(const json_t *changes, struct buf *out);

#endif
