/* Progress of running commands. Numbers and paths come from agents. */
#include "manager/front/progress.h"

#include <stdlib.h>

#include "manager/front/records_json.h"
#include "manager/queries.h"

struct progress {
	struct front *front;
	struct uuid computer, command;
	char *json;
	bool changed;
};

static void progress_free(struct progress *progress)
{
	free(progress->json);
	free(progress);
}

static int write_progress(struct store_session *session, void *argument, struct err *err)
{
	struct progress *progress = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_EXCHANGE_PROGRESS);
	int rc;

	cursor_bind_uuid(cursor, "id", &progress->command);
	cursor_bind_uuid(cursor, "computer", &progress->computer);
	cursor_bind_number(cursor, "changed", env_wall(progress->front->env));
	cursor_bind_text(cursor, "progress", progress->json);
	rc = cursor_run(cursor, err);
	progress->changed = rc == 0 && store_changes(session) == 1;
	return rc;
}

static void written(void *argument, int rc, const struct err *err)
{
	struct progress *progress = argument;
	const struct front_news news = { .topic = FRONT_TOPIC_COMMAND,
					 .id = progress->command,
					 .computer = progress->computer };

	(void)err;
	if (rc == 0 && progress->changed)
		feed_publish(progress->front->feed, &news, 1);
	progress_free(progress);
}

static void note_one(struct front *front, const struct uuid *computer, const Muster__Wire__CommandState *command)
{
	struct progress *progress = calloc(1, sizeof(*progress));

	if (progress == NULL)
		return;
	progress->front = front;
	progress->computer = *computer;
	progress->command = exchange_uuid(&command->id);
	progress->json = json_of_progress(command->progress);
	if (progress->json == NULL ||
	    store_write_of(front->store, &progress->computer, write_progress, written, progress) != 0)
		progress_free(progress);
}

void progress_note(struct front *front, const struct uuid *computer, const Muster__Wire__Report *report)
{
	for (size_t i = 0; i < report->n_commands; i++) {
		const Muster__Wire__CommandState *command = report->commands[i];

		if (command->state == MUSTER__WIRE__COMMAND_STATE__STATE__RUNNING && command->progress != NULL)
			note_one(front, computer, command);
	}
}
