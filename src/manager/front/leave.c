/* POST /agent/v1/leave: an agent that another manager has taken, or that is being uninstalled, says so, with the
 * certificate that it had here. The name of that manager is its word. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "manager/front/agent_http.h"
#include "manager/front/membership.h"

#define RETRY_BUSY_S 5

struct leave {
	struct agent_request *request;
	bool uninstalled;
	char manager[512]; /* else */
	struct err err;
	int rc;
};

static void answered(void *argument)
{
	struct leave *leave = argument;

	if (leave->rc == 0)
		agent_reply(leave->request, 204, NULL, NULL, 0);
	else
		agent_refuse(leave->request, "Not left", &leave->err);
	agent_request_free(leave->request);
	free(leave);
}

static void work(void *argument)
{
	struct leave *leave = argument;

	const struct leaving leaving = { .manager = leave->uninstalled ? NULL : leave->manager,
					 .shown = leave->request->fingerprint };

	leave->rc = membership_left(leave->request->front, &leave->request->computer, &leaving, &leave->err);
	if (leave->rc != 0)
		LOG(LOG_WARNING, "leave.failed", log_uuid("computer", &leave->request->computer), log_err(&leave->err));
	if (loop_post(leave->request->loop, answered, leave) != 0)
		LOG(LOG_ERROR, "leave.lost", log_text("error", "no memory"));
}

/* What the body says, as work to be done; NULL: no memory. */
static struct leave *take(struct agent_request *request, const char *manager)
{
	struct leave *leave = calloc(1, sizeof(*leave));

	if (leave == NULL)
		return NULL;
	leave->request = request;
	leave->uninstalled = manager == NULL;
	snprintf(leave->manager, sizeof(leave->manager), "%s", manager != NULL ? manager : "");
	return leave;
}

void leave_complete(struct agent_request *request)
{
	json_t *json = json_loadb((const char *)request->body.data, request->body.size, 0, NULL);
	const char *manager = json_string_value(json_object_get(json, "manager"));
	bool good = manager != NULL || json_is_true(json_object_get(json, "uninstalled"));
	struct leave *leave = good ? take(request, manager) : NULL;

	json_decref(json);
	if (leave != NULL) {
		request->state = leave;
		if (front_work(request->front, work, leave) == 0)
			return;
	}
	free(leave);
	if (!good)
		agent_refuse_status(request, 400, "Not valid", "The body does not name the other manager.", 0);
	else
		agent_refuse_status(request, 503, "Busy", "Come back shortly.", RETRY_BUSY_S);
	agent_request_free(request);
}

void leave_gone(struct agent_request *request)
{
	if (request->state == NULL)
		agent_request_free(request);
}
