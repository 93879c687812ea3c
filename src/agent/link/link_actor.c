/* What the endpoint has link do (link_actor.h). Input: orders that are verified, decoded under the wire's limits. */
#include "agent/link/link_actor.h"

#include <stdlib.h>
#include <string.h>

#include "agent/link/link_candidate.h"
#include "agent/link/link_configuration.h"
#include "agent/link/link_exchange.h"
#include "agent/link/link_history.h"
#include "agent/link/link_items.h"
#include "agent/link/link_jobs.h"
#include "agent/link/link_listen.h"
#include "agent/link/link_renewal.h"
#include "agent/link/link_tls.h"
#include "agent/link/link_upload.h"
#include "base/log.h"

/* A move that the manager ordered: it is told how that ended before it is left. */
struct ordered_move {
	struct link *link;
	struct uuid command;
};

static void on_ordered_move(void *argument, int rc, const struct err *err)
{
	struct ordered_move *ordered = argument;
	struct err cause = { 0 };

	if (endpoint_end(ordered->link->endpoint, &ordered->command, rc == 0 ? COMMAND_SUCCEEDED : COMMAND_FAILED,
			 rc == 0 ? "" : err_name(rc), rc == 0 ? "" : err->text, NULL, 0, &cause) != 0)
		LOG(LOG_ERROR, "command.end_not_kept", log_uuid("command", &ordered->command), log_err(&cause));
	link_wake(ordered->link);
	free(ordered);
}

static int start_move(struct link *link, const struct endpoint_command *command, struct err *err)
{
	const Muster__Wire__Move *content = command->content->move;
	struct link_move move = { .manager = content->manager, .token = content->token, .has_authority = true };
	struct ordered_move *ordered = malloc(sizeof(*ordered));
	int rc;

	if (ordered == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	*ordered = (struct ordered_move){ link, command->id };
	memcpy(move.authority, content->authority.data, SHA256_BYTES);
	rc = link_candidate_move(link->candidate, &move, on_ordered_move, ordered, err);
	if (rc != 0)
		free(ordered);
	return rc;
}

static int act_start(void *context, const struct endpoint_command *command, struct err *err)
{
	struct link *link = context;

	LOG(LOG_INFO, "command.started", log_uuid("command", &command->id),
	    log_text("kind", command_kind_name(command->kind)), log_number("again", command->again));
	if (command->kind == COMMAND_MOVE)
		return start_move(link, command, err);
	return command->kind == COMMAND_SCAN ? link_jobs_command(link->jobs, command, err)
					     : link_items_command(link->items, command, err);
}

static int act_pause(void *context, const struct uuid *command, const struct uuid *by, struct err *err)
{
	return link_jobs_steer(((struct link *)context)->jobs, MESSAGE_JOB_PAUSE, command, by, err);
}

static int act_resume(void *context, const struct uuid *command, const struct uuid *by, struct err *err)
{
	return link_jobs_steer(((struct link *)context)->jobs, MESSAGE_JOB_RESUME, command, by, err);
}

static int act_cancel(void *context, const struct uuid *command, const struct uuid *by, struct err *err)
{
	return link_jobs_steer(((struct link *)context)->jobs, MESSAGE_JOB_CANCEL, command, by, err);
}

static void act_upload(void *context, const struct uuid *item)
{
	link_uploads_want(((struct link *)context)->uploads, item);
}

static void act_rekey(void *context)
{
	struct link *link = context;

	/* Who still shows the certificate before is no copy, as long as it is we who have the next one. */
	if (!link_exchange_answer_is_old(link->exchange))
		link_candidate_rekey(link->candidate);
}

static void act_renew(void *context)
{
	struct link *link = context;

	if (!link_exchange_answer_is_old(link->exchange))
		link_renewal_want(link->renewal);
}

static bool act_leaves(void *context)
{
	return link_candidate_rekeys(((struct link *)context)->candidate);
}

static bool act_wants_turn(void *context)
{
	return link_listen_wants_turn(context);
}

/* Another way to the manager is tried: what is under way on the old one does not count. */
static void act_redial(void *context, const struct endpoint_connection *connection)
{
	struct link *link = context;

	LOG(LOG_INFO, "link.redials", log_number("heartbeat_s", connection->heartbeat_us / SECOND_US),
	    log_number("poll_s", connection->poll_us / SECOND_US));
	link_tls_use(link, connection->way);
	link_exchange_redial(link->exchange);
	link_wake(link);
}

static void act_trace(void *context, const struct uuid *command, const char *from, const char *to)
{
	(void)context;
	LOG(LOG_DEBUG, "command.moved", log_uuid("command", command), log_text("from", from), log_text("to", to));
}

static void act_noted(void *context, uint32_t type, time_us time, const struct event_field *fields, size_t count)
{
	link_history_add(((struct link *)context)->history, type, time, fields, count);
}

struct endpoint_actor link_actor(struct link *link)
{
	return (struct endpoint_actor){ .context = link,
					.start = act_start,
					.pause = act_pause,
					.resume = act_resume,
					.cancel = act_cancel,
					.upload = act_upload,
					.rekey = act_rekey,
					.leaves = act_leaves,
					.renew = act_renew,
					.wants_turn = act_wants_turn,
					.configurer = { .check = link_configuration_check,
							.apply = link_configuration_apply,
							.redial = act_redial },
					.noted = act_noted,
					.trace = act_trace };
}
