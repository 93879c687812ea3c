/* What makes a line that installs agents: for `deployment script` and for `computer install`. */
#ifndef MUSTER_CLI_DEPLOYMENT_H
#define MUSTER_CLI_DEPLOYMENT_H

#include "cli/cli.h"

/* POST /deployments with the options policy, group, expires, platform, url and name that were given; uses 0: as the
 * manager's default. */
int deployment_request(struct cli *cli, const char *form, uint64_t uses, json_t **ret_deployment, struct err *err);

#endif
