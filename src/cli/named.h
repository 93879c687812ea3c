/* What people make, change and remove by name: destinations, hypervisors,
 * networks. The name or id is the first argument, answers are shown by -o.
 *
 * Bodies are taken over. A function that fills one returns ERR_USAGE, with the
 * option's name, for what JSON does not hold.
 */
#ifndef MUSTER_CLI_NAMED_H
#define MUSTER_CLI_NAMED_H

#include "cli/cli.h"

struct named {
	const char *what;       /* "hypervisor": also the noun of its commands */
	const char *collection; /* "/hypervisors" */
	find_one *find;
};

/* A request about the one that was named. */
int named_request(struct cli *cli, const struct named *named, const char *method, const char *rest, const json_t *body,
		  json_t **ret_json, struct err *err);
int named_show(struct cli *cli, const struct named *named, struct err *err);
/* rc: of filling body; when it is not 0 nothing is asked. */
int named_make(struct cli *cli, const struct named *named, json_t *body, int rc, struct err *err);
/* Nothing to change is ERR_USAGE. */
int named_change(struct cli *cli, const struct named *named, json_t *body, int rc, struct err *err);
/* Asks first, unless --yes. */
int named_remove(struct cli *cli, const struct named *named, struct err *err);
/* The manager tries it. ret_json: its answer, when `succeeded` is true in it; else ERR_REFUSED with the failure. */
int named_test(struct cli *cli, const struct named *named, const char *succeeded, json_t **ret_json, struct err *err);

/* text NULL adds nothing. what: "--url", "the name". */
int named_text(json_t *body, const char *member, const char *text, const char *what, struct err *err);
/* A member from the option that was given, if it was. */
int named_option(const struct cli *cli, json_t *body, const char *option, const char *member, struct err *err);
/* "enabled" from --enable or --disable. */
int named_enabled(const struct cli *cli, json_t *body, struct err *err);

#endif
